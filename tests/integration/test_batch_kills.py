"""Processes of a batch are killed at random moments; what the last run leaves is what an undisturbed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cephstd.audit.ledger import Ledger
from cephstd.audit.verifier import verify

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from film_files import encode
from tiny_model import write_tiny_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")

FILMS = 24
RECIPE = (
    'model = "tiny"\nanalysis = "steiner"\nmm_per_px = 0.5\nview_gate = "report"\naccepted_licences = ["Apache-2.0"]\n'
)
FACTS_OF_A_RUN = ("created", "record_digest")
KEYS = {"films": ["image_id"], "landmarks": ["image_id", "landmark"], "measurements": ["image_id", "measure"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("kills")
    (top / "models").mkdir()
    write_tiny_model(top / "models")
    for number in range(FILMS):
        y, x = np.mgrid[0:60, 0:48]
        pixels = (100 + 40 * np.sin(x / 11 + number) + 40 * np.cos(y / 9)).astype(np.uint8)
        pixels[20 + number % 20, 10 + number % 30] = 255
        folder = top / "films" / f"site{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encode(".png", pixels))
    (top / "films" / "site0" / "cut.png").write_bytes(encode(".png", pixels)[:200])
    (top / "recipe.toml").write_text(RECIPE)
    return top


def start(place: Path, out: Path) -> subprocess.Popen[bytes]:
    command = "batch films --site-from folder --recipe recipe.toml --models models --workers 2 --quiet --out"
    return subprocess.Popen(
        [sys.executable, "-m", "cephstd", *command.split(), str(out)],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finish(run: subprocess.Popen[bytes]) -> None:
    _, said = run.communicate(timeout=120)
    assert run.returncode == 1, said.decode()  # one film is cut short


def workers_of(parent: int) -> list[int]:
    """Processes that a run started, and those that these started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            child = int(path.parent.name)
            found += [child, *workers_of(child)]
    return found


def table(out: Path, name: str) -> pl.DataFrame:
    found = pl.scan_parquet(out / "tables" / name / "**" / "*.parquet", hive_partitioning=True).collect()
    return found.drop(FACTS_OF_A_RUN, strict=False).sort(KEYS.get(name, ["image_id"]))


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Path:
    out = place / "undisturbed"
    finish(start(place, out))
    return out


def test_kills_lose_nothing_and_double_nothing(place, undisturbed, rng, counts):
    out = place / "disturbed"
    for number in range(counts(5, 100)):
        run = start(place, out)
        time.sleep(rng.uniform(0.5, 3.0))
        victims = workers_of(run.pid) if number % 2 and sys.platform == "linux" else []
        victim = int(rng.choice(victims)) if victims else run.pid
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            if victim != run.pid:
                finish(run)
            run.communicate(timeout=60)
    finish(start(place, out))
    lines = [line for path in sorted(out.glob("records/*.jsonl")) for line in path.read_bytes().splitlines()]
    films = Counter(verify(line).record.content.source.file_sha256 for line in lines)
    assert set(films.values()) == {1}
    assert len(films) == FILMS
    with Ledger(out / "log.sqlite") as log:
        assert log.audit().size == FILMS
        assert [len(log.find(verify(line).record.record_digest)) for line in lines] == [1] * FILMS
    for name in (*KEYS, "failures"):
        assert_frame_equal(table(out, name), table(undisturbed, name))
    finish(start(place, out))
    assert sum(len(path.read_bytes().splitlines()) for path in out.glob("records/*.jsonl")) == FILMS
