"""The measurement kernel as ratios in one run, against the same measures by other means (see `compare`).

Usage: measurement.py [--films N] [--write FILE]

All 164 measures with standard deviations from one 2 x 2 covariance per point. Times are CPU seconds of the thread that
works, best of several turns taken alternately, because wall time on a busy machine says more about its other jobs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import cephstd as cs
from cephstd.geometry.measurer import Measurer
from cephstd.knowledge.loader import load_analysis, load_constructions
from cephstd.plot.face import FACE_MM

sys.path.insert(0, str(Path(__file__).resolve().parent))
from compare.numpy_measures import measure_blocked, measure_differenced
from compare.plain_python import Evaluator
from speed import machine

MM_PER_PX = 0.1
BLOCKS = (1024, 2048, 4096)
FIRST_CALL = """
import time
began = time.perf_counter()
import numpy as np, cephstd as cs
cs.measure_many(np.array([[[0.0, 0.0], [70.0, 0.0], [70.0, 60.0]]]), ("S", "N", "A"), "all", spacing_mm=1.0)
print(time.perf_counter() - began, time.process_time())
"""


def make_films(films: int, seed: int = 11) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Faces with jitter of about 1 mm, and a positive definite covariance for every point."""
    rng = np.random.default_rng(seed)
    base = np.array(list(FACE_MM.values())) + 60.0
    points = rng.standard_normal((films, *base.shape))
    points += base
    points /= MM_PER_PX
    roots = rng.uniform(1.0, 8.0, size=(films, len(base), 2))
    covariances = np.zeros((films, len(base), 2, 2))
    covariances[..., 0, 0], covariances[..., 1, 1] = roots[..., 0] ** 2, roots[..., 1] ** 2
    covariances[..., 0, 1] = covariances[..., 1, 0] = 0.4 * roots[..., 0] * roots[..., 1]
    return tuple(FACE_MM), points, covariances


def best(actions, turns: int) -> list[float]:
    """Least CPU seconds of each action, taken in turn."""
    least = [float("inf")] * len(actions)
    for _ in range(turns):
        for number, action in enumerate(actions):
            began = time.thread_time()
            action()
            least[number] = min(least[number], time.thread_time() - began)
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
    few = slice(0, min(films, 20_000))
    kernel_s, *blocked_s = best([kernel, *blocked], turns)
    (differenced_s,) = best(
        [lambda: measure_differenced(program, columns, points[few], covariances[few], MM_PER_PX)], 1
    )
    values, sds = blocked[-1]()
    agree = np.isfinite(found.sds)
    per = {"kernel": kernel_s / films, "numpy_blocked": min(blocked_s) / films, "numpy_differences": differenced_s}
    per["numpy_differences"] /= few.stop
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
        "wanted_ratio": {"numpy_blocked": 3.0, "numpy_differences": 10.0, "plain_python_values_only": 200.0},
        "largest_difference": {
            "values_blocked": float(np.nanmax(np.abs(values - found.values))),
            "sds_blocked_relative": float(np.max(np.abs(sds - found.sds)[agree] / (found.sds[agree] + 1e-6))),
            "values_plain": float(np.nanmax(np.abs(np.array(plain()).T - found.values[:, : len(faces)]))),
        },
    }


def scale(films: int) -> dict[str, object]:
    """Wall and CPU time of a tenth and of all films on one thread and on two, and the peak of memory."""
    ids, points, covariances = make_films(films)
    measurer = Measurer("all")
    out: dict[str, object] = {"films": films}
    for name, count, threads in (("tenth", films // 10, 1), ("one_thread", films, 1), ("two_threads", films, 2)):
        least = (float("inf"), float("inf"))
        for _ in range(2):
            began, cpu = time.perf_counter(), time.process_time()
            measurer.over(
                points[:count], ids, spacing_mm=MM_PER_PX, covariances_px2=covariances[:count], threads=threads
            )
            least = min(least[0], time.perf_counter() - began), min(least[1], time.process_time() - cpu)
        out[f"{name}_wall_s"], out[f"{name}_cpu_s"] = round(least[0], 3), round(least[1], 3)
    wide = len(measurer.plan.program.roots) * films * (8 + 8 + 2)
    held = points.nbytes + covariances.nbytes + wide
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    out["peak_memory_by_input_and_output"] = round(peak / held, 2)
    out["cpu_tenfold_for_ten_times_the_films"] = round(out["one_thread_cpu_s"] / out["tenth_cpu_s"], 2)
    out["wall_one_by_two_threads"] = round(out["one_thread_wall_s"] / out["two_threads_wall_s"], 2)
    return out


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
    said = subprocess.run([sys.executable, "-c", FIRST_CALL], check=True, capture_output=True, text=True).stdout
    wall, cpu = map(float, said.split())
    return {
        "measures": 40,
        "us_warm": round(seconds * 1e6, 1),
        "first_call_wall_s": round(wall, 2),
        "first_call_cpu_s": round(cpu, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=1_000_000, help="for scaling and memory")
    parser.add_argument("--compared", type=int, default=20_000, help="for the ratios")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    np.seterr(all="ignore")
    found = {
        "command": "python benchmarks/" + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "clock": "CPU time of the working thread, best of several turns; walls are on a machine with other jobs",
        "machine": machine(),
        "scaling": scale(options.films),
        "one_film": one_film(),
        "compared": compare(options.compared, options.turns),
    }
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
