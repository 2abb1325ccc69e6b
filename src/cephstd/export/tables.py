"""Landmarks and values as CSV in long form: one row per point or value, an empty cell where there is no number."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TextIO, cast

from cephstd.core.interpretation import Sex
from cephstd.core.landmarks import Landmark, LandmarkSet, State, absent_landmark, place_landmark
from cephstd.core.measures import MeasureSet
from cephstd.core.tables import MEASURE_COLUMNS, POINT_COLUMNS
from cephstd.errors import InputError
from cephstd.export.cells import bare_cell, guard_cell

REQUIRED_COLUMNS = ("image_id", "landmark", "x_px", "y_px")
SCALE_COLUMN = "mm_per_px"
NO_REASON = "absent in the table"
PRESENT_STATES: Mapping[str, State] = {"": "placed", "detected": "detected", "placed": "placed", "moved": "moved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmPoints:
    """Points of one film of a table.

    Attributes
    ----------
    marks : LandmarkSet
        In source px.
    mm_per_px : float or None
        Scale stated in the table; None when it has no such column or the cell is empty.
    age_years, sex : float, str, optional
        Of the patient, stated in the table.
    """

    image_id: str
    marks: LandmarkSet
    mm_per_px: float | None = None
    age_years: float | None = None
    sex: Sex | None = None


class PointWriter:
    """Writes landmark rows under the columns of `POINT_COLUMNS` to a text stream.

    >>> import sys
    >>> from cephstd.core.landmarks import absent_landmark
    >>> writer = PointWriter(sys.stdout)
    image_id,landmark,x_px,y_px,state,reason,score,cov_xx,cov_xy,cov_yy
    >>> writer.write("film", LandmarkSet(landmarks=(absent_landmark("Or", "low_confidence"),)))
    film,Or,,,absent,low_confidence,,,,
    """

    def __init__(self, stream: TextIO) -> None:
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(POINT_COLUMNS)

    def write(self, image_id: str, marks: Iterable[Landmark]) -> None:
        """One row per landmark, absent ones with their reason and no numbers."""
        for mark in marks:
            cells = {"image_id": image_id, "landmark": mark.id}
            self._rows.writerow(
                [guard_cell(cells[name] if name in cells else _cell(getattr(mark, name))) for name in POINT_COLUMNS]
            )


class MeasureWriter:
    """Writes value rows under the columns of `MEASURE_COLUMNS` to a text stream; values are not rounded."""

    def __init__(self, stream: TextIO) -> None:
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(MEASURE_COLUMNS)

    def write(self, image_id: str, values: MeasureSet) -> None:
        """One row per measure, absent ones with their reason and no numbers; there, too, stands what to beware of."""
        for measure in values:
            cells = {"image_id": image_id, "measure": measure.id}
            if measure.remark:
                cells["reason"] = measure.remark
            row = (cells.get(name, _cell(getattr(measure, name, None))) for name in MEASURE_COLUMNS)
            self._rows.writerow([guard_cell(cell) for cell in row])


def read_points(text: str) -> tuple[FilmPoints, ...]:
    """Films of a point table, in the order of their first rows.

    Parameters
    ----------
    text : str
        CSV with the columns image_id, landmark, x_px, y_px; state, reason, review, score, cov_xx, cov_xy, cov_yy,
        mm_per_px, age_years and sex are optional, others are ignored. A row without coordinates is an absent point.

    Raises
    ------
    InputError
        When a column is missing, a cell is no finite number, one coordinate of two is given, a point that is called
        absent has a position, a point occurs twice, or a film has two scales, ages or sexes; with the line.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), restval="")
    missing = [name for name in REQUIRED_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            f"Expected a point table with the columns {', '.join(REQUIRED_COLUMNS)}; missing: {', '.join(missing)}."
        )
    films: dict[str, dict[str, Landmark]] = {}
    stated: dict[str, Stated] = {}
    for line, row in _rows(reader):
        image_id, mark = row["image_id"], _landmark(row, line)
        points = films.setdefault(image_id, {})
        if mark.id in points:
            raise InputError(f"Line {line}: landmark {mark.id} of {image_id} occurs twice.")
        points[mark.id] = mark
        said = Stated(_number(row, SCALE_COLUMN, line), _number(row, "age_years", line), _sex(row, line))
        first = stated.setdefault(image_id, said)
        if first.mm_per_px != said.mm_per_px:
            raise InputError(
                f"Line {line}: film {image_id} has two scales, {first.mm_per_px} and {said.mm_per_px} mm per px."
            )
        if first != said:
            raise InputError(f"Line {line}: film {image_id} has two ages or two sexes.")
    return tuple(
        FilmPoints(
            image_id=id,
            marks=LandmarkSet(landmarks=tuple(points.values())),
            mm_per_px=stated[id].mm_per_px,
            age_years=stated[id].age_years,
            sex=stated[id].sex,
        )
        for id, points in films.items()
    )


