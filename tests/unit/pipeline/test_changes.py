from __future__ import annotations

from dataclasses import replace

import pytest

from cephstd.core.interpretation import RuleOutcome
from cephstd.core.measures import Measure
from cephstd.pipeline.changes import FACTORS, Stages, attribute, find_flips


def measure(value: float | None, unit: str = "mm", reason: str = "") -> tuple[Measure, ...]:
    return (Measure(id="M", definition_version=1, unit=unit, value=value, reason=reason),)


def stages(*values: float | None, decimals: int | None = 1, unit: str = "mm") -> Stages:
    names = ("recorded", "old", "calibrated", "normalized", "modelled", "final")
    sides = {
        name: measure(value, unit, "" if value is not None else "gone")
        for name, value in zip(names, values, strict=True)
    }
    return Stages(**sides, decimals=decimals)


def test_each_factor_has_the_share_that_its_exchange_changed():
    # recorded 10.0 by an older definition; 12 by today's; scale +1; image +0.25; model +0.5; then rounded
    (found,) = attribute(stages(10.0, 12.0, 13.0, 13.25, 13.75, 13.8))
    assert found.parts == pytest.approx(
        {"calibration": 1, "normalization": 0.25, "model": 0.5, "definition": 2, "rounding": 0.05}
    )
    assert sum(found.parts.values()) == pytest.approx(found.after - found.before)
    assert found.cause == "definition"
    assert set(found.parts) <= set(FACTORS)


def test_what_the_old_rounding_hid_is_rounding_and_no_definition():
    (found,) = attribute(stages(10.0, 10.04, 10.04, 10.04, 10.04, 10.04))
    assert found.parts == pytest.approx({"rounding": 0.04})
    (found,) = attribute(stages(10.0, 10.06, 10.06, 10.06, 10.06, 10.06))
    assert found.parts == pytest.approx({"definition": 0.06})


def test_without_the_old_model_image_and_model_are_one_factor():
    given = replace(stages(10.0, 10.0, 10.0, 0.0, 11.0, 11.0), normalized=None)
    (found,) = attribute(given)
    assert found.parts == pytest.approx({"model": 1})


def test_equal_values_are_no_change():
    assert list(attribute(stages(10.0, 12.0, 13.0, 13.0, 10.0, 10.0))) == []


def test_angles_take_the_short_way_round():
    (found,) = attribute(stages(179.0, 179.0, 179.0, 179.0, -179.0, -179.0, unit="deg"))
    assert found.parts == pytest.approx({"model": 2})


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ((None, None, 5.0, 5.0, 5.0, 5.0), "calibration"),
        ((5.0, 5.0, None, None, None, None), "calibration"),
        ((5.0, 5.0, 5.0, 5.0, None, None), "model"),
        ((None, 5.0, 5.0, 5.0, 5.0, 5.0), "definition"),
        ((5.0, 5.0, 5.0, None, None, None), "normalization"),
    ],
)
def test_value_that_came_or_went_has_a_cause_and_no_number(values, cause):
    (found,) = attribute(stages(*values))
    assert (found.parts, found.cause) == ({}, cause)
    assert found.reason == "gone"


def outcome(label: str | None, rule: str = "skeletal", value: float = 4.0) -> RuleOutcome:
    return RuleOutcome(rule=rule, version="1", measure="M", value=value, label=label, probability=0.7)


def test_flip_has_the_cause_of_its_value_or_the_rules():
    changed = list(attribute(stages(4.0, 4.0, 4.0, 4.0, 4.2, 4.2)))
    (flip,) = find_flips([outcome("I")], [outcome("I")], [outcome("II", value=4.2)], changed)
    assert (flip.before, flip.after, flip.cause, flip.after_value) == ("I", "II", "model", 4.2)
    (flip,) = find_flips([outcome("I")], [outcome("II")], [outcome("II")], changed)
    assert flip.cause == "norms"
    assert list(find_flips([outcome("I")], [outcome("I")], [outcome("I")], changed)) == []
    assert list(find_flips([outcome("I", rule="other")], [], [outcome("II")], changed)) == []
