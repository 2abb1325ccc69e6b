"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def counts() -> Callable[[int, int], int]:
    """(few, many) -> how many: few by default, many in the nightly run (``CEPHSTD_COUNTS=full``)."""
    return lambda few, many: many if os.environ.get("CEPHSTD_COUNTS") == "full" else few


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes a new database in a PostgreSQL server of our own on loopback; gives its URL."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("PostgreSQL is not installed")
    sys.path.insert(0, str(Path(__file__).parent))
    from postgres_server import PostgresServer

    with PostgresServer(folders[-1]) as server:
        yield server.new_database
