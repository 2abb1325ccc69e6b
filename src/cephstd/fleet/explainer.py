"""From observations to findings: a wrong scale, a reviewer's habit; what neither explains stands by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from cephstd.fleet.census import Census
from cephstd.fleet.corrections import Habit
from cephstd.fleet.effects import Effects
from cephstd.fleet.findings import LISTED_FILMS, FleetFinding, Places, since
from cephstd.fleet.observations import LEAST_SCALE, LEAST_SHIFT, LEAST_SPREAD_RATIO, LEAST_STEP, SIZE, Observation
from cephstd.fleet.rates import discover

LEAST_VECTOR_MM = 0.75
FEW = 3


def explain(
    census: Census,
    effects: Mapping[str, Effects],
    seen: Sequence[Observation],
    habits: Sequence[Habit],
    names: Mapping[str, Collection[str]],
) -> list[FleetFinding]:
    """Findings on scales, corrections and values.

    Parameters
    ----------
    census : Census
    effects : mapping
        By measure.
    seen : sequence of Observation
    habits : sequence of Habit
    names : mapping
        Landmarks that each measure rests on; a measure that is not listed rests on unknown ones.
    """
    places = Places(census.films)
    left = list(seen)
    findings: list[FleetFinding] = []
    units = dict(zip(census.measures, census.units, strict=True))
    for finding, explained in _scales(places, effects, left, units):
        findings.append(_with_evidence(finding, explained, units))
        left = [item for item in left if item not in explained]
    left = [item for item in left if item.about != SIZE]
    for habit in _wrong_habits(habits):
        group = places.of_site(habit.site)
        explained = [item for item in left if item.place in group and habit.landmark in names.get(item.about, ())]
        findings.append(_with_evidence(_correction(census, habit), explained, units))
        left = [item for item in left if item not in explained]
    drifting = {(item.place, item.about) for item in left if item.sort == "drift"}
    left = [item for item in left if item.sort != "shift" or (item.place, item.about) not in drifting]
    findings += _values(places, [item for item in left if item.sort in ("shift", "spread")], units)
    findings += _drifts(census, places, [item for item in left if item.sort == "drift"], units)
    return findings


def _with_evidence(finding: FleetFinding, explained: Iterable[Observation], units: Mapping[str, str]) -> FleetFinding:
    said = [*finding.evidence, *(_describe(item, units) for item in _strongest(explained) if item.about != SIZE)]
    return msgspec.structs.replace(finding, evidence=tuple(dict.fromkeys(said)))


def _strongest(seen: Iterable[Observation]) -> list[Observation]:
    return sorted(seen, key=lambda item: (-abs(item.standard), item.about, item.place))


def _describe(item: Observation, units: Mapping[str, str]) -> str:
    unit = units.get(item.about, "")
    if item.sort == "spread":
        return f"{item.about} spreads {item.value:.1f} times as widely at {item.place}"
    when = f" since {item.drift.began}" if item.drift else ""
    return f"{item.about} {item.value:+.1f} {unit} ({item.standard:+.1f} spreads) at {item.place}{when}"


def _scales(
    places: Places, effects: Mapping[str, Effects], seen: Sequence[Observation], units: Mapping[str, str]
) -> Iterator[tuple[FleetFinding, list[Observation]]]:
    """Lengths all longer or all shorter while angles agree: a scale. With angles that do not, it is people."""
    sizes = [item for item in seen if item.about == SIZE]
    for sort in ("drift", "shift"):
        found = {item.place: item for item in sizes if item.sort == sort}
        done = {item.place for item in sizes if item.sort == "drift"} if sort == "shift" else set()
        for sign in (1, -1):
            same = [place for place, item in found.items() if np.sign(item.value) == sign and place not in done]
            for name, group in places.bundle(same):
                odd = {
                    item.about
                    for item in seen
                    if item.place in group and units.get(item.about) == "deg" and item.sort == sort
                }
                angles = [measure for measure, unit in units.items() if unit == "deg" and measure in effects]
                if len(odd) > 0.2 * len(angles):
                    continue
                items = [found[place] for place in sorted(group)]
                explained = [item for item in seen if item.place in group and units.get(item.about, "mm") == "mm"]
                agreeing = (len(angles) - len(odd), len(angles))
                yield _scale(name, places.films(group), items, agreeing), explained


def _scale(
    name: str, behind: tuple[int, tuple[str, ...]], items: Sequence[Observation], agreeing: tuple[int, int]
) -> FleetFinding:
    off = 100.0 * float(np.expm1(np.median([item.value for item in items])))
    reach = 196.0 * float(np.nanmax([item.error for item in items])) if items[0].sort == "shift" else float("nan")
    (count, films), (quiet, angles) = behind, agreeing
    drift = items[0].drift
    when = f" since {drift.began}" if drift else ""
    limits = f" (95 % limits {off - reach:.1f} to {off + reach:.1f} %)" if np.isfinite(reach) else ""
    longer = "longer" if off > 0 else "shorter"
    beside = "before" if drift else "elsewhere for the same age and sex"
    return FleetFinding(
        kind="scale",
        level="act",
        subject=name,
        about=SIZE,
        sentence=f"Lengths at {name} are {abs(off):.1f} % {longer} than {beside}{when}{limits}, while {quiet} of "
        f"{angles} angles agree: the scale of this device is probably wrong. {count} films.",
        advice="Measure a ruler or a phantom on this device, and correct its spacing or magnification.",
        effect=abs(off) / (100.0 * LEAST_SCALE),
        film_count=count,
        films=films,
        places=tuple(item.place for item in items),
        since=str(drift.began) if drift else "",
        numbers={"percent": off, "films": count, "angles": angles, "angles_that_agree": quiet},
    )


def _wrong_habits(habits: Sequence[Habit]) -> list[Habit]:
    """Reviewers who move a landmark in one direction, always or from a date on."""
    always = discover(np.array([habit.p_value for habit in habits]))
    # the larger of two components was taken
    changes = discover(np.array([min(1.0, 2.0 * habit.drift.p_value) if habit.drift else 1.0 for habit in habits]))
    found = []
    for place, habit in enumerate(habits):
        far = np.hypot(habit.forward_mm, habit.down_mm)
        if changes[place] and habit.since and habit.drift and abs(habit.drift.step) >= LEAST_VECTOR_MM:
            found.append(habit)
        elif always[place] and far >= LEAST_VECTOR_MM:
            found.append(_always(habit))
    return found


def _always(habit: Habit) -> Habit:
    return replace(habit, drift=None, since=None)


def _correction(census: Census, habit: Habit) -> FleetFinding:
    forward, down = habit.since or (habit.forward_mm, habit.down_mm)
    drift = habit.drift
    when = f" since {drift.began}" if drift else ""
    length = float(np.hypot(forward, down))
    before = f", {abs(drift.before):.1f} mm before" if drift else ""
    ids = census.films["image_id"].gather(habit.films[:LISTED_FILMS]).to_list()
    return FleetFinding(
        kind="correction",
        level="act",
        subject=f"reviewer {habit.reviewer} at {habit.site}",
        about=habit.landmark,
        sentence=f"Reviewer {habit.reviewer} at {habit.site} moves {habit.landmark} by {length:.1f} mm on average"
        f"{when} ({_towards(forward, down)}{before}). {len(habit.films)} films.",
        advice=f"Go through the definition of {habit.landmark} with the reviewer, and have some films read again.",
        effect=length / LEAST_VECTOR_MM,
        film_count=len(habit.films),
        films=tuple(ids),
        since=str(drift.began) if drift else "",
        numbers={"forward_mm": forward, "down_mm": down, "reviewed": habit.reviewed, "corrected": habit.corrected},
    )


def _towards(forward: float, down: float) -> str:
    along = f"{abs(forward):.1f} mm {'forward' if forward > 0 else 'backward'}"
    across = f"{abs(down):.1f} mm {'down' if down > 0 else 'up'}"
    return f"{along}, {across}"


def _values(places: Places, seen: Sequence[Observation], units: Mapping[str, str]) -> Iterator[FleetFinding]:
    for name, group, items in _bundles(places, seen):
        count, films = places.films(group)
        said = list(dict.fromkeys(_describe(item, units) for item in _strongest(items)))
        measures = len({item.about for item in items})
        beyond = [
            abs(item.standard) / LEAST_SHIFT
            if item.sort == "shift"
            else max(item.value, 1 / item.value) / LEAST_SPREAD_RATIO
            for item in items
        ]
        yield FleetFinding(
            kind="distribution",
            level="look",
            subject=name,
            about=", ".join(sorted({item.about for item in items})[:FEW]),
            sentence=f"{_plural(measures, 'measure lies', 'measures lie')} elsewhere at {name} than at other places "
            f"for the same age and sex: {_list(said)}. {count} films.",
            advice="Have some of these films traced by a colleague before you trust either side.",
            effect=max(beyond),
            film_count=count,
            films=films,
            places=tuple(sorted(group)),
            numbers={"measures": measures, "largest_in_spreads": max(abs(item.standard) for item in items)},
            evidence=tuple(said),
        )


def _drifts(
    census: Census, places: Places, seen: Sequence[Observation], units: Mapping[str, str]
) -> Iterator[FleetFinding]:
    for name, group, items in _bundles(places, seen):
        strongest = _strongest(items)
        drift = strongest[0].drift
        if drift is None:
            continue
        count, films = places.films(group, only=since(census, drift.began))
        said = list(dict.fromkeys(_describe(item, units) for item in strongest))
        yield FleetFinding(
            kind="drift",
            level="look",
            subject=name,
            about=strongest[0].about,
            sentence=f"{_plural(len({i.about for i in items}), 'measure has', 'measures have')} changed at {name} "
            f"since {drift.began}: {_list(said)} (stability index {drift.psi:.2f}). {count} films since then.",
            advice="Ask what changed on that day: device, software, settings, staff.",
            effect=abs(strongest[0].standard) / LEAST_STEP,
            film_count=count,
            films=films,
            places=tuple(sorted(group)),
            since=str(drift.began),
            numbers={"step_in_spreads": strongest[0].standard, "psi": drift.psi},
            evidence=tuple(said),
        )


def _bundles(places: Places, seen: Sequence[Observation]) -> Iterator[tuple[str, frozenset[str], list[Observation]]]:
    for name, group in places.bundle({item.place for item in seen}):
        yield name, group, [item for item in seen if item.place in group]


def _list(said: Sequence[str]) -> str:
    return "; ".join(said[:FEW]) + (" and more" if len(said) > FEW else "")


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
