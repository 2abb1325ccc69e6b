"""The measurement kernel as ratios in one run, against the same measures by other means (see `compare`).

Usage: measurement.py [--films N] [--compared N] [--turns N] [--write FILE] [--check]

All 164 measures with standard deviations from one 2 x 2 covariance per point. Ratios are of CPU seconds of the thread
that works, the least of several turns taken alternately: wall time on a busy machine says more about its other jobs.
Two threads against one are of necessity wall time. --check exits 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import cephstd as cs
from cephstd.geometry.measurer import Measurer
from cephstd.knowledge.loader import load_analysis, load_constructions

sys.path.insert(0, str(Path(__file__).resolve().parent))
from compare.numpy_measures import measure_blocked, measure_differenced
from compare.plain_python import Evaluator
from speed import machine
from suites.inputs import MM_PER_PX, make_films

BLOCKS = (2048, 4096, 8192, 16_384)  # of the version in NumPy; the fastest counts
SIZES = (10_000, 100_000, 1_000_000)
FIRST_CALL = """
import time
began = time.perf_counter()
import numpy as np, cephstd as cs
cs.measure_many(np.array([[[0.0, 0.0], [70.0, 0.0], [70.0, 60.0]]]), ("S", "N", "A"), "all", spacing_mm=1.0)
print(time.perf_counter() - began, time.process_time())
"""
# name of a figure: (where it stands, at least or at most, limit)
LIMITS = {
    "times as fast as NumPy in blocks": (("compared", "ratio", "numpy_blocked"), ">=", 3.0),
    "times as fast as NumPy by central differences": (("compared", "ratio", "numpy_differences"), ">=", 10.0),
    "times as fast as plain Python, values only": (("compared", "ratio", "plain_python_values_only"), ">=", 200.0),
    "one thread by two, wall": (("scaling", "wall_one_by_two_threads"), ">=", 1.7),
    "time per film, most films by fewest": (("scaling", "per_film_most_by_fewest"), "<=", 1.25),
    "peak memory by input and output": (("scaling", "peak_memory_by_input_and_output"), "<=", 1.5),
    "one film of 40 measures, us": (("one_film", "us_warm"), "<=", 150.0),
    "first call of a process, s": (("one_film", "first_call_wall_s"), "<=", 1.0),
}


def best(actions: list[Callable[[], object]], turns: int, clock: Callable[[], float] = time.thread_time) -> list[float]:
    """Least seconds of each action, taken in turn."""
    least = [float("inf")] * len(actions)
    for _ in range(turns):
        for number, action in enumerate(actions):
            began = clock()
            action()
            least[number] = min(least[number], clock() - began)
    return least


def compare(films: int, turns: int) -> dict[str, object]:
    ids, points, covariances = make_films(films)
    measurer = Measurer("all")
    program, columns = measurer.plan.program, {id: k for k, id in enumerate(ids)}
    kernel = lambda: measurer.over(  # noqa: E731
        points, ids, spacing_mm=MM_PER_PX, covariances_px2=covariances, threads=1
    )
    found = kernel().results
    blocked = [lambda b=b: measure_blocked(program, columns, points, covariances, MM_PER_PX, b) for b in BLOCKS]
    differenced = lambda: measure_differenced(program, columns, points, covariances, MM_PER_PX)  # noqa: E731
    kernel_s, differenced_s, *blocked_s = best([kernel, differenced, *blocked], turns)
    values, sds = blocked[-1]()
    agree = np.isfinite(found.sds)
    per = {
        "kernel": kernel_s / films,
        "numpy_blocked": min(blocked_s) / films,
        "numpy_differences": differenced_s / films,
    }
    formulas = {id: formula.text for id, formula in load_analysis("all").formulas.items()}
    constructions = {id: formula.text for id, formula in load_constructions().items()}
    faces = [dict(zip(ids, face, strict=True)) for face in points[:40]]

    def plain() -> list[list[float]]:
        out = []
        for face in faces:
            evaluator = Evaluator(face, MM_PER_PX, constructions)
            out.append([evaluator.evaluate(text) for text in formulas.values()])
        return out

    (plain_s,) = best([plain], 3)
    per["plain_python_values_only"] = plain_s / len(faces)
    return {
        "films": films,
        "measures": len(formulas),
        "us_per_film_one_thread": {name: round(seconds * 1e6, 2) for name, seconds in per.items()},
        "numpy_block": BLOCKS[int(np.argmin(blocked_s))],
        "ratio": {name: round(seconds / per["kernel"], 2) for name, seconds in per.items() if name != "kernel"},
        "largest_difference": {
            "values_blocked": float(np.nanmax(np.abs(values - found.values))),
            "sds_blocked_relative": float(np.max(np.abs(sds - found.sds)[agree] / (found.sds[agree] + 1e-6))),
            "values_plain": float(np.nanmax(np.abs(np.array(plain()).T - found.values[:, : len(faces)]))),
        },
    }


def scale(films: int, turns: int) -> dict[str, object]:
    """Time per film for more and more films, of two threads, and the peak of memory."""
    ids, points, covariances = make_films(films)
    measurer = Measurer("all")

    def run(count: int, threads: int) -> object:
        found = measurer.over(
            points[:count], ids, spacing_mm=MM_PER_PX, covariances_px2=covariances[:count], threads=threads
        )
        return found.results.status[0, 0]  # and let go of the rest

    run(1000, 1)
    sizes = sorted({size for size in SIZES if size < films} | {films})
    cpus = []
    for size in sizes:
        repeat = max(turns, min(10, films // size))
        cpus.append(best([lambda size=size: run(size, 1)], repeat)[0])
    pairs = [
        best([lambda: run(films, 1), lambda: run(films, 2)], 1, time.perf_counter) for _ in range(turns)
    ]  # a slow moment of the machine weighs on both halves of its own pair
    wide = len(measurer.plan.program.roots) * films * (8 + 8 + 2)
    held = points.nbytes + covariances.nbytes + wide
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    per = {str(size): round(seconds / size * 1e6, 3) for size, seconds in zip(sizes, cpus, strict=True)}
    return {
        "films": films,
        "us_per_film_one_thread": per,
        "per_film_most_by_fewest": round(per[str(sizes[-1])] / per[str(sizes[0])], 2),
        "one_thread_wall_s": round(min(one for one, _ in pairs), 3),
        "two_threads_wall_s": round(min(two for _, two in pairs), 3),
        "wall_one_by_two_threads": round(statistics.median(one / two for one, two in pairs), 2),
        "input_and_output_mb": round(held / 1e6),
        "peak_memory_by_input_and_output": round(peak / held, 2),
    }


def one_film() -> dict[str, float]:
    ids, points, covariances = make_films(1)
    marks = cs.LandmarkSet(
        landmarks=tuple(
            cs.place_landmark(id, *place, covariance_px2=covariance)
            for id, place, covariance in zip(ids, points[0], covariances[0], strict=True)
        )
    )
    measurer = Measurer([measure.id for measure in load_analysis("all").measures if measure.formula][:40])
    calibration = cs.state_calibration(MM_PER_PX)
    (seconds,) = best([lambda: measurer(marks, calibration)], 300)
    walls, cpus = zip(*(first_call() for _ in range(5)), strict=True)
    return {
        "measures": 40,
        "us_warm": round(seconds * 1e6, 1),
        "first_call_wall_s": round(min(walls), 2),
        "first_call_cpu_s": round(min(cpus), 2),
    }


def first_call() -> tuple[float, float]:
    """Wall and CPU seconds from a fresh interpreter to its first measures, imports and planning included."""
    said = subprocess.run([sys.executable, "-c", FIRST_CALL], check=True, capture_output=True, text=True).stdout
    wall, cpu = map(float, said.split())
    return wall, cpu


def judge(found: dict[str, object]) -> dict[str, dict[str, object]]:
    """Every figure that has a limit, with it."""
    judged = {}
    for name, (path, sense, limit) in LIMITS.items():
        value = found
        for key in path:
            value = value[key]
        judged[name] = {"found": value, "limit": f"{sense} {limit:g}", "ok": (value >= limit) == (sense == ">=")}
    return judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=1_000_000, help="for scaling and memory")
    parser.add_argument("--compared", type=int, default=32_768, help="for the ratios")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    np.seterr(all="ignore")
    found = {
        "command": "python benchmarks/" + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "clock": "CPU time of the working thread, least of several turns; first call and two threads: wall time",
        "machine": machine(),
        "scaling": scale(options.films, options.turns),
        "one_film": one_film(),
        "compared": compare(options.compared, options.turns),
    }
    found["limits"] = judge(found)
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if options.check and not all(figure["ok"] for figure in found["limits"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
