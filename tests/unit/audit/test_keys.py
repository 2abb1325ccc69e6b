from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cephstd.audit.keys import (
    Signer,
    load_signer,
    make_key,
    parse_public_key,
    read_public_key,
    signer_from_seed,
)
from cephstd.errors import InputError, SignatureInvalid

PASSPHRASE = b"a long passphrase"


def test_signature_is_that_of_rfc_8032():
    """Test 2 of RFC 8032, section 7.1."""
    made = signer_from_seed(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert made.public_key.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert made.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")


def test_key_file_is_encrypted_private_and_opens_again(tmp_path: Path):
    path = tmp_path / "clinic.key"
    public = make_key(path, PASSPHRASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    assert load_signer(path, PASSPHRASE).public_key == public == read_public_key(f"{path}.pub")


def test_two_keys_differ(tmp_path: Path):
    assert make_key(tmp_path / "a", PASSPHRASE) != make_key(tmp_path / "b", PASSPHRASE)


def test_no_key_is_overwritten_and_no_short_passphrase_taken(tmp_path: Path):
    make_key(tmp_path / "a", PASSPHRASE)
    with pytest.raises(InputError, match="cannot be made"):
        make_key(tmp_path / "a", PASSPHRASE)
    with pytest.raises(InputError, match="passphrase"):
        make_key(tmp_path / "b", b"short")


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_key_file_that_others_may_read_is_refused(tmp_path: Path):
    make_key(tmp_path / "a", PASSPHRASE)
    (tmp_path / "a").chmod(0o640)
    with pytest.raises(InputError, match="owner"):
        load_signer(tmp_path / "a", PASSPHRASE)


def test_wrong_passphrase_plain_file_and_no_key_are_refused(tmp_path: Path):
    make_key(tmp_path / "a", PASSPHRASE)
    plain = tmp_path / "plain"
    plain.touch(mode=0o600)
    pem, pkcs8, none = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    plain.write_bytes(Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(pem, pkcs8, none))
    other = tmp_path / "other"
    other.touch(mode=0o600)
    for path, passphrase, message in (
        (tmp_path / "a", b"another passphrase", "does not open"),
        (plain, PASSPHRASE, "plain"),
        (other, PASSPHRASE, "does not open"),
        (tmp_path / "none", PASSPHRASE, "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            load_signer(path, passphrase)


def test_device_that_holds_another_key_is_found_out(signer):
    device = Signer(signer("a").public_key, signer("b").callback)
    with pytest.raises(SignatureInvalid):
        device.sign(b"bytes")
    asked = []
    assert Signer(signer("a").public_key, lambda data: asked.append(data) or signer("a").sign(data)).sign(b"bytes")
    assert asked == [b"bytes"]


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 43 + "=", "ed25519:" + "A" * 42 + "B="]
)
def test_text_that_is_no_key_is_refused(text):
    with pytest.raises(InputError, match="ed25519:BASE64"):
        parse_public_key(text)


def test_unreadable_key_and_seed_are_input_errors(tmp_path: Path):
    with pytest.raises(InputError):
        read_public_key(tmp_path / "none")
    with pytest.raises(InputError, match="32 bytes"):
        signer_from_seed(b"short")
