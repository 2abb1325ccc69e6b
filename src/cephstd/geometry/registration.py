"""Ways to lay one film over another: what is held or fitted, and the rigid motion that follows.

Points are complex numbers, x + i y in mm; a motion is z -> anchor + turn * (z - pivot).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray

ComplexArray = npt.NDArray[np.complex128]
Motion = tuple[ComplexArray, ComplexArray, ComplexArray]
"""Turn, anchor and pivot, one of each per row of a batch."""

SOFT_MM = 2.0  # residuals above it pull like distances, those below like squares
SWEEPS, SETTLED = 500, 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How two films are laid over one another.

    Attributes
    ----------
    landmarks : tuple of str
        On a line: the point that is held, then the one that gives the direction. In a fit: the points that are fitted,
        as far as both films have them.
    needed : tuple of str
        Without these there is no registration.
    kind : str
        ``line``, ``fit`` (least squares) or ``robust`` (least distances).
    meaning : str
        In words.
    """

    landmarks: tuple[str, ...]
    needed: tuple[str, ...]
    kind: str
    meaning: str


def _line(held: str, towards: str, meaning: str) -> Registration:
    return Registration(landmarks=(held, towards), needed=(held, towards), kind="line", meaning=meaning)


METHODS = MappingProxyType(
    {
        "SN": _line("S", "N", "sella-nasion line, held at sella"),
        "BaN": _line("N", "Ba", "basion-nasion line, held at nasion (Ricketts)"),
        "cranial_base": Registration(
            landmarks=("S", "N", "Sp", "Si", "SO"),
            needed=("S", "N"),
            kind="fit",
            meaning="anterior cranial base: best fit of sella, nasion and, where marked, the outline of sella and SO",
        ),
        "maxilla": _line("ANS", "PNS", "palatal plane, held at ANS (Ricketts)"),
        "mandible": _line("Me", "Go", "mandibular plane Go-Me, held at menton"),
        "fit": Registration(landmarks=(), needed=(), kind="fit", meaning="best fit of chosen landmarks, least squares"),
        "robust": Registration(
            landmarks=(), needed=(), kind="robust", meaning="best fit of chosen landmarks, least distances"
        ),
    }
)


def _unit(z: ComplexArray) -> ComplexArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return z / np.abs(z)


def _hold_line(a: ComplexArray, b: ComplexArray) -> Motion:
    """Column 0 onto column 0, and the ray to column 1 onto that ray."""
    return _unit((a[:, 1] - a[:, 0]) * (b[:, 1] - b[:, 0]).conjugate()), a[:, 0], b[:, 0]


def _fit_squares(a: ComplexArray, b: ComplexArray, weights: FloatArray | None = None) -> Motion:
    """Least squares: centroid onto centroid, and the turn of the sum of products."""
    w = np.ones(a.shape) if weights is None else weights
    w = w / w.sum(axis=1, keepdims=True)
    anchor, pivot = (w * a).sum(axis=1), (w * b).sum(axis=1)
    product = (w * (a - anchor[:, None]) * (b - pivot[:, None]).conjugate()).sum(axis=1)
    return _unit(product), anchor, pivot


def _fit_distances(a: ComplexArray, b: ComplexArray) -> Motion:
    """Least distances, by reweighted least squares from the plain fit."""
    motion = _fit_squares(a, b)
    for _ in range(SWEEPS):
        turn, anchor, pivot = motion
        residual = np.abs(anchor[:, None] + turn[:, None] * (b - pivot[:, None]) - a)
        motion = _fit_squares(a, b, 1.0 / np.sqrt(residual**2 + SOFT_MM**2))
        offset = motion[1] - motion[0] * motion[2] - (anchor - turn * pivot)
        if np.abs(motion[0] - turn).max() < SETTLED and np.abs(offset).max() < SETTLED * 100:
            break
    return motion


MOTIONS: MappingProxyType[str, Callable[[ComplexArray, ComplexArray], Motion]] = MappingProxyType(
    {"line": _hold_line, "fit": _fit_squares, "robust": _fit_distances}
)
"""By kind: films first and later, shape (batch, n), to motions that carry the later onto the first."""