def tabulate_films(films: Iterable[FilmPoints]) -> dict[str, list[str | float | None]]:
    """Columns in long form of films that were read, as `cephstd.geometry.point_table.pivot_points` takes them."""
    columns: dict[str, list[str | float | None]] = {"image_id": [], "landmark": []}
    columns |= {name: [] for name in ("x_px", "y_px", "cov_xx", "cov_xy", "cov_yy", "review", SCALE_COLUMN)}
    for film in films:
        for mark in film.marks:
            columns["image_id"].append(film.image_id)
            columns["landmark"].append(mark.id)
            columns[SCALE_COLUMN].append(film.mm_per_px)
            for name in ("x_px", "y_px", "cov_xx", "cov_xy", "cov_yy", "review"):
                columns[name].append(getattr(mark, name))
    return columns


class Stated(NamedTuple):
    """What a table states of a film beside its points."""

    mm_per_px: float | None
    age_years: float | None
    sex: Sex | None


def _sex(row: Mapping[str, str], line: int) -> Sex | None:
    cell = row.get("sex", "").strip()
    if cell not in ("", "F", "M"):
        raise InputError(f"Line {line}: expected F, M or nothing under sex, found {cell!r}.")
    return cast("Sex", cell) if cell else None


def _rows(reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        for row in reader:
            yield reader.line_num, {name: bare_cell(cell) for name, cell in row.items() if isinstance(cell, str)}
    except csv.Error as error:
        raise InputError(f"The point table is no CSV: {error}.") from error


def _landmark(row: Mapping[str, str], line: int) -> Landmark:
    id, state, reason = row["landmark"], row.get("state", ""), row.get("reason", "")
    if not id or not row["image_id"]:
        raise InputError(f"Line {line}: expected an image_id and a landmark, found an empty cell.")
    x, y = _number(row, "x_px", line), _number(row, "y_px", line)
    score = _number(row, "score", line)
    if x is None and y is None:
        if state not in ("", "absent"):
            raise InputError(f"Line {line}: landmark {id} is {state} and has no position.")
        return absent_landmark(id, reason or NO_REASON, score=score)
    if x is None or y is None:
        raise InputError(f"Line {line}: landmark {id} has one coordinate of two.")
    if state not in PRESENT_STATES:
        raise InputError(
            f"Line {line}: expected the state detected, placed, moved or absent (without a position), found {state!r}."
        )
    return place_landmark(
        id,
        x,
        y,
        state=PRESENT_STATES[state],
        covariance_px2=_covariance(row, line),
        score=score,
        review="provisional" if row.get("review") == "provisional" else "none",
        reason=reason,
    )


def _covariance(row: Mapping[str, str], line: int) -> list[list[float]] | None:
    xx, xy, yy = (_number(row, name, line) for name in ("cov_xx", "cov_xy", "cov_yy"))
    if xx is None or xy is None or yy is None:
        if (xx, xy, yy) != (None, None, None):
            raise InputError(f"Line {line}: expected all of cov_xx, cov_xy, cov_yy or none.")
        return None
    return [[xx, xy], [xy, yy]]


def _number(row: Mapping[str, str], name: str, line: int) -> float | None:
    cell = row.get(name, "").strip()
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError as error:
        raise InputError(f"Line {line}: expected a number under {name}, found {cell!r}.") from error
    if not math.isfinite(value):
        raise InputError(
            f"Line {line}: expected a finite number under {name}, found {cell!r}; leave absent ones empty."
        )
    return value


def _cell(value: object) -> object:
    return "" if value is None else value
