"""What became of films, one by one and in sum."""

from __future__ import annotations

import msgspec

from cephstd.batch.register import Failure

STATUSES = ("done", "kept", "duplicate", "refused", "failed", "quarantined")
TROUBLES = ("failed", "quarantined")
"""Statuses of films that should have a record and have none."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one film of the plan.

    Attributes
    ----------
    image_id, site : str
    status : str
        ``done`` (a record was made), ``kept`` (it was there), ``duplicate`` (another file of the plan has the same
        bytes), ``refused`` (no lateral cephalogram), ``failed``, or ``quarantined`` (it ended its process).
    record_digest, code, message, hint : str
    """

    image_id: str
    site: str
    status: str
    record_digest: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run.

    Attributes
    ----------
    films : int
        Of the plan.
    counts : dict of str to int
        Films by status.
    sites : dict of str to dict
        The same by site.
    seconds : float
    recovered : int
        Records that a crash of an earlier run had left out of the register.
    duplicates : tuple of tuple of str
        Films with equal pixels in different files.
    records : int
        In the folder, the superseded ones among them.
    """

    films: int
    counts: dict[str, int]
    sites: dict[str, dict[str, int]]
    seconds: float
    recovered: int
    duplicates: tuple[tuple[str, ...], ...]
    records: int

    @property
    def troubles(self) -> int:
        """Films that should have a record and have none."""
        return sum(self.counts[status] for status in TROUBLES)


def outcome_of(failure: Failure) -> Outcome:
    """A failure as what became of its film."""
    names = ("image_id", "site", "status", "code", "message", "hint")
    return Outcome(**{name: getattr(failure, name) for name in names})
