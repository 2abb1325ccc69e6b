"""Packages of evidence: the same bytes for the same parts, and no part that can be changed unseen."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import msgspec
import pytest
from report_records import RECORDS, changed, released

import cephstd as cs
from cephstd.audit.keys import read_public_key
from cephstd.audit.trust import load_trust
from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.errors import (
    CephError,
    DigestMismatch,
    InputError,
    LogInconsistent,
    NotCanonicalError,
    SchemaError,
    SignatureInvalid,
    VerificationError,
)
from cephstd.export.evidence import (
    MANIFEST,
    PROOF,
    RECORD,
    SIGNATURES,
    Manifest,
    check_evidence,
    list_software,
    name_predecessor,
    pack_evidence,
    read_manifest,
    shared_parts,
)

ATTESTED = RECORDS / "attested"
READER = {
    "reviewer": "17",
    "name": "A. Reader",
    "role": "orthodontist",
    "meaning": "review",
    "at": "2026-02-01T00:00:00Z",
}
SOFTWARE = {"cephstd": "0"}


def attested(name: str) -> bytes:
    return (ATTESTED / name).read_bytes()


@pytest.fixture(scope="module")
def reviewed() -> cs.Record:
    return cs.decode_record(attested("reviewed.record.json"))


@pytest.fixture(scope="module")
def parts() -> dict[str, bytes]:
    return {
        SIGNATURES: attested("reviewed.signatures.json"),
        PROOF: attested("reviewed.proof.json"),
        "fhir.json": b"{}",
    }


@pytest.fixture(scope="module")
def package(reviewed: cs.Record, parts: dict[str, bytes]) -> bytes:
    return pack_evidence(reviewed, parts, software=SOFTWARE, absent={"report.pdf": "the film was not given"})


def unpacked(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files: dict[str, bytes]) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()


def relisted(files: dict[str, bytes], **changes: Any) -> bytes:
    """Repack with a manifest that fits the changed files, as somebody who wants to deceive would."""
    manifest = msgspec.json.decode(files[MANIFEST], type=Manifest)
    listed = tuple(
        msgspec.structs.replace(item, sha256=digest_bytes(files[item.name]), bytes=len(files[item.name]))
        for item in manifest.files
    )
    made = msgspec.structs.replace(manifest, files=listed, **changes)
    return repacked({**files, MANIFEST: canonical_bytes(made)})


def test_the_same_parts_give_the_same_bytes(reviewed, parts, package):
    shuffled = dict(reversed(parts.items()))
    assert (
        pack_evidence(reviewed, shuffled, software=SOFTWARE, absent={"report.pdf": "the film was not given"}) == package
    )


def test_manifest_names_every_file_and_what_is_absent(package, reviewed):
    manifest, digest = read_manifest(package)
    files = unpacked(package)
    assert digest == digest_bytes(files[MANIFEST])
    assert {item.name: item.sha256 for item in manifest.files} == {
        name: digest_bytes(data) for name, data in files.items() if name != MANIFEST
    }
    assert [(item.name, item.reason) for item in manifest.absent] == [("report.pdf", "the film was not given")]
    assert manifest.record_digest == reviewed.record_digest


def test_a_package_that_holds_is_told_with_its_limits(package, reviewed):
    found = check_evidence(package)
    assert found.verification.level == "intact"
    assert found.manifest_digest == read_manifest(package)[1]
    assert found.predecessors == ()
    assert found.notes == (f"The predecessor {reviewed.content.previous} is not in the package.",)


def test_with_the_readers_trust_signatures_and_proof_are_checked(package, reviewed):
    trust = load_trust(ATTESTED / "trust.toml", root=read_public_key(ATTESTED / "root.pub"))
    assert check_evidence(package, trust=trust).verification.level == "logged"
    unsigned = pack_evidence(reviewed, {}, software=SOFTWARE)
    with pytest.raises(SignatureInvalid):
        check_evidence(unsigned, trust=trust)


def test_predecessors_are_packed_and_checked_in_order():
    first = changed(released("model"))
    second = cs.amend(first, {"N": (900, 700)}, reason="unsharp", **READER)
    third = cs.review(second, "accept", **READER)
    line = {name_predecessor(record): record.data for record in (first, second)}
    found = check_evidence(pack_evidence(third, line, software=SOFTWARE))
    assert found.predecessors == (second.record_digest, first.record_digest)
    assert found.notes == ()
    with pytest.raises(VerificationError, match="no predecessor"):
        check_evidence(pack_evidence(second, {name_predecessor(third): third.data}, software=SOFTWARE))


@pytest.mark.parametrize("name", [RECORD, SIGNATURES, "fhir.json", MANIFEST])
def test_a_changed_file_is_refused(package, name):
    files = unpacked(package)
    data = files[name]
    with pytest.raises(CephError):
        check_evidence(repacked({**files, name: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]}))


def test_a_missing_added_doubled_or_foreign_file_is_refused(package):
    files = unpacked(package)
    with pytest.raises(DigestMismatch, match=r"fhir\.json"):
        check_evidence(repacked({name: data for name, data in files.items() if name != "fhir.json"}))
    with pytest.raises(DigestMismatch, match=r"overlay\.png"):
        check_evidence(repacked({**files, "overlay.png": b""}))
    for foreign in ("../fhir.json", "notes.txt", "predecessors/x.record.json"):
        with pytest.raises(SchemaError, match="each once"):
            check_evidence(repacked({**files, foreign: b""}))
    doubled = io.BytesIO(package)
    with zipfile.ZipFile(doubled, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("fhir.json", b"{}")
    with pytest.raises(SchemaError, match="each once"):
        check_evidence(doubled.getvalue())


def test_a_new_list_over_another_record_is_refused(package):
    files = unpacked(package)
    other = released("model")
    with pytest.raises(DigestMismatch, match="another record"):
        check_evidence(relisted({**files, RECORD: other.data}))
    trust = load_trust(ATTESTED / "trust.toml", root=read_public_key(ATTESTED / "root.pub"))
    exchanged = relisted({**files, RECORD: other.data}, record_digest=other.record_digest)
    with pytest.raises(LogInconsistent):
        check_evidence(exchanged, trust=trust)


def test_a_manifest_in_another_form_is_refused(package):
    files = unpacked(package)
    with pytest.raises(NotCanonicalError):
        check_evidence(repacked({**files, MANIFEST: files[MANIFEST] + b"\n"}))
    with pytest.raises(SchemaError, match="manifest"):
        check_evidence(repacked({name: data for name, data in files.items() if name != MANIFEST}))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive"])
def test_what_is_no_archive_is_refused(data):
    with pytest.raises(SchemaError, match="ZIP"):
        check_evidence(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_a_compressed_archive_is_refused(package, method):
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("fhir.json", bytes(range(256)) * 40)
        data = bytearray(out.getvalue())
    data[60:80] = b"\xff" * 20
    with pytest.raises(SchemaError, match="ZIP"):
        check_evidence(bytes(data))


def test_a_bomb_is_refused_before_it_is_inflated(package):
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fhir.json", b"\0" * 2**20)
        data = bytearray(out.getvalue())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    with pytest.raises(SchemaError, match="found more"):
        check_evidence(bytes(data))


def test_any_changed_byte_is_refused_or_changes_nothing_that_is_said(package, rng, counts):
    """Times and flags in the archive's own headers are nobody's statement; all else is covered."""
    whole = check_evidence(package)
    for at in rng.integers(0, len(package), counts(60, 2000)):
        data = bytearray(package)
        data[at] ^= int(rng.integers(1, 256))
        try:
            found = check_evidence(bytes(data))
        except CephError:
            continue
        assert (found.manifest, found.manifest_digest) == (whole.manifest, whole.manifest_digest)
        assert found.verification.record.data == whole.verification.record.data


def test_other_software_may_wrap_the_same_files(package):
    notes = check_evidence(repacked(unpacked(package))).notes
    assert any("wrapping differs" in note for note in notes)


def test_only_parts_of_a_package_are_packed(reviewed):
    with pytest.raises(InputError, match="part of a package"):
        pack_evidence(reviewed, {"jane-doe.jpg": b""}, software=SOFTWARE)


def test_pages_on_checking_are_those_of_the_manual(reviewed):
    parts, absent = shared_parts(reviewed)
    assert b"RFC 9162" in parts["verification.md"]
    assert b"RFC 8785" in parts["record-format.md"]
    assert absent == dict.fromkeys(
        ("model-card.md", "weights-licence.md"), "this installation has no model of these weights"
    )
    _, bare = shared_parts(released("without_scale_or_model"))
    assert set(bare.values()) == {"no model found the points"}


def test_software_is_named_with_versions():
    assert list_software()["cephstd"] == cs.__version__
