"""The command that hands a record to other systems: export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cephstd.cli.records import RecordFile, fail, record_of
from cephstd.cli.rendering import say, write_json
from cephstd.cli.signing import beside, read_file
from cephstd.errors import CephError, InputError

if TYPE_CHECKING:
    from cephstd.core.record import Record

IMAGE_SUFFIX = ".image.dcm"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Hand a record on as DICOM SR or FHIR.", epilog=EXPORT_EXAMPLES)(export)


EXPORT_EXAMPLES = """\b
Examples:
  cephstd export results/film.record.json --source film.dcm --sr film.sr.dcm
  cephstd export results/film.record.json --source film.jpg --fhir film.fhir.json --fhir-release R4B
"""


def export(
    record: RecordFile,
    *,
    source: Annotated[
        Path,
        typer.Option(
            "--source",
            metavar="FILE",
            help="The film the record was made from; its hash is compared, and the patient "
            "is taken from it and from nowhere else.",
        ),
    ],
    sr: Annotated[
        Path | None,
        typer.Option(
            "--sr", metavar="OUT.dcm", help="Write a DICOM Comprehensive 3D SR document (TID 1500).", show_default=False
        ),
    ] = None,
    fhir: Annotated[
        Path | None, typer.Option("--fhir", metavar="OUT.json", help="Write a FHIR bundle.", show_default=False)
    ] = None,
    fhir_release: Annotated[
        Literal["R5", "R4B"],
        typer.Option("--fhir-release", metavar="R", help="R5, or R4B, which has no points on images."),
    ] = "R5",
    signatures: Annotated[
        Path | None,
        typer.Option(
            "--signatures",
            metavar="FILE",
            help="Goes into the bundle's Provenance. Default: NAME.signatures.json beside the record.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Hand a record on to other systems: as a DICOM structured report, as a FHIR bundle, or both.

    A report is preliminary until a person has decided on every point, and verified when the last word is a person's
    acceptance of the whole record. What is absent is said to be absent, never given a number. A film that is no DICOM
    file is wrapped, and written beside the report as OUT.image.dcm; store both. stdout has one JSON object: record,
    status, record_digest, sr, fhir, error.
    """
    from cephstd.audit.verifier import verify

    try:
        if sr is None and fhir is None:
            raise InputError("Expected a file to write, found none.", hint="Give --sr OUT.dcm or --fhir OUT.json.")
        sealed = verify(record_of(record)).record
        written = {
            "sr": None if sr is None else write_sr(sealed, source, sr),
            "fhir": None
            if fhir is None
            else write_fhir(sealed, source, fhir, fhir_release, read_signatures(record, signatures)),
        }
    except CephError as error:
        fail(record, error)
    write_json(
        {
            "record": str(record),
            "status": "exported",
            "record_digest": sealed.record_digest,
            **written,
            "error": None,
        }
    )


def write_sr(sealed: Record, source: Path, out: Path) -> dict[str, Any]:
    """Write the report, and the image that it refers to where the film is no DICOM file."""
    from cephstd.export.dicom_sr import to_sr
    from cephstd.io.store import write_bytes

    made = to_sr(sealed, source)
    image = out.with_name(out.name.removesuffix(".dcm") + IMAGE_SUFFIX) if made.image is not None else None
    if image is not None and made.image is not None:
        write_bytes(image, made.image)
        say(f"wrapped film  {image}")
    write_bytes(out, made.data)
    state = "verified" if made.is_verified else "final" if made.is_final else "preliminary"
    say(f"structured report, {state}  {out}")
    return {
        "file": str(out),
        "uid": made.uid,
        "predecessor": made.predecessor or None,
        "preliminary": not made.is_final,
        "verified": made.is_verified,
        "image": None if image is None else str(image),
    }


def read_signatures(record: Path, named: Path | None) -> bytes | None:
    """Signatures from the named file, or from the one beside the record; None where there is none."""
    path = named or beside(record, "signatures")
    return read_file(path) if named is not None or path.is_file() else None


def write_fhir(
    sealed: Record, source: Path, out: Path, release: Literal["R5", "R4B"], signatures: bytes | None
) -> dict[str, Any]:
    """Write the bundle."""
    from cephstd.export.fhir import to_fhir
    from cephstd.io.store import write_bytes

    write_bytes(out, to_fhir(sealed, source, release=release, signatures=signatures))
    say(f"FHIR {release} bundle{', with signatures' if signatures else ''}  {out}")
    return {"file": str(out), "release": release, "signatures": signatures is not None}
