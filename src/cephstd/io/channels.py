"""Whether a colour picture is a grey film stored in three channels, and its grey samples."""

from __future__ import annotations

import cv2
import numpy as np

from cephstd.core.arrays import Pixels
from cephstd.errors import NotACephalogramError, UnsupportedFormatError

CHANNEL_TOLERANCE = 8 / 255
"""Channels of one pixel that differ by no more of the range are equal: chroma noise of compression stays below."""

COLOUR_SHARE = 0.02
"""With a larger share of coloured pixels a picture is in colour, not a film with something written on it."""

MARK_SHARE = 0.001
"""A smaller share is what compression leaves at sharp edges."""


def check_chroma(colour: Pixels) -> tuple[str, ...]:
    """Return a warning when some pixels of `colour`, shape (height, width, 3), are coloured.

    Raises
    ------
    NotACephalogramError
        When more than `COLOUR_SHARE` of them are: a radiograph has no colour.
    """
    first, second, third = cv2.split(colour)
    spread = cv2.subtract(cv2.max(cv2.max(first, second), third), cv2.min(cv2.min(first, second), third))
    limit = CHANNEL_TOLERANCE * np.iinfo(colour.dtype).max
    share = float(np.count_nonzero(spread > limit)) / spread.size
    if share > COLOUR_SHARE:
        raise NotACephalogramError(
            f"Expected a grey film, found a picture in colour ({share:.0%} of its pixels).",
            hint="If it is a tinted scan of a film, save it as grey.",
        )
    if share > MARK_SHARE:
        return (f"{share:.2%} of the pixels are coloured: something has been drawn or written into the film.",)
    return ()


def merge_channels(colour: Pixels) -> tuple[Pixels, tuple[str, ...]]:
    """Grey samples of a film stored in colour, and warnings.

    Parameters
    ----------
    colour : ndarray of uint8 or uint16, shape (height, width, 3) or (height, width, 4)
        Blue, green, red and perhaps opacity. For equal channels their order does not matter and the value is exact.

    Returns
    -------
    grey : ndarray of the same dtype, shape (height, width)
        0.114 B + 0.587 G + 0.299 R (ITU-R BT.601).

    Raises
    ------
    NotACephalogramError
        When the picture is in colour.
    UnsupportedFormatError
        When a pixel is transparent: what lies behind is unknown.
    """
    if colour.shape[2] == 4:
        if colour[..., 3].min() != np.iinfo(colour.dtype).max:
            raise UnsupportedFormatError(
                "Expected an opaque picture, found transparent pixels.", hint="Save the film without transparency."
            )
        colour = np.ascontiguousarray(colour[..., :3])
    warnings = check_chroma(colour)
    return cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), warnings
