from __future__ import annotations

import polars as pl
import pytest

from cephstd.fleet.findings import Places
from cephstd.fleet.share_findings import explain_shares
from cephstd.fleet.shares import weigh

SITES = ["Ashford", "Brook", "Cedar", "Dale", "Elm", "Ford", "Grove", "Hill"]


def part(key, hits, *, either_way=False):
    counted = pl.DataFrame({"site": SITES, "hits": hits, "of": [400] * len(SITES)})
    return weigh(key, "odd", "site", counted, either_way=either_way)


@pytest.fixture
def tell(comparison):
    places = Places(comparison.census.films)

    def run(*shares, corrections=()):
        return list(explain_shares(comparison.census, places, shares, corrections))

    return run


def test_more_is_told_and_less_only_where_it_matters_either_way(tell):
    more, less = [20] * 7 + [90], [100] * 7 + [20]
    (finding,) = tell(part("failed", more))
    assert (finding.subject, finding.about) == ("Hill", "failed")
    assert "22 % of films are odd (90 of 400)" in finding.sentence
    assert tell(part("failed", less)) == []
    assert [item.subject for item in tell(part("refused", less, either_way=True))] == ["Hill"]


def test_a_certain_difference_that_is_small_is_not_told(tell):
    assert tell(part("failed", [2] * 7 + [18])) == []


def test_a_correction_rate_that_a_reviewer_explains_is_left_out(tell, comparison):
    (habit,) = (item for item in comparison.findings if item.kind == "correction")
    site = habit.subject.partition(" at ")[2]
    rates = part("correction:A", [160 if name == site else 40 for name in SITES], either_way=True)
    assert [item.subject for item in tell(rates)] == [site]
    assert tell(rates, corrections=[habit]) == []
