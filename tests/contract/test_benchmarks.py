"""Every benchmark still runs: once each, on small inputs."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module", autouse=True)
def benchmarks(root):
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


@pytest.mark.parametrize(
    ("suite", "name"),
    [("stages", "Stages"), ("stages", "ManyFilms"), ("measures", "AllMeasures"), ("measures", "OneFilm")],
)
def test_timings_run(suite, name):
    benchmark = getattr(importlib.import_module(f"suites.{suite}"), name)()
    arguments = list(getattr(benchmark, "params", ())[:1])
    benchmark.setup(*arguments)
    timings = [method for method in dir(benchmark) if method.startswith(("time_", "peakmem_"))]
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


def test_measures_by_other_means_are_the_same_and_every_figure_is_judged():
    """The comparisons compute what the kernel computes, else their times say nothing."""
    measurement = importlib.import_module("measurement")
    with np.errstate(all="ignore"):
        compared = measurement.compare(films=64, turns=1)
    assert max(compared["largest_difference"].values()) < 1e-9
    scaling = measurement.scale(films=200, turns=1)
    one_film = dict.fromkeys(("us_warm", "first_call_wall_s"), 0.0)
    judged = measurement.judge({"compared": compared, "scaling": scaling, "one_film": one_film})
    assert judged.keys() == measurement.LIMITS.keys()


def test_kept_figures_of_measuring_hold_their_limits(root):
    measurement = importlib.import_module("measurement")
    kept = json.loads((root / "benchmarks" / "results" / "measurement.json").read_text(encoding="utf-8"))
    assert kept["scaling"]["films"] == 1_000_000
    assert kept["limits"] == measurement.judge(kept)
    assert all(figure["ok"] for figure in kept["limits"].values())


def test_cost_of_records_and_log_is_measured(tmp_path):
    records = importlib.import_module("records")
    parts = (records.record_cost(2), records.append_cost(tmp_path, 1), records.proof_cost(tmp_path, 200, 2))
    assert all(isinstance(part["ok"], bool) for part in parts)


def test_kept_costs_of_records_hold_their_limits(root):
    kept = json.loads((root / "benchmarks" / "results" / "records.json").read_text(encoding="utf-8"))
    assert kept["proof"]["entries"] == 1_000_000
    assert kept["record"]["seal_and_verify_ms"] <= 5.0
    assert kept["append"]["median_per_s"] >= 500
    assert kept["proof"]["prove_median_ms"] <= 5.0
    assert kept["proof"]["check_median_ms"] <= 1.0
    assert [name for name, part in kept.items() if not part.get("ok", True)] == []


def test_a_resumed_run_finds_every_film_done(tmp_path):
    suite = importlib.import_module("resume_scan")
    suite.fill(tmp_path, 3)
    assert suite.resume(tmp_path, 3)["processor_s"] > 0
