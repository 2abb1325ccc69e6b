"""What a log shows of itself without its database: entries, signed checkpoints, proofs. Checked by anybody, offline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from cephstd.audit import merkle
from cephstd.audit.consistency import DIGEST, is_utc_time
from cephstd.audit.envelope import Envelope, check_base64, check_signature, decode_strictly, wrap
from cephstd.audit.keys import Signer
from cephstd.audit.recorder import format_time
from cephstd.audit.signer import TOMBSTONE, read_statement
from cephstd.audit.trust import Trust
from cephstd.core.digest import PREFIX, canonical_bytes
from cephstd.errors import LogInconsistent, NotCanonicalError, SchemaError, SignatureInvalid

CHECKPOINT_TYPE = "application/vnd.cephstd.checkpoint+json"


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the log holds of one record: digests, never the record.

    Attributes
    ----------
    kind : str
        ``record``, or ``tombstone``: the record of that digest was destroyed.
    record_digest : str
        Of the record.
    file_sha256 : str
        Digest of the record's stored bytes.
    envelope : str
        Digest of the envelope of signatures that stood beside the record, or of the signed tombstone; empty when
        nothing was signed.
    at : str
        When it was appended, by the writer's clock; a claim.
    """

    kind: Literal["record", "tombstone"]
    record_digest: str
    file_sha256: str
    envelope: str = ""
    at: str

    def to_bytes(self) -> bytes:
        """Canonical bytes: the leaf's data."""
        return canonical_bytes(self)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole log at one moment, in one hash.

    Attributes
    ----------
    log : str
        The log's name.
    size : int
        Number of entries.
    root : str
        Root of the Merkle tree over them, ``sha256:...``.
    at : str
        When, by the clock of whoever signs; what is in the log existed then.
    """

    schema: Literal["cephstd.checkpoint/1"] = "cephstd.checkpoint/1"
    log: str
    size: int
    root: str
    at: str

    @property
    def root_hash(self) -> bytes:
        """The root's 32 bytes."""
        return parse_digest(self.root)


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That an entry is in the log of a checkpoint; it shows hashes of others and nothing else of them."""

    schema: Literal["cephstd.proof/1"] = "cephstd.proof/1"
    entry: Entry
    index: int
    path: tuple[str, ...]
    checkpoint: Envelope

    def to_bytes(self) -> bytes:
        """Canonical bytes (RFC 8785 JSON)."""
        return canonical_bytes(self)


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That the log of one checkpoint is the beginning of that of another."""

    schema: Literal["cephstd.consistency/1"] = "cephstd.consistency/1"
    first: Envelope
    second: Envelope
    path: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Canonical bytes (RFC 8785 JSON)."""
        return canonical_bytes(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An inclusion proof that holds.

    Attributes
    ----------
    entry : Entry
    index : int
        Its place in the log.
    checkpoint : Checkpoint
        Signed by a trusted key of the log.
    signer : str
        Whose key that is.
    """

    entry: Entry
    index: int
    checkpoint: Checkpoint
    signer: str


def sign_checkpoint(name: str, size: int, root: bytes, signers: Iterable[Signer], *, at: datetime | str) -> Envelope:
    """Sign the state of a log.

    Raises
    ------
    InputError
        When there is no signer, or the time has no zone.
    SignatureInvalid
        When a signer's callback gives no signature of its key.
    """
    checkpoint = Checkpoint(log=name, size=size, root=PREFIX + root.hex(), at=format_time(at))
    return wrap(canonical_bytes(checkpoint), CHECKPOINT_TYPE, signers)


def decode_envelope(data: bytes) -> Envelope:
    """Read a checkpoint's file; only its canonical form is taken.

    Raises
    ------
    SchemaError, NotCanonicalError
        When it holds something else, or the same in another form.
    """
    envelope = decode_strictly(data, Envelope, "a signed checkpoint")
    check_base64(envelope)
    return envelope


def decode_proof(data: bytes) -> InclusionProof:
    """Read an inclusion proof's file; only its canonical form is taken.

    Raises
    ------
    SchemaError, NotCanonicalError
        When it holds something else, or the same in another form.
    """
    proof = decode_strictly(data, InclusionProof, "an inclusion proof")
    check_base64(proof.checkpoint)
    return proof


def decode_consistency(data: bytes) -> ConsistencyProof:
    """Read a consistency proof's file; only its canonical form is taken.

    Raises
    ------
    SchemaError, NotCanonicalError
        When it holds something else, or the same in another form.
    """
    proof = decode_strictly(data, ConsistencyProof, "a consistency proof")
    check_base64(proof.first)
    check_base64(proof.second)
    return proof


