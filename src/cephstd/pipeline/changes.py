"""Splits what changed between two analyses of a film among the factors that changed it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cephstd.core.interpretation import RuleOutcome
from cephstd.core.measures import Measure

FACTORS = ("calibration", "normalization", "model", "definition", "norms", "rounding")
"""The order in which factors are replayed; norms and rules bear on classes alone."""

NO_CHANGE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Measures of one film as the factors are exchanged one by one, all by today's definitions but for `recorded`.

    Attributes
    ----------
    recorded : tuple of Measure
        As they were recorded; rounded to `decimals`, or unrounded where that is None.
    decimals : int or None
    old : tuple of Measure
        Old points, old scale.
    calibrated : tuple of Measure
        Old points, new scale.
    normalized : tuple of Measure or None
        Points of the old model on the new standard image, new scale; None where that model is not at hand.
    modelled : tuple of Measure
        New points, new scale.
    final : tuple of Measure
        The same as recorded now.
    """

    recorded: tuple[Measure, ...]
    decimals: int | None
    old: tuple[Measure, ...]
    calibrated: tuple[Measure, ...]
    normalized: tuple[Measure, ...] | None
    modelled: tuple[Measure, ...]
    final: tuple[Measure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Why one value differs.

    Attributes
    ----------
    measure, unit : str
    before, after : float or None
        As recorded then and now, in `unit`; None where absent.
    parts : mapping of str to float
        Factor -> its share of the change, in `unit`; they add up to after minus before. Empty where a value came or
        went.
    cause : str
        The factor of the largest share; where a value came or went, the first one under which it does.
    reason : str
        Why a value is absent now, or was.
    """

    measure: str
    unit: str
    before: float | None
    after: float | None
    parts: Mapping[str, float]
    cause: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A class that changed.

    Attributes
    ----------
    rule, measure : str
    before, after : str or None
        Labels; None where there is no class.
    before_value, after_value : float or None
    probability : float or None
        Of the new class.
    cause : str
        Factor, ``norms`` where the rules and not the value changed the class.
    """

    rule: str
    measure: str
    before: str | None
    after: str | None
    before_value: float | None
    after_value: float | None
    probability: float | None
    cause: str


def attribute(stages: Stages) -> Iterator[Attribution]:
    """Attribution of every measure that both analyses list and that changed.

    Parameters
    ----------
    stages : Stages

    Yields
    ------
    Attribution
        Angles are compared the short way round.
    """
    tables = {name: _by_id(getattr(stages, name) or ()) for name in Stages.__slots__ if name != "decimals"}
    for id, final in tables["final"].items():
        recorded = tables["recorded"].get(id)
        if recorded is None or recorded.value == final.value:
            continue
        steps = _steps(id, tables, stages)
        turn = 360.0 if final.unit == "deg" else math.inf
        if recorded.value is None or final.value is None:
            parts: dict[str, float] = {}
            cause = _cause_of_presence(steps, present=final.value is not None)
        elif any(value is None for pair in steps.values() for value in pair):
            # present on both sides and absent between: no share can be told
            parts, cause = {}, "model"
        else:
            parts = {name: _difference(pair, turn) for name, pair in steps.items()}
            parts["rounding"] += _difference((recorded.value, final.value), turn) - sum(parts.values())
            parts = {name: value for name, value in parts.items() if abs(value) > NO_CHANGE}
            cause = max(parts, key=lambda name: abs(parts[name]))
        yield Attribution(
            measure=id,
            unit=final.unit,
            before=recorded.value,
            after=final.value,
            parts=parts,
            cause=cause,
            reason=final.reason or recorded.reason,
        )


def _by_id(measures: Iterable[Measure]) -> dict[str, Measure]:
    return {measure.id: measure for measure in measures}


def _steps(
    id: str, tables: Mapping[str, Mapping[str, Measure]], stages: Stages
) -> dict[str, tuple[float | None, float | None]]:
    """Factor -> value without and with it, each beside a replay that differs in nothing else."""
    at = {name: table[id].value if id in table else None for name, table in tables.items()}
    after_normalization = at["calibrated"] if stages.normalized is None else at["normalized"]
    defined = (at["recorded"], at["old"])
    step = 0.0 if stages.decimals is None else 0.5 * 10.0**-stages.decimals
    same_definition = None not in defined and abs(defined[1] - defined[0]) <= step * (1 + 1e-9)  # type: ignore[operator]
    return {
        "calibration": (at["old"], at["calibrated"]),
        "normalization": (at["calibrated"], after_normalization),
        "model": (after_normalization, at["modelled"]),
        # within half of the last recorded decimal it is the old rounding that shows
        "definition": (at["old"], at["old"]) if same_definition else defined,
        "rounding": (at["modelled"], at["final"]),
    }


def _cause_of_presence(steps: Mapping[str, tuple[float | None, float | None]], *, present: bool) -> str:
    for name, (without, with_it) in steps.items():
        if (without is None) is present and (with_it is not None) is present:
            return name
    return "definition"


def _difference(pair: tuple[float | None, float | None], turn: float) -> float:
    before, after = pair
    if before is None or after is None:
        return 0.0
    change = after - before
    return change if math.isinf(turn) or abs(change) <= turn / 2 else change - math.copysign(turn, change)


def find_flips(
    recorded: Iterable[RuleOutcome],
    ruled: Iterable[RuleOutcome],
    new: Iterable[RuleOutcome],
    attributions: Iterable[Attribution],
) -> Iterator[Flip]:
    """Classes that differ.

    Parameters
    ----------
    recorded, ruled, new : iterable of RuleOutcome
        As recorded then; today's rules on the values of then; as recorded now.
    attributions : iterable of Attribution
        Of the same film.

    Yields
    ------
    Flip
        For each rule that both sides applied.
    """
    causes = {item.measure: item.cause for item in attributions}
    then, by_rules = ({item.rule: item for item in side} for side in (recorded, ruled))
    for outcome in new:
        before = then.get(outcome.rule)
        if before is None or before.label == outcome.label:
            continue
        middle = by_rules.get(outcome.rule)
        by_rule_alone = middle is not None and middle.label == outcome.label and before.label != middle.label
        yield Flip(
            rule=outcome.rule,
            measure=outcome.measure,
            before=before.label,
            after=outcome.label,
            before_value=before.value,
            after_value=outcome.value,
            probability=outcome.probability,
            cause="norms" if by_rule_alone else causes.get(outcome.measure, "norms"),
        )
