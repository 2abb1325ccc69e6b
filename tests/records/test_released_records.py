"""Every record that a release has left behind verifies, and is the very file that was written then."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cephstd.audit.verifier import verify
from cephstd.core.digest import digest_bytes
from cephstd.errors import RecordError

RECORDS = Path(__file__).parent
PATHS = sorted(RECORDS.glob("*/*.record.json"))
NAMES = [path.relative_to(RECORDS).as_posix() for path in PATHS]


@pytest.fixture(params=PATHS, ids=NAMES)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_they_are_the_files_that_were_written_then():
    lines = (RECORDS / "digests.txt").read_text().splitlines()
    written = {name: digest for digest, name in (line.split() for line in lines)}
    assert {name: digest_bytes(path.read_bytes()) for name, path in zip(NAMES, PATHS, strict=True)} == written
    assert len(written) >= 3


def test_record_verifies_and_is_written_as_it_was_read(path):
    report = verify(path)
    assert report.level == "intact"
    assert report.record.to_bytes() == path.read_bytes()


def test_record_validates_against_the_shipped_schema(path):
    schema = json.loads((resources.files("cephstd.audit") / "cephstd.record-1.schema.json").read_bytes())
    Draft202012Validator(schema).validate(json.loads(path.read_bytes()))


def test_edited_record_is_refused(path, rng):
    data = path.read_bytes()
    for place in rng.integers(0, len(data), size=40):
        edited = bytearray(data)
        edited[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(RecordError):
            verify(bytes(edited))


def test_successor_names_its_predecessor():
    for folder in {path.parent for path in PATHS}:
        first, second = (verify(folder / f"{name}.record.json").record for name in ("model", "moved_by_hand"))
        assert second.content.previous == first.record_digest
        assert second.content.source == first.content.source
