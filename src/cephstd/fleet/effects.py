"""How far the values of one place lie from those of the others, for the same age and sex.

Each cell (stratum and place) gives a median. Medians are the sum of what the stratum has and what the place adds,
fitted by least squares weighted with the number of films; so a place whose patients are younger is not called different
for it. A place that shares no stratum with others has no effect: it cannot be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from cephstd.fleet.rates import natural_spread, two_sided
from cephstd.fleet.strata import Groups

MIN_FILMS = 30
"""Fewest films of a place that are compared."""
MIN_PLACES = 3
"""Fewest places: of two that differ nobody can say which is off."""
IQR_PER_SD = 1.349
GRID = 512
VARIANCE_OF_MEDIAN = np.pi / 2
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Films in the order of their cells, computed once for all measures.

    Attributes
    ----------
    order : ndarray
        Rows of the films, by place and, within it, by stratum.
    cells : ndarray, shape (places, strata + 1)
        Where each cell begins and ends in `order`.
    """

    order: NDArray[np.intp]
    cells: NDArray[np.intp]
    strata: Groups
    places: Groups

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of places and strata."""
        return len(self.places.labels), len(self.strata.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """One measure at every place; NaN where a place cannot be compared.

    Attributes
    ----------
    counts : ndarray of int
        Films with a value.
    medians, spreads : ndarray
        Robust location and spread (interquartile range / 1.349) of the values, in the measure's unit.
    shifts, errors : ndarray
        What the place adds, and its standard error, in the unit.
    spread : float
        Robust spread of the values of one stratum and place, in the unit.
    natural : float
        Standard deviation of places beyond chance, in the unit.
    p_shift, p_spread, p_ks : ndarray
        For the shift, for another spread than the others', and for another distribution than that of all other
        places (two-sample Kolmogorov-Smirnov on a grid of quantiles).
    spread_ratios : ndarray
        The place's spread within strata over `spread`.
    wasserstein : ndarray
        Distance between the two distributions, in `spread`.
    residuals : ndarray of float32, shape (films,)
        Value less the stratum's, over `spread`.
    """

    counts: NDArray[np.int64]
    medians: Floats
    spreads: Floats
    shifts: Floats
    errors: Floats
    spread: float
    natural: float
    p_shift: Floats
    p_spread: Floats
    p_ks: Floats
    spread_ratios: Floats
    wasserstein: Floats
    residuals: NDArray[np.float32]


def lay_out(places: Groups, strata: Groups) -> Layout:
    """Order of the films by place and stratum."""
    width = len(strata.labels)
    cell = places.codes.astype(np.int64) * width + strata.codes
    order = np.argsort(cell, kind="stable")
    edges = np.searchsorted(cell[order], np.arange(len(places.labels) * width + 1))
    starts = edges[:-1].reshape(len(places.labels), width)
    ends = edges[1:].reshape(len(places.labels), width)
    return Layout(order=order, cells=np.concatenate([starts, ends[:, -1:]], axis=1), strata=strata, places=places)


def compare_places(values: NDArray[np.float32], layout: Layout) -> Effects | None:
    """Effects of all places on one measure.

    Parameters
    ----------
    values : ndarray of float32, shape (films,)
        NaN where absent.
    layout : Layout

    Returns
    -------
    Effects or None
        None where fewer than three places can be compared, or the values do not differ among films.
    """
    ordered = values[layout.order]
    medians, counts = _cell_medians(ordered, layout)
    compared = _comparable(counts)
    if compared.sum() < MIN_PLACES:
        return None
    base, shifts, variances = _fit(medians, counts, compared)
    shifts[~compared] = np.nan
    centre = float(np.nanmedian(shifts))
    shifts -= centre
    base += centre
    places = np.repeat(np.arange(layout.shape[0]), layout.cells[:, -1] - layout.cells[:, 0])
    strata = layout.strata.codes[layout.order]
    residuals = ordered - base[strata].astype(np.float32)
    spread = _robust_spread(residuals - np.nan_to_num(shifts).astype(np.float32)[places])
    if not spread > 0.0:
        return None
    errors = spread * np.sqrt(VARIANCE_OF_MEDIAN * variances)
    natural = natural_spread(shifts, errors)
    standard = residuals / np.float32(spread)
    tests = _distributions(standard, layout, compared)
    n = counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_z = np.log(tests.spreads) / np.sqrt(1.36 / n + natural_log_spread(tests.spreads, n) ** 2)
    returned = np.full(len(values), np.nan, dtype=np.float32)
    returned[layout.order] = standard
    located = _locate(ordered, layout)
    return Effects(
        counts=n,
        medians=located[0],
        spreads=located[1],
        shifts=shifts,
        errors=errors,
        spread=spread,
        natural=natural,
        p_shift=two_sided(shifts / np.sqrt(errors**2 + natural**2)),
        p_spread=two_sided(spread_z),
        p_ks=tests.p_values,
        spread_ratios=tests.spreads,
        wasserstein=tests.distances,
        residuals=returned,
    )


def natural_log_spread(ratios: Floats, counts: NDArray[np.int64]) -> float:
    """Spread between places of the logarithm of their spreads, beyond chance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return natural_spread(np.log(ratios), np.sqrt(1.36 / counts))


