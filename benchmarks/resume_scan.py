"""How long a batch takes to find that everything is done: 'cephstd batch' on a folder of films that all have records.

Usage: resume_scan.py [--films N] [--write FILE] [--check]

One small film is analysed; its record, with the digests of file and pixels of each of N small files, fills an output
folder through the library's own writers: records, register, map of paths, log, tables. Then the command runs as a user
runs it and has nothing to do. The whole command is timed, from the start of its process to its report; seconds of the
processor stand beside those of the clock, since they tell more on a machine that does other things, too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np

from cephstd.batch.register import PathRegister
from cephstd.batch.results import LOCAL, Results
from cephstd.batch.tables import write_failures, write_stale_tables
from cephstd.core.digest import digest_bytes
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record, seal
from cephstd.pipeline.analyzer import Analyzer

LIMIT_S = 20.0
FILMS_IN_A_FOLDER = 1000
COMMIT_FILMS = 1000
RECIPE = Recipe(analysis="wits", mm_per_px=0.5, view_gate="report")
RECIPE_TOML = 'analysis = "wits"\nmm_per_px = 0.5\nview_gate = "report"\n'


def one_film() -> bytes:
    rng = np.random.default_rng(3)
    return bytes(cv2.imencode(".png", rng.integers(20, 230, (60, 48), dtype=np.uint8))[1])


def of_another_file(record: Record, digest: str, byte_count: int) -> Record:
    source = msgspec.structs.replace(
        record.content.source, file_sha256=digest, pixel_sha256=digest_bytes(digest.encode()), byte_count=byte_count
    )
    return seal(msgspec.structs.replace(record.content, source=source), record.run)


def fill(top: Path, films: int) -> None:
    """Films below ``top/films``, and an output folder ``top/out`` in which each of them is done."""
    image = one_film()
    record = Analyzer(RECIPE)(image, created=datetime.now(UTC)).record
    local = top / "out" / LOCAL
    local.mkdir(parents=True)
    with closing(PathRegister(local)) as paths, closing(Results(top / "out")) as results:
        for number in range(films):
            # what stands behind the end of a PNG changes the file and not the picture
            data = image + number.to_bytes(4, "big")
            path = top / "films" / f"{number // FILMS_IN_A_FOLDER:03d}" / f"{number:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            digest, state = digest_bytes(data), path.stat()
            paths.keep(f"films/{path.relative_to(top / 'films')}", state.st_size, state.st_mtime_ns, digest)
            made = of_another_file(record, digest, len(data))
            results.append(made, site="unnamed", date="", attributes="")
            if number % COMMIT_FILMS == COMMIT_FILMS - 1:
                results.commit()
                write_stale_tables(results.folder, results.register, but=results.part)
        results.commit()
        paths.commit()
        write_stale_tables(results.folder, results.register)
        write_failures(results.folder, results.register)
    (top / "recipe.toml").write_text(RECIPE_TOML, encoding="utf-8")


def resume(top: Path, films: int) -> dict[str, float]:
    """Seconds of a run that finds every film done."""
    command = "batch films --recipe recipe.toml --out out --quiet"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "cephstd", *command.split()], cwd=top, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    statuses = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    assert statuses == ["kept"] * films, (done.stderr, len(statuses))
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"command_s": round(seconds, 2), "processor_s": round(used, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=100_000)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true", help="exit 1 where it takes longer than the limit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        fill(Path(place), options.films)
        filling = time.perf_counter() - began
        found = {"films": options.films, "filling_s": round(filling), **resume(Path(place), options.films)}
    found |= {"limit_s": LIMIT_S, "ok": found["command_s"] <= LIMIT_S}
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if options.check and not found["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
