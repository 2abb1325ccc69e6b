"""Geometric and tonal steps from the source film to a derived image, as values.

Every step says what it does to a pixel *centre* (x right, y down, ``(0, 0)`` = centre of the top-left pixel) through
its own 3 x 3 matrix, and to the size of the image. The pixels themselves are moved in ``cephstd.imaging.operations``;
tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray, check_points

Size = tuple[int, int]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="step"):
    """One invertible step; tonal steps keep the geometry."""

    def matrix(self, size: Size) -> FloatArray:
        """3 x 3 matrix taking (x, y, 1) of the input, `size` = (width, height) px, to the output."""
        return np.eye(3)

    def out_size(self, size: Size) -> Size:
        """(width, height) of the output for an input of `size`."""
        return size


class FlipX(Step, tag="flip_x", frozen=True):
    """Mirror left and right."""

    def matrix(self, size: Size) -> FloatArray:
        return np.array([[-1.0, 0.0, size[0] - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


class Turn(Step, tag="turn", frozen=True):
    """Turn by quarter turns, anticlockwise as seen on the screen (``numpy.rot90``)."""

    quarters: int

    def matrix(self, size: Size) -> FloatArray:
        width, height = size
        out = np.eye(3)
        for _ in range(self.quarters % 4):
            out = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width - 1.0], [0.0, 0.0, 1.0]]) @ out
            width, height = height, width
        return out

    def out_size(self, size: Size) -> Size:
        return size if self.quarters % 2 == 0 else (size[1], size[0])


class Crop(Step, tag="crop", frozen=True):
    """Cut out a rectangle; `left`, `top` may be negative and the rectangle may pass the border (filled with black)."""

    left: int
    top: int
    width: int
    height: int

    def matrix(self, size: Size) -> FloatArray:
        return np.array([[1.0, 0.0, -self.left], [0.0, 1.0, -self.top], [0.0, 0.0, 1.0]])

    def out_size(self, size: Size) -> Size:
        return (self.width, self.height)


class Resize(Step, tag="resize", frozen=True):
    """Resample to another size; centres move by ``x' = (x + 0.5) s - 0.5``."""

    width: int
    height: int

    def matrix(self, size: Size) -> FloatArray:
        sx, sy = self.width / size[0], self.height / size[1]
        return np.array([[sx, 0.0, 0.5 * sx - 0.5], [0.0, sy, 0.5 * sy - 0.5], [0.0, 0.0, 1.0]])

    def out_size(self, size: Size) -> Size:
        return (self.width, self.height)


class Affine(Step, tag="affine", frozen=True):
    """Any affine resampling onto a canvas: rows of the matrix that takes input to output centres."""

    row_x: tuple[float, float, float]
    row_y: tuple[float, float, float]
    width: int
    height: int

    def matrix(self, size: Size) -> FloatArray:
        return np.array([self.row_x, self.row_y, (0.0, 0.0, 1.0)])

    def out_size(self, size: Size) -> Size:
        return (self.width, self.height)


class Invert(Step, tag="invert", frozen=True):
    """Exchange black and white within the sample range, so that bone is bright."""


class Window(Step, tag="window", frozen=True):
    """Map `low`..`high` (sample values) linearly to the full range, clipping; `method` says how they were found."""

    low: float
    high: float
    method: str


class Tone(Step, tag="tone", frozen=True):
    """Bend the grey scale: a share `g` of the full range becomes ``g / (g + (1 - g) / odds)``; `method` says how so."""

    odds: float
    method: str


AnyStep = FlipX | Turn | Crop | Resize | Affine | Invert | Window | Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Steps applied to a film of `source_size` (width, height), with the composed mapping of points.

    >>> chain = Chain(source_size=(100, 50), steps=(Resize(width=50, height=25),))
    >>> chain.forward([[0.5, 0.5]]).tolist()
    [[0.0, 0.0]]
    """

    source_size: Size
    steps: tuple[AnyStep, ...] = ()

    @property
    def size(self) -> Size:
        """(width, height) after the last step, px."""
        size = self.source_size
        for step in self.steps:
            size = step.out_size(size)
        return size

    @property
    def matrix(self) -> FloatArray:
        """3 x 3 matrix from source to output pixel centres."""
        size, total = self.source_size, np.eye(3)
        for step in self.steps:
            total = step.matrix(size) @ total
            size = step.out_size(size)
        return total

    def then(self, *steps: AnyStep) -> Chain:
        """The same chain with `steps` appended."""
        return Chain(source_size=self.source_size, steps=(*self.steps, *steps))

    def forward(self, points_px: npt.ArrayLike) -> FloatArray:
        """Source points (n, 2) px -> points of the derived image, px."""
        return _apply(self.matrix, points_px)

    def inverse(self, points_px: npt.ArrayLike) -> FloatArray:
        """Points (n, 2) px of the derived image -> source points, px."""
        inverse: FloatArray = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        return _apply(inverse, points_px)

    def inverse_covariance(self, covariance_px2: FloatArray) -> FloatArray:
        """Covariances (n, 2, 2) px^2 of the derived image -> source px^2."""
        linear: FloatArray = np.asarray(np.linalg.inv(self.matrix)[:2, :2], dtype=np.float64)
        return np.asarray(linear @ covariance_px2 @ linear.T)


def _apply(matrix: FloatArray, points_px: npt.ArrayLike) -> FloatArray:
    points = check_points(points_px)
    return points @ matrix[:2, :2].T + matrix[:2, 2]
