"""Every benchmark still runs: once each, on small inputs."""

from __future__ import annotations

import importlib
import sys

import pytest

SUITES = ("stages", "accuracy")


@pytest.fixture(scope="module", autouse=True)
def benchmarks(root):
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


@pytest.mark.parametrize("name", ["Stages", "ManyFilms"])
def test_timings_run(name):
    suite = importlib.import_module("suites.stages")
    benchmark = getattr(suite, name)()
    arguments = list(getattr(benchmark, "params", ())[:1])
    benchmark.setup(*arguments)
    timings = [method for method in dir(benchmark) if method.startswith("time_")]
    assert timings
    for method in timings:
        getattr(benchmark, method)(*arguments)


def test_import_is_timed_against_a_bare_interpreter():
    benchmark = importlib.import_module("suites.stages").Import()
    assert benchmark.timeraw_import() == "import cephstd"
    assert benchmark.timeraw_import_bare() == "pass"


def test_accuracy_on_the_composite_has_a_unit_and_is_plausible():
    benchmark = importlib.import_module("suites.accuracy").Composite()
    benchmark.setup()
    assert benchmark.track_mre.unit == "mm"
    assert 0.0 < benchmark.track_mre() < 4.0
    assert benchmark.track_absent() == 0


def test_first_light_states_ratios_beside_milliseconds():
    speed = importlib.import_module("speed")
    cost = speed.analyzer_cost(repeat=1)
    assert cost["ratio"] == pytest.approx(cost["analyzer_ms"] / cost["imdecode_and_session_run_ms"], abs=0.01)
