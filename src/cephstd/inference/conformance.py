"""Does a model do what its entry says? It is shown a film whose landmarks are known, moved and scaled."""

from __future__ import annotations

from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Normalized
from cephstd.errors import InputError
from cephstd.inference.canvas import place_on_canvas
from cephstd.inference.detector import Detector

SHIFT_PX = (12.0, -8.0)
SCALES = (0.92, 1.08)
FAR_MM = 5.0
FOLLOWS_MM = 2.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check of a model.

    Attributes
    ----------
    name : str
    ok : bool
    value, limit : float
        In millimetres.
    note : str
        What was compared.
    """

    name: str
    ok: bool
    value: float
    limit: float
    note: str


def check_behaviour(detector: Detector, normal: Normalized, points_px: dict[str, tuple[float, float]]) -> list[Finding]:
    """Run a model on a film with known landmarks.

    Parameters
    ----------
    detector : Detector
    normal : Normalized
        A calibrated standard image.
    points_px : dict
        Landmark id -> x, y in source pixels.

    Returns
    -------
    list of Finding
        ``places``: order and axes, the largest distance to a known point (5 mm). ``shift``, ``smaller``, ``larger``:
        how far the points of a moved or scaled canvas are from the moved points (median, 2 mm).

    Raises
    ------
    InputError
        When the film has no scale or none of the model's landmarks.
    """
    entry = detector.entry
    known = [(index, id) for index, id in enumerate(entry.landmarks) if id in points_px]
    if normal.spacing_mm is None or not known:
        raise InputError("Expected a calibrated film with at least one landmark that the model gives.")
    canvas, chain = place_on_canvas(normal, entry.input)
    order = [index for index, _ in known]
    truth = chain.forward(np.array([points_px[id] for _, id in known]))
    plain = detector.decode(canvas[None]).points_px[0][order]
    spacing = entry.input.spacing_mm
    away = np.linalg.norm(plain - truth, axis=1)
    farthest = int(away.argmax())
    note = f"the farthest of {len(known)} known points: {known[farthest][1]}"
    findings = [_compare("places", away[farthest], spacing, FAR_MM, note)]
    for name, matrix in _movements(entry.input.size_px).items():
        moved = np.stack([_warp(channel, matrix) for channel in canvas])
        seen = detector.decode(moved[None]).points_px[0][order]
        expected = plain @ matrix[:, :2].T + matrix[:, 2]
        away = np.linalg.norm(seen - expected, axis=1)
        findings.append(
            _compare(name, np.median(away), spacing, FOLLOWS_MM, "median over the points of the moved film")
        )
    return findings


def _movements(size_px: tuple[int, int]) -> dict[str, FloatArray]:
    centre = (np.array(size_px, dtype=np.float64) - 1.0) / 2.0
    smaller, larger = (np.column_stack((np.eye(2) * scale, centre * (1.0 - scale))) for scale in SCALES)
    return {"shift": np.column_stack((np.eye(2), SHIFT_PX)), "smaller": smaller, "larger": larger}


def _warp(channel: npt.NDArray[np.float32], matrix: FloatArray) -> npt.NDArray[np.float32]:
    height, width = channel.shape
    outside = float(channel[0, 0])
    moved: npt.NDArray[np.float32] = cv2.warpAffine(channel, matrix, (width, height), borderValue=(outside,))
    return moved


def _compare(name: str, distance_px: np.floating[Any], spacing_mm: float, limit_mm: float, note: str) -> Finding:
    distance = float(distance_px) * spacing_mm
    return Finding(name=name, ok=distance <= limit_mm, value=round(distance, 3), limit=limit_mm, note=note)
