"""Uncertainty beyond one covariance per point: correlated points, sampling, and where first order fails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration
from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.core.measures import Measure, MeasureSet, Uncertainty
from cephstd.errors import InputError
from cephstd.geometry.executor import execute

if TYPE_CHECKING:
    from cephstd.geometry.measurer import Measurer

TRUSTED_SHARE = 0.1  # first order is trusted while curvature moves the standard deviation by less
SAMPLING_ERRORS = 3.0  # a sampled standard deviation may be off by this many of its own standard errors
FEWEST_DRAWS, MOST_DRAWS = 100, 100_000
CHECKING_DRAWS = 512
NEGLIGIBLE_SD = 1e-9
SCALE_STREAM = "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Spread of one measure by sampling, beside first order.

    Attributes
    ----------
    id : str
        Measure.
    mean, sd : float
        Of the draws that gave a value, in the measure's unit.
    first_order_sd : float
        By derivatives.
    absent_share : float
        Share of draws without a value, 0..1.
    draws : int
        Number of draws.
    """

    id: str
    mean: float
    sd: float
    first_order_sd: float
    absent_share: float
    draws: int

    @property
    def is_linear(self) -> bool:
        """True when first order may be trusted: it agrees with sampling and every draw gave a value."""
        trusted = TRUSTED_SHARE + SAMPLING_ERRORS / math.sqrt(2.0 * self.draws)
        return self.absent_share == 0.0 and abs(self.sd - self.first_order_sd) <= trusted * self.sd


def spread_measures(
    measurer: Measurer,
    landmarks: LandmarkSet,
    values: MeasureSet,
    calibration: Calibration | None = None,
    *,
    covariance_px2: npt.ArrayLike | None = None,
    uncertainty: Uncertainty | None = None,
) -> MeasureSet:
    """`values` with standard deviations from one matrix over all points, by sampling, or checked.

    Parameters
    ----------
    values : MeasureSet
        What `measurer` gives for `landmarks` and `calibration` by first order with one covariance per point.
    covariance_px2 : array, shape (2 n, 2 n), optional
        As for `propagate`; replaces the covariances of the single points.
    uncertainty : Uncertainty, optional
        Without it nothing is sampled or checked.

    Raises
    ------
    InputError
        When the matrix is no covariance of these points, or the draws or the seed are out of range.
    """
    if covariance_px2 is not None:
        sds = propagate(measurer, landmarks, covariance_px2, calibration)
        values = _with_each(values, {id: {"sd": sd} for id, sd in sds.items()})
    if uncertainty is None:
        return values
    if uncertainty.method == "first-order":
        linear = examine(measurer, landmarks, uncertainty.seed, calibration, covariance_px2=covariance_px2)
        return _with_each(values, {id: {"linear": said} for id, said in linear.items()})
    sampled = sample(
        measurer,
        landmarks,
        uncertainty.seed,
        calibration,
        draws=uncertainty.draws,
        covariance_px2=covariance_px2,
    )
    # a measure that hardly any draw gave keeps its first-order spread, and is called unfit for it
    changes: dict[str, dict[str, object]] = {one.id: {"linear": False} for one in values if one.sd is not None}
    for id, one in sampled.items():
        changes[id] = {"sd": one.sd, "sd_method": "monte-carlo", "linear": one.is_linear}
    return _with_each(values, changes)


def _with_each(values: MeasureSet, changes: dict[str, dict[str, object]]) -> MeasureSet:
    def change(one: Measure) -> Measure:
        return msgspec.structs.replace(one, **changes[one.id]) if one.id in changes else one

    return MeasureSet(analysis=values.analysis, measures=tuple(map(change, values)))


def differentiate(
    measurer: Measurer, landmarks: LandmarkSet, calibration: Calibration | None = None
) -> dict[str, FloatArray]:
    """Derivatives of each present measure by the landmarks' coordinates.

    Returns
    -------
    dict of str to ndarray, shape (landmarks, 2)
        In the measure's unit per source px, by landmark in the order of `landmarks`; 0 for one that is not used.

    Examples
    --------
    >>> from cephstd.core.landmarks import landmark_set
    >>> from cephstd.core.image import state_calibration
    >>> from cephstd.geometry.measurer import Measurer
    >>> marks = landmark_set({"S": (0, 0), "N": (700, 0)})
    >>> (differentiate(Measurer(["S_N"]), marks, state_calibration(0.1))["S_N"].round(3) + 0.0).tolist()
    [[-0.1, 0.0], [0.1, 0.0]]
    """
    used = _usable(landmarks)
    ids = tuple(mark.id for mark in used)
    scale = _scale(calibration)
    plan = measurer.plan
    binding = plan.bind(ids)
    results = execute(
        plan.program,
        binding,
        np.array([(mark.x_px, mark.y_px) for mark in used], dtype=np.float64).reshape(1, len(used), 2),
        scales_mm=scale[np.newaxis],
        scale_sds=np.zeros(1),
        with_gradients=True,
    )
    per_px = np.where(np.isnan(scale), 1.0, scale)
    rows = {mark.id: row for row, mark in enumerate(landmarks)}
    known = [register for register, name in enumerate(plan.program.inputs) if name in set(ids)]
    slopes = np.zeros((len(results.values), len(landmarks), 2))
    slopes[:, [rows[plan.program.inputs[register]] for register in known]] = results.gradients[:, 0, known] * per_px
    present = ~np.isnan(results.values[:, 0])
    return {id: slopes[row] for row, id in enumerate(measurer.analysis.formulas) if present[row]}


