"""A small copy of a film on the standard grey scale, on which the whole film is judged quickly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import Pixels
from cephstd.imaging.tone import GRID_SIDE, apply_window, tone_window

LONG_SIDE_PX = 600
BORDER_SHARE = 0.08
"""Share of each side that text, tabs and collimator edges may take; judgements of texture leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What film judgements look at.

    Attributes
    ----------
    window : (low, high)
        Tone window of the film, in sample values.
    image : ndarray [shape=(height, width), dtype=float32]
        In [0, 1] between the window's ends; the longer side is at most 600 px. The film's own grey sense.
    grid : ndarray
        Every n-th sample of every n-th row, unchanged: what clipping is counted on.
    """

    window: tuple[float, float]
    image: NDArray[np.float32]
    grid: Pixels

    @property
    def inner(self) -> NDArray[np.float32]:
        """The image without its border."""
        rows, columns = (
            slice(round(side * BORDER_SHARE), side - round(side * BORDER_SHARE)) for side in self.image.shape
        )
        return self.image[rows, columns]


def shrink_film(pixels: Pixels) -> Preview:
    """Make the preview of a film.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]

    Returns
    -------
    Preview

    Examples
    --------
    >>> import numpy as np
    >>> shrink_film(np.zeros((1200, 900), dtype=np.uint8)).image.shape
    (600, 450)
    """
    longest = max(pixels.shape)
    small = pixels
    # Whole factors first: their block means are several times faster than a fractional area mean.
    if (factor := longest // LONG_SIDE_PX) > 1:
        height, width = (max(1, side // factor) for side in pixels.shape)
        small = cv2.resize(pixels[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
    if max(small.shape) > LONG_SIDE_PX:
        scale = LONG_SIDE_PX / max(small.shape)
        width, height = (max(1, round(side * scale)) for side in small.shape[::-1])
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    window = tone_window(pixels)
    stride = -(-longest // GRID_SIDE)
    return Preview(window=window, image=apply_window(small, window), grid=pixels[::stride, ::stride])
