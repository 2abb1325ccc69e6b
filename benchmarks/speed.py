"""First light as ratios, each pair measured alternately in one run, with absolute milliseconds beside.

Usage: speed.py [--repeat N] [--write FILE] [--check]

--write keeps the figures as JSON; --check exits 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

import cephstd as cs
from cephstd.inference.catalog import load_catalog
from cephstd.inference.contracts import output_names
from cephstd.inference.session import Session

sys.path.insert(0, str(Path(__file__).resolve().parent))
from suites import inputs

IMPORT_LIMIT_MS = 100.0
ANALYZER_LIMIT_RATIO = 1.5


def milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000.0


def alternate(
    first: Callable[[], object], second: Callable[[], object], repeat: int
) -> tuple[list[float], list[float]]:
    """Times of both, one after the other in turn, so that a slow moment of the machine meets both; ms."""
    first(), second()
    pairs = [(milliseconds(first), milliseconds(second)) for _ in range(repeat)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def python(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def import_cost(repeat: int) -> dict[str, float | bool]:
    with_import, bare = alternate(python("import cephstd"), python("pass"), repeat)
    difference = statistics.median(with_import) - statistics.median(bare)
    return {
        "import_ms": round(statistics.median(with_import), 1),
        "bare_python_ms": round(statistics.median(bare), 1),
        "difference_ms": round(difference, 1),
        "limit_ms": IMPORT_LIMIT_MS,
        "ok": difference <= IMPORT_LIMIT_MS,
    }


def analyzer_cost(repeat: int) -> dict[str, float | bool | str]:
    """A warm `Analyzer` on JPEG bytes against the two things that it cannot do without: decoding and the network."""
    jpeg = inputs.full_size_jpeg()
    data = np.frombuffer(jpeg, dtype=np.uint8)
    analyzer = cs.Analyzer(cs.Recipe(mm_per_px=0.1))
    catalog = load_catalog()
    entry = catalog.entry(cs.Recipe().model)
    session = Session(catalog.weights(entry))
    width, height = entry.input.size_px
    feed = {entry.input.name: np.zeros((1, 1, height, width), dtype=np.float32)}
    names = output_names(entry.output)

    def floor() -> None:
        cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        session.run(names, feed)

    whole, least = alternate(lambda: analyzer(jpeg, created=inputs.CREATED), floor, repeat)
    decode = [milliseconds(lambda: cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)) for _ in range(repeat)]
    # Medians of pairs: a slow moment weighs on both halves of its own pair.
    ratio = statistics.median(a / b for a, b in zip(whole, least, strict=True))
    return {
        "film": f"{inputs.FULL_SIZE[0]} x {inputs.FULL_SIZE[1]} JPEG, {len(jpeg)} bytes",
        "model": f"{entry.name} {entry.version}",
        "provider": session.provider,
        "analyzer_ms": round(statistics.median(whole), 1),
        "imdecode_and_session_run_ms": round(statistics.median(least), 1),
        "imdecode_ms": round(statistics.median(decode), 1),
        "ratio": round(ratio, 3),
        "limit_ratio": ANALYZER_LIMIT_RATIO,
        "ok": ratio <= ANALYZER_LIMIT_RATIO,
    }


def machine() -> dict[str, object]:
    packages = ("cephstd", "numpy", "onnxruntime", "opencv-python-headless", "numba")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": {name: metadata.version(name) for name in packages},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    found = {
        "machine": machine(),
        "repeat": options.repeat,
        "import": import_cost(options.repeat),
        "analyzer": analyzer_cost(options.repeat),
    }
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if options.check and not (found["import"]["ok"] and found["analyzer"]["ok"]) else 0


if __name__ == "__main__":
    sys.exit(main())
