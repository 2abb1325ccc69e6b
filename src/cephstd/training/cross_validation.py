"""Cross-validation: every film is judged by the network that did not see it, points and doubt alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from cephstd.errors import InputError
from cephstd.evaluation.dataset import PointsPx
from cephstd.evaluation.scorer import Score, score_landmarks
from cephstd.training.calibration import (
    CHI2_95,
    Calibration,
    constant_covariance,
    ellipse_area,
    fit_calibration,
    log_likelihood,
    squared_distance,
)
from cephstd.training.checkpoint import averaged_model, load_checkpoint
from cephstd.training.config import LoadedConfig, select_fold
from cephstd.training.dataset import Film, split_films
from cephstd.training.fit import CHECKPOINT, predict_films

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What networks said of films that they had not seen; n films, k landmarks.

    Attributes
    ----------
    films : tuple of str
    fold : ndarray of int [shape=(n,)]
        The fold that the film was held out with.
    landmarks : tuple of str
    truth_px, points_px : ndarray [shape=(n, k, 2)]
        Canvas pixels; `truth_px` NaN where not labelled.
    covariance_px2 : ndarray [shape=(n, k, 2, 2)]
        As the graph gives it.
    score : ndarray [shape=(n, k)]
    spacing_mm : float
        Of the canvas.
    """

    films: tuple[str, ...]
    fold: NDArray[np.int64]
    landmarks: tuple[str, ...]
    truth_px: Floats
    points_px: Floats
    covariance_px2: Floats
    score: Floats
    spacing_mm: float

    @property
    def residual_px(self) -> Floats:
        """Prediction minus label [shape=(n, k, 2)]; NaN where not labelled."""
        return self.points_px - self.truth_px


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a group's residuals lie in their 95 % ellipse.

    Attributes
    ----------
    expected : bool
        Whether the number lies within the exact binomial 99.9 % interval around 95 %.
    """

    points: int
    inside_percent: float
    expected: bool


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """Whether covariances mean what they say, each fold judged by a calibration fitted on the others.

    Attributes
    ----------
    thirds : tuple of Coverage
        Points by the size of their ellipse, smallest third first.
    reliability : dict of str to float
        Nominal content of an ellipse, percent -> share of the residuals in it, percent.
    log_likelihood_nats, constant_log_likelihood_nats : float
        Mean per point, and that of one ellipse per landmark, the same on every film (fitted on the other folds too).
    area_mm2, constant_area_mm2 : float
        Mean area of the 95 % ellipses.
    """

    all: Coverage
    per_landmark: dict[str, Coverage]
    thirds: tuple[Coverage, ...]
    reliability: dict[str, float]
    log_likelihood_nats: float
    constant_log_likelihood_nats: float
    area_mm2: float
    constant_area_mm2: float


class CrossValidation(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy and doubt on held-out films, and the calibration fitted on all of them, for the manifest.

    Attributes
    ----------
    fold_mre_mm : tuple of float
        Mean radial error of each fold.
    covariance_scale : dict of str to float
    covariance_floor_px2 : dict of str to tuple
        xx, xy, yy on the canvas.
    """

    films: int
    folds: int
    fold_mre_mm: tuple[float, ...]
    score: Score
    doubt: Doubt
    covariance_scale: dict[str, float]
    covariance_floor_px2: dict[str, tuple[float, float, float]]


def predict_folds(loaded: LoadedConfig, films: Sequence[Film], watch: Callable[[int], None] | None = None) -> HeldOut:
    """Let the checkpoint of each fold look at the films that it did not see.

    Parameters
    ----------
    loaded : LoadedConfig
        With ``data.folds`` of 2 or more; `cephstd.training.fit.fit_model` has finished every fold of
        `cephstd.training.config.select_fold`.
    films : sequence of Film
        All of `load_films`, in its order.
    watch : callable, optional
        Called after each film with 0, the number of films that failed.

    Returns
    -------
    HeldOut

    Raises
    ------
    InputError
        If the configuration has fewer than two folds, or a checkpoint cannot be read.
    """
    data, run = loaded.config.data, loaded.config.run
    if data.folds < 2:
        raise InputError("cross-validation needs data.folds of 2 or more in the configuration")
    rows = []
    for fold in range(data.folds):
        chosen = select_fold(loaded, fold)
        model, config = averaged_model(load_checkpoint(chosen.path(chosen.config.run.folder) / CHECKPOINT))
        _, held = split_films(films, data.folds, fold, run.seed)
        for film, predicted in zip(held, predict_films(model, held, config), strict=True):
            rows.append((film.image_id, fold, *predicted))
            if watch is not None:
                watch(0)
    ids, folds, truth, points, covariance, score = zip(*rows, strict=True)
    return HeldOut(
        films=ids,
        fold=np.array(folds),
        landmarks=tuple(data.landmarks),
        truth_px=np.stack(truth),
        points_px=np.stack(points),
        covariance_px2=np.stack(covariance),
        score=np.stack(score),
        spacing_mm=loaded.config.network.spacing_mm,
    )


