from __future__ import annotations

import dataclasses

import pytest

from cephstd.fleet.explainer import explain
from cephstd.fleet.observations import SIZE, Observation


@pytest.fixture
def place(comparison):
    return comparison.layout.places.labels[0]


def told(comparison, seen, names=None):
    return explain(comparison.census, comparison.effects, seen, [], names or {})


def shift(place, about, standard):
    return Observation(sort="shift", place=place, about=about, value=standard, standard=standard, error=0.01)


def test_a_scale_takes_the_lengths_with_it_and_leaves_an_angle(comparison, place):
    seen = [
        dataclasses.replace(shift(place, SIZE, 0.8), value=0.03),
        shift(place, "S_N", 0.9),
        shift(place, "IMPA", 0.4),
    ]
    scale, rest = told(comparison, seen)
    assert (scale.kind, scale.level) == ("scale", "act")
    assert "3.0 % longer" in scale.sentence
    assert ["S_N" in said for said in scale.evidence] == [True]
    assert (rest.kind, rest.about) == ("distribution", "IMPA")


def test_lengths_that_change_with_many_angles_are_no_scale(comparison, place):
    angles = ("SNA", "SNB", "FMA", "gonial", "IMPA", "U1_SN")
    seen = [dataclasses.replace(shift(place, SIZE, 0.8), value=0.03), *(shift(place, name, 0.5) for name in angles)]
    (finding,) = told(comparison, seen)
    assert finding.kind == "distribution"
    assert finding.numbers["measures"] == len(angles)


def test_a_reviewer_takes_the_measures_that_rest_on_the_landmark(comparison):
    habit = min(comparison.habits, key=lambda one: one.p_value)
    place = next(label for label in comparison.layout.places.labels if label.startswith(habit.site))
    seen = [shift(place, "SNA", 0.4), shift(place, "SNB", 0.4)]
    findings = explain(
        comparison.census, comparison.effects, seen, comparison.habits, {"SNA": {"S", "N", "A"}, "SNB": {"S", "N", "B"}}
    )
    assert [(item.kind, item.about) for item in findings] == [("correction", "A"), ("distribution", "SNB")]
    assert any("SNA" in said for said in findings[0].evidence)
