"""A training set of four drawn films: bright blobs on a dark ground, two landmarks, 64 x 80 px."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

HEAD = """
[data]
images = "films/{{image_id}}.png"
labels = "labels.csv"
annotator = "mean"
splits = ["train"]
landmarks = ["A", "B"]
aliases = {{ Bee = "B" }}
label_scale = 0.5
label_offset_px = -0.25
spacing_mm = 1.0
{data}
[network]
size_px = [64, 80]
spacing_mm = 1.0
widths = [4, 4, 8, 8]
window_radius = 3
[augment]
{augment}
[optimizer]
epochs = {epochs}
batch = 2
learning_rate = 1e-2
average = 0.9
[run]
folder = "run"
precision = "float32"
"""


def _draw_blob(size_px: tuple[int, int], x: float, y: float, sigma: float = 2.0) -> np.ndarray:
    columns, rows = np.arange(size_px[0]), np.arange(size_px[1])[:, None]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


@pytest.fixture
def draw_blob() -> Callable[..., np.ndarray]:
    """Draws a Gaussian blob of height 1."""
    return _draw_blob


@pytest.fixture
def training_set(tmp_path: Path, rng: np.random.Generator) -> Callable[..., Path]:
    """Writes films, labels and a configuration; returns the configuration's path."""

    def write(*, epochs: int = 2, data: str = "", augment: str = "") -> Path:
        (tmp_path / "films").mkdir(exist_ok=True)
        rows = []
        for number in range(4):
            points = rng.uniform(16, 48, (2, 2))
            film = _draw_blob((64, 80), *points[0], sigma=2.0) + _draw_blob((64, 80), *points[1], sigma=4.0)
            cv2.imwrite(str(tmp_path / "films" / f"{number}.png"), np.clip(film * 255, 0, 255).astype(np.uint8))
            # labels lie in pixels half the size: film = label / 2 - 0.25
            for name, (x, y) in zip(("A", "Bee"), points, strict=True):
                rows.append((number, "train", "mean", name, 2 * x + 0.5, 2 * y + 0.5))
                rows.append((number, "train", "senior", name, 0, 0))
        with (tmp_path / "labels.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image_id", "split", "annotator", "landmark", "x_px", "y_px"))
            writer.writerows(rows)
        path = tmp_path / "train.toml"
        path.write_text(HEAD.format(epochs=epochs, data=data, augment=augment))
        return path

    return write
