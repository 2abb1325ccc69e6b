"""No single-byte edit, deletion, insertion or swap of an artefact changes what a reader is told without being refused.

Record, signatures, proof, checkpoint and the log's database are damaged one at a time; then either reading fails, or
the record, the signers, the order and the times come out exactly as before: a byte that means nothing was hit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cephstd.audit.checkpoints import check_checkpoint, decode_envelope
from cephstd.audit.keys import read_public_key, signer_from_seed
from cephstd.audit.ledger import Ledger
from cephstd.audit.log_store import LogStore
from cephstd.audit.trust import load_trust
from cephstd.audit.verifier import verify
from cephstd.errors import CephError

RECORDS = Path(__file__).parents[1] / "records" / "0.1.0"
ATTESTED = RECORDS / "attested"
FILES = {
    "record": (RECORDS / "without_scale_or_model.record.json").read_bytes(),
    "signatures": (ATTESTED / "without_scale_or_model.signatures.json").read_bytes(),
    "proof": (ATTESTED / "without_scale_or_model.proof.json").read_bytes(),
    "checkpoint": (ATTESTED / "late.checkpoint.json").read_bytes(),
}
STAMPED = {
    "record": (ATTESTED / "reviewed.record.json").read_bytes(),
    "signatures": (ATTESTED / "reviewed.signatures.json").read_bytes(),
}
TRUST = load_trust(ATTESTED / "trust.toml", root=read_public_key(ATTESTED / "root.pub"))
EDITS = ("edit", "delete", "insert", "swap")


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one byte edited, deleted, inserted, or two swapped."""
    kind = EDITS[int(rng.integers(len(EDITS)))]
    first, second = (int(place) for place in rng.integers(0, len(data), size=2))
    edited = bytearray(data)
    if kind == "edit":
        edited[first] ^= int(rng.integers(1, 256))
    elif kind == "delete":
        del edited[first]
    elif kind == "insert":
        edited.insert(first, int(rng.integers(256)))
    else:
        edited[first], edited[second] = edited[second], edited[first]
    return bytes(edited)


def told(**files: bytes) -> Any:
    """All that a reader is told by the files."""
    report = verify(files["record"], trust=TRUST, signatures=files["signatures"], proof=files.get("proof"))
    point = check_checkpoint(decode_envelope(files["checkpoint"]), TRUST) if "checkpoint" in files else None
    return report.record.to_bytes(), report.level, report.signers, report.logged, point


def refused_or_same(read: Callable[[], Any], before: Any) -> bool:
    """True when refused; fails when what is told has changed."""
    try:
        after = read()
    except CephError:
        return True
    assert after == before
    return False


@pytest.mark.parametrize("name", FILES)
def test_damaged_file_is_refused(name, rng, counts):
    before = told(**FILES)
    assert before[1] == "logged"
    for _ in range(counts(200, 4000)):
        damaged = damage(FILES[name], rng)
        if damaged != FILES[name]:
            files = FILES | {name: damaged}
            refused = refused_or_same(lambda: told(**files), before)  # noqa: B023 (called at once)
            assert refused, "a canonical file has no byte that means nothing"


def test_damaged_timestamp_is_refused_or_tells_the_same(rng, counts):
    """The token has parts that its own signature does not cover; they tell nothing."""
    before = told(**STAMPED)
    data = STAMPED["signatures"]
    start, record = data.index(b'"timestamps"'), verify(STAMPED["record"]).record
    for _ in range(counts(40, 400)):
        damaged = data[:start] + damage(data[start:], rng)

        def read(signatures: bytes = damaged) -> Any:
            report = verify(record, trust=TRUST, signatures=signatures)
            return report.record.to_bytes(), report.level, report.signers, report.logged, None

        refused_or_same(read, before)


def test_damaged_log_is_refused_or_tells_the_same(tmp_path, rng, counts):
    path = tmp_path / "log.sqlite"
    made = [verify(data).record for data in (FILES["record"], STAMPED["record"])]
    key = signer_from_seed(bytes(32))
    with Ledger(path, name="north") as log:
        log.append([*made, verify(RECORDS / "model.record.json").record], at="2025-04-16T09:30:00Z")
        said = {"reason": "law", "authority": "court", "at": "2025-04-17T09:30:00Z"}
        log.bury(made[0].record_digest, **said, signers=[key])
        held = log.checkpoint([key], at="2025-04-18T09:30:00Z")
    trust = load_trust(
        f'schema = "cephstd.trust/1"\n[[keys]]\nname = "log"\npublic_key = "{key.public_key}"\nuses = ["log"]\n'
        "valid_from = 2025-01-01T00:00:00Z".encode()
    )

    def read(where: Path) -> Any:
        with Ledger(where) as log:
            audited = log.audit([held], trust)
        store = LogStore(where)
        try:
            with store.reading() as session:
                return audited, session.rows(0, audited.size)
        finally:
            store.close()

    before, data = read(path), path.read_bytes()
    assert before[0].size == 4
    refused = 0
    for number in range(counts(160, 3600)):
        damaged = tmp_path / f"{number}.sqlite"
        damaged.write_bytes(damage(data, rng))
        refused += refused_or_same(lambda: read(damaged), before)  # noqa: B023 (called at once)
        for left in tmp_path.glob(f"{number}.sqlite*"):
            left.unlink()
    assert refused > 0
