"""The manual specifies every member of a record, and names none that does not exist."""

from __future__ import annotations

import re

import pytest

import cephstd


@pytest.fixture(scope="module")
def page(root) -> str:
    return (root / "docs" / "record-format.md").read_text(encoding="utf-8")


def members() -> dict[str, set[str]]:
    """Object of the schema -> its members."""
    definitions = cephstd.record_schema()["$defs"]
    return {name: set(schema["properties"]) for name, schema in definitions.items() if "properties" in schema}


def test_every_member_is_specified(page):
    named = set(re.findall(r"`(\w+)`", page))
    assert {name: sorted(fields - named) for name, fields in members().items() if fields - named} == {}


def test_every_tag_of_a_step_is_specified(page):
    definitions = cephstd.record_schema()["$defs"]
    tags = {
        schema["properties"]["step"]["enum"][0] for schema in definitions.values() if "step" in schema["properties"]
    }
    assert tags
    assert {tag for tag in tags if f"| `{tag}` |" not in page} == set()


def test_tables_name_no_member_that_does_not_exist(page):
    known = set().union(*members().values())
    tables = re.findall(r"\| member \|.*?(?=\n\n)", page, re.S)
    rows = [row for table in tables for row in table.splitlines()[2:]]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert named
    assert [name for name in named if name not in known] == []
