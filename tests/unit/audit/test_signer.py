from __future__ import annotations

import base64
import hashlib
import json

import msgspec
import pytest

from cephstd.audit.envelope import Envelope, check_signature, wrap
from cephstd.audit.signer import (
    add_signatures,
    add_timestamp,
    check_file,
    decode_signatures,
    read_statement,
    sign,
    sign_file,
)
from cephstd.core.digest import canonical_bytes
from cephstd.errors import InputError, NotCanonicalError, SchemaError, SignatureInvalid

AT = "2025-04-16T11:30:00+02:00"
replace = msgspec.structs.replace


@pytest.fixture
def signed(sealed, signer):
    return sign(sealed, [signer("a"), signer("b")], at=AT)


def test_statement_names_the_stored_bytes_the_claimed_time_and_the_signers(sealed, signed, signer):
    statement = json.loads(signed.envelope.raw)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0]["digest"] == {"sha256": hashlib.sha256(sealed.to_bytes()).hexdigest()}
    assert statement["predicate"] == {
        "record_digest": sealed.record_digest,
        "result_digest": sealed.result_digest,
        "signed_at": "2025-04-16T09:30:00Z",
        "signers": [signer(name).public_key.keyid for name in "ab"],
    }


def test_envelope_is_that_of_dsse(signed, signer):
    """The pre-authentication encoding as the DSSE specification writes it."""
    kind, payload = b"application/vnd.in-toto+json", signed.envelope.raw
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    for name, signature in zip("ab", signed.envelope.signatures, strict=True):
        assert signature.keyid == signer(name).public_key.keyid
        signer(name).public_key.check(signature.raw, message)


def test_signatures_read_back(signed):
    assert decode_signatures(signed.to_bytes()) == signed


def test_a_further_signer_signs_the_same_statement(signed, signer):
    more = add_signatures(signed, [signer("c")])
    assert more.envelope.payload == signed.envelope.payload
    assert [s.keyid for s in more.envelope.signatures] == [signer(name).public_key.keyid for name in "abc"]
    check_signature(more.envelope, signer("c").public_key.keyid, signer("c").public_key)
    assert more.envelope.digest != signed.envelope.digest


def test_nobody_and_a_signer_twice_are_refused(sealed, signed, signer):
    for call in (
        lambda: sign(sealed, [], at=AT),
        lambda: sign(sealed, [signer("a"), signer("a")], at=AT),
        lambda: add_signatures(signed, [signer("a")]),
        lambda: sign(sealed, [signer("a")], at="2025-04-16T11:30:00"),
        lambda: add_timestamp(signed, signer("c").public_key.keyid, b"token"),
        lambda: add_timestamp(
            add_timestamp(signed, signer("a").public_key.keyid, b"t"), signer("a").public_key.keyid, b"t"
        ),
    ):
        with pytest.raises(InputError):
            call()


def test_another_key_or_payload_or_type_is_refused(signed, signer):
    envelope, keyid = signed.envelope, signer("a").public_key.keyid
    other = base64.b64encode(envelope.raw.replace(b"2025", b"2024")).decode()
    for changed, key in (
        (envelope, signer("b").public_key),
        (replace(envelope, payload=other), signer("a").public_key),
        (replace(envelope, kind="text/plain"), signer("a").public_key),
        (replace(envelope, signatures=()), signer("a").public_key),
        (replace(envelope, signatures=envelope.signatures * 2), signer("a").public_key),
    ):
        with pytest.raises(SignatureInvalid):
            check_signature(changed, keyid, key)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: data.replace(b'"timestamps":[]', b'"timestamps": []'),
        lambda data: data.replace(b',"timestamps":[]', b""),
        lambda data: data.replace(b"==", b"", 1),
        lambda data: data.replace(b'"sig":"', b'"sig":"\\n', 1),
        lambda data: data.replace(b'"timestamps":[]', b'"timestamps":[{"keyid":"sha256:0","token":""}]'),
    ],
)
def test_another_form_of_the_same_is_refused(signed, change):
    data = change(signed.to_bytes())
    assert data != signed.to_bytes()
    with pytest.raises((NotCanonicalError, SchemaError)):
        decode_signatures(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema":"cephstd.signatures/2"}', b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_signatures_are_refused(data):
    with pytest.raises(SchemaError):
        decode_signatures(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(_type="other"),
        lambda said: said.update(subject=[]),
        lambda said: said.update(subject=said["subject"] * 2),
        lambda said: said["predicate"].pop("signed_at"),
        lambda said: said["predicate"].update(signed_at="yesterday"),
    ],
)
def test_payload_that_is_no_statement_is_refused(signed, signer, change):
    said = json.loads(signed.envelope.raw)
    change(said)
    with pytest.raises(SchemaError):
        read_statement(wrap(canonical_bytes(said), signed.envelope.kind, [signer("a")]))
    with pytest.raises(SchemaError):
        read_statement(Envelope(payload="AAAA", kind="text/plain", signatures=()))


def test_a_signed_file_is_that_file_and_no_record(sealed, signed, signer):
    data, key = b"a trust file", signer("root").public_key
    signatures = sign_file(data, [signer("root")], at=AT).to_bytes()
    check_file(data, signatures, key)
    with pytest.raises(SignatureInvalid):
        check_file(data + b" ", signatures, key)
    with pytest.raises(SignatureInvalid):
        check_file(data, signatures, signer("a").public_key)
    with pytest.raises(SignatureInvalid, match="urn:cephstd:file:1"):
        check_file(sealed.to_bytes(), signed.to_bytes(), signer("a").public_key)
