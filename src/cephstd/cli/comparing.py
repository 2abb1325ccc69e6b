"""Commands on more than one film or reading: superimpose, agreement."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.files import make_folder, read_text, write_text
from cephstd.cli.rendering import make_table, people, write_json
from cephstd.errors import CalibrationError, InputError

if TYPE_CHECKING:
    from cephstd.core.image import Calibration
    from cephstd.core.landmarks import LandmarkSet
    from cephstd.evaluation.agreement import Agreement, Estimate
    from cephstd.evaluation.scatter import LandmarkAgreement
    from cephstd.evaluation.serial import Change
    from cephstd.export.tables import FilmPoints
    from cephstd.geometry.superimposer import Superimposition

LandmarkList = Annotated[
    str | None,
    typer.Option(
        "--landmarks",
        metavar="S,N,...",
        help="Landmarks to fit, for the methods fit and robust; default: all that both films have.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Lay serial films over one another.", epilog=SUPERIMPOSE_EXAMPLES)(superimpose)
    app.command(short_help="Agreement of two readings.", epilog=AGREEMENT_EXAMPLES)(agreement)


SUPERIMPOSE_EXAMPLES = """\b
Examples:
  cephstd superimpose 2021.record.json 2024.record.json --out growth.png
  cephstd superimpose serial.csv --method mandible --mm-per-px 0.1
  cephstd superimpose a.csv b.csv --method robust --landmarks S,N,Po,Or,Ba --errors agreement.json
"""


def superimpose(
    films: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILM...",
            help="Records (NAME.record.json) or point tables (CSV; every film of a table), the earliest first.",
            show_default=False,
        ),
    ],
    *,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="SN (held at S), BaN (at N), cranial_base, maxilla (PNS-ANS at ANS), mandible (Go-Me at Me), fit "
            "(least squares), robust (least distances).",
        ),
    ] = "SN",
    landmarks: LandmarkList = None,
    analysis: Annotated[
        str, typer.Option("--analysis", metavar="NAME|FILE", help="Measures whose change is told.")
    ] = "steiner",
    errors: Annotated[
        Path | None,
        typer.Option(
            "--errors",
            metavar="FILE",
            help="Method errors of your own, as 'cephstd agreement' writes them; they replace propagated errors.",
            show_default=False,
        ),
    ] = None,
    mm_per_px: options.MmPerPx = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Picture (.png) or data (.json); default: data on stdout.",
            show_default=False,
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Lay serial films over the first one and tell what moved and which measures changed by more than their error.

    Films are compared in millimetres, so each needs a scale; the motion turns and shifts, and never changes size.
    Displacements are along the first film's face, anterior and superior positive, with the error that landmarks and
    scales carry into them. A verdict needs the covariance of every point that it rests on, or --errors.
    """
    import msgspec

    from cephstd.core.measures import Uncertainty
    from cephstd.evaluation.serial import compare_series
    from cephstd.geometry.measurer import Measurer
    from cephstd.geometry.superimposer import superimpose as lay

    taken = [film for path in films for film in _read_films(path, mm_per_px)]
    marks, scales = [film[1] for film in taken], [film[2] for film in taken]
    chosen = tuple(id.strip() for id in landmarks.split(",")) if landmarks else ()
    laid = lay(marks, scales, method, landmarks=chosen)
    measurer = Measurer(analysis)
    checked = Uncertainty()
    values = [measurer(points, scale, uncertainty=checked) for points, scale in zip(marks, scales, strict=True)]
    changes = compare_series(values, method_errors=_read_errors(errors))
    if not quiet:
        for (name, _, _), one, table in zip(taken[1:], laid, changes, strict=True):
            _show_shifts(f"{taken[0][0]} to {name}", one)
            _show_changes(table)
    if out is not None and out.suffix.lower() == ".png":
        _write_picture(out, marks, laid, scales[0])
        return
    data = {
        "first": taken[0][0],
        "analysis": measurer.analysis.definition.id,
        "later": [
            {"film": name, "superimposition": msgspec.to_builtins(one), "changes": msgspec.to_builtins(table)}
            for (name, _, _), one, table in zip(taken[1:], laid, changes, strict=True)
        ],
    }
    _give(data, out)


