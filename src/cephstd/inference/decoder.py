"""What a graph's outputs mean: points on the canvas and what is known of their doubt, checked by the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import InferenceError
from cephstd.inference.contracts import Activation, HeatmapOutput, OutputContract, PointsOutput, SimccOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Outputs of one batch, float64.

    Attributes
    ----------
    points_px : ndarray, shape (n, k, 2)
        x, y on the canvas, ``(0, 0)`` = centre of the top-left pixel.
    covariance_px2 : ndarray, shape (n, k, 2, 2), or None
        None when the graph does not say.
    score : ndarray, shape (n, k), or None
        0..1; None when the graph does not say.
    """

    points_px: FloatArray
    covariance_px2: FloatArray | None
    score: FloatArray | None


def decode(
    outputs: Sequence[npt.NDArray[Any]],
    contract: OutputContract,
    *,
    films: int,
    landmarks: int,
    size_px: tuple[int, int],
) -> Decoded:
    """Points from the arrays that `output_names` asked for.

    Parameters
    ----------
    outputs : sequence of ndarray
    contract : PointsOutput, HeatmapOutput or SimccOutput
    films, landmarks : int
        Expected lengths of the first two axes.
    size_px : (int, int)
        Width, height of the canvas.

    Returns
    -------
    Decoded

    Raises
    ------
    InferenceError
        When a shape is another, a number is not finite, a covariance is not positive, or a score leaves 0..1.
    """
    arrays = [np.asarray(array, dtype=np.float64) for array in outputs]
    for array in arrays:
        if array.shape[:2] != (films, landmarks):
            raise InferenceError(f"Expected ({films}, {landmarks}, ...) from the model, found {array.shape}.")
        if not np.isfinite(array).all():
            raise InferenceError("Expected finite numbers from the model, found NaN or infinity.")
    match contract:
        case PointsOutput():
            return _read_points(arrays, contract, size_px)
        case HeatmapOutput():
            return _read_heatmaps(arrays[0], contract)
        case SimccOutput():
            return _read_simcc(arrays[0], arrays[1], contract)


def _read_points(arrays: list[FloatArray], contract: PointsOutput, size_px: tuple[int, int]) -> Decoded:
    left = list(arrays)
    points = _shaped("points", left.pop(0), (2,))
    covariance = _shaped("covariance", left.pop(0), (2, 2)) if contract.covariance else None
    score = _shaped("score", left.pop(0), ()) if contract.score else None
    if contract.unit == "share":
        points = points * np.array(size_px, dtype=np.float64) - 0.5
    if covariance is not None:
        covariance = (covariance + covariance.swapaxes(-1, -2)) / 2
        if covariance.size and np.linalg.eigvalsh(covariance).min() < -1e-6:
            raise InferenceError("Expected positive semi-definite covariances from the model.")
    if score is not None:
        if score.size and (score.min() < 0.0 or score.max() > 1.0 + 1e-6):
            raise InferenceError(f"Expected scores in 0..1 from the model, found {score.min():.3g}..{score.max():.3g}.")
        score = np.clip(score, 0.0, 1.0)
    return Decoded(points_px=points, covariance_px2=covariance, score=score)


def _shaped(name: str, array: FloatArray, rest: tuple[int, ...]) -> FloatArray:
    if array.shape[2:] != rest:
        raise InferenceError(
            f"Expected {name} of shape {(*array.shape[:2], *rest)} from the model, found {array.shape}."
        )
    return array


def _read_heatmaps(maps: FloatArray, contract: HeatmapOutput) -> Decoded:
    if maps.ndim != 4:
        raise InferenceError(f"Expected heatmaps of shape (films, landmarks, rows, columns), found {maps.shape}.")
    weights = _activate(maps, contract.activation, axes=(2, 3))
    rows, columns = maps.shape[2:]
    place = weights.reshape(*weights.shape[:2], -1).argmax(axis=-1)
    inside = (
        _near(place // columns, rows, contract.window_radius)[..., :, None]
        & (_near(place % columns, columns, contract.window_radius)[..., None, :])
    )
    window = np.where(inside, weights, 0.0)
    mass = _masses(window, (2, 3))
    grid_y, grid_x = np.indices((rows, columns), dtype=np.float64)
    grid = np.stack((grid_x, grid_y))
    mean = np.einsum("nkyx,cyx->nkc", window, grid) / mass[..., None]
    points = contract.origin_px + contract.stride_px * mean
    if contract.activation != "softmax":
        return Decoded(points_px=points, covariance_px2=None, score=np.clip(weights.max(axis=(2, 3)), 0.0, 1.0))
    second = np.einsum("nkyx,cyx,dyx->nkcd", window, grid, grid) / mass[..., None, None]
    spread = second - mean[..., :, None] * mean[..., None, :]
    # A single pixel that holds everything still leaves the place within it open: the variance of a uniform one.
    covariance = contract.stride_px**2 * (spread + np.eye(2) / 12.0)
    return Decoded(points_px=points, covariance_px2=covariance, score=np.clip(mass, 0.0, 1.0))


def _read_simcc(along_x: FloatArray, along_y: FloatArray, contract: SimccOutput) -> Decoded:
    means, variances, shares = [], [], []
    for vector in (along_x, along_y):
        if vector.ndim != 3:
            raise InferenceError(f"Expected SimCC vectors of shape (films, landmarks, bins), found {vector.shape}.")
        weights = _activate(vector, contract.activation, axes=(2,))
        bins = np.arange(vector.shape[2], dtype=np.float64)
        window = np.where(_near(weights.argmax(axis=-1), vector.shape[2], contract.window_radius), weights, 0.0)
        mass = _masses(window, (2,))
        mean = window @ bins / mass
        means.append(mean / contract.bins_per_px)
        variances.append((window @ bins**2 / mass - mean**2 + 1.0 / 12.0) / contract.bins_per_px**2)
        shares.append(mass if contract.activation == "softmax" else weights.max(axis=-1))
    points = np.stack(means, axis=-1)
    if contract.activation != "softmax":
        return Decoded(points_px=points, covariance_px2=None, score=np.clip(np.minimum(*shares), 0.0, 1.0))
    covariance = np.stack(variances, axis=-1)[..., None] * np.eye(2)
    return Decoded(points_px=points, covariance_px2=covariance, score=np.clip(shares[0] * shares[1], 0.0, 1.0))


def _near(place: npt.NDArray[np.intp], length: int, radius: int) -> npt.NDArray[np.bool_]:
    """Whether each index of an axis lies within `radius` of `place`."""
    near: npt.NDArray[np.bool_] = np.abs(np.arange(length) - place[..., None]) <= radius
    return near


def _activate(values: FloatArray, activation: Activation, axes: tuple[int, ...]) -> FloatArray:
    """Weights from the graph's raw numbers; a negative one weighs nothing."""
    if activation == "softmax":
        raised = np.exp(values - values.max(axis=axes, keepdims=True))
        shares: FloatArray = raised / raised.sum(axis=axes, keepdims=True)
        return shares
    if activation == "sigmoid":
        return 0.5 * (1.0 + np.tanh(0.5 * values))
    return np.maximum(values, 0.0)


def _masses(window: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    mass: FloatArray = window.sum(axis=axes)
    if not (mass > 0.0).all():
        raise InferenceError("Expected a peak in each of the model's maps, found one without any positive value.")
    return mass
