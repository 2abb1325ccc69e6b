"""Our writing of RFC 8785 is that of the library, to the byte and to the refusal."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cephstd.core.digest import canonical_bytes
from cephstd.errors import InputError

NUMBERS = st.floats() | st.integers() | st.floats(-1e4, 1e4) | st.integers(-(10**17), 10**17).map(float)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None)
@given(PLAIN)
@example({"\ufb33": 1, "\U0001f600": 2, "é": 3, "z": 4})  # UTF-16 sorts the second before the first
@example([1e21, 1e20, 123456789012345683968.0, 2.0**53, 2**53 - 1, -0.0, 1e-4, 9.99e-5, 1e-6, 1e-7, 5e-324, 1e16])
@example(['\x00\x1f\x7f\u2028"\\/\b\t\n\f\r'])
@example([{}, [], {"": []}])
def test_bytes_are_those_of_the_library(value):
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, ValueError):
        with pytest.raises(InputError):
            canonical_bytes(value)
    else:
        assert canonical_bytes(value) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", {"\ud800": 1}, object()])
def test_what_has_no_canonical_form_is_refused(value):
    for placed in (value, [value], {"a": value}):
        with pytest.raises(InputError):
            canonical_bytes(placed)
