"""Rules for committed files (ci/file_rules.py) hold, and each of them catches what it is for."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.source


@pytest.fixture(scope="module")
def rules(root: Path):
    spec = importlib.util.spec_from_file_location("file_rules", root / "ci" / "file_rules.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_rules_hold(rules, root):
    found = [line for name in rules.committed_files() for line in rules.breaches(name, (root / name).read_bytes())]
    assert found == []


# Put together from pieces, so that this file keeps the rules itself.
HOST = "files." + "pythonhosted" + ".org"
LOCAL = "/" + "home/somebody/film.dcm"
KEY = "-----BEGIN " + "PRIVATE KEY-----"
UNFINISHED = "TO" + "DO: later"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/page.md", f"see {HOST}"),
        ("tests/test_a.py", f'path = "{LOCAL}"'),
        ("key.txt", KEY),
        ("src/cephstd/core/a.py", f"# {UNFINISHED}"),
        ("src/cephstd/core/long.py", "x = 1\n" * 401),
        ("src/cephstd/core/utils.py", "x = 1\n"),
        ("docs/film.jpg", "pixels"),
        ("tests/films/film.dcm", "pixels"),
    ],
)
def test_breach_is_caught(rules, name, text):
    assert len(rules.breaches(name, text.encode())) == 1


def test_large_file_is_caught(rules):
    assert rules.breaches("models/big.onnx", b"\0" * (25 * 2**20 + 1))


@pytest.mark.parametrize("name", ["data/samples/film.dcm", "docs/images/overlay.png"])
def test_pictures_have_their_folders(rules, name):
    assert rules.breaches(name, b"\0pixels") == []


@pytest.mark.films
def test_no_real_film_is_committed(rules, root, shared_data):
    films = {hashlib.sha256(path.read_bytes()).digest() for path in shared_data.rglob("*") if path.is_file()}
    same = [name for name in rules.committed_files() if hashlib.sha256((root / name).read_bytes()).digest() in films]
    assert same == []
