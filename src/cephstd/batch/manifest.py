"""Manifests: tables that say which films there are, of which site, and what is known about them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from cephstd.errors import InputError, MissingExtraError

COLUMNS = ("path", "site", "pseudonym", "age", "sex", "date", "attributes")
PSEUDONYM = re.compile(r"[0-9a-f]{32,128}")
DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}")
SUFFIXES = (".csv", ".parquet")


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest says of one film; what it leaves out is empty or None.

    Attributes
    ----------
    path : Path
        The film's file; a relative path starts at the manifest's folder.
    site, date, attributes : str
    pseudonym : str or None
        Keyed pseudonym of the person, 32 or more hex digits.
    age : float or None
        Years, when the film was made.
    sex : str or None
        ``F`` or ``M``.
    """

    path: Path
    site: str = ""
    pseudonym: str | None = None
    age: float | None = None
    sex: Literal["F", "M"] | None = None
    date: str = ""
    attributes: str = ""


def read_manifest(path: str | Path) -> Iterator[ManifestRow]:
    """Rows of a CSV or Parquet manifest, in order.

    Parameters
    ----------
    path : str or Path
        A table with the column path and any of site, pseudonym, age, sex, date, attributes; no other column, so that
        a column with names of persons is refused instead of ignored.

    Yields
    ------
    ManifestRow

    Raises
    ------
    InputError
        When the table cannot be read, has another column, or a cell breaks its column's form; with the row's number
        and without the cell, which may be a name.
    MissingExtraError
        When it is Parquet and the extra `batch` is not installed.
    """
    file = Path(path)
    rows = _csv_rows(file) if file.suffix.lower() == ".csv" else _parquet_rows(file)
    for number, cells in enumerate(rows, start=1):
        yield _manifest_row(cells, number, file.parent)


def _csv_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            _check_columns(reader.fieldnames or ())
            yield from reader
    except OSError as error:
        raise InputError(f"The manifest cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError("Expected a manifest as CSV in UTF-8, found another file.") from error


def _parquet_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError(
            "A Parquet manifest needs pyarrow.", hint="Install it: pip install 'cephstd[batch]'."
        ) from error
    try:
        table = pq.ParquetFile(file)
        _check_columns(table.schema_arrow.names)
        for block in table.iter_batches():
            yield from block.to_pylist()
    except OSError as error:  # pyarrow's own errors are OSError or ValueError
        raise InputError("The manifest cannot be read.") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("Expected a manifest as Parquet, found another file.") from error


def _check_columns(names: Iterable[str]) -> None:
    found = list(names)
    unknown = [name for name in found if name not in COLUMNS]
    if "path" not in found or unknown:
        raise InputError(
            f"Expected a manifest with the column path and any of {', '.join(COLUMNS[1:])}, "
            f"found {len(unknown)} other columns" + ("." if "path" in found else " and no path."),
            hint="Leave out everything else: names and numbers of persons must not reach a record.",
        )


def _manifest_row(cells: Mapping[str, Any], number: int, folder: Path) -> ManifestRow:
    if None in cells:
        raise InputError(f"Row {number} of the manifest has more cells than columns.")
    texts = {name: "" if value is None else str(value).strip() for name, value in cells.items()}
    path, sex, age = texts["path"], texts.get("sex", ""), texts.get("age", "")
    faults = {
        "path": bool(path),
        "pseudonym": not texts.get("pseudonym") or PSEUDONYM.fullmatch(texts["pseudonym"]),
        "sex": sex in ("", "F", "M"),
        "date": not texts.get("date") or DATE.fullmatch(texts["date"]),
        "age": not age or _is_age(age),
    }
    wrong = [name for name, holds in faults.items() if not holds]
    if wrong:
        raise InputError(
            f"Row {number} of the manifest: {', '.join(wrong)} is not as expected.",
            hint="pseudonym: 32 or more hex digits; age: years; sex: F or M; date: YYYY-MM-DD.",
        )
    return ManifestRow(
        path=folder / path,
        site=texts.get("site", ""),
        pseudonym=texts.get("pseudonym") or None,
        age=float(age) if age else None,
        sex=sex or None,  # type: ignore[arg-type]  # checked above
        date=texts.get("date", ""),
        attributes=texts.get("attributes", ""),
    )


def _is_age(text: str) -> bool:
    try:
        return 0 <= float(text) <= 120
    except ValueError:
        return False
