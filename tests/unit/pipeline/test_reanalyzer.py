from __future__ import annotations

import msgspec
import pytest

from cephstd.audit.recorder import NOT_OF_THIS_RECORD
from cephstd.audit.verifier import verify
from cephstd.core.landmarks import LandmarkSet, ModelFacts, place_landmark
from cephstd.core.recipe import Budget, Recipe
from cephstd.core.record import seal
from cephstd.errors import DigestMismatch, InputError, UnknownAnalysisError, VerificationError
from cephstd.export.standing import find_standing
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.historian import trace
from cephstd.pipeline.reanalyzer import MEASURING_CHOICES, Baseline, Reanalyzer, needs_film, remeasure
from cephstd.pipeline.reviewer import amend, review

POINTS = {"S": (60, 90), "N": (170, 95), "A": (160, 180), "B": (150, 240)}
FACTS = ModelFacts(
    name="oracle",
    version="1",
    scheme="isbi19",
    weights_sha256="sha256:" + "a" * 64,
    licence_code="Apache-2.0",
    licence_weights="research",
    licence_data="research",
    intended_use="Tests.",
    provider_requested="auto",
    provider_ran="CPUExecutionProvider",
)
NOW, LATER = "2025-04-16T09:30:00Z", "2026-04-16T09:30:00Z"


def test_only_choices_about_measures_leave_the_film_alone():
    others = {
        "model": "other",
        "analysis": "steiner",
        "mm_per_px": 0.1,
        "min_score": 0.5,
        "keep_age": False,
        "value_decimals": 2,
        "budget": Budget(max_pixels=1),
    }
    for name, value in others.items():
        assert needs_film(Recipe(), Recipe(**{name: value})) is (name not in MEASURING_CHOICES), name
    assert not needs_film(Recipe(), Recipe())


def test_successor_has_the_content_that_the_film_would_give(oracle, stated, film_file):
    other = msgspec.structs.replace(stated, analysis="downs", value_decimals=1)
    first = Analyzer(stated)(film_file, created=NOW).record
    again = remeasure(first, other, created=LATER)
    whole = Analyzer(other)(film_file, created=NOW, previous=first).record
    assert again.content == whole.content
    assert again.content.previous == first.record_digest
    assert (again.run.created, again.run.provider_ran) == (LATER, first.run.provider_ran)


def test_recipe_that_asks_for_more_is_refused(oracle, stated, film_file):
    first = Analyzer(stated)(film_file, created=NOW).record
    with pytest.raises(InputError, match="measures alone"):
        remeasure(first, msgspec.structs.replace(stated, mm_per_px=0.4), created=LATER)
    with pytest.raises(UnknownAnalysisError):
        remeasure(first, msgspec.structs.replace(stated, analysis="none"), created=LATER)


class Spot:
    """A detector that gives the points it was made with."""

    threads = 1

    def __init__(self, points, weights: str = "a") -> None:
        self.points, self.model_facts = points, msgspec.structs.replace(FACTS, weights_sha256="sha256:" + weights * 64)

    def __call__(self, normal) -> LandmarkSet:
        marks = tuple(place_landmark(id, *place, state="detected") for id, place in self.points.items())
        return LandmarkSet(landmarks=marks, scheme="isbi19", model=self.model_facts)


MOVED = {"S": (60, 90), "N": (170, 95), "A": (160, 180), "B": (158, 240)}
SHIFTED = MOVED | {"B": (154, 240)}


@pytest.fixture
def first(oracle, stated, film_file):
    return Analyzer(msgspec.structs.replace(stated, analysis="all"))(film_file, created=NOW).record


def test_scale_changes_lengths_alone(oracle, first, film_file):
    recipe = msgspec.structs.replace(first.content.recipe, mm_per_px=0.25)
    found = Reanalyzer(recipe, Spot(oracle.points))(first, film_file, created=LATER)
    assert found.record.content.previous == first.record_digest
    assert found.attributions
    for item in found.attributions:
        assert item.unit == "mm"
        assert item.cause == "calibration"
        assert sum(item.parts.values()) == pytest.approx(item.after - item.before)
    assert {(shift.x_px, shift.y_px) for shift in found.shifts} == {(0, 0)}


def test_model_is_told_from_the_standard_image_where_the_old_one_is_here(first, film_file):
    recipe, weights = first.content.recipe, first.content.model.weights_sha256
    old = Spot(SHIFTED)  # what the old model gives on today's standard image
    found = Reanalyzer(recipe, Spot(MOVED, "b"), {weights: old})(first, film_file, created=LATER)
    (snb,) = [item for item in found.attributions if item.measure == "SNB"]
    assert set(snb.parts) - {"rounding"} == {"normalization", "model"}
    assert found.notes == ()
    joined = Reanalyzer(recipe, Spot(MOVED, "b"))(first, film_file, created=LATER)
    (snb,) = [item for item in joined.attributions if item.measure == "SNB"]
    assert set(snb.parts) - {"rounding"} == {"model"}
    assert "one factor" in joined.notes[0]
    (shift,) = [shift for shift in found.shifts if shift.landmark == "B"]
    assert (shift.x_px, shift.x_mm, shift.y_px) == (8, 4, 0)


