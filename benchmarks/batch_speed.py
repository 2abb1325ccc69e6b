"""An archive through `run_batch` beside what it cannot do without.

Usage: batch_speed.py [--films N] [--write FILE] [--check]

N scanned films (1935 x 2400 JPEG) with two workers, beside two loops of cv2.imdecode + session.run, one thread each,
that run at the same time; and beside the same films through the network in eager PyTorch, one at a time, where torch is
there. Start-up counts on all sides.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from cephstd.batch.planner import plan_batch
from cephstd.batch.runner import run_batch
from cephstd.core.recipe import Recipe
from cephstd.inference.catalog import load_catalog
from cephstd.inference.contracts import output_names
from cephstd.inference.session import Session

sys.path.insert(0, str(Path(__file__).resolve().parent))
from suites import inputs

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "isbi19.toml"  # of the default model
WORKERS = 2
LEAST_RATIO = 0.7


def write_archive(folder: Path, films: int) -> list[Path]:
    """The sample film, each time with other samples in a corner, so that no file is a copy of another."""
    small = cv2.imread(str(inputs.COMPOSITE_JPEG), cv2.IMREAD_GRAYSCALE)
    large = cv2.resize(small, inputs.FULL_SIZE, interpolation=cv2.INTER_CUBIC)
    paths = []
    for number in range(films):
        large[:8, :8] = number % 251
        large[8:16, :8] = number // 251
        paths.append(folder / f"{number:05d}.jpg")
        cv2.imwrite(str(paths[-1]), large, [cv2.IMWRITE_JPEG_QUALITY, 91])
    return paths


def batch_seconds(archive: Path, out: Path) -> float:
    recipe = Recipe(mm_per_px=inputs.MM_PER_PX)
    began = time.perf_counter()
    summary = run_batch(plan_batch([archive], recipe=recipe), out, clock=lambda: datetime.now(UTC), workers=WORKERS)
    assert summary.counts["done"] == summary.films, summary.counts
    return time.perf_counter() - began


def loop(paths: list[Path]) -> None:
    """The bare work: decode and run, one thread."""
    cv2.setNumThreads(1)
    catalog = load_catalog()
    entry = catalog.entry(Recipe().model)
    session = Session(catalog.weights(entry), device="cpu", threads=1)
    width, height = entry.input.size_px
    feed = {entry.input.name: np.zeros((1, 1, height, width), dtype=np.float32)}
    for path in paths:
        cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
        session.run(output_names(entry.output), feed)


def loops_seconds(paths: list[Path]) -> float:
    context = mp.get_context("spawn")
    began = time.perf_counter()
    processes = [context.Process(target=loop, args=(paths[k::WORKERS],)) for k in range(WORKERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return time.perf_counter() - began


def eager_seconds(paths: list[Path]) -> float | None:
    """The network of the model, untrained, as eager PyTorch with all threads, one film at a time."""
    try:
        import torch

        from cephstd.training.config import load_config
        from cephstd.training.network import Ensemble, HeatmapNetwork, LandmarkModel, PointDecoder
    except ModuleNotFoundError:
        return None
    config = load_config(CONFIG).config
    shape, points = config.network, len(config.data.landmarks)
    networks = Ensemble([HeatmapNetwork(points, shape.widths) for _ in range(config.data.folds)])
    model = LandmarkModel(networks, PointDecoder(shape.window_radius)).eval()
    image = torch.zeros((1, 1, shape.size_px[1], shape.size_px[0]))
    began = time.perf_counter()
    with torch.inference_mode():
        for path in paths:
            cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
            model(image)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=120)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        (top / "films").mkdir()
        paths = write_archive(top / "films", options.films)
        # Loops, batch, loops: what the machine does beside meets both.
        first, batch, second = loops_seconds(paths), batch_seconds(top / "films", top / "out"), loops_seconds(paths)
        eager = eager_seconds(paths)
    bare = (first + second) / 2
    ratio = bare / batch
    found = {
        "films": options.films,
        "batch_films_per_s": round(options.films / batch, 2),
        "two_loops_films_per_s": round(options.films / bare, 2),
        "ratio": round(ratio, 3),
        "limit_ratio": LEAST_RATIO,
        "eager_pytorch_films_per_s": None if eager is None else round(options.films / eager, 2),
        "batch_over_eager": None if eager is None else round(eager / batch, 3),
        "ok": ratio >= LEAST_RATIO and (eager is None or eager >= batch),
    }
    print(json.dumps(found, indent=2))
    if options.write:
        options.write.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if options.check and not found["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
