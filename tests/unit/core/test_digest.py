from __future__ import annotations

import hashlib
import hmac
import math

import numpy as np
import pytest

from cephstd.core.digest import canonical_bytes, digest_bytes, digest_pixels, digest_value, pseudonym
from cephstd.core.image import Calibration
from cephstd.errors import InputError


def test_digest_names_its_algorithm():
    assert digest_bytes(b"abc") == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_keys_are_sorted_and_whole_floats_are_written_as_integers():
    assert canonical_bytes({"b": 2.0, "a": [0.1, None, True]}) == b'{"a":[0.1,null,true],"b":2}'


def test_minus_zero_is_zero():
    assert canonical_bytes(-0.0) == b"0"


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32("nan"), 2**53])
def test_number_without_json_form_is_refused(value):
    with pytest.raises(InputError, match="canonical"):
        canonical_bytes({"value": value})


def test_object_that_is_no_data_is_refused_as_input_error():
    with pytest.raises(InputError, match="object"):
        canonical_bytes({"value": object()})


@pytest.mark.parametrize(
    ("scalar", "plain"), [(np.float32(0.5), 0.5), (np.float64(0.1), 0.1), (np.int64(7), 7), (np.bool_(True), True)]
)
def test_numpy_scalars_count_as_pythons(scalar, plain):
    assert canonical_bytes([scalar]) == canonical_bytes([plain])
    value = Calibration(basis="user_stated", row_mm=scalar)
    assert canonical_bytes(value) == canonical_bytes(Calibration(basis="user_stated", row_mm=plain))


def test_digest_of_pixels_covers_values_shape_and_dtype():
    base = np.arange(12, dtype=np.uint8).reshape(3, 4)
    others = [base.reshape(4, 3), base.astype(np.uint16), base + np.uint8(1)]
    assert len({digest_pixels(image) for image in [base, *others]}) == 4


def test_digest_of_pixels_ignores_memory_layout_and_byte_order():
    base = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert digest_pixels(np.asfortranarray(base)) == digest_pixels(base)
    assert digest_pixels(base.astype(">u2")) == digest_pixels(base)


def test_digest_of_pixels_is_written_down():
    image = np.array([[1, 2]], dtype=np.uint16)
    expected = hashlib.sha256(b"<u2:1x2:" + bytes([1, 0, 2, 0])).hexdigest()
    assert digest_pixels(image) == f"sha256:{expected}"


def test_digest_of_a_value_is_that_of_its_canonical_bytes():
    assert digest_value({"a": 1}) == digest_bytes(b'{"a":1}')


def test_pseudonym_is_a_keyed_hash_of_128_bits():
    key = b"0123456789abcdef"
    assert pseudonym(key, "Doe^Jane") == hmac.new(key, b"Doe^Jane", "sha256").hexdigest()[:32]
    assert pseudonym(key, "Doe^Jane") != pseudonym(b"another key of 16", "Doe^Jane")


def test_short_pseudonym_key_is_refused():
    with pytest.raises(InputError, match="16 bytes"):
        pseudonym(b"short", "Doe^Jane")
