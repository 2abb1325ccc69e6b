"""Signs records: an in-toto statement over the stored bytes, in a DSSE envelope, with timestamps beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from cephstd.audit.consistency import is_utc_time
from cephstd.audit.envelope import Envelope, check_base64, check_signature, countersign, decode_strictly, wrap
from cephstd.audit.keys import PublicKey, Signer
from cephstd.audit.recorder import format_time
from cephstd.audit.verifier import verify
from cephstd.core.digest import PREFIX, canonical_bytes
from cephstd.core.record import Record
from cephstd.errors import InputError, SchemaError, SignatureInvalid

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
RECORD = "urn:cephstd:record:1"
FILE = "urn:cephstd:file:1"
TOMBSTONE = "urn:cephstd:tombstone:1"


class Timestamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authority's answer (DER in base64) about the signature of `keyid`."""

    keyid: str
    token: str


class Signatures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All signatures of one record, with the timestamps of some: what its ``.signatures.json`` holds."""

    schema: Literal["cephstd.signatures/1"] = "cephstd.signatures/1"
    envelope: Envelope
    timestamps: tuple[Timestamp, ...] = ()

    def to_bytes(self) -> bytes:
        """Canonical bytes (RFC 8785 JSON)."""
        return canonical_bytes(self)

    def signature_of(self, keyid: str) -> bytes:
        """The signature's bytes.

        Raises
        ------
        InputError
            When that key has not signed.
        """
        for signature in self.envelope.signatures:
            if signature.keyid == keyid:
                return signature.raw
        raise InputError(f"Key {keyid[:19]} has not signed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What signers say of a file.

    Attributes
    ----------
    kind : str
        The statement's predicate type.
    file_sha256 : str
        SHA-256 of the file's bytes in hex.
    signed_at : datetime
        When, by the first signers' word.
    signers : frozenset of str
        Keyids of the first signers, so that nobody can take one of their signatures away; others may have followed.
    predicate : dict
        All that is said.
    """

    kind: str
    file_sha256: str
    signed_at: datetime
    signers: frozenset[str]
    predicate: dict[str, Any]


def sign(record: Record | bytes | str | Path, signers: Iterable[Signer], *, at: datetime | str) -> Signatures:
    """Sign a record's stored bytes.

    Parameters
    ----------
    record : Record, bytes or path
        It is verified first.
    signers : iterable of Signer
        Key files (`load_signer`), or devices behind a callback.
    at : datetime or str
        When, from the caller's clock; to a reader a claim, until a timestamp or a checkpoint shows it.

    Returns
    -------
    Signatures
        To be stored beside the record.

    Raises
    ------
    InputError
        When there is no signer, or the time has no zone.
    SignatureInvalid
        When a signer's callback gives no signature of its key.
    SchemaError, NotCanonicalError, DigestMismatch, VerificationError
        When the record does not hold.
    """
    sealed = verify(record).record
    digests = {"record_digest": sealed.record_digest, "result_digest": sealed.result_digest}
    return _sign(sealed.data, RECORD, digests, signers, at)


def sign_file(data: bytes, signers: Iterable[Signer], *, at: datetime | str) -> Signatures:
    """Sign any file's bytes, as `sign` does a record's: so a root signs a trust file."""
    return _sign(data, FILE, {}, signers, at)


def add_signatures(signatures: Signatures, signers: Iterable[Signer]) -> Signatures:
    """The same statement with further signers; when they signed, only a timestamp of theirs can show."""
    return msgspec.structs.replace(signatures, envelope=countersign(signatures.envelope, signers))


def add_timestamp(signatures: Signatures, keyid: str, token: bytes) -> Signatures:
    """The same with an authority's answer about the signature of `keyid`; one for each key.

    Raises
    ------
    InputError
        When that key has not signed, or has a timestamp.
    """
    signatures.signature_of(keyid)
    if any(stamp.keyid == keyid for stamp in signatures.timestamps):
        raise InputError(f"The signature of key {keyid[:19]} has a timestamp.")
    stamp = Timestamp(keyid=keyid, token=base64.b64encode(token).decode())
    return msgspec.structs.replace(signatures, timestamps=(*signatures.timestamps, stamp))


