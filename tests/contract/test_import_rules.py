"""Imports go one way; the rules are in pyproject.toml and import-linter reads the real graph."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.source


@pytest.fixture(scope="module")
def contracts(root: Path) -> list[dict]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def test_import_rules_hold(root):
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_package_is_in_the_layers(root, contracts):
    """A package that no layer names may import anything unseen."""
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    named = {name.strip(" ()") for layer in layers for name in re.split(r"[|:]", layer)}
    source = root / "src" / "cephstd"
    packages = {f"cephstd.{path.parent.name}" for path in source.glob("*/__init__.py")}
    modules = {f"cephstd.{path.stem}" for path in source.glob("*.py") if path.name != "__init__.py"}
    assert packages | modules <= named
