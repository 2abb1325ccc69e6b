from __future__ import annotations

import pytest

from cephstd.io.dicom_codecs import list_codecs
from cephstd.io.dicom_pixels import SYNTAXES


def test_every_syntax_that_is_read_has_a_decoder_here() -> None:
    found = list_codecs()
    assert len(found) == len(SYNTAXES)
    assert found["JPEG Baseline"] == "opencv"
    assert all(found.values())


def test_an_absent_decoder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        available_plugins = ()

    monkeypatch.setattr("cephstd.io.dicom_codecs.get_decoder", lambda syntax: Nothing())
    found = list_codecs()
    assert found["JPEG-LS Lossless"] == ""
    assert found["Implicit VR Little Endian"] == "built in"
