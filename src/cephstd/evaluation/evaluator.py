"""Runs a landmark model, or takes points from elsewhere, over a labelled dataset and scores them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from cephstd.core.image import Calibration, state_calibration
from cephstd.core.landmarks import LandmarkSet, ModelFacts
from cephstd.errors import CephError, InputError
from cephstd.evaluation.dataset import Dataset, PointsPx
from cephstd.evaluation.scorer import RESAMPLES, SEED, Score, score_landmarks
from cephstd.inference.detector import Detector
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer

Watch = Callable[[int], None]


class DatasetFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was scored against what."""

    name: str
    licence: str
    split: str
    annotator: str
    mm_per_label_px: float
    labels_sha256: str
    twins_left_out: tuple[str, ...]


class FailedFilm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A film that gave no points; every one of its labelled points counts as absent."""

    image_id: str
    code: str
    message: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Score of a model, or of points from elsewhere, on a dataset.

    Attributes
    ----------
    films : int
        Films that were scored, failed ones among them.
    points_from : str
        ``model``, or ``table`` for points that were given.
    calibrated : bool or None
        Whether the dataset's scale was stated to the model; None for given points.
    seen : bool or None
        Whether the model learned from these very films, so that the score says nothing of new ones; None for given
        points.
    """

    dataset: DatasetFacts
    films: int
    failed: tuple[FailedFilm, ...]
    points_from: str
    model: ModelFacts | None
    calibrated: bool | None
    seen: bool | None
    bootstrap_resamples: int
    bootstrap_seed: int
    score: Score


def evaluate_model(
    dataset: Dataset,
    detector: Detector,
    *,
    calibrated: bool = True,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    watch: Watch | None = None,
) -> Evaluation:
    """Read, normalize and detect every film of `dataset` as any user would, and score the points.

    Parameters
    ----------
    dataset : Dataset
    detector : Detector
    calibrated : bool
        State the dataset's scale of the films; False leaves the model to films without a scale.
    resamples, seed : int
        Bootstrap over films.
    watch : callable, optional
        Called after each film with the number of films that have failed so far.

    Returns
    -------
    Evaluation
        A film that cannot be read or used is a failed one with its code, and all its points are absent.

    Raises
    ------
    CalibrationError
        When the dataset's scale is impossible.
    InputError
        When the model has none of the labelled landmarks.
    """
    if not set(detector.entry.landmarks) & set(dataset.landmarks):
        raise InputError(
            f"Model {detector.entry.name} gives none of the landmarks that {dataset.spec.name} labels.",
            hint="Map the dataset's names to ids of the dictionary under [labels] ids.",
        )
    normalize = Normalizer()
    stated = {id: _state(dataset.spacing_mm(id)) if calibrated else None for id in dataset.film_paths}

    def find(image_id: str, path: Path) -> LandmarkSet:
        return detector(normalize(read(path, calibration=stated[image_id])))

    predicted, failed = _collect(dataset, find, watch)
    return _evaluation(
        dataset,
        predicted,
        failed=failed,
        points_from="model",
        model=detector.model_facts,
        calibrated=any(scale is not None for scale in stated.values()),
        seen=not set(dataset.keys).isdisjoint(detector.entry.seen),
        resamples=resamples,
        seed=seed,
    )


def evaluate_points(
    dataset: Dataset, points_px: Mapping[str, PointsPx], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Evaluation:
    """Score points that somebody has already.

    Parameters
    ----------
    points_px : mapping
        image_id -> landmark id -> (x, y) in px of the dataset's films (not of its labels). A film of the dataset
        that is not in it counts with all its points absent.

    Raises
    ------
    InputError
        When none of the dataset's films is in `points_px`.
    """
    if not set(points_px) & set(dataset.truth_px):
        raise InputError(
            f"Expected points of films of {dataset.spec.name}, found none of its image ids.",
            hint="image_id is the film's file name without its suffix.",
        )
    missing = [id for id in dataset.truth_px if id not in points_px]
    return _evaluation(
        dataset,
        {id: dataset.to_label_px(id, points_px[id]) for id in dataset.truth_px if id in points_px},
        failed=tuple(FailedFilm(image_id=id, code="no_points", message="Not in the table.") for id in missing),
        points_from="table",
        model=None,
        calibrated=None,
        seen=None,
        resamples=resamples,
        seed=seed,
    )


def _state(spacing_mm: float | None) -> Calibration | None:
    return None if spacing_mm is None else state_calibration(spacing_mm, source="stated for the dataset")


def _collect(
    dataset: Dataset, find: Callable[[str, Path], LandmarkSet], watch: Watch | None
) -> tuple[dict[str, PointsPx], tuple[FailedFilm, ...]]:
    """Points in label px of every film that gives any."""
    predicted: dict[str, PointsPx] = {}
    failed: list[FailedFilm] = []
    for image_id, path in dataset.film_paths.items():
        try:
            predicted[image_id] = dataset.to_label_px(image_id, find(image_id, path).points_px)
        except CephError as error:
            failed.append(FailedFilm(image_id=image_id, code=error.code, message=str(error.args[0])))
        if watch is not None:
            watch(len(failed))
    return predicted, tuple(failed)


def _evaluation(
    dataset: Dataset,
    predicted_px: Mapping[str, PointsPx],
    *,
    failed: tuple[FailedFilm, ...],
    points_from: str,
    model: ModelFacts | None,
    calibrated: bool | None,
    seen: bool | None,
    resamples: int,
    seed: int,
) -> Evaluation:
    spec = dataset.spec
    facts = DatasetFacts(
        name=spec.name,
        licence=spec.licence,
        split=spec.labels.split,
        annotator=spec.labels.annotator,
        mm_per_label_px=spec.labels.mm_per_px,
        labels_sha256=dataset.labels_sha256,
        twins_left_out=dataset.twins_left_out,
    )
    score = score_landmarks(
        dataset.truth_px,
        predicted_px,
        mm_per_px=spec.labels.mm_per_px,
        unreliable=spec.unreliable,
        resamples=resamples,
        seed=seed,
    )
    return Evaluation(
        dataset=facts,
        films=len(dataset.truth_px),
        failed=failed,
        points_from=points_from,
        model=model,
        calibrated=calibrated,
        seen=seen,
        bootstrap_resamples=resamples,
        bootstrap_seed=seed,
        score=score,
    )
