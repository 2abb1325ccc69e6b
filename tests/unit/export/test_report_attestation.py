"""Signatures and proof in a report: printed to the byte, told by their own word, refused for another record."""

from __future__ import annotations

import pytest
from report_records import RECORDS, released

import cephstd as cs
from cephstd.audit.keys import read_public_key
from cephstd.audit.trust import load_trust
from cephstd.core.digest import canonical_bytes
from cephstd.errors import LogInconsistent, SignatureInvalid
from cephstd.export.report_attestation import attestation_facts

ATTESTED = RECORDS / "attested"
REVIEWED = cs.decode_record((ATTESTED / "reviewed.record.json").read_bytes())
SIGNATURES = (ATTESTED / "reviewed.signatures.json").read_bytes()
PROOF = (ATTESTED / "reviewed.proof.json").read_bytes()


def test_without_trust_the_artefacts_are_shown_and_said_to_be_unchecked():
    facts = attestation_facts(cs.verify(REVIEWED), SIGNATURES, PROOF)
    assert facts["level"] == "intact"
    assert any("No signature was checked" in sentence for sentence in facts["not_checked"])
    assert [artefact["title"] for artefact in facts["artefacts"]] == [
        "Record digest",
        "Signatures (DSSE envelope)",
        "Proof of inclusion (RFC 9162)",
    ]


def test_with_trust_the_level_is_that_of_the_check():
    trust = load_trust(ATTESTED / "trust.toml", root=read_public_key(ATTESTED / "root.pub"))
    found = cs.verify(REVIEWED, trust=trust, signatures=SIGNATURES, proof=PROOF)
    facts = attestation_facts(found, SIGNATURES, PROOF)
    assert facts["level"] == "logged"
    assert any("second reader" in check["detail"] for check in facts["checks"])


def test_printed_lines_join_to_the_artefact():
    from cephstd.audit.signer import decode_signatures

    _, signed, proven = attestation_facts(cs.verify(REVIEWED), SIGNATURES, PROOF)["artefacts"]
    assert "".join(signed["lines"]).encode() == canonical_bytes(decode_signatures(SIGNATURES).envelope)
    assert "".join(proven["lines"]).encode() == PROOF
    assert sum("timestamp" in row["value"] for row in signed["rows"]) == 1


def test_artefacts_of_another_record_are_refused():
    other = cs.verify(released("model"))
    with pytest.raises(SignatureInvalid):
        attestation_facts(other, SIGNATURES, None)
    with pytest.raises(LogInconsistent, match="not about this one"):
        attestation_facts(other, None, PROOF)
