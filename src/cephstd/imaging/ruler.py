"""Finds a graduated ruler in a film, whichever way it lies, and measures the period of its ticks in pixels.

A ruler is a row of small like blobs, bright or dark, at equal steps. Candidates come from blobs that stand out from
their surroundings at one of three sizes; each candidate is then held against the grey profile along its line, where
every tick has to look like the others. A false ruler is worse than none: what is short, uneven or unlike is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import FloatArray, Pixels, check_pixels
from cephstd.imaging.tone import apply_window, tone_window

Grey = NDArray[np.uint8]
Row = tuple[FloatArray, FloatArray]
"""Middle of a row's first blob (x, y) and the step to the next, px."""

BLOB_SIDES_PX = (7, 15, 31)
"""Sides of the squares against which blobs stand out: periods of about 4 to 60 px."""
PERIOD_PX = (4.0, 64.0)
LEAST_CONTRAST = 24
"""Of 255, on the film's own grey range."""
LEAST_TICKS = 7
LEAST_LIKENESS = 0.75
"""Correlation of one tick's profile with the mean of all."""
MEAN_LIKENESS = 0.9
SKEW_SD = 3e-4
"""Relative error of the period from a line that lies askew on the ticks by up to 1.4 degrees: 1 / cos - 1."""
LARGEST_RESIDUAL = 0.04
"""Root mean square distance of the ticks from equal steps, in periods."""
REACH = 80
"""Ticks that are looked for to each side of a candidate."""
SAMPLES = 24
"""Profile samples per period."""
MOST_BLOBS = 4000
MOST_ROWS = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """A graduated ruler as it lies in a film.

    Attributes
    ----------
    period_px : float
        Distance from tick to tick along the ruler, source px.
    period_sd_px : float
        Standard deviation of `period_px`, from the scatter of the ticks about equal steps and the line's direction.
    residual_px : float
        Root mean square of that scatter.
    ticks : int
        How many ticks were found in an unbroken row.
    line : ((x, y), (x, y))
        First and last tick, source px.
    """

    period_px: float
    period_sd_px: float
    residual_px: float
    ticks: int
    line: tuple[tuple[float, float], tuple[float, float]]


def find_ruler(pixels: Pixels) -> Ruler | None:
    """Find a graduated ruler in a film with square pixels.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        In any polarity and pose.

    Returns
    -------
    Ruler or None
        The one with the most ticks; None when no row of at least 7 like ticks at equal steps is seen.

    Raises
    ------
    InputError
        When `pixels` is no grey image.

    Notes
    -----
    Ticks have to be at least 4 px apart. What a tick's period is in millimetres the film does not say.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.imaging.phantom import draw_ruler
    >>> drawn, _ = draw_ruler((300, 700), 0.1, x_mm=15.0, top_mm=5.0, length_mm=50.0)
    >>> found = find_ruler((drawn * 60000).astype(np.uint16))
    >>> round(found.period_px, 2), found.ticks >= 40
    (10.0, True)
    """
    check_pixels(pixels)
    grey = np.rint(apply_window(pixels, tone_window(pixels)) * 255.0).astype(np.uint8)
    found: list[Ruler] = []
    for side in BLOB_SIDES_PX:
        square = np.ones((side, side), np.uint8)
        for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
            standing_out = cv2.morphologyEx(grey, operation, square)
            for row in _rows_of_blobs(standing_out, side):
                if not any(_lies_on(row, ruler) for ruler in found):
                    found += [ruler for ruler in [_measure_row(grey, row)] if ruler is not None]
    return max(found, key=lambda ruler: ruler.ticks, default=None)


def _lies_on(row: Row, ruler: Ruler) -> bool:
    """Whether a candidate is a part of a ruler that was measured already."""
    start, step = row
    first, last = np.array(ruler.line)
    length = float(np.hypot(*(last - first)))
    along = (last - first) / length
    offset = start - first
    across = abs(float(along[0] * offset[1] - along[1] * offset[0]))
    inside = -ruler.period_px <= float(along @ offset) <= length + ruler.period_px
    same_step = abs(float(np.hypot(*step)) / ruler.period_px - 1.0) < 0.1
    return inside and across < 2.5 * ruler.period_px and same_step


