from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cephstd.cli.app import main


@dataclass(frozen=True)
class Ran:
    """What one run of the command line left."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cephstd(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command line inside this process."""

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Ran(code=code, out=captured.out, err=captured.err)

    return run
