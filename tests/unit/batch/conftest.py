"""A small archive, a tiny model in place of a network, and runs over them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.recipe import Recipe

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "integration"))
sys.path.insert(0, str(Path(__file__).parent))
from film_files import encode
from tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models"))


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        model="tiny",
        analysis="steiner",
        mm_per_px=0.5,
        view_gate="report",  # patterns, no heads
        accepted_licences=("Apache-2.0",),
    )


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return lambda: datetime(2025, 4, 16, 9, 30, tzinfo=UTC)


def film(number: int) -> bytes:
    """A PNG film that no other number gives, with one bright pixel for the tiny model to find."""
    y, x = np.mgrid[0:60, 0:48]
    pixels = (100 + 40 * np.sin(x / 11 + number) + 40 * np.cos(y / 9)).astype(np.uint8)
    pixels[20 + number % 20, 10 + number % 30] = 255
    return encode(".png", pixels)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Six films of the sites north and south."""
    top = tmp_path / "archive"
    for number in range(6):
        folder = top / ("north", "south")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"film{number}.png").write_bytes(film(number))
    return top
