from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """What one run of the installed command left."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(scope="session")
def command() -> Callable[..., Ran]:
    """Run ``python -m cephstd`` in a process of its own, with plain output."""

    def run(*arguments: object, stdin: bytes | None = None, timeout_s: float = 300) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "cephstd", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        )
        return Ran(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    return run
