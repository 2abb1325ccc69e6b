"""What the suites work on: sample films that ship with the project, and the real ones where they lie beside it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from cephstd.plot.face import FACE_MM

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data" / "samples"
COMPOSITE_DICOM = SAMPLES / "composite_a.dcm"
COMPOSITE_JPEG = SAMPLES / "composite_c.jpg"
DATASET = ROOT / "benchmarks" / "datasets" / "isbi2015.toml"
PROTOCOL_MODEL = "isbi19-unet-a"  # has not learned from the films of DATASET
FULL_SIZE = (1935, 2400)
CREATED = "2026-01-31T09:30:00Z"
MM_PER_PX = 0.1  # of the films that are made here


def full_size_jpeg() -> bytes:
    """A sample film at the size of a scanned original, as JPEG bytes."""
    small = cv2.imread(str(COMPOSITE_JPEG), cv2.IMREAD_GRAYSCALE)
    large = cv2.resize(small, FULL_SIZE, interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 91])[1].tobytes()


def sample_points(film: Path) -> dict[str, tuple[float, float]]:
    """Where a sample's landmarks lie, as its maker says."""
    stated = json.loads(film.with_suffix(".landmarks.json").read_text(encoding="utf-8"))
    return {id: (x, y) for id, (x, y) in stated["landmarks_px"].items()}


def make_films(films: int, seed: int = 11) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Landmark ids, points and covariances of faces with jitter of about 1 mm, for each point another."""
    rng = np.random.default_rng(seed)
    base = np.array(list(FACE_MM.values())) + 60.0
    points = rng.standard_normal((films, *base.shape))
    points += base
    points /= MM_PER_PX
    roots = rng.uniform(1.0, 8.0, size=(films, len(base), 2))
    covariances = np.zeros((films, len(base), 2, 2))
    covariances[..., 0, 0], covariances[..., 1, 1] = roots[..., 0] ** 2, roots[..., 1] ** 2
    covariances[..., 0, 1] = covariances[..., 1, 0] = 0.4 * roots[..., 0] * roots[..., 1]
    return tuple(FACE_MM), points, covariances
