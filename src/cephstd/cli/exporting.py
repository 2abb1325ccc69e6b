"""The command that hands a record to other systems: export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.records import RecordFile, fail, record_of
from cephstd.cli.rendering import say, write_json
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
  cephstd export results/film.record.json --source film.jpg --sr film.sr.dcm
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
) -> None:
    """Hand a record on to other systems: a DICOM structured report.

    A report is preliminary until a person has decided on every point, and verified when the last word is a person's
    acceptance of the whole record. What is absent is said to be absent, never given a number. A film that is no DICOM
    file is wrapped, and written beside the report as OUT.image.dcm; store both. stdout has one JSON object: record,
    status, record_digest, sr, error.
    """
    from cephstd.audit.verifier import verify

    try:
        if sr is None:
            raise InputError("Expected a file to write, found none.", hint="Give --sr OUT.dcm.")
        sealed = verify(record_of(record)).record
        written = {"sr": write_sr(sealed, source, sr)}
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
