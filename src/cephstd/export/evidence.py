"""Evidence packages: a record with everything that shows what it is, in one archive with a manifest.

The archive is a ZIP without compression and without times: the same parts give the same bytes. Its names are those of
this module, never a user's file names.
"""

from __future__ import annotations

import io
import platform
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from cephstd.audit.verifier import Verification, verify
from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.core.record import Record, decode_record
from cephstd.errors import DigestMismatch, InputError, ModelError, NotCanonicalError, SchemaError, VerificationError
from cephstd.inference.catalog import load_catalog

if TYPE_CHECKING:
    from cephstd.audit.trust import Trust

SCHEMA = "cephstd.evidence/1"
MANIFEST = "manifest.json"
RECORD = "record.record.json"
SIGNATURES = "record.signatures.json"
PROOF = "record.proof.json"
ROLES: Mapping[str, str] = {
    RECORD: "the record: what all else is about",
    SIGNATURES: "signatures of the record (DSSE) and their timestamps",
    PROOF: "proof that the record is in a log (RFC 9162)",
    "checkpoint.json": "signed checkpoint of the log",
    "trust.toml": "keys that the packer trusts; a reader brings their own",
    "trust.toml.signatures.json": "signature of a root over trust.toml",
    "report.pdf": "the record on paper (PDF/A-2b)",
    "overlay.png": "the film with points, planes and tracing",
    "structured-report.dcm": "the record as DICOM SR; holds the patient data of its source",
    "fhir.json": "the record as FHIR",
    "policy.json": "outcome of a check against policy packs",
    "model-card.md": "what the model is for and how well it does",
    "weights-licence.md": "terms of the model's weights",
    "verification.md": "how signatures and log are checked, to the byte",
    "record-format.md": "what a record is, to the byte",
    "README.txt": "how to begin",
}
PREDECESSOR = re.compile(r"predecessors/[0-9a-f]{64}\.record\.json")
PREDECESSOR_ROLE = "a record that this one succeeds"
MOST_FILES, MOST_BYTES = 200, 2**30
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other software may deflate what it packs again
CARD, TERMS = ("model-card.md", "weights-licence.md"), "LICENSE-WEIGHTS.md"
PAGES = {"verification.md": "signatures.md", "record-format.md": "record-format.md"}

README = """Evidence of one cephalometric record
====================================

record.record.json is the record. Everything else shows what it is or how to check it. manifest.json lists
every file with its SHA-256, and what is not here and why.

1. Compare the hashes of the files with manifest.json (sha256sum does), and the record with the digest that
   you were told by somebody you trust: what lies in this archive cannot vouch for itself.
2. cephstd evidence PACKAGE.zip --check --trust YOUR-TRUST.toml
   does that, and checks the record, its predecessors, signatures and proof.
3. record-format.md and verification.md say how to do it with other software.

Not a medical device. The film itself is not here: its holder has it, and the record knows its SHA-256.
"""


class PackedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a package: its name in the archive, what it is, its digest and its size."""

    name: str
    role: str
    sha256: str
    bytes: int


class Omission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part that a package could have and has not, with the reason."""

    name: str
    reason: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``manifest.json`` says, canonical JSON.

    Attributes
    ----------
    record_digest : str
        Of the record that the package is about.
    film_sha256 : str
        Digest of the film's file, which is not in the package; empty where the film was an array.
    software : dict of str to str
        Names and versions of what made the package.
    files : tuple of PackedFile
        All but the manifest, by name.
    absent : tuple of Omission
        By name.
    """

    schema: Literal["cephstd.evidence/1"] = "cephstd.evidence/1"
    record_digest: str
    film_sha256: str
    software: dict[str, str]
    files: tuple[PackedFile, ...]
    absent: tuple[Omission, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCheck:
    """A package that holds.

    Attributes
    ----------
    manifest : Manifest
    manifest_digest : str
        To be kept elsewhere: it stands for the whole package.
    verification : Verification
        Of the record, with signatures and proof where a trust file was given.
    predecessors : tuple of str
        Record digests, the nearest first, as far back as the package goes.
    notes : tuple of str
        Findings that are no fault.
    """

    manifest: Manifest
    manifest_digest: str
    verification: Verification
    predecessors: tuple[str, ...]
    notes: tuple[str, ...]


def shared_parts(record: Record) -> tuple[dict[str, bytes], dict[str, str]]:
    """Parts that need nothing but the record: itself, the manual's pages, its model's card.

    Returns
    -------
    parts : dict of str to bytes
    absent : dict of str to str
        What is not at hand, and why.
    """
    parts = {RECORD: record.data, "README.txt": README.encode()}
    parts |= {name: _read_page(page) for name, page in PAGES.items()}
    model = record.content.model
    if model is None:
        return parts, dict.fromkeys(CARD, "no model found the points")
    try:
        catalog = load_catalog()
    except ModelError as error:
        return parts, dict.fromkeys(CARD, str(error.args[0]))
    for entry in catalog.entries:
        if entry.sha256 == model.weights_sha256:
            cards = {name: catalog.folder / file for name, file in zip(CARD, (entry.card, TERMS), strict=True)}
            return parts | {name: file.read_bytes() for name, file in cards.items()}, {}
    return parts, dict.fromkeys(CARD, "this installation has no model of these weights")


def name_predecessor(record: Record) -> str:
    """Name of a predecessor in a package."""
    return f"predecessors/{record.record_digest.removeprefix('sha256:')}.record.json"


def pack_evidence(
    record: Record, parts: Mapping[str, bytes], *, software: Mapping[str, str], absent: Mapping[str, str] | None = None
) -> bytes:
    """Pack a record and what shows it.

    Parameters
    ----------
    record : Record
    parts : mapping of str to bytes
        Names of `ROLES`, or of predecessors (`name_predecessor`), and their bytes; `RECORD` is added.
    software : mapping of str to str
        Names and versions of what made the parts.
    absent : mapping of str to str, optional
        Parts that are left out, and why.

    Returns
    -------
    bytes
        A ZIP; the same arguments give the same bytes.

    Raises
    ------
    InputError
        When a name is not one of a package's.
    """
    files = {**parts, RECORD: record.data}
    manifest = Manifest(
        record_digest=record.record_digest,
        film_sha256=record.content.source.file_sha256,
        software=dict(sorted(software.items())),
        files=tuple(
            PackedFile(name=name, role=_role(name), sha256=digest_bytes(data), bytes=len(data))
            for name, data in sorted(files.items())
        ),
        absent=tuple(Omission(name=name, reason=why) for name, why in sorted((absent or {}).items())),
    )
    return _zip({MANIFEST: canonical_bytes(manifest), **dict(sorted(files.items()))})


def check_evidence(package: bytes | str | Path, *, trust: Trust | None = None) -> EvidenceCheck:
    """Check a package: every file is the listed one, and the record holds.

    Parameters
    ----------
    package : bytes or path
    trust : Trust, optional
        The reader's own; with it, signatures and proof are checked. The trust file in a package is never used.

    Raises
    ------
    InputError
        When the file cannot be read.
    SchemaError, NotCanonicalError
        When it is no package, holds a file twice or under a foreign name, or its manifest is not canonical.
    DigestMismatch
        When a file is not the listed one, is missing or is not listed, or the record is another.
    VerificationError
        When the record or a predecessor does not hold, or they are of different films.
    SignatureInvalid, LogInconsistent
        With `trust`: when signatures or proof do not hold, or there are none.
    """
    data = _load(package)
    files = _unzip(data)
    raw, manifest = _take_manifest(files)
    _compare(manifest, files)
    attested = {} if trust is None else {"trust": trust, **_attested(files)}
    verification = verify(files[RECORD], **attested)  # type: ignore[arg-type]
    record = verification.record
    if (record.record_digest, record.content.source.file_sha256) != (manifest.record_digest, manifest.film_sha256):
        raise DigestMismatch("The manifest is about another record than the packed one.")
    line, notes = _line(record, [data for name, data in files.items() if PREDECESSOR.fullmatch(name)])
    if _zip({MANIFEST: raw, **dict(sorted(files.items()))}) != data:
        notes.append("The archive was written by other software: its files are the listed ones, its wrapping differs.")
    return EvidenceCheck(
        manifest=manifest,
        manifest_digest=digest_bytes(raw),
        verification=verification,
        predecessors=line,
        notes=tuple(notes),
    )


def read_manifest(package: bytes | str | Path) -> tuple[Manifest, str]:
    """What a package lists, and the digest of the list; nothing of it is checked against the files.

    Raises
    ------
    InputError, SchemaError, NotCanonicalError
        As for `check_evidence`.
    """
    raw, manifest = _take_manifest(_unzip(_load(package)))
    return manifest, digest_bytes(raw)


def list_software() -> dict[str, str]:
    """Names and versions of what makes a package's parts, where they are installed."""
    names = {"cephstd": "cephstd", "typst": "typst", "segno": "segno", "matplotlib": "matplotlib", "numpy": "numpy"}
    names["opencv"] = "opencv-python-headless"
    found = {"python": platform.python_version()}
    for name, distribution in names.items():
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(distribution)
    return found


