"""The later of two clocks decides; where a fact is missing or a hold is in force there is no day."""

from __future__ import annotations

from datetime import date

import pytest

from cephstd.audit.retention import RetentionFacts, add_years, find_disposal
from cephstd.errors import InputError
from cephstd.knowledge.retention import load_retention

RULES = load_retention().rule
FACTS = {"created": date(2020, 3, 1), "last_effect": date(2021, 6, 30), "last_treatment": date(2021, 6, 30)}


def disposal(**changes):
    return find_disposal(RULES, RetentionFacts(**{**FACTS, "born": date(1990, 1, 1), **changes}))


def test_both_clocks_of_an_adult():
    found = disposal()
    assert {clock.rule.id: clock.keep_through for clock in found.clocks} == {
        "hipaa_documentation": date(2027, 6, 30),
        "new_hampshire": date(2028, 6, 30),
    }
    assert found.earliest_disposal == date(2028, 7, 1)


def test_documentation_may_run_longer():
    assert disposal(last_effect=date(2025, 1, 1)).earliest_disposal == date(2031, 1, 2)


def test_minors_are_kept_past_majority():
    assert disposal(born=date(2010, 5, 17)).earliest_disposal == date(2035, 5, 18)
    assert disposal(born=date(2003, 6, 30)).earliest_disposal == date(2028, 7, 1)  # of age on the very day
    assert disposal(born=date(2003, 7, 1)).earliest_disposal == date(2028, 7, 2)


@pytest.mark.parametrize("name", ["created", "last_effect", "last_treatment", "born"])
def test_a_missing_fact_gives_no_day(name):
    found = disposal(**{name: None})
    assert found.earliest_disposal is None
    assert any(name in reason for reason in found.reasons)


def test_a_legal_hold_gives_no_day():
    found = disposal(holds=("court order 7",))
    assert (found.earliest_disposal, found.reasons) == (None, ("Legal hold: court order 7",))


@pytest.mark.parametrize("index", [0, 1])
def test_one_clock_is_not_enough(index):
    found = find_disposal(RULES[index : index + 1], RetentionFacts(**FACTS, born=date(1990, 1, 1)))
    assert found.earliest_disposal is None
    assert "No rule was chosen" in found.reasons[0]


def test_leap_days_end_later():
    assert add_years(date(2024, 2, 29), 6) == date(2030, 3, 1)
    assert add_years(date(2024, 2, 29), 4) == date(2028, 2, 29)


def test_contradicting_facts_are_refused():
    with pytest.raises(InputError):
        disposal(born=date(2022, 1, 1))
    with pytest.raises(InputError):
        disposal(last_effect=date(2019, 1, 1))
