"""Outlines through landmarks: where they pass, where they end, what is called a guess."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cephstd.core.landmarks import LandmarkSet, absent_landmark, landmark_set, place_landmark
from cephstd.knowledge.loader import load_landmarks
from cephstd.plot.tracing import OUTLINES, trace_outlines
from cephstd.plot.tracing_shapes import BENDS, CONTOURS

LAID = {contour.id for contour in CONTOURS}


def joined(marks: LandmarkSet) -> set[tuple[str, str]]:
    """Pairs of landmarks that some curve joins."""
    return {pair for curve in trace_outlines(marks) for pair in pairwise(curve.landmarks)}


def without(marks: LandmarkSet, id: str) -> LandmarkSet:
    return marks.replace(absent_landmark(m.id, "not seen") if m.id == id else m for m in marks)


def test_curves_pass_exactly_through_their_landmarks(marks):
    for curve in (curve for curve in trace_outlines(marks) if curve.outline not in LAID):
        for id in curve.landmarks:
            offsets = np.linalg.norm(curve.points_px - marks.points_px[id], axis=1)
            assert offsets.min() == 0, (curve.outline, id)
        assert tuple(curve.points_px[0]) == marks.points_px[curve.landmarks[0]]
        assert tuple(curve.points_px[-1]) == marks.points_px[curve.landmarks[-1]]


def test_the_19_points_give_base_palate_maxilla_mandible_and_profile(marks):
    pieces = [(curve.outline, curve.landmarks, curve.estimated) for curve in trace_outlines(marks)]
    assert pieces == [
        ("cranial base", ("S", "N"), True),
        ("nasal bone", ("S", "N"), True),
        ("palatal vault", ("PNS", "ANS"), True),
        ("symphysis", ("Me", "B"), True),
        ("palate", ("PNS", "ANS"), True),
        ("maxilla", ("ANS", "A"), False),
        ("mandible", ("Ar", "Go", "Me"), True),
        ("mandible", ("Me", "Gn", "Pog", "B"), False),
        ("upper profile", ("Sn", "Ls"), True),
        ("mouth", ("Ls", "Li"), True),
        ("lower profile", ("Li", "Pog_s"), True),
    ]


@pytest.mark.parametrize("gone", ["Go", "Gn", "Pog", "Ls", "S"])
def test_an_absent_point_ends_the_curve_and_is_never_bridged(marks, gone):
    before, after = joined(marks), joined(without(marks, gone))
    assert after == {pair for pair in before if gone not in pair}


def test_a_rejected_point_ends_the_curve_too(marks):
    rejected = marks.replace(
        place_landmark(m.id, m.x_px, m.y_px, review="rejected") if m.id == "Go" else m for m in marks
    )
    assert not any("Go" in pair for pair in joined(rejected))


def test_a_point_between_that_the_scheme_has_and_the_film_lacks_is_not_bridged_by_the_shortcut(marks):
    with_sulcus = marks.replace((*marks, absent_landmark("SLs", "not seen")))
    assert ("Sn", "Ls") in joined(marks)
    assert ("Sn", "Ls") not in joined(with_sulcus)


def test_more_points_turn_guesses_into_given_curves(marks):
    more = marks.replace((*marks, place_landmark("SLs", 302, 332), place_landmark("ILs", 292, 420)))
    given = {pair for c in trace_outlines(more) if not c.estimated for pair in pairwise(c.landmarks)}
    assert {("Sn", "SLs"), ("SLs", "Ls"), ("Li", "ILs"), ("ILs", "Pog_s")} <= given
    assert not {("Sn", "Ls"), ("Li", "Pog_s")} & joined(more)


def moved(marks: LandmarkSet, matrix: np.ndarray) -> LandmarkSet:
    places = {id: matrix @ point for id, point in marks.points_px.items()}
    return marks.replace(place_landmark(m.id, *places[m.id]) for m in marks)


@pytest.mark.parametrize(
    "matrix", [[[-1, 0], [0, 1]], [[0, -1], [1, 0]], [[0, 2], [2, 0]]], ids=["mirror", "turn", "both"]
)
def test_tracing_moves_with_the_film(marks, matrix):
    """A face that looks to the left, lies on its side or is larger gets the same tracing, moved with it."""
    plain, laid = trace_outlines(marks), trace_outlines(moved(marks, np.array(matrix)))
    assert len(plain) == len(laid)
    for first, second in zip(plain, laid, strict=True):
        np.testing.assert_allclose(second.points_px, first.points_px @ np.array(matrix).T, atol=1e-6)


def test_guessed_spans_bend_as_anatomy_does(marks):
    curves = {(curve.outline, curve.landmarks[0]): curve for curve in trace_outlines(marks)}
    profile, floor = curves["upper profile", "Sn"].points_px, curves["mandible", "Ar"].points_px
    chord = np.linspace(marks.points_px["Sn"], marks.points_px["Ls"], len(profile))
    assert (profile - chord)[:, 0].min() < -1.5  # the lip is concave under the nose
    assert floor[:, 1].max() == marks.points_px["Me"][1]  # the lower border falls to menton and not below
    base = curves["cranial base", "S"].points_px
    distances = np.linalg.norm(base - marks.points_px["S"], axis=1)
    assert 5 < distances.min() < 15  # the sella lies around its centre, not through it


def test_without_a_known_side_nothing_is_laid_on_and_spans_are_straight():
    two = landmark_set({"Ar": (0.0, 0.0), "Go": (3.0, 40.0)})
    (curve,) = trace_outlines(two)
    assert curve.points_px[:, 0] == pytest.approx(curve.points_px[:, 1] * 3 / 40)
    assert curve.estimated


def test_shapes_are_of_known_landmarks_and_guessed_spans():
    guessed = {pair for outline in OUTLINES for pair in outline.estimated}
    assert set(BENDS) <= guessed
    assert {id for contour in CONTOURS for id in (contour.first, contour.last)} <= set(load_landmarks())


def test_incisors_need_both_ends_and_are_always_a_guess(marks):
    assert not [c for c in trace_outlines(marks) if c.tissue == "tooth"]
    more = marks.replace((*marks, place_landmark("U1A", 268, 312)))
    (tooth,) = (c for c in trace_outlines(more) if c.tissue == "tooth")
    assert tooth.landmarks == ("U1", "U1A")
    assert tooth.estimated
    axis = np.subtract(more.points_px["U1A"], more.points_px["U1"])
    offsets = tooth.points_px - more.points_px["U1"]
    along = offsets @ axis / (axis @ axis)
    assert along.min() == pytest.approx(0, abs=0.02)
    assert along.max() == pytest.approx(1, abs=0.02)
    across = (offsets[:, 0] * axis[1] - offsets[:, 1] * axis[0]) / (axis @ axis)
    assert across.max() == pytest.approx(-across.min(), abs=1e-9)


def test_coincident_neighbours_do_not_break_a_curve(marks):
    same = marks.replace(place_landmark(m.id, *marks.points_px["Gn"]) if m.id == "Me" else m for m in marks)
    for curve in trace_outlines(same):
        assert np.isfinite(curve.points_px).all()
        assert np.linalg.norm(np.diff(curve.points_px, axis=0), axis=1).min() > 0


def test_no_points_no_curves():
    assert trace_outlines(landmark_set({"S": (1.0, 2.0)})) == ()


def test_outlines_name_known_landmarks_and_spans_of_their_own():
    for outline in OUTLINES:
        assert set(outline.landmarks) <= set(load_landmarks())
        for start, end in (*outline.given, *outline.estimated):
            assert outline.landmarks.index(start) < outline.landmarks.index(end)
        assert not set(outline.given) & set(outline.estimated)
