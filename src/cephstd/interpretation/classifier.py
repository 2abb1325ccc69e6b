"""Puts values into the classes of rules, says how sure that is, and reports indicators that contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from cephstd.core.interpretation import Finding, RuleOutcome, RuleSetUse, Sex
from cephstd.core.measures import Measure
from cephstd.knowledge.rules import Rule, RuleClass, Rules

PROBABILITY_DECIMALS = 4


def describe_rules(rules: Rules) -> RuleSetUse:
    """What a record says of a rule set that was applied."""
    return RuleSetUse(set=rules.definition.id, version=rules.definition.version, sha256=rules.sha256)


def classify(measures: Iterable[Measure], rules: Rules, *, sex: Sex | None = None) -> tuple[RuleOutcome, ...]:
    """Classes of values by one rule set.

    Parameters
    ----------
    measures : iterable of Measure
        Of one film; a rule whose input is not among them gives nothing.
    rules : Rules
    sex : str, optional
        ``F`` or ``M``; without it a rule for one sex gives no class.

    Returns
    -------
    tuple of RuleOutcome
        In the order of the rules. The probability is that of the true value lying in the class, for a normal error
        of the value's standard deviation; it is absent where first order fails.

    Examples
    --------
    >>> from cephstd.knowledge.rules import load_rules
    >>> anb = Measure(id="ANB", definition_version=1, unit="deg", value=5.0, sd=1.1)
    >>> outcome, *_ = classify([anb], load_rules("skeletal_class"))
    >>> outcome.label, outcome.probability, outcome.threshold
    ('Class II', 0.8183, 4.0)
    """
    found = {measure.id: measure for measure in measures}
    return tuple(
        _classify(found[rule.measure], rule, rules, sex)
        for rule in rules.definition.rule
        if rule.measure in found and (rule.sex is None or sex is None or rule.sex == sex)
    )


def _classify(measure: Measure, rule: Rule, rules: Rules, sex: Sex | None) -> RuleOutcome:
    said = RuleOutcome(
        rule=f"{rules.definition.id}.{rule.id}",
        version=rules.definition.version,
        measure=measure.id,
        value=measure.value,
        sd=measure.sd,
        provisional=measure.provisional,
    )
    reason = ""
    if measure.value is None:
        reason = f"no value: {measure.reason}"
    elif rule.measure_version != measure.definition_version:
        reason = f"the rule is for version {rule.measure_version} of the definition"
    elif rule.sex is not None and sex is None:
        reason = "the rule depends on sex, which is not stated"
    if reason or measure.value is None:
        return msgspec.structs.replace(said, reason=reason)
    chosen = next((one for one in rule.classes if one.holds(measure.value)), None)
    if chosen is None:
        return msgspec.structs.replace(said, reason=f"no class: {rule.gap}")
    return msgspec.structs.replace(
        said,
        label=chosen.label,
        number=chosen.number,
        text=rule.text.format(
            measure=measure.id, value=f"{measure.value:.{measure.decimals}f}", unit=measure.unit, label=chosen.label
        ),
        **_doubt(chosen, measure.value, measure.trusted_sd),
    )


def _doubt(chosen: RuleClass, value: float, sd: float | None) -> dict[str, float | None]:
    """Probability of the class, its nearest end, and the probability that the true value lies beyond that end."""
    ends = [end for end in (chosen.low, chosen.high) if end is not None]
    nearest = min(ends, key=lambda end: abs(end - value), default=None)
    said: dict[str, float | None] = {"threshold": nearest}
    if sd is None:
        return said
    if sd == 0.0:
        return {**said, "probability": 1.0, "other_side": 0.0 if nearest is not None else None}
    below = 0.0 if chosen.low is None else _normal((chosen.low - value) / sd)
    above = 0.0 if chosen.high is None else _normal((value - chosen.high) / sd)
    said["probability"] = round(max(1.0 - below - above, 0.0), PROBABILITY_DECIMALS)
    if nearest is not None:
        said["other_side"] = round(below if nearest == chosen.low and below >= above else above, PROBABILITY_DECIMALS)
    return said


def _normal(x: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def find_conflicts(outcomes: Iterable[RuleOutcome], rule_sets: Iterable[Rules]) -> tuple[Finding, ...]:
    """Outcomes about one subject that name different classes, one finding per subject.

    Parameters
    ----------
    outcomes : iterable of RuleOutcome
        Of one film.
    rule_sets : iterable of Rules
        The sets that they come from, which say what each rule is about.

    Returns
    -------
    tuple of Finding
    """
    subjects: Mapping[str, tuple[str, str]] = {
        f"{rules.definition.id}.{rule.id}": (rules.definition.id, rule.subject)
        for rules in rule_sets
        for rule in rules.definition.rule
        if rule.subject
    }
    groups: dict[tuple[str, str], list[RuleOutcome]] = {}
    for outcome in outcomes:
        if outcome.label is not None and outcome.rule in subjects:
            groups.setdefault(subjects[outcome.rule], []).append(outcome)
    found = []
    for (_, subject), group in groups.items():
        if len({outcome.label for outcome in group}) > 1:
            said = ", ".join(f"{outcome.measure}: {_label(outcome)}" for outcome in group)
            rules = tuple(outcome.rule for outcome in group)
            text = f"Indicators of the {subject} contradict each other ({said})."
            found.append(Finding(kind="conflict", subject=subject, rules=rules, text=text))
    return tuple(found)


def _label(outcome: RuleOutcome) -> str:
    return f"{outcome.label}" if outcome.probability is None else f"{outcome.label}, {outcome.probability:.2f}"
