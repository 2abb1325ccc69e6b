"""Commands that show a record to a payer or a court: report, evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import signing
from cephstd.cli.records import RecordFile, check_record, record_of
from cephstd.cli.rendering import say, write_json
from cephstd.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from cephstd.audit.verifier import Verification
    from cephstd.core.image import Radiograph
    from cephstd.core.record import Record

SignatureFile = Annotated[
    Path | None,
    typer.Option(
        "--signatures", metavar="FILE", help="Default: NAME.signatures.json beside the record.", show_default=False
    ),
]
ProofFile = Annotated[
    Path | None,
    typer.Option("--proof", metavar="FILE", help="Default: NAME.proof.json beside the record.", show_default=False),
]
KeepText = Annotated[
    bool,
    typer.Option("--keep-text", help="Show text that is burnt into the film; by default it is covered."),
]
Sheets = Annotated[
    list[str] | None,
    typer.Option(
        "--analysis",
        metavar="NAME",
        help="Tracing sheet to print; may be given several times. Default: the record's own, or all that have a value.",
        show_default=False,
    ),
]
FontFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--fonts",
        metavar="DIR",
        help="Folder of fonts for scripts beyond Latin, Greek, Cyrillic and Hebrew; may be given several times.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Print a record as PDF/A.", epilog=REPORT_EXAMPLES)(report)
    app.command(short_help="Pack a record with what shows it, or check a package.", epilog=EVIDENCE_EXAMPLES)(evidence)


REPORT_EXAMPLES = """\b
Examples:
  cephstd report film.record.json --source film.dcm --out film.pdf
  cephstd report film.record.json --source film.dcm --trust trust.toml --analysis steiner --out film.pdf
"""


def report(
    record: RecordFile,
    *,
    source: Annotated[
        Path, typer.Option("--source", metavar="FILE", help="The film the record was made from.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="PDF to write.", show_default=False)],
    analysis: Sheets = None,
    trust: signing.TrustFile = None,
    trust_digest: signing.TrustDigest = None,
    root: signing.RootKey = None,
    signatures: SignatureFile = None,
    proof: ProofFile = None,
    keep_text: KeepText = False,
    fonts: FontFolders = None,
) -> None:
    """Print a record as one PDF/A-2b for a payer or a court (extra report).

    The record is verified first. On paper come film and tracing, the values with uncertainty and norms, classes, what
    is absent and why, scale, image quality, model, review trail, and the evidence: digests, signatures and proof as
    text and QR code, what was checked and what was not. Text burnt into the film is covered. The same record, film and
    options give the same bytes. stdout has one JSON object: record_digest, report, sha256, level.
    """
    from cephstd.core.digest import digest_bytes
    from cephstd.io.store import write_bytes

    given = signing.Attested(
        trust=trust, trust_digest=trust_digest, root=root, signatures=signatures, proof=proof, require=None
    )
    found = check_record(record_of(record), source, given.read(record))
    files = {"signatures": find_file(record, "signatures", signatures), "proof": find_file(record, "proof", proof)}
    data = draw_report(
        found, read_film(found.record, source), files, analyses=analysis, keep_text=keep_text, fonts=fonts or ()
    )
    write_bytes(out, data)
    digest = digest_bytes(data)
    say(f"report of {found.record.record_digest[:19]}…, {found.level}: {out}")
    write_json(
        {"record_digest": found.record.record_digest, "report": str(out), "sha256": digest, "level": found.level}
    )


def find_file(record: Path, what: str, given: Path | None) -> bytes | None:
    """The named file of signatures or proof, or the one that lies beside the record; None where neither is there."""
    lying = signing.beside(record, what)
    if given is not None or lying.is_file():
        return signing.read_file(given or lying)
    return None


def read_film(record: Record, source: Path) -> Radiograph:
    """The record's film; nothing of the person is taken from it."""
    from cephstd.io.reader import read

    content = record.content
    return read(source, budget=content.recipe.budget, keep_age=False, keep_sex=False, frame=content.source.frame)


