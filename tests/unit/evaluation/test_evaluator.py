from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from cephstd.core.image import Normalized
from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.errors import InputError
from cephstd.evaluation.dataset import Dataset, load_dataset
from cephstd.evaluation.evaluator import evaluate_model, evaluate_points
from cephstd.imaging.phantom import draw_phantom

TOML = """
name = "tiny"
licence = "test"
[films]
folder = "."
pattern = "{image_id}.png"
mm_per_px = 0.4
[labels]
file = "labels.csv"
mm_per_px = 0.2
[labels.to_image]
scale = 0.5
offset_px = -0.25
"""
LABELS = "image_id,landmark,x_px,y_px\na,S,100,100\na,N,300,100\nb,S,100,100\nb,N,300,100\nc,S,1,1\nc,N,2,2\n"


class FixedDetector:
    """Gives S on its label and withholds N; keeps the scales that it was shown."""

    entry = SimpleNamespace(name="fixed", landmarks=("S", "N"), seen=())
    model_facts = None

    def __init__(self) -> None:
        self.spacings: list[float | None] = []

    def __call__(self, normal: Normalized) -> LandmarkSet:
        self.spacings.append(normal.spacing_mm)
        return LandmarkSet(landmarks=(place_landmark("S", 49.75, 49.75), absent_landmark("N", "low_confidence")))


@pytest.fixture
def dataset(tmp_path: Path, rng: np.random.Generator) -> Dataset:
    (tmp_path / "data.toml").write_text(TOML)
    (tmp_path / "labels.csv").write_text(LABELS)
    drawn = draw_phantom(rng, size=(484, 600), spacing_mm=0.4)
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), drawn.pixels)
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    return load_dataset(tmp_path / "data.toml")


def run(dataset: Dataset, detector: Any, **choices: Any) -> Any:
    return evaluate_model(dataset, detector, resamples=0, **choices)


def test_a_failed_film_counts_with_all_its_points_absent(dataset: Dataset) -> None:
    found = run(dataset, FixedDetector())
    assert found.films == 3
    assert [(film.image_id, film.code) for film in found.failed] == [("c", "corrupt_image")]
    assert found.score.all.points == 6
    assert found.score.all.absent == 4
    assert found.score.all.mre_mm == 0.0
    assert found.score.all.sdr_percent["2"] == pytest.approx(100 / 3, abs=1e-3)


def test_the_scale_is_stated_unless_told_not_to(dataset: Dataset) -> None:
    stated, silent = FixedDetector(), FixedDetector()
    assert run(dataset, stated).calibrated is True
    assert run(dataset, silent, calibrated=False).calibrated is False
    assert stated.spacings == [pytest.approx(0.1, rel=0.01)] * 2
    assert silent.spacings == [None, None]


def test_films_that_the_model_learned_from_are_told(dataset: Dataset) -> None:
    assert run(dataset, FixedDetector()).seen is False
    detector = FixedDetector()
    detector.entry = SimpleNamespace(name="fixed", landmarks=("S", "N"), seen=("other/", "tiny/"))
    assert run(dataset, detector).seen is True
    assert evaluate_points(dataset, {"a": {"S": (1.0, 1.0)}}, resamples=0).seen is None


def test_the_watcher_hears_of_each_film(dataset: Dataset) -> None:
    heard: list[int] = []
    run(dataset, FixedDetector(), watch=heard.append)
    assert heard == [0, 0, 1]


def test_a_model_of_other_landmarks_is_an_error(dataset: Dataset) -> None:
    detector = FixedDetector()
    detector.entry = SimpleNamespace(name="other", landmarks=("Xx",))
    with pytest.raises(InputError, match="none of the landmarks"):
        run(dataset, detector)


def test_points_of_a_table_are_image_px(dataset: Dataset) -> None:
    found = evaluate_points(dataset, {"a": {"S": (49.75, 49.75), "N": (159.75, 49.75)}}, resamples=0)
    assert found.points_from == "table"
    assert found.score.per_landmark["S"].mre_mm == 0.0
    assert found.score.per_landmark["N"].mre_mm == 4.0
    assert [film.code for film in found.failed] == ["no_points", "no_points"]


def test_points_of_no_film_are_an_error(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="image ids"):
        evaluate_points(dataset, {"z": {"S": (1.0, 1.0)}})
