"""Value tables in Parquet: nulls where there is no number, provisional values marked."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow.parquet as pq

from cephstd.export.parquet import write_csv, write_values
from cephstd.geometry.measurer import measure_many

POINTS = np.array([[[0, 0], [70, 0], [70, 60]], [[0, 0], [70, 0], [np.nan, np.nan]]])


def found():
    return measure_many(POINTS, ["S", "N", "A"], ["SNA", "S_N", "sas_Go_arc"], provisional=np.eye(2, 3, 2, dtype=bool))


def test_absent_numbers_are_null():
    rows = pq.read_table(io.BytesIO(write_values(["a", "b"], found()))).to_pylist()
    assert [row["image_id"] for row in rows] == ["a"] * 3 + ["b"] * 3
    assert [row["value"] for row in rows] == [90.0, None, None, None, None, None]
    assert [row["reason"] for row in rows] == [
        "provisional", "not calibrated", "undefined construction",
        "missing: A", "not calibrated", "undefined construction",
    ]  # fmt: skip
    assert {row["unit"] for row in rows} == {"deg", "mm"}


def test_csv_has_the_same_rows():
    columns = found()
    parquet = pq.read_table(io.BytesIO(write_values(["a", "b"], columns))).to_pylist()
    rows = list(csv.DictReader(io.StringIO(write_csv(["a", "b"], columns))))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in parquet] == rows


def test_no_film_is_an_empty_table():
    columns = measure_many(np.zeros((0, 3, 2)), ["S", "N", "A"], ["SNA"])
    assert pq.read_table(io.BytesIO(write_values([], columns))).num_rows == 0