def draw_report(
    found: Verification,
    film: Radiograph,
    files: dict[str, bytes | None],
    *,
    analyses: Sequence[str] | None,
    keep_text: bool,
    fonts: Sequence[Path],
) -> bytes:
    """The report with the bundled fonts or more."""
    from cephstd.export.report import make_report

    return make_report(found, film, **files, analyses=analyses or (), cover_text=not keep_text, fonts=fonts)


EVIDENCE_EXAMPLES = """\b
Examples:
  cephstd evidence film.record.json --source film.dcm --trust trust.toml
  cephstd evidence film.record.json --source film.dcm --previous first.record.json --sr film.sr.dcm
  cephstd evidence film.evidence.zip --check --trust trust.toml
"""
PARTS = {"checkpoint": "checkpoint.json", "sr": "structured-report.dcm", "fhir": "fhir.json", "policy": "policy.json"}


def evidence(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RECORD|PACKAGE", help="Record file to pack; with --check, a package.", show_default=False
        ),
    ],
    *,
    check: Annotated[bool, typer.Option("--check", help="Check a package instead of making one.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Default: NAME.evidence.zip beside the record.", show_default=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="FILE",
            help="The film, for report and overlay; it is not packed itself.",
            show_default=False,
        ),
    ] = None,
    previous: Annotated[
        list[Path] | None,
        typer.Option(
            "--previous", metavar="RECORD", help="Record that this one succeeds; repeatable.", show_default=False
        ),
    ] = None,
    trust: signing.TrustFile = None,
    trust_digest: signing.TrustDigest = None,
    root: signing.RootKey = None,
    signatures: SignatureFile = None,
    proof: ProofFile = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="Signed checkpoint of the log.", show_default=False),
    ] = None,
    sr: Annotated[
        Path | None,
        typer.Option("--sr", metavar="FILE", help="The record as DICOM SR; it holds patient data.", show_default=False),
    ] = None,
    fhir: Annotated[
        Path | None, typer.Option("--fhir", metavar="FILE", help="The record as FHIR.", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="JSON that 'cephstd check' wrote.", show_default=False),
    ] = None,
    analysis: Sheets = None,
    keep_text: KeepText = False,
    fonts: FontFolders = None,
) -> None:
    """Pack a record with its predecessors, report, picture, signatures, proof, model card and the pages that say how to
    check it, under a manifest with the SHA-256 of each; or check such a package.

    What a package lacks stands in its manifest with the reason. The film is never packed. No file name of yours enters.
    The same parts give the same bytes. --check needs no database and no network, uses your trust file and never the
    packed one. stdout has one JSON object: package, record_digest, manifest_sha256, level, files, absent or notes.
    """
    if check:
        write_json(_check(path, signing.load_trusted(trust, trust_digest, root) if trust else None))
        return
    given = signing.Attested(
        trust=trust, trust_digest=trust_digest, root=root, signatures=signatures, proof=proof, require=None
    )
    if out is None and not path.is_file():
        raise InputError("Expected --out for a record that is not a file of its own.")
    found = check_record(record_of(path), source, given.read(path))
    files = {"signatures": find_file(path, "signatures", signatures), "proof": find_file(path, "proof", proof)}
    parts: dict[str, bytes] = {f"record.{name}.json": data for name, data in files.items() if data is not None}
    absent = {f"record.{name}.json": "none was given" for name, data in files.items() if data is None}
    for name, file in (("checkpoint", checkpoint), ("sr", sr), ("fhir", fhir), ("policy", policy)):
        if file is None:
            absent[PARTS[name]] = "none was given"
        else:
            parts[PARTS[name]] = signing.read_file(file)
    _add_trust(trust, parts, absent)
    _add_predecessors(found.record, previous or [], parts, absent)
    _add_pictures(found, source, files, parts, absent, analyses=analysis, keep_text=keep_text, fonts=fonts or ())
    write_json(_pack(found, parts, absent, out or signing.beside(path, "evidence").with_suffix(".zip")))


