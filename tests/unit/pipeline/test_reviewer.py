from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cephstd.audit.verifier import verify
from cephstd.core.interpretation import Interpretation
from cephstd.core.landmarks import place_landmark
from cephstd.core.record import seal
from cephstd.core.trail import original_landmarks
from cephstd.errors import DigestMismatch, InputError, RecordError, UnknownLandmarkError
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.comparer import Tolerances, compare_contents
from cephstd.pipeline.reanalyzer import remeasure
from cephstd.pipeline.replayer import replay
from cephstd.pipeline.reviewer import amend, review

CREATED = "2025-04-16T09:30:00Z"
AT = "2025-04-17T08:00:00+02:00"
WHO = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review", "at": AT}
replace = msgspec.structs.replace


@pytest.fixture
def first(film_file, recipe, oracle):
    return Analyzer(recipe)(film_file, created=CREATED).record


@pytest.fixture
def provisional(first):
    """The same with S provisional, as a model may state it."""
    marks = tuple(
        replace(mark, review="provisional", reason="left and right differ") if mark.id == "S" else mark
        for mark in first.content.landmarks
    )
    measures = tuple(
        replace(measure, provisional=measure.is_present and "S" in measure.inputs) for measure in first.content.measures
    )
    return seal(replace(first.content, landmarks=marks, measures=measures), first.run)


def point(record, id):
    return next(mark for mark in record.content.landmarks if mark.id == id)


def value(record, id):
    return next(measure for measure in record.content.measures if measure.id == id)


def test_a_moved_point_makes_a_successor_that_holds_both(first):
    second = amend(first, {"S": (70, 100)}, reason="on the floor", **WHO)
    assert second.content.previous == first.record_digest
    assert second.run.created == "2025-04-17T06:00:00Z"
    assert (point(second, "S").x_px, point(second, "S").state, point(second, "S").review) == (70, "moved", "accepted")
    (event,) = second.content.trail
    assert event.reviewed == first.record_digest
    assert (event.decision, event.reason, event.name, event.role) == (
        "amend",
        "on the floor",
        "A. Reader",
        "orthodontist",
    )
    assert original_landmarks(second.content.trail) == {"S": point(first, "S")}
    assert verify(second.to_bytes()).record == second


def test_values_follow_the_point_and_the_rest_stays_to_the_digit(first):
    second = amend(first, {"A": (165, 180)}, reason="why", **WHO)
    assert abs(value(second, "SNA").value - value(first, "SNA").value) > 1
    assert value(second, "SNA").sd is None
    assert value(first, "SNA").sd is not None
    assert value(second, "SNB") == value(first, "SNB")


def test_a_value_whose_definition_has_changed_is_left_where_no_point_bears_on_it(first):
    """As if an older version had defined SNB otherwise: a review of A must not bring today's value in."""
    older = tuple(
        replace(m, value=m.value + 1, definition_version=0) if m.id == "SNB" else m for m in first.content.measures
    )
    content = replace(first.content, measures=older, interpretation=Interpretation())
    second = amend(seal(content, first.run), {"A": (165, 180)}, reason="why", **WHO)
    assert value(second, "SNB").definition_version == 0
    assert value(second, "SNB").value == value(first, "SNB").value + 1


def test_a_placed_point_gives_the_values_that_lacked_it(film_file, recipe, oracle):
    first = Analyzer(replace(recipe, analysis="all"))(film_file, created=CREATED).record
    lacking = [m for m in first.content.measures if m.reason == "missing: Pog"]
    second = amend(first, places={"Pog": (155, 260)}, reason="seen", **WHO)
    assert lacking
    assert all(value(second, measure.id).is_present for measure in lacking)
    assert point(second, "Pog").state == "placed"
    assert original_landmarks(second.content.trail)["Pog"] == point(first, "Pog")


def test_a_point_outside_the_model_scheme_may_be_placed(first):
    second = amend(first, places={"Cc": (100, 130)}, reason="constructed by hand", **WHO)
    assert second.content.trail[-1].changes[0].before is None
    third = amend(second, {"Cc": (101, 130)}, reason="again", **WHO)
    assert [event.reviewed for event in third.content.trail] == [first.record_digest, second.record_digest]
    assert original_landmarks(third.content.trail) == {"Cc": None}


@pytest.mark.parametrize(
    ("moves", "places", "message"),
    [
        ({}, {}, "to move or to place"),
        ({"Pog": (1, 1)}, {}, "to move"),
        ({}, {"S": (1, 1)}, "that the record lacks"),
        ({"S": (-1, 5)}, {}, "on the film"),
        ({"S": (1e6, 5)}, {}, "on the film"),
        ({"S": (float("nan"), 5)}, {}, "on the film"),
    ],
)
def test_an_impossible_point_is_refused(first, moves, places, message):
    with pytest.raises(InputError, match=message):
        amend(first, moves, places, reason="why", **WHO)


def test_an_unknown_landmark_is_refused(first):
    with pytest.raises(UnknownLandmarkError):
        amend(first, places={"Pogo": (5, 5)}, reason="why", **WHO)


