"""The command that measures points: measure."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from cephstd.cli import options
from cephstd.cli.files import STREAM, make_folder, read_text, write_text


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Measure points that you already have.", epilog=MEASURE_EXAMPLES)(measure)


MEASURE_EXAMPLES = """\b
Examples:
  cephstd measure points.csv --analysis steiner --out values.csv --mm-per-px 0.1
  cephstd detect film.dcm --out - | cephstd measure - --analysis all --out -

\b
In: image_id,landmark,x_px,y_px (state, reason, review, cov_xx, cov_xy, cov_yy, mm_per_px may be there;
empty coordinates = absent). Out: image_id,measure,value,sd,unit,reason; values are not rounded.
"""


def measure(
    points: Annotated[Path, typer.Argument(metavar="POINTS.csv", help="Table with one row per point, or - for stdin.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV file to write, or - for stdout.")],
    analysis: Annotated[
        str,
        typer.Option("--analysis", metavar="NAME|FILE", help="Analysis by name, TOML file of your own, or all."),
    ] = "all",
    mm_per_px: options.MmPerPx = None,
) -> None:
    """Measure points that you already have: values with units, uncertainty, and a reason where one is absent.

    A column mm_per_px states the scale of each film; --mm-per-px that of all films without one. Without a scale every
    length is absent with that reason. Standard deviations need the covariance of every point that a value rests on.
    """
    from cephstd.core.image import state_calibration
    from cephstd.export.tables import MeasureWriter, read_points
    from cephstd.geometry.measurer import Measurer

    stated = None if mm_per_px is None else state_calibration(mm_per_px, source="--mm-per-px")
    measurer = Measurer(analysis)
    make_folder(out.parent)
    films = read_points(read_text(points))
    table = sys.stdout if out == STREAM else io.StringIO()
    writer = MeasureWriter(table)
    for film in films:
        scale = stated if film.mm_per_px is None else state_calibration(film.mm_per_px, source="column mm_per_px")
        writer.write(film.image_id, measurer(film.marks, scale))
    if isinstance(table, io.StringIO):
        write_text(out, table.getvalue())
