"""DSSE envelopes: bytes with the signatures over them, in one canonical form."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from cephstd.audit.keys import PublicKey, Signer
from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.errors import InputError, MissingExtraError, NotCanonicalError, SchemaError, SignatureInvalid

try:
    from securesystemslib.dsse import Envelope as Dsse
    from securesystemslib.exceptions import VerificationError as DsseError
    from securesystemslib.signer import Signature, SSlibKey
except ImportError as error:
    raise MissingExtraError(
        "Signing and checking signatures need securesystemslib.", hint="pip install 'cephstd[sign]'"
    ) from error

_Layout = TypeVar("_Layout", bound=msgspec.Struct)


class EnvelopeSignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature: which key made it, and its bytes in base64."""

    keyid: str
    sig: str

    @property
    def raw(self) -> bytes:
        """The signature's bytes."""
        return base64.b64decode(self.sig)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"kind": "payloadType"}):
    """A DSSE envelope: payload in base64, its type, its signatures.

    Attributes
    ----------
    payload : str
        Base64 of the bytes that are signed.
    kind : str
        Their type, ``payloadType`` in JSON; it is signed too.
    signatures : tuple of EnvelopeSignature
        Each over the same bytes, one for each key.
    """

    payload: str
    kind: str
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def raw(self) -> bytes:
        """The payload's bytes."""
        return base64.b64decode(self.payload)

    @property
    def digest(self) -> str:
        """Digest of the envelope's canonical bytes: of the payload and of these signatures."""
        return digest_bytes(canonical_bytes(self))


def wrap(payload: bytes, kind: str, signers: Iterable[Signer]) -> Envelope:
    """Sign `payload` with each of `signers`.

    Raises
    ------
    InputError
        When there is no signer, or one twice.
    SignatureInvalid
        When a signer's callback gives no signature of its key.
    """
    return _add(Dsse(payload, kind, {}), signers)


def countersign(envelope: Envelope, signers: Iterable[Signer]) -> Envelope:
    """The envelope with further signatures over the same bytes.

    Raises
    ------
    InputError
        When there is no signer, or one who signed already.
    SignatureInvalid
        When a signer's callback gives no signature of its key.
    """
    return _add(_dsse(envelope), signers)


def check_signature(envelope: Envelope, keyid: str, key: PublicKey) -> None:
    """Check the signature that names `keyid`.

    Raises
    ------
    SignatureInvalid
        When it is none of `key` over the envelope's type and payload.
    """
    trusted = SSlibKey(keyid, "ed25519", "ed25519", {"public": key.raw.hex()})
    try:
        _dsse(envelope).verify([trusted], 1)
    except (DsseError, ValueError) as error:
        raise SignatureInvalid(f"The signature of key {keyid[:19]} is not over these bytes.") from error


def decode_strictly(data: bytes, layout: type[_Layout], what: str) -> _Layout:
    """Value of canonical JSON bytes; anything else, by so much as a space, is refused.

    Raises
    ------
    SchemaError
        When the bytes are no `what`.
    NotCanonicalError
        When they are one and not in canonical form.
    """
    try:
        plain = json.loads(data)
        value = msgspec.convert(plain, layout)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise SchemaError(f"Expected {what}, found other bytes: {error}.") from error
    try:
        canonical = canonical_bytes(value)
    except InputError as error:
        raise NotCanonicalError(f"The {what} has no canonical form: {error}") from error
    if canonical != data:
        raise NotCanonicalError(f"The bytes are not the canonical form (RFC 8785) of {what}.")
    return value


def check_base64(envelope: Envelope, *others: str) -> None:
    """Check that payload and signatures, and `others`, are in the one base64 form of their bytes.

    Raises
    ------
    NotCanonicalError
        When they are not, e.g. with a line break: two texts would stand for the same bytes.
    """
    for text in (envelope.payload, *(signature.sig for signature in envelope.signatures), *others):
        try:
            same = base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
        except ValueError:
            same = False
        if not same:
            raise NotCanonicalError("A payload or signature is not in canonical base64.")


def _add(dsse: Dsse, signers: Iterable[Signer]) -> Envelope:
    pae, before = dsse.pae(), len(dsse.signatures)
    for signer in signers:
        keyid = signer.public_key.keyid
        if keyid in dsse.signatures:
            raise InputError(f"Key {keyid[:19]} has signed already.")
        dsse.signatures[keyid] = Signature(keyid, signer.sign(pae).hex())
    if len(dsse.signatures) == before:
        raise InputError("Expected a signer, found none.")
    return msgspec.convert(dsse.to_dict(), Envelope)


def _dsse(envelope: Envelope) -> Dsse:
    try:
        return Dsse.from_dict(msgspec.to_builtins(envelope))
    except (ValueError, KeyError) as error:
        raise SignatureInvalid(f"The envelope is none: {error}.") from error
