from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("polars", reason="needs the extra 'batch'")
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
from simulated_fleet import write_fleet

from cephstd.fleet.census import read_census
from cephstd.fleet.comparison import compare_sites


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    """A fleet with five planted faults."""
    return write_fleet(tmp_path_factory.mktemp("faulty"), seed=1, faulty=True)


@pytest.fixture(scope="session")
def comparison(faulty):
    return compare_sites(read_census(faulty.folder))
