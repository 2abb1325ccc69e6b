"""Tables of a report as plain data: values by analysis beside norms, classes by rules, and what is absent and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cephstd.core.interpretation import NormComparison, RuleOutcome
from cephstd.core.measures import Measure
from cephstd.core.record import Content
from cephstd.errors import UnknownAnalysisError
from cephstd.knowledge.definitions import AnalysisDefinition
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import load_analyses, load_measures
from cephstd.plot.margin import KEY_VALUES, landmark_symbol

UNIT_SIGNS = {"deg": "°", "ratio": "", "mm": " mm", "%": " %"}
WIDEST = 3.0  # deviations that the small scale beside a value shows
OTHERS = AnalysisDefinition(id="others", name="Further measures", measures=())


def sheet_rows(content: Content, analyses: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Tracing sheets of a record: one table per analysis, its absent values below it.

    Parameters
    ----------
    content : Content
    analyses : sequence of str
        Sheets to show; default: the record's own analysis, or each shipped one of which it has a value.

    Raises
    ------
    UnknownAnalysisError
        When no analysis has such an id.
    """
    known = load_analyses()
    for id in analyses:
        if id not in known:
            raise UnknownAnalysisError(
                f"Expected one of the analyses {', '.join(known)}; found {id!r}.", hint=suggest(id, known)
            )
    values = {measure.id: measure for measure in content.measures}
    return [_sheet(sheet, values, content) for sheet in _choose(content, values, tuple(analyses))]


def _choose(content: Content, values: dict[str, Measure], wanted: tuple[str, ...]) -> Iterator[AnalysisDefinition]:
    known = load_analyses()
    if wanted:
        yield from (known[id] for id in wanted)
        return
    own = known.get(content.analysis)
    if content.analysis != "all":
        name = own.name if own else f"Analysis {content.analysis}"
        yield AnalysisDefinition(
            id="own", name=name, source=own.source if own else "", measures=tuple(values)
        )  # in the record's own order, whatever the file says today
        return
    shown: set[str] = set()
    for id, sheet in known.items():
        if id != "all" and any(values[name].is_present for name in sheet.measures if name in values):
            shown.update(sheet.measures)
            yield sheet
    rest = tuple(id for id, measure in values.items() if id not in shown)
    if any(values[id].is_present for id in rest):
        yield AnalysisDefinition(id=OTHERS.id, name=OTHERS.name, measures=rest)


def _sheet(sheet: AnalysisDefinition, values: dict[str, Measure], content: Content) -> dict[str, Any]:
    found = [values[id] for id in sheet.measures if id in values]
    absent = [measure for measure in found if not measure.is_present]
    return {
        "name": sheet.name or sheet.id,
        "source": sheet.source,
        "rows": [_row(measure, content.interpretation.comparisons) for measure in found if measure.is_present],
        "total": len(found),
        "absent": [
            {"reason": reason, "names": [measure_symbol(id) for id in ids]}
            for reason, ids in group((measure.reason, measure.id) for measure in absent).items()
        ],
    }


def key_rows(content: Content) -> list[dict[str, Any]]:
    """The values that most readers look for first, those that are present."""
    values = {measure.id: measure for measure in content.measures if measure.is_present}
    return [_row(values[id], ()) for id in KEY_VALUES if id in values]


def group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Reason -> what is absent for it, in the order of first mention."""
    grouped: dict[str, list[str]] = {}
    for reason, id in pairs:
        grouped.setdefault(reason, []).append(id)
    return grouped


def measure_symbol(id: str) -> str:
    """How the field writes a measure; the id where it is not in the dictionary."""
    known = load_measures().get(id)
    return (known and known.symbol) or id


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number for print: a real minus sign, no negative zero."""
    text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
    if not text.strip("+-0."):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def _row(measure: Measure, comparisons: Iterable[NormComparison]) -> dict[str, Any]:
    known = load_measures().get(measure.id)
    made = [item for item in comparisons if item.measure == measure.id and not item.reason]
    return {
        "id": measure.id,
        "symbol": measure_symbol(measure.id),
        "name": known.name if known else "",
        "value": number(measure.value or 0.0, measure.decimals),
        "unit": UNIT_SIGNS.get(measure.unit, measure.unit),
        "sd": None if measure.sd is None else number(measure.sd, measure.decimals),
        "provisional": measure.provisional,
        "norms": [_norm(item, measure) for item in made],
    }


