"""The command that puts a scanned film into DICOM: wrap."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cephstd.cli import options
from cephstd.cli.rendering import write_json

if TYPE_CHECKING:
    from cephstd.export.dicom_image import StatedDate


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Put a JPEG, PNG, TIFF or BMP film into DICOM.", epilog=WRAP_EXAMPLES)(wrap)


WRAP_EXAMPLES = """\b
Examples:
  cephstd wrap film.jpg --out film.dcm
  cephstd wrap film.tif --out film.dcm --mm-per-px 0.1 --acquired 2019-03-04 --acquired-source "film's label"
"""


def wrap(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One film: JPEG, PNG, TIFF or BMP.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="DICOM file to write; replaced when there.")],
    mm_per_px: options.MmPerPx = None,
    calibration: options.CalibrationFile = None,
    scale_plane: Annotated[
        Literal["film", "head", "ruler"],
        typer.Option(
            "--scale-plane",
            help="Where the scale of --mm-per-px holds: on the film (magnification not corrected), in the head, or at "
            "a ruler in the film.",
        ),
    ] = "film",
    acquired: Annotated[
        str | None,
        typer.Option(
            "--acquired",
            metavar="DATE",
            help="Day on which the film was taken, as you state it: YYYY-MM-DD. Never taken from the file's own times.",
            show_default=False,
        ),
    ] = None,
    acquired_source: Annotated[
        str | None,
        typer.Option(
            "--acquired-source", metavar="TEXT", help="What that date rests on; goes with it.", show_default=False
        ),
    ] = None,
    facing: Annotated[
        Literal["right", "left"] | None,
        typer.Option("--facing", help="Where the face looks, with the head upright.", show_default=False),
    ] = None,
    origin: Annotated[
        Literal["film", "export"],
        typer.Option("--origin", help="A digitized film, or a picture that a workstation exported."),
    ] = "film",
    patient_id: Annotated[
        str, typer.Option("--patient-id", metavar="ID", help="Patient ID; default: empty.", show_default=False)
    ] = "",
    patient_name: Annotated[
        str,
        typer.Option("--patient-name", metavar="NAME", help="As Family^Given; default: empty.", show_default=False),
    ] = "",
    birth_date: Annotated[
        str | None,
        typer.Option("--birth-date", metavar="DATE", help="YYYY-MM-DD; default: empty.", show_default=False),
    ] = None,
    sex: Annotated[
        Literal["F", "M", "O"] | None, typer.Option("--sex", help="Default: empty.", show_default=False)
    ] = None,
    study_uid: Annotated[
        str | None,
        typer.Option(
            "--study-uid", metavar="UID", help="Study to put the film in; default: its own.", show_default=False
        ),
    ] = None,
) -> None:
    """Put a scanned or exported film into DICOM, as a Secondary Capture.

    Scale, date and patient are written as you state them, and what the date and the scale rest on beside them;
    nothing about the patient comes from the file. The samples are kept as they are. The same film with the same
    statements gives the same UIDs. stdout has one JSON object: file, out, sop_instance_uid, study_instance_uid,
    acquired, acquired_source, calibration, warnings.
    """
    from cephstd.cli.analysis import read_scale
    from cephstd.export.dicom_image import Patient, encode_dicom, wrap_film
    from cephstd.io.reader import read
    from cephstd.io.store import write_bytes

    stated = read_date(acquired, acquired_source)
    born = parse_day(birth_date, "--birth-date") if birth_date else None
    film = read(file, calibration=read_scale(mm_per_px, calibration), keep_age=False, keep_sex=False)
    dataset = wrap_film(
        film,
        acquired=stated,
        patient=Patient(id=patient_id, name=patient_name, birth_date=born, sex=sex or ""),
        origin=origin,
        scale_plane=scale_plane,
        facing=facing,
        study_uid=study_uid,
    )
    write_bytes(out, encode_dicom(dataset))
    write_json(
        {
            "file": str(file),
            "out": str(out),
            "sop_instance_uid": str(dataset.SOPInstanceUID),
            "study_instance_uid": str(dataset.StudyInstanceUID),
            "acquired": stated.day.isoformat() if stated else None,
            "acquired_source": stated.source if stated else None,
            "calibration": film.calibration.basis,
            "warnings": list(film.warnings),
        }
    )


def read_date(text: str | None, source: str | None) -> StatedDate | None:
    """The date that a person stated with its source; None when neither was given."""
    from cephstd.export.dicom_image import StatedDate

    if (text is None) != (source is None):
        raise typer.BadParameter("State the date and what it rests on together: --acquired and --acquired-source.")
    return None if text is None or source is None else StatedDate(day=parse_day(text, "--acquired"), source=source)


def parse_day(text: str, option: str) -> date:
    """A day as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"Expected {option} as YYYY-MM-DD, found {text!r}.") from error
