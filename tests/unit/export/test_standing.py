from __future__ import annotations

from exported_records import ACCEPTED, WHO, accept

import cephstd as cs
from cephstd.export.standing import absence_of, find_standing, is_exported

LATER = "2025-04-18T08:00:00Z"


def test_record_that_nobody_reviewed_is_preliminary(found: cs.Record) -> None:
    standing = find_standing(found.content)
    assert not standing.is_final
    assert standing.verified is None
    assert standing.reviewers == ()


def test_accepting_everything_verifies(found: cs.Record) -> None:
    standing = find_standing(accept(found).content)
    assert standing.is_final
    assert standing.verified is not None
    assert standing.verified.name == "A. Reader"
    assert not standing.is_amended


def test_accepting_some_points_leaves_it_preliminary(found: cs.Record) -> None:
    some = cs.review(found, "accept", points=["S", "N"], meaning="review", at=ACCEPTED, **WHO)
    assert not find_standing(some.content).is_final


def test_what_is_amended_after_the_acceptance_is_not_verified(found: cs.Record) -> None:
    moved = cs.amend(accept(found), {"S": (301.0, 401.0)}, reason="unsharp", meaning="review", at=LATER, **WHO)
    standing = find_standing(moved.content)
    assert standing.is_final  # the person who moved it stands for it
    assert standing.is_amended
    assert standing.verified is None


def test_rejected_record_is_never_final(found: cs.Record) -> None:
    rejected = cs.review(found, "reject", reason="another person's film", meaning="review", at=ACCEPTED, **WHO)
    standing = find_standing(rejected.content)
    assert standing.is_rejected
    assert not standing.is_final
    mark = rejected.content.landmarks[0]
    assert not is_exported(mark)
    assert absence_of(mark) == "rejected by a person: another person's film"
