"""Point tables from Parquet and value tables to Parquet (extra ``batch``)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cephstd.core.tables import MEASURE_COLUMNS
from cephstd.errors import InputError, MissingExtraError
from cephstd.export.cells import guard_cell
from cephstd.geometry.columns import MeasureColumns

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise MissingExtraError("Parquet tables need pyarrow.", hint="pip install 'cephstd[batch]'") from error


def read_parquet(path: str | Path) -> Any:
    """Rows of a Parquet file as an Arrow table.

    Raises
    ------
    InputError
        When the file cannot be read as Parquet.
    """
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"The table {Path(path).name} cannot be read as Parquet.") from error


def write_values(image_ids: Any, columns: MeasureColumns) -> bytes:
    """A Parquet file of values in long form, the columns of `MEASURE_COLUMNS`; absent numbers are null.

    Films in their order, measures in that of the analysis.
    """
    measures = columns.analysis.measures
    ids = [measure.id for measure in measures]
    films = len(columns)

    def lay(parts: list[Any], kind: Any) -> Any:
        stacked = np.stack(parts, axis=1).reshape(-1) if parts else np.empty(0)
        return pa.array(stacked, type=kind, from_pandas=True)

    data = {
        "image_id": pa.array(np.repeat(np.asarray(image_ids, dtype=object), len(ids)), type=pa.string()),
        "measure": pa.array(np.tile(np.array(ids, dtype=object), films), type=pa.string()),
        "value": lay([columns[id].filled(np.nan) for id in ids], pa.float64()),
        "sd": lay([columns.sd(id).filled(np.nan) for id in ids], pa.float64()),
        "unit": pa.array(np.tile(np.array([measure.unit for measure in measures], dtype=object), films), pa.string()),
        "reason": lay([explain(columns, id) for id in ids], pa.string()),
    }
    out = io.BytesIO()
    pq.write_table(pa.table({name: data[name] for name in MEASURE_COLUMNS}), out, compression="zstd")
    return out.getvalue()


def explain(columns: MeasureColumns, id: str) -> Any:
    """The column ``reason``: why a value is absent, or that it is provisional."""
    reasons = columns.reasons(id)
    reasons[columns.provisional(id)] = "provisional"
    return reasons


def write_csv(image_ids: Any, columns: MeasureColumns) -> str:
    """The table of `write_values` as CSV text."""
    return "".join(_csv_lines(image_ids, columns))


def _csv_lines(image_ids: Any, columns: MeasureColumns) -> Iterator[str]:
    measures = columns.analysis.measures
    found = {
        measure.id: (
            columns[measure.id].tolist(),
            columns.sd(measure.id).tolist(),
            explain(columns, measure.id).tolist(),
        )
        for measure in measures
    }
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(MEASURE_COLUMNS)
    yield out.getvalue()
    for film, image_id in enumerate(image_ids):
        out.seek(0)
        out.truncate()
        for measure in measures:
            value, sd, reason = (column[film] for column in found[measure.id])
            rows.writerow([guard_cell(image_id), measure.id, value, sd, measure.unit, guard_cell(reason)])
        yield out.getvalue()
