from __future__ import annotations

import msgspec
import pytest

from cephstd.audit import merkle
from cephstd.audit.checkpoints import (
    CHECKPOINT_TYPE,
    ConsistencyProof,
    Entry,
    InclusionProof,
    check_checkpoint,
    check_continuation,
    check_proof,
    check_tombstone,
    decode_consistency,
    decode_envelope,
    decode_proof,
    parse_digest,
    read_checkpoint,
    sign_checkpoint,
)
from cephstd.audit.envelope import wrap
from cephstd.audit.signer import sign_tombstone
from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.errors import LogInconsistent, NotCanonicalError, SchemaError, SignatureInvalid

AT = "2025-04-16T09:30:00Z"
replace = msgspec.structs.replace
ENTRIES = [
    Entry(kind="record", record_digest=digest_bytes(b"%d" % n), file_sha256=digest_bytes(b"f%d" % n), at=AT)
    for n in range(11)
]


def lookup_of(entries):
    leaves = [merkle.hash_leaf(entry.to_bytes()) for entry in entries]
    nodes = dict(merkle.grow(0, leaves, lambda level, position: b""))
    return lambda level, position: nodes[level, position]


TREE = lookup_of(ENTRIES)


def texts(path):
    return tuple("sha256:" + digest.hex() for digest in path)


@pytest.fixture
def trust(trusting):
    return trusting("log")


@pytest.fixture
def checkpoint(signer):
    return lambda size, name="north", tree=TREE: sign_checkpoint(
        name, size, merkle.root(size, tree), [signer("log")], at=AT
    )


@pytest.fixture
def proof(checkpoint):
    path = texts(merkle.inclusion_path(4, 11, TREE))
    return InclusionProof(entry=ENTRIES[4], index=4, path=path, checkpoint=checkpoint(11))


def test_proof_holds_and_shows_nothing_of_others(proof, trust):
    logged = check_proof(decode_proof(proof.to_bytes()), trust)
    assert (logged.entry, logged.index, logged.signer) == (ENTRIES[4], 4, "log")
    assert (logged.checkpoint.log, logged.checkpoint.size) == ("north", 11)
    others = [entry for entry in ENTRIES if entry != ENTRIES[4]]
    shown = proof.to_bytes().decode()
    assert not [e for e in others if e.record_digest[7:] in shown or e.file_sha256[7:] in shown]


@pytest.mark.parametrize(
    "change",
    [
        {"entry": ENTRIES[5]},
        {"entry": replace(ENTRIES[4], at="2025-04-16T09:30:01Z")},
        {"entry": replace(ENTRIES[4], kind="tombstone")},
        {"index": 5},
        {"path": texts(merkle.inclusion_path(5, 11, TREE))},
        {"path": ()},
    ],
)
def test_proof_of_another_entry_is_refused(proof, trust, change):
    with pytest.raises(LogInconsistent):
        check_proof(replace(proof, **change), trust)


def test_checkpoint_counts_by_a_trusted_key_of_a_log_in_its_time(checkpoint, trusting, signer):
    made = checkpoint(11)
    assert check_checkpoint(made, trusting("log"))[0].size == 11
    for trust in (
        trusting("other"),
        trusting("log", log_valid_until="2025-04-16T09:30:00Z"),
        trusting("log", log_valid_from="2025-04-16T09:30:01Z"),
        trusting("log", log_revoked_at="2025-05-01T00:00:00Z"),
    ):
        with pytest.raises(SignatureInvalid):
            check_checkpoint(made, trust)
    forged = sign_checkpoint("north", 11, merkle.root(10, TREE), [signer("log")], at=AT)
    with pytest.raises(SignatureInvalid):
        check_checkpoint(replace(made, payload=forged.payload), trusting("log"))


def test_continuation_holds_and_a_fork_does_not(checkpoint, trust, signer):
    other = lookup_of([*ENTRIES[:5], ENTRIES[6], ENTRIES[5], *ENTRIES[7:]])
    path = texts(merkle.consistency_path(7, 11, TREE))
    good = ConsistencyProof(first=checkpoint(7), second=checkpoint(11), path=path)
    first, second = check_continuation(decode_consistency(good.to_bytes()), trust)
    assert (first.size, second.size) == (7, 11)
    for bad in (
        replace(good, first=checkpoint(7, tree=other)),
        replace(good, second=checkpoint(11, tree=other)),
        replace(good, first=checkpoint(7, name="south")),
        replace(good, path=path[:-1]),
        replace(good, first=good.second, second=good.first),
    ):
        with pytest.raises(LogInconsistent):
            check_continuation(bad, trust)


@pytest.mark.parametrize("decode", [decode_envelope, decode_proof, decode_consistency])
def test_other_bytes_and_other_forms_are_refused(decode, checkpoint, proof):
    consistency = ConsistencyProof(first=checkpoint(7), second=checkpoint(11), path=())
    made = {decode_envelope: canonical_bytes(checkpoint(3)), decode_proof: proof.to_bytes()}
    data = made.get(decode, consistency.to_bytes())
    assert canonical_bytes(decode(data)) == data
    for other in (data + b" ", data[:-1], b"{}", b"\xff", data.replace(b'"sig":"', b'"sig":" ')):
        with pytest.raises((SchemaError, NotCanonicalError)):
            decode(other)


def test_payload_that_is_no_checkpoint_is_refused(checkpoint, signer):
    made = read_checkpoint(checkpoint(3))
    for payload, kind in (
        (made, "text/plain"),
        (replace(made, size=-1), CHECKPOINT_TYPE),
        (replace(made, root="sha256:0"), CHECKPOINT_TYPE),
        (replace(made, at="now"), CHECKPOINT_TYPE),
        ({"a": 1}, CHECKPOINT_TYPE),
    ):
        with pytest.raises(SchemaError):
            read_checkpoint(wrap(canonical_bytes(payload), kind, [signer("log")]))


def test_tombstone_says_what_was_destroyed_and_by_whom(signer, trusting):
    entry = ENTRIES[2]
    said = {"record_digest": entry.record_digest, "reason": "retention ended", "authority": "policy 7"}
    made = sign_tombstone(entry.file_sha256, **said, signers=[signer("log")], at=AT)
    assert check_tombstone(made, entry, trusting("log")) == said | {"signed_at": AT}
    with pytest.raises(SignatureInvalid):
        check_tombstone(made, entry, trusting("other"))
    with pytest.raises(LogInconsistent):
        check_tombstone(made, ENTRIES[3], trusting("log"))


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 64])
def test_text_that_is_no_digest_is_refused(text):
    with pytest.raises(NotCanonicalError):
        parse_digest(text)
