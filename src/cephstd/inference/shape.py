"""Judges whether points make a face: each one against what the others say of its place. Moves none."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import ModelError

Places = npt.NDArray[np.complex128]
"""x + iy: a turn with a scale is one complex factor."""
Flags = npt.NDArray[np.bool_]
FEWEST = 8
"""Points that make a face: fewer say too little of any other."""
LEAST_LIKENESS = 0.5
"""Correlation with the mean shape, 1 for the same; a head has more than 0.97."""
POSE_SD_MM = 100.0
"""How far shift, turn and scale may carry a point: so far that they say nothing of a shape."""


class ShapePrior(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How faces differ: a normal distribution of the landmarks' places after turns, shifts and scales are taken out.

    Attributes
    ----------
    landmarks : tuple of str
    mean_mm : tuple of (float, float)
        x right, y down, the face to the right.
    covariance_mm2 : tuple of tuple of float
        Square, in the order x, y of the first landmark, x, y of the second ...
    noise_mm : float
        Standard deviation, along each axis, of what a point of a good reading may be off besides.
    films : int
        How many heads it was made from.
    how : str
        From which ones.
    """

    landmarks: tuple[str, ...]
    mean_mm: tuple[tuple[float, float], ...]
    covariance_mm2: tuple[tuple[float, ...], ...]
    noise_mm: Annotated[float, msgspec.Meta(gt=0)]
    films: int
    how: str

    def __post_init__(self) -> None:
        sides = {2 * len(self.mean_mm), len(self.covariance_mm2), *map(len, self.covariance_mm2)}
        if sides != {2 * len(self.landmarks)}:
            raise ValueError("expected a mean and two rows and columns of the covariance for each landmark")
        if np.linalg.eigvalsh(np.array(self.covariance_mm2))[0] < -(self.noise_mm**2) / 2:
            raise ValueError("expected a covariance without negative eigenvalues")


def read_prior(content: bytes, landmarks: tuple[str, ...]) -> ShapePrior:
    """A prior from its JSON file, for points in the order of `landmarks`.

    Raises
    ------
    ModelError
        When the file breaks its format or lacks a landmark.
    """
    try:
        prior = msgspec.json.decode(content, type=ShapePrior)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"The shape prior is not valid: {error}.") from error
    absent = sorted({id for id in landmarks if id} - set(prior.landmarks))
    if absent:
        raise ModelError(f"The shape prior says nothing of {', '.join(absent)}, which the model gives.")
    return prior


class ShapeJudge:
    """Tells which points no face has where the others are.

    Parameters
    ----------
    prior : ShapePrior
    landmarks : tuple of str
        Of the points, in order; an empty id is never judged.
    most_distance2 : float
        Squared Mahalanobis distance of a point from the place that the others give it; more is no face.

    Notes
    -----
    Turn, shift and scale are part of the distribution, as directions along which nearly everything is possible, so a
    face without scale is judged as well as one with it, and absent points need no filling in. The judgement puts out
    the point that fits worst and takes in again what then fits, one at a time; it starts once from all points and, when
    one of them is put out, once more from the half that one similarity fits best (least median over all pairs of
    points), so that several wrong points do not vouch for one another. The search that keeps more of them counts.
    """

    def __init__(self, prior: ShapePrior, landmarks: tuple[str, ...], *, most_distance2: float) -> None:
        self._judged = np.array([row for row, id in enumerate(landmarks) if id], dtype=np.intp)
        self._points = len(landmarks)
        self.most_distance2 = most_distance2
        places = [prior.landmarks.index(landmarks[row]) for row in self._judged]
        columns = [2 * place + axis for place in places for axis in (0, 1)]
        mean: Places = np.array(prior.mean_mm)[places] @ np.array((1.0, 1.0j))
        self._mean: Places = mean - mean.mean()
        covariance = np.array(prior.covariance_mm2)[np.ix_(columns, columns)]
        # Columns: how each point moves when the face is scaled, turned, and shifted along either axis.
        moves = np.stack([_flat(move) for move in (self._mean, 1j * self._mean, self._mean**0, 1j * self._mean**0)], 1)
        moves *= POSE_SD_MM / np.abs(moves).max(axis=0)
        self._covariance = covariance + prior.noise_mm**2 * np.eye(len(columns)) + moves @ moves.T

    def __call__(self, points_px: FloatArray, known: Flags) -> FloatArray:
        """Squared distance of each point from where the others put it.

        Parameters
        ----------
        points_px : ndarray, shape (landmarks, 2)
            In any isotropic scale and any turn, not mirrored.
        known : ndarray of bool, shape (landmarks,)
            Points to rely on; the others are not judged.

        Returns
        -------
        ndarray, shape (landmarks,)
            Dimensionless; NaN where a point was not judged: unknown ones, and all when fewer than eight are known.
            Infinite for all that are known when no eight of them, or no more than half, make a face.
        """
        found = np.full(self._points, np.nan)
        rows = np.flatnonzero(known[self._judged])
        if len(rows) < FEWEST:
            return found
        points: Places = points_px[self._judged[rows]] @ np.array((1.0, 1.0j))
        mean = self._mean[rows]
        columns = np.stack([2 * rows, 2 * rows + 1], axis=1).ravel()
        found[self._judged[rows]] = self._search(points, mean, self._covariance[np.ix_(columns, columns)])
        return found

    def _search(self, points: Places, mean: Places, covariance: FloatArray) -> FloatArray:
        """The larger face of two searches: from all points, and from the half that fits best."""
        everything = np.ones(len(points), dtype=bool)
        best = self._settle(points, mean, covariance, everything)
        if (best > self.most_distance2).any():
            second = self._settle(points, mean, covariance, _core(points, mean))
            best = min(best, second, key=lambda distance2: int((distance2 > self.most_distance2).sum()))
        return best

    def _settle(self, points: Places, mean: Places, covariance: FloatArray, kept: Flags) -> FloatArray:
        """Put out what fits worst and take in what fits best until neither is left; after a while put out only."""
        for step in range(4 * len(points)):
            aligned = _align(points, mean, kept)
            if aligned is None:
                break
            distance2 = _distances2(_flat(aligned - mean), covariance, kept)
            inside, outside = np.where(kept, distance2, -1.0), np.where(kept, np.inf, distance2)
            if inside.max() > self.most_distance2:
                kept[inside.argmax()] = False
            elif step < 2 * len(points) and outside.min() <= self.most_distance2:
                kept[outside.argmin()] = True
            elif 2 * kept.sum() > len(points):
                return distance2
            else:
                break
            if kept.sum() < FEWEST:
                break
        return np.full(len(points), np.inf)

    def implausible(self, distance2: FloatArray) -> Flags:
        """Which points are withheld; those that were not judged are not."""
        over: Flags = distance2 > self.most_distance2
        return over


