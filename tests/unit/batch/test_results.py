from __future__ import annotations

import pytest

from cephstd.audit.ledger import Ledger
from cephstd.batch.results import LOG, Results, get_record, list_records, part_path
from cephstd.core.record import decode_record
from cephstd.errors import InputError, RecordError
from cephstd.pipeline.analyzer import Analyzer

FACTS = {"site": "north", "date": "", "attributes": ""}


@pytest.fixture
def records(archive, models, recipe, clock):
    analyzer = Analyzer(recipe, models=models, threads=1)
    return [analyzer(path, created=clock()).record for path in sorted(archive.glob("*/*.png"))[:4]]


@pytest.fixture
def out(tmp_path, records):
    folder = tmp_path / "out"
    results = Results(folder, part_records=2)
    for record in records[:3]:
        results.append(record, **FACTS)
    results.commit()
    results.close()
    return folder


def test_one_record_is_one_line_and_files_are_bounded(out, records):
    lines = [part_path(out, part).read_bytes().split(b"\n") for part in (1, 2)]
    assert lines == [[*(record.to_bytes() for record in records[:2]), b""], [records[2].to_bytes(), b""]]
    assert [decode_record(line) for line in lines[0][:2]] == records[:2]


def test_nothing_else_ends_in_jsonl(out):
    assert {path.parent.name for path in out.rglob("*.jsonl")} == {"records"}


def test_record_is_found_by_digest_and_by_film(out, records):
    for record in records[:3]:
        film = record.content.source.file_sha256.removeprefix("sha256:")
        for name in (record.record_digest, record.record_digest.removeprefix("sha256:")[:12], film[:16], film[:8]):
            assert get_record(out, name) == record.to_bytes()
    assert [place.record_digest for place in list_records(out)] == [record.record_digest for record in records[:3]]


def test_wrong_name_or_folder_is_one_sentence(out, tmp_path):
    with pytest.raises(InputError, match="6 or more characters"):
        get_record(out, "sha256:abc")
    with pytest.raises(InputError, match="found 0"):
        get_record(out, "f" * 16)
    with pytest.raises(InputError, match="output folder of a batch"):
        get_record(tmp_path, "f" * 16)
    assert not (tmp_path / "register.sqlite").exists()


def test_half_written_line_is_cut_off_and_written_again(out, records):
    with part_path(out, 2).open("ab") as file:
        file.write(records[3].to_bytes()[:-7])
    results = Results(out, part_records=2)
    assert results.recovered == 0
    results.append(records[3], **FACTS)
    results.commit()
    results.close()
    assert part_path(out, 2).read_bytes() == b"".join(record.to_bytes() + b"\n" for record in records[2:])


def test_whole_line_that_the_register_lacks_is_taken_up(out, records):
    with part_path(out, 2).open("ab") as file:
        file.write(records[3].to_bytes() + b"\n")
    results = Results(out, part_records=2)
    assert results.recovered == 1
    results.close()
    assert get_record(out, records[3].record_digest) == records[3].to_bytes()


def test_register_that_is_lost_is_made_again_from_the_records(out, records):
    (out / "register.sqlite").unlink()
    results = Results(out, part_records=2)
    assert results.recovered == 3
    results.close()
    assert [place.record_digest for place in list_records(out)] == [record.record_digest for record in records[:3]]


def test_what_was_appended_and_not_committed_is_not_doubled(out, records):
    results = Results(out, part_records=2)
    results.append(records[3], **FACTS)
    results.close()
    results = Results(out, part_records=2)
    assert (results.recovered, results.register.count()) == (1, 4)
    results.close()


def test_every_record_is_in_the_log_once(out, records, monkeypatch):
    results = Results(out, part_records=2)
    results.append(records[3], **FACTS)
    # as if a crash had come between the log and the register's note of it
    monkeypatch.setattr(results.register, "note_logged", lambda: None)
    results.commit()
    results.close()
    Results(out, part_records=2).close()
    with Ledger(out / LOG) as log:
        assert log.audit().size == 4
        assert [log.find(record.record_digest)[0].index for record in records] == [0, 1, 2, 3]


def test_records_that_are_missing_are_said(out):
    path = part_path(out, 1)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordError, match="records are missing"):
        Results(out)
    digest = next(iter(list_records(out))).record_digest
    path.unlink()
    with pytest.raises(RecordError, match="cannot be read"):
        get_record(out, digest)
