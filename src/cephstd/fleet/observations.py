"""What is seen at each place before it is explained: values that lie elsewhere, spread otherwise, or change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cephstd.fleet.census import Census
from cephstd.fleet.drift import Drift, find_drift
from cephstd.fleet.effects import MIN_FILMS, Effects, Layout, compare_places
from cephstd.fleet.rates import discover
from cephstd.fleet.shares import INDICATORS

SIZE = "size"
LEAST_SHIFT = 0.3
"""Smallest shift of a measure that counts, in spreads of one stratum."""
LEAST_SCALE = 0.015
"""Smallest deviation of a scale that counts."""
LEAST_SPREAD_RATIO = 1.4
LEAST_STEP = 0.35
"""Smallest change of level over time that counts, in spreads of one stratum."""
LEAST_STEP_SHARE = 0.10
LEAST_LENGTH_MM = 25.0
LENGTHS = 20
MIN_LENGTHS = 3
UNRELATED = frozenset({"undated"})
"""Indicators that cannot change over time, since they say that there is no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing at one place that chance does not explain.

    Attributes
    ----------
    sort : str
        ``shift``, ``spread``, ``drift`` or ``share drift``.
    place, about : str
        Where, and which measure (or ``size``, or indicator).
    value : float
        Shift or step in the measure's unit (share: as a fraction; size: as a fraction; spread: the ratio).
    standard : float
        The same in spreads of one stratum.
    error : float
        Standard error of a shift; NaN otherwise.
    drift : Drift or None
    """

    sort: Literal["shift", "spread", "drift", "share drift"]
    place: str
    about: str
    value: float
    standard: float
    error: float = float("nan")
    drift: Drift | None = None


def measure_effects(census: Census, layout: Layout) -> dict[str, Effects]:
    """Effects of every measure that can be compared, and of ``size``: each film's lengths beside what is usual."""
    found = {
        measure: effects
        for measure, values in zip(census.measures, census.values, strict=True)
        if (effects := compare_places(values, layout)) is not None
    }
    sizes = film_sizes(census, found)
    if sizes is not None and (effects := compare_places(sizes, layout)) is not None:
        found[SIZE] = effects
    return found


def choose_lengths(census: Census, effects: Mapping[str, Effects]) -> list[str]:
    """Lengths that tell a scale: in mm, long, and alike among people; those that most films have."""
    found = []
    for measure, unit in zip(census.measures, census.units, strict=True):
        if unit != "mm" or measure not in effects:
            continue
        middle = float(np.nanmedian(effects[measure].medians))
        if middle > LEAST_LENGTH_MM and effects[measure].spread / middle < 0.15:
            found.append(measure)
    return sorted(found, key=lambda measure: (-int(effects[measure].counts.sum()), measure))[:LENGTHS]


def film_sizes(census: Census, effects: Mapping[str, Effects]) -> NDArray[np.float32] | None:
    """Logarithm of each film's lengths over what is usual for age and sex: the middle of three or more; else NaN."""
    lengths = choose_lengths(census, effects)
    if len(lengths) < MIN_LENGTHS:
        return None
    ratios = np.empty((census.values.shape[1], len(lengths)), dtype=np.float32)
    for column, measure in enumerate(lengths):
        values = census.values[census.measures.index(measure)]
        usual = values - effects[measure].residuals * np.float32(effects[measure].spread)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios[:, column] = np.log(values / usual)
    ratios.sort(axis=1)
    counts = np.isfinite(ratios).sum(axis=1)
    rows = np.arange(len(ratios))
    middle = (
        ratios[rows, np.maximum(counts - 1, 0) // 2] + ratios[rows, np.minimum(counts // 2, len(lengths) - 1)]
    ) / 2
    return np.where(counts >= MIN_LENGTHS, middle, np.nan).astype(np.float32)


def see_differences(effects: Mapping[str, Effects], layout: Layout) -> list[Observation]:
    """Shifts and spreads that are discoveries and large enough; a shift needs both tests to say so."""
    names = list(effects)
    if not names:
        return []
    shift, spread, other = (
        discover(np.array([getattr(effects[name], key) for name in names])) for key in ("p_shift", "p_spread", "p_ks")
    )
    found = []
    for row, name in enumerate(names):
        effect = effects[name]
        for column, place in enumerate(layout.places.labels):
            if effect.counts[column] < MIN_FILMS:
                continue
            value, ratio = float(effect.shifts[column]), float(effect.spread_ratios[column])
            least = LEAST_SCALE if name == SIZE else LEAST_SHIFT * effect.spread
            if shift[row, column] and other[row, column] and abs(value) >= least:
                found.append(
                    Observation(
                        sort="shift",
                        place=place,
                        about=name,
                        value=value,
                        standard=value / effect.spread,
                        error=float(np.hypot(effect.errors[column], effect.natural)),
                    )
                )
            if spread[row, column] and name != SIZE and not 1 / LEAST_SPREAD_RATIO < ratio < LEAST_SPREAD_RATIO:
                found.append(Observation(sort="spread", place=place, about=name, value=ratio, standard=ratio))
    return found


def see_drifts(census: Census, effects: Mapping[str, Effects], layout: Layout) -> list[Observation]:
    """Changes over time of measures, of size and of shares, at each place with dated films."""
    day = census.films["day"].to_numpy().astype("datetime64[D]")
    dated = ~np.isnat(day)
    shares = [item for item in INDICATORS if item.key not in UNRELATED]
    hits = census.films.select(**{item.key: item.condition.cast(pl.Float64) for item in shares}).to_numpy()
    tested: list[Observation] = []
    tests = 0
    for row, place in enumerate(layout.places.labels):
        films = layout.order[layout.cells[row, 0] : layout.cells[row, -1]]
        films = films[dated[films]]
        films = films[np.argsort(day[films], kind="stable")]
        for name, effect in effects.items():
            tests += 1
            tested += _drift(place, name, effect.residuals[films], day[films], effect.spread)
        for column, item in enumerate(shares):
            tests += 1
            tested += _drift(place, item.key, hits[films, column], day[films], None)
    p_values = np.ones(max(tests, 1))
    p_values[: len(tested)] = [seen.drift.p_value for seen in tested if seen.drift]
    found = discover(p_values)[: len(tested)]
    return [seen for seen, real in zip(tested, found, strict=True) if real and _is_large(seen)]


def _is_large(seen: Observation) -> bool:
    if seen.sort == "share drift":
        return abs(seen.value) >= LEAST_STEP_SHARE
    if seen.about == SIZE:
        return abs(seen.value) >= LEAST_SCALE
    return abs(seen.standard) >= LEAST_STEP


def _drift(
    place: str, about: str, series: NDArray[np.floating], days: NDArray[np.datetime64], spread: float | None
) -> Iterator[Observation]:
    there = np.isfinite(series)
    drift = find_drift(series[there], days[there], share=spread is None)
    if drift is None:
        return
    yield Observation(
        sort="share drift" if spread is None else "drift",
        place=place,
        about=about,
        value=drift.step * (spread or 1.0),
        standard=drift.step,
        drift=replace(drift, before=drift.before * (spread or 1.0), after=drift.after * (spread or 1.0)),
    )
