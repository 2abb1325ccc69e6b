"""Standard tone of a film: which pixel values count as black and white, and how bright the middle is.

Training and inference call the same function, so a film looks the same to the network in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cephstd.imaging.field import Field, find_field

LOW_QUANTILE = 0.005
HIGH_QUANTILE = 0.995
GRID_SIDE = 256
"""Samples along the longer side of the grid: at most 65,536 values, so the cost does not grow with the film."""


STANDARD_MEDIAN = 0.47
"""Grey of the middle sample: mean over the 150 training films of ISBI 2015 after their window (0.25 to 0.75 there)."""
STEEPEST = 5.0
"""Odds are held between this and its inverse: past it a film is no film with another tone."""

WINDOW_TOLERANCE = 0.01
"""Share of the full range within which black and white stay where they are: a standard image is not changed again."""
ODDS_TOLERANCE = 0.05
"""Relative difference from 1 within which the grey scale is not bent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneCurve:
    """From sample values to the standard grey scale: a window, then `bend_tone`.

    Attributes
    ----------
    low, high : float
        Sample values that become 0 and 1; ``high > low`` always.
    odds : float
        Brings the middle sample to `STANDARD_MEDIAN` (`bend_tone`); between 1/5 and 5.
    dark_odds : float
        The same for a film whose bone is dark, applied after inversion.
    field : Field
        The exposed field that all of it was taken from.
    """

    low: float
    high: float
    odds: float
    dark_odds: float
    field: Field

    @property
    def window(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high


def sample_grid(pixels: NDArray[Any]) -> NDArray[Any]:
    """Regular grid of a film that its tone is judged by.

    Every ``stride``-th pixel of every ``stride``-th row, starting at ``stride // 2``, with
    ``stride = ceil(longer side / 256)``.

    Raises
    ------
    ValueError
        If the array is not two-dimensional, is empty or has another dtype than uint8 or uint16: a programming error,
        not a bad film.

    Examples
    --------
    >>> import numpy as np
    >>> sample_grid(np.zeros((1000, 800), dtype=np.uint8)).shape
    (250, 200)
    """
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected a non-empty 2-D uint8 or uint16 array, found {pixels.dtype} {pixels.shape}")
    stride = -(-max(pixels.shape) // GRID_SIDE)
    # A side shorter than the offset would otherwise give an empty grid.
    rows, columns = (min(stride // 2, side - 1) for side in pixels.shape)
    grid: NDArray[Any] = pixels[rows::stride, columns::stride]
    return grid


def find_tone(pixels: NDArray[Any]) -> ToneCurve:
    """Find the curve that brings a film to the standard tone.

    Black and white are the 0.005 and 0.995 quantiles (linear interpolation) of the `sample_grid` within the exposed
    field; the odds follow from the median there. A film that spans the full range of its samples within 1 % keeps it,
    and one whose odds would be 1 within 5 % is not bent.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        The film, in any polarity; not resampled beforehand.

    Returns
    -------
    ToneCurve
        A film of one single value gives the window ``(value, value + 1)``.

    Raises
    ------
    ValueError
        As `sample_grid`.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.arange(201, dtype=np.uint8), (10, 1))
    >>> curve = find_tone(ramp)
    >>> curve.window, round(curve.odds, 3)
    ((1.0, 199.0), 0.887)
    """
    grid = sample_grid(pixels)
    field = find_field(grid)
    quantiles = np.quantile(grid[field.mask], (LOW_QUANTILE, 0.5, HIGH_QUANTILE))
    low, middle, high = (float(value) for value in quantiles)
    if high <= low:
        return ToneCurve(low=low, high=low + 1.0, odds=1.0, dark_odds=1.0, field=field)
    full = float(np.iinfo(pixels.dtype).max)
    if max(low, full - high) <= WINDOW_TOLERANCE * full:
        low, high = 0.0, full
    share = (middle - low) / (high - low)
    return ToneCurve(low=low, high=high, odds=_odds(share), dark_odds=_odds(1.0 - share), field=field)


def tone_window(pixels: NDArray[Any]) -> tuple[float, float]:
    """Sample values that become black and white, unbent: ``find_tone(pixels).window``.

    For what looks at a film in any polarity and bends nothing, as letters and rulers are looked for.

    Examples
    --------
    >>> import numpy as np
    >>> tone_window(np.tile(np.arange(201, dtype=np.uint8), (10, 1)))
    (1.0, 199.0)
    """
    return find_tone(pixels).window


def standard_tone(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Bring a film with bright bone to the standard tone: what a landmark model is trained on.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        The film, not resampled beforehand.

    Returns
    -------
    ndarray [shape=(height, width), dtype=float32]
        In [0, 1].

    Raises
    ------
    ValueError
        As `sample_grid`.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.arange(201, dtype=np.uint8), (10, 1))
    >>> round(float(standard_tone(ramp)[0, 100]), 2)
    0.47
    """
    curve = find_tone(pixels)
    return bend_tone(apply_window(pixels, curve.window), curve.odds)


def bend_tone(levels: NDArray[np.float32], odds: float) -> NDArray[np.float32]:
    """Multiply the odds ``g / (1 - g)`` of every grey by `odds`: ``g / (g + (1 - g) / odds)``.

    Black and white stay, the slope is finite everywhere, twice is once with the product, and inversion gives the same
    curve with the inverse odds; a gamma has none of the last three.

    Parameters
    ----------
    levels : ndarray
        In [0, 1].
    odds : float
        Above 0; above 1 brightens.

    Examples
    --------
    >>> import numpy as np
    >>> bend_tone(np.array([0.0, 0.5, 1.0], dtype=np.float32), 3.0)
    array([0.  , 0.75, 1.  ], dtype=float32)
    """
    rest = (np.float32(1.0) - levels) / np.float32(odds)
    return np.asarray(levels / (levels + rest), dtype=np.float32)


def _odds(share: float) -> float:
    """Odds that take `share` to the standard median."""
    wanted = STANDARD_MEDIAN / (1.0 - STANDARD_MEDIAN)
    odds = wanted * (1.0 - share) / share if share > 0.0 else STEEPEST
    return 1.0 if abs(odds - 1.0) <= ODDS_TOLERANCE else min(max(odds, 1.0 / STEEPEST), STEEPEST)


def apply_window(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.float32]:
    """Map pixel values to [0, 1]: ``clip((value - low) / (high - low), 0, 1)``.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width)]
        Any numeric dtype.
    window : (low, high)
        Sample values that become 0 and 1.

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
