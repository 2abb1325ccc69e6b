"""Finds words and numbers that are burnt into a film: rows of sharp, like-sized glyphs on quiet ground.

No character is read and none leaves this module. Glyphs are thin strokes that stand out from their surroundings at one
of three sizes, bright or dark, with edges as sharp as a film's own outlines never are all round; at least three of like
height on one line make a row. Bars alone are ticks of a ruler, no letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import FloatArray, Pixels, check_pixels
from cephstd.imaging.tone import apply_window, tone_window

Grey = NDArray[np.uint8]

STROKE_SIDES_PX = (5, 11, 23)
"""Sides of the squares that strokes are thinner than: letters of about 8 to 160 px."""
CONTRASTS = (100, 60, 24)
"""Of 255, on the film's own grey range: rows that stand out so are text. Letters run together in a low pass and are
broken in a high one."""
DOUBTFUL_CONTRASTS = (40, 16)
"""Fainter rows are no text that is sure, and no clean film either."""
LETTER_PX = (7, 160)
LEAST_LETTERS = 3
LARGEST_GAP = 1.6
"""Between neighbouring letters, in heights of the letters; words of one line are one row."""
LIKE_HEIGHTS = 1.45
LEAST_RISE = 0.8
"""What grey rises within three px across a glyph's outline, in units of the glyph's contrast, mean over the outline."""
BAR_FILL, BAR_ASPECT = 0.82, 4.0
"""A glyph that fills more of its box, or is longer for its width, is a bar: an I, or a tick of a ruler. At least half
of a row are none."""
LIKE_SHAPES = 0.75
"""Median correlation of glyphs with their mean, each brought to one size: above it they are ticks."""
WIDEST = 1.6
"""Width of a glyph in its heights; letters that run together are wider and do not count."""
MARGIN_SHARE = 0.12
"""Text lies outside the head where it is nearer than this share of the film's shorter side to a border ..."""
QUIET_SHARE = 0.03
"""... or where the ground around it scatters by no more than this share of the film's grey range."""
PAD = (2.0, 0.4)
"""Room around a row along and across it, in heights of its letters: a first or last letter may have been missed."""
LONG_SIDE_PX = 2600
"""Larger films are looked at shrunk to this size."""
NEAR_BORDER = 2.0
"""A row that ends nearer to a border than so many of its heights reaches it: nothing else lies in between."""
NOISE_FLOOR = 9.0
"""Text stands out by so many standard deviations of the noise: what stands out by less may be noise alone, since it is
counted from the darkest (or brightest) sample of a neighbourhood."""
MOST_GLYPHS = 2000
PLAIN_SIDE_PX, PLAIN_CONTRASTS, PLAIN_STROKES = 800, (60,), (7,)
"""What a quick search looks at. In 30 training films it found the serial number in 27 and nothing over a head."""
_TURN = [1, 0, 3, 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """One row of text.

    Attributes
    ----------
    left, top, right, bottom : int
        Source px, right and bottom exclusive; with room around the letters.
    letters : int
        How many glyphs were seen.
    outside_head : bool
        Whether it lies at the film's border or on quiet ground, so that nothing of the head is lost with it.
    """

    left: int
    top: int
    right: int
    bottom: int
    letters: int
    outside_head: bool


def find_burnt_in_text(
    pixels: Pixels, *, contrasts: tuple[int, ...] = CONTRASTS, stroke_sides: tuple[int, ...] = STROKE_SIDES_PX
) -> tuple[TextBox, ...]:
    """Find rows of burnt-in text, upright or turned by 90 degrees.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        In any polarity.
    contrasts : tuple of int
        How far letters stand out, in 255ths of the film's grey range; a pass of the search for each.
        `DOUBTFUL_CONTRASTS` also finds what may be text.
    stroke_sides : tuple of int
        Sides in px of the squares that strokes are thinner than; two passes of the search for each.

    Returns
    -------
    tuple of TextBox
        From top to bottom; empty when no row of at least three letters is seen. That is no proof that there is none:
        handwriting, single letters and faint words are not found.

    Raises
    ------
    InputError
        When `pixels` is no grey image.

    Examples
    --------
    >>> import cv2, numpy as np
    >>> film = np.full((400, 600), 40, dtype=np.uint8)
    >>> _ = cv2.putText(film, "DOE, JANE 4711", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 250, 2)
    >>> [(box.outside_head, box.left < 25, box.top < 25) for box in find_burnt_in_text(film)]
    [(True, True, True)]
    """
    check_pixels(pixels)
    grey = np.rint(apply_window(pixels, tone_window(pixels)) * 255.0).astype(np.uint8)
    shrink = min(1.0, LONG_SIDE_PX / max(grey.shape))
    if shrink < 1.0:
        size = (max(1, round(grey.shape[1] * shrink)), max(1, round(grey.shape[0] * shrink)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    floor = NOISE_FLOOR * _measure_noise(grey)
    passes = sorted({max(contrast, floor) for contrast in contrasts})
    rows = [row for contrast in passes for row in _find_rows(grey, contrast, stroke_sides)]
    boxes = [_place(grey, row, letters, shrink, pixels.shape) for row, letters in _merge(rows)]
    return tuple(sorted(boxes, key=lambda box: (box.top, box.left)))


def find_plain_text(pixels: Pixels) -> tuple[TextBox, ...]:
    """Find rows of text that stand out plainly, on a small copy of the film: quick, and blind to faint or tiny text.

    For judgements of a film; what may leave a site is searched by `find_burnt_in_text`, which takes 20 times as long.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]

    Returns
    -------
    tuple of TextBox
        In px of the film.

    Examples
    --------
    >>> import numpy as np
    >>> find_plain_text(np.full((1200, 900), 90, dtype=np.uint8))
    ()
    """
    check_pixels(pixels)
    height, width = pixels.shape
    scale = min(1.0, PLAIN_SIDE_PX / max(height, width))
    if scale == 1.0:
        return find_burnt_in_text(pixels, contrasts=PLAIN_CONTRASTS, stroke_sides=PLAIN_STROKES)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    boxes = find_burnt_in_text(small, contrasts=PLAIN_CONTRASTS, stroke_sides=PLAIN_STROKES)
    return tuple(_enlarge(box, width / size[0], height / size[1], pixels.shape) for box in boxes)


def _enlarge(box: TextBox, across: float, down: float, shape: tuple[int, ...]) -> TextBox:
    return replace(
        box,
        left=int(box.left * across),
        top=int(box.top * down),
        right=min(shape[1], int(np.ceil(box.right * across))),
        bottom=min(shape[0], int(np.ceil(box.bottom * down))),
    )


def mask_text(pixels: Pixels, boxes: tuple[TextBox, ...]) -> Pixels:
    """Copy of a film in which the boxes hold the median of the ground around each.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width) or (height, width, channels)]
    boxes : tuple of TextBox

    Returns
    -------
    ndarray
        Of the same shape and dtype; nothing of what stood in the boxes is left.

    Examples
    --------
    >>> import numpy as np
    >>> film = np.full((50, 90), 7, dtype=np.uint8)
    >>> film[10:20, 10:60] = 255
    >>> box = TextBox(left=8, top=8, right=62, bottom=22, letters=5, outside_head=True)
    >>> int(mask_text(film, (box,)).max())
    7
    """
    masked = pixels.copy()
    for box in boxes:
        pad = max(3, (box.bottom - box.top) // 4)
        around = pixels[max(0, box.top - pad) : box.bottom + pad, max(0, box.left - pad) : box.right + pad]
        inside = np.zeros(around.shape[:2], dtype=bool)
        top, left = box.top - max(0, box.top - pad), box.left - max(0, box.left - pad)
        inside[top : top + box.bottom - box.top, left : left + box.right - box.left] = True
        ground = around[~inside] if not inside.all() else around.reshape(-1, *pixels.shape[2:])
        masked[box.top : box.bottom, box.left : box.right] = np.median(ground, axis=0).astype(pixels.dtype)
    return masked


def _measure_noise(grey: Grey) -> float:
    """Standard deviation of the noise: median of a second difference (Immerkaer 1996), which outlines hardly move."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    residual = cv2.filter2D(grey[::2], cv2.CV_32F, kernel)
    return float(np.median(np.abs(residual[::2, ::4]))) / 0.6745


def _find_rows(grey: Grey, least_contrast: float, sides: tuple[int, ...]) -> Iterator[tuple[FloatArray, int]]:
    """Rows of glyphs (left, top, right, bottom) with the number of glyphs, along x and along y."""
    step = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    for side in sides:
        square = np.ones((side, side), np.uint8)
        for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
            # Letters at a border are cut by it: the film is continued by its own outermost samples.
            standing_out = cv2.morphologyEx(grey, operation, square, borderType=cv2.BORDER_REPLICATE)
            boxes, bars = _find_glyphs(standing_out, step, least_contrast)
            for run in _chain(boxes, bars):
                if not _are_ticks(standing_out, run):
                    yield _pad(run), len(run)
            for run in _chain(boxes[:, _TURN], bars):
                if not _are_ticks(standing_out, run[:, _TURN]):
                    yield _pad(run)[_TURN], len(run)


def _find_glyphs(standing_out: Grey, step: Grey, least_contrast: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Boxes of sharp glyphs, shape (n, 4), and which of them are solid bars."""
    mask = (standing_out >= least_contrast).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    left, top, width, height, area = stats.T.astype(np.float64)
    low, high = LETTER_PX
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    usable = (longer >= low) & (longer <= high) & (shorter >= 2) & (area >= 0.1 * width * height)
    usable[0] = False
    if not LEAST_LETTERS <= int(usable.sum()) <= MOST_GLYPHS:
        return np.empty((0, 4)), np.empty(0, dtype=bool)
    filled = usable[labels]
    rim = filled & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
    edges = np.bincount(labels[rim], minlength=count)
    rises = np.bincount(labels[rim], weights=step[rim], minlength=count) / np.maximum(edges, 1)
    levels = np.bincount(labels[filled], weights=standing_out[filled], minlength=count) / np.maximum(area, 1.0)
    ids = np.flatnonzero(usable & (rises >= LEAST_RISE * levels))
    boxes = np.stack([left, top, left + width, top + height], axis=1)[ids]
    bars = (area / (width * height) > BAR_FILL) | (longer > BAR_ASPECT * shorter)
    return boxes, bars[ids]


def _are_ticks(standing_out: Grey, run: FloatArray) -> bool:
    """Whether glyphs are all one shape, as the ticks of a ruler are and letters are not."""
    shapes = []
    for left, top, right, bottom in run.astype(np.int64):
        glyph = cv2.resize(standing_out[top:bottom, left:right], (12, 12), interpolation=cv2.INTER_AREA)
        shapes.append(glyph.astype(np.float64).ravel())
    scaled = np.array(shapes) - np.mean(shapes, axis=1, keepdims=True)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-9)
    mean = scaled.mean(axis=0)
    return float(np.median(scaled @ mean) / max(float(np.linalg.norm(mean)), 1e-9)) > LIKE_SHAPES


def _pad(run: FloatArray) -> FloatArray:
    room = np.array(PAD) * float(np.median(run[:, 3] - run[:, 1]))
    return np.concatenate([run[:, :2].min(axis=0) - room, run[:, 2:].max(axis=0) + room])


def _chain(boxes: FloatArray, bars: NDArray[np.bool_]) -> Iterator[FloatArray]:
    """Runs of like-sized neighbours on one line along x."""
    size = boxes[:, 2:] - boxes[:, :2]
    narrow = (size[:, 0] <= WIDEST * size[:, 1]) & (size[:, 1] >= LETTER_PX[0])
    boxes, bars = boxes[narrow], bars[narrow]
    order = np.argsort(boxes[:, 0], kind="stable")
    boxes, bars = boxes[order], bars[order]
    heights = boxes[:, 3] - boxes[:, 1]
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    free = np.ones(len(boxes), dtype=bool)
    for first in range(len(boxes)):
        if not free[first]:
            continue
        run = [first]
        while True:
            last = run[-1]
            height = float(np.median(heights[run]))
            gap = boxes[:, 0] - boxes[last, 2]
            fits = (gap > -0.3 * height) & (gap < LARGEST_GAP * height) & (boxes[:, 0] > boxes[last, 0]) & free
            fits &= np.abs(middles - middles[last]) < 0.3 * height
            fits &= np.abs(np.log(heights / height)) < np.log(LIKE_HEIGHTS)
            candidates = np.flatnonzero(fits)
            if len(candidates) == 0:
                break
            run.append(int(candidates[np.argmin(gap[candidates])]))
        if len(run) >= LEAST_LETTERS and 2 * int((~bars[run]).sum()) >= max(len(run), 4):
            free[run] = False
            yield boxes[run]


def _merge(rows: list[tuple[FloatArray, int]]) -> list[tuple[FloatArray, int]]:
    """Rows that overlap, found at several sizes, as one."""
    merged: list[tuple[FloatArray, int]] = []
    for row, letters in sorted(rows, key=lambda item: -item[1]):
        for index, (other, count) in enumerate(merged):
            if (row[:2] < other[2:]).all() and (other[:2] < row[2:]).all():
                both = np.concatenate([np.minimum(row[:2], other[:2]), np.maximum(row[2:], other[2:])])
                merged[index] = (both, max(count, letters))
                break
        else:
            merged.append((row, letters))
    return merged if len(merged) == len(rows) else _merge(merged)


def _place(grey: Grey, row: FloatArray, letters: int, shrink: float, shape: tuple[int, ...]) -> TextBox:
    height, width = grey.shape
    left, top = (max(0, int(np.floor(value))) for value in row[:2])
    right, bottom = min(width, int(np.ceil(row[2]))), min(height, int(np.ceil(row[3])))
    near = NEAR_BORDER * min(bottom - top, right - left)
    if right - left > bottom - top:
        left, right = left if left > near else 0, right if width - right > near else width
    else:
        top, bottom = top if top > near else 0, bottom if height - bottom > near else height
    margin = MARGIN_SHARE * min(height, width)
    at_border = min(left, top, width - right, height - bottom) < margin and min(bottom - top, right - left) < margin
    pad = max(4, (bottom - top) // 2)
    around = grey[max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad].astype(np.float64)
    inner = np.zeros(around.shape, dtype=bool)
    inner[min(pad, top) : min(pad, top) + bottom - top, min(pad, left) : min(pad, left) + right - left] = True
    ring = around[~inner]
    quiet = ring.size > 0 and float(ring.std()) <= QUIET_SHARE * 255.0
    return TextBox(
        left=int(left / shrink),
        top=int(top / shrink),
        right=min(shape[1], int(np.ceil(right / shrink))),
        bottom=min(shape[0], int(np.ceil(bottom / shrink))),
        letters=letters,
        outside_head=bool(at_border or quiet),
    )
