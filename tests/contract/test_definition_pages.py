"""The manual's pages on definitions hold every landmark, measure, norm and rule, and a drawing of each measure."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest

from cephstd.knowledge.loader import load_landmarks, load_measures
from cephstd.knowledge.norms import load_norm_sets
from cephstd.knowledge.rules import load_rule_sets

pytestmark = pytest.mark.source


@pytest.fixture
def pages(root, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("definition_pages", root / "ci" / "definition_pages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    # the pictures themselves are tests/unit/plot/test_drawings.py
    monkeypatch.setattr(module, "draw_png", lambda figure: b"")
    monkeypatch.setattr(module, "draw_measure", lambda id: id)
    module.write_definitions(tmp_path)
    return tmp_path / "definitions"


def test_pages_hold_every_definition(pages):
    text = {path.stem: path.read_text(encoding="utf-8") for path in pages.glob("*.md")}
    sections = [id for page in text.values() for id in re.findall(r"^## (\w+): ", page, re.M)]
    assert set(sections) == set(load_measures())
    drawn = [id for page in text.values() for id in re.findall(r"\(drawings/(\w+)\.png\)", page)]
    assert sorted(drawn) == sorted(id for id, measure in load_measures().items() if measure.formula)
    assert all((pages / "drawings" / f"{id}.png").is_file() for id in drawn)
    assert set(re.findall(r"^\| `(\w+)` \|", text["landmarks"], re.M)) == set(load_landmarks())
    assert re.findall(r"^## (\w+)$", text["norms"], re.M) == list(load_norm_sets())
    assert re.findall(r"^## (\w+)$", text["rules"], re.M) == list(load_rule_sets())
    assert set(text) - {"index"} == set(re.findall(r"^(\w+)$", text["index"].partition("toctree")[2], re.M))


def test_norms_say_that_nobody_has_checked_them(pages):
    rows = re.findall(r"^\| `[\w.-]+` \|.*\| (.*) \|$", (pages / "norms.md").read_text(encoding="utf-8"), re.M)
    assert set(rows) == {"unverified"}
