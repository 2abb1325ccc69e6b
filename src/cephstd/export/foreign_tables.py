"""Landmark tables of other systems, brought into the dictionary: wide CSV, ISBI 2015, Aariz, CL-Detection 2023."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cephstd.core.landmarks import Landmark, LandmarkSet, absent_landmark, place_landmark
from cephstd.errors import InputError
from cephstd.export.tables import NO_REASON, FilmPoints
from cephstd.knowledge.definitions import SchemeDefinition, SchemePoint
from cephstd.knowledge.loader import load_landmarks, load_scheme

CL_IMAGE, CL_SPACING = "image file", "spacing(mm)"


def import_points(path: str | Path, form: str) -> tuple[FilmPoints, ...]:
    """Films of a table, or a folder of files, of another system.

    Parameters
    ----------
    path : str or Path
        The CSV file, or for ``isbi`` and ``aariz`` a text or JSON file of one film, or a folder of them.
    form : str
        ``wide``: CSV with image_id, optional mm_per_px, and S_x, S_y, ... by landmark id. ``isbi``: 19 lines of x,y in
        the order of the challenge; what follows (its classes) is not read. ``aariz``: JSON by symbol, or in the order
        of the set. ``cl-detection``: CSV with image file, spacing(mm), p1x, p1y, ... p38y. ``cl-detection-json``: the
        challenge's file of points; a film's id is its place in the stack of films, first = 1.

    Returns
    -------
    tuple of FilmPoints
        Points whose mapping to the dictionary is not settled are absent and say so.

    Raises
    ------
    InputError
        When the form is unknown, a file cannot be read, or it is not of that form; with the file or line.
    """
    if form not in FORMS:
        raise InputError(f"Expected a form of long, {', '.join(FORMS)}; found {form!r}.")
    return tuple(FORMS[form](Path(path)))


def _import_wide(path: Path) -> Iterator[FilmPoints]:
    known = load_landmarks()
    for where, row in _rows(path):
        ids = [name.removesuffix("_x") for name in row if name.endswith("_x")]
        unknown = [id for id in ids if id not in known]
        if unknown or not ids or "image_id" not in row:
            raise InputError(
                f"{where}: expected image_id and pairs of columns such as S_x, S_y with ids of the dictionary; "
                f"found {', '.join(unknown) or 'others'}."
            )
        marks = [_place(id, row.get(f"{id}_x"), row.get(f"{id}_y"), where) for id in ids]
        scale = _number(row.get("mm_per_px"), where)
        yield FilmPoints(image_id=row["image_id"], marks=LandmarkSet(landmarks=tuple(marks)), mm_per_px=scale)


def _import_isbi(path: Path) -> Iterator[FilmPoints]:
    scheme = load_scheme("isbi19")
    for file in _files(path, "*.txt"):
        lines = _read(file).splitlines()[: len(scheme.landmark)]
        pairs = [line.split(",") for line in lines]
        if len(pairs) < len(scheme.landmark) or any(len(pair) != 2 for pair in pairs):
            raise InputError(f"{file.name}: expected {len(scheme.landmark)} lines of x,y.")
        yield _film(file.stem, scheme, {str(n + 1): (x, y) for n, (x, y) in enumerate(pairs)}, file.name)


def _import_aariz(path: Path) -> Iterator[FilmPoints]:
    scheme = load_scheme("aariz29")
    index = {_symbol(point): str(point.index) for point in scheme.landmark}
    for file in _files(path, "*.json"):
        try:
            listed = json.loads(_read(file))["landmarks"]
            found: dict[str, tuple[Any, Any]] = {}
            for number, item in enumerate(listed):
                place = index[item["symbol"]] if "symbol" in item else str(number + 1)
                found[place] = (item["value"]["x"], item["value"]["y"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file.name}: expected Aariz JSON with landmarks, each with symbol and value.") from error
        if not all("symbol" in item for item in listed) and len(listed) != len(scheme.landmark):
            raise InputError(f"{file.name}: expected {len(scheme.landmark)} landmarks, or symbols on all.")
        yield _film(file.stem, scheme, found, file.name)


def _import_cl_detection(path: Path) -> Iterator[FilmPoints]:
    scheme = load_scheme("cl38")
    for where, row in _rows(path):
        if CL_IMAGE not in row or "p1x" not in row:
            raise InputError(f"{where}: expected the columns {CL_IMAGE}, p1x, p1y, ...")
        found = {str(p.index): (row.get(f"p{p.index}x"), row.get(f"p{p.index}y")) for p in scheme.landmark}
        scale = _number(row.get(CL_SPACING), where)
        yield _film(Path(row[CL_IMAGE]).stem, scheme, found, where, scale)


def _import_cl_detection_json(path: Path) -> Iterator[FilmPoints]:
    scheme = load_scheme("cl38")
    films: dict[int, dict[str, tuple[Any, Any]]] = {}
    scales: dict[int, float | None] = {}
    try:
        for item in json.loads(_read(path))["points"]:
            x, y, place = item["point"]
            films.setdefault(int(place), {})[str(item["name"])] = (x, y)
            scales[int(place)] = _number(item.get("scale"), path.name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path.name}: expected JSON with points, each with name, scale and point (x, y, number of the film)."
        ) from error
    for place in sorted(films):
        yield _film(str(place), scheme, films[place], f"{path.name}, film {place}", scales[place])


FORMS: Mapping[str, Callable[[Path], Iterator[FilmPoints]]] = MappingProxyType(
    {
        "wide": _import_wide,
        "isbi": _import_isbi,
        "aariz": _import_aariz,
        "cl-detection": _import_cl_detection,
        "cl-detection-json": _import_cl_detection_json,
    }
)


def _film(
    image_id: str,
    scheme: SchemeDefinition,
    found: Mapping[str, tuple[Any, Any]],
    where: str,
    mm_per_px: float | None = None,
) -> FilmPoints:
    marks = [_mark(point, *found.get(str(point.index), (None, None)), where) for point in scheme.landmark]
    return FilmPoints(
        image_id=image_id, marks=LandmarkSet(landmarks=tuple(marks), scheme=scheme.id), mm_per_px=mm_per_px
    )


def _mark(point: SchemePoint, x: object, y: object, where: str) -> Landmark:
    if point.hold:
        return absent_landmark(point.id, f"mapping on hold: {point.hold}")
    return _place(point.id, x, y, where, provisional=point.provisional)


def _place(id: str, x: object, y: object, where: str, *, provisional: str = "") -> Landmark:
    across, down = _number(x, where), _number(y, where)
    if across is None or down is None:
        if across is not None or down is not None:
            raise InputError(f"{where}: landmark {id} has one coordinate of two.")
        return absent_landmark(id, NO_REASON)
    return place_landmark(id, across, down, review="provisional" if provisional else "none", reason=provisional)


def _symbol(point: SchemePoint) -> str:
    """Symbol in brackets at the end of a label: ``A`` of ``A-point (A)``."""
    found = re.search(r"\(([^()]+)\)$", point.label)
    return found[1] if found else point.label


def _number(value: object, where: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: expected a number, found {value!r:.40}.") from error
    if not math.isfinite(number):
        raise InputError(f"{where}: expected a finite number; leave absent ones empty.")
    return number


def _files(path: Path, pattern: str) -> list[Path]:
    files = sorted(path.glob(pattern)) if path.is_dir() else [path]
    if not files:
        raise InputError(f"Expected files {pattern} in the folder, found none.")
    return files


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: expected a readable file of UTF-8 text.") from error


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(_read(path), newline=""), restval="")
    for row in reader:
        yield f"{path.name}, line {reader.line_num}", {name: cell for name, cell in row.items() if name is not None}
