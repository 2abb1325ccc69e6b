"""The series behind a finding that began on a day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.comparison import Comparison
from cephstd.fleet.corrections import list_reviewed
from cephstd.fleet.findings import FleetFinding
from cephstd.fleet.observations import SIZE
from cephstd.fleet.shares import INDICATORS


class Timeline(NamedTuple):
    """A series in order of its days.

    Attributes
    ----------
    title, unit : str
    days : ndarray of datetime64[D]
    series : ndarray
    """

    title: str
    unit: str
    days: NDArray[np.datetime64]
    series: NDArray[np.float64]


def follow(comparison: Comparison, finding: FleetFinding) -> Timeline | None:
    """The series that shows since when; None for a finding without a day, or one of norms.

    Parameters
    ----------
    comparison : Comparison
    finding : FleetFinding
        One of the comparison's.
    """
    if not finding.since or finding.kind == "norms":
        return None
    if finding.kind == "correction":
        return _movement(comparison, finding)
    return _values(comparison, finding)


def _movement(comparison: Comparison, finding: FleetFinding) -> Timeline | None:
    main = "forward_mm" if abs(finding.numbers["forward_mm"]) >= abs(finding.numbers["down_mm"]) else "down_mm"
    moved = comparison.census.corrections.filter(pl.col("landmark") == finding.about).select("film", main)
    rows = (
        list_reviewed(comparison.census)
        .filter(pl.concat_str(pl.lit("reviewer "), "reviewer", pl.lit(" at "), SITE_COLUMN) == finding.subject)
        .join(moved, on="film", how="left", maintain_order="left")
        .filter(pl.col("reviewed_on").is_not_null())
    )
    title = f"{finding.about} moved {main.removesuffix('_mm')} by the reviewer"
    days = rows["reviewed_on"].to_numpy().astype("datetime64[D]")
    return Timeline(title, "mm", days, rows[main].fill_null(0.0).to_numpy())


def _values(comparison: Comparison, finding: FleetFinding) -> Timeline | None:
    films = comparison.census.films
    day = films["day"].to_numpy().astype("datetime64[D]")
    there = films["place"].is_in(list(finding.places)).to_numpy() & ~np.isnat(day)
    if finding.about in comparison.effects:
        effect = comparison.effects[finding.about]
        values = effect.residuals.astype(np.float64) * effect.spread
        unit = dict(zip(comparison.census.measures, comparison.census.units, strict=True)).get(finding.about, "")
        title = f"{finding.about} beside what is usual for age and sex"
        if finding.about == SIZE:
            values, unit, title = 100.0 * np.expm1(values), "%", "Lengths beside what is usual for age and sex"
    else:
        found = next(item for item in INDICATORS if item.key == finding.about)
        values = 100.0 * films.select(hit=found.condition.cast(pl.Float64))["hit"].to_numpy()
        unit, title = "% of films", f"Films {found.label}"
    rows = np.flatnonzero(there & np.isfinite(values))
    rows = rows[np.argsort(day[rows], kind="stable")]
    return Timeline(title, unit, day[rows], values[rows])
