"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def rng() -> np.random.Generator:
    """The one seeded generator; a test that needs chance takes it from here."""
    return np.random.default_rng(20_150_416)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def samples(root: Path) -> Path:
    """Folder of the sample films that ship with the project."""
    return root / "data" / "samples"


@pytest.fixture(scope="session")
def shared_data(root: Path) -> Path:
    """Folder of the real films; they are not part of the project."""
    folder = root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real films are not beside this checkout (../shared/data)")
    return folder
