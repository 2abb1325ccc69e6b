"""The mean shape of labelled heads: by it a detector tells how far a head is tilted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cephstd.errors import InputError
from cephstd.evaluation.sources import LabelledFilm
from cephstd.training.dataset import faces_left

Complex = NDArray[np.complex128]

FEWEST = 3
"""Points that a film and the mean have to share, so that the one can be laid on the other."""
ROUNDS = 20


def upright_shape(films: Iterable[LabelledFilm], landmarks: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Lay all films on their mean by turns, shifts and scales; the mean is as large and as upright as they are.

    Parameters
    ----------
    films : iterable of LabelledFilm
        Points may be missing.
    landmarks : sequence of str

    Returns
    -------
    dict
        Landmark id -> (x, y) in mm, x right, y down, the face to the right, about the middle of all points. A landmark
        that is on no film that fits is not in it.

    Raises
    ------
    InputError
        When no film has three of the landmarks.
    """
    heads = np.array([_head(film, landmarks) for film in films], dtype=np.complex128).reshape(-1, len(landmarks))
    known = np.isfinite(heads.real).sum(axis=1)
    if not len(heads) or known.max() < FEWEST:
        raise InputError(f"Expected a film with at least {FEWEST} labelled landmarks, found none.")
    mean = heads[known.argmax()]
    factors = np.empty(0, dtype=np.complex128)
    for _ in range(ROUNDS):
        laid, factors = _lay(heads, mean)
        counted = np.isfinite(laid.real)
        with np.errstate(invalid="ignore"):
            mean = np.where(counted, laid, 0.0).sum(axis=0) / counted.sum(axis=0)
    # Back to the size and the turn that the films have on the average.
    mean /= np.exp(np.log(np.abs(factors)).mean()) * np.exp(1j * np.angle((factors / np.abs(factors)).sum()))
    mean -= np.nanmean(mean)
    return {
        id: (round(float(point.real), 1) + 0.0, round(float(point.imag), 1) + 0.0)
        for id, point in zip(landmarks, mean, strict=True)
        if np.isfinite(point.real)
    }


def _head(film: LabelledFilm, landmarks: Sequence[str]) -> list[complex]:
    """Points in mm as complex numbers, the face to the right; NaN where not labelled."""
    side = -1.0 if faces_left(film.points_px) else 1.0
    points = (film.points_px.get(id, (np.nan, np.nan)) for id in landmarks)
    return [complex(side * x, y) * film.spacing_mm for x, y in points]


def _lay(heads: Complex, mean: Complex) -> tuple[Complex, Complex]:
    """Each head turned, scaled and shifted onto the mean, and by which factors; without heads that share too little."""
    laid, factors = [], []
    for head in heads:
        shared = np.isfinite(head.real) & np.isfinite(mean.real)
        if shared.sum() < FEWEST:
            continue
        here, there = head[shared].mean(), mean[shared].mean()
        own, wanted = head[shared] - here, mean[shared] - there
        product = np.vdot(own, wanted)
        # The size is matched, not fitted: a fitted one shrinks the mean from round to round.
        factor = product / np.abs(product) * np.linalg.norm(wanted) / np.linalg.norm(own)
        laid.append(factor * (head - here) + there)
        factors.append(factor)
    return np.array(laid), np.array(factors)
