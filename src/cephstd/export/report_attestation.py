"""What a report says of signatures and log: what was checked, what was not, and the artefacts as text and QR code."""

from __future__ import annotations

from typing import Any

from cephstd.audit.verifier import Verification
from cephstd.core.digest import canonical_bytes
from cephstd.core.record import Record
from cephstd.errors import LogInconsistent
from cephstd.export.report_codes import draw_codes

LINE = 92
"""Characters of an artefact in one printed line."""

MEANINGS = {
    "intact": "The bytes are those that the digests were taken from. Anybody can make a record that is intact.",
    "signed": "The record is intact and signed by as many trusted keys as the reader's trust file asks for.",
    "logged": "The record is intact, signed by trusted keys and in the log of a trusted checkpoint.",
}


def attestation_facts(verification: Verification, signatures: bytes | None, proof: bytes | None) -> dict[str, Any]:
    """Level, checks and artefacts of a verified record.

    Parameters
    ----------
    verification : Verification
        What `verify` found, with the reader's trust file or without.
    signatures, proof : bytes, optional
        Files of the record's signatures and of its place in a log; printed, and described by their own word.

    Raises
    ------
    SchemaError, NotCanonicalError
        When they hold something else.
    SignatureInvalid, LogInconsistent
        When they are about another record.
    """
    record = verification.record
    artefacts = [_artefact("Record digest", record.record_digest, [])]
    if signatures is not None:
        artefacts.append(_signature_artefact(record, signatures))
    if proof is not None:
        artefacts.append(_proof_artefact(record, proof))
    return {
        "level": verification.level,
        "meaning": MEANINGS[verification.level],
        "checks": [{"name": check.name, "detail": check.detail} for check in verification.checks],
        "not_checked": list(verification.not_checked),
        "notes": list(verification.notes),
        "artefacts": artefacts,
    }


def _artefact(title: str, text: str, rows: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "title": title,
        "rows": [{"label": label, "value": value, "tone": ""} for label, value in rows],
        "lines": [text[at : at + LINE] for at in range(0, len(text), LINE)],
        "codes": list(draw_codes(text)),
    }


def _signature_artefact(record: Record, data: bytes) -> dict[str, Any]:
    from cephstd.audit.signer import RECORD, check_subject, decode_signatures, read_statement

    signatures = decode_signatures(data)
    statement = read_statement(signatures.envelope)
    check_subject(statement, RECORD, record.data)
    stamped = {stamp.keyid for stamp in signatures.timestamps}
    rows = [("Signed at", f"{statement.signed_at.isoformat()} by the signers' word")]
    for signature in signatures.envelope.signatures:
        stamp = ", with a timestamp of an authority" if signature.keyid in stamped else ""
        rows.append(("Key", signature.keyid + stamp))
    return _artefact("Signatures (DSSE envelope)", canonical_bytes(signatures.envelope).decode(), rows)


def _proof_artefact(record: Record, data: bytes) -> dict[str, Any]:
    from cephstd.audit.checkpoints import decode_proof, read_checkpoint

    proof = decode_proof(data)
    if proof.entry.record_digest != record.record_digest:
        raise LogInconsistent(f"The proof is about record {proof.entry.record_digest}, not about this one.")
    point = read_checkpoint(proof.checkpoint)
    rows = [
        ("Log", f"{point.log}, entry {proof.index} of {point.size}, checkpoint of {point.at}"),
        ("Appended", f"{proof.entry.at} by the log's clock"),
        ("Root", point.root),
    ]
    return _artefact("Proof of inclusion (RFC 9162)", proof.to_bytes().decode(), rows)
