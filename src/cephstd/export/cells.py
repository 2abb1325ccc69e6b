"""Text in cells of CSV: a spreadsheet runs one that begins with ``=``, ``+``, ``-`` or ``@`` as a formula."""

from __future__ import annotations

from typing import TypeVar

FORMULA = ("=", "+", "-", "@", "\t", "\r")
GUARD = "'"
_Cell = TypeVar("_Cell")


def guard_cell(cell: _Cell) -> _Cell | str:
    r"""The cell, with an apostrophe in front where a spreadsheet would take the text for a formula.

    Numbers stay as they are, negative ones too. `bare_cell` takes the apostrophe away.

    Examples
    --------
    >>> guard_cell("=HYPERLINK(1)"), guard_cell("S_N"), guard_cell(-1.5)
    ("'=HYPERLINK(1)", 'S_N', -1.5)
    """
    return GUARD + cell if isinstance(cell, str) and _is_formula(cell) else cell


def bare_cell(text: str) -> str:
    """The text that `guard_cell` was given.

    Examples
    --------
    >>> bare_cell(guard_cell("'=1")), bare_cell("'quoted'")
    ("'=1", "'quoted'")
    """
    return text[1:] if text.startswith(GUARD) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    # a text that begins with apostrophes and goes on as a formula gets one more, so that each can be read back
    return text.lstrip(GUARD).startswith(FORMULA)
