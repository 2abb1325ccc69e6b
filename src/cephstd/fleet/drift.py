"""Change over time: a cumulative sum finds when, an average weighted to the recent shows how, an index how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import special

MIN_SIDE = 30
"""Fewest films before and after a change."""
EWMA_WEIGHT = 0.2
EWMA_LIMIT = 3.0
PSI_BINS = 10
CLIP = 4.0
WORTH_A_LOOK = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A change of level in a series.

    Attributes
    ----------
    p_value : float
        That chance alone makes a cumulative sum of this height (Kolmogorov).
    began : date
        Day of the first film after the change.
    before, after : float
        Median before and after it, or the mean for shares and corrections.
    count_before, count_after : int
    psi : float
        Population stability index of after against before: 0.1 is little, 0.25 much.
    start : int
        Place in the series of the first film after the change.
    """

    p_value: float
    began: date
    before: float
    after: float
    count_before: int
    count_after: int
    psi: float
    start: int

    @property
    def step(self) -> float:
        """After minus before."""
        return self.after - self.before


def find_drift(series: NDArray[np.floating], days: NDArray[np.datetime64], *, share: bool = False) -> Drift | None:
    """The likeliest change of level in a series, significant or not.

    Parameters
    ----------
    series : ndarray, shape (n,)
        In the order of `days`; no NaN.
    days : ndarray of datetime64[D], shape (n,)
    share : bool
        True for zeros and ones, and for what is mostly zero: levels are means instead of medians.

    Returns
    -------
    Drift or None
        None for fewer than 60 films, a series without spread, and where chance alone would do it in 1 of 20 series.

    Examples
    --------
    >>> days = np.datetime64("2024-01-01") + np.arange(200)
    >>> noise = np.random.default_rng(0).normal(size=200)
    >>> noise[120:] += 4
    >>> found = find_drift(noise, days)
    >>> found.p_value < 1e-6, found.began.isoformat()
    (True, '2024-04-30')
    """
    n = len(series)
    if n < 2 * MIN_SIDE:
        return None
    values = np.asarray(series, dtype=np.float64)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    # a tail must not make a change, and a wide one must not hide it
    spread = (high - low) / 1.349
    kept = values if share or not spread > 0 else np.clip(values, middle - CLIP * spread, middle + CLIP * spread)
    deviation = float(kept.std())
    if not deviation > 0:
        return None
    path = np.cumsum(kept - kept.mean()) / (deviation * np.sqrt(n))
    start = int(np.argmax(np.abs(path[MIN_SIDE - 1 : n - MIN_SIDE]))) + MIN_SIDE
    # the films of one day have no order of their own: a change begins with a day
    start = int(np.searchsorted(days, days[start], side="left"))
    if min(start, n - start) < MIN_SIDE // 2:
        return None
    p_value = float(special.kolmogorov(float(np.abs(path[start - 1]))))
    if p_value > WORTH_A_LOOK:
        return None
    level = np.mean if share else np.median
    return Drift(
        p_value=p_value,
        began=days[start].astype(date),
        before=float(level(values[:start])),
        after=float(level(values[start:])),
        count_before=start,
        count_after=n - start,
        psi=stability_index(values[:start], values[start:]),
        start=start,
    )


def stability_index(before: Floats, after: Floats) -> float:
    """Population stability index over tenths of `before`; half a film is added to every bin, so that none is empty.

    Examples
    --------
    >>> round(stability_index(np.arange(100.0), np.arange(100.0)), 6)
    0.0
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, part, side="right"), minlength=len(edges) + 1) + 0.5
        for part in (before, after)
    ]
    old, new = (found / found.sum() for found in counts)
    return float(np.sum((new - old) * np.log(new / old)))


def smooth(series: Floats, weight: float = EWMA_WEIGHT) -> tuple[Floats, Floats]:
    """Exponentially weighted moving average of standardised means, and its control limit (plus and minus).

    Parameters
    ----------
    series : ndarray, shape (n,)
        Means of periods, each over its standard error.
    weight : float

    Returns
    -------
    average, limit : ndarray, shape (n,)
    """
    average = np.empty(len(series))
    last = 0.0
    for place, value in enumerate(series):
        last = weight * value + (1 - weight) * last
        average[place] = last
    grown = 1 - (1 - weight) ** (2 * np.arange(1, len(series) + 1))
    return average, EWMA_LIMIT * np.sqrt(weight / (2 - weight) * grown)