def _read_films(path: Path, mm_per_px: float | None) -> list[tuple[str, LandmarkSet, Calibration]]:
    """Name, points and scale of each film of a record or a point table."""
    from cephstd.core.image import UNDETERMINED, state_calibration
    from cephstd.core.landmarks import LandmarkSet
    from cephstd.core.record import decode_record
    from cephstd.export.tables import read_points

    stated = None if mm_per_px is None else state_calibration(mm_per_px, source="--mm-per-px")
    text = read_text(path)
    if text.lstrip().startswith("{"):
        content = decode_record(text.encode()).content
        marks = LandmarkSet(landmarks=content.landmarks, scheme=content.scheme)
        return [(path.name.removesuffix(".record.json"), marks, stated or content.calibration)]
    found = []
    for film in read_points(text):
        scale = stated if film.mm_per_px is None else state_calibration(film.mm_per_px, source="column mm_per_px")
        found.append((film.image_id, film.marks, scale or UNDETERMINED))
    return found


def _read_errors(path: Path | None) -> dict[str, float]:
    """Measure -> Dahlberg's error, from what `agreement` wrote."""
    import msgspec

    if path is None:
        return {}
    try:
        measures = msgspec.json.decode(read_text(path))["measures"]
        return {id: float(facts["dahlberg"]) for id, facts in measures.items() if facts["dahlberg"]}
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"Expected {path} as written by 'cephstd agreement', with measures, found something else."
        ) from error


def _write_picture(out: Path, marks: list[LandmarkSet], laid: tuple[Superimposition, ...], scale: Calibration) -> None:
    from cephstd.io.store import write_bytes
    from cephstd.plot.overlays import draw_png
    from cephstd.plot.superimpositions import draw_superimposition

    make_folder(out.parent)
    write_bytes(out, draw_png(draw_superimposition(marks, laid, scale)))


def _give(data: dict[str, Any], out: Path | None) -> None:
    import json

    if out is None or str(out) == "-":
        write_json(data, indent=2)
        return
    make_folder(out.parent)
    write_text(out, json.dumps(data, indent=2, allow_nan=False) + "\n")


def _show_shifts(title: str, laid: Superimposition) -> None:
    names = ("landmark", "anterior mm", "± sd", "superior mm", "± sd", "distance mm", "")
    table = make_table(*names, right=names[1:6], title=f"{title}, {laid.method}")
    for shift in laid.shifts:
        numbers = (shift.anterior_mm, shift.sd_anterior_mm, shift.superior_mm, shift.sd_superior_mm, shift.distance_mm)
        said = {True: "moved", False: "within noise", None: shift.reason}[shift.moved]
        table.add_row(shift.landmark, *(_cell(number) for number in numbers), said)
    people().print(table)


def _show_changes(changes: tuple[Change, ...]) -> None:
    names = ("measure", "first", "later", "change", "detectable", "unit", "")
    table = make_table(*names, right=names[1:5])
    for one in changes:
        numbers = (one.first, one.later, one.change, one.smallest_detectable)
        table.add_row(one.measure, *(_cell(number) for number in numbers), one.unit, one.reason or one.verdict)
    people().print(table)


def _cell(number: float | None, decimals: int = 2) -> str:
    return "" if number is None else f"{number:.{decimals}f}"


AGREEMENT_EXAMPLES = """\b
Examples:
  cephstd agreement monday.csv friday.csv --mm-per-px 0.1 --out agreement.json
  cephstd agreement first_points.csv second_points.csv --analysis steiner --mm-per-px 0.1
  cephstd agreement first_values.csv second_values.csv

\b
Points: image_id,landmark,x_px,y_px. Values: image_id,measure,value (as 'cephstd measure' writes them).
"""


