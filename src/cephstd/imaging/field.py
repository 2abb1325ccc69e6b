"""The exposed field of a film: what lies inside collimator edges, scanner margins and the corners of a turned film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLAT = 0.02
"""A margin keeps within this share of the grey range of its own black or white."""
FLAT_SHARE = 0.97
"""Of a line's samples that are flat in a margin; what remains are letters, dust and compression."""
EDGE_SHARE = 0.4
"""Of the samples just inside an edge that have left the margin's grey: air that is burnt to black fades out instead."""
LEFT = 0.08
"""A sample has left the margin's grey when it is this share of the grey range away from it."""
INSIDE = 2
"""Lines inside an edge on which it is tested: the first may lie on a blurred edge."""
SMALLEST_FIELD = 0.25
"""Of the film's area; less is no exposed field that was found, but a mistake."""
SMALLEST_CORNER = 5
"""Samples along each side of a corner that was cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Where a film was exposed, on the grid of samples that it was found on.

    Attributes
    ----------
    left, top, right, bottom : int
        Rectangle in samples of the grid, right and bottom exclusive.
    mask : ndarray [dtype=bool]
        Of the grid; False in margins and in corners that a straight edge cuts off.
    """

    left: int
    top: int
    right: int
    bottom: int
    mask: NDArray[np.bool_]

    @property
    def share(self) -> float:
        """Of the grid that was exposed, 0..1."""
        return float(self.mask.mean())

    @property
    def is_whole(self) -> bool:
        """Whether no border was found."""
        return bool(self.mask.all())

    @property
    def rectangle(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom as shares of width and height."""
        height, width = self.mask.shape
        return self.left / width, self.top / height, self.right / width, self.bottom / height

    @property
    def cut_share(self) -> float:
        """Of the rectangle that corners cut off, 0..1."""
        return float((~self.mask[self.top : self.bottom, self.left : self.right]).mean())

    def describe(self) -> str:
        """Where the margins lie, in words; empty when there are none.

        Examples
        --------
        >>> grid = np.full((100, 100), 120.0)
        >>> grid[:, :10] = 0.0
        >>> find_field(grid).describe()
        'left 10.0 %'
        """
        left, top, right, bottom = self.rectangle
        margins = {"left": left, "top": top, "right": 1.0 - right, "bottom": 1.0 - bottom}
        words = [f"{name} {100 * share:.1f} %" for name, share in margins.items() if share > 0]
        if self.cut_share > 0:
            words.append(f"corners {100 * self.cut_share:.1f} %")
        return ", ".join(words)


def find_field(grid: NDArray[Any]) -> Field:
    """Find straight edges between the exposed field and black or white margins.

    A margin is a run of whole rows or columns from the side of the film, 97 % of whose samples lie within 2 % of the
    grey range of the film's black or white, and that ends at once: on the lines just inside, 40 % of the samples have
    another grey. The same holds for a triangle in each corner. Air that is burnt to black along a side ends gradually,
    so it is no margin.

    Parameters
    ----------
    grid : ndarray [shape=(rows, columns)]
        Samples of a film in any polarity, for example every n-th of every n-th row.

    Returns
    -------
    Field
        The whole grid where nothing was found, or where hardly anything would be left.

    Examples
    --------
    >>> grid = np.tile(np.linspace(40.0, 200.0, 80), (60, 1))
    >>> grid[:6] = 0.0
    >>> field = find_field(grid)
    >>> field.left, field.top, field.right, field.bottom
    (0, 6, 80, 60)
    """
    height, width = grid.shape
    whole = Field(left=0, top=0, right=width, bottom=height, mask=np.ones(grid.shape, dtype=bool))
    low, high = float(grid.min()), float(grid.max())
    if high <= low or min(grid.shape) < 4 * SMALLEST_CORNER:
        return whole
    # For black and for white: which samples are flat, which are still near.
    span = high - low
    margins = (
        (grid <= low + FLAT * span, grid <= low + LEFT * span),
        (grid >= high - FLAT * span, grid >= high - LEFT * span),
    )
    bounds = [0, 0, width, height]
    # Twice: a margin of one colour that is crossed by another shows once the other is taken off.
    for _ in range(2):
        for flat, near in margins:
            bounds = _trim(flat, near, bounds)
    left, top, right, bottom = bounds
    mask = np.zeros(grid.shape, dtype=bool)
    mask[top:bottom, left:right] = True
    for flat, near in margins:
        inner, near_inner = flat[top:bottom, left:right], near[top:bottom, left:right]
        for rows in (slice(None), slice(None, None, -1)):
            for columns in (slice(None), slice(None, None, -1)):
                corner = _cut_corner(inner[rows, columns], near_inner[rows, columns])
                mask[top:bottom, left:right][rows, columns] &= ~corner
    if mask.mean() < SMALLEST_FIELD:
        return whole
    return Field(left=left, top=top, right=right, bottom=bottom, mask=mask)


def _trim(flat: NDArray[np.bool_], near: NDArray[np.bool_], bounds: list[int]) -> list[int]:
    """Bounds (left, top, right, bottom) without the margins in which `flat` holds."""
    left, top, right, bottom = bounds
    rows, columns = (
        np.stack([kind[top:bottom, left:right].mean(axis=axis) for kind in (flat, near)]) for axis in (1, 0)
    )
    return [
        left + _margin(columns),
        top + _margin(rows),
        right - _margin(columns[:, ::-1]),
        bottom - _margin(rows[:, ::-1]),
    ]


def _margin(shares: NDArray[np.float64]) -> int:
    """Number of lines from the start that are a margin with a sharp end, from each line's flat and near share."""
    filled = shares[0] >= FLAT_SHARE
    count = int(np.argmin(filled)) if not filled.all() else 0
    inside = shares[1, count + 1 : count + 1 + INSIDE]
    return count if count and inside.size and float(inside.max()) <= 1.0 - EDGE_SHARE else 0


def _cut_corner(flat: NDArray[np.bool_], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a straight edge cuts off the corner at (0, 0), and one line more; nowhere when none does."""
    nothing = np.zeros(flat.shape, dtype=bool)
    if min(flat.shape) < 2 * SMALLEST_CORNER:
        return nothing
    down, across = (_run(line) for line in (flat[:, 0], flat[0]))
    if min(down, across) < SMALLEST_CORNER:
        return nothing
    y, x = np.mgrid[: flat.shape[0], : flat.shape[1]]
    # 1 on the edge; one sample away from it in the direction across the edge adds `step`.
    place, step = y / down + x / across, float(np.hypot(1.0 / down, 1.0 / across))
    cut, beyond = place <= 1.0 - step, (place >= 1.0 + step) & (place <= 1.0 + (1 + INSIDE) * step)
    if flat[cut].mean() < FLAT_SHARE or near[beyond].mean() > 1.0 - EDGE_SHARE:
        return nothing
    return np.asarray(place <= 1.0 + step)


def _run(line: NDArray[np.bool_]) -> int:
    """Length of the first run of True."""
    return int(np.argmin(line)) if not line.all() else len(line)
