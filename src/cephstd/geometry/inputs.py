"""What callers hand in, checked once before anything is computed: landmark ids and scales."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import CalibrationError, InputError, UnknownLandmarkError
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import load_landmarks


@lru_cache(maxsize=256)
def check_ids(ids: tuple[str, ...]) -> None:
    """Refuse landmarks that the dictionary lacks, and one that is named twice.

    Raises
    ------
    UnknownLandmarkError
        When an id is not in the dictionary.
    InputError
        When one occurs twice.
    """
    known = load_landmarks()
    for id in ids:
        if id not in known:
            raise UnknownLandmarkError(
                f"Expected landmark ids of the dictionary, found {id!r}.", hint=suggest(id, known)
            )
    if len(set(ids)) != len(ids):
        raise InputError("Expected each landmark once, found one more than once.")


def spread_scales(spacing_mm: npt.ArrayLike | None, films: int) -> FloatArray:
    """Scale in mm per px along x and y, shape (films or 1, 2), NaN where not calibrated.

    Parameters
    ----------
    spacing_mm : array-like, optional
        One value, a pair (row, column), or a pair for each film.
    films : int
        Number of films.

    Raises
    ------
    InputError
        When the shape fits no films.
    CalibrationError
        When a spacing is not positive.
    """
    if spacing_mm is None:
        return np.full((1, 2), np.nan)
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    if spacing.ndim == 0:
        spacing = np.full((1, 2), float(spacing))
    spacing = np.atleast_2d(spacing)
    if spacing.shape not in ((1, 2), (films, 2)):
        raise InputError(
            f"Expected one spacing, a pair (row, column), or {films} pairs in mm per px; found shape {spacing.shape}."
        )
    if not (np.isnan(spacing) | ((spacing > 0.0) & np.isfinite(spacing))).all():
        raise CalibrationError("Expected positive mm per px; found another scale.")
    return spacing[:, ::-1]