def test_class_that_changes_is_a_flip(first, film_file):
    found = Reanalyzer(first.content.recipe, Spot(MOVED, "b"))(first, film_file, created=LATER)
    flip = next(flip for flip in found.flips if flip.measure == "ANB")
    assert flip.before != flip.after
    assert flip.cause == "model"
    same = Reanalyzer(first.content.recipe, Spot(POINTS))(first, film_file, created=LATER)
    assert (same.flips, same.attributions) == ((), ())


def test_points_of_another_system_are_a_baseline(oracle, stated, film_file):
    marks = Spot(MOVED)(None)
    found = Reanalyzer(stated, Spot(POINTS))(Baseline.from_points(marks, 0.25), film_file, created=LATER)
    assert found.record.content.previous is None
    assert {shift.landmark: shift.x_px for shift in found.shifts}["B"] == -8
    assert {item.measure for item in found.attributions} >= {"SNB", "ANB"}


def test_points_of_persons_are_taken_over(first, film_file):
    said = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review"}
    moved = amend(first, {"B": (151.0, 241.0)}, reason="on the floor", at=NOW, **said)
    found = Reanalyzer(first.content.recipe, Spot(MOVED, "b"))(moved, film_file, created=LATER)
    (mark,) = [mark for mark in found.record.content.landmarks if mark.id == "B"]
    assert (mark.x_px, mark.y_px, mark.state) == (151.0, 241.0, "moved")
    assert found.record.content.previous == moved.record_digest
    assert verify(found.record).level == "intact"


SAID = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review"}


def test_reviews_stay_with_the_records_that_they_were_made_on(first, film_file):
    moved = amend(first, {"B": (151.0, 241.0)}, reason="on the floor", at=NOW, **SAID)
    accepted = review(moved, "accept", at=NOW, **SAID)
    anew = Reanalyzer(first.content.recipe, Spot(MOVED, "b"))(accepted, film_file, created=LATER).record
    assert anew.content.trail == ()
    assert [event.reviewed for event in anew.content.earlier_reviews] == [first.record_digest, moved.record_digest]
    assert NOT_OF_THIS_RECORD in anew.content.warnings
    assert find_standing(anew.content).verified is None
    again = review(anew, "accept", at=LATER, **SAID)
    assert verify(again).level == "intact"
    assert len(again.content.trail) == 1
    third = Reanalyzer(first.content.recipe, Spot(POINTS))(again, film_file, created=LATER).record
    assert [event.reviewed for event in third.content.earlier_reviews][-1] == anew.record_digest
    assert third.content.warnings.count(NOT_OF_THIS_RECORD) == 1
    assert set(trace([third]).missing) == {event.reviewed for event in third.content.earlier_reviews} | {
        again.record_digest
    }


def test_acceptance_holds_where_it_was_given(first, film_file):
    accepted = review(first, "accept", at=NOW, **SAID)
    anew = Reanalyzer(first.content.recipe, Spot(MOVED, "b"))(accepted, film_file, created=LATER).record
    reviews = {mark.id: mark.review for mark in anew.content.landmarks}
    assert reviews == {"S": "accepted", "N": "accepted", "A": "accepted", "B": "none"}


def test_measures_of_a_reviewed_record_can_be_taken_anew(first):
    accepted = review(first, "accept", at=NOW, **SAID)
    recipe = msgspec.structs.replace(first.content.recipe, analysis="steiner")
    anew = remeasure(accepted, recipe, created=LATER)
    assert (anew.content.trail, anew.content.earlier_reviews) == ((), accepted.content.trail)
    assert verify(anew).level == "intact"


def test_earlier_reviews_have_to_fit(first):
    accepted = review(first, "accept", at=NOW, **SAID)
    anew = remeasure(accepted, msgspec.structs.replace(first.content.recipe, analysis="steiner"), created=LATER)
    for changes, said in (
        ({"previous": None}, "no predecessor"),
        (
            {"earlier_reviews": (msgspec.structs.replace(accepted.content.trail[0], at="2030-01-01T00:00:00Z"),)},
            "later",
        ),
    ):
        with pytest.raises(VerificationError, match=said):
            verify(seal(msgspec.structs.replace(anew.content, **changes), anew.run))


def test_another_film_is_refused(first, tmp_path, film_file):
    other = tmp_path / "other.png"
    other.write_bytes(film_file.read_bytes() + b"x")
    with pytest.raises(DigestMismatch, match="another film"):
        Reanalyzer(first.content.recipe, Spot(POINTS))(first, other, created=LATER)
