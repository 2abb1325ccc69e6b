"""Scores of predicted landmarks against labels: radial errors, detection rates, and their bootstrap intervals.

An absent point has no error: it never enters a mean or a median, is a miss in every detection rate, and is counted.
Each rate therefore says what share of all LABELLED points was found within the distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import InputError
from cephstd.evaluation.dataset import PointsPx

DISTANCES_MM = (2.0, 2.5, 3.0, 4.0)
GROSS_MM = 10.0
RESAMPLES = 2000
SEED = 2015

Mask = npt.NDArray[np.bool_]


class Summary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Score of a group of points.

    Attributes
    ----------
    films : int
        Films with at least one labelled point of the group.
    points, absent : int
        Labelled points, and those of them without a prediction.
    mre_mm, sd_mm, median_mm : float or None
        Mean, standard deviation (n - 1) and median of the radial errors of the predicted points, mm; None when there
        are too few.
    sdr_percent : dict of str to float
        Distance in mm -> percentage of all labelled points predicted within that distance.
    mre_interval_mm, sdr_2mm_interval_percent : tuple of float or None
        95 % bootstrap interval over films.
    """

    films: int
    points: int
    absent: int
    mre_mm: float | None
    sd_mm: float | None
    median_mm: float | None
    sdr_percent: dict[str, float]
    mre_interval_mm: tuple[float, float] | None = None
    sdr_2mm_interval_percent: tuple[float, float] | None = None


class GrossError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A predicted point more than 10 mm from its label."""

    image_id: str
    landmark: str
    error_mm: float


class FilmScore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mean radial error of one film, mm; None when every point is absent. Films of two models can be paired by id."""

    image_id: str
    mre_mm: float | None
    absent: int


