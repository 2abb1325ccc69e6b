"""Which norm sets are in use where, and a site that uses others than its fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import polars as pl

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.census import Census
from cephstd.fleet.effects import MIN_FILMS, MIN_PLACES
from cephstd.fleet.findings import LISTED_FILMS, FleetFinding

NONE = "none"


def count_norms(census: Census) -> pl.DataFrame:
    """Columns site, norm_sets, films, first and last day."""
    return (
        census.films.group_by(SITE_COLUMN, pl.col("norm_sets").fill_null(NONE))
        .agg(films=pl.len(), first=pl.col("day").min(), last=pl.col("day").max())
        .sort(SITE_COLUMN, "films", descending=[False, True])
    )


def find_norms(census: Census) -> Iterator[FleetFinding]:
    """A finding for each site and set that is not the one that more than half of the sites use for most films."""
    counts = count_norms(census)
    main = counts.group_by(SITE_COLUMN, maintain_order=True).first()
    usual, sites = Counter(main["norm_sets"].to_list()).most_common(1)[0]
    if len(main) < MIN_PLACES or 2 * sites <= len(main) or usual == NONE:
        return
    totals = dict(census.films.group_by(SITE_COLUMN).len().iter_rows())
    for site, sets, films, first, last in counts.iter_rows():
        if sets == usual or films < MIN_FILMS:
            continue
        behind = census.films.filter((pl.col(SITE_COLUMN) == site) & (pl.col("norm_sets").fill_null(NONE) == sets))
        part = films < totals[site] and first is not None
        when = f" between {first} and {last}" if part else ""
        twin = {line.rpartition(" ")[0] for line in sets.splitlines()} & {
            line.rpartition(" ")[0] for line in usual.splitlines()
        }
        same = " Name and version are the same, the numbers are not: the digest differs." if twin else ""
        yield FleetFinding(
            kind="norms",
            level="act",
            subject=site,
            about=", ".join(sets.splitlines()),
            sentence=f"{site} compares {films} of {totals[site]} films with {_call(sets)}{when}; {sites} of "
            f"{len(main)} sites use {_call(usual)}.{same}",
            advice="Ask who chose these norms and for which patients; the choice of a population is a person's.",
            effect=10.0 * films / totals[site],
            film_count=films,
            films=tuple(behind["image_id"].head(LISTED_FILMS).to_list()),
            since=str(first) if part else "",
            numbers={"films": films, "of": totals[site], "sites_with_the_usual": sites, "sites": len(main)},
        )


def _call(sets: str) -> str:
    return "no norms" if sets == NONE else "the norms " + " and ".join(sets.splitlines())
