"""Tells from the first look's points how far a head is tilted, so that a second look can see it upright."""

from __future__ import annotations

import numpy as np

from cephstd.core.arrays import FloatArray
from cephstd.core.steps import Affine, Size
from cephstd.inference.contracts import UprightContract

FEWEST = 5
"""Points that a tilt is told from; fewer say little about it."""


def find_tilt(points_px: FloatArray, ids: tuple[str, ...], upright: UprightContract) -> float | None:
    """Angle of the least-squares similarity from the upright shape to the points.

    Parameters
    ----------
    points_px : ndarray, shape (n, 2)
        On the canvas.
    ids : tuple of str
        Their landmarks; those that the shape lacks are left out.
    upright : UprightContract

    Returns
    -------
    float or None
        Degrees, clockwise on the screen; None when fewer than five points are known, or when all of them coincide.

    Examples
    --------
    >>> shape = {"S": (0.0, 0.0), "N": (70.0, 0.0), "A": (70.0, 60.0), "B": (60.0, 90.0), "Go": (0.0, 70.0)}
    >>> points = np.array(list(shape.values())) * 3.0 + 40.0
    >>> find_tilt(points, tuple(shape), UprightContract(least_deg=5.0, shape=shape))
    0.0
    """
    known = [row for row, id in enumerate(ids) if id in upright.shape]
    if len(known) < FEWEST:
        return None
    shape = np.array([upright.shape[ids[row]] for row in known]) @ (1.0, 1.0j)
    found = points_px[known] @ (1.0, 1.0j)
    product = complex(np.vdot(shape - shape.mean(), found - found.mean()))
    # Rounded: what moves the points by less than a hundredth of a pixel is no difference between two looks.
    return round(float(np.degrees(np.angle(product))), 2) + 0.0 if product else None


def level_step(points_px: FloatArray, tilt_deg: float, size_px: Size) -> Affine | None:
    """The turn of the canvas about the points' centre that brings the head upright.

    Returns
    -------
    Affine or None
        None when a point would leave the canvas.
    """
    angle = np.deg2rad(tilt_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = points_px.mean(axis=0)
    shift = centre - turn @ centre
    moved = points_px @ turn.T + shift
    if moved.min() < 0.0 or (moved > np.array(size_px) - 1.0).any():
        return None
    rows = [(float(turn[k, 0]), float(turn[k, 1]), float(shift[k])) for k in (0, 1)]
    return Affine(row_x=rows[0], row_y=rows[1], width=size_px[0], height=size_px[1])
