"""Memory of a batch, the run and its workers together, as films go by: it has to stay where it was early on.

Usage: batch_memory.py [--films N] [--early N] [--workers N] [--models DIR --model NAME] [--write FILE] [--check]

Films are small and drawn, each one once. A mark is the highest of the hundred films that end at it: rows of a record
file are held until it is full, so that memory goes up and down by as much. Nightly: --films 100000 --early 1000.
Reads /proc, so that it needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
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

RSS_LIMIT = 1.05
EVERY = 20
"""Films between two looks at memory."""
BEFORE_A_MARK = 100


def write_films(folder: Path, films: int) -> None:
    """Patterns with one bright pixel; a thousand to a folder."""
    y, x = np.mgrid[0:60, 0:48]
    for number in range(films):
        pixels = (100 + 40 * np.sin(x / 11 + number) + 40 * np.cos(y / 9 + number / 1000)).astype(np.uint8)
        pixels[20 + number % 20, 10 + number % 30] = 255
        place = folder / f"{number // 1000:03d}"
        place.mkdir(exist_ok=True)
        cv2.imwrite(str(place / f"{number:06d}.png"), pixels)


def processes_of(parent: int) -> dict[int, int]:
    """Resident bytes of a process and of those that it started, from /proc, by process."""
    page, parents, sizes = os.sysconf("SC_PAGE_SIZE"), {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            sizes[int(path.name)] = int((path / "statm").read_text().split()[1]) * page
        except OSError:
            continue
    found, ahead = {}, [parent]
    while ahead:
        process = ahead.pop()
        found[process] = sizes.get(process, 0)
        ahead += [child for child, above in parents.items() if above == process]
    return found


def watch(archive: Path, out: Path, *, recipe: Recipe, models: Path | None, workers: int) -> dict[int, tuple[int, int]]:
    """Bytes of the run, and of its workers together, by number of films that are done."""
    seen: dict[int, tuple[int, int]] = {}
    done = 0

    def tell(_: object) -> None:
        nonlocal done
        done += 1
        if done % EVERY == 0:
            sizes = processes_of(os.getpid())
            own = sizes.pop(os.getpid())
            seen[done] = own, sum(sizes.values())

    plan = plan_batch([archive], recipe=recipe)
    summary = run_batch(plan, out, clock=lambda: datetime.now(UTC), workers=workers, models=models, tell=tell)
    assert summary.counts["done"] == summary.films, summary.counts
    return seen


def compare(seen: dict[int, tuple[int, int]], early: int, late: int) -> dict[str, object]:
    """Both marks, in MiB, and their ratio: of the run, of its workers, and of all; each has to be flat."""
    found: dict[str, object] = {"early_film": early, "late_film": late, "limit_ratio": RSS_LIMIT}
    ratios: dict[str, float] = {}
    for name, size in (("run", lambda own, others: own), ("workers", lambda own, others: others), ("all", int.__add__)):
        marks = [
            max(size(*sizes) for film, sizes in seen.items() if mark - BEFORE_A_MARK < film <= mark)
            for mark in (early, late)
        ]
        found[f"{name}_mib"] = [round(mark / 2**20, 1) for mark in marks]
        ratios[f"{name}_ratio"] = round(marks[1] / marks[0], 3)
    return {**found, **ratios, "ok": all(ratio <= RSS_LIMIT for ratio in ratios.values())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=1000)
    parser.add_argument("--early", type=int, default=200, help="film that the last one is compared with")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--models", type=Path, help="folder with a manifest; default: the bundled models")
    parser.add_argument("--model", default=Recipe().model)
    parser.add_argument("--licence", default="", help="licence of its weights, to accept")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true", help="exit 1 where memory grew by more than the limit")
    options = parser.parse_args()
    accepted = (*Recipe().accepted_licences, *filter(None, [options.licence]))
    recipe = Recipe(model=options.model, mm_per_px=0.5, view_gate="report", accepted_licences=accepted)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "films"
        archive.mkdir()
        write_films(archive, options.films)
        seen = watch(archive, Path(place) / "out", recipe=recipe, models=options.models, workers=options.workers)
    found = {
        "films": options.films,
        "workers": options.workers,
        "model": options.model,
        "seconds": round(time.monotonic() - began),
        **compare(seen, options.early, options.films),
    }
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if options.check and not found["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
