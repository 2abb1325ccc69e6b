"""How wide the doubt really is: covariances fitted to the errors on films that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from cephstd.errors import InputError

Floats = NDArray[np.float64]

CHI2_95 = 5.991464547107979
"""95 % quantile of the squared Mahalanobis distance of a two-dimensional normal distribution."""
DEGREES = 8.0
"""Of the bivariate t distribution that shapes are fitted with, so that a few gross errors do not decide them."""
FEWEST = 20
"""Labelled films of a landmark that a shape is fitted to; with fewer only the scale is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What makes a graph's covariance tell the truth: ``scale * covariance + floor`` per landmark.

    Attributes
    ----------
    scale : ndarray [shape=(landmarks,)]
        At least 0.
    floor_px2 : ndarray [shape=(landmarks, 2, 2)]
        Positive semi-definite, in canvas pixels squared: the doubt that is the same on every film.
    """

    scale: Floats
    floor_px2: Floats

    def apply(self, covariance_px2: Floats) -> Floats:
        """Covariances [shape=(films, landmarks, 2, 2)] of the graph -> calibrated ones."""
        calibrated: Floats = covariance_px2 * self.scale[:, None, None] + self.floor_px2
        return calibrated

    def named(self, landmarks: Sequence[str]) -> tuple[dict[str, float], dict[str, tuple[float, float, float]]]:
        """Scale, and floor as xx, xy, yy in px squared, by landmark id: as a manifest takes them, rounded."""
        scale = {id: round(float(value), 4) for id, value in zip(landmarks, self.scale, strict=True)}
        floor = {
            id: (round(float(xx), 3), round(float(xy), 3), round(float(yy), 3))
            for id, ((xx, xy), (_, yy)) in zip(landmarks, self.floor_px2, strict=True)
        }
        return scale, floor


def squared_distance(residual_px: Floats, covariance_px2: Floats) -> Floats:
    """Squared Mahalanobis distance of each residual.

    Parameters
    ----------
    residual_px : ndarray [shape=(..., 2)]
    covariance_px2 : ndarray [shape=(..., 2, 2)]
        Positive definite.

    Returns
    -------
    ndarray [shape=(...)]
        Dimensionless; its mean is 2 where the covariance tells the truth.

    Examples
    --------
    >>> import numpy as np
    >>> float(squared_distance(np.array([3.0, 0.0]), np.diag([9.0, 1.0])))
    1.0
    """
    solved = np.linalg.solve(covariance_px2, residual_px[..., None])[..., 0]
    distance: Floats = np.einsum("...i,...i->...", residual_px, solved)
    return distance


def fit_calibration(residual_px: Floats, covariance_px2: Floats) -> Calibration:
    """Fit scale and floor of each landmark.

    Their proportions are the most likely ones under a bivariate t distribution; both are then multiplied so that the
    95 % ellipses hold 95 % of the residuals, with the usual correction for the number of films (the empirical quantile
    at ``0.95 (n + 1) / n``).

    Parameters
    ----------
    residual_px : ndarray [shape=(films, landmarks, 2)]
        Prediction minus label; NaN where not labelled.
    covariance_px2 : ndarray [shape=(films, landmarks, 2, 2)]
        As the graph gives it.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        If a landmark has no residual at all.
    """
    known: NDArray[np.bool_] = np.all(np.isfinite(residual_px), axis=-1)
    if not known.any(axis=0).all():
        raise InputError("expected at least one labelled held-out film for each landmark")
    fitted = [_fit_one(residual_px[rows, index], covariance_px2[rows, index]) for index, rows in enumerate(known.T)]
    scale, floor = zip(*fitted, strict=True)
    return Calibration(scale=np.array(scale), floor_px2=np.stack(floor))


def _fit_one(residual: Floats, covariance: Floats) -> tuple[float, Floats]:
    start = float(squared_distance(residual, covariance).mean()) / 2.0
    scale, floor = start, np.zeros((2, 2))
    if len(residual) >= FEWEST:
        spread = 0.5 * np.log(np.maximum(np.mean(residual**2, axis=0), 1e-6) / 2.0)
        found = minimize(
            lambda chosen: _surprise(residual, covariance, *_unpack(chosen)),
            [np.log(start / 2.0), spread[0], 0.0, spread[1]],
            method="BFGS",
        )
        scale, floor = _unpack(found.x)
    distance = squared_distance(residual, covariance * scale + floor)
    level = min(0.95 * (len(distance) + 1) / len(distance), 1.0)
    factor = float(np.quantile(distance, level)) / CHI2_95
    return scale * factor, floor * factor


def _unpack(chosen: Floats) -> tuple[float, Floats]:
    """Free parameters -> scale and floor; the floor by its Cholesky factor, so that it cannot become indefinite."""
    root = np.array([[np.exp(chosen[1]), 0.0], [chosen[2], np.exp(chosen[3])]])
    return float(np.exp(chosen[0])), root @ root.T


def _surprise(residual: Floats, covariance: Floats, scale: float, floor: Floats) -> float:
    """Mean negative log-likelihood of a bivariate t distribution, up to a constant, in nats."""
    shape = covariance * scale + floor
    tail = (DEGREES + 2.0) / 2.0 * np.log1p(squared_distance(residual, shape) / DEGREES)
    return float(np.mean(0.5 * np.linalg.slogdet(shape)[1] + tail))


def constant_covariance(residual_px: Floats) -> Floats:
    """One covariance per landmark, the same on every film, about a mean of 0: what a calibrated one has to beat.

    Parameters
    ----------
    residual_px : ndarray [shape=(films, landmarks, 2)]
        NaN where not labelled.

    Returns
    -------
    ndarray [shape=(landmarks, 2, 2)]
    """
    return np.nanmean(residual_px[..., :, None] * residual_px[..., None, :], axis=0)


def log_likelihood(residual_px: Floats, covariance_px2: Floats) -> Floats:
    """Log of the bivariate normal density of each residual [shape=(...)], in nats per point (lengths in pixels)."""
    distance = squared_distance(residual_px, covariance_px2)
    density: Floats = -0.5 * (distance + np.linalg.slogdet(covariance_px2)[1]) - np.log(2.0 * np.pi)
    return density


def ellipse_area(covariance_px2: Floats) -> Floats:
    """Area of the 95 % ellipse of each covariance, px squared."""
    area: Floats = np.pi * CHI2_95 * np.sqrt(np.linalg.det(covariance_px2))
    return area