@pytest.mark.parametrize("lacks", ["reason", "reviewer", "name", "role"])
def test_a_review_without_who_or_why_is_refused(first, lacks):
    with pytest.raises(InputError, match=lacks):
        amend(first, {"S": (61, 90)}, **({"reason": "why"} | WHO | {lacks: " "}))


def test_an_unknown_meaning_is_refused(first):
    with pytest.raises(InputError, match="responsibility"):
        review(first, "accept", **(WHO | {"meaning": "glance"}))


def test_a_review_before_the_record_is_refused(first):
    with pytest.raises(InputError, match="after the record was made"):
        review(first, "accept", **(WHO | {"at": "2025-04-16T09:29:59Z"}))


def test_another_film_is_refused(first):
    with pytest.raises(DigestMismatch):
        review(first, "accept", source=b"another film", **WHO)


def test_accepting_a_provisional_point_lifts_the_mark_from_it_and_its_values(provisional):
    assert value(provisional, "SNA").provisional
    second = review(provisional, "accept", points=["S"], **WHO)
    assert (point(second, "S").review, point(second, "S").reason) == ("accepted", "")
    assert not any(measure.provisional for measure in second.content.measures)
    assert value(second, "SNA").value == pytest.approx(value(provisional, "SNA").value)
    assert original_landmarks(second.content.trail)["S"].reason == "left and right differ"


def test_rejecting_a_point_leaves_nothing_that_rests_on_it(first):
    second = review(first, "reject", points=["S"], reason="doubled", **WHO)
    assert (point(second, "S").review, point(second, "S").x_px) == ("rejected", 60)
    assert value(second, "SNA").value is None
    assert value(second, "SNA").reason.startswith("missing: S")
    third = review(second, "accept", **WHO)
    assert point(third, "S").review == "rejected"
    assert point(third, "N").review == "accepted"


def test_rejecting_all_leaves_no_value(first):
    second = review(first, "reject", reason="another person's film", **WHO)
    assert second.content.trail[-1].whole
    assert [m.id for m in second.content.measures if m.is_present] == []


def test_a_second_reader_may_accept_again(first):
    third = review(review(first, "accept", **WHO), "accept", **(WHO | {"name": "B. Reader"}))
    assert [event.name for event in third.content.trail] == ["A. Reader", "B. Reader"]
    assert third.content.trail[-1].changes == ()


@pytest.mark.parametrize("points", [["Pog"], ["X"], []])
def test_a_decision_on_points_that_are_not_there_is_refused(first, points):
    with pytest.raises(InputError, match="that the record has"):
        review(first, "accept", points=points, **WHO)


def test_a_reviewed_record_replays(first, film_file, oracle):
    second = amend(first, {"S": (70, 100)}, {"Pog": (155, 260)}, reason="why", **WHO)
    third = review(second, "accept", **WHO)
    done = replay(third, film_file)
    assert done.same_result
    assert done.again.content.trail == third.content.trail
    recipe = replace(first.content.recipe, analysis="steiner")
    anew = remeasure(third, recipe, created="2027-01-01T00:00:00Z")
    assert replay(anew, film_file).same_result
    assert replay(
        amend(anew, {"S": (71, 100)}, reason="why", **WHO | {"at": "2027-01-02T00:00:00Z"}), film_file
    ).same_result


def test_difference_of_amendment_names_point_and_values(first):
    second = amend(first, {"A": (165, 180)}, {"Cc": (100, 130)}, reason="why", **WHO)
    said = {(d.subject, d.quantity): d for d in compare_contents(first.content, second.content, Tolerances())}
    assert said["landmark A", "position"].amount == pytest.approx(5)
    assert ("measure SNA", "value") in said
    assert ("landmarks", "ids") in said
    assert ("measure SNB", "value") not in said


def _retold(record, **changes):
    """The record with its last event told otherwise, sealed again."""
    trail = (*record.content.trail[:-1], replace(record.content.trail[-1], **changes))
    return seal(replace(record.content, trail=trail), record.run)


def test_a_trail_that_does_not_fit_the_record_is_refused(first):
    second = amend(first, {"S": (70, 100)}, reason="why", **WHO)
    third = amend(second, {"S": (71, 100)}, reason="why", **WHO)
    other = replace(third.content.trail[-1].changes[0], before=place_landmark("S", 9, 9))
    elsewhere = replace(third.content.trail[-1].changes[0], after=place_landmark("S", 9, 9))
    for told in (
        _retold(third, reviewed=first.record_digest),
        _retold(third, at="2025-04-18T08:00:00Z"),
        _retold(third, reason=""),
        _retold(third, name=""),
        _retold(third, changes=(other,)),
        _retold(third, changes=(elsewhere,)),
        seal(replace(third.content, trail=third.content.trail[::-1]), third.run),
    ):
        with pytest.raises(RecordError, match="contradicts itself"):
            verify(told)
    assert verify(third).record == third


def test_path_and_bytes_are_taken(first, tmp_path: Path):
    path = tmp_path / "a.record.json"
    path.write_bytes(first.to_bytes())
    assert review(path, "accept", **WHO) == review(first.to_bytes(), "accept", **WHO)
