"""Digests and the canonical bytes they cover (SHA-256 over RFC 8785 JSON)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import rfc8785

from cephstd.errors import InputError

PREFIX = "sha256:"
MAX_INTEGER = 2**53
LEAST_FIXED = 1e-4
"""Between these, Python and ECMAScript print a number alike."""


def digest_bytes(data: bytes | memoryview) -> str:
    """SHA-256 of `data` as ``sha256:<64 hex digits>``.

    >>> digest_bytes(b"")[:19]
    'sha256:e3b0c44298fc'
    """
    return PREFIX + hashlib.sha256(data).hexdigest()


def digest_pixels(pixels: npt.NDArray[Any]) -> str:
    """SHA-256 of an image: its dtype, its shape and its samples, little-endian, row by row."""
    little = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    head = f"{little.dtype.str}:{'x'.join(map(str, little.shape))}:".encode()
    state = hashlib.sha256(head)
    state.update(little.data)
    return PREFIX + state.hexdigest()


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 JSON of a msgspec value: one byte string for one content; numpy scalars count as Python's.

    >>> canonical_bytes({"b": np.float32(0.5), "a": [1.0, None]})
    b'{"a":[1,null],"b":0.5}'

    Raises
    ------
    InputError
        When the value holds NaN, infinity, an integer beyond 2**53 or an object that is no data: JSON has no honest
        form for them.
    """
    try:
        parts: list[str] = []
        _write(msgspec.to_builtins(value, enc_hook=_plain_scalar), parts.append)
        return "".join(parts).encode()
    except (rfc8785.CanonicalizationError, ValueError, TypeError) as error:
        raise InputError(f"The value has no canonical JSON form: {error}.") from error


def _write(value: Any, out: Callable[[str], None]) -> None:
    """RFC 8785 text of plain data; the library does the rest, at a quarter of the speed for the common kinds."""
    kind = type(value)
    if kind is str:
        out(encode_basestring(value))
    elif kind is dict:
        before = "{"
        # UTF-16 code units sort as characters do, but for those beyond 16 bit
        order = sorted(value) if all(map(str.isascii, value)) else sorted(value, key=_utf16)
        for key in order:
            out(f"{before}{encode_basestring(key)}:")
            _write(value[key], out)
            before = ","
        out("}" if order else "{}")
    elif kind is list or kind is tuple:
        before = "["
        for item in value:
            out(before)
            _write(item, out)
            before = ","
        out("]" if value else "[]")
    elif kind is float and value.is_integer() and -MAX_INTEGER < value < MAX_INTEGER:
        out(str(int(value)))
    elif kind is float and LEAST_FIXED <= abs(value) < MAX_INTEGER:
        out(repr(value))
    else:
        out(rfc8785.dumps(value).decode())


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not data")


def digest_value(value: Any) -> str:
    """Digest of the canonical bytes of a msgspec value."""
    return digest_bytes(canonical_bytes(value))


def pseudonym(secret: bytes, text: str) -> str:
    """Keyed pseudonym (HMAC-SHA-256, first 128 bits, hex) of an identifying `text`.

    The same text under the same key gives the same pseudonym; without the key it cannot be recomputed.

    Raises
    ------
    InputError
        When the key is shorter than 16 bytes.
    """
    check_key(secret)
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]


def check_key(secret: bytes) -> None:
    """Refuse a pseudonym key that could be guessed.

    Raises
    ------
    InputError
        When it is shorter than 16 bytes.
    """
    if len(secret) < 16:
        raise InputError(f"Expected a pseudonym key of at least 16 bytes, found {len(secret)}.")
