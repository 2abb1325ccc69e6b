"""Classes with their probability; values without a class say why; contradicting indicators are found."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.measures import Measure
from cephstd.interpretation.classifier import classify, describe_rules, find_conflicts
from cephstd.knowledge.rules import load_rules

SKELETAL = load_rules("skeletal_class")
ISBI = load_rules("isbi2015")


def measured(id, value, sd=None, unit="deg", **more):
    return Measure(id=id, definition_version=1, unit=unit, value=value, sd=sd, **more)


def by_rule(measures, rules, **more):
    return {outcome.rule: outcome for outcome in classify(measures, rules, **more)}


@pytest.mark.parametrize(
    ("anb", "label"), [(-0.01, "Class III"), (0.0, "Class I"), (4.0, "Class I"), (4.0001, "Class II")]
)
def test_class_by_anb(anb, label):
    assert by_rule([measured("ANB", anb)], SKELETAL)["skeletal_class.anb"].label == label


@pytest.mark.parametrize(("value", "sd"), [(5.0, 1.1), (3.9, 1.5), (2.0, 3.0), (-1.0, 0.7)])
def test_probability_is_that_of_sampling(value, sd):
    outcome = by_rule([measured("ANB", value, sd)], SKELETAL)["skeletal_class.anb"]
    drawn = np.random.default_rng(4).normal(value, sd, 200_000)
    classes = {"Class I": (drawn >= 0) & (drawn <= 4), "Class II": drawn > 4, "Class III": drawn < 0}
    assert outcome.probability == pytest.approx(float(classes[outcome.label].mean()), abs=0.005)
    beyond = drawn > 4 if outcome.threshold == 4.0 else drawn < 0
    if outcome.label != "Class I":
        beyond = ~beyond
    assert outcome.other_side == pytest.approx(float(beyond.mean()), abs=0.005)


def test_without_uncertainty_no_probability_is_claimed():
    outcome = by_rule([measured("ANB", 5.0)], SKELETAL)["skeletal_class.anb"]
    assert (outcome.label, outcome.probability, outcome.other_side, outcome.threshold) == ("Class II", None, None, 4.0)


def test_certain_value_is_certain():
    outcome = by_rule([measured("ANB", 5.0, 0.0)], SKELETAL)["skeletal_class.anb"]
    assert (outcome.probability, outcome.other_side) == (1.0, 0.0)


def test_rule_for_one_sex_needs_it():
    wits = [measured("Wits", 1.5, unit="mm")]
    assert {outcome.label for outcome in classify(wits, SKELETAL)} == {None}
    assert [outcome.rule for outcome in classify(wits, SKELETAL, sex="F")] == ["skeletal_class.wits_f"]
    assert by_rule(wits, SKELETAL, sex="F")["skeletal_class.wits_f"].label == "Class I"
    assert by_rule(wits, SKELETAL, sex="M")["skeletal_class.wits_m"].label == "Class II"


def test_value_in_the_gap_has_no_class():
    outcome = by_rule([measured("ISBI_MW", 1.0, 0.5, unit="mm")], ISBI)["isbi2015.MW"]
    assert (outcome.label, outcome.number, outcome.probability) == (None, None, None)
    assert "between 0 and 2 mm" in outcome.reason


def test_absent_value_and_other_version_have_no_class():
    absent = Measure(id="ANB", definition_version=1, unit="deg", reason="missing: N")
    assert by_rule([absent], SKELETAL)["skeletal_class.anb"].reason == "no value: missing: N"
    other = Measure(id="ANB", definition_version=2, unit="deg", value=2.0)
    assert "version 1" in by_rule([other], SKELETAL)["skeletal_class.anb"].reason


def test_sentence_and_provisional_mark():
    outcome = by_rule([measured("ANB", 5.04, provisional=True)], SKELETAL)["skeletal_class.anb"]
    assert (outcome.text, outcome.provisional) == ("ANB of 5.0 deg: skeletal Class II.", True)


def test_contradicting_indicators_are_one_finding():
    measures = [measured("ANB", 6.0, 1.0), measured("APDI", 86.0), measured("SN_GoGn", 32.0)]
    vertical = load_rules("vertical_pattern")
    outcomes = (*classify(measures, SKELETAL), *classify(measures, vertical), *classify(measures, ISBI))
    (finding,) = find_conflicts(outcomes, [SKELETAL, vertical, ISBI])
    assert finding.rules == ("skeletal_class.anb", "skeletal_class.apdi")
    assert "ANB: Class II, 0.98" in finding.text
    assert "APDI: Class III" in finding.text


def test_agreeing_or_single_indicators_are_no_finding():
    for measures in ([measured("ANB", 6.0), measured("APDI", 70.0)], [measured("ANB", 6.0)]):
        assert find_conflicts(classify(measures, SKELETAL), [SKELETAL]) == ()


def test_use_names_the_version():
    assert describe_rules(ISBI).version == "1.0.0"


def test_no_probability_rests_on_first_order_where_that_fails():
    failing = measured("ANB", 5.0, 1.1, linear=False)
    outcome = by_rule([failing], SKELETAL)["skeletal_class.anb"]
    assert (outcome.label, outcome.sd, outcome.probability, outcome.other_side) == ("Class II", 1.1, None, None)
    drawn = measured("ANB", 5.0, 1.1, linear=False, sd_method="monte-carlo")
    assert by_rule([drawn], SKELETAL)["skeletal_class.anb"].probability == 0.8183
