from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cephstd.cli.app import main

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "integration"))
from film_files import encode
from tiny_model import write_tiny_model


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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder with four films of two sites, a tiny model and a recipe."""
    monkeypatch.chdir(tmp_path)
    for folder in ("models", "films/north", "films/south"):
        (tmp_path / folder).mkdir(parents=True)
    write_tiny_model(tmp_path / "models")
    for number in range(4):
        y, x = np.mgrid[0:60, 0:48]
        pixels = (100 + 40 * np.sin(x / 11 + number) + 40 * np.cos(y / 9)).astype(np.uint8)
        pixels[20 + number, 10 + number] = 255
        (tmp_path / "films" / ("north", "south")[number % 2] / f"{number}.png").write_bytes(encode(".png", pixels))
    (tmp_path / "recipe.toml").write_text(
        'model = "tiny"\nanalysis = "steiner"\nmm_per_px = 0.5\nview_gate = "report"\n'
        'accepted_licences = ["Apache-2.0"]\n'
    )
    return tmp_path
