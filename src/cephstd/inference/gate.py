"""Decides which points of a film are withheld, and says why: for their score, or because no face has them there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.inference.shape import ShapeJudge

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of one film's points, in their order.

    Attributes
    ----------
    low_score : ndarray of bool, shape (landmarks,)
        Withheld because the score is below the model's least.
    no_face : ndarray of bool, shape (landmarks,)
        Withheld because the other points put this one elsewhere.
    warnings : tuple of str
        One sentence for each of the two reasons that occurs, with the points and numbers it rests on.
    """

    low_score: Flags
    no_face: Flags
    warnings: tuple[str, ...]


class Gate:
    """The two thresholds of a model.

    Parameters
    ----------
    landmarks : tuple of str
        Of the points, in order; an empty id is never withheld.
    min_score : float
    judge : ShapeJudge, optional
        None judges by the score alone.
    """

    def __init__(self, landmarks: tuple[str, ...], *, min_score: float, judge: ShapeJudge | None = None) -> None:
        self.landmarks = landmarks
        self.min_score = min_score
        self.judge = judge
        self._named = np.array([bool(id) for id in landmarks])

    def __call__(self, points_px: FloatArray, score: FloatArray | None, inside: Flags) -> Verdict:
        """Judge one film.

        Parameters
        ----------
        points_px : ndarray, shape (landmarks, 2)
            On the canvas.
        score : ndarray, shape (landmarks,), or None
        inside : ndarray of bool, shape (landmarks,)
            Whether the point lies on the film; what does not is absent anyway and is no evidence.
        """
        seen = inside & self._named
        low = np.zeros_like(seen) if score is None else seen & (score < self.min_score)
        warnings = []
        if low.any() and score is not None:
            warnings.append(f"Withheld for a score below {self.min_score:g}: {self._list(low, score, 2)}.")
        if self.judge is None:
            return Verdict(low_score=low, no_face=np.zeros_like(seen), warnings=tuple(warnings))
        distance2 = self.judge(points_px, seen & ~low)
        no_face = self.judge.implausible(distance2)
        if no_face.any():
            warnings.append(
                "Withheld because no face has them where the other points lie (squared distance over "
                f"{self.judge.most_distance2:g}): {self._list(no_face, distance2, 1)}."
            )
        return Verdict(low_score=low, no_face=no_face, warnings=tuple(warnings))

    def _list(self, chosen: Flags, numbers: FloatArray, decimals: int) -> str:
        return ", ".join(f"{self.landmarks[row]} {numbers[row]:.{decimals}f}" for row in np.flatnonzero(chosen))
