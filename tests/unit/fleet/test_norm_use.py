from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from cephstd.fleet.norm_use import count_norms, find_norms

USUAL, SAME_NAME = "steiner 1.0.0 sha256:111111111111", "steiner 1.0.0 sha256:999999999999"


@pytest.fixture
def with_norms(comparison):
    """The census with other norm sets, by an expression on the films."""

    def change(expression):
        return dataclasses.replace(comparison.census, films=comparison.census.films.with_columns(norm_sets=expression))

    return change


def test_other_numbers_under_one_name_are_told(with_norms):
    sets = pl.when(pl.col("site") == "Elm").then(pl.lit(SAME_NAME)).otherwise(pl.lit(USUAL))
    (finding,) = find_norms(with_norms(sets))
    assert finding.subject == "Elm"
    assert "the digest differs" in finding.sentence


def test_a_site_that_changed_is_told_with_its_days(with_norms, comparison):
    site = comparison.census.films.filter(pl.col("day").is_not_null())["site"][0]
    late = (pl.col("site") == site) & (pl.col("day") >= pl.date(2023, 6, 1))
    (finding,) = find_norms(with_norms(pl.when(late).then(pl.lit("downs 1.0.0 x")).otherwise(pl.lit(USUAL))))
    assert finding.subject == site
    assert "2023-06-01" <= finding.since < "2023-08-01"
    assert f"between {finding.since} and" in finding.sentence


def test_sites_that_all_choose_differently_are_no_finding(with_norms):
    assert list(find_norms(with_norms(pl.col("site")))) == []
    assert list(find_norms(with_norms(pl.lit(None, pl.String)))) == []


def test_counts_by_site_and_set(comparison):
    assert count_norms(comparison.census)["films"].sum() == len(comparison.census.films)
