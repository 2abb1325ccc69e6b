"""Puts the records of one film in order: which succeeds which, which is superseded, where the chain is broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cephstd.audit.verifier import verify
from cephstd.core.record import Record
from cephstd.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Records of one film, predecessors first.

    Attributes
    ----------
    records : tuple of Record
        Each once; a successor after its predecessor.
    superseded : frozenset of str
        Digests of those that another given record names as its predecessor.
    missing : tuple of str
        Digests that a record or its trail names and that were not given.
    forks : tuple of str
        Digests with more than one successor: two persons went on from the same record.
    """

    records: tuple[Record, ...]
    superseded: frozenset[str]
    missing: tuple[str, ...]
    forks: tuple[str, ...]


def trace(records: Iterable[Record | bytes | str | Path]) -> History:
    """Order of the given records of one film, each verified.

    Parameters
    ----------
    records : iterable of Record, bytes or path
        In any order; one is enough.

    Returns
    -------
    History

    Raises
    ------
    InputError
        When they are of different films, or none is given.
    SchemaError, NotCanonicalError, DigestMismatch, VerificationError
        When one does not hold.
    """
    known = {sealed.record_digest: sealed for sealed in (verify(record).record for record in records)}
    if len({_film(sealed) for sealed in known.values()}) != 1:
        raise InputError("Expected records of one film, found none or records of several.")
    successors: dict[str, list[str]] = {}
    for digest, sealed in known.items():
        if sealed.content.previous is not None:
            successors.setdefault(sealed.content.previous, []).append(digest)
    reviewed = [event.reviewed for sealed in known.values() for event in sealed.content.reviews]
    return History(
        records=tuple(sorted(known.values(), key=lambda sealed: (_depth(sealed, known), sealed.run.created))),
        superseded=frozenset(known.keys() & successors.keys()),
        missing=tuple(dict.fromkeys(digest for digest in (*successors, *reviewed) if digest not in known)),
        forks=tuple(digest for digest, after in successors.items() if len(after) > 1),
    )


def _film(sealed: Record) -> str:
    return sealed.content.source.file_sha256 or sealed.content.source.pixel_sha256


def _depth(sealed: Record, known: dict[str, Record]) -> int:
    """Number of known predecessors; digests cannot form a circle."""
    depth, before = 0, sealed.content.previous
    while before is not None and before in known:
        depth, before = depth + 1, known[before].content.previous
    return depth