def decode_signatures(data: bytes) -> Signatures:
    """Read a file of signatures; only its canonical form is taken.

    Raises
    ------
    SchemaError, NotCanonicalError
        When it holds something else, or the same in another form; a timestamp of a key that has not signed, or two.
    """
    signatures = decode_strictly(data, Signatures, "a file of signatures")
    check_base64(signatures.envelope, *(stamp.token for stamp in signatures.timestamps))
    keyids = {signature.keyid for signature in signatures.envelope.signatures}
    stamped = [stamp.keyid for stamp in signatures.timestamps]
    if len(set(stamped)) < len(stamped) or not keyids.issuperset(stamped):
        raise SchemaError("Expected at most one timestamp for each signature, and none of others.")
    return signatures


def read_statement(envelope: Envelope) -> Statement:
    """The statement inside an envelope; nothing of it is proven before a signature is checked.

    Raises
    ------
    SchemaError
        When the payload is no such statement.
    """
    try:
        plain = json.loads(envelope.raw)
        (subject,) = plain["subject"]
        kind, said, digest = plain["predicateType"], plain["predicate"], subject["digest"]["sha256"]
        signed_at, signers = said["signed_at"], frozenset(map(str, said["signers"]))
        known = envelope.kind == PAYLOAD_TYPE and plain["_type"] == STATEMENT and is_utc_time(signed_at)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SchemaError(f"The envelope holds no in-toto statement of one file: {error}.") from error
    if not known:
        raise SchemaError(f"Expected an in-toto statement with its time, found {envelope.kind!r:.60}.")
    return Statement(
        kind=kind,
        file_sha256=digest,
        signed_at=datetime.fromisoformat(signed_at),
        signers=signers,
        predicate=said,
    )


def check_subject(statement: Statement, kind: str, data: bytes) -> None:
    """Check that a statement is of this kind and about these bytes.

    Raises
    ------
    SignatureInvalid
        When it is about other bytes, or says something else.
    """
    found = hashlib.sha256(data).hexdigest()
    if statement.kind != kind:
        raise SignatureInvalid(f"Expected a statement of {kind}, found {statement.kind!r:.60}.")
    if statement.file_sha256 != found:
        raise SignatureInvalid(
            f"The signatures are over the file sha256:{statement.file_sha256:.64}, this is sha256:{found}: another "
            "record, or the same one altered."
        )


def check_file(data: bytes, signatures: bytes, key: PublicKey) -> None:
    """Check that `key` has signed a file with `sign_file`.

    Raises
    ------
    SchemaError, NotCanonicalError
        When `signatures` is no file of signatures.
    SignatureInvalid
        When the key has not signed these bytes.
    """
    envelope = decode_signatures(signatures).envelope
    check_signature(envelope, key.keyid, key)
    check_subject(read_statement(envelope), FILE, data)


def sign_tombstone(
    file_sha256: str,
    *,
    record_digest: str,
    reason: str,
    authority: str,
    signers: Iterable[Signer],
    at: datetime | str,
) -> Envelope:
    """Sign that the record of this digest was destroyed, why, and by whose decision.

    Raises
    ------
    InputError
        When there is no signer, or the time has no zone.
    SignatureInvalid
        When a signer's callback gives no signature of its key.
    """
    said = {"record_digest": record_digest, "reason": reason, "authority": authority}
    made = tuple(signers)
    return wrap(_compose(file_sha256.removeprefix(PREFIX), TOMBSTONE, said, made, at), PAYLOAD_TYPE, made)


def _sign(data: bytes, kind: str, said: dict[str, str], signers: Iterable[Signer], at: datetime | str) -> Signatures:
    made = tuple(signers)
    return Signatures(
        envelope=wrap(_compose(hashlib.sha256(data).hexdigest(), kind, said, made, at), PAYLOAD_TYPE, made)
    )


def _compose(sha256: str, kind: str, said: dict[str, str], signers: tuple[Signer, ...], at: datetime | str) -> bytes:
    keyids = [signer.public_key.keyid for signer in signers]
    return canonical_bytes(
        {
            "_type": STATEMENT,
            "subject": [{"name": kind.split(":")[2], "digest": {"sha256": sha256}}],
            "predicateType": kind,
            "predicate": {"signed_at": format_time(at), "signers": keyids, **said},
        }
    )
