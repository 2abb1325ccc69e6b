"""The append-only log of record digests: append, prove, checkpoint, bury, audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from cephstd.audit import merkle
from cephstd.audit.checkpoints import (
    Checkpoint,
    ConsistencyProof,
    Entry,
    InclusionProof,
    check_checkpoint,
    check_tombstone,
    read_checkpoint,
    sign_checkpoint,
)
from cephstd.audit.envelope import Envelope, decode_strictly
from cephstd.audit.keys import Signer
from cephstd.audit.log_store import LogStore, Row, Session
from cephstd.audit.recorder import format_time
from cephstd.audit.signer import Signatures, sign_tombstone
from cephstd.audit.trust import Trust
from cephstd.core.digest import PREFIX, canonical_bytes, digest_bytes
from cephstd.core.record import Record
from cephstd.errors import InputError, LogInconsistent

PAGE = 1024
"""Entries that an audit reads at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where an entry stands; `new` is false when the log had it already."""

    index: int
    entry: Entry
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAudit:
    """A log whose every entry and hash was recomputed and holds.

    Attributes
    ----------
    name : str
    size : int
    root : bytes
        Of the whole log.
    checkpoints : tuple of Checkpoint
        Those that were held against it.
    """

    name: str
    size: int
    root: bytes
    checkpoints: tuple[Checkpoint, ...]


class Ledger:
    """A log; any number of processes may use one at once.

    Parameters
    ----------
    where : str or path
        Path of an SQLite file, or a database URL.
    name : str, optional
        The log's name; with it, an absent log is made.

    Raises
    ------
    InputError
        When the URL is none, or the log has another name.
    RecordError
        When there is no log and no name for a new one, or the database cannot be reached.
    """

    def __init__(self, where: str | Path, *, name: str | None = None) -> None:
        self._store = LogStore(where, name=name)
        self.name = self._store.name

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._store.close()

    @property
    def size(self) -> int:
        """Number of entries."""
        with self._store.reading() as session:
            return session.head()[1]

    def append(
        self, records: Iterable[Record | tuple[Record, Signatures]], *, at: datetime | str
    ) -> tuple[Appended, ...]:
        """Append records, each with its signatures where it has some, in one transaction: all or none.

        Parameters
        ----------
        records : iterable of Record or (Record, Signatures)
        at : datetime or str
            When, from the caller's clock; a claim, since the order of entries and the times of checkpoints do not rest
            on it.

        Returns
        -------
        tuple of Appended
            In the given order; what the log has already, with the same signatures, is not appended again.

        Raises
        ------
        InputError
            When the time has no zone.
        RecordError
            When the database cannot be used.
        """
        when = format_time(at)
        entries = []
        for item in records:
            sealed, signatures = item if isinstance(item, tuple) else (item, None)
            entries.append(
                Entry(
                    kind="record",
                    record_digest=sealed.record_digest,
                    file_sha256=digest_bytes(sealed.data),
                    envelope=signatures.envelope.digest if signatures else "",
                    at=when,
                )
            )
        return self._append(entries, {})

    def bury(
        self, record_digest: str, *, reason: str, authority: str, signers: Iterable[Signer], at: datetime | str
    ) -> Appended:
        """Note in the log that a record was destroyed, and why: a signed tombstone. The digest stays.

        Parameters
        ----------
        record_digest : str
            Of a record in the log.
        reason, authority : str
            Why, and by whose decision or which law; never empty.
        signers : iterable of Signer
            Keys of the log.
        at : datetime or str
            When, from the caller's clock.

        Raises
        ------
        InputError
            When the record is not in the log, has a tombstone, or reason or authority is empty.
        RecordError
            When the database cannot be used.
        """
        found = self.find(record_digest)
        if not found or found[-1].entry.kind == "tombstone":
            what = "it has a tombstone" if found else "it is not in the log"
            raise InputError(f"Expected a record of the log to bury, found {record_digest!r:.90}: {what}.")
        if not reason or not authority:
            raise InputError("Expected a reason and an authority for the destruction, found nothing.")
        statement = sign_tombstone(
            found[-1].entry.file_sha256,
            record_digest=record_digest,
            reason=reason,
            authority=authority,
            signers=signers,
            at=at,
        )
        entry = Entry(
            kind="tombstone",
            record_digest=record_digest,
            file_sha256=found[-1].entry.file_sha256,
            envelope=statement.digest,
            at=format_time(at),
        )
        (appended,) = self._append([entry], {statement.digest: canonical_bytes(statement)})
        return appended

    def find(self, record_digest: str) -> tuple[Appended, ...]:
        """Entries of a record, in order; the last one is a tombstone when the record was destroyed."""
        with self._store.reading() as session:
            return tuple(_stored(row) for row in session.find([record_digest]))

    def checkpoint(self, signers: Iterable[Signer], *, at: datetime | str) -> Envelope:
        """The signed state of the log now. Hand it to somebody else: only a copy outside shows what happens inside.

        Raises
        ------
        InputError
            When there is no signer, or the time has no zone.
        SignatureInvalid
            When a signer's callback gives no signature of its key.
        """
        with self._store.reading() as session:
            name, size = session.head()
            digest = _root(session, size)
        return sign_checkpoint(name, size, digest, signers, at=at)

    def prove(self, record_digest: str, checkpoint: Envelope) -> InclusionProof:
        """Proof that a record's latest entry is in the log of `checkpoint`.

        Raises
        ------
        InputError
            When that log has no such record.
        LogInconsistent
            When this log is not the one of the checkpoint, or was changed since.
        """
        stated = read_checkpoint(checkpoint)
        with self._store.reading() as session:
            self._check_reach(session, stated)
            rows = [row for row in session.find([record_digest]) if row.position < stated.size]
            if not rows:
                raise InputError(f"The log of {stated.size} entries does not hold {record_digest!r:.90}.")
            index = rows[-1].position
            lookup = _lookup(session.nodes(merkle.ranges_needed(index, stated.size)))
            path = merkle.inclusion_path(index, stated.size, lookup)
        entry = _stored(rows[-1]).entry
        merkle.check_inclusion(merkle.hash_leaf(entry.to_bytes()), index, stated.size, path, stated.root_hash)
        return InclusionProof(entry=entry, index=index, path=_texts(path), checkpoint=checkpoint)

    def prove_continuation(self, first: Envelope, second: Envelope) -> ConsistencyProof:
        """Proof that the log of `first` is the beginning of that of `second`.

        Raises
        ------
        InputError
            When the first is empty or the later one.
        LogInconsistent
            When this log is not the one of the checkpoints, or was changed since.
        """
        early, late = read_checkpoint(first), read_checkpoint(second)
        with self._store.reading() as session:
            self._check_reach(session, late)
            path = merkle.consistency_path(early.size, late.size, lambda *node: _lookup(session.nodes([node]))(*node))
        merkle.check_consistency(early.size, late.size, early.root_hash, late.root_hash, path)
        return ConsistencyProof(first=first, second=second, path=_texts(path))

    def check(self, checkpoints: Iterable[Envelope], trust: Trust | None = None) -> tuple[Checkpoint, ...]:
        """Hold checkpoints that were kept elsewhere against the stored hashes; `audit` recomputes these too.

        Raises
        ------
        SignatureInvalid
            When `trust` is given and a checkpoint is not signed by a trusted key of the log.
        LogInconsistent
            When the log is shorter than a checkpoint says, or another: truncated, rewritten, reordered or forked.
        """
        with self._store.reading() as session:
            return self._check(session, checkpoints, trust)

    def audit(self, checkpoints: Iterable[Envelope] = (), trust: Trust | None = None) -> LogAudit:
        """Read every entry, recompute every hash, and hold checkpoints against the result.

        Raises
        ------
        SignatureInvalid
            When `trust` is given and a checkpoint or tombstone is not signed by a trusted key of the log.
        LogInconsistent
            When something stored is not what it was, out of order, or twice.
        RecordError
            When the database cannot be used.
        """
        with self._store.reading() as session:
            name, size = session.head()
            self._audit_rows(session, size, trust)
            entries, nodes = session.counts()
            if (entries, nodes) != (size, sum(size >> level for level in range(size.bit_length()))):
                raise LogInconsistent(f"The log of {size} entries has {entries} entries and {nodes} hashes stored.")
            checked = self._check(session, checkpoints, trust)
            return LogAudit(name=name, size=size, root=_root(session, size), checkpoints=checked)

    def _audit_rows(self, session: Session, size: int, trust: Trust | None) -> None:
        seen: set[tuple[str, str, str]] = set()
        buried: dict[str, bool] = {}
        for first in range(0, size, PAGE):
            end = min(first + PAGE, size)
            rows = session.rows(first, end)
            if [row.position for row in rows] != list(range(first, end)):
                raise LogInconsistent(f"Entries between {first} and {end} are missing.")
            for row in rows:
                entry = _stored(row).entry
                key = (entry.kind, entry.record_digest, entry.envelope)
                if key != (row.kind, row.record_digest, row.envelope) or key in seen:
                    raise LogInconsistent(f"Entry {row.position} is stored twice or under another name.")
                seen.add(key)
                if buried.setdefault(entry.record_digest, False):
                    raise LogInconsistent(f"Entry {row.position} is of a record that has a tombstone.")
                if entry.kind == "tombstone":
                    _check_statement(row, entry, trust)
                    buried[entry.record_digest] = True
                elif row.statement is not None:
                    raise LogInconsistent(f"Entry {row.position} is no tombstone and has the statement of one.")
            leaves = [merkle.hash_leaf(row.data) for row in rows]
            grown = dict(merkle.grow(first, leaves, lambda *node: _lookup(session.nodes([node]))(*node)))
            stored: dict[merkle.Node, bytes] = {}
            for level in range(end.bit_length()):
                stored |= session.node_span(level, first >> level, end >> level)
            if grown != stored:
                raise LogInconsistent(f"The hashes over entries {first} to {end} are not those of the entries.")

    def _check(self, session: Session, checkpoints: Iterable[Envelope], trust: Trust | None) -> tuple[Checkpoint, ...]:
        checked = []
        for envelope in checkpoints:
            stated = check_checkpoint(envelope, trust)[0] if trust else read_checkpoint(envelope)
            self._check_reach(session, stated)
            if _root(session, stated.size) != stated.root_hash:
                raise LogInconsistent(
                    f"The first {stated.size} entries are not those of the checkpoint of {stated.at}: "
                    "the log was rewritten, reordered or forked."
                )
            checked.append(stated)
        return tuple(checked)

    def _check_reach(self, session: Session, stated: Checkpoint) -> None:
        name, size = session.head()
        if stated.log != name:
            raise LogInconsistent(f"The checkpoint is of the log {stated.log!r}, this is {name!r}.")
        if stated.size > size:
            raise LogInconsistent(
                f"The checkpoint of {stated.at} has {stated.size} entries, the log {size}: truncated."
            )

    def _append(self, entries: Sequence[Entry], statements: dict[str, bytes]) -> tuple[Appended, ...]:
        with self._store.writing() as session:
            size = session.head()[1]
            known = {
                (row.record_digest, row.kind, row.envelope): _stored(row)
                for row in session.find({entry.record_digest for entry in entries})
            }
            appended: list[Appended] = []
            rows: list[Row] = []
            for entry in entries:
                key = (entry.record_digest, entry.kind, entry.envelope)
                if key not in known:
                    position = size + len(rows)
                    known[key] = Appended(index=position, entry=entry, new=False)
                    rows.append(_row(position, entry, statements.get(entry.envelope)))
                    appended.append(Appended(index=position, entry=entry, new=True))
                else:
                    appended.append(known[key])
            if rows:
                frontier = _lookup(session.nodes(merkle.complete_nodes(0, size)))
                nodes = dict(merkle.grow(size, [merkle.hash_leaf(row.data) for row in rows], frontier))
                session.add(rows, nodes, size)
            return tuple(appended)


def _row(position: int, entry: Entry, statement: bytes | None) -> Row:
    return Row(
        position=position,
        kind=entry.kind,
        record_digest=entry.record_digest,
        envelope=entry.envelope,
        data=entry.to_bytes(),
        statement=statement,
    )


def _stored(row: Row) -> Appended:
    return Appended(index=row.position, entry=decode_strictly(row.data, Entry, "an entry of a log"), new=False)


def _root(session: Session, size: int) -> bytes:
    return merkle.root(size, _lookup(session.nodes(merkle.complete_nodes(0, size))))


def _lookup(nodes: dict[merkle.Node, bytes]) -> merkle.Lookup:
    def find(level: int, position: int) -> bytes:
        if (level, position) not in nodes:
            raise LogInconsistent(f"The log lacks the hash at level {level}, position {position}.")
        return nodes[level, position]

    return find


def _check_statement(row: Row, entry: Entry, trust: Trust | None) -> None:
    if row.statement is None or digest_bytes(row.statement) != entry.envelope:
        raise LogInconsistent(f"The statement of tombstone {row.position} is not the one that was logged.")
    check_tombstone(decode_strictly(row.statement, Envelope, "a tombstone"), entry, trust)


def _texts(path: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(PREFIX + digest.hex() for digest in path)
