"""Grey window of a film: which pixel values count as black and as white.

Training and inference call the same function, so a film looks the same to the network in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOW_QUANTILE = 0.005
HIGH_QUANTILE = 0.995
GRID_SIDE = 256
"""Samples along the longer side of the grid: at most 65,536 values, so the cost does not grow with the film."""


def tone_window(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the pixel values that become 0 and 1 on the standard grey scale.

    The 0.005 and 0.995 quantiles (linear interpolation) of a regular grid of the film: every ``stride``-th pixel of
    every ``stride``-th row, starting at ``stride // 2``, with ``stride = ceil(longer side / 256)``.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        The film, in any polarity; not resampled beforehand.

    Returns
    -------
    low, high : float
        In pixel values; ``high > low`` always. A film of one single value gives ``(value, value + 1)``.

    Raises
    ------
    ValueError
        If the array is not two-dimensional, is empty or has another dtype: a programming error, not a bad film.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.arange(201, dtype=np.uint8), (10, 1))
    >>> tone_window(ramp)
    (1.0, 199.0)
    """
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected a non-empty 2-D uint8 or uint16 array, found {pixels.dtype} {pixels.shape}")
    stride = -(-max(pixels.shape) // GRID_SIDE)
    # A side shorter than the offset would otherwise give an empty grid.
    rows, columns = (min(stride // 2, side - 1) for side in pixels.shape)
    grid = pixels[rows::stride, columns::stride]
    low, high = (float(value) for value in np.quantile(grid, (LOW_QUANTILE, HIGH_QUANTILE)))
    return (low, high) if high > low else (low, low + 1.0)


def apply_window(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.float32]:
    """Map pixel values to [0, 1]: ``clip((value - low) / (high - low), 0, 1)``.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width)]
        Any numeric dtype.
    window : (low, high)
        As `tone_window` returns it.

    Returns
    -------
    ndarray [shape=(height, width), dtype=float32]
        In [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> apply_window(np.array([[0, 50, 100, 255]], dtype=np.uint8), (0.0, 100.0))
    array([[0. , 0.5, 1. , 1. ]], dtype=float32)
    """
    low, high = np.float32(window[0]), np.float32(window[1])
    scaled = (pixels.astype(np.float32) - low) / (high - low)
    return np.asarray(np.clip(scaled, np.float32(0.0), np.float32(1.0)), dtype=np.float32)
