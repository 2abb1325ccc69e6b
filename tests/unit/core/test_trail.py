from __future__ import annotations

import msgspec
import pytest

from cephstd.core.landmarks import place_landmark
from cephstd.core.trail import Change, ReviewEvent, original_landmarks

MACHINE = place_landmark("S", 1, 2, state="detected")
FIRST = place_landmark("S", 3, 4, state="moved", review="accepted")
SECOND = place_landmark("S", 5, 6, state="moved", review="accepted")
ADDED = place_landmark("N", 7, 8)


def event(*changes: Change, decision="amend") -> ReviewEvent:
    return ReviewEvent(
        decision=decision,
        whole=False,
        reviewed="sha256:" + "0" * 64,
        changes=changes,
        reason="why",
        reviewer="17",
        name="A. Reader",
        role="orthodontist",
        meaning="review",
        at="2025-04-16T09:30:00Z",
    )


def test_original_is_what_stood_before_the_first_change():
    trail = (
        event(Change(before=MACHINE, after=FIRST)),
        event(Change(before=FIRST, after=SECOND), Change(before=None, after=ADDED)),
    )
    assert original_landmarks(trail) == {"S": MACHINE, "N": None}


@pytest.mark.parametrize(
    ("decision", "outcome"), [("accept", "accepted"), ("amend", "supplemented"), ("reject", "rejected")]
)
def test_decision_has_the_outcome_of_ihe(decision, outcome):
    assert event(decision=decision).outcome == outcome


def test_meaning_is_of_the_closed_list():
    plain = msgspec.to_builtins(event()) | {"meaning": "looked at it"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, ReviewEvent)
