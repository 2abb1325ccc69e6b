"""A film on disk and a detector that says what it is told, in place of a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from cephstd.core.image import Normalized
from cephstd.core.landmarks import Landmark, LandmarkSet, ModelFacts, absent_landmark, place_landmark
from cephstd.core.recipe import Recipe
from cephstd.pipeline import analyzer, replayer

FACTS = ModelFacts(
    name="oracle",
    version="1",
    scheme="isbi19",
    weights_sha256="sha256:" + "a" * 64,
    licence_code="Apache-2.0",
    licence_weights="research",
    licence_data="research",
    intended_use="Tests.",
    provider_requested="auto",
    provider_ran="CPUExecutionProvider",
)
POINTS = {"S": (60, 90), "N": (170, 95), "A": (160, 180), "B": (150, 240)}


@dataclass
class Oracle:
    """What the next detectors will be and say."""

    facts: ModelFacts = FACTS
    points: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(POINTS))
    error: Exception | None = None
    made: list[dict[str, object]] = field(default_factory=list)

    def build(self, model: str, **options: object) -> OracleDetector:
        self.made.append({"model": model, **options})
        if self.error:
            raise self.error
        return OracleDetector(self, threads=int(options.get("threads") or 0))


class OracleDetector:
    """Gives the points of its oracle, in source px, and withholds Pog."""

    def __init__(self, oracle: Oracle, *, threads: int) -> None:
        self.oracle = oracle
        self.threads = threads
        self.model_facts = oracle.facts

    def __call__(self, normal: Normalized) -> LandmarkSet:
        found: list[Landmark] = [
            place_landmark(id, x, y, state="detected", score=0.9, covariance_px2=[[4, 0], [0, 4]])
            for id, (x, y) in self.oracle.points.items()
        ]
        found.append(absent_landmark("Pog", "low_confidence", score=0.1))
        return LandmarkSet(landmarks=tuple(found), scheme="isbi19", model=self.oracle.facts)


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Oracle:
    made = Oracle()
    for module in (analyzer, replayer):
        monkeypatch.setattr(module, "Detector", made.build)
    return made


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(model="oracle", analysis="steiner", view_gate="report")  # a pattern of waves, no head


@pytest.fixture
def stated(recipe: Recipe) -> Recipe:
    return msgspec.structs.replace(recipe, mm_per_px=0.5)


@pytest.fixture
def pixels() -> np.ndarray:
    y, x = np.mgrid[0:300, 0:240]
    return (127 + 60 * np.sin(x / 23) + 60 * np.cos(y / 31)).astype(np.uint8)


@pytest.fixture
def film_file(tmp_path: Path, pixels: np.ndarray) -> Path:
    path = tmp_path / "film.png"
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path