class Score(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scores of one dataset.

    Attributes
    ----------
    all : Summary
        Every labelled landmark.
    without : dict of str to Summary
        The same without the landmarks that the dataset calls unreliable; the key names them.
    per_landmark : dict of str to Summary
        No intervals.
    gross_errors : tuple of GrossError
        Predicted points more than 10 mm off, largest first.
    """

    all: Summary
    without: dict[str, Summary]
    per_landmark: dict[str, Summary]
    gross_errors: tuple[GrossError, ...]
    per_film: tuple[FilmScore, ...]


def radial_errors(
    truth_px: Mapping[str, PointsPx],
    predicted_px: Mapping[str, PointsPx],
    landmarks: Sequence[str],
    *,
    mm_per_px: float,
) -> tuple[FloatArray, Mask]:
    """Distances between labels and predictions, both in label px.

    Parameters
    ----------
    truth_px, predicted_px : mapping
        image_id -> landmark id -> (x, y) in label px; a film or point that is not in `predicted_px` is absent.
    landmarks : sequence of str
        Columns of the result.
    mm_per_px : float
        Millimetres per label px.

    Returns
    -------
    errors_mm : ndarray of float64, shape (films, landmarks)
        In the order of `truth_px`; NaN marks a point without a label or without a prediction.
    labelled : ndarray of bool, shape (films, landmarks)
    """
    shape = (len(truth_px), len(landmarks))
    errors = np.full(shape, np.nan)
    labelled = np.zeros(shape, dtype=np.bool_)
    for row, (image_id, truth) in enumerate(truth_px.items()):
        predicted = predicted_px.get(image_id, {})
        for column, landmark in enumerate(landmarks):
            if landmark not in truth:
                continue
            labelled[row, column] = True
            if landmark in predicted:
                offset = np.subtract(predicted[landmark], truth[landmark])
                errors[row, column] = float(np.hypot(*offset)) * mm_per_px
    return errors, labelled


def summarize(errors_mm: FloatArray, labelled: Mask, *, resamples: int = 0, seed: int = SEED) -> Summary:
    """Score of the points of one array of `radial_errors`; intervals when `resamples` is above 0."""
    present = labelled & ~np.isnan(errors_mm)
    found = errors_mm[present]
    points = int(labelled.sum())
    intervals = _intervals(errors_mm, labelled, present, resamples, seed) if resamples else (None, None)
    return Summary(
        films=int(labelled.any(axis=1).sum()),
        points=points,
        absent=points - found.size,
        mre_mm=_rounded(found.mean()) if found.size else None,
        sd_mm=_rounded(found.std(ddof=1)) if found.size > 1 else None,
        median_mm=_rounded(np.median(found)) if found.size else None,
        sdr_percent={f"{limit:g}": _percent((found <= limit).sum(), points) for limit in DISTANCES_MM if points},
        mre_interval_mm=intervals[0],
        sdr_2mm_interval_percent=intervals[1],
    )


def score_landmarks(
    truth_px: Mapping[str, PointsPx],
    predicted_px: Mapping[str, PointsPx],
    *,
    mm_per_px: float,
    unreliable: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Score:
    """Compare predictions with labels.

    Parameters
    ----------
    truth_px, predicted_px : mapping
        image_id -> landmark id -> (x, y), both in label px. What is not predicted is absent.
    mm_per_px : float
        Millimetres per label px.
    unreliable : sequence of str
        Landmarks without which the score is given once more.
    resamples, seed : int
        Bootstrap over films; the same seed gives the same interval.

    Returns
    -------
    Score

    Raises
    ------
    InputError
        When there is no label.

    Examples
    --------
    >>> score = score_landmarks({"a": {"S": (0, 0), "N": (50, 0)}}, {"a": {"S": (3, 4)}}, mm_per_px=0.1, resamples=0)
    >>> score.all.mre_mm, score.all.absent, score.all.sdr_percent["2"]
    (0.5, 1, 50.0)
    """
    landmarks = tuple(dict.fromkeys(id for points in truth_px.values() for id in points))
    if not landmarks:
        raise InputError("Expected labelled films, found none.")
    errors, labelled = radial_errors(truth_px, predicted_px, landmarks, mm_per_px=mm_per_px)
    left_out = [id for id in landmarks if id in unreliable]
    kept = [index for index, id in enumerate(landmarks) if id not in unreliable]
    without = {}
    if left_out and kept:
        summary = summarize(errors[:, kept], labelled[:, kept], resamples=resamples, seed=seed)
        without[",".join(left_out)] = summary
    columns = {id: slice(index, index + 1) for index, id in enumerate(landmarks)}
    return Score(
        all=summarize(errors, labelled, resamples=resamples, seed=seed),
        without=without,
        per_landmark={id: summarize(errors[:, column], labelled[:, column]) for id, column in columns.items()},
        gross_errors=_gross(errors, tuple(truth_px), landmarks),
        per_film=_per_film(errors, labelled, tuple(truth_px)),
    )


def _intervals(
    errors_mm: FloatArray, labelled: Mask, present: Mask, resamples: int, seed: int
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Percentile intervals of mean error and of the rate within 2 mm, drawing whole films with replacement."""
    films = np.flatnonzero(labelled.any(axis=1))
    if films.size < 2 or not present.any():
        return (None, None)
    hits = present & (errors_mm <= DISTANCES_MM[0])
    sums = np.stack(
        [
            np.where(present, errors_mm, 0.0).sum(axis=1)[films],
            present.sum(axis=1)[films],
            hits.sum(axis=1)[films],
            labelled.sum(axis=1)[films],
        ],
        axis=1,
    )
    draws = np.random.default_rng(seed).multinomial(films.size, np.full(films.size, 1 / films.size), size=resamples)
    total, found, within, points = (draws @ sums).T
    usable = found > 0  # a draw of films that have only absent points has no mean
    means = np.quantile(total[usable] / found[usable], (0.025, 0.975))
    rates = np.quantile(100.0 * within / points, (0.025, 0.975))
    return (_pair(means), _pair(rates))


def _gross(errors_mm: FloatArray, films: Sequence[str], landmarks: Sequence[str]) -> tuple[GrossError, ...]:
    rows, columns = np.nonzero(np.nan_to_num(errors_mm, nan=0.0) > GROSS_MM)
    found = [
        GrossError(image_id=films[row], landmark=landmarks[column], error_mm=_rounded(errors_mm[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda error: -error.error_mm))


def _per_film(errors_mm: FloatArray, labelled: Mask, films: Sequence[str]) -> tuple[FilmScore, ...]:
    scores = []
    for row, image_id in enumerate(films):
        found = errors_mm[row][~np.isnan(errors_mm[row])]
        mean = _rounded(found.mean()) if found.size else None
        scores.append(FilmScore(image_id=image_id, mre_mm=mean, absent=int(labelled[row].sum()) - found.size))
    return tuple(scores)


def _percent(part: np.integer, whole: int) -> float:
    return _rounded(100.0 * float(part) / whole)


def _pair(values: FloatArray) -> tuple[float, float]:
    return (_rounded(values[0]), _rounded(values[1]))


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 4)
