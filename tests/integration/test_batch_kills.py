"""Processes of a batch are killed at random moments; what the last run leaves is what an undisturbed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from cephstd.audit.ledger import Ledger
from cephstd.audit.verifier import verify

sys.path.insert(0, str(Path(__file__).parent))
from killed_batch import COMMAND, FILMS, KEYS, read_table, write_archive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive"))


def start(place: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cephstd", *COMMAND.split(), str(out)],
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
        assert_frame_equal(read_table(out, name), read_table(undisturbed, name))
    finish(start(place, out))
    assert sum(len(path.read_bytes().splitlines()) for path in out.glob("records/*.jsonl")) == FILMS