def _check(package: Path, trust: Any) -> dict[str, Any]:
    from cephstd.export.evidence import check_evidence

    found = check_evidence(package, trust=trust)
    verification = found.verification
    for sentence in (*found.notes, *(f"not checked: {sentence}" for sentence in verification.not_checked)):
        say(sentence)
    say(f"{verification.level}: {len(found.manifest.files)} files are the listed ones")
    return {
        "package": str(package),
        "record_digest": verification.record.record_digest,
        "manifest_sha256": found.manifest_digest,
        "level": verification.level,
        "files": [item.name for item in found.manifest.files],
        "predecessors": list(found.predecessors),
        "not_checked": list(verification.not_checked),
        "notes": [*found.notes, *verification.notes],
    }


def _add_trust(trust: Path | None, parts: dict[str, bytes], absent: dict[str, str]) -> None:
    if trust is None:
        absent["trust.toml"] = "none was given"
        return
    parts["trust.toml"] = signing.read_file(trust)
    signed = trust.with_name(f"{trust.name}.signatures.json")
    if signed.is_file():
        parts["trust.toml.signatures.json"] = signing.read_file(signed)
    else:
        absent["trust.toml.signatures.json"] = "no root has signed the trust file"


def _add_predecessors(record: Record, given: list[Path], parts: dict[str, bytes], absent: dict[str, str]) -> None:
    from cephstd.audit.verifier import verify
    from cephstd.export.evidence import name_predecessor

    known = {sealed.record_digest: sealed for sealed in (verify(path).record for path in given)}
    before = record.content.previous
    while before is not None and before in known:
        sealed = known.pop(before)
        parts[name_predecessor(sealed)] = sealed.data
        before = sealed.content.previous
    if known:
        raise InputError(f"Expected predecessors of the record with --previous, found {', '.join(known)}.")
    if before is not None:
        absent[f"predecessors/{before.removeprefix('sha256:')}.record.json"] = "none was given"


def _add_pictures(
    found: Verification,
    source: Path | None,
    files: dict[str, bytes | None],
    parts: dict[str, bytes],
    absent: dict[str, str],
    *,
    analyses: Sequence[str] | None,
    keep_text: bool,
    fonts: Sequence[Path],
) -> None:
    if source is None:
        absent |= dict.fromkeys(("report.pdf", "overlay.png"), "the film was not given")
        return
    from cephstd.export.report_pictures import draw_overlay

    film = read_film(found.record, source)
    parts["overlay.png"] = draw_overlay(found.record.content, film, cover_text=not keep_text)
    try:
        parts["report.pdf"] = draw_report(found, film, files, analyses=analyses, keep_text=keep_text, fonts=fonts)
    except MissingExtraError as error:
        absent["report.pdf"] = str(error.args[0])


def _pack(found: Verification, parts: dict[str, bytes], absent: dict[str, str], out: Path) -> dict[str, Any]:
    from cephstd.core.digest import digest_bytes
    from cephstd.export.evidence import list_software, pack_evidence, read_manifest, shared_parts
    from cephstd.io.store import write_bytes

    record = found.record
    shared, lacking = shared_parts(record)
    data = pack_evidence(record, {**shared, **parts}, software=list_software(), absent={**lacking, **absent})
    write_bytes(out, data)
    manifest, digest = read_manifest(data)
    for item in manifest.absent:
        say(f"absent: {item.name}: {item.reason}")
    say(f"{len(manifest.files)} files: {out}")
    return {
        "package": str(out),
        "sha256": digest_bytes(data),
        "record_digest": record.record_digest,
        "manifest_sha256": digest,
        "level": found.level,
        "files": [item.name for item in manifest.files],
        "absent": {item.name: item.reason for item in manifest.absent},
    }
