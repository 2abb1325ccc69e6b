"""Each promise is shown by tests that exist."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def table(root):
    spec = importlib.util.spec_from_file_location("requirement_table", root / "ci" / "requirement_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_requirement_names_tests_that_exist(table):
    assert table.problems(table.load_requirements()) == []


def test_numbers_have_no_gap(table):
    ids = [requirement["id"] for requirement in table.load_requirements()]
    assert ids == [f"R-{number:03d}" for number in range(1, len(ids) + 1)]


@pytest.mark.parametrize(
    "tests",
    [
        [],
        ["tests/contract/test_none.py"],
        ["tests/contract/test_requirements.py::test_that_nobody_wrote"],
    ],
)
def test_a_requirement_without_a_real_test_is_told(table, tests):
    assert table.problems([{"id": "R-001", "text": "A promise.", "tests": tests}])


def test_table_has_a_row_for_each(table):
    requirements = table.load_requirements()
    text = table.render(requirements)
    assert all(f"| {requirement['id']} | {requirement['text']} |" in text for requirement in requirements)
