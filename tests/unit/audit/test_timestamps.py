from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cephstd.audit.timestamps import read_timestamp, request_timestamp
from cephstd.errors import InputError, SignatureInvalid


@pytest.fixture(scope="module")
def reply(authority) -> bytes:
    return authority.answer(request_timestamp(b"a signature"))


def test_the_same_signature_gives_the_same_request():
    assert request_timestamp(b"a signature") == request_timestamp(b"a signature") != request_timestamp(b"another")


def test_answer_of_a_real_authority_shows_the_time(authority, reply):
    time = read_timestamp(reply, b"a signature", authority.certificate)
    assert time.tzinfo is UTC
    assert abs(datetime.now(UTC) - time) < timedelta(hours=1)


def test_answer_about_something_else_or_altered_or_of_another_is_refused(authority, reply, tmp_path):
    altered = bytearray(reply)
    altered[-3] ^= 1  # in the authority's own signature
    other = type(authority)(tmp_path)
    for token, signature, certificate in (
        (reply, b"another signature", authority.certificate),
        (bytes(altered), b"a signature", authority.certificate),
        (b"", b"a signature", authority.certificate),
        (reply, b"a signature", other.certificate),
    ):
        with pytest.raises(SignatureInvalid):
            read_timestamp(token, signature, certificate)


def test_certificate_that_is_none_is_an_input_error(reply):
    with pytest.raises(InputError):
        read_timestamp(reply, b"a signature", "no certificate")
