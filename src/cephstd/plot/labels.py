"""Placing text beside points so that texts do not cover each other, the points or the lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray

REACHES_PX = (7.0, 12.0, 19.0, 30.0, 44.0, 62.0)
DIRECTIONS = 24
SWEEPS = 4
GAP_PX = 3.0

# What one px^2 of covered label, one covered point and one px of covered line cost, against one px of distance.
COVERED_LABEL, COVERED_POINT, COVERED_LINE, OUTSIDE = 20.0, 60.0, 1.6, 1e6


def place_labels(
    anchors_px: npt.ArrayLike,
    sizes_px: npt.ArrayLike,
    bounds_px: tuple[float, float],
    *,
    points_px: npt.ArrayLike = (),
    lines_px: npt.ArrayLike = (),
) -> FloatArray:
    """Centres for labels beside their anchors, picture px, shape (n, 2).

    Every label tries 24 directions at six distances. The cheapest place is taken label by label, the most crowded
    first, and then again in a few sweeps while all others stay; the result depends on nothing but the arguments.

    Parameters
    ----------
    anchors_px : array_like, shape (n, 2)
        Points that the labels name.
    sizes_px : array_like, shape (n, 2)
        Width and height of each label.
    bounds_px : tuple of float
        Width and height of the picture; labels stay inside where they can.
    points_px : array_like, shape (m, 2)
        Points that no label should cover.
    lines_px : array_like, shape (k, 2)
        Points sampled about every two px along lines that labels should rather not cover.
    """
    anchors = np.asarray(anchors_px, dtype=np.float64).reshape(-1, 2)
    sizes = np.asarray(sizes_px, dtype=np.float64).reshape(-1, 2)
    if not len(anchors):
        return np.empty((0, 2))
    centres, costs = _candidates(anchors, sizes, bounds_px)
    for ink, price in ((points_px, COVERED_POINT), (lines_px, 2 * COVERED_LINE)):
        costs += price * _count_covered(centres, sizes, np.asarray(ink, dtype=np.float64).reshape(-1, 2))
    return _settle(anchors, centres, costs, sizes)


def _candidates(anchors: FloatArray, sizes: FloatArray, bounds: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Centres (n, candidates, 2) and their cost for distance and for leaving the picture (n, candidates)."""
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    reach = np.repeat(REACHES_PX, DIRECTIONS)
    ways = np.tile(way, (len(REACHES_PX), 1))
    # from the anchor to the label's border along `way`, then to its centre: the label touches a circle of `reach`
    edge = (sizes[:, None, :] / 2) * np.clip(ways * 1.6, -1, 1)[None]
    centres = anchors[:, None, :] + ways[None] * reach[None, :, None] + edge
    half = sizes[:, None, :] / 2 + 2
    outside = ((centres < half) | (centres > np.asarray(bounds) - half)).any(axis=-1)
    costs = np.broadcast_to(reach, outside.shape) + OUTSIDE * outside
    return centres, costs - 1.5 * ways[None, :, 0]  # of two equal places, the right-hand one


def _count_covered(centres: FloatArray, sizes: FloatArray, ink: FloatArray) -> FloatArray:
    """How many `ink` points each candidate (n, candidates) covers."""
    covered = np.zeros(centres.shape[:2])
    for row, (centre, size) in enumerate(zip(centres, sizes, strict=True)):
        far = np.abs(ink - centre.mean(axis=0)).max(axis=-1, initial=0.0) > 200
        near = ink[~far]
        inside = (np.abs(near[None] - centre[:, None]) < size / 2 + 2).all(axis=-1)
        covered[row] = inside.sum(axis=-1)
    return covered


def _settle(anchors: FloatArray, centres: FloatArray, costs: FloatArray, sizes: FloatArray) -> FloatArray:
    """Choose one candidate per label."""
    apart = np.linalg.norm(anchors[:, None] - anchors[None], axis=-1)
    order = np.argsort(-(apart < 90).sum(axis=-1), kind="stable")
    chosen = np.zeros_like(anchors)
    placed = np.zeros(len(anchors), dtype=bool)
    for _ in range(SWEEPS):
        before = chosen.copy()
        for row in order:
            others = placed.copy()
            others[row] = False
            room = (sizes[row] + sizes[others]) / 2 + GAP_PX
            overlap = np.clip(room[None] - np.abs(centres[row][:, None] - chosen[others][None]), 0, None)
            total = costs[row] + COVERED_LABEL * overlap.prod(axis=-1).sum(axis=-1)
            chosen[row] = centres[row, int(np.argmin(total))]
            placed[row] = True
        if (before == chosen).all():
            break
    return chosen
