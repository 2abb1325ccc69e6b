"""Read-only arrays, checked for shape and dtype when a value is built."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.errors import InputError

FloatArray = npt.NDArray[np.float64]
Pixels = npt.NDArray[Any]

PIXEL_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16))


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return `array` C-contiguous and read-only; an array that its maker can still write to is copied."""
    if not array.flags.writeable and array.flags.c_contiguous:
        return array
    frozen = array.copy(order="C")
    frozen.setflags(write=False)
    return frozen


def check_pixels(pixels: npt.NDArray[Any]) -> Pixels:
    """Return `pixels` frozen.

    Raises
    ------
    InputError
        When the array is not a non-empty 2-D array of uint8 or uint16.
    """
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.size == 0:
        found = f"shape {getattr(pixels, 'shape', None)}"
        raise InputError(f"Expected a grey image of shape (height, width), found {found}.")
    if pixels.dtype not in PIXEL_DTYPES:
        raise InputError(f"Expected uint8 or uint16 pixels, found {pixels.dtype}.")
    return freeze(pixels)


def check_points(points: npt.ArrayLike) -> FloatArray:
    """Return `points` as a read-only float64 array of shape (n, 2), x and y.

    Raises
    ------
    InputError
        When the shape is another or a coordinate is not finite.
    """
    array = np.array(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"Expected points of shape (n, 2) as x, y, found {array.shape}.")
    if not np.isfinite(array).all():
        raise InputError("Expected finite coordinates, found NaN or infinity; leave an absent point out.")
    return freeze(array)
