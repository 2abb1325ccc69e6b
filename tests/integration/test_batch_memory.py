"""A batch takes no more memory at its thousandth film than at its two hundredth: neither the run nor its workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tiny_model import write_tiny_model

pytestmark = [pytest.mark.servers, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
TINY = ("--model", "tiny", "--licence", "Apache-2.0")


def measure(root: Path, folder: Path, *options: str) -> dict[str, object]:
    """What the benchmark says, in a process of its own, so that it is not weighed with the tests."""
    done = subprocess.run(
        [
            sys.executable,
            root / "benchmarks" / "batch_memory.py",
            "--models",
            write_tiny_model(folder),
            *TINY,
            *options,
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_at_a_thousand_films_is_that_at_two_hundred(root, tmp_path):
    found = measure(root, tmp_path, "--films", "1000", "--early", "200", "--workers", "2")
    assert found["ok"], found


@pytest.mark.parametrize("leaking", ["run", "workers"])
def test_a_leak_on_one_side_is_seen(root, monkeypatch, leaking):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    from batch_memory import EVERY, compare

    mib = 2**20
    steady = dict.fromkeys(range(EVERY, 1001, EVERY), (300 * mib, 750 * mib))
    assert compare(steady, 200, 1000)["ok"]
    # 20 or 50 KiB a film: 5 % of one side, less of all
    grown = {
        film: (run + film * mib // 50, workers) if leaking == "run" else (run, workers + film * mib // 20)
        for film, (run, workers) in steady.items()
    }
    assert not compare(grown, 200, 1000)["ok"]
