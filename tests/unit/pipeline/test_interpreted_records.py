"""A record says what its recipe's norms and rules say of its values, and goes on saying so in every successor."""

from __future__ import annotations

import msgspec
import pytest

from cephstd.audit.verifier import verify
from cephstd.core.image import Calibration
from cephstd.core.record import seal
from cephstd.errors import DefinitionError, InputError, VerificationError
from cephstd.pipeline.analyzer import Analyzer, analyze
from cephstd.pipeline.replayer import replay
from cephstd.pipeline.reviewer import amend

NOW = "2025-04-16T09:30:00Z"
LATER = "2025-04-17T09:30:00Z"
WHO = {"reviewer": "r1", "name": "R. Reader", "role": "orthodontist", "meaning": "review", "at": LATER}


@pytest.fixture
def chosen(recipe):
    return msgspec.structs.replace(recipe, analysis="steiner", norms=("eastman",))


@pytest.fixture
def record(oracle, chosen, film_file):
    return analyze(film_file, recipe=chosen, created=NOW, age_years=14.25, sex="F")


def test_record_holds_comparisons_of_the_recorded_values(record):
    said = record.content.interpretation
    values = {measure.id: measure.value for measure in record.content.measures}
    assert [use.set for use in said.norm_sets] == ["eastman"]
    compared = {one.measure: one for one in said.comparisons if one.value is not None}
    assert compared["SNA"].value == values["SNA"]
    assert compared["SNA"].z == pytest.approx((values["SNA"] - 81.0) / 3.0, abs=1e-6)
    assert said.outcomes
    assert verify(record).level == "intact"


def test_stated_age_and_sex_stand_in_the_record(record):
    # one decimal, as for the age of a file: more would give the day of birth
    assert (record.content.subject.age_years, record.content.subject.sex) == (14.2, "F")
    assert record.content.interpretation.age_years == 14.2


def test_without_norms_nothing_is_compared(oracle, recipe, film_file):
    said = analyze(film_file, recipe=recipe, created=NOW).content.interpretation
    assert (said.norm_sets, said.comparisons) == ((), ())


def test_recipe_that_keeps_no_age_refuses_a_stated_one(oracle, chosen, film_file):
    with pytest.raises(InputError, match="age_years"):
        analyze(film_file, recipe=msgspec.structs.replace(chosen, keep_age=False), created=NOW, age_years=12.0)
    with pytest.raises(InputError, match="sex"):
        analyze(film_file, recipe=msgspec.structs.replace(chosen, keep_sex=False), created=NOW, sex="F")


@pytest.mark.parametrize(("name", "error"), [("nobody", DefinitionError), ("clinic.toml", InputError)])
def test_set_that_does_not_ship_is_refused(oracle, chosen, film_file, name, error):
    with pytest.raises(error):
        analyze(film_file, recipe=msgspec.structs.replace(chosen, norms=(name,)), created=NOW)


def test_replay_uses_the_stated_age(record, film_file):
    again = replay(record, film_file)
    assert again.same_result
    assert any("Age or sex" in note for note in again.notes)


def test_amended_point_changes_what_is_said(record):
    after = amend(record, {"A": (150, 180)}, reason="seen", **WHO)
    before, now = (
        {one.measure: one for one in sealed.content.interpretation.comparisons} for sealed in (record, after)
    )
    assert now["SNA"].z != before["SNA"].z
    assert now["SNB"] == before["SNB"]
    assert verify(after).level == "intact"


def test_natural_size_follows_the_scale(oracle, chosen, film_file):
    fiducial = Calibration(basis="fiducial", row_mm=0.1, column_mm=0.1)
    recipe = msgspec.structs.replace(chosen, norms=("steiner",))
    said = Analyzer(recipe)(film_file, created=NOW, calibration=fiducial).record.content.interpretation
    lengths = [one for one in said.comparisons if one.measure == "L1_NB_mm"]
    assert [one.value for one in lengths] == [None]


@pytest.mark.parametrize(
    ("member", "change", "says"),
    [
        ("comparisons", {"value": 1.0}, "another value than measured"),
        ("comparisons", {"set": "other"}, "not listed"),
        ("comparisons", {"z": 1.0, "kind": "author_ideal"}, "no mean with deviation"),
        ("outcomes", {"value": 1.0}, "another value than measured"),
    ],
)
def test_interpretation_that_contradicts_its_record_is_refused(record, member, change, says):
    said = record.content.interpretation
    first, *rest = getattr(said, member)
    forged = msgspec.structs.replace(said, **{member: (msgspec.structs.replace(first, **change), *rest)})
    content = msgspec.structs.replace(record.content, interpretation=forged)
    with pytest.raises(VerificationError, match=says):
        verify(seal(content, record.run))
