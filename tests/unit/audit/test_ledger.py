"""The log on both databases; and, with a checkpoint held outside, every attack that it must show."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cephstd.audit.checkpoints import check_continuation, check_proof
from cephstd.audit.ledger import Ledger
from cephstd.audit.signer import sign
from cephstd.core.digest import digest_bytes
from cephstd.core.record import Record, seal
from cephstd.errors import InputError, LogInconsistent, RecordError, SignatureInvalid

AT = "2025-04-16T09:30:00Z"
LATER = "2025-04-17T09:30:00Z"
replace = msgspec.structs.replace


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "log.sqlite")
    else:
        yield request.getfixturevalue("postgres")()


@pytest.fixture
def log(where) -> Iterator[Ledger]:
    with Ledger(where, name="north") as made:
        yield made


@pytest.fixture
def records(sealed) -> Callable[..., list[Record]]:
    """Records that differ in their time, by number."""
    return lambda first, end: [
        seal(sealed.content, replace(sealed.run, created=f"2025-04-16T09:{n // 60:02d}:{n % 60:02d}Z"))
        for n in range(first, end)
    ]


@pytest.fixture
def mark(log, signer) -> Callable[[], object]:
    return lambda: log.checkpoint([signer("log")], at=LATER)


def test_what_was_appended_is_proven_in_any_later_log(log, records, mark, trusting, signer):
    made = records(0, 13)
    log.append(made[:1], at=AT)
    log.append([(record, sign(record, [signer("a")], at=AT)) for record in made[1:6]], at=AT)
    early = mark()
    log.append(made[6:], at=AT)
    late = mark()
    trust = trusting("log")
    for index, record in enumerate(made):
        logged = check_proof(log.prove(record.record_digest, late), trust)
        assert logged.index == index
        assert logged.entry.record_digest == record.record_digest
        assert logged.entry.file_sha256 == digest_bytes(record.to_bytes())
        assert bool(logged.entry.envelope) == (1 <= index < 6)
    assert check_proof(log.prove(made[3].record_digest, early), trust).checkpoint.size == 6
    with pytest.raises(InputError, match="does not hold"):
        log.prove(made[7].record_digest, early)
    first, second = check_continuation(log.prove_continuation(early, late), trust)
    assert (first.size, second.size) == (6, 13)
    audited = log.audit([early, late], trust)
    assert (audited.name, audited.size, len(audited.checkpoints)) == ("north", 13, 2)
    assert audited.root == second.root_hash


def test_a_record_enters_once_unless_it_is_signed_anew(log, records, signer):
    (record,) = records(0, 1)
    assert [item.new for item in log.append([record, record], at=AT)] == [True, False]
    assert [(item.index, item.new) for item in log.append([record], at=LATER)] == [(0, False)]
    assert log.append([(record, sign(record, [signer("a")], at=AT))], at=LATER)[0].index == 1
    assert (log.size, len(log.find(record.record_digest))) == (2, 2)
    assert log.append([], at=AT) == ()


def test_a_batch_is_appended_whole_or_not_at_all(log, records, monkeypatch):
    log.append(records(0, 3), at=AT)
    from cephstd.audit.log_store import Session

    def break_off(self, rows, nodes, size):
        add(self, rows, nodes, size)
        raise LogInconsistent("as if the power failed")

    add = Session.add
    monkeypatch.setattr(Session, "add", break_off)
    with pytest.raises(LogInconsistent):
        log.append(records(3, 9), at=AT)
    monkeypatch.undo()
    assert log.size == log.audit().size == 3
    log.append(records(3, 5), at=AT)
    assert log.audit().size == 5


def test_erasure_leaves_digest_and_signed_tombstone(log, records, mark, trusting, signer):
    made = records(0, 3)
    log.append(made, at=AT)
    before = mark()
    said = {"reason": "retention ended", "authority": "policy 7", "at": LATER}
    log.bury(made[1].record_digest, **said, signers=[signer("log")])
    assert [item.entry.kind for item in log.find(made[1].record_digest)] == ["record", "tombstone"]
    assert log.audit([before], trusting("log")).size == 4
    with pytest.raises(SignatureInvalid):
        log.audit(trust=trusting("other"))
    for digest, changed in (
        (made[1].record_digest, {}),
        (digest_bytes(b"none"), {}),
        (made[0].record_digest, {"reason": ""}),
        (made[0].record_digest, {"authority": ""}),
    ):
        with pytest.raises(InputError):
            log.bury(digest, **(said | changed), signers=[signer("log")])


def test_log_is_opened_again_by_its_name_alone(log, where, records):
    log.append(records(0, 2), at=AT)
    with Ledger(where) as again:
        assert (again.name, again.size) == ("north", 2)
    with pytest.raises(InputError, match="north"):
        Ledger(where, name="south")


def test_no_log_and_no_database_are_told(tmp_path):
    with pytest.raises(RecordError, match="no file"):
        Ledger(tmp_path / "none.sqlite")
    (tmp_path / "text").write_text("this is no database, though it is long enough to look like one" * 20)
    with pytest.raises(RecordError):
        Ledger(tmp_path / "text")
    with pytest.raises(RecordError):
        Ledger(tmp_path / "no folder" / "log", name="north")
    with pytest.raises(InputError):
        Ledger("nonsense://x")


# --- attacks: by somebody who may do anything with the database, against one who kept a checkpoint ------------------


def build(where: str | Path, entries: list[Record], at: str = AT) -> Ledger:
    made = Ledger(where, name="north")
    made.append(entries, at=at)
    return made


@pytest.fixture
def held(tmp_path, records, signer):
    """A checkpoint over eight records, kept outside."""
    with build(tmp_path / "honest.sqlite", records(0, 8)) as honest:
        return honest.checkpoint([signer("log")], at=LATER)


def test_honest_log_holds(tmp_path, records, held, trusting):
    with build(tmp_path / "same.sqlite", records(0, 8)) as same:
        same.append(records(8, 11), at=LATER)
        assert same.check([held], trusting("log"))[0].size == 8
        assert same.audit([held], trusting("log")).size == 11


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda records: records(0, 7), id="truncation"),
        pytest.param(lambda records: [*records(0, 3), *records(20, 21), *records(4, 8)], id="rewrite"),
        pytest.param(lambda records: [*records(0, 3), *records(20, 21), *records(4, 12)], id="rewrite and growth"),
        pytest.param(lambda records: [*records(0, 3), *records(4, 12)], id="removal"),
        pytest.param(lambda records: [*records(0, 2), *records(3, 4), *records(2, 3), *records(4, 8)], id="reordering"),
        pytest.param(lambda records: [*records(0, 2), *records(30, 31), *records(2, 8)], id="insertion"),
    ],
)
def test_a_whole_log_made_anew_is_detected(tmp_path, records, held, trusting, forge):
    """The forger recomputes every hash, so that the log is sound in itself; only the held checkpoint tells."""
    with build(tmp_path / "forged.sqlite", forge(records)) as forged:
        forged.audit()
        for look in (forged.check, forged.audit):
            with pytest.raises(LogInconsistent):
                look([held], trusting("log"))


def test_fork_is_detected(tmp_path, records, held, signer, trusting):
    """Two logs that begin alike and go on apart, each shown to another reader."""
    with build(tmp_path / "one.sqlite", records(0, 10)) as one, build(tmp_path / "two.sqlite", records(0, 8)) as two:
        two.append(records(40, 43), at=AT)
        shown = [made.checkpoint([signer("log")], at=LATER) for made in (one, two)]
        assert one.check([held]) == two.check([held])
        with pytest.raises(LogInconsistent, match="forked"):
            one.audit([replace(shown[1])]) if two.size <= one.size else two.audit([shown[0]])
        with pytest.raises(LogInconsistent):
            two.prove_continuation(*shown)


def test_replay_of_an_old_checkpoint_or_proof_is_detected(tmp_path, records, held, signer, trusting):
    """An old state shown as the present one: whoever holds a later checkpoint sees that entries are gone."""
    with build(tmp_path / "log.sqlite", records(0, 5)) as old:
        stale = old.checkpoint([signer("log")], at=AT)
        with pytest.raises(LogInconsistent, match="truncated"):
            old.check([held], trusting("log"))
        with pytest.raises(InputError):
            old.prove_continuation(held, stale)
        proof = old.prove(records(0, 1)[0].record_digest, stale)
    with pytest.raises(LogInconsistent):  # the old proof under the new checkpoint
        check_proof(replace(proof, checkpoint=held), trusting("log"))


STATEMENTS = {
    "an entry replayed at the end": """
        INSERT INTO entries SELECT 8, kind, record_digest, envelope || ' ', data, statement
        FROM entries WHERE position = 2
    """,
    "an entry's bytes": "UPDATE entries SET data = CAST(replace(data, '09:30', '09:31') AS BLOB) WHERE position = 2",
    "an entry removed": "DELETE FROM entries WHERE position = 2",
    "the last entry removed": "DELETE FROM entries WHERE position = 7",
    "two entries swapped": """
        UPDATE entries SET position = CASE position WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE position IN (2, 3);
        UPDATE entries SET position = -position WHERE position < 0
    """,
    "the size": "UPDATE head SET size = 7",
    "the size and the last entry": """
        UPDATE head SET size = 7; DELETE FROM entries WHERE position = 7;
        DELETE FROM nodes WHERE position = 7 AND level = 0
    """,
    "the name": "UPDATE head SET name = 'south'",
    "a leaf's hash": "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND position = 3",
    "an inner hash": "UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND position = 1",
    "a hash removed": "DELETE FROM nodes WHERE level = 2 AND position = 1",
    "a hash too many": "INSERT INTO nodes VALUES (7, 1, zeroblob(32))",
    "the name under which an entry is found": "UPDATE entries SET record_digest = 'sha256:0' WHERE position = 1",
    "a statement where there is none": "UPDATE entries SET statement = x'00' WHERE position = 1",
    "a number in place of bytes": "UPDATE entries SET data = 7 WHERE position = 1",
    "text in place of a hash": "UPDATE nodes SET hash = 'x' WHERE level = 0 AND position = 7",
    "a table gone": "DROP TABLE nodes",
}


@pytest.mark.parametrize("what", STATEMENTS)
def test_a_change_in_the_database_is_detected(tmp_path, records, held, trusting, what):
    path = tmp_path / "log.sqlite"
    build(path, records(0, 8)).close()
    with sqlite3.connect(path) as connection:
        connection.executescript(STATEMENTS[what])
    connection.close()
    with pytest.raises(RecordError), Ledger(path) as changed:
        changed.audit([held], trusting("log"))


def test_a_tombstone_changed_is_detected(tmp_path, records, trusting, signer):
    path = tmp_path / "log.sqlite"
    with build(path, records(0, 2)) as log:
        digest = records(0, 1)[0].record_digest
        log.bury(digest, reason="law", authority="court", signers=[signer("log")], at=LATER)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE entries SET statement = CAST(replace(statement, 'a', 'b') AS BLOB) WHERE position = 2"
        )
    connection.close()
    with Ledger(path) as changed, pytest.raises(LogInconsistent, match="tombstone"):
        changed.audit(trust=trusting("log"))


# --- many writers --------------------------------------------------------------------------------------------------


# A program of its own, not a function of this module: where only the wheel is installed, no child can import the tests.
WRITER = """
import sys
from cephstd.audit.ledger import Ledger
from cephstd.core.record import decode_record

where, at = sys.argv[1:]
made = [decode_record(line) for line in sys.stdin.buffer.read().splitlines()]
with Ledger(where, name="north") as log:
    for start in range(0, len(made), 3):
        log.append(made[start : start + 3], at=at)
"""


def test_concurrent_writers_lose_nothing_and_never_fork(where, records, counts, signer, trusting):
    writers, each = counts(3, 16), 12
    made = records(0, writers * each)
    command = [sys.executable, "-c", WRITER, where, AT]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(writers)]
    for n, process in enumerate(processes):
        assert process.stdin is not None
        with process.stdin as share:
            share.write(b"\n".join(record.to_bytes() for record in made[each * n : each * (n + 1)]))
    assert [process.wait(240) for process in processes] == [0] * writers
    with Ledger(where) as log:
        held = log.checkpoint([signer("log")], at=LATER)
        assert log.audit([held], trusting("log")).size == len(made)
        assert all(len(log.find(record.record_digest)) == 1 for record in made)
