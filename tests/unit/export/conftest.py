from __future__ import annotations

import sys
from pathlib import Path

import pytest

import cephstd as cs

sys.path.insert(0, str(Path(__file__).parents[2]))
from exported_records import make_record


@pytest.fixture(scope="session")
def film_path(samples: Path) -> Path:
    """A DICOM film that has a scale and names an invented patient."""
    return samples / "composite_a.dcm"


@pytest.fixture(scope="session")
def found(film_path: Path) -> cs.Record:
    """Record of that film that nobody has reviewed."""
    return make_record(film_path)
