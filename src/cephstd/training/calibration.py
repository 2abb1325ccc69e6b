"""How much wider or narrower than the graph says the doubt really is, measured on films that were held out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cephstd.errors import InputError
from cephstd.training.checkpoint import averaged_model, load_checkpoint
from cephstd.training.config import LoadedConfig
from cephstd.training.dataset import load_films, split_films
from cephstd.training.fit import predict_films

CHI2_95 = 5.991464547107979
"""95 % quantile of the squared Mahalanobis distance of a two-dimensional normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Multipliers of the graph's covariance, and what they rest on.

    Attributes
    ----------
    scale : ndarray [shape=(landmarks,)]
        Greater than 0.
    coverage_95 : float
        Share of the residuals inside their scaled 95 % ellipse, on the same films.
    mre_mm : float
        Mean radial error of the held-out model.
    films : int
    """

    scale: NDArray[np.float64]
    coverage_95: float
    mre_mm: float
    films: int


def squared_distance(residual_px: NDArray[np.float64], covariance_px2: NDArray[np.float64]) -> NDArray[np.float64]:
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
    distance: NDArray[np.float64] = np.einsum("...i,...i->...", residual_px, solved)
    return distance


def covariance_scale(residual_px: NDArray[np.float64], covariance_px2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit one multiplier per landmark, so that the mean squared Mahalanobis distance becomes 2.

    This is the maximum-likelihood scale of a normal distribution with the graph's own shape and size as a start.

    Parameters
    ----------
    residual_px : ndarray [shape=(films, landmarks, 2)]
        Prediction minus label; NaN where not labelled.
    covariance_px2 : ndarray [shape=(films, landmarks, 2, 2)]
        As the graph gives it.

    Returns
    -------
    ndarray [shape=(landmarks,)]

    Raises
    ------
    InputError
        If a landmark has no residual at all.

    Examples
    --------
    >>> import numpy as np
    >>> residual = np.array([[[2.0, 0.0]], [[0.0, -2.0]]])
    >>> covariance_scale(residual, np.tile(np.eye(2), (2, 1, 1, 1)))
    array([2.])
    """
    known = np.isfinite(residual_px).all(axis=-1)
    if not known.any(axis=0).all():
        raise InputError("expected at least one labelled held-out film for each landmark")
    distance = np.where(known, squared_distance(np.nan_to_num(residual_px), covariance_px2), 0.0)
    scale: NDArray[np.float64] = distance.sum(axis=0) / known.sum(axis=0) / 2.0
    return scale


def calibrate(loaded: Iterable[LoadedConfig]) -> Calibration:
    """Fit the multipliers on the held-out folds of finished runs.

    Parameters
    ----------
    loaded : iterable of LoadedConfig
        Runs whose configurations hold out a fold each; their checkpoints must exist.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        If a run holds no film out or its checkpoint cannot be read.
    """
    residuals, covariances, spacing_mm = [], [], float("nan")
    for run in loaded:
        state = load_checkpoint(run.path(run.config.run.folder) / "checkpoint.pt")
        model, config = averaged_model(state)
        data = config.data
        _, held_out = split_films(load_films(run), data.folds, data.held_out_fold, config.run.seed)
        if not held_out:
            raise InputError(f"{Path(config.run.folder).name} holds no film out: set data.folds and data.held_out_fold")
        for truth, points, covariance, _ in predict_films(model, held_out, config):
            residuals.append(points - truth)
            covariances.append(covariance)
        spacing_mm = config.network.spacing_mm
    if not residuals:
        raise InputError("expected at least one run to calibrate on, found none")
    residual, covariance = np.stack(residuals), np.stack(covariances)
    scale = covariance_scale(residual, covariance)
    known = np.isfinite(residual).all(axis=-1)
    inside = squared_distance(residual[known], (covariance * scale[:, None, None])[known]) <= CHI2_95
    return Calibration(
        scale=scale,
        coverage_95=float(inside.mean()),
        mre_mm=float(np.linalg.norm(residual[known], axis=-1).mean() * spacing_mm),
        films=len(residual),
    )
