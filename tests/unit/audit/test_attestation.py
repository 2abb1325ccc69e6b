"""What a reader may conclude: who signed, whether that counts, and what the time rests on."""

from __future__ import annotations

import json

import msgspec
import pytest

from cephstd.audit.checkpoints import InclusionProof
from cephstd.audit.ledger import Ledger
from cephstd.audit.signer import add_signatures, add_timestamp, sign
from cephstd.audit.timestamps import request_timestamp
from cephstd.audit.verifier import (
    CLAIMED_TIME,
    LATER_ENTRIES,
    NO_LOG,
    NO_SIGNATURE,
    TRUST_AS_GIVEN,
    verify,
)
from cephstd.core.record import Record, seal
from cephstd.errors import InputError, LogInconsistent, SignatureInvalid

AT = "2025-04-16T09:31:00Z"
LATER = "2025-04-17T09:30:00Z"
replace = msgspec.structs.replace


@pytest.fixture
def signed(sealed, signer):
    return sign(sealed, [signer("a")], at=AT)


@pytest.fixture
def log(tmp_path):
    with Ledger(tmp_path / "log.sqlite", name="north") as made:
        yield made


@pytest.fixture
def proven(log, sealed, signed, signer) -> InclusionProof:
    log.append([(sealed, signed)], at=AT)
    return log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))


def resealed(record: Record) -> Record:
    """An edit by somebody who knows how to compute digests."""
    mark = replace(record.content.landmarks[0], x_px=3.0)
    return seal(replace(record.content, landmarks=(mark, *record.content.landmarks[1:])), record.run)


def test_signed_is_said_with_what_was_not_checked(sealed, signed, trusting):
    report = verify(sealed, trust=trusting("a"), signatures=signed.to_bytes())
    assert report.level == "signed"
    (by,) = report.signers
    assert (by.name, by.claimed.isoformat(), by.existed, by.basis) == (
        "a",
        "2025-04-16T09:31:00+00:00",
        None,
        "claimed",
    )
    assert {CLAIMED_TIME, NO_LOG, TRUST_AS_GIVEN} <= set(report.not_checked)
    assert NO_SIGNATURE not in report.not_checked


def test_logged_shows_a_time(sealed, signed, proven, trusting):
    report = verify(sealed, trust=trusting("a", "log"), signatures=signed, proof=proven.to_bytes(), require="logged")
    assert report.level == "logged"
    assert (report.logged.index, report.logged.checkpoint.log) == (0, "north")
    assert report.signers[0].existed.isoformat() == "2025-04-17T09:30:00+00:00"
    assert report.signers[0].basis == "checkpoint of north"
    assert LATER_ENTRIES in report.not_checked
    assert not {CLAIMED_TIME, NO_LOG} & set(report.not_checked)


def test_edit_and_reseal_is_intact_and_caught_by_trust(sealed, signed, signer, trusting):
    edited = resealed(sealed)
    assert verify(edited).level == "intact"
    with pytest.raises(SignatureInvalid, match="another record, or the same one altered"):
        verify(edited, trust=trusting("a"), signatures=signed)
    with pytest.raises(SignatureInvalid, match="No signatures were given"):
        verify(edited, trust=trusting("a"))
    with pytest.raises(SignatureInvalid, match="not in the trust file"):
        verify(edited, trust=trusting("a"), signatures=sign(edited, [signer("forger")], at=AT))


def test_edit_and_reseal_is_caught_by_a_proof(sealed, signed, signer, proven, trusting):
    edited = resealed(sealed)
    with pytest.raises(LogInconsistent, match="is about record"):
        verify(edited, trust=trusting("a", "log"), signatures=sign(edited, [signer("a")], at=AT), proof=proven)


def test_a_signature_of_another_hand_under_a_trusted_name_is_refused(sealed, signed, trusting, signer):
    forged = replace(
        signed,
        envelope=replace(
            signed.envelope,
            signatures=(replace(signed.envelope.signatures[0], keyid=signer("b").public_key.keyid),),
        ),
    )
    with pytest.raises(SignatureInvalid):
        verify(sealed, trust=trusting("a", "b"), signatures=forged)


