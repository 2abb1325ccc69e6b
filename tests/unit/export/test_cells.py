from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.export.cells import bare_cell, guard_cell
from cephstd.export.tables import PointWriter, read_points


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1"])
def test_a_text_that_a_spreadsheet_would_run_is_guarded(text):
    assert guard_cell(text) == "'" + text


@pytest.mark.parametrize("cell", [-1.5, 3, None, "S_N", "a=b", "it's", ""])
def test_anything_else_stays_as_it_is(cell):
    assert guard_cell(cell) == cell


@given(st.text(alphabet="'=+-@ab\t\r"))
def test_the_text_comes_back(text):
    assert bare_cell(guard_cell(text)) == text


def test_a_table_of_points_is_guarded_and_reads_back():
    out = io.StringIO()
    marks = LandmarkSet(landmarks=(place_landmark("S", -1.0, 2.0), absent_landmark("N", "=cmd|' /C calc'!A0")))
    PointWriter(out).write("@film", marks)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["image_id"] for row in rows] == ["'@film", "'@film"]
    assert float(rows[0]["x_px"]) == -1.0
    assert rows[1]["reason"] == "'=cmd|' /C calc'!A0"
    (film,) = read_points(out.getvalue())
    assert film.image_id == "@film"
    assert film.marks["N"].reason == "=cmd|' /C calc'!A0"
