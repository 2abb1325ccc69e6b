"""How far a record has come in review: what exports say as preliminary, final, verified or amended."""

from __future__ import annotations

from dataclasses import dataclass

from cephstd.core.landmarks import Landmark
from cephstd.core.record import Content
from cephstd.core.trail import ReviewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What people have decided on a record.

    Attributes
    ----------
    is_final : bool
        True when a person has decided on every point that has a position, and has not rejected the record as a whole.
    verified : ReviewEvent or None
        The acceptance of the whole record that is the last word on a final one.
    is_amended : bool
        True when a person has changed a point or decided otherwise than the record before.
    is_rejected : bool
        True when the last word rejects the whole record.
    reviewers : tuple of ReviewEvent
        The last decision of each person, in order.
    """

    is_final: bool
    verified: ReviewEvent | None
    is_amended: bool
    is_rejected: bool
    reviewers: tuple[ReviewEvent, ...]


def find_standing(content: Content) -> Standing:
    """Standing of a record's content.

    Parameters
    ----------
    content : Content

    Returns
    -------
    Standing
        A record that nobody has reviewed is not final, also when a person placed its points.
    """
    last = content.trail[-1] if content.trail else None
    rejected = last is not None and last.decision == "reject" and last.whole
    decided = all(mark.review in ("accepted", "rejected") for mark in content.landmarks if mark.is_present)
    final = bool(content.trail) and decided and not rejected
    accepted = final and last is not None and last.decision == "accept" and last.whole
    by_person = {event.reviewer: event for event in content.trail}
    return Standing(
        is_final=final,
        verified=last if accepted else None,
        is_amended=any(event.decision == "amend" for event in content.trail),
        is_rejected=rejected,
        reviewers=tuple(by_person.values()),
    )


def is_exported(mark: Landmark) -> bool:
    """Whether a point leaves with its position; one that a person rejected does not, as nobody is to use it."""
    return mark.is_present and mark.review != "rejected"


def absence_of(mark: Landmark) -> str:
    """Why a point leaves without a position."""
    if mark.review == "rejected":
        return f"rejected by a person: {mark.reason}" if mark.reason else "rejected by a person"
    return mark.reason
