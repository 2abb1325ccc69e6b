"""Processes of a batch are killed at random moments; what the last run leaves is what an undisturbed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from cephstd.audit.ledger import Ledger
from cephstd.audit.verifier import verify

sys.path.insert(0, str(Path(__file__).parent))
from killed_batch import COMMAND, FILMS, KEYS, read_table, write_archive

LONGEST_S = 600
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
    _, said = run.communicate(timeout=LONGEST_S)
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
def undisturbed(place: Path) -> tuple[Path, float]:
    """What a run leaves that nobody disturbs, and how many seconds it takes."""
    out, began = place / "undisturbed", time.monotonic()
    finish(start(place, out))
    return out, time.monotonic() - began


def read_lines(out: Path) -> list[bytes]:
    return [
        line for path in sorted(out.glob("records/*.jsonl")) for line in path.read_bytes().splitlines(keepends=True)
    ]


def is_complete(out: Path) -> bool:
    """Whether every film has its record, so that a further kill would hit a run that has nothing to do."""
    return sum(line.endswith(b"\n") for line in read_lines(out)) == FILMS


def kill_once(place: Path, out: Path, wait_s: float, rng: np.random.Generator, *, worker: bool) -> bool:
    """Start a run and kill it, or a process that it started, after a while; false when it had ended by then."""
    run = start(place, out)
    with suppress(subprocess.TimeoutExpired):
        run.wait(wait_s)
    if run.poll() is not None:
        run.communicate()
        return False
    victims = workers_of(run.pid) if worker and sys.platform == "linux" else []
    victim = int(rng.choice(victims)) if victims else run.pid
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    if victim == run.pid:
        run.communicate(timeout=LONGEST_S)
    else:
        finish(run)
    return True


def check_nothing_is_lost_or_doubled(out: Path, undisturbed: Path) -> None:
    records = [verify(line.rstrip()).record for line in read_lines(out)]
    films = Counter(record.content.source.file_sha256 for record in records)
    assert set(films.values()) == {1}
    assert len(films) == FILMS
    with Ledger(out / "log.sqlite") as log:
        assert log.audit().size == FILMS
        assert [len(log.find(record.record_digest)) for record in records] == [1] * FILMS
    for name in (*KEYS, "failures"):
        assert_frame_equal(read_table(out, name), read_table(undisturbed, name))


def test_kills_lose_nothing_and_double_nothing(place, undisturbed, rng, counts):
    """Parent and a process of its in turn, at any moment of a run; a new folder where the last one is complete."""
    alone, seconds = undisturbed
    kills, folders, wanted = 0, 0, counts(5, 100)
    while kills < wanted:
        out = place / f"disturbed-{folders}"
        folders += 1
        while kills < wanted and not is_complete(out):
            kills += kill_once(place, out, rng.uniform(0.0, seconds), rng, worker=kills % 2 == 1)
        finish(start(place, out))
        check_nothing_is_lost_or_doubled(out, alone)
    finish(start(place, out))
    assert len(read_lines(out)) == FILMS
