"""Error of displacements between two films, from the covariance of every landmark and the error of both scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cephstd.core.arrays import FloatArray
from cephstd.geometry.registration import ComplexArray, Motion

STEP_MM = 1e-3  # of central differences; their error is of the order (step / face)^2
UNUSED = 1e-9  # a smaller derivative is none

Covariances = Sequence[FloatArray | None]
"""By landmark, 2 x 2 in mm^2; None = unknown."""

Sds = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Derivatives of displacements and turn by every coordinate (mm) and by both scales (relative).

    Attributes
    ----------
    points : ndarray, shape (2, n, 2, 2 n)
        By film, landmark and axis; displacement k in rows 2 k and 2 k + 1.
    scales : ndarray, shape (2, 2 n)
    turn_points, turn_scales : ndarray, shapes (2, n, 2) and (2,)
        Of the turn in radians.
    """

    points: FloatArray
    scales: FloatArray
    turn_points: FloatArray
    turn_scales: FloatArray

    @classmethod
    def differentiate(
        cls,
        move: Callable[[ComplexArray, ComplexArray], tuple[ComplexArray, Motion]],
        a: ComplexArray,
        b: ComplexArray,
        turn: complex,
    ) -> Spread:
        """Central differences, all coordinates in one batch."""
        n = len(a)
        nudges = np.concatenate([np.eye(n) * STEP_MM, 1j * np.eye(n) * STEP_MM])  # x of each, then y of each
        none = np.zeros_like(nudges)
        relative = STEP_MM / max(np.abs(a - a.mean()).max(), 1.0)
        by_a = np.concatenate([nudges, none, (relative * a)[None], np.zeros((1, n))])
        by_b = np.concatenate([none, nudges, np.zeros((1, n)), (relative * b)[None]])
        after, (turn_after, _, _) = move(a + by_a, b + by_b)
        before, (turn_before, _, _) = move(a - by_a, b - by_b)
        size = np.concatenate([np.full(4 * n, STEP_MM), np.full(2, relative)])
        slope = (after - before) / (2.0 * size[:, None])
        flat = np.stack([slope.real, slope.imag], axis=-1).reshape(len(slope), 2 * n)
        angle = np.imag((turn_after - turn_before) / turn) / (2.0 * size)
        return cls(
            points=flat[: 4 * n].reshape(2, 2, n, 2 * n).transpose(0, 2, 1, 3),
            scales=flat[4 * n :],
            turn_points=angle[: 4 * n].reshape(2, 2, n).transpose(0, 2, 1),
            turn_scales=angle[4 * n :],
        )

    def covariance(self, k: int, covariances: tuple[Covariances, Covariances], scale_sds: Sds) -> FloatArray | None:
        """2 x 2 of displacement `k` in mm^2, or None when a covariance that it needs is unknown."""
        rows = slice(2 * k, 2 * k + 2)
        return _carry(self.points[..., rows], self.scales[:, rows], covariances, scale_sds)

    def turn_sd(self, covariances: tuple[Covariances, Covariances], scale_sds: Sds) -> float | None:
        """Standard deviation of the turn in radians, or None likewise."""
        variance = _carry(self.turn_points[..., None], self.turn_scales[:, None], covariances, scale_sds)
        return None if variance is None else float(np.sqrt(max(variance[0, 0], 0.0)))


def _carry(
    by_points: FloatArray, by_scales: FloatArray, covariances: tuple[Covariances, Covariances], scale_sds: Sds
) -> FloatArray | None:
    """Sum of J C J' over points (2, n, 2, m) and scales (2, m), shape (m, m); None when a needed C is unknown."""
    total = np.zeros((by_points.shape[-1],) * 2)
    for known, slopes, by_scale, sd in zip(covariances, by_points, by_scales, scale_sds, strict=True):
        total += sd**2 * np.outer(by_scale, by_scale)
        for covariance, slope in zip(known, slopes, strict=True):
            if np.abs(slope).max() < UNUSED:
                continue
            if covariance is None:
                return None
            total += slope.T @ covariance @ slope
    return total