def read_checkpoint(envelope: Envelope) -> Checkpoint:
    """The checkpoint inside an envelope; nothing of it is proven before a signature is checked.

    Raises
    ------
    SchemaError, NotCanonicalError
        When the payload is no checkpoint.
    """
    if envelope.kind != CHECKPOINT_TYPE:
        raise SchemaError(f"Expected a signed checkpoint, found {envelope.kind!r:.60}.")
    checkpoint = decode_strictly(envelope.raw, Checkpoint, "a checkpoint")
    if checkpoint.size < 0 or not DIGEST.match(checkpoint.root) or not is_utc_time(checkpoint.at):
        raise SchemaError("Expected a checkpoint with size, root and time, found other values.")
    return checkpoint


def check_checkpoint(envelope: Envelope, trust: Trust) -> tuple[Checkpoint, str]:
    """The checkpoint and whose trusted log key signed it.

    Raises
    ------
    SchemaError, NotCanonicalError
        When the envelope holds no checkpoint.
    SignatureInvalid
        When no key signed it that the reader trusts for logs, at the time that it names.
    """
    checkpoint = read_checkpoint(envelope)
    return checkpoint, _check_signers(envelope, trust, datetime.fromisoformat(checkpoint.at))


def _check_signers(envelope: Envelope, trust: Trust, at: datetime) -> str:
    """Name of the first trusted log key that signed; every signature of a known key must hold."""
    faults = []
    names = []
    for signature in envelope.signatures:
        if signature.keyid not in trust.keys:
            faults.append(f"key {signature.keyid[:19]} is not in the trust file")
            continue
        check_signature(envelope, signature.keyid, trust.public_key(signature.keyid))
        key = trust.keys[signature.keyid]
        fault = key.fault("log", at, None)
        if fault:
            faults.append(fault)
        else:
            names.append(key.name)
    if not names:
        raise SignatureInvalid(f"No trusted key of a log signed: {'; '.join(faults) or 'no signature'}.")
    return names[0]


def check_proof(proof: InclusionProof, trust: Trust) -> Logged:
    """Check an inclusion proof against its signed checkpoint.

    Raises
    ------
    SchemaError, NotCanonicalError, SignatureInvalid
        As for `check_checkpoint`.
    LogInconsistent
        When the proof does not lead from the entry to the checkpoint's root.
    """
    checkpoint, signer = check_checkpoint(proof.checkpoint, trust)
    leaf, path = merkle.hash_leaf(proof.entry.to_bytes()), [parse_digest(text) for text in proof.path]
    merkle.check_inclusion(leaf, proof.index, checkpoint.size, path, checkpoint.root_hash)
    return Logged(entry=proof.entry, index=proof.index, checkpoint=checkpoint, signer=signer)


def check_continuation(proof: ConsistencyProof, trust: Trust) -> tuple[Checkpoint, Checkpoint]:
    """Check that the log of the proof's first checkpoint is the beginning of that of its second.

    Raises
    ------
    SchemaError, NotCanonicalError, SignatureInvalid
        As for `check_checkpoint`.
    LogInconsistent
        When it is not, or they are of two logs.
    """
    (first, _), (second, _) = (check_checkpoint(envelope, trust) for envelope in (proof.first, proof.second))
    if first.log != second.log:
        raise LogInconsistent(f"The checkpoints are of two logs, {first.log!r} and {second.log!r}.")
    path = [parse_digest(text) for text in proof.path]
    merkle.check_consistency(first.size, second.size, first.root_hash, second.root_hash, path)
    return first, second


def parse_digest(text: str) -> bytes:
    """The 32 bytes of ``sha256:...``.

    Raises
    ------
    NotCanonicalError
        When the text is no digest.
    """
    if not DIGEST.match(text):
        raise NotCanonicalError(f"Expected a digest as sha256: and 64 hex digits, found {text!r:.80}.")
    return bytes.fromhex(text.removeprefix(PREFIX))


def check_tombstone(envelope: Envelope, entry: Entry, trust: Trust | None) -> dict[str, str]:
    """What a tombstone says: ``record_digest``, ``reason``, ``authority``, ``signed_at``.

    With `trust`, its signature by a trusted key of a log is checked.

    Raises
    ------
    SchemaError
        When the envelope holds no statement.
    LogInconsistent
        When it is about another record than its entry.
    SignatureInvalid
        When no trusted key signed it.
    """
    statement = read_statement(envelope)
    about = (statement.kind, PREFIX + statement.file_sha256, statement.predicate.get("record_digest"))
    if about != (TOMBSTONE, entry.file_sha256, entry.record_digest):
        raise LogInconsistent("A tombstone is about another record than its entry.")
    if trust is not None:
        _check_signers(envelope, trust, statement.signed_at)
    return {key: str(statement.predicate.get(key, "")) for key in ("record_digest", "reason", "authority", "signed_at")}
