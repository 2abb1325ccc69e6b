"""How the numeric loops are compiled: on first call, kept on disk where that can be written, in memory where not.

Numba's runtime is left out (``_nrt=False``): compiled code then cannot allocate, so it works in arrays that it is
given, and it does not count references to slices, which would cost more than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def inlined(function: _Function) -> _Function:
    """A part of a compiled function; it has no machine code of its own on disk."""
    made: _Function = njit(nogil=True, error_model="numpy", _nrt=False)(function)
    return made


def spliced(function: _Function) -> _Function:
    """A part that is copied into the function that calls it: for one of many arguments that is called often."""
    made: _Function = njit(nogil=True, error_model="numpy", _nrt=False, inline="always")(function)
    return made


def compiled(function: _Function) -> _Function:
    """Machine code of `function`, free of the interpreter's lock."""
    try:
        made: _Function = njit(nogil=True, cache=True, error_model="numpy", _nrt=False)(function)
    except RuntimeError:  # no folder for a cache can be written
        made = inlined(function)
    return made
