from __future__ import annotations

import pytest

from cephstd.errors import RecordError
from cephstd.io.store import write_bytes


def test_bytes_are_written_and_replaced(tmp_path):
    path = tmp_path / "film.record.json"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "film.record.json"
    write_bytes(path, b"one")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RecordError, match="No space left"):
        write_bytes(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_absent_folder_is_told_without_its_name(tmp_path):
    with pytest.raises(RecordError) as caught:
        write_bytes(tmp_path / "Vorname" / "film.json", b"")
    assert "Vorname" not in str(caught.value)


def test_folder_in_place_of_the_file_is_told(tmp_path):
    with pytest.raises(RecordError):
        write_bytes(tmp_path, b"")
