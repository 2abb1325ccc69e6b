from __future__ import annotations

import math

import numpy as np
import pytest

from cephstd.core.landmarks import Landmark, LandmarkSet, absent_landmark, landmark_set, place_landmark, round_landmark
from cephstd.errors import InputError


def test_absent_landmark_has_a_reason_and_no_position():
    mark = absent_landmark("Ba", "outside the image", score=0.2)
    assert not mark.is_present
    assert (mark.x_px, mark.y_px, mark.covariance_px2) == (None, None, None)
    assert (mark.state, mark.reason, mark.score) == ("absent", "outside the image", 0.2)


def test_absence_without_a_reason_is_refused():
    with pytest.raises(InputError, match="reason"):
        absent_landmark("Ba", "")


def test_placed_landmark_keeps_what_the_caller_gave():
    mark = place_landmark("S", np.float32(0.5), 2.00041, score=0.123456, covariance_px2=[[1.00004, 0], [0, 2]])
    assert (mark.x_px, mark.y_px, mark.score, mark.cov_xx) == (0.5, 2.00041, 0.123456, 1.00004)
    assert type(mark.x_px) is float


def test_landmark_is_rounded_as_records_hold_it():
    mark = round_landmark(place_landmark("S", 1.23456, 2.0004, score=0.123456, covariance_px2=[[1.00004, 0], [0, 2]]))
    assert (mark.x_px, mark.y_px, mark.score, mark.cov_xx) == (1.235, 2.0, 0.1235, 1.0)
    assert round_landmark(absent_landmark("Ba", "outside the image")).x_px is None


@pytest.mark.parametrize("point", [(math.nan, 1), (1, math.inf)])
def test_position_that_is_not_finite_is_refused(point):
    with pytest.raises(InputError, match="finite"):
        place_landmark("S", *point)


@pytest.mark.parametrize("covariance", [[[1, 2], [2, 1]], [[1, 0]], [[math.nan, 0], [0, 1]]])
def test_matrix_that_is_no_covariance_is_refused(covariance):
    with pytest.raises(InputError, match="covariance"):
        place_landmark("S", 1, 2, covariance_px2=covariance)


def test_covariance_keeps_its_off_diagonal():
    mark = place_landmark("S", 1, 2, covariance_px2=[[2, 0.5], [0.5, 1]])
    assert np.array_equal(mark.covariance_px2, [[2, 0.5], [0.5, 1]])


def test_set_finds_points_by_id_and_lists_the_present():
    marks = LandmarkSet(landmarks=(place_landmark("S", 1, 2), absent_landmark("N", "hidden")))
    assert marks.ids == ("S", "N")
    assert marks.points_px == {"S": (1.0, 2.0)}
    assert [mark.id for mark in marks.present] == ["S"]
    assert "N" in marks
    assert marks["N"].reason == "hidden"
    with pytest.raises(KeyError):
        marks["Pog"]


def test_landmark_listed_twice_is_refused():
    with pytest.raises(InputError, match="S more than once"):
        LandmarkSet(landmarks=(place_landmark("S", 1, 2), place_landmark("S", 3, 4)))


def test_callers_points_have_no_covariance():
    mark = landmark_set({"S": (1, 2)})["S"]
    assert mark.state == "placed"
    assert mark.covariance_px2 is None


def test_replacing_keeps_scheme_model_and_warnings():
    marks = LandmarkSet(landmarks=(), scheme="isbi19", warnings=("dim",))
    again = marks.replace([Landmark(id="S", state="absent", reason="hidden")])
    assert (again.scheme, again.warnings, again.ids) == ("isbi19", ("dim",), ("S",))


def test_html_escapes_what_it_shows():
    marks = LandmarkSet(landmarks=(absent_landmark("S", "<script>"),))
    assert "<script>" not in marks._repr_html_()