def _cell_medians(ordered: NDArray[np.float32], layout: Layout) -> tuple[Floats, NDArray[np.int64]]:
    places, strata = layout.shape
    medians = np.full((places, strata), np.nan)
    counts = np.zeros((places, strata), dtype=np.int64)
    cells = layout.cells.tolist()
    for place in range(places):
        row = cells[place]
        for stratum in range(strata):
            if row[stratum] == row[stratum + 1]:
                continue
            found = np.sort(ordered[row[stratum] : row[stratum + 1]])
            count = int(np.searchsorted(found, np.inf, side="right"))  # NaN is sorted behind
            if count:
                counts[place, stratum] = count
                medians[place, stratum] = (float(found[(count - 1) // 2]) + float(found[count // 2])) / 2.0
    return medians, counts


def _comparable(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Places with enough films in strata that they share, directly or through others, with the most places."""
    shared = (counts > 0).sum(axis=0) >= 2
    enough: NDArray[np.bool_] = counts[:, shared].sum(axis=1) >= MIN_FILMS
    if not enough.any():
        return enough
    there = (counts[enough][:, shared] > 0).astype(np.int64)
    _, labels = sparse.csgraph.connected_components(sparse.csr_matrix(there @ there.T))
    together: NDArray[np.bool_] = np.zeros(enough.shape, dtype=np.bool_)
    together[np.flatnonzero(enough)[labels == np.bincount(labels).argmax()]] = True
    return together


def _fit(medians: Floats, counts: NDArray[np.int64], compared: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Strata's levels (NaN where no compared place has films), places' effects and their variances over spread^2."""
    n = np.where(compared[:, None], counts, 0).astype(np.float64)
    cells = np.where(n > 0, medians, 0.0)
    per_stratum = n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = (n * cells).sum(axis=0) / per_stratum
        share = n / per_stratum
    share = np.nan_to_num(share)
    # strata eliminated: what remains is the Laplacian of the graph of places that share strata. It is blind to what all
    # places have in common; the constant lifts that, and is taken off again
    laplacian = np.diag(n.sum(axis=1)) - share @ n.T
    kept = np.ix_(compared, compared)
    constant = 1.0 / compared.sum()
    inverse = np.zeros_like(laplacian)
    inverse[kept] = np.linalg.inv(laplacian[kept] + constant) - constant
    effects = inverse @ (n * (cells - np.nan_to_num(level))).sum(axis=1)
    base = level - share.T @ effects
    base[per_stratum == 0] = np.nan
    return base, effects, np.where(compared, np.maximum(np.diag(inverse), 0.0), np.nan)


def _robust_spread(values: NDArray[np.float32]) -> float:
    found = np.sort(values)
    low, high = _quantiles(found, (0.25, 0.75))
    return (high - low) / IQR_PER_SD


def _quantiles(ordered: NDArray[np.float32], shares: tuple[float, ...]) -> list[float]:
    """Quantiles of sorted values with NaN at the end; NaN of none."""
    count = int(np.searchsorted(ordered, np.inf, side="right"))
    if not count:
        return [float("nan")] * len(shares)
    return [float(found) for found in np.interp(np.array(shares) * (count - 1), np.arange(count), ordered[:count])]


def _locate(ordered: NDArray[np.float32], layout: Layout) -> tuple[Floats, Floats]:
    found = [
        _quantiles(np.sort(ordered[start:end]), (0.25, 0.5, 0.75))
        for start, end in zip(layout.cells[:, 0], layout.cells[:, -1], strict=True)
    ]
    low, middle, high = np.array(found).T
    return middle, (high - low) / IQR_PER_SD


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    spreads: Floats
    p_values: Floats
    distances: Floats


def _distributions(standard: NDArray[np.float32], layout: Layout, compared: NDArray[np.bool_]) -> _Tests:
    """Each place against all others: spread, Kolmogorov-Smirnov and Wasserstein, on a grid of pooled quantiles."""
    places = layout.shape[0]
    sample = np.sort(standard[:: max(1, len(standard) // 200_000)])
    top = int(np.searchsorted(sample, np.inf, side="right"))
    grid = np.unique(sample[np.linspace(0, top - 1, min(GRID, top)).astype(np.intp)])
    below = np.zeros((places, len(grid)))
    counts = np.zeros(places)
    spreads = np.full(places, np.nan)
    for place in np.flatnonzero(compared):
        found = np.sort(standard[layout.cells[place, 0] : layout.cells[place, -1]])
        counts[place] = np.searchsorted(found, np.inf, side="right")
        below[place] = np.searchsorted(found[: int(counts[place])], grid, side="right")
        low, high = _quantiles(found, (0.25, 0.75))
        spreads[place] = (high - low) / IQR_PER_SD
    with np.errstate(invalid="ignore", divide="ignore"):
        own = below / counts[:, None]
        rest = (below.sum(axis=0) - below) / (counts.sum() - counts)[:, None]
        apart = np.abs(own - rest)
        size = np.sqrt(counts * (counts.sum() - counts) / counts.sum())
        p_values = special.kolmogorov(size * apart.max(axis=1))
    distances = np.sum((apart[:, 1:] + apart[:, :-1]) / 2.0 * np.diff(grid), axis=1)
    return _Tests(spreads=spreads, p_values=p_values, distances=distances)