def propagate(
    measurer: Measurer,
    landmarks: LandmarkSet,
    covariance_px2: npt.ArrayLike,
    calibration: Calibration | None = None,
) -> dict[str, float]:
    """Standard deviations of the present measures from one covariance over all points, first order.

    Parameters
    ----------
    covariance_px2 : array, shape (2 n, 2 n)
        Of x1, y1, x2, y2, ... in the order of the n `landmarks`, px^2; points may be correlated.

    Raises
    ------
    InputError
        When the matrix has another shape, is not symmetric or not positive semi-definite.
    """
    matrix = _checked(covariance_px2, len(landmarks))
    points = np.array([(mark.x_px or 0.0, mark.y_px or 0.0) for mark in landmarks])
    points = points - points.mean(axis=0)
    relative = 0.0 if calibration is None else calibration.relative_sd
    by_scale = dict(zip(measurer.analysis.formulas, measurer.plan.program.by_scale.tolist(), strict=True))
    out: dict[str, float] = {}
    for id, gradient in differentiate(measurer, landmarks, calibration).items():
        flat = gradient.reshape(-1)
        stretch = float((gradient * points).sum()) * relative if by_scale[id] else 0.0
        out[id] = math.sqrt(max(float(flat @ matrix @ flat), 0.0) + stretch**2)
    return out


def examine(
    measurer: Measurer,
    landmarks: LandmarkSet,
    seed: int = 0,
    calibration: Calibration | None = None,
    *,
    covariance_px2: npt.ArrayLike | None = None,
) -> dict[str, bool]:
    """Whether first order may be relied on, for each measure that has a standard deviation.

    A few hundred draws are enough, since only what departs from the derivatives is estimated from them. First order
    may be relied on while that moves the standard deviation by at most a tenth and every draw gives a value. The scale
    is left out: lengths are linear in it.

    Parameters
    ----------
    seed : int
        Of the draws, as for `sample`.
    covariance_px2 : array, shape (2 n, 2 n), optional
        As for `propagate`; default: the points' own.

    Returns
    -------
    dict of str to bool

    Raises
    ------
    InputError
        When the seed is out of range, or the matrix is no covariance of these points.
    """
    marks, centre, root = _normal(landmarks, covariance_px2)
    moved = _draw(marks, centre, root, seed, CHECKING_DRAWS)
    drawn = measurer.over(moved, [mark.id for mark in marks], spacing_mm=_scale(calibration)[np.newaxis, ::-1])
    at = _usable_rows(landmarks)
    slopes = differentiate(measurer, landmarks, calibration)
    values = spread_measures(
        measurer, landmarks, measurer(landmarks, calibration), calibration, covariance_px2=covariance_px2
    )
    examined = [one for one in values if one.sd is not None and one.value is not None]
    slope = np.array([slopes[one.id][at] for one in examined]).reshape(len(examined), 2 * len(marks))
    row_of = {id: row for row, id in enumerate(measurer.analysis.formulas)}
    found = drawn.results.values[[row_of[one.id] for one in examined]]
    line = slope @ (moved - centre).reshape(CHECKING_DRAWS, -1).T
    rest = found - np.array([[one.value] for one in examined]).reshape(-1, 1) - line
    first = ((slope @ root) ** 2).sum(axis=1)
    beyond = ((2.0 * line + rest) * (rest - rest.mean(axis=1, keepdims=True))).mean(axis=1)
    spread = np.sqrt(np.maximum(first + beyond, 0.0))
    # False, too, where a draw has no value (NaN)
    linear = np.abs(spread - np.sqrt(first)) <= TRUSTED_SHARE * spread + NEGLIGIBLE_SD
    return {one.id: bool(said) for one, said in zip(examined, linear, strict=True)}


