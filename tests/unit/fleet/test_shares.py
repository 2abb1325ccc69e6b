from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cephstd.fleet.rates import discover
from cephstd.fleet.shares import LATE_DAYS, count_shares, weigh


def table(hits, of):
    return pl.DataFrame({"site": [f"s{place}" for place in range(len(hits))], "hits": hits, "of": of})


def test_a_small_site_needs_a_larger_share_than_a_big_one():
    part = weigh("k", "odd", "site", table([20, 20, 20, 20, 12, 120], [400, 400, 400, 400, 100, 1000]))
    assert discover(part.p_values).tolist() == [False] * 5 + [True]
    low, high = part.limits(np.array([100.0, 1000.0]), 0.002)
    assert high[0] > 0.12 > high[1]
    assert low[0] < low[1] < part.expected == pytest.approx(0.05)


def test_fewer_than_thirty_films_are_not_judged():
    part = weigh("k", "odd", "site", table([2, 2, 2, 20], [100, 100, 100, 20]))
    assert np.isnan(part.p_values[3])


def test_what_many_sites_do_differently_is_natural():
    hits = [40, 100, 160, 220, 280, 340]
    assert not discover(weigh("k", "odd", "site", table(hits, [400] * 6)).p_values).any()


def test_every_share_of_the_census_is_counted(comparison):
    keys = {(part.key, part.by) for part in comparison.shares}
    wanted = {("failed", "site"), ("refused", "site"), ("policy:baseline.scale", "site"), ("correction:A", "site")}
    wanted |= {(key, "place") for key in ("non_diagnostic", "uncalibrated", "outside_use", "undated", "unreviewed")}
    assert wanted <= keys
    # nobody signs in this fleet, so that no site stands out for it
    assert ("unsigned", "site") not in keys
    films = comparison.census.films
    part = next(part for part in comparison.shares if (part.key, part.by) == ("non_diagnostic", "site"))
    for site, hits, of in zip(part.groups, part.hits, part.of, strict=True):
        rows = films.filter(pl.col("site") == site)
        assert (hits, of) == ((rows["quality"] == "non-diagnostic").sum(), len(rows))


def test_late_reviews_and_unsigned_ones_are_counted(comparison):
    import dataclasses

    films = comparison.census.films
    late = films.with_columns(
        signed_at=pl.when(pl.col("site") != "Elm").then(pl.col("reviewed_at")),
        reviewed_on=pl.when(pl.col("site") == "Elm")
        .then(pl.col("reviewed_on") + pl.duration(days=LATE_DAYS))
        .otherwise(pl.col("reviewed_on")),
    )
    census = dataclasses.replace(comparison.census, films=late)
    parts = {(part.key, part.by): part for part in count_shares(census)}
    for key in ("unsigned", "late"):
        part = parts[key, "site"]
        assert part.shares[part.groups.index("Elm")] == 1.0
        assert np.delete(part.shares, part.groups.index("Elm")).max() == 0.0
