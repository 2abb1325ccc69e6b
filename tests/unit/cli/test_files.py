from __future__ import annotations

from pathlib import Path

import pytest

from cephstd.cli.files import make_folder, read_text, write_text
from cephstd.errors import InputError, RecordError


def test_text_goes_out_and_comes_back(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    path = tmp_path / "a" / "b" / "values.csv"
    write_text(path, "± 1\n")
    assert read_text(path) == "± 1\n"


def test_what_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_text(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path / "none")
    with pytest.raises(RecordError, match="cannot be made"):
        make_folder(path / "below")