def sample(
    measurer: Measurer,
    landmarks: LandmarkSet,
    seed: int,
    calibration: Calibration | None = None,
    *,
    draws: int = 10_000,
    covariance_px2: npt.ArrayLike | None = None,
) -> dict[str, Spread]:
    """Spread of the measures by drawing points (and the scale) from normal distributions.

    Only measures whose standard deviation is known to first order are drawn: the others lack a covariance or a value.

    Parameters
    ----------
    seed : int
        Of the draws, 0 or more. Each landmark has a stream of its own from it, so that a point that is added or
        rejected does not change what is drawn for the others.
    draws : int
        Number of draws, 100 to 100,000.
    covariance_px2 : array, shape (2 n, 2 n), optional
        As for `propagate`; default: the points' own.

    Raises
    ------
    InputError
        When the number of draws or the seed is out of range, or the matrix is no covariance of these points.
    """
    if not FEWEST_DRAWS <= draws <= MOST_DRAWS:
        raise InputError(f"Expected {FEWEST_DRAWS} to {MOST_DRAWS} draws, found {draws}.")
    marks, centre, root = _normal(landmarks, covariance_px2)
    moved = _draw(marks, centre, root, seed, draws)
    relative = 0.0 if calibration is None else calibration.relative_sd
    stretch = np.maximum(1.0 + relative * _stream(seed, SCALE_STREAM).standard_normal(draws), 0.01)
    scale = _scale(calibration)
    drawn = measurer.over(
        moved, [mark.id for mark in marks], spacing_mm=stretch[:, np.newaxis] * scale[np.newaxis, ::-1]
    )
    out: dict[str, Spread] = {}
    values = spread_measures(
        measurer, landmarks, measurer(landmarks, calibration), calibration, covariance_px2=covariance_px2
    )
    for measure in values:
        found = drawn[measure.id].compressed()
        if measure.sd is None or len(found) < 2:
            continue
        out[measure.id] = Spread(
            id=measure.id,
            mean=float(found.mean()),
            sd=float(found.std(ddof=1)),
            first_order_sd=measure.sd,
            absent_share=1.0 - len(found) / draws,
            draws=draws,
        )
    return out


def _draw(marks: list[Landmark], centre: FloatArray, root: FloatArray, seed: int, draws: int) -> FloatArray:
    """Points in source px, shape (draws, landmarks, 2)."""
    if seed < 0:
        raise InputError(f"Expected a seed of 0 or more, found {seed}.")
    noise = np.zeros((draws, len(marks), 2))
    for column, mark in enumerate(marks):
        noise[:, column] = _checking_noise(seed, mark.id) if draws == CHECKING_DRAWS else _noise(seed, mark.id, draws)
    return centre + (noise.reshape(draws, -1) @ root.T).reshape(noise.shape)


def _noise(seed: int, name: str, draws: int) -> FloatArray:
    return _stream(seed, name).standard_normal((draws, 2))


@lru_cache(maxsize=256)
def _checking_noise(seed: int, name: str) -> FloatArray:
    """What the check draws for a landmark: the same for every film, so that it is drawn once."""
    return _noise(seed, name, CHECKING_DRAWS)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *name.encode()])))


def _normal(
    landmarks: LandmarkSet, covariance_px2: npt.ArrayLike | None
) -> tuple[list[Landmark], FloatArray, FloatArray]:
    """Usable landmarks, their places (n, 2), and a root (2 n, 2 n) of their covariance, 0 where that is unknown."""
    marks = _usable(landmarks)
    centre = np.array([(mark.x_px, mark.y_px) for mark in marks], dtype=np.float64).reshape(-1, 2)
    if covariance_px2 is not None:
        at = np.array(_usable_rows(landmarks), dtype=np.intp)
        picked = np.stack([2 * at, 2 * at + 1], axis=1).reshape(-1)
        return marks, centre, _root(_checked(covariance_px2, len(landmarks))[np.ix_(picked, picked)])
    root = np.zeros((2 * len(marks), 2 * len(marks)))
    for row, mark in enumerate(marks):
        if mark.cov_xx is not None and mark.cov_xy is not None and mark.cov_yy is not None:
            x, y = 2 * row, 2 * row + 1
            root[x, x] = math.sqrt(mark.cov_xx)
            root[y, x] = mark.cov_xy / root[x, x] if mark.cov_xx else 0.0
            root[y, y] = math.sqrt(max(mark.cov_yy - root[y, x] ** 2, 0.0))
    return marks, centre, root


def _root(covariance: FloatArray) -> FloatArray:
    """Lower triangular root of a covariance that may be singular; unlike eigenvectors it has one sign everywhere."""
    root = np.zeros_like(covariance)
    slack = 1e-12 * max(float(np.trace(covariance)), 0.0)
    for column in range(len(covariance)):
        left = covariance[column:, column] - root[column:, :column] @ root[column, :column]
        if left[0] > slack:
            root[column:, column] = left / math.sqrt(left[0])
    return root


def _checked(covariance_px2: npt.ArrayLike, landmarks: int) -> FloatArray:
    matrix = np.asarray(covariance_px2, dtype=np.float64)
    size = 2 * landmarks
    if matrix.shape != (size, size) or not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise InputError(f"Expected a symmetric covariance of shape ({size}, {size}), found {matrix.shape}.")
    if size and np.linalg.eigvalsh(matrix)[0] < -1e-9 * max(float(np.trace(matrix)), 1.0):
        raise InputError("Expected a positive semi-definite covariance, found a negative variance.")
    return matrix


def _usable_rows(landmarks: LandmarkSet) -> list[int]:
    return [row for row, mark in enumerate(landmarks) if mark.is_present and mark.review != "rejected"]


def _usable(landmarks: LandmarkSet) -> list[Landmark]:
    return [mark for mark in landmarks if mark.is_present and mark.review != "rejected"]


def _scale(calibration: Calibration | None) -> FloatArray:
    """Scale in mm per px along x and y; NaN when there is none."""
    spacing = None if calibration is None else calibration.spacing_mm
    return np.array([np.nan, np.nan] if spacing is None else spacing[::-1], dtype=np.float64)
