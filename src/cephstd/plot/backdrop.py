"""A film as the grey picture that a figure is drawn on."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cephstd.core.image import Radiograph
from cephstd.core.steps import Size
from cephstd.imaging.lettering import find_burnt_in_text, mask_text

SHADE = 0.86  # the film a little darker than it is, so that fine lines keep their colour
TAILS = (0.2, 99.8)  # percentiles that become black and white on films of more than 8 bit


def shrink_film(film: Radiograph, size: Size) -> npt.NDArray[np.uint8]:
    """Film of `size` (width, height) px, bone bright, uint8, orientation as in the source.

    Shrunk by area mean. The sample range of 8-bit films is shown as it is; of deeper films, the central 99.6 % of the
    samples fill the range, since their stored range says nothing about how they are looked at.
    """
    shrinks = size[0] * size[1] < film.pixels.size
    small = cv2.resize(film.pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    low, high = (0.0, 255.0) if small.dtype == np.uint8 else np.percentile(small, TAILS)
    level = np.clip((small.astype(np.float32) - low) / max(high - low, 1.0), 0.0, 1.0)
    shown = 1.0 - level if film.inverted else level
    return np.asarray(shown * (255.0 * SHADE), dtype=np.uint8)


def hide_text(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The same picture with burnt-in text outside the head covered: it may name a person.

    Looked for in the picture itself: letters that nobody could read in it are not looked for.
    """
    boxes = tuple(box for box in find_burnt_in_text(picture) if box.outside_head)
    return np.asarray(mask_text(picture, boxes), dtype=np.uint8) if boxes else picture
