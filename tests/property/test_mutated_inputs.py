"""Damaged films of every format are read or refused in words: never another error, a dead process, a long wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 100_000 if os.environ.get("CEPHSTD_COUNTS") == "full" else 1_000
SEED = 20_150_416


@pytest.mark.skipif(sys.platform == "win32", reason="limits a child process by POSIX means")
def test_mutants_of_every_format():
    child = Path(__file__).with_name("mutants.py")
    done = subprocess.run([sys.executable, child, str(SEED), str(COUNT)], capture_output=True, text=True, check=False)
    last = "\n".join(done.stderr.splitlines()[-15:])
    assert done.returncode == 0, f"the child ended with {done.returncode} at: {last}"
    found = json.loads(done.stdout)
    assert sum(found["outcomes"].values()) == COUNT
    assert found["outcomes"]["read"] < COUNT
    assert found["slowest_s"] <= 10
    assert found["peak_bytes"] <= 2**30
