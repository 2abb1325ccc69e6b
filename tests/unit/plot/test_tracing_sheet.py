"""A tracing on paper: sizes that a ruler would confirm, places that fit the film, names that stay on the page."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.image import UNDETERMINED, state_calibration
from cephstd.core.landmarks import LandmarkSet, place_landmark
from cephstd.plot.tracing_sheet import Sheet, lay_out

SIZE = (400, 480)
ROOM = (170.0, 208.0)


def dot(sheet: Sheet, id: str) -> np.ndarray:
    return np.array(next(dot.at_mm for dot in sheet.dots if dot.id == id))


def test_a_calibrated_tracing_is_as_large_as_the_face(marks):
    sheet = lay_out(SIZE, marks, state_calibration(0.5), room_mm=ROOM, whole=False)
    assert sheet.enlargement == 1.0
    apart = np.linalg.norm(np.subtract(marks.points_px["N"], marks.points_px["S"])) * 0.5
    assert np.linalg.norm(dot(sheet, "N") - dot(sheet, "S")) == pytest.approx(apart, abs=0.02)
    assert sheet.bar_mm[0] == sheet.bar_mm[1]


def test_a_face_larger_than_the_page_is_made_smaller_and_says_so(marks):
    sheet = lay_out(SIZE, marks, state_calibration(1.0), room_mm=ROOM, whole=False)
    assert 0.5 < sheet.enlargement < 1.0
    assert sheet.size_mm[0] <= ROOM[0] + 0.01
    assert sheet.size_mm[1] <= ROOM[1] + 0.01
    apart = np.linalg.norm(np.subtract(marks.points_px["N"], marks.points_px["S"])) * sheet.enlargement
    assert np.linalg.norm(dot(sheet, "N") - dot(sheet, "S")) == pytest.approx(apart, abs=0.02)


def test_without_a_scale_there_is_no_bar_and_no_enlargement(marks):
    for whole in (True, False):
        sheet = lay_out(SIZE, marks, UNDETERMINED, room_mm=ROOM, whole=whole)
        assert (sheet.enlargement, sheet.bar_mm) == (None, None)


def test_points_lie_on_the_whole_film_where_its_pixels_do(marks):
    """The centre of pixel (0, 0) lies half a pixel inside the picture's corner."""
    sheet = lay_out(SIZE, marks, state_calibration(0.5), room_mm=ROOM, whole=True)
    wide, high = sheet.size_mm
    assert wide / high == pytest.approx(SIZE[0] / SIZE[1], rel=1e-3)
    x, y = marks.points_px["Go"]
    assert dot(sheet, "Go") == pytest.approx([(x + 0.5) * wide / SIZE[0], (y + 0.5) * high / SIZE[1]], abs=0.02)


def test_lines_are_dashed_where_they_are_guessed_or_provisional(marks):
    doubtful = marks.replace(
        place_landmark(m.id, m.x_px, m.y_px, review="provisional", reason="hold") if m.id == "Go" else m for m in marks
    )
    sheet = lay_out(SIZE, doubtful, state_calibration(0.5), room_mm=ROOM, whole=False)
    dashed = {line.name: line.dashed for line in sheet.lines if line.kind == "plane"}
    assert dashed["MP"]
    assert not dashed["SN"]
    assert next(dot.kind for dot in sheet.dots if dot.id == "Go") == "provisional"
    assert {line.dashed for line in sheet.lines if line.name == "symphysis"} == {True}


def test_names_stay_on_the_page_and_every_point_on_it_has_one(marks):
    sheet = lay_out(SIZE, marks, state_calibration(0.5), room_mm=ROOM, whole=False)
    assert {dot.id for dot in sheet.dots} <= {label.name for label in sheet.labels}
    for label in sheet.labels:
        assert 0 <= label.at_mm[0] <= sheet.size_mm[0]
        assert 0 <= label.at_mm[1] <= sheet.size_mm[1]


def test_a_point_beyond_the_film_is_not_drawn_on_it(marks):
    beyond = marks.replace(place_landmark(m.id, -30, 10) if m.id == "Po" else m for m in marks)
    sheet = lay_out(SIZE, beyond, state_calibration(0.5), room_mm=ROOM, whole=True)
    assert "Po" not in {dot.id for dot in sheet.dots}


def test_a_film_without_points_is_shown_whole():
    sheet = lay_out(SIZE, LandmarkSet(landmarks=()), state_calibration(0.5), room_mm=ROOM, whole=False)
    assert (sheet.lines, sheet.dots, sheet.labels) == ((), (), ())
    assert sheet.window_px == (-0.5, -0.5, 399.5, 479.5)


def test_the_same_points_give_the_same_sheet(marks):
    made = [lay_out(SIZE, marks, state_calibration(0.5), room_mm=ROOM, whole=False) for _ in range(2)]
    assert made[0].lines == made[1].lines
    assert made[0].labels == made[1].labels
