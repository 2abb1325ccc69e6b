from __future__ import annotations

import dataclasses

import polars as pl

from cephstd.fleet.norm_use import count_norms, find_norms

SAME_NAME = "steiner 1.0.0 sha256:999999999999"


def with_norms(comparison, expression):
    return dataclasses.replace(comparison.census, films=comparison.census.films.with_columns(norm_sets=expression))


def test_other_numbers_under_one_name_are_told(comparison):
    sets = (
        pl.when(pl.col("site") == "Elm").then(pl.lit(SAME_NAME)).otherwise(pl.lit("steiner 1.0.0 sha256:111111111111"))
    )
    (finding,) = find_norms(with_norms(comparison, sets))
    assert finding.subject == "Elm"
    assert "the digest differs" in finding.sentence


def test_a_site_that_changed_is_told_with_its_days(comparison):
    late = (pl.col("site") == "Hill") & (pl.col("day") >= pl.date(2023, 6, 1))
    sets = pl.when(late).then(pl.lit("downs 1.0.0 x")).otherwise(pl.lit("steiner 1.0.0 y"))
    findings = list(find_norms(with_norms(comparison, sets)))
    assert [item.subject for item in findings] in ([], ["Hill"])
    if comparison.census.films.filter(pl.col("site") == "Hill")["day"].is_not_null().any():
        assert findings[0].since >= "2023-06-01"


def test_sites_that_all_choose_differently_are_no_finding(comparison):
    assert list(find_norms(with_norms(comparison, pl.col("site")))) == []
    assert list(find_norms(with_norms(comparison, pl.lit(None, pl.String)))) == []


def test_counts_by_site_and_set(comparison):
    assert count_norms(comparison.census)["films"].sum() == len(comparison.census.films)
