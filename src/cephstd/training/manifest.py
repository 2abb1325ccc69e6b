"""A catalog entry as the text of a manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cephstd.inference.catalog import ModelEntry


def entry_text(entry: ModelEntry) -> str:
    """The ``[[model]]`` table of an entry; what is empty is left out, as its default says the same.

    Parameters
    ----------
    entry : ModelEntry

    Returns
    -------
    str
        TOML that reads as the same entry.
    """
    return "[[model]]\n" + "\n".join(_lines(msgspec.json.decode(msgspec.json.encode(entry)), "model")) + "\n"


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    """Plain values first: in TOML whatever follows a table's head belongs to it."""
    kept = {key: value for key, value in table.items() if value not in (None, "", [], {})}
    tables = {key: value for key, value in kept.items() if _is_table(value)}
    yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in kept.items() if key not in tables)
    for key, value in tables.items():
        head, parts = ("[{}]", [value]) if isinstance(value, dict) else ("[[{}]]", value)
        for part in parts:
            yield ""
            yield head.format(f"{path}.{key}")
            yield from _lines(part, f"{path}.{key}")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))
