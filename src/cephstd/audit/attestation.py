"""What signatures and a log show of a record, to a reader who brings the keys that they trust."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cephstd.audit.checkpoints import InclusionProof, Logged, check_proof, decode_proof
from cephstd.audit.envelope import Envelope, check_signature
from cephstd.audit.signer import RECORD, Signatures, Statement, check_subject, decode_signatures, read_statement
from cephstd.audit.timestamps import read_timestamp
from cephstd.audit.trust import Trust
from cephstd.core.digest import digest_bytes
from cephstd.core.record import Record
from cephstd.errors import LogInconsistent, SignatureInvalid

CLOCK_SLACK = timedelta(minutes=5)
"""So much may two honest clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """A signature that counts.

    Attributes
    ----------
    name : str
        Whose key it is, by the reader's trust file.
    keyid : str
    claimed : datetime
        When, by the signer's word.
    existed : datetime or None
        A time at which the signature existed, by somebody else's word; None when there is only the signer's.
    basis : str
        ``claimed``, ``timestamp of NAME`` or ``checkpoint of LOG``.
    """

    name: str
    keyid: str
    claimed: datetime
    existed: datetime | None
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What holds.

    Attributes
    ----------
    level : str
        ``intact``, ``signed``, or ``logged``, which is signed too.
    signers : tuple of SignedBy
        Those that count.
    logged : Logged or None
        Where the record stands in a log.
    notes : tuple of str
        Signatures that do not count, and why.
    """

    level: Literal["intact", "signed", "logged"]
    signers: tuple[SignedBy, ...]
    logged: Logged | None
    notes: tuple[str, ...]


def attest(
    record: Record, trust: Trust, *, signatures: Signatures | bytes | None, proof: InclusionProof | bytes | None
) -> Attestation:
    """Check a record's signatures and its place in a log.

    Parameters
    ----------
    record : Record
        Verified to be intact.
    trust : Trust
    signatures : Signatures or bytes, optional
        From its ``.signatures.json``.
    proof : InclusionProof or bytes, optional
        From its ``.proof.json``.

    Raises
    ------
    SchemaError, NotCanonicalError
        When signatures or proof are none.
    SignatureInvalid
        When a signature of a known key is not over these bytes, or over another record; when a timestamp or the
        checkpoint does not hold.
    LogInconsistent
        When the proof does not hold or is about another record.
    """
    signatures = decode_signatures(signatures) if isinstance(signatures, bytes) else signatures
    proof = decode_proof(proof) if isinstance(proof, bytes) else proof
    logged = None if proof is None else _logged(record, trust, proof)
    signers: list[SignedBy] = []
    notes: list[str] = []
    if signatures is not None:
        for outcome in _signers(record, trust, signatures, logged):
            (notes if isinstance(outcome, str) else signers).append(outcome)  # type: ignore[arg-type]
    signed = len(signers) >= trust.threshold
    if signers and not signed:
        notes.append(f"{len(signers)} of the {trust.threshold} signatures that the trust file asks for count.")
    return Attestation(
        level="logged" if signed and logged else "signed" if signed else "intact",
        signers=tuple(signers),
        logged=logged,
        notes=tuple(notes),
    )


def _logged(record: Record, trust: Trust, proof: InclusionProof) -> Logged:
    logged = check_proof(proof, trust)
    about = (proof.entry.kind, proof.entry.record_digest, proof.entry.file_sha256)
    if about[0] == "tombstone":
        raise LogInconsistent("The proof is of a tombstone: the log says that the record was destroyed.")
    if about[1:] != (record.record_digest, digest_bytes(record.data)):
        raise LogInconsistent(f"The proof is about record {proof.entry.record_digest}, this is {record.record_digest}.")
    return logged


def _signers(record: Record, trust: Trust, signatures: Signatures, logged: Logged | None) -> Iterator[SignedBy | str]:
    envelope = signatures.envelope
    statement = read_statement(envelope)
    check_subject(statement, RECORD, record.data)
    if statement.predicate.get("record_digest") != record.record_digest:
        raise SignatureInvalid("The signed statement names another record digest than this record has.")
    _check_complete(statement, envelope, trust)
    at_checkpoint = None
    if logged and logged.entry.envelope:
        if logged.entry.envelope != envelope.digest:
            raise LogInconsistent(
                "The log holds other signatures of this record than these.",
                hint="After a further signature, append the record again and prove it again.",
            )
        at_checkpoint = (datetime.fromisoformat(logged.checkpoint.at), f"checkpoint of {logged.checkpoint.log}")
    for signature in envelope.signatures:
        keyid = signature.keyid
        if keyid not in trust.keys:
            yield f"The signature of key {keyid[:19]} does not count: it is not in the trust file."
            continue
        key = trust.keys[keyid]
        check_signature(envelope, keyid, trust.public_key(keyid))
        shown = [time for time in (at_checkpoint, _stamped(trust, signatures, keyid)) if time]
        existed, basis = min(shown) if shown else (None, "claimed")
        if existed and statement.signed_at > existed + CLOCK_SLACK:
            raise SignatureInvalid(f"The signature existed at {existed}, before it was made by its own word.")
        fault = key.fault("records", statement.signed_at, existed)
        if existed and key.valid_until and existed >= key.valid_until:
            existed, basis = None, "claimed"  # shown too late to tell whether the key was valid then
        yield (
            f"The signature of key {keyid[:19]} does not count: {fault}."
            if fault
            else SignedBy(name=key.name, keyid=keyid, claimed=statement.signed_at, existed=existed, basis=basis)
        )


def _check_complete(statement: Statement, envelope: Envelope, trust: Trust) -> None:
    """Nobody took a first signer's signature away, and whoever followed is known: an altered keyid would be neither."""
    present = {signature.keyid for signature in envelope.signatures}
    for keyid in sorted(statement.signers - present):
        raise SignatureInvalid(f"Key {keyid[:19]} has signed by the statement's word, and its signature is gone.")
    for keyid in sorted(present - statement.signers - trust.keys.keys()):
        raise SignatureInvalid(
            f"Key {keyid[:19]} signed later and is not in the trust file.",
            hint="List it there; with uses = [] it is known and counts for nothing.",
        )


def _stamped(trust: Trust, signatures: Signatures, keyid: str) -> tuple[datetime, str] | None:
    """Time of a signature by a trusted authority; a timestamp that none of them gave counts as none."""
    for stamp in signatures.timestamps:
        if stamp.keyid != keyid:
            continue
        faults = []
        for authority in trust.authorities:
            try:
                token = base64.b64decode(stamp.token)
                time = read_timestamp(token, signatures.signature_of(keyid), authority.certificate)
            except (SignatureInvalid, ValueError) as error:
                faults.append(str(error))
            else:
                return time, f"timestamp of {authority.name}"
        if faults:
            raise SignatureInvalid(f"The timestamp of key {keyid[:19]} is of no trusted authority: {faults[-1]}")
    return None