def _flat(places: Places) -> FloatArray:
    """x, y of the first place, x, y of the second ..."""
    return np.stack([places.real, places.imag], axis=1).ravel()


def _align(points: Places, mean: Places, kept: Flags) -> Places | None:
    """Points on the mean shape by the least-squares similarity of the kept ones; None where these are not like it."""
    centre, aim = points[kept].mean(), mean[kept].mean()
    shape, turned = mean[kept] - aim, points[kept] - centre
    # The mean laid on the points, not they on it: otherwise points of no face at all shrink to its middle and fit.
    product, sizes = np.vdot(shape, turned), float(np.linalg.norm(shape) * np.linalg.norm(turned))
    if abs(product) <= LEAST_LIKENESS * sizes:
        return None
    aligned: Places = (points - centre) * (np.vdot(shape, shape).real / product) + aim
    return aligned


def _core(points: Places, mean: Places) -> Flags:
    """The half of the points, at least eight, that some similarity through two of them fits best."""
    one, other = np.array(list(combinations(range(len(points)), 2))).T
    apart = points[other] - points[one]
    factor = np.divide(mean[other] - mean[one], apart, out=np.zeros_like(apart), where=apart != 0)
    misfit = np.abs(factor[:, None] * (points - points[one][:, None]) + mean[one][:, None] - mean)
    size = max(FEWEST, len(points) // 2 + 1)
    best = misfit[np.partition(misfit, size - 1, axis=1)[:, size - 1].argmin()]
    kept = np.zeros(len(points), dtype=bool)
    kept[np.argsort(best, kind="stable")[:size]] = True
    return kept


def _distances2(offset: FloatArray, covariance: FloatArray, kept: Flags) -> FloatArray:
    """Squared distance of each point given all kept ones but itself."""
    inside, outside = np.flatnonzero(np.repeat(kept, 2)), np.flatnonzero(np.repeat(~kept, 2))
    precision = np.asarray(np.linalg.inv(covariance[np.ix_(inside, inside)]), dtype=np.float64)
    pull = precision @ offset[inside]
    distance2 = np.empty(len(kept))
    # In a normal distribution the precision's own blocks give each point given all others.
    blocks: FloatArray = precision.reshape(len(inside) // 2, 2, -1, 2)[
        np.arange(len(inside) // 2), :, np.arange(len(inside) // 2)
    ]
    distance2[kept] = _quadratic(pull.reshape(-1, 2), blocks)
    if len(outside):
        cross = covariance[np.ix_(outside, inside)]
        spread = covariance[np.ix_(outside, outside)] - cross @ precision @ cross.T
        places = np.arange(len(outside) // 2)
        rest = (offset[outside] - cross @ pull).reshape(-1, 2)
        distance2[~kept] = _quadratic(rest, spread.reshape(len(places), 2, -1, 2)[places, :, places])
    return distance2


def _quadratic(vectors: FloatArray, matrices: FloatArray) -> FloatArray:
    """The product v' M^-1 v for vectors of shape (n, 2) and matrices of shape (n, 2, 2)."""
    product: FloatArray = np.einsum("ni,ni->n", vectors, np.linalg.solve(matrices, vectors[..., None])[..., 0])
    return product
