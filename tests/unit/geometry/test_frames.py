"""Frames of three libraries give the values of one film after another; what contradicts itself is refused by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cephstd as cs
from cephstd.core.image import state_calibration
from cephstd.core.landmarks import LandmarkSet, place_landmark
from cephstd.errors import InputError
from cephstd.geometry.frames import is_frame, measure_table, read_frame
from cephstd.geometry.measurer import Measurer
from cephstd.geometry.point_table import pivot_points
from cephstd.plot.face import face_marks

LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}


def face_rows(rng, films=3):
    """A face per film, moved a little, with covariances, in no order of landmarks; the last film lacks A."""
    rows = []
    for film in range(films):
        marks = list(face_marks())
        for number in rng.permutation(len(marks)):
            mark = marks[number]
            if film == films - 1 and mark.id == "A":
                continue
            x, y = rng.normal((mark.x_px, mark.y_px), 1.0)
            rows.append((f"film {film}", mark.id, x, y, 1.0, 0.2, 0.5, 0.5 if film else None))
    names = ("image_id", "landmark", "x_px", "y_px", "cov_xx", "cov_xy", "cov_yy", "mm_per_px")
    return {name: [row[n] for row in rows] for n, name in enumerate(names)}


def plain(frame):
    return frame.to_dict("records") if isinstance(frame, pd.DataFrame) else pl.DataFrame(frame).to_dicts()


@pytest.mark.parametrize("library", LIBRARIES)
def test_frame_gives_what_films_one_by_one_give(library):
    rows = face_rows(np.random.default_rng(7))
    found = cs.measure_many(LIBRARIES[library](rows), analysis="all")
    assert type(found) is type(LIBRARIES[library]({"x": [1]}))
    measurer = Measurer("all")
    for number, row in enumerate(plain(found)):
        assert row["image_id"] == f"film {number}"
        at = [n for n, id in enumerate(rows["image_id"]) if id == row["image_id"]]
        marks = [
            place_landmark(
                rows["landmark"][n],
                rows["x_px"][n],
                rows["y_px"][n],
                covariance_px2=[[rows["cov_xx"][n], rows["cov_xy"][n]], [rows["cov_xy"][n], rows["cov_yy"][n]]],
            )
            for n in at
        ]
        scale = state_calibration(0.5) if number else None
        for measure in measurer(LandmarkSet(landmarks=tuple(marks)), scale):
            value, sd = (None if row[name] is None or row[name] != row[name] else row[name]
                         for name in (measure.id, f"{measure.id}_sd"))  # fmt: skip
            assert (value is None) == (measure.value is None), measure.id
            assert (sd is None) == (measure.sd is None), measure.id
            if value is not None:
                assert value == pytest.approx(measure.value, rel=1e-12)
                assert sd == pytest.approx(measure.sd, rel=1e-9)
            assert (row[f"{measure.id}_reason"] or "") == measure.reason


def test_film_of_columns_is_that_of_a_measurer():
    table = pivot_points(face_rows(np.random.default_rng(8), films=2))
    columns = measure_table(Measurer("steiner"), table)
    present = ~np.isnan(table.points_px[1]).any(axis=1)
    marks = [
        place_landmark(id, *table.points_px[1, n], covariance_px2=table.covariances_px2[1, n])
        for n, id in enumerate(table.ids)
        if present[n]
    ]
    expected = Measurer("steiner")(LandmarkSet(landmarks=tuple(marks)), state_calibration(0.5))
    assert [str(m) for m in columns.film(1)] == [str(m) for m in expected]
    assert [m.reason for m in columns.film(1)] == [m.reason for m in expected]


def rows(**changes):
    table = {"image_id": ["a"] * 3, "landmark": ["S", "N", "A"], "x_px": [0.0, 70.0, 70.0], "y_px": [0.0, 0.0, 60.0]}
    return table | changes


@pytest.mark.parametrize("library", LIBRARIES)
def test_provisional_and_rejected_points(library):
    frame = LIBRARIES[library](rows(review=["none", "none", "provisional"]))
    (row,) = plain(cs.measure_many(frame, analysis=["SNA", "S_N"], spacing_mm=0.1))
    assert (row["SNA_provisional"], row["S_N_provisional"]) == (True, False)
    frame = LIBRARIES[library](rows(review=["none", "none", "rejected"]))
    (row,) = plain(cs.measure_many(frame, analysis=["SNA"]))
    assert row["SNA_reason"] == "missing: A"


def test_orientation_on_a_provisional_point_is_provisional():
    """ANB turns its sign on no frame, a signed turn does: Po and Or decide it."""
    marks = face_marks()
    points = np.array([[(mark.x_px, mark.y_px) for mark in marks]])
    ids = [mark.id for mark in marks]
    marked = np.array([[id == "Po" for id in ids]])
    found = cs.measure_many(points, ids, ["SNA", "convexity_angle", "FMA"], provisional=marked)
    said = {id: bool(found.provisional(id)[0]) for id in ("SNA", "convexity_angle", "FMA")}
    alone = cs.measure(marks.replace(
        place_landmark(mark.id, mark.x_px, mark.y_px, review="provisional") if mark.id == "Po" else mark
        for mark in marks
    ), ["SNA", "convexity_angle", "FMA"])  # fmt: skip
    assert said == {measure.id: measure.provisional for measure in alone}
    assert said["FMA"]
    assert not said["SNA"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x_px": [0.0, 70.0, None]}, "Row 3: landmark A of a has one coordinate of two"),
        ({"landmark": ["S", "N", "N"]}, "Row 2: landmark N of a occurs twice"),
        ({"state": ["placed", "lost", "moved"]}, "Row 2: landmark N of a has no state of"),
        ({"state": ["placed", "absent", "moved"]}, "Row 2: landmark N of a is absent and has a position"),
        ({"cov_xx": [1.0, 1.0, 1.0]}, "Row 1: landmark S of a has part of a covariance"),
        ({"mm_per_px": [0.1, 0.2, 0.1]}, "Row 2: film a has two scales, 0.1 and 0.2"),
        ({"x_px": [0.0, float("inf"), 1.0]}, "Row 2: landmark N of a has an infinite coordinate"),
        ({"landmark": ["S", "", "A"]}, "as text in every row"),
        ({"x_px": ["a", "b", "c"]}, "Expected numbers"),
    ],
)
def test_contradiction_is_named_by_row(change, says):
    with pytest.raises(InputError, match=says):
        cs.measure_many(pl.DataFrame(rows(**change)), analysis=["SNA"])


def test_absent_state_without_a_place_is_absent():
    table = pivot_points(rows(x_px=[0.0, 70.0, None], y_px=[0.0, 0.0, None], state=["placed", "", "absent"]))
    assert np.isnan(table.points_px[0, 2]).all()
    with pytest.raises(InputError, match="present and has no position"):
        pivot_points(rows(x_px=[0.0, 70.0, None], y_px=[0.0, 0.0, None], state=["placed", "", "moved"]))


def test_missing_columns_and_other_values_are_refused():
    with pytest.raises(InputError, match="missing: y_px"):
        read_frame(pd.DataFrame({"image_id": [], "landmark": [], "x_px": []}))
    with pytest.raises(InputError, match="found dict"):
        read_frame({"image_id": ["a"]})
    with pytest.raises(InputError, match="own columns"):
        cs.measure_many(pd.DataFrame(rows()), provisional=[[True]])
    with pytest.raises(InputError, match="provisional marks of shape"):
        cs.measure_many(np.zeros((1, 2, 2)), ["S", "N"], ["S_N"], provisional=[[True]])
    assert not is_frame(np.zeros(3))
