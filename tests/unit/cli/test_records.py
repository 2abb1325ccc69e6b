from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cephstd.cli.records import record_of


def test_a_file_that_is_no_record_is_exit_6(tmp_path: Path, cephstd: Any) -> None:
    path = tmp_path / "film.record.json"
    path.write_text('{"schema": "other/1"}')
    ran = cephstd("verify", path)
    assert ran.code == 6
    assert ran.json["status"] == "failed"
    assert ran.json["error"]["code"] == "schema"
    assert "cephstd.record/1" in ran.err


def test_an_absent_record_is_exit_6(tmp_path: Path, cephstd: Any) -> None:
    for arguments in (("verify", tmp_path / "none"), ("replay", tmp_path / "none", tmp_path / "film.png")):
        ran = cephstd(*arguments)
        assert ran.code == 6
        assert ran.json["status"] == "failed"


def test_a_dash_takes_the_record_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"{}")))
    assert record_of(Path("-")) == b"{}"
    assert record_of(Path("a.json")) == Path("a.json")
