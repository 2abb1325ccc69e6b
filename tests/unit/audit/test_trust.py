from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cephstd.audit.signer import sign_file
from cephstd.audit.trust import TrustedKey, load_trust
from cephstd.core.digest import digest_bytes
from cephstd.errors import DigestMismatch, InputError, NotCanonicalError, SchemaError, SignatureInvalid

AT = "2025-04-16T09:30:00Z"


def on(day: int) -> datetime:
    return datetime(2025, 4, day, tzinfo=UTC)


KEY = TrustedKey(name="clinic", public_key="", valid_from=on(10), valid_until=on(20))
REVOKED = TrustedKey(name="clinic", public_key="", valid_from=on(10), revoked_at=on(15))


def test_file_is_read_and_says_why_it_is_trusted(trust_text, signer, tmp_path: Path):
    text = trust_text("a", "b", more="threshold = 2")
    trust = load_trust(text)
    assert set(trust.keys) == {signer("a").public_key.keyid, signer("b").public_key.keyid}
    assert (trust.threshold, trust.basis) == (2, "")
    assert "pinned" in load_trust(text, pinned=digest_bytes(text)).basis
    path = tmp_path / "trust.toml"
    path.write_bytes(text)
    Path(f"{path}.signatures.json").write_bytes(sign_file(text, [signer("root")], at=AT).to_bytes())
    assert "root" in load_trust(path, root=signer("root").public_key).basis


def test_another_file_than_the_pinned_or_signed_one_is_refused(trust_text, signer):
    text, root = trust_text("a"), signer("root").public_key
    signatures = sign_file(text, [signer("root")], at=AT).to_bytes()
    with pytest.raises(DigestMismatch):
        load_trust(text, pinned=digest_bytes(b"other"))
    with pytest.raises(SignatureInvalid):
        load_trust(trust_text("b"), root=root, signatures=signatures)
    with pytest.raises(SignatureInvalid):
        load_trust(text, root=signer("a").public_key, signatures=signatures)
    with pytest.raises(SchemaError):
        load_trust(text, root=root, signatures=b"{}")
    with pytest.raises(SchemaError):
        load_trust(text, root=root)
    with pytest.raises(NotCanonicalError):
        load_trust(text, root=root, signatures=signatures + b" ")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + b"\nother = 1",
        lambda text: text.replace(b"cephstd.trust/1", b"cephstd.trust/2"),
        lambda text: text.replace(b"ed25519:", b"rsa:"),
        lambda text: text.replace(b"00:00:00Z", b"00:00:00"),
        lambda text: text + b"\nvalid_until = 7",
        lambda text: text.replace(b'"log"', b'"everything"'),
        lambda text: text.replace(b"threshold = 1", b"threshold = 2"),
        lambda text: text.replace(b"threshold = 1", b"threshold = 0"),
        lambda text: text + text[text.index(b"[[keys]]") :],
        lambda text: b"\xff",
        lambda text: b"= 1",
    ],
)
def test_file_that_does_not_fit_is_refused(trust_text, spoil):
    with pytest.raises(InputError):
        load_trust(spoil(trust_text("a", more="threshold = 1")))


def test_absent_file_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        load_trust(tmp_path / "none")


@pytest.mark.parametrize(
    ("key", "use", "claimed", "shown", "fault"),
    [
        (KEY, "records", 12, None, ""),
        (KEY, "records", 12, 13, ""),
        (KEY, "log", 12, None, "not for log"),
        (KEY, "records", 9, None, "not valid before"),
        (KEY, "records", 20, None, "not valid after"),
        (KEY, "records", 12, 20, ""),
        (REVOKED, "records", 12, 14, ""),
        (REVOKED, "records", 12, None, "its own word"),
        (REVOKED, "records", 12, 15, "revoked before"),
    ],
)
def test_when_a_key_counts(key, use, claimed, shown, fault):
    said = key.fault(use, on(claimed), on(shown) if shown else None)
    assert said == "" if not fault else fault in said
