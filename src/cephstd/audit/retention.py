"""From which day on a record may be disposed of, by the rules that a person chose. Reports; deletes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from cephstd.errors import InputError
from cephstd.knowledge.retention import RetentionRule

WARNING = "This is a reading of a table, no legal advice; nothing was or will be deleted."


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionFacts:
    """What the clocks start from; None where it is not known.

    Attributes
    ----------
    created, last_effect : date, optional
        When the documentation was made, and when it was last in effect.
    last_treatment, born : date, optional
        Of the person.
    holds : tuple of str
        Legal holds in force, each with who ordered it and why.
    """

    created: date | None = None
    last_effect: date | None = None
    last_treatment: date | None = None
    born: date | None = None
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One rule's answer: the last day on which it asks to keep, or why there is none."""

    rule: RetentionRule
    keep_through: date | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Earliest day of disposal.

    Attributes
    ----------
    earliest_disposal : date or None
        The day after the last clock has run out; None when a hold is in force or any clock has no answer.
    clocks : tuple of Clock
    reasons : tuple of str
        Why there is no date; empty when there is one.
    """

    earliest_disposal: date | None
    clocks: tuple[Clock, ...]
    reasons: tuple[str, ...] = ()


def find_disposal(rules: Iterable[RetentionRule], facts: RetentionFacts) -> Retention:
    """The earliest day on which a record may be disposed of.

    Parameters
    ----------
    rules : iterable of RetentionRule
        Those that a person found to apply: at least one of each clock.
    facts : RetentionFacts

    Returns
    -------
    Retention
        Without a date where a rule lacks a fact, a clock lacks a rule, or a legal hold is in force.

    Raises
    ------
    InputError
        When the facts contradict each other, e.g. a treatment before birth.
    """
    _check(facts)
    clocks = tuple(_run(rule, facts) for rule in rules)
    running = {clock.rule.clock for clock in clocks}
    reasons = [f"Legal hold: {hold}" for hold in facts.holds]
    reasons += [f"{clock.rule.id}: {clock.reason}" for clock in clocks if clock.keep_through is None]
    reasons += [
        f"No rule was chosen for the clock of the {name}."
        for name in ("clinical record", "documentation")
        if name not in running
    ]
    ends = [clock.keep_through for clock in clocks if clock.keep_through is not None]
    if reasons or not ends:
        return Retention(earliest_disposal=None, clocks=clocks, reasons=tuple(reasons))
    return Retention(earliest_disposal=max(ends) + timedelta(days=1), clocks=clocks)


def _run(rule: RetentionRule, facts: RetentionFacts) -> Clock:
    needed = [*rule.after, *(["born"] if rule.minor_years is not None else [])]
    days = {name: getattr(facts, name) for name in needed}
    missing = [name for name, day in days.items() if day is None]
    if missing:
        return Clock(rule=rule, keep_through=None, reason=f"unknown: {', '.join(missing)}")
    end = add_years(max(days[name] for name in rule.after), rule.years)
    if rule.minor_years is not None and rule.majority_age is not None:
        majority = add_years(days["born"], rule.majority_age)
        if days["last_treatment"] < majority:
            end = max(end, add_years(majority, rule.minor_years))
    return Clock(rule=rule, keep_through=end)


def add_years(day: date, years: int) -> date:
    """The same day some years later; 29 February becomes 1 March where there is none, since later is safer.

    >>> add_years(date(2024, 2, 29), 7)
    datetime.date(2031, 3, 1)
    """
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _check(facts: RetentionFacts) -> None:
    if facts.born and facts.last_treatment and facts.last_treatment < facts.born:
        raise InputError("Expected the last treatment after the birth, found it before.")
    if facts.created and facts.last_effect and facts.last_effect < facts.created:
        raise InputError("Expected the last effect after the creation, found it before.")
