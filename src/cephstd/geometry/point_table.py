"""Points of many films as arrays, from columns in long form: one row per point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import InputError

REQUIRED = ("image_id", "landmark", "x_px", "y_px")
COVARIANCE = ("cov_xx", "cov_xy", "cov_yy")
TEXTS = ("image_id", "landmark", "state", "review")
NUMBERS = ("x_px", "y_px", *COVARIANCE, "mm_per_px")
STATES = ("", "detected", "placed", "moved", "absent")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointTable:
    """Points of many films.

    Attributes
    ----------
    image_ids : ndarray of object, shape (films,)
        In the order of their first rows.
    ids : tuple of str
        Landmarks, in the order of their first rows.
    points_px : ndarray, shape (films, landmarks, 2)
        Source px; NaN = absent.
    covariances_px2 : ndarray, shape (films, landmarks, 2, 2)
        NaN = unknown.
    spacing_mm : ndarray, shape (films,)
        NaN = not calibrated.
    provisional : ndarray of bool, shape (films, landmarks)
    """

    image_ids: npt.NDArray[np.object_]
    ids: tuple[str, ...]
    points_px: FloatArray
    covariances_px2: FloatArray
    spacing_mm: FloatArray
    provisional: npt.NDArray[np.bool_]


def pivot_points(columns: Mapping[str, Any], *, mm_per_px: float | None = None) -> PointTable:
    """Arrays of points from columns in long form.

    Parameters
    ----------
    columns : mapping of str to array, shape (rows,)
        image_id, landmark, x_px, y_px; cov_xx, cov_xy, cov_yy, mm_per_px, state and review may be there. NaN or None =
        nothing. A point that a person rejected counts as absent.
    mm_per_px : float, optional
        Scale of the films that state none.

    Returns
    -------
    PointTable

    Raises
    ------
    InputError
        When a column is missing, a point occurs twice, has one coordinate of two, contradicts its state, or has part
        of a covariance, or a film has two scales.

    Examples
    --------
    >>> rows = {"image_id": ["a", "a"], "landmark": ["S", "N"], "x_px": [0, 70], "y_px": [0, None]}
    >>> pivot_points({**rows, "y_px": [0.0, 1.0]}).points_px.tolist()
    [[[0.0, 0.0], [70.0, 1.0]]]
    """
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise InputError(f"Expected the columns {', '.join(REQUIRED)}; missing: {', '.join(missing)}.")
    films, image_ids = _encode(columns["image_id"])
    marks, ids = _encode(columns["landmark"])
    numbers = {name: _floats(columns[name]) for name in NUMBERS if name in columns}
    x, y = numbers["x_px"], numbers["y_px"]
    present = ~np.isnan(x)
    where = (image_ids, films, ids, marks)
    _refuse(present == np.isnan(y), where, "has one coordinate of two")
    _refuse(np.isinf(x) | np.isinf(y), where, "has an infinite coordinate")
    _check_states(columns, present, where)
    cell = films.astype(np.int64) * len(ids) + marks
    counts = np.bincount(cell, minlength=len(image_ids) * len(ids))
    _refuse(counts[cell] > 1, where, "occurs twice")
    shape = (len(image_ids), len(ids))
    points = np.full((*shape, 2), np.nan)
    usable = present & (_texts(columns, "review", len(x)) != "rejected")
    points[films[usable], marks[usable]] = np.stack([x[usable], y[usable]], axis=-1)
    provisional = np.zeros(shape, dtype=bool)
    provisional[films, marks] = (_texts(columns, "review", len(x)) == "provisional") & usable
    covariances = np.full((*shape, 2, 2), np.nan)
    if any(name in numbers for name in COVARIANCE):
        parts = np.stack([numbers.get(name, np.full(len(x), np.nan)) for name in COVARIANCE], axis=-1)
        known = ~np.isnan(parts)
        _refuse(known.any(axis=1) & ~known.all(axis=1), where, "has part of a covariance")
        covariances[films, marks] = parts[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
    return PointTable(
        image_ids=image_ids,
        ids=tuple(map(str, ids)),
        points_px=points,
        covariances_px2=covariances,
        spacing_mm=_spacing(numbers.get("mm_per_px"), films, image_ids, mm_per_px),
        provisional=provisional,
    )


def _encode(column: Any) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.object_]]:
    """Number of each text, by first appearance, and the texts."""
    at: dict[str, int] = {}
    codes = np.fromiter((at.setdefault(text, len(at)) for text in column), dtype=np.intp)
    if any(not isinstance(text, str) or not text for text in at):
        raise InputError("Expected an image_id and a landmark as text in every row, found another value.")
    return codes, np.array(list(at), dtype=object)


def _floats(column: Any) -> FloatArray:
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("Expected numbers or nothing as coordinates, covariances and scale.") from error


def _texts(columns: Mapping[str, Any], name: str, rows: int) -> npt.NDArray[np.object_]:
    if name not in columns:
        return np.full(rows, "", dtype=object)
    return np.array([text if isinstance(text, str) else "" for text in columns[name]], dtype=object)


Where = tuple[npt.NDArray[np.object_], npt.NDArray[np.intp], npt.NDArray[np.object_], npt.NDArray[np.intp]]


def _check_states(columns: Mapping[str, Any], present: npt.NDArray[np.bool_], where: Where) -> None:
    states = _texts(columns, "state", len(present))
    _refuse(~np.isin(states, STATES), where, f"has no state of {', '.join(STATES[1:])}")
    _refuse((states == "absent") & present, where, "is absent and has a position")
    _refuse(np.isin(states, STATES[1:4]) & ~present, where, "is present and has no position")


def _refuse(faulty: Any, where: Where, what: str) -> None:
    image_ids, films, ids, marks = where
    rows = np.flatnonzero(faulty)
    if len(rows):
        row = int(rows[0])
        raise InputError(f"Row {row + 1}: landmark {ids[marks[row]]} of {image_ids[films[row]]} {what}.")


def _spacing(
    column: FloatArray | None,
    films: npt.NDArray[np.intp],
    image_ids: npt.NDArray[np.object_],
    mm_per_px: float | None,
) -> FloatArray:
    fallback = np.nan if mm_per_px is None else float(mm_per_px)
    spacing = np.full(len(image_ids), np.nan)
    if column is not None:
        first = np.full(len(image_ids), -1, dtype=np.intp)
        first[films[::-1]] = np.arange(len(films) - 1, -1, -1)
        spacing = column[first]
        stated = spacing[films]
        differing = np.flatnonzero((stated != column) & ~(np.isnan(stated) & np.isnan(column)))
        if len(differing):
            row = int(differing[0])
            raise InputError(
                f"Row {row + 1}: film {image_ids[films[row]]} has two scales, {stated[row]:g} and {column[row]:g} mm "
                "per px."
            )
    return np.where(np.isnan(spacing), fallback, spacing)
