"""What a graph's outputs mean: points, covariances and scores on the canvas, checked against the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import InferenceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Outputs of one batch, float64.

    Attributes
    ----------
    points_px : ndarray, shape (n, k, 2)
        x, y on the canvas, ``(0, 0)`` = centre of the top-left pixel.
    covariance_px2 : ndarray, shape (n, k, 2, 2)
    score : ndarray, shape (n, k)
        0..1.
    """

    points_px: FloatArray
    covariance_px2: FloatArray
    score: FloatArray


def decode_points(outputs: Sequence[npt.NDArray[Any]], *, films: int, landmarks: int) -> Decoded:
    """Read the ``points`` contract from [points, covariance, score].

    Raises
    ------
    InferenceError
        When a shape is another, a number is not finite, a covariance is not positive, or a score leaves 0..1.
    """
    points, covariance, score = (np.asarray(array, dtype=np.float64) for array in outputs)
    expected = {
        "points": (points, (films, landmarks, 2)),
        "covariance": (covariance, (films, landmarks, 2, 2)),
        "score": (score, (films, landmarks)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise InferenceError(f"Expected {name} of shape {shape} from the model, found {array.shape}.")
        if not np.isfinite(array).all():
            raise InferenceError(f"Expected finite {name} from the model, found NaN or infinity.")
    if score.size and (score.min() < 0.0 or score.max() > 1.0 + 1e-6):
        raise InferenceError(f"Expected scores in 0..1 from the model, found {score.min():.3g}..{score.max():.3g}.")
    covariance = (covariance + covariance.swapaxes(-1, -2)) / 2
    if covariance.size and np.linalg.eigvalsh(covariance).min() < -1e-6:
        raise InferenceError("Expected positive semi-definite covariances from the model.")
    return Decoded(points_px=points, covariance_px2=covariance, score=np.clip(score, 0.0, 1.0))
