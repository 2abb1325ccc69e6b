"""Ed25519 keys: made, kept encrypted in files of mode 0600, written as text, or held by a device behind a callback."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cephstd.errors import InputError, MissingExtraError, SignatureInvalid

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ImportError as error:
    raise MissingExtraError(
        "Signing and checking signatures need cryptography.", hint="pip install 'cephstd[sign]'"
    ) from error

ALGORITHM = "ed25519:"
MIN_PASSPHRASE_BYTES = 8
KEY_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key.

    Attributes
    ----------
    raw : bytes
        Its 32 bytes (RFC 8032).
    """

    raw: bytes

    @property
    def keyid(self) -> str:
        """``sha256:`` and the SHA-256 of the raw key in hex: what signatures name it by."""
        return "sha256:" + hashlib.sha256(self.raw).hexdigest()

    def __str__(self) -> str:
        return ALGORITHM + base64.b64encode(self.raw).decode()

    def check(self, signature: bytes, message: bytes) -> None:
        """Check an Ed25519 signature of `message`.

        Raises
        ------
        SignatureInvalid
            When it is none of this key.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureInvalid(f"A signature is not of key {self.keyid[:19]} over these bytes.") from error


def parse_public_key(text: str) -> PublicKey:
    """Public key from its text, ``ed25519:`` and 44 characters of base64.

    >>> parse_public_key("ed25519:" + "A" * 43 + "=").raw == bytes(32)
    True

    Raises
    ------
    InputError
        When it is another text.
    """
    try:
        raw = base64.b64decode(text.strip().removeprefix(ALGORITHM), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    key = PublicKey(raw)
    if len(raw) != 32 or str(key) != text.strip():
        raise InputError(
            f"Expected a public key as {ALGORITHM}BASE64, found {text.strip()!r:.60}.",
            hint="cephstd keygen prints public keys in this form.",
        )
    return key


def read_public_key(path: str | Path) -> PublicKey:
    """Public key from its file, which holds its text.

    Raises
    ------
    InputError
        When the file cannot be read or holds something else.
    """
    try:
        return parse_public_key(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The public key {path} cannot be read: {error}.") from error


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs bytes; where the private key lies is the matter of `callback`.

    Attributes
    ----------
    public_key : PublicKey
        What its signatures are checked with.
    callback : callable
        Bytes -> 64 bytes of Ed25519 signature: a key in memory, or a call of an HSM or KMS.
    """

    public_key: PublicKey
    callback: Callable[[bytes], bytes] = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Signature of `message`, checked before it is given out.

        Raises
        ------
        SignatureInvalid
            When what the callback gave is no signature of `public_key`: a device may hold another key.
        """
        signature = self.callback(message)
        self.public_key.check(signature, message)
        return signature


def signer_from_seed(seed: bytes) -> Signer:
    """Signer of the Ed25519 private key `seed`, its 32 bytes.

    Raises
    ------
    InputError
        When they are not 32.
    """
    try:
        return _signer(Ed25519PrivateKey.from_private_bytes(seed))
    except ValueError as error:
        raise InputError(f"Expected 32 bytes of private key, found {len(seed)}.") from error


def make_key(path: str | Path, passphrase: bytes) -> PublicKey:
    """Make a new key and keep it in a file of its own, encrypted, readable by its owner alone.

    Parameters
    ----------
    path : path
        New file; the public key's text goes beside it with ``.pub`` at the end.
    passphrase : bytes
        At least 8 bytes.

    Returns
    -------
    PublicKey

    Raises
    ------
    InputError
        When a file is there already, cannot be written, or the passphrase is short.

    Notes
    -----
    Chance enters here, and here alone: a private key comes from the operating system's generator.
    """
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise InputError(f"Expected a passphrase of at least {MIN_PASSPHRASE_BYTES} bytes, found {len(passphrase)}.")
    private = Ed25519PrivateKey.generate()
    public = _signer(private).public_key
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    _write_new(Path(path), pem, KEY_FILE_MODE)
    _write_new(Path(f"{path}.pub"), f"{public}\n".encode(), 0o644)
    return public


def load_signer(path: str | Path, passphrase: bytes) -> Signer:
    """Signer from a key file as `make_key` writes it.

    Raises
    ------
    InputError
        When the file cannot be read, others than its owner may read it, it is not encrypted, the passphrase is
        another, or it holds no Ed25519 key.
    """
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            pem = file.read()
    except OSError as error:
        raise InputError(f"The key file cannot be read: {error.strerror}.") from error
    if os.name == "posix" and mode & 0o077:
        raise InputError(f"Expected a key file that its owner alone may read, found mode {mode:o}.", hint="chmod 600")
    try:
        private = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        raise InputError("Expected an encrypted key file, found a plain one.", hint="Make keys with keygen.") from error
    except ValueError as error:
        raise InputError("The key file does not open: another passphrase, or no key file.") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError(f"Expected an Ed25519 key, found {type(private).__name__}.")
    return _signer(private)


def _signer(private: Ed25519PrivateKey) -> Signer:
    return Signer(PublicKey(private.public_key().public_bytes_raw()), private.sign)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"The key file {path} cannot be made: {error.strerror}.", hint="Name a new file.") from error
