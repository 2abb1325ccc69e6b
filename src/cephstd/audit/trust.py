"""Whom a reader trusts: keys with their times of validity and revocation, in a file that is itself pinned or signed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from cephstd.audit.keys import PublicKey, parse_public_key
from cephstd.core.digest import digest_bytes
from cephstd.errors import DigestMismatch, InputError

SCHEMA = "cephstd.trust/1"
Use = Literal["records", "log"]


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key and what its signatures count for.

    Attributes
    ----------
    name : str
        Whose key it is, as a reader should see it.
    public_key : str
        ``ed25519:`` and base64.
    uses : tuple of str
        ``records``: its signatures on records count; ``log``: on checkpoints and tombstones.
    valid_from, valid_until : datetime
        Signatures from `valid_from` up to but not at `valid_until` count; None = no end. A key and its replacement
        stand side by side: that is how keys rotate.
    revoked_at : datetime or None
        From then on, no signature counts, and an earlier one only where its time is shown by others.
    reason : str
        Why it was revoked.
    """

    name: str
    public_key: str
    uses: tuple[Use, ...] = ("records",)
    valid_from: datetime
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""

    def fault(self, use: Use, claimed: datetime, shown: datetime | None) -> str:
        """Why a signature does not count; empty when it does.

        Parameters
        ----------
        use : str
            What was signed.
        claimed : datetime
            When, by the signer's word.
        shown : datetime or None
            A time at which the signature existed, by a timestamp or a checkpoint; None when there is only the word.
        """
        if use not in self.uses:
            return f"the key of {self.name} is not for {use}"
        if claimed < self.valid_from:
            return f"the key of {self.name} was not valid before {self.valid_from.isoformat()}"
        if self.valid_until is not None and claimed >= self.valid_until:
            return f"the key of {self.name} was not valid after {self.valid_until.isoformat()}"
        if self.revoked_at is None:
            return ""
        if shown is None:
            return f"the key of {self.name} is revoked, and that it signed before rests on its own word"
        return f"the key of {self.name} was revoked before" if shown >= self.revoked_at else ""


class Authority(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time-stamping authority: its name and its root certificate as PEM."""

    name: str
    certificate: str


class _Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: Literal["cephstd.trust/1"]
    keys: tuple[TrustedKey, ...]
    threshold: int = 1
    timestamp_authorities: tuple[Authority, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A trust file that was read.

    Attributes
    ----------
    keys : mapping of str to TrustedKey
        By keyid.
    threshold : int
        So many signatures of different keys a record needs.
    authorities : tuple of Authority
        Whose timestamps count.
    digest : str
        Of the file's bytes.
    basis : str
        Why the file itself is trusted, for a reader; empty when it was taken as given.
    """

    keys: Mapping[str, TrustedKey]
    threshold: int
    authorities: tuple[Authority, ...]
    digest: str
    basis: str = ""

    def public_key(self, keyid: str) -> PublicKey:
        """The key's bytes."""
        return parse_public_key(self.keys[keyid].public_key)


def load_trust(
    source: str | Path | bytes,
    *,
    pinned: str | None = None,
    root: PublicKey | None = None,
    signatures: bytes | None = None,
) -> Trust:
    """Read a trust file, and check that it is the pinned one or signed by a root.

    Parameters
    ----------
    source : path or bytes
        TOML, see the manual's page on signatures.
    pinned : str, optional
        ``sha256:`` digest that the file must have.
    root : PublicKey, optional
        Key that must have signed the file.
    signatures : bytes, optional
        That signature's file; default: beside the trust file, with ``.signatures.json`` at the end.

    Returns
    -------
    Trust

    Raises
    ------
    InputError
        When the file cannot be read or does not fit its schema.
    DigestMismatch
        When it is not the pinned one.
    SignatureInvalid
        When the root has not signed it.
    """
    data = _read(source)
    digest = digest_bytes(data)
    basis = ""
    if pinned is not None:
        if digest != pinned:
            raise DigestMismatch(f"The trust file is {digest}, the pinned one is {pinned}.")
        basis = "pinned by its digest"
    if root is not None:
        from cephstd.audit.signer import check_file

        if signatures is None and not isinstance(source, bytes):
            signatures = _read(Path(f"{source}.signatures.json"))
        check_file(data, signatures or b"", root)
        basis = f"signed by root {root.keyid[:19]}"
    return _parse(data, digest, basis)


def _parse(data: bytes, digest: str, basis: str) -> Trust:
    try:
        layout = msgspec.convert(tomllib.loads(data.decode("utf-8")), _Layout)
    except (ValueError, msgspec.ValidationError) as error:
        raise InputError(f"The trust file does not fit {SCHEMA}: {error}.") from error
    keys = {parse_public_key(key.public_key).keyid: key for key in layout.keys}
    if len(keys) < len(layout.keys):
        raise InputError("The trust file lists a key twice.", hint="Give one key one span of validity.")
    for key in layout.keys:
        if any(
            moment is not None and moment.tzinfo is None for moment in (key.valid_from, key.valid_until, key.revoked_at)
        ):
            raise InputError(f"The times of the key of {key.name} lack a zone.", hint="Write 2025-04-16T09:30:00Z.")
    if not 1 <= layout.threshold <= max(1, len(keys)):
        raise InputError(f"Expected a threshold of 1 to {len(keys)}, found {layout.threshold}.")
    return Trust(
        keys=keys, threshold=layout.threshold, authorities=layout.timestamp_authorities, digest=digest, basis=basis
    )


def _read(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}.") from error