def test_a_signature_cannot_be_taken_away_or_renamed(sealed, signer, trusting):
    both = sign(sealed, [signer("a"), signer("b")], at=AT)
    first, second = both.envelope.signatures
    renamed = replace(second, keyid="sha256:" + "0" * 64)
    for left in ((first,), (second,), (first, renamed)):
        with pytest.raises(SignatureInvalid, match="is gone"):
            verify(
                sealed,
                trust=trusting("a", "b"),
                signatures=replace(both, envelope=replace(both.envelope, signatures=left)),
            )
    later = add_signatures(sign(sealed, [signer("a")], at=AT), [signer("b")])
    with pytest.raises(SignatureInvalid, match="signed later"):
        verify(sealed, trust=trusting("a"), signatures=later)
    known = verify(sealed, trust=trusting("a", "b", b_uses="[]"), signatures=later)
    assert [signer.name for signer in known.signers] == ["a"]


def test_other_signatures_than_the_logged_ones_are_refused(sealed, signer, log, trusting):
    signed = sign(sealed, [signer("a")], at=AT)
    log.append([(sealed, signed)], at=AT)
    proven = log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))
    more = add_signatures(signed, [signer("b")])
    trust = trusting("a", "b", "log")
    with pytest.raises(LogInconsistent, match="other signatures"):
        verify(sealed, trust=trust, signatures=more, proof=proven)
    log.append([(sealed, more)], at=LATER)
    again = log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))
    assert len(verify(sealed, trust=trust, signatures=more, proof=again).signers) == 2


def test_threshold_asks_for_so_many(sealed, signed, signer, trusting):
    both = add_signatures(signed, [signer("b")])
    trust = trusting("a", "b", more="threshold = 2")
    assert len(verify(sealed, trust=trust, signatures=both).signers) == 2
    with pytest.raises(SignatureInvalid, match="1 of the 2"):
        verify(sealed, trust=trust, signatures=signed)
    assert verify(sealed, trust=trust, signatures=signed, require="intact").level == "intact"


def test_rotated_key_counts_in_its_time_alone(sealed, signer, trusting):
    trust = trusting("old", "new", old_valid_until="2025-05-01T00:00:00Z", new_valid_from="2025-05-01T00:00:00Z")
    for name, at, counts in (
        ("old", AT, True),
        ("old", "2025-05-01T00:00:00Z", False),
        ("new", AT, False),
        ("new", "2025-05-01T00:00:00Z", True),
    ):
        signatures = sign(sealed, [signer(name)], at=at)
        if counts:
            assert verify(sealed, trust=trust, signatures=signatures).signers[0].name == name
        else:
            with pytest.raises(SignatureInvalid, match="was not valid"):
                verify(sealed, trust=trust, signatures=signatures)


def test_time_that_is_shown_after_the_key_ended_is_the_signers_word(sealed, signed, proven, trusting):
    for until, basis in (("2025-04-17T00:00:00Z", "claimed"), ("2025-05-01T00:00:00Z", "checkpoint of north")):
        trust = trusting("a", "log", a_valid_until=until)
        assert verify(sealed, trust=trust, signatures=signed, proof=proven).signers[0].basis == basis


def test_revoked_key_needs_a_checkpoint_of_before(sealed, signed, proven, trusting):
    late = trusting("a", "log", a_revoked_at="2025-05-01T00:00:00Z")
    early = trusting("a", "log", a_revoked_at="2025-04-17T00:00:00Z")
    with pytest.raises(SignatureInvalid, match="its own word"):
        verify(sealed, trust=late, signatures=signed)
    assert verify(sealed, trust=late, signatures=signed, proof=proven).level == "logged"
    with pytest.raises(SignatureInvalid, match="revoked before"):
        verify(sealed, trust=early, signatures=signed, proof=proven)