def cross_validate(held: HeldOut, unreliable: Sequence[str] = ()) -> CrossValidation:
    """Score points and doubt of held-out films, and calibrate on all of them.

    Parameters
    ----------
    held : HeldOut
    unreliable : sequence of str
        Landmarks without which the accuracy is given once more.

    Returns
    -------
    CrossValidation

    Raises
    ------
    InputError
        If a landmark is not labelled outside one of the folds.
    """
    errors_mm = np.linalg.norm(held.residual_px, axis=-1) * held.spacing_mm
    folds = np.unique(held.fold)
    scale, floor_px2 = fit_calibration(held.residual_px, held.covariance_px2).named(held.landmarks)
    return CrossValidation(
        films=len(held.films),
        folds=len(folds),
        fold_mre_mm=tuple(round(float(np.nanmean(errors_mm[held.fold == fold])), 4) for fold in folds),
        score=score_landmarks(
            _named(held, held.truth_px),
            _named(held, held.points_px),
            mm_per_px=held.spacing_mm,
            unreliable=unreliable,
        ),
        doubt=judge_doubt(held),
        covariance_scale=scale,
        covariance_floor_px2=floor_px2,
    )


def judge_doubt(held: HeldOut) -> Doubt:
    """Judge the covariances of each fold by a calibration that was fitted on the other folds."""
    residual, stated = held.residual_px, np.empty_like(held.covariance_px2)
    constant = np.empty_like(stated)
    for fold in np.unique(held.fold):
        out = held.fold == fold
        calibration: Calibration = fit_calibration(residual[~out], held.covariance_px2[~out])
        stated[out] = calibration.apply(held.covariance_px2[out])
        constant[out] = constant_covariance(residual[~out])
    known: NDArray[np.bool_] = np.all(np.isfinite(residual), axis=-1)
    distance = np.where(known, squared_distance(np.nan_to_num(residual), stated), np.nan)
    inside = distance <= CHI2_95
    by_size = np.array_split(np.argsort(ellipse_area(stated[known]), kind="stable"), 3)
    levels = (50, 80, 90, 95, 99)
    return Doubt(
        all=_coverage(inside[known]),
        per_landmark={id: _coverage(inside[known[:, index], index]) for index, id in enumerate(held.landmarks)},
        thirds=tuple(_coverage(inside[known][chosen]) for chosen in by_size),
        # Of a bivariate normal distribution the share p lies within the squared distance -2 ln(1 - p).
        reliability={
            str(level): round(100.0 * float(np.mean(distance[known] <= -2.0 * np.log(1.0 - level / 100.0))), 2)
            for level in levels
        },
        log_likelihood_nats=round(float(log_likelihood(residual[known], stated[known]).mean()), 4),
        constant_log_likelihood_nats=round(float(log_likelihood(residual[known], constant[known]).mean()), 4),
        area_mm2=round(float(ellipse_area(stated[known]).mean()) * held.spacing_mm**2, 3),
        constant_area_mm2=round(float(ellipse_area(constant[known]).mean()) * held.spacing_mm**2, 3),
    )


def _coverage(inside: NDArray[np.bool_]) -> Coverage:
    low, high = binom.interval(0.999, inside.size, 0.95)
    hits = int(inside.sum())
    return Coverage(
        points=inside.size, inside_percent=round(100.0 * hits / inside.size, 2), expected=bool(low <= hits <= high)
    )


def _named(held: HeldOut, points_px: Floats) -> dict[str, PointsPx]:
    """Films -> landmark ids -> points; those that are NaN are left out."""
    return {
        film: {id: (float(x), float(y)) for id, (x, y) in zip(held.landmarks, row, strict=True) if np.isfinite(x + y)}
        for film, row in zip(held.films, points_px, strict=True)
    }
