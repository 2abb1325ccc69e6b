"""How the numeric loops are compiled: on first call, kept on disk where that can be written, in memory where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def inlined(function: _Function) -> _Function:
    """A part of a compiled function; it has no machine code of its own on disk."""
    made: _Function = njit(nogil=True, error_model="numpy")(function)
    return made


def compiled(function: _Function) -> _Function:
    """Machine code of `function`, free of the interpreter's lock."""
    try:
        made: _Function = njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder for a cache can be written
        made = inlined(function)
    return made
