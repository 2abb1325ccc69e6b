from __future__ import annotations

import os
import zipfile

import pytest

from cephstd.batch import identifier
from cephstd.batch.identifier import Identifier
from cephstd.batch.register import PathRegister
from cephstd.core.digest import digest_bytes
from cephstd.core.recipe import Budget


@pytest.fixture
def identify(tmp_path):
    paths = PathRegister(tmp_path)
    yield Identifier(paths)
    paths.close()


def test_file_is_read_once_until_it_changes(identify, tmp_path, monkeypatch):
    path = tmp_path / "film"
    path.write_bytes(b"one")
    assert identify(str(path), Budget()).file_sha256 == digest_bytes(b"one")
    read = []
    digest = identifier._digest_once
    monkeypatch.setattr(identifier, "_digest_once", lambda path: read.append(path) or digest(path))
    assert identify(str(path), Budget()).file_sha256 == digest_bytes(b"one")
    assert read == []
    path.write_bytes(b"three")
    assert identify(str(path), Budget()).file_sha256 == digest_bytes(b"three")
    assert len(read) == 1


def test_what_cannot_be_read_has_a_number_and_a_reason(identify, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "long").write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe")
    found = {
        name: identify(str(tmp_path / name), Budget(max_file_bytes=4)) for name in ("none", "empty", "long", "pipe")
    }
    assert {known.file_sha256 for known in found.values()} == {""}
    assert len({known.number for known in found.values()}) == 4
    codes = {name: known.error.code for name, known in found.items()}
    assert codes == {"none": "input", "empty": "corrupt_image", "long": "budget_exceeded", "pipe": "input"}
    assert identify("a\0b", Budget()).error.code == "input"
    assert not [known for known in found.values() if str(tmp_path) in str(known.error)]


def test_share_that_was_away_is_tried_again(identify, tmp_path, monkeypatch):
    path = tmp_path / "film"
    path.write_bytes(b"one")
    digest, waits = identifier._digest_once, [OSError(5, "away"), OSError(5, "away")]

    def read(name: str) -> str:
        if waits:
            raise waits.pop()
        return digest(name)

    monkeypatch.setattr(identifier, "_digest_once", read)
    monkeypatch.setattr(identifier, "FIRST_WAIT_S", 0.001)
    assert identify(str(path), Budget()).file_sha256 == digest_bytes(b"one")
    waits += [OSError(5, "away")] * 9
    path.write_bytes(b"another")
    assert "away" in str(identify(str(path), Budget()).error)


def test_member_of_an_archive_is_what_its_bytes_are(identify, tmp_path):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as packed:
        packed.writestr("a/film.dcm", b"one")
    path = str(tmp_path / "films.zip" / "a" / "film.dcm")
    assert identify(path, Budget()).file_sha256 == digest_bytes(b"one")
    assert identify(path, Budget()).number == 0
    assert identify(path[:-1], Budget()).error is not None
    assert identify(path + "x", Budget(max_file_bytes=2)).file_sha256 == ""
