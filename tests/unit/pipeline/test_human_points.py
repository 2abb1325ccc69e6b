from __future__ import annotations

import msgspec
import pytest

from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.human_points import keep_human_points, take_over_human_points
from cephstd.pipeline.reviewer import amend, review

WHO = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review", "at": "2025-04-17T08:00:00Z"}


@pytest.fixture
def content(film_file, recipe, oracle):
    """S moved, B rejected, all others accepted."""
    first = Analyzer(recipe)(film_file, created="2025-04-16T09:30:00Z").record
    moved = amend(first, {"S": (70, 100)}, reason="why", **WHO)
    rejected = review(moved, "reject", points=["B"], reason="doubled", **WHO)
    return review(rejected, "accept", **WHO).content


def found_elsewhere(content) -> LandmarkSet:
    """Every point two pixels further right, as a model finds it, and provisional."""
    marks = [
        place_landmark(mark.id, mark.x_px + 2, mark.y_px, state="detected", review="provisional", reason="unsure")
        for mark in content.landmarks
        if mark.is_present
    ]
    return LandmarkSet(landmarks=tuple(marks))


def test_a_replay_keeps_every_decision(content):
    found = found_elsewhere(content)
    marks, kept = keep_human_points(content, found)
    assert set(kept) == {"S", "B"}
    was = {mark.id: mark for mark in content.landmarks}
    assert all(marks[id] == was[id] for id in kept)
    other = marks["N"]
    assert (other.x_px, other.review, other.reason) == (found["N"].x_px, "accepted", "")


def test_a_successor_keeps_acceptance_where_it_was_given(content):
    found = found_elsewhere(content)
    back = tuple(
        msgspec.structs.replace(mark, x_px=mark.x_px - 2) if mark.id == "A" else mark for mark in found.landmarks
    )
    marks = take_over_human_points(content, found.replace(back))
    was = {mark.id: mark for mark in content.landmarks}
    assert (marks["S"], marks["B"]) == (was["S"], was["B"])
    assert marks["N"] == found["N"]
    assert (marks["A"].review, marks["A"].reason) == ("accepted", "")


def test_a_point_that_is_found_no_more_is_absent(content):
    gone = LandmarkSet(landmarks=(absent_landmark("N", "low_confidence"),))
    assert take_over_human_points(content, gone)["N"] == gone["N"]