def _take_manifest(files: dict[str, bytes]) -> tuple[bytes, Manifest]:
    raw = files.pop(MANIFEST, None)
    if raw is None:
        raise SchemaError(f"Expected a {MANIFEST} in the package, found none.")
    return raw, _decode_manifest(raw)


def _role(name: str) -> str:
    if PREDECESSOR.fullmatch(name):
        return PREDECESSOR_ROLE
    if name not in ROLES:
        raise InputError(f"Expected a part of a package ({', '.join(ROLES)}), found {name!r:.80}.")
    return ROLES[name]


def _read_page(name: str) -> bytes:
    """A page of the manual: inside the wheel, or at the top of a checkout."""
    inside = resources.files("cephstd").joinpath("manual", name)
    if inside.is_file():
        return inside.read_bytes()
    return (Path(str(resources.files("cephstd"))).parents[1] / "docs" / name).read_bytes()


def _zip(files: Mapping[str, bytes]) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, data in files.items():
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                archive.writestr(entry, data)
        return out.getvalue()


def _load(package: bytes | str | Path) -> bytes:
    if isinstance(package, bytes):
        return package
    try:
        if Path(package).stat().st_size > MOST_BYTES:
            raise SchemaError(f"Expected a package of at most {MOST_BYTES} bytes, found a larger file.")
        return Path(package).read_bytes()
    except OSError as error:
        raise InputError(f"The package cannot be read: {error.strerror}.") from error


def _unzip(data: bytes) -> dict[str, bytes]:
    """Files of an archive within budgets; nothing is ever written to disk."""
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise SchemaError(f"Expected at most {MOST_FILES} files of {MOST_BYTES} bytes together, found more.")
            for entry in entries:
                name = entry.filename
                if name in files or (name != MANIFEST and name not in ROLES and not PREDECESSOR.fullmatch(name)):
                    raise SchemaError(f"Expected the files of a package, each once, found {name!r:.80}.")
                if entry.compress_type not in READABLE:
                    raise SchemaError("Expected an evidence package (ZIP) of stored or deflated files, found others.")
                files[name] = archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, OSError) as error:
        raise SchemaError(f"Expected an evidence package (ZIP), found other or damaged bytes: {error}.") from error
    return files


def _decode_manifest(raw: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"The manifest is not valid: {error}.") from error
    if canonical_bytes(manifest) != raw:
        raise NotCanonicalError("The manifest is not in its canonical form (RFC 8785).")
    return manifest


def _compare(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    listed = {item.name: item for item in manifest.files}
    if len(listed) != len(manifest.files) or RECORD not in listed:
        raise SchemaError("Expected a manifest that lists the record and each file once.")
    if listed.keys() != files.keys():
        names = sorted(listed.keys() ^ files.keys())
        raise DigestMismatch(f"The manifest and the archive do not hold the same files: {', '.join(names)}.")
    for name, data in files.items():
        found = digest_bytes(data)
        if (listed[name].sha256, listed[name].bytes, listed[name].role) != (found, len(data), _role(name)):
            raise DigestMismatch(f"{name} is listed as {listed[name].sha256}, the file is {found}.")


def _attested(files: Mapping[str, bytes]) -> dict[str, bytes]:
    names = {"signatures": SIGNATURES, "proof": PROOF}
    return {argument: files[name] for argument, name in names.items() if name in files}


def _line(record: Record, packed: Iterable[bytes]) -> tuple[tuple[str, ...], list[str]]:
    """Digests of the packed predecessors in order, and what is missing; every one of them belongs to the line."""
    known = {sealed.record_digest: sealed for sealed in map(decode_record, packed)}
    line: list[str] = []
    before = record.content.previous
    while before in known:
        sealed = verify(known.pop(before)).record
        if _film(sealed) != _film(record):
            raise VerificationError(f"The predecessor {before} is of another film.")
        line.append(before)
        before = sealed.content.previous
    if known:
        raise VerificationError(f"{', '.join(known)} is no predecessor of the packed record.")
    return tuple(line), [] if before is None else [f"The predecessor {before} is not in the package."]


def _film(record: Record) -> str:
    return record.content.source.file_sha256 or record.content.source.pixel_sha256