def agreement(
    first: Annotated[Path, typer.Argument(metavar="FIRST.csv", help="First reading: a table of points or of values.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND.csv", help="Second reading of the same films.")],
    *,
    analysis: Annotated[
        str | None,
        typer.Option(
            "--analysis", metavar="NAME|FILE", help="For points: measure both readings, too.", show_default=False
        ),
    ] = None,
    mm_per_px: options.MmPerPx = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="JSON file to write; default: stdout.", show_default=False),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Agreement of two readings of the same films: method error, reliability and limits, each with a 95 % interval.

    Of points: mean radial error, detection rates, bias and scatter along each axis, the 95 % ellipse, the covariance of
    a single reading. Of values: bias with its test, Dahlberg's error, ICC(2,1) and ICC(3,1), limits of agreement, the
    smallest detectable change. Films that were read once are left out and counted.
    """
    import msgspec

    tables = [read_text(path) for path in (first, second)]
    kinds = {_is_of_points(text) for text in tables}
    if len(kinds) > 1:
        raise InputError("Expected two tables of one kind, found one of points and one of values.")
    places: tuple[LandmarkAgreement, ...] = ()
    if kinds == {True}:
        places, measured, alone = _compare_points(tables, analysis, mm_per_px)
    else:
        from cephstd.export.value_tables import read_values

        pair = [{id: one.values for id, one in read_values(text).items()} for text in tables]
        measured, alone = _compare_measures(pair[0], pair[1])
    if not quiet:
        _show_landmarks(places)
        _show_measures(measured)
    data = {
        "landmarks": msgspec.to_builtins(places),
        "measures": {id: msgspec.to_builtins(found) for id, found in measured.items()},
        "not_compared": alone,
    }
    _give(data, out)


def _is_of_points(text: str) -> bool:
    return "landmark" in next(csv.reader(text.removeprefix("\ufeff").splitlines()), [])


def _compare_points(
    tables: list[str], analysis: str | None, mm_per_px: float | None
) -> tuple[tuple[LandmarkAgreement, ...], dict[str, Agreement], dict[str, str]]:
    from cephstd.core.image import state_calibration
    from cephstd.evaluation.scatter import assess_landmarks
    from cephstd.export.tables import read_points
    from cephstd.geometry.measurer import Measurer

    first, second = ({film.image_id: film for film in read_points(text)} for text in tables)
    scales = {id: film.mm_per_px or mm_per_px for id, film in first.items()}
    for id, film in second.items():
        if id in scales and film.mm_per_px is not None and film.mm_per_px != scales[id]:
            raise CalibrationError(f"Film {id} has two scales, {scales[id]} and {film.mm_per_px} mm per px.")
    known = {id: scale for id, scale in scales.items() if scale is not None}
    marks = [{id: film.marks for id, film in table.items()} for table in (first, second)]
    places = assess_landmarks(*marks, mm_per_px=known)
    if analysis is None:
        return places, {}, {}
    measurer = Measurer(analysis)

    def measure(table: dict[str, FilmPoints]) -> dict[str, dict[str, float]]:
        out: dict[str, dict[str, float]] = {}
        for id, film in table.items():
            for value in measurer(film.marks, state_calibration(known[id]) if id in known else None):
                if value.value is not None:
                    out.setdefault(value.id, {})[id] = value.value
        return out

    return places, *_compare_measures(measure(first), measure(second))


def _compare_measures(
    first: dict[str, dict[str, float]], second: dict[str, dict[str, float]]
) -> tuple[dict[str, Agreement], dict[str, str]]:
    """Agreement by measure, and why a measure has none."""
    from cephstd.evaluation.agreement import assess_agreement

    found, alone = {}, {}
    for id, values in first.items():
        films = [film for film in values if film in second.get(id, {})]
        if len(films) < 2:
            alone[id] = f"read twice on {len(films)} films"
            continue
        found[id] = assess_agreement([values[film] for film in films], [second[id][film] for film in films])
    return found, alone


def _show_landmarks(places: tuple[LandmarkAgreement, ...]) -> None:
    if not places:
        return
    names = ("landmark", "n", "absent", "MRE mm", "≤2 mm %", "bias x", "bias y", "sd x", "sd y", "ellipse mm")
    table = make_table(*names, right=names[1:])
    for one in places:
        ellipse = one.ellipse and f"{one.ellipse.major_mm:.2f} x {one.ellipse.minor_mm:.2f}"
        table.add_row(
            one.landmark,
            str(one.distances.points),
            str(one.distances.absent or ""),
            _cell(one.distances.mre_mm),
            _cell(one.distances.sdr_percent.get("2"), 1),
            *(_cell(bias.value) for bias in (one.bias_x, one.bias_y)),
            *(_cell(sd) for sd in (one.sd_x_mm, one.sd_y_mm)),
            ellipse or "",
        )
    people().print(table)


def _show_measures(measured: dict[str, Agreement]) -> None:
    if not measured:
        return
    names = ("measure", "n", "bias", "p", "Dahlberg", "ICC(2,1)", "95 %", "limits of agreement", "detectable")
    table = make_table(*names, right=names[1:])
    for id, one in measured.items():
        limits = f"{_cell(one.lower_limit.value)} to {_cell(one.upper_limit.value)}"
        interval = _interval(one.icc_2_1)
        numbers = (one.mean_difference.value, one.p_value, one.dahlberg, one.icc_2_1.value)
        table.add_row(id, str(one.n), *map(_cell, numbers), interval, limits, _cell(one.smallest_detectable_change))
    people().print(table)


def _interval(estimate: Estimate) -> str:
    return "" if estimate.interval is None else f"{estimate.interval[0]:.2f} to {estimate.interval[1]:.2f}"