def _rows_of_blobs(standing_out: Grey, side: int) -> Iterator[Row]:
    """Four like blobs in a row at equal steps; a blob begins one row only."""
    mask = (standing_out >= LEAST_CONTRAST).astype(np.uint8)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=4, ltype=cv2.CV_32S)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    longest = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    usable = (areas >= max(4.0, 0.05 * side * side)) & (longest <= 5 * side)
    usable[0] = False
    ids = np.flatnonzero(usable)
    if len(ids) < LEAST_TICKS:
        return
    ids = ids[np.argsort(-areas[ids], kind="stable")[:MOST_BLOBS]]
    starts, steps, sizes = _neighbours(centres[ids], areas[ids], 2.2 * side)
    alive = np.arange(len(starts))
    places = starts + steps
    for _ in range(2):
        guess = places[alive] + steps[alive]
        hit = _labels_at(labels, guess)
        off = np.linalg.norm(centres[hit] - guess, axis=1)
        like = (np.abs(np.log(np.maximum(areas[hit], 1.0) / sizes[alive])) < 0.5) & usable[hit]
        near = off < 0.2 * np.linalg.norm(steps[alive], axis=1)
        places[alive] = np.where((like & near)[:, None], centres[hit], places[alive])
        alive = alive[like & near]
    taken: set[tuple[int, int]] = set()
    rows = 0
    for index in alive:
        step = (places[index] - starts[index]) / 3.0
        key = (int(starts[index][0]) // side, int(starts[index][1]) // side)
        if key not in taken and rows < MOST_ROWS:
            taken.add(key)
            rows += 1
            yield starts[index], step


def _neighbours(centres: FloatArray, areas: FloatArray, reach: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Each blob with its up to four nearest like blobs: starts (m, 2), steps (m, 2), areas (m,)."""
    order = np.argsort(centres[:, 0], kind="stable")
    centres, areas = centres[order], areas[order]
    ends = np.searchsorted(centres[:, 0], centres[:, 0] + reach)
    pairs: list[tuple[int, int]] = []
    for one, end in enumerate(ends):
        others = np.arange(one + 1, end)
        away = np.hypot(*(centres[others] - centres[one]).T)
        fits = (away < reach) & (away >= PERIOD_PX[0] - 0.5) & (np.abs(np.log(areas[others] / areas[one])) < 0.5)
        nearest = others[fits][np.argsort(away[fits], kind="stable")[:4]]
        pairs += [(one, int(other)) for other in nearest]
    if not pairs:
        return np.empty((0, 2)), np.empty((0, 2)), np.empty(0)
    first, second = np.array(pairs).T
    return centres[first], centres[second] - centres[first], np.sqrt(areas[first] * areas[second])


def _labels_at(labels: NDArray[np.int32], points: FloatArray) -> NDArray[np.int32]:
    x, y = np.rint(points).astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < labels.shape[1]) & (y < labels.shape[0])
    found = labels[np.where(inside, y, 0), np.where(inside, x, 0)]
    return np.asarray(np.where(inside, found, 0), dtype=np.int32)


def _measure_row(grey: Grey, row: Row) -> Ruler | None:
    """Hold a candidate against the grey profile along its line; None when it is no ruler."""
    start, step = row
    found: tuple[FloatArray, FloatArray] | None = None
    for _ in range(3):
        period = float(np.hypot(*step))
        if not PERIOD_PX[0] <= period <= PERIOD_PX[1]:
            return None
        profile, origin = _sample_profile(grey, start, step)
        found = _follow_ticks(profile, origin)
        if found is None:
            return None
        numbers, places = found
        slope, offset = np.polyfit(numbers, places, 1)
        # Places are in units of the step that the profile was sampled with.
        line_start, line_step = start + offset * step, slope * step
        start, step = _straighten(grey, line_start, line_step, numbers)
    assert found is not None
    return _describe(found, line_start, line_step, period)


def _sample_profile(grey: Grey, start: FloatArray, step: FloatArray) -> tuple[FloatArray, int]:
    """Grey along a line, `SAMPLES` per step, mean over half a step across, less its running mean; index of `start`.

    Only what lies inside the film is sampled.
    """
    height, width = grey.shape
    count = np.arange(-REACH * SAMPLES, REACH * SAMPLES + 1)
    along = start + count[:, None] / SAMPLES * step
    inside = (along >= 0).all(axis=1) & (along[:, 0] <= width - 1) & (along[:, 1] <= height - 1)
    first = int(np.argmax(inside))
    along = along[inside]
    across = np.array([-step[1], step[0]])
    lines = [along + share * across for share in (-0.2, -0.1, 0.0, 0.1, 0.2)]
    maps = np.stack(lines).astype(np.float32)
    sampled = cv2.remap(grey, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mean = sampled.astype(np.float64).mean(axis=0)
    smooth = np.convolve(np.pad(mean, SAMPLES // 2, mode="edge"), np.full(SAMPLES + 1, 1.0 / (SAMPLES + 1)), "valid")
    return mean - smooth, REACH * SAMPLES - first


def _follow_ticks(profile: FloatArray, origin: int) -> tuple[FloatArray, FloatArray] | None:
    """Numbers and places (in steps from the start) of an unbroken run of like ticks; None when it is no ruler."""
    half = SAMPLES // 2
    centres = [origin + number * SAMPLES for number in range(4)]
    if min(centres) - half < 0 or max(centres) + half >= len(profile):
        return None
    template = np.mean([profile[centre - half : centre + half + 1] for centre in centres], axis=0)
    if float(np.ptp(template)) < LEAST_CONTRAST / 2:
        return None
    places: dict[int, float] = {}
    alike: list[float] = []
    for direction in (1, -1):
        number, expected, pace = (0, float(origin), float(SAMPLES)) if direction == 1 else (-1, 0.0, float(SAMPLES))
        if direction == -1:
            if 0 not in places:
                return None
            expected = places[0] - pace
        while abs(number) <= REACH:
            match = _match(profile, template, expected)
            if match is None:
                break
            place, likeness = match
            places[number] = place
            alike.append(likeness)
            number += direction
            # Steps follow slowly, so that a slightly wrong first step does not lose the row.
            expected = place + direction * pace + 0.5 * (place - expected)
    if len(places) < LEAST_TICKS or float(np.mean(alike)) < MEAN_LIKENESS:
        return None
    numbers = np.array(sorted(places), dtype=np.float64)
    return numbers, (np.array([places[int(number)] for number in numbers]) - origin) / SAMPLES


def _match(profile: FloatArray, template: FloatArray, expected: float) -> tuple[float, float] | None:
    """Place near `expected` where the profile is most like the template, finer than a sample, and how like."""
    half, reach = SAMPLES // 2, SAMPLES // 5
    middle = round(expected)
    first = middle - reach - half
    if first < 0 or middle + reach + half >= len(profile):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(profile[first : middle + reach + half + 1], 2 * half + 1)
    centred = windows - windows.mean(axis=1, keepdims=True)
    model = template - template.mean()
    size = float(np.sqrt(model @ model))
    sizes = np.sqrt((centred * centred).sum(axis=1))
    likeness = centred @ model / np.maximum(sizes * size, 1e-9)
    best = int(np.argmax(likeness))
    strength = float(sizes[best]) / size
    if likeness[best] < LEAST_LIKENESS or not 0.4 <= strength <= 2.5 or best in (0, 2 * reach):
        return None
    before, here, after = (float(value) for value in likeness[best - 1 : best + 2])
    bend = before - 2.0 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    return middle - reach + best + shift, here


def _straighten(grey: Grey, start: FloatArray, step: FloatArray, numbers: FloatArray) -> Row:
    """Turn a line so that the row stays on its ticks from end to end: amid the turns at which they stand out most."""
    period = float(np.hypot(*step))
    middle = start + float(numbers.mean()) * step
    away = (numbers - numbers.mean())[:, None]
    across = np.array([-step[1], step[0]]) / max(float(np.ptp(numbers)) / 2.0, 1.0)
    turns = np.array([step + across * side for side in np.linspace(-0.6, 0.6, 13)])
    turns *= period / np.hypot(*turns.T)[:, None]
    on_ticks = middle + away * turns[:, None]
    contrasts = np.abs(_read(grey, on_ticks) - _read(grey, on_ticks + 0.5 * turns[:, None])).mean(axis=1)
    turned = turns[contrasts >= 0.97 * contrasts.max()].mean(axis=0)
    turned *= period / float(np.hypot(*turned))
    return middle - float(numbers.mean()) * turned, turned


def _read(grey: Grey, points: FloatArray) -> FloatArray:
    maps = points.astype(np.float32)
    read = cv2.remap(grey, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, dtype=np.float64)


def _describe(
    found: tuple[FloatArray, FloatArray], start: FloatArray, step: FloatArray, scale_px: float
) -> Ruler | None:
    numbers, places = found
    slope, offset = np.polyfit(numbers, places, 1)
    residuals = (places - (slope * numbers + offset)) * scale_px
    residual = float(np.sqrt((residuals**2).sum() / (len(numbers) - 2)))
    period = float(slope) * scale_px
    if residual > LARGEST_RESIDUAL * period:
        return None
    first, last = (start + number * step for number in (numbers[0], numbers[-1]))
    spread = float(((numbers - numbers.mean()) ** 2).sum())
    return Ruler(
        period_px=period,
        period_sd_px=float(np.hypot(residual / np.sqrt(spread), SKEW_SD * period)),
        residual_px=residual,
        ticks=len(numbers),
        line=((float(first[0]), float(first[1])), (float(last[0]), float(last[1]))),
    )
