"""The command that measures points: measure."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.analysis import choose_uncertainty, name_enlargements, name_sets, read_scale, read_sex
from cephstd.cli.files import STREAM, make_folder, read_text, write_text

if TYPE_CHECKING:
    from cephstd.core.image import Calibration
    from cephstd.core.measures import Uncertainty
    from cephstd.export.tables import FilmPoints
    from cephstd.geometry.measurer import Measurer

PARQUET = ".parquet"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Measure points that you already have.", epilog=MEASURE_EXAMPLES)(measure)


MEASURE_EXAMPLES = """\b
Examples:
  cephstd measure points.csv --analysis steiner --out values.csv --mm-per-px 0.1
  cephstd measure points.parquet --out values.parquet
  cephstd measure wide.csv --format wide --out values.csv
  cephstd measure points.csv --out values.csv --norms eastman --age 14 --sex F --interpretation said.jsonl
  cephstd measure points.csv --out values.csv --uncertainty monte-carlo --draws 20000 --seed 7
  cephstd detect film.dcm --out - | cephstd measure - --analysis all --out -

\b
In: image_id,landmark,x_px,y_px (state, reason, review, cov_xx, cov_xy, cov_yy, mm_per_px, age_years,
sex may be there; empty coordinates = absent). Out: image_id,measure,value,sd,unit,reason; values are
not rounded; reason says why a value is absent, or "provisional", or "first order fails" where the standard
deviation by derivatives is not to be relied on. Parquet, in or out, measures all films at once, to first order and
unchecked.
"""


def measure(
    points: Annotated[
        Path,
        typer.Argument(metavar="POINTS", help="Table of points: CSV or Parquet by its suffix, or - for CSV on stdin."),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV or .parquet file to write, or - for stdout.")],
    analysis: Annotated[
        str,
        typer.Option("--analysis", metavar="NAME|FILE", help="Analysis by name, TOML file of your own, or all."),
    ] = "all",
    mm_per_px: options.MmPerPx = None,
    calibration: options.CalibrationFile = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORM",
            help="long (one row per point), wide (columns S_x, S_y, ...), isbi (a folder of ISBI 2015 text files), "
            "aariz (a folder of Aariz JSON files), cl-detection (CSV of CL-Detection2023) or cl-detection-json (its "
            "file of points).",
        ),
    ] = "long",
    norms: options.NormSets = None,
    rules: options.RuleSets = None,
    age: options.Age = None,
    sex: options.SexOption = None,
    norms_by: options.NormsBy = None,
    norms_enlargement: options.NormsEnlargement = None,
    uncertainty: options.UncertaintyMethod = None,
    draws: options.Draws = None,
    seed: options.Seed = None,
    interpretation: Annotated[
        Path | None,
        typer.Option(
            "--interpretation",
            metavar="FILE",
            help="JSON lines to write, one per film: comparisons with --norms, classes by rules, findings.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure points that you already have: values with units, uncertainty, and a reason where one is absent.

    A column mm_per_px states the scale of each film; --mm-per-px or --calibration that of all films without one.
    Without a scale every length is absent with that reason; norms for lengths need one whose basis says that it is of
    natural size. Standard deviations need the covariance of every point that a value rests on.
    """
    from cephstd.core.recipe import Recipe
    from cephstd.geometry.measurer import Measurer

    if norms and interpretation is None:
        raise typer.BadParameter("Comparisons with --norms go to a file: name it with --interpretation.")
    spread = choose_uncertainty(Recipe(), method=uncertainty, draws=draws, seed=seed).uncertainty
    measurer = Measurer(analysis)
    make_folder(out.parent)
    if PARQUET in (points.suffix, out.suffix) and interpretation is None:
        if spread.method != "first-order":
            raise typer.BadParameter("Monte Carlo goes film by film: give and take CSV.")
        if calibration is not None:
            raise typer.BadParameter("A calibration file goes with CSV; state --mm-per-px for Parquet.")
        measure_columns(points, out, measurer, form=form, mm_per_px=mm_per_px)
        return
    said = io.StringIO() if interpretation is not None else None
    measure_films(
        load_films(points, form),
        out,
        measurer,
        stated=read_scale(mm_per_px, calibration),
        said=said,
        uncertainty=spread,
        sets={
            "norms": name_sets(norms) or (),
            "rules": name_sets(rules),
            "norms_by": norms_by or "",
            "enlargements": {one.set: one.percent for one in name_enlargements(norms_enlargement) or ()},
        },
        patient={"age_years": age, "sex": read_sex(sex)},
    )
    if said is not None and interpretation is not None:
        make_folder(interpretation.parent)
        write_text(interpretation, said.getvalue())


def load_films(points: Path, form: str) -> Iterable[FilmPoints]:
    """Films of a table in any of the forms."""
    from cephstd.export.foreign_tables import import_points
    from cephstd.export.tables import read_points

    if points.suffix == PARQUET:
        raise typer.BadParameter("An interpretation needs the points as CSV.")
    return read_points(read_text(points)) if form == "long" else import_points(points, form)


def measure_films(
    films: Iterable[FilmPoints],
    out: Path,
    measurer: Measurer,
    *,
    stated: Calibration | None,
    uncertainty: Uncertainty,
    said: io.StringIO | None,
    sets: dict[str, Any],
    patient: dict[str, Any],
) -> None:
    """Measure film by film, and write what norms and rules say where that is asked for."""
    import msgspec

    from cephstd.core.image import state_calibration
    from cephstd.core.recipe import DEFAULT_RULES
    from cephstd.export.tables import MeasureWriter
    from cephstd.interpretation.interpreter import Interpreter

    rules = DEFAULT_RULES if sets["rules"] is None else sets["rules"]
    interpreter = (
        None
        if said is None
        else Interpreter(sets["norms"], rules, norms_by=sets["norms_by"], enlargements=sets["enlargements"])
    )
    table = sys.stdout if out == STREAM else io.StringIO()
    writer = MeasureWriter(table)
    for film in films:
        scale = stated if film.mm_per_px is None else state_calibration(film.mm_per_px, source="column mm_per_px")
        values = measurer(film.marks, scale, uncertainty=uncertainty)
        writer.write(film.image_id, values)
        if interpreter is not None and said is not None:
            own = {"age_years": film.age_years, "sex": film.sex}
            about: dict[str, Any] = {name: patient[name] if value is None else value for name, value in own.items()}
            basis = "undetermined" if scale is None else scale.basis
            told = msgspec.to_builtins(interpreter(values, basis=basis, **about))
            said.write(msgspec.json.encode({"image_id": film.image_id, **told}).decode() + "\n")
    if isinstance(table, io.StringIO):
        write_text(out, table.getvalue())


def measure_columns(points: Path, out: Path, measurer: Measurer, *, form: str, mm_per_px: float | None) -> None:
    """Measure all films at once, from or to Parquet."""
    from cephstd.export.parquet import read_parquet, write_csv, write_values
    from cephstd.export.tables import tabulate_films
    from cephstd.geometry.frames import measure_table, read_frame
    from cephstd.geometry.point_table import pivot_points
    from cephstd.io.store import write_bytes

    if points.suffix == PARQUET:
        table = read_frame(read_parquet(points), mm_per_px=mm_per_px)
    else:
        table = pivot_points(tabulate_films(load_films(points, form)), mm_per_px=mm_per_px)
    columns = measure_table(measurer, table)
    if out.suffix == PARQUET:
        write_bytes(out, write_values(table.image_ids, columns))
    elif out == STREAM:
        sys.stdout.write(write_csv(table.image_ids, columns))
    else:
        write_text(out, write_csv(table.image_ids, columns))