def _norm(item: NormComparison, measure: Measure) -> dict[str, Any]:
    decimals, unit = measure.decimals, UNIT_SIGNS.get(measure.unit, measure.unit)
    deviation, place = "", None
    if item.z is not None:
        deviation, place = f"z = {number(item.z, 1, signed=True)}", item.z
    elif item.clinical_deviations is not None:
        deviation, place = f"{number(item.clinical_deviations, 1, signed=True)} CD", item.clinical_deviations
    elif item.low is not None and item.high is not None and item.value is not None and item.high > item.low:
        place = 2 * (item.value - item.low) / (item.high - item.low) - 1
        deviation = item.position
    elif item.difference is not None:
        deviation = f"{number(item.difference, decimals, signed=True)}{unit}"
        place = item.difference / item.spread if item.spread else None
    return {
        "set": item.set,
        "reference": _reference(item, decimals),
        "kind": item.kind or "",
        "deviation": deviation,
        "place": None if place is None else round(max(-WIDEST, min(WIDEST, place)), 3),
        "beyond": place is not None and abs(place) > WIDEST,
        "flags": [flag for flag in item.flags if flag != "unverified"],
        "unverified": "unverified" in item.flags,
    }


def _reference(item: NormComparison, decimals: int) -> str:
    if item.reference is not None:
        spread = "" if item.spread is None else f" ± {number(item.spread, decimals)}"
        return number(item.reference, decimals) + spread
    low, high = ("" if end is None else number(end, decimals) for end in (item.low, item.high))
    return f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"


def class_rows(content: Content) -> list[dict[str, Any]]:
    """Classes that the rules gave, each with the probability that uncertainty leaves it."""
    decimals = {measure.id: (measure.decimals, measure.unit) for measure in content.measures}
    return [_class(outcome, *decimals.get(outcome.measure, (1, ""))) for outcome in content.interpretation.outcomes
            if outcome.label is not None and outcome.value is not None]  # fmt: skip


def _class(outcome: RuleOutcome, decimals: int, unit: str) -> dict[str, Any]:
    sd = "" if outcome.sd is None else f" ± {number(outcome.sd, decimals)}"
    return {
        "rule": outcome.rule,
        "measure": measure_symbol(outcome.measure),
        "value": f"{number(outcome.value or 0.0, decimals)}{sd}{UNIT_SIGNS.get(unit, unit)}",
        "label": outcome.label,
        "probability": outcome.probability,
        "percent": "unknown" if outcome.probability is None else _percent(outcome.probability),
        "threshold": "" if outcome.threshold is None else number(outcome.threshold, decimals),
        "provisional": outcome.provisional,
    }


def _percent(share: float) -> str:
    """A probability in per cent that never claims certainty."""
    return "> 99 %" if share > 0.99 else "< 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def absence_facts(content: Content) -> dict[str, Any]:
    """What the record does not have, each with its reason: points, values, comparisons, classes."""
    marks = [(mark.reason, landmark_symbol(mark.id)) for mark in content.landmarks if not mark.is_present]
    rejected = [
        (f"rejected by a person: {mark.reason}" if mark.reason else "rejected by a person", landmark_symbol(mark.id))
        for mark in content.landmarks
        if mark.is_present and mark.review == "rejected"
    ]
    doubtful = [
        (mark.reason or "provisional", landmark_symbol(mark.id))
        for mark in content.landmarks
        if mark.is_present and mark.review == "provisional"
    ]
    values = [(measure.reason, measure_symbol(measure.id)) for measure in content.measures if not measure.is_present]
    sd = [measure_symbol(measure.id) for measure in content.measures if measure.is_present and measure.sd is None]
    interpretation = content.interpretation
    compared = [
        (item.reason, f"{measure_symbol(item.measure)} ({item.set})")
        for item in interpretation.comparisons
        if item.reason and not item.reason.startswith("no value")
    ]
    classed = [
        (item.reason, f"{measure_symbol(item.measure)} ({item.rule})")
        for item in interpretation.outcomes
        if item.label is None and not item.reason.startswith("no value")
    ]
    return {
        "points": _listed([*marks, *rejected]),
        "provisional": _listed(doubtful),
        "values": _listed(values),
        "comparisons": _listed(compared),
        "classes": _listed(classed),
        "without_sd": sd,
    }


def _listed(pairs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"reason": reason, "names": names} for reason, names in group(pairs).items()]
