"""The command that writes the standard image of a film: normalize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.rendering import say, write_json

if TYPE_CHECKING:
    from cephstd.core.image import Normalized

STANDARD_SUFFIXES = (".dcm", ".tif", ".tiff", ".png")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Write the standard image of a film.", epilog=NORMALIZE_EXAMPLES)(normalize)


NORMALIZE_EXAMPLES = """\b
Examples:
  cephstd normalize film.dcm --out standard.dcm
  cephstd normalize film.jpg --out standard.png --mm-per-px 0.1
  cephstd normalize series.dcm --frame 2 --out standard.dcm
"""


def normalize(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One film: DICOM, JPEG, PNG, TIFF or BMP.")],
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="File to write, .dcm, .tif or .png; replaced when there."),
    ],
    frame: Annotated[
        int | None,
        typer.Option(
            "--frame",
            metavar="N",
            help="Which frame of a multi-frame DICOM file, counted from 1; needed where there are several.",
            show_default=False,
        ),
    ] = None,
    mm_per_px: options.MmPerPx = None,
    calibration: options.CalibrationFile = None,
    recipe: options.RecipeFile = None,
    models: options.ModelFolder = None,
    quiet: options.Quiet = False,
) -> None:
    """Write the standard image of a film: face right, bone bright, one tone, 0.1 mm square pixels, 16 bit.

    Which way the film lies and whether bone is dark is found from the file and from the image. Without a scale the
    size stays and lengths are relative. A DICOM file says of itself what it is derived from and how, and keeps patient
    and study of a DICOM film; every file has a label by which it is known again: normalized once more, it stays as it
    is. FILE is never changed. stdout has one JSON object: file, out, width, height, spacing_mm, basis, steps, quality,
    findings that have a note, not_assessed, warnings.
    """
    from cephstd.cli.analysis import choose_recipe, read_scale
    from cephstd.errors import InputError
    from cephstd.export.standard_image import encode_standard
    from cephstd.io.reader import load_bytes
    from cephstd.io.store import write_bytes
    from cephstd.pipeline.intake import read_film
    from cephstd.pipeline.normalizer import Normalizer

    if out.suffix.lower() not in STANDARD_SUFFIXES:
        raise typer.BadParameter(f"Expected --out as a .dcm, .tif or .png file, found {out.name!r}.")
    if out.exists() and file.exists() and out.samefile(file):
        raise InputError("Expected another file as --out, found the film itself.", hint="The film is never changed.")
    chosen = choose_recipe(recipe, mm_per_px=mm_per_px)
    data = load_bytes(file, chosen.budget)
    film = read_film(data, chosen, read_scale(mm_per_px, calibration), frame=frame)
    normal = Normalizer(models=models)(film, chosen)
    source = data if film.source.format == "dicom" else None
    write_bytes(out, encode_standard(normal, out.suffix, source=source))
    facts = {"file": str(file), "out": str(out)} | describe(normal)
    facts["warnings"] = list(dict.fromkeys((*film.warnings, *normal.warnings)))
    write_json(facts)
    if not quiet:
        for text in facts["warnings"]:
            say(f"note: {text}")


def describe(normal: Normalized) -> dict[str, Any]:
    """A standard image as data, without its samples."""
    import msgspec

    width, height = normal.size
    return {
        "width": width,
        "height": height,
        "spacing_mm": normal.spacing_mm,
        "basis": normal.calibration.basis,
        "steps": msgspec.to_builtins(normal.chain.steps),
        "quality": normal.quality.verdict,
        "findings": [msgspec.to_builtins(finding) for finding in normal.quality.findings if finding.note],
        "not_assessed": list(normal.quality.not_assessed),
    }
