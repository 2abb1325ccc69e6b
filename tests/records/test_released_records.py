"""Every record that a release has left behind verifies, and is the very file that was written then."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cephstd.audit.checkpoints import (
    check_checkpoint,
    check_continuation,
    check_proof,
    decode_consistency,
    decode_envelope,
    decode_proof,
)
from cephstd.audit.keys import read_public_key
from cephstd.audit.trust import load_trust
from cephstd.audit.verifier import verify
from cephstd.core.digest import digest_bytes
from cephstd.errors import RecordError

RECORDS = Path(__file__).parent
PATHS = sorted(RECORDS.glob("*/*.record.json"))
NAMES = [path.relative_to(RECORDS).as_posix() for path in PATHS]


@pytest.fixture(params=PATHS, ids=NAMES)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_they_are_the_files_that_were_written_then():
    lines = (RECORDS / "digests.txt").read_text().splitlines()
    written = {name: digest for digest, name in (line.split() for line in lines)}
    assert {name: digest_bytes(path.read_bytes()) for name, path in zip(NAMES, PATHS, strict=True)} == written
    assert len(written) >= 3


def test_record_verifies_and_is_written_as_it_was_read(path):
    report = verify(path)
    assert report.level == "intact"
    assert report.record.to_bytes() == path.read_bytes()


def test_record_validates_against_the_shipped_schema(path):
    schema = json.loads((resources.files("cephstd.audit") / "cephstd.record-1.schema.json").read_bytes())
    Draft202012Validator(schema).validate(json.loads(path.read_bytes()))


def test_edited_record_is_refused(path, rng):
    data = path.read_bytes()
    for place in rng.integers(0, len(data), size=40):
        edited = bytearray(data)
        edited[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(RecordError):
            verify(bytes(edited))


def test_successor_names_its_predecessor():
    for folder in {path.parent for path in PATHS}:
        first, second = (verify(folder / f"{name}.record.json").record for name in ("model", "moved_by_hand"))
        assert second.content.previous == first.record_digest
        assert second.content.source == first.content.source


ATTESTED = sorted(RECORDS.glob("*/attested"))


@pytest.fixture(params=ATTESTED, ids=lambda folder: folder.parent.name)
def attested(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_attestations_are_the_files_that_were_written_then(attested):
    lines = (attested / "digests.txt").read_text().splitlines()
    written = {name: digest for digest, name in (line.split() for line in lines)}
    found = {path.name: digest_bytes(path.read_bytes()) for path in attested.iterdir() if path.name != "digests.txt"}
    assert found == written


def test_attested_records_are_logged_by_the_keys_of_then(attested):
    trust = load_trust(attested / "trust.toml", root=read_public_key(attested / "root.pub"))
    said = {}
    for path in (*attested.parent.glob("*.record.json"), *attested.glob("*.record.json")):
        stem = path.name.removesuffix(".record.json")
        signatures, proof = (attested / f"{stem}.{what}.json" for what in ("signatures", "proof"))
        report = verify(
            path, trust=trust, signatures=signatures.read_bytes(), proof=proof.read_bytes(), require="logged"
        )
        said[stem] = [(signer.name, signer.basis) for signer in report.signers]
    assert said == {
        "model": [("old clinic", "claimed")],
        "moved_by_hand": [("clinic", "checkpoint of golden")],
        "without_scale_or_model": [("stolen laptop", "checkpoint of golden")],
        "reviewed": [("clinic", "checkpoint of golden"), ("second reader", "checkpoint of golden")],
    }


def test_timestamp_of_then_holds(attested):
    trust = load_trust(attested / "trust.toml")
    signatures = (attested / "reviewed.signatures.json").read_bytes()
    report = verify(attested / "reviewed.record.json", trust=trust, signatures=signatures)
    assert [signer.basis for signer in report.signers] == ["timestamp of own", "claimed"]
    assert [event.outcome for event in report.record.content.trail] == ["supplemented", "accepted"]


def test_log_of_then_grew_and_says_what_was_destroyed(attested):
    trust = load_trust(attested / "trust.toml")
    first, second = check_continuation(decode_consistency((attested / "growth.consistency.json").read_bytes()), trust)
    held = [decode_envelope((attested / f"{name}.checkpoint.json").read_bytes()) for name in ("early", "late")]
    assert [check_checkpoint(envelope, trust)[0] for envelope in held] == [first, second]
    gone = check_proof(decode_proof((attested / "destroyed.proof.json").read_bytes()), trust)
    assert gone.entry.kind == "tombstone"
