"""A comparison as plain data: what the report shows, and what ``--json`` writes."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import polars as pl

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.comparison import Comparison
from cephstd.fleet.corrections import mean_vectors
from cephstd.fleet.norm_use import count_norms

SCHEMA = "cephstd.fleet/1"


def list_facts(comparison: Comparison) -> dict[str, Any]:
    """Everything that was counted and compared, ready for JSON; what could not be obtained is None.

    Returns
    -------
    dict
        schema; films, sites; findings; places (volume, first and last day, by site and device); bases (films by site
        and basis of the scale); shares (by indicator and group, with control limits at p = 0.002); measures (by
        measure and place: n, median, spread, shift, standard error, p values, distance); reviewers (by landmark:
        reviewed, corrected, vectors); corrections (mean vector by site and landmark); norms; notes.
    """
    census = comparison.census
    return {
        "schema": SCHEMA,
        "films": len(census.films),
        "sites": census.films[SITE_COLUMN].n_unique(),
        "findings": [{"rank": place, **msgspec.to_builtins(one)} for place, one in enumerate(comparison.findings, 1)],
        "places": _rows(count_places(census.films)),
        "bases": _rows(count_bases(census.films)),
        "shares": list(_shares(comparison)),
        "measures": list(_measures(comparison)),
        "reviewers": [_habit(habit) for habit in comparison.habits],
        "corrections": mean_vectors(census).sort("landmark", SITE_COLUMN).to_dicts(),
        "norms": _rows(count_norms(census)),
        "notes": list(comparison.notes),
    }


def count_places(films: pl.DataFrame) -> pl.DataFrame:
    """Films by site and device with the first and the last day."""
    return (
        films.group_by(SITE_COLUMN, "device")
        .agg(films=pl.len(), first=pl.col("day").min(), last=pl.col("day").max())
        .sort(SITE_COLUMN, "device")
    )


def count_bases(films: pl.DataFrame) -> pl.DataFrame:
    """Films by site and basis of the scale."""
    return (
        films.group_by(SITE_COLUMN, pl.col("calibration_basis").fill_null("unknown"))
        .agg(films=pl.len())
        .sort(SITE_COLUMN, "calibration_basis")
    )


def _rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    return table.with_columns(pl.col(pl.Date).dt.to_string("iso")).to_dicts()


def _shares(comparison: Comparison) -> Any:
    for part in comparison.shares:
        low, high = part.limits(part.of, 0.002)
        for place, group in enumerate(part.groups):
            yield {
                "indicator": part.key,
                "by": part.by,
                "group": group,
                "hits": int(part.hits[place]),
                "of": int(part.of[place]),
                "share": number(part.shares[place]),
                "expected": number(part.expected),
                "low": number(low[place]),
                "high": number(high[place]),
            }


def _measures(comparison: Comparison) -> Any:
    units = dict(zip(comparison.census.measures, comparison.census.units, strict=True))
    for measure, effect in comparison.effects.items():
        for row, place in enumerate(comparison.layout.places.labels):
            columns = {
                "median": effect.medians,
                "spread": effect.spreads,
                "shift": effect.shifts,
                "standard_error": effect.errors,
                "p_shift": effect.p_shift,
                "p_ks": effect.p_ks,
                "wasserstein_in_spreads": effect.wasserstein,
                "spread_ratio": effect.spread_ratios,
            }
            yield {
                "measure": measure,
                "unit": units.get(measure, "log ratio"),
                "place": place,
                "n": int(effect.counts[row]),
                "spread_of_strata": number(effect.spread),
                **{name: number(values[row]) for name, values in columns.items()},
            }


def _habit(habit: Any) -> dict[str, Any]:
    return {
        "site": habit.site,
        "reviewer": habit.reviewer,
        "landmark": habit.landmark,
        "reviewed": habit.reviewed,
        "corrected": habit.corrected,
        "forward_mm": number(habit.forward_mm),
        "down_mm": number(habit.down_mm),
    }


def number(value: Any) -> float | None:
    """A float for JSON; None for what is no number."""
    return float(value) if math.isfinite(value) else None
