from __future__ import annotations

import pytest

from cephstd.errors import InputError
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.historian import trace
from cephstd.pipeline.reviewer import amend, review

WHO = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review", "at": "2025-04-17T08:00:00Z"}


@pytest.fixture
def chain(film_file, recipe, oracle):
    first = Analyzer(recipe)(film_file, created="2025-04-16T09:30:00Z").record
    second = amend(first, {"S": (70, 100)}, reason="why", **WHO)
    return first, second, review(second, "accept", **WHO)


def test_records_stand_in_order_whatever_the_order_given(chain):
    found = trace(reversed(chain))
    assert found.records == chain
    assert found.superseded == {chain[0].record_digest, chain[1].record_digest}
    assert (found.missing, found.forks) == ((), ())


def test_what_is_named_and_not_given_is_missing(chain):
    found = trace([chain[2]])
    assert set(found.missing) == {chain[0].record_digest, chain[1].record_digest}
    assert found.superseded == frozenset()


def test_two_successors_of_one_record_are_a_fork(chain):
    other = amend(chain[0], {"S": (71, 100)}, reason="why", **WHO)
    assert trace([*chain, other]).forks == (chain[0].record_digest,)


def test_records_of_two_films_are_refused(chain, pixels, recipe, oracle):
    other = Analyzer(recipe)(pixels, created="2025-04-16T09:30:00Z").record
    with pytest.raises(InputError, match="one film"):
        trace([chain[0], other])
    with pytest.raises(InputError, match="one film"):
        trace([])
