"""Shares of films per site and device, with the control limits of a funnel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.census import Census
from cephstd.fleet.rates import natural_spread, two_sided

LATE_DAYS = 30
"""Days from the record to its review beyond which a review is late."""
MIN_OF = 30
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A share that is counted.

    Attributes
    ----------
    key : str
    label : str
        What the films of the numerator are, such as ``failed``.
    either_way : bool
        False when only a higher share than the fleet's is worth a word.
    condition : Expr
        On the films; null leaves a film out of the denominator.
    """

    key: str
    label: str
    condition: pl.Expr
    either_way: bool = False


INDICATORS = (
    Indicator(key="non_diagnostic", label="non-diagnostic", condition=pl.col("quality") == "non-diagnostic"),
    Indicator(key="uncalibrated", label="without a scale", condition=pl.col("row_mm").is_null()),
    Indicator(key="outside_use", label="outside the intended use", condition=pl.col("outside_intended_use")),
    Indicator(key="undated", label="without a date", condition=pl.col("day").is_null()),
    Indicator(key="no_age", label="without an age", condition=pl.col("age_years").is_null()),
    Indicator(key="no_sex", label="without a sex", condition=pl.col("sex").is_null()),
    Indicator(key="flipped", label="mirrored, facing left", condition=pl.col("flipped"), either_way=True),
    Indicator(key="unreviewed", label="not reviewed", condition=pl.col("review").is_null()),
    Indicator(
        key="unsigned",
        label="reviewed and unsigned",
        condition=pl.when(pl.col("review").is_not_null()).then(pl.col("signed_at").is_null()),
    ),
    Indicator(
        key="late",
        label=f"reviewed later than {LATE_DAYS} days",
        condition=(pl.col("reviewed_on") - pl.col("created").str.slice(0, 10).str.to_date(strict=False)).dt.total_days()
        > LATE_DAYS,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """One indicator at every group of films.

    Attributes
    ----------
    key, label : str
    by : str
        ``site`` or ``place``.
    groups : tuple of str
    hits, of : ndarray
        Numerators and denominators.
    expected : float
        The middle group's share.
    natural : float
        Spread between groups beyond chance, on the arcsine scale.
    p_values : ndarray
    """

    key: str
    label: str
    by: str
    groups: tuple[str, ...]
    hits: Floats
    of: Floats
    expected: float
    natural: float
    p_values: Floats
    either_way: bool

    @property
    def shares(self) -> Floats:
        """Hits over denominators; NaN of nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.hits / self.of)

    def limits(self, of: Floats, p_value: float) -> tuple[Floats, Floats]:
        """Control limits for groups of `of` films: lower and upper share at a two-sided p value."""
        z = float(stats.norm.isf(p_value / 2))
        centre = np.arcsin(np.sqrt(self.expected))
        reach = z * np.sqrt(1 / (4 * of) + self.natural**2)
        low, high = np.clip(centre - reach, 0, np.pi / 2), np.clip(centre + reach, 0, np.pi / 2)
        return np.sin(low) ** 2, np.sin(high) ** 2


def count_shares(census: Census) -> Iterator[Shares]:
    """Every share by site, and by place where films know it: films, failures, policy rules and corrections."""
    yield from _failures(census)
    present = {
        indicator.key: census.films.select(hit=indicator.condition)["hit"].drop_nulls().any()
        for indicator in INDICATORS
    }
    signed = bool(census.films["signed_at"].is_not_null().any())
    for indicator in INDICATORS:
        # where no site signs, an unsigned review is no deviation of a site
        if not present[indicator.key] or (indicator.key == "unsigned" and not signed):
            continue
        for by in (SITE_COLUMN, "place"):
            counted = (
                census.films.lazy()
                .group_by(by)
                .agg(hits=indicator.condition.sum(), of=indicator.condition.is_not_null().sum())
                .sort(by)
                .collect()
            )
            yield weigh(indicator.key, indicator.label, by, counted, either_way=indicator.either_way)
    yield from _policies(census)
    yield from _corrections(census)


def weigh(key: str, label: str, by: str, counted: pl.DataFrame, *, either_way: bool = False) -> Shares:
    """Shares of groups (columns: `by`, hits, of) beside what is expected of each, with p values."""
    hits, of = (counted[name].to_numpy().astype(np.float64) for name in ("hits", "of"))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(of >= MIN_OF, hits / of, np.nan)
        errors = 1 / (2 * np.sqrt(of))
    expected = float(np.nanmedian(share)) if np.isfinite(share).any() else float("nan")
    angle = np.arcsin(np.sqrt(share))
    natural = natural_spread(angle, errors)
    z = (angle - np.arcsin(np.sqrt(expected))) / np.sqrt(errors**2 + natural**2)
    return Shares(
        key=key,
        label=label,
        by=by,
        groups=tuple(counted[by].to_list()),
        hits=hits,
        of=of,
        expected=expected,
        natural=natural,
        p_values=two_sided(z),
        either_way=either_way,
    )


def _failures(census: Census) -> Iterator[Shares]:
    made = census.films.group_by(SITE_COLUMN).agg(made=pl.len())
    lost = census.failures.group_by(SITE_COLUMN).agg(
        refused=(pl.col("status") == "refused").sum(), failed=(pl.col("status") != "refused").sum()
    )
    both = made.join(lost, on=SITE_COLUMN, how="full", coalesce=True).fill_null(0).sort(SITE_COLUMN)
    if not len(census.failures):
        return
    for key, label in (("failed", "failed"), ("refused", "refused, no lateral cephalogram")):
        counted = both.select(SITE_COLUMN, hits=pl.col(key), of=pl.col("made") + pl.col("refused") + pl.col("failed"))
        yield weigh(key, label, SITE_COLUMN, counted)


def _policies(census: Census) -> Iterator[Shares]:
    judged = census.policies.filter(pl.col("status").is_in(["pass", "fail"]))
    for (policy, rule), rows in sorted(judged.group_by("policy", "rule"), key=lambda item: str(item[0])):
        counted = rows.group_by(SITE_COLUMN).agg(hits=(pl.col("status") == "fail").sum(), of=pl.len()).sort(SITE_COLUMN)
        yield weigh(f"policy:{policy}.{rule}", f"failing the rule {rule} of {policy}", SITE_COLUMN, counted)


def _corrections(census: Census) -> Iterator[Shares]:
    reviewed = census.films.group_by(SITE_COLUMN).agg(of=pl.col("review").is_not_null().sum()).sort(SITE_COLUMN)
    # a point that was moved before the film was analysed anew is no correction of this record
    site = census.films.with_row_index("film").filter(pl.col("review").is_not_null()).select("film", SITE_COLUMN)
    moved = census.corrections.join(site, on="film").group_by("landmark", SITE_COLUMN).agg(hits=pl.len())
    for (landmark,), rows in sorted(moved.group_by("landmark"), key=lambda item: str(item[0])):
        counted = reviewed.join(rows.drop("landmark"), on=SITE_COLUMN, how="left").fill_null(0).sort(SITE_COLUMN)
        yield weigh(f"correction:{landmark}", f"with {landmark} corrected", SITE_COLUMN, counted, either_way=True)
