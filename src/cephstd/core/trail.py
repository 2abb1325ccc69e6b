"""The review trail of a record: who decided what on which points, when, why, and what was there before."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Literal

import msgspec

from cephstd.core.landmarks import Landmark

Decision = Literal["accept", "amend", "reject"]
Meaning = Literal["review", "approval", "responsibility", "authorship"]
Outcome = Literal["accepted", "supplemented", "rejected"]

OUTCOMES: MappingProxyType[Decision, Outcome] = MappingProxyType(
    {"accept": "accepted", "amend": "supplemented", "reject": "rejected"}
)
"""Decision -> what IHE AI Results Assessment calls its outcome."""


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One landmark before and after a decision; `before` is None where the record did not list it.

    Attributes
    ----------
    before : Landmark or None
        As the reviewed record has it: the machine's own, when nobody had touched it.
    after : Landmark
        As the successor has it.
    """

    before: Landmark | None
    after: Landmark


class ReviewEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One decision of one person on one record.

    Attributes
    ----------
    decision : str
        ``accept``, ``amend`` or ``reject``.
    whole : bool
        True when the decision was on the whole record, false when on the points of `changes` alone.
    reviewed : str
        ``record_digest`` of the record that the person had before them.
    changes : tuple of Change
        Every landmark that the decision changed.
    reason : str
        Why; never empty for ``amend`` and ``reject``.
    reviewer : str
        Identifier of the person at the caller.
    name, at, meaning : str
        Printed name, time (RFC 3339, UTC) and meaning, as 21 CFR 11.50(a) asks for them.
    role : str
        The person's role, e.g. ``"orthodontist"``.
    """

    decision: Decision
    whole: bool
    reviewed: str
    changes: tuple[Change, ...]
    reason: str
    reviewer: str
    name: str
    role: str
    meaning: Meaning
    at: str

    @property
    def outcome(self) -> Outcome:
        """What IHE AI Results Assessment calls this: ``accepted``, ``supplemented`` or ``rejected``."""
        return OUTCOMES[self.decision]


def original_landmarks(trail: Iterable[ReviewEvent]) -> dict[str, Landmark | None]:
    """Each landmark that a person changed, as it was before anybody did; None where nothing was listed."""
    originals: dict[str, Landmark | None] = {}
    for event in trail:
        for change in event.changes:
            originals.setdefault(change.after.id, change.before)
    return originals
