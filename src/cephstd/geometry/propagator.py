"""Uncertainty beyond one covariance per point: correlated points by derivatives, sampling where first order fails."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration
from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.errors import InputError
from cephstd.geometry.executor import execute
from cephstd.geometry.measurer import Measurer

TRUSTED_SHARE = 0.1  # first order is trusted while sampling moves the standard deviation by less


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
    """

    id: str
    mean: float
    sd: float
    first_order_sd: float
    absent_share: float

    @property
    def is_linear(self) -> bool:
        """True when first order may be trusted: it agrees with sampling and every draw gave a value."""
        return self.absent_share == 0.0 and abs(self.sd - self.first_order_sd) <= TRUSTED_SHARE * self.sd


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
    >>> marks = landmark_set({"S": (0, 0), "N": (700, 0)})
    >>> differentiate(Measurer(["S_N"]), marks, state_calibration(0.1))["S_N"].round(3).tolist()
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
    out: dict[str, FloatArray] = {}
    for measure, id in enumerate(measurer.analysis.formulas):
        if np.isnan(results.values[measure, 0]):
            continue
        out[id] = np.zeros((len(landmarks), 2))
        for register, name in enumerate(plan.program.inputs):
            if name in ids:
                out[id][rows[name]] = results.gradients[measure, 0, register] * per_px
    return out


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
    matrix = np.asarray(covariance_px2, dtype=np.float64)
    size = 2 * len(landmarks)
    if matrix.shape != (size, size) or not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise InputError(f"Expected a symmetric covariance of shape ({size}, {size}), found {matrix.shape}.")
    if np.linalg.eigvalsh(matrix)[0] < -1e-9 * max(float(np.trace(matrix)), 1.0):
        raise InputError("Expected a positive semi-definite covariance, found a negative variance.")
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


def sample(
    measurer: Measurer,
    landmarks: LandmarkSet,
    rng: np.random.Generator,
    calibration: Calibration | None = None,
    *,
    draws: int = 10_000,
) -> dict[str, Spread]:
    """Spread of the measures by drawing points (and the scale) from normal distributions.

    Only measures whose standard deviation is known to first order are drawn: the others lack a covariance or a value.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance; the same state gives the same result.
    draws : int
        Number of draws, 100 or more.

    Raises
    ------
    InputError
        When fewer than 100 draws are asked for.
    """
    if draws < 100:
        raise InputError(f"Expected 100 draws or more, found {draws}.")
    marks = _usable(landmarks)
    centre = np.array([(mark.x_px, mark.y_px) for mark in marks], dtype=np.float64).reshape(-1, 2)
    noise = rng.standard_normal((draws, len(marks), 2))
    for column, mark in enumerate(marks):
        covariance = np.zeros((2, 2)) if mark.covariance_px2 is None else mark.covariance_px2
        values, vectors = np.linalg.eigh(covariance)
        noise[:, column] = (noise[:, column] * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    relative = 0.0 if calibration is None else calibration.relative_sd
    stretch = np.maximum(1.0 + relative * rng.standard_normal(draws), 0.01)
    scale = _scale(calibration)
    drawn = measurer.over(
        centre + noise, [mark.id for mark in marks], spacing_mm=stretch[:, np.newaxis] * scale[np.newaxis, ::-1]
    )
    out: dict[str, Spread] = {}
    for measure in measurer(landmarks, calibration):
        found = drawn[measure.id].compressed()
        if measure.sd is None or len(found) < 2:
            continue
        out[measure.id] = Spread(
            id=measure.id,
            mean=float(found.mean()),
            sd=float(found.std(ddof=1)),
            first_order_sd=measure.sd,
            absent_share=1.0 - len(found) / draws,
        )
    return out


def _usable(landmarks: LandmarkSet) -> list[Landmark]:
    return [mark for mark in landmarks if mark.is_present and mark.review != "rejected"]


def _scale(calibration: Calibration | None) -> FloatArray:
    """Scale in mm per px along x and y; NaN when there is none."""
    spacing = None if calibration is None else calibration.spacing_mm
    return np.array([np.nan, np.nan] if spacing is None else spacing[::-1], dtype=np.float64)