def test_revoked_key_is_saved_by_no_checkpoint_of_other_signatures(sealed, signed, signer, log, trusting):
    """The log had the record before the revocation, unsigned: that says nothing of the signature."""
    log.append([sealed], at=AT)
    proof = log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))
    with pytest.raises(SignatureInvalid, match="its own word"):
        verify(sealed, trust=trusting("a", "log", a_revoked_at="2025-05-01T00:00:00Z"), signatures=signed, proof=proof)


def test_timestamp_of_a_trusted_authority_shows_the_time(sealed, signed, signer, authority, trusting):
    keyid = signer("a").public_key.keyid
    stamped = add_timestamp(signed, keyid, authority.answer(request_timestamp(signed.signature_of(keyid))))
    more = f'[[timestamp_authorities]]\nname = "own"\ncertificate = """{authority.certificate}"""'
    trust = trusting("a", more=more, a_revoked_at="2999-01-01T00:00:00Z")
    report = verify(sealed, trust=trust, signatures=stamped.to_bytes())
    assert report.signers[0].basis == "timestamp of own"
    assert CLAIMED_TIME not in report.not_checked
    with pytest.raises(SignatureInvalid, match="its own word"):
        verify(sealed, trust=trust, signatures=signed)
    with pytest.raises(SignatureInvalid, match="revoked before"):
        verify(sealed, trust=trusting("a", more=more, a_revoked_at="2025-05-01T00:00:00Z"), signatures=stamped)
    # the time of one signature cannot be lent to another
    lent = add_timestamp(
        add_signatures(signed, [signer("b")]), signer("b").public_key.keyid, authority.answer(request_timestamp(b"x"))
    )
    with pytest.raises(SignatureInvalid, match="no trusted authority"):
        verify(sealed, trust=trusting("a", "b", more=more), signatures=lent)
    # an authority that the reader does not know shows nothing
    assert verify(sealed, trust=trusting("a"), signatures=stamped).signers[0].basis == "claimed"


def test_signature_cannot_exist_before_it_was_made(sealed, signer, log, trusting):
    signatures = sign(sealed, [signer("a")], at="2025-04-18T00:00:00Z")
    log.append([(sealed, signatures)], at=AT)
    proof = log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))
    with pytest.raises(SignatureInvalid, match="before it was made"):
        verify(sealed, trust=trusting("a", "log"), signatures=signatures, proof=proof)


def test_what_is_required_and_absent_is_an_error(sealed, signed, trusting, signer, log):
    with pytest.raises(LogInconsistent, match="No proof"):
        verify(sealed, trust=trusting("a"), signatures=signed, require="logged")
    for given in ({"signatures": signed}, {"require": "signed"}, {"require": "logged"}, {"require": "sealed"}):
        with pytest.raises(InputError):
            verify(sealed, **given)


def test_logged_without_a_signature_is_not_logged(sealed, log, signer, trusting):
    log.append([sealed], at=AT)
    proof = log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))
    report = verify(sealed, trust=trusting("log"), proof=proof, require="intact")
    assert (report.level, report.logged.index) == ("intact", 0)
    assert NO_SIGNATURE in report.not_checked
    with pytest.raises(SignatureInvalid):
        verify(sealed, trust=trusting("log"), proof=proof, require="logged")


def test_destroyed_record_is_refused(sealed, signer, log, trusting):
    log.append([sealed], at=AT)
    log.bury(sealed.record_digest, reason="by law", authority="court", signers=[signer("log")], at=LATER)
    proof = log.prove(sealed.record_digest, log.checkpoint([signer("log")], at=LATER))
    with pytest.raises(LogInconsistent, match="destroyed"):
        verify(sealed, trust=trusting("log"), proof=proof, require="intact")


def test_statement_of_other_digests_is_refused(sealed, signed, signer, trusting):
    from cephstd.audit.envelope import wrap
    from cephstd.core.digest import canonical_bytes

    said = json.loads(signed.envelope.raw)
    said["predicate"]["record_digest"] = "sha256:" + "0" * 64
    told = replace(signed, envelope=wrap(canonical_bytes(said), signed.envelope.kind, [signer("a")]))
    with pytest.raises(SignatureInvalid, match="another record digest"):
        verify(sealed, trust=trusting("a"), signatures=told)
