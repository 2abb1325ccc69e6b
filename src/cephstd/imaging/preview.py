"""A small copy of a film on the standard grey scale, on which the whole film is judged quickly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import Pixels
from cephstd.imaging.tone import ToneCurve, apply_window, find_tone, sample_grid

LONG_SIDE_PX = 600
BORDER_SHARE = 0.08
"""Share of each side that text, tabs and collimator edges may take; judgements of texture leave it out."""

BLOCK_PX = 8
BLOCK_LINES = 200
"""Lines in each direction that blocks are looked for on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What film judgements look at.

    Attributes
    ----------
    tone : ToneCurve
        Standard tone of the film, in sample values, and the exposed field.
    image : ndarray [shape=(height, width), dtype=float32]
        In [0, 1] between the window's ends; the longer side is at most 600 px. The film's own grey sense.
    grid : ndarray
        Every n-th sample of every n-th row, unchanged: what tone and clipping are judged by.
    blockiness : float
        Mean step across the borders of 8 x 8 blocks over the mean step elsewhere, the smaller one of both directions:
        1 in a film that no JPEG codec has touched.
    """

    tone: ToneCurve
    image: NDArray[np.float32]
    grid: Pixels
    blockiness: float = 1.0

    @property
    def inner(self) -> NDArray[np.float32]:
        """The exposed field of the image without its border."""
        left, top, right, bottom = self.tone.field.rectangle
        height, width = self.image.shape
        rows, columns = (
            slice(
                round(side * (start + BORDER_SHARE * (end - start))), round(side * (end - BORDER_SHARE * (end - start)))
            )
            for side, start, end in ((height, top, bottom), (width, left, right))
        )
        return self.image[rows, columns]

    @property
    def exposed(self) -> Pixels:
        """The samples of the grid that lie in the exposed field, one after the other."""
        values: Pixels = self.grid[self.tone.field.mask]
        return values


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
    tone = find_tone(pixels)
    image = apply_window(small, tone.window)
    return Preview(tone=tone, image=image, grid=sample_grid(pixels), blockiness=_measure_blocks(pixels))


def _measure_blocks(pixels: Pixels) -> float:
    """Steps between neighbours at the strongest of eight phases over the median of all, in the weaker direction."""
    if min(pixels.shape) < 4 * BLOCK_PX:
        return 1.0
    found = []
    for lines in (pixels, pixels.T):
        some = lines[:: max(1, lines.shape[0] // BLOCK_LINES)].astype(np.float32)
        steps = np.abs(np.diff(some, axis=1)).mean(axis=0)
        # Phases, since turning a film moves the blocks' borders; medians, since one straight edge is no block.
        phases = np.median(steps[: len(steps) // BLOCK_PX * BLOCK_PX].reshape(-1, BLOCK_PX), axis=0)
        middle = float(np.median(phases))
        found.append(float(phases.max()) / middle if middle > 0.0 else 1.0)
    return min(found)
