"""DataFrames of points in, DataFrames of measures out: pandas, polars and Arrow alike, through narwhals."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from cephstd.errors import InputError
from cephstd.geometry.columns import MeasureColumns
from cephstd.geometry.measurer import Measurer
from cephstd.geometry.point_table import NUMBERS, TEXTS, PointTable, pivot_points


def is_frame(value: object) -> bool:
    """True for what narwhals knows as an eager frame with its data at hand."""
    return isinstance(nw.from_native(value, pass_through=True), nw.DataFrame)


def read_frame(frame: Any, *, mm_per_px: float | None = None) -> PointTable:
    """Points of a DataFrame in long form.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        Columns as for `cephstd.geometry.point_table.pivot_points`; others are ignored.
    mm_per_px : float, optional
        Scale of the films that state none.

    Returns
    -------
    PointTable

    Raises
    ------
    InputError
        When it is no such frame, or as for `pivot_points`.
    """
    if not is_frame(frame):
        raise InputError(f"Expected a DataFrame of pandas, polars or Arrow, found {type(frame).__name__}.")
    table = nw.from_native(frame, eager_only=True)
    columns: dict[str, Any] = {}
    for name in (*TEXTS, *NUMBERS):
        if name in table.columns:
            series = table[name]
            try:
                columns[name] = series.cast(nw.Float64).to_numpy() if name in NUMBERS else series.to_list()
            except Exception as error:  # every backend has its own error for a cast that fails
                raise InputError(f"Expected numbers in column {name}.") from error
    return pivot_points(columns, mm_per_px=mm_per_px)


def measure_table(
    measurer: Measurer, table: PointTable, *, spacing_sd: npt.ArrayLike = 0.0, threads: int | None = None
) -> MeasureColumns:
    """Measures of the films of a table of points, with everything that the table says of them."""
    known = bool((~np.isnan(table.covariances_px2)).any())
    return measurer.over(
        table.points_px,
        table.ids,
        spacing_mm=np.repeat(table.spacing_mm[:, np.newaxis], 2, axis=1),
        spacing_sd=spacing_sd,
        covariances_px2=table.covariances_px2 if known else None,
        provisional=table.provisional,
        threads=threads,
    )


def write_frame(image_ids: Any, columns: MeasureColumns, like: Any) -> Any:
    """Measures in wide form as a frame of the same library as `like`.

    Returns
    -------
    DataFrame
        ``image_id``, then ``id``, ``id_sd``, ``id_reason`` for each measure, and ``id_provisional`` where points were
        marked provisional. Absent numbers are null (NaN where pandas has no null).
    """
    backend = nw.from_native(like, eager_only=True).implementation
    data: dict[str, Any] = {"image_id": list(image_ids)}
    numbers = []
    for name, column in columns.columns().items():
        if isinstance(column, np.ma.MaskedArray):
            data[name] = column.filled(np.nan)
            numbers.append(name)
        else:
            data[name] = column.tolist()
    made = nw.from_dict(data, backend=backend)
    return made.with_columns(*(nw.col(name).fill_nan(None) for name in numbers)).to_native()
