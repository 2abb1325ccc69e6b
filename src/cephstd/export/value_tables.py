"""Values as CSV, read back: what `MeasureWriter` writes, or a table of one's own readings."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field

from cephstd.errors import InputError
from cephstd.export.cells import bare_cell

REQUIRED_COLUMNS = ("image_id", "measure", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Values of one measure, by film.

    Attributes
    ----------
    unit : str
        Empty when the table does not say.
    values : dict of str to float
        image_id -> value; absent ones are left out.
    """

    unit: str = ""
    values: dict[str, float] = field(default_factory=dict)


def read_values(text: str) -> dict[str, Readings]:
    r"""Measures of a value table, in the order of their first rows.

    Parameters
    ----------
    text : str
        CSV with the columns image_id, measure, value; unit is optional, others are ignored. An empty value is absent.

    Raises
    ------
    InputError
        When a column is missing, a value is no finite number, a value occurs twice, or a measure has two units; with
        the line.

    Examples
    --------
    >>> read_values("image_id,measure,value,unit\na,SNA,82.5,deg\nb,SNA,,deg\n")["SNA"]
    Readings(unit='deg', values={'a': 82.5})
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), restval="")
    missing = [name for name in REQUIRED_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            f"Expected a value table with the columns {', '.join(REQUIRED_COLUMNS)}; missing: {', '.join(missing)}."
        )
    found: dict[str, Readings] = {}
    for row in reader:
        line, unit = reader.line_num, row.get("unit") or ""
        id, film = bare_cell(row["measure"]), bare_cell(row["image_id"])
        readings = found.setdefault(id, Readings(unit=unit))
        if not id or not film:
            raise InputError(f"Line {line}: expected an image_id and a measure, found an empty cell.")
        if readings.unit != unit:
            raise InputError(f"Line {line}: {id} has two units, {readings.unit!r} and {unit!r}.")
        if film in readings.values:
            raise InputError(f"Line {line}: {id} of {film} occurs twice.")
        if row["value"].strip():
            readings.values[film] = _number(row["value"], line)
    return found


def _number(cell: str, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"Line {line}: expected a finite number as value, found {cell!r}; leave absent ones empty.")
    return value
