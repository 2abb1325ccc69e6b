"""The PDF: an archive's kind, the record's date, the same bytes, words as they are; read back with pdftotext."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_records import MARKUP, SAMPLES, doubtful, released

import cephstd as cs
from cephstd.errors import DigestMismatch, ExportError
from cephstd.export import report as module
from cephstd.export.report import make_report, report_facts, settable
from cephstd.export.report_pictures import draw_pictures

READER = {
    "reviewer": "17",
    "name": MARKUP,
    "role": "orthodontist #1",
    "meaning": "review",
    "at": "2026-02-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def film() -> cs.Radiograph:
    return cs.read(SAMPLES / "composite_a.dcm")


@pytest.fixture(scope="module")
def record() -> cs.Record:
    """Markup wherever a person or a file may put words."""
    return cs.review(doubtful(), "accept", points=["Go"], reason=MARKUP, **READER)


@pytest.fixture(scope="module")
def pdf(record, film) -> bytes:
    return make_report(cs.verify(record), film, cover_text=False)


@pytest.fixture(scope="module")
def text(pdf, tmp_path_factory) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-layout", path, "-"], check=True, capture_output=True, text=True)
    return done.stdout


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_it_is_pdf_a_2b_of_the_record(pdf, record):
    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in pdf
    assert record.record_digest[:19].encode() in pdf


def test_its_date_is_the_records(pdf, record):
    made = record.run.created.replace("Z", "+00:00").encode()
    assert b"<xmp:CreateDate>" + made in pdf
    assert b"<xmp:ModifyDate>" + made in pdf


def test_the_same_record_gives_the_same_bytes(pdf, record, film):
    assert make_report(cs.verify(cs.decode_record(record.to_bytes())), film, cover_text=False) == pdf


def test_another_film_is_refused(record):
    with pytest.raises(DigestMismatch, match="another film"):
        make_report(cs.verify(record), cs.read(SAMPLES / "composite_c.jpg"))


def test_every_digest_and_reason_is_in_its_data(record, film):
    _, drawings = draw_pictures(record.content, film, cover_text=False)
    facts = report_facts(cs.verify(record), drawings)
    assert facts["digest"] == record.record_digest
    assert facts["provisional"]
    assert MARKUP in facts["warnings"]
    plain = json.dumps(facts)
    for mark in record.content.landmarks:
        assert mark.is_present or json.dumps(mark.reason)[1:-1] in plain
    assert "NaN" not in plain


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Ирина Μαρία ±°′", "Ирина Μαρία ±°′"),
        ("中", "[U+4E2D]"),
        ("left\u202eright", "left[U+202E]right"),
        ("two\nlines", "two[U+000A]lines"),
        ("\U0001f9b7", "[U+1F9B7]"),
    ],
)
def test_what_the_fonts_lack_is_written_as_its_number(words, shown):
    assert settable({"a": [words, 1, None]}) == {"a": [shown, 1, None]}


def test_every_character_that_is_let_through_can_be_set(monkeypatch, record, film):
    """The fonts inside typst hold all that `settable` keeps; PDF/A would refuse a missing glyph."""
    ranges = (*module.SETTABLE, *module.SETTABLE_SIGNS)
    kept = "".join(settable(chr(code)) for low, high in ranges for code in range(low, high + 1))
    kept = re.sub(r"\[U\+[0-9A-F]+\]", "", kept)
    assert len(kept) > 2000
    facts = {"fonts": [*module.FONTS], "text": kept}
    template = '#let data = json("data.json")\n#set text(font: data.fonts)\n#data.text'
    monkeypatch.setattr(module, "read_template", template.encode)
    assert module.set_pdf(facts, b"", created=record.run.created, fonts=()).startswith(b"%PDF")
    with pytest.raises(ExportError, match="cannot be set"):
        module.set_pdf({**facts, "text": "中"}, b"", created=record.run.created, fonts=())


def test_fonts_of_ones_own_are_asked_before_a_character_becomes_a_number(record, film, tmp_path: Path):
    """An empty folder changes nothing: what no font holds is an error that says what to do."""
    odd = dataclasses.replace(cs.verify(record), notes=("中",))
    with pytest.raises(ExportError) as refused:
        make_report(odd, film, fonts=[tmp_path], cover_text=False)
    assert "fonts" in refused.value.hint


@pytest.mark.servers
def test_markup_in_words_is_words(text):
    assert squeezed(text).count(squeezed(MARKUP)) >= 4  # warning, hold, reviewer, reason


@pytest.mark.servers
def test_paper_says_what_a_payer_or_a_court_asks(text, record):
    flat = squeezed(text)
    for words in (
        "Not a medical device. Research weights, non-commercial",
        "PROVISIONAL",
        "0.15 mm per pixel, ± 1 % (fiducial)",
        "rejected by a person: on the wrong side",
        "No signature was checked",
        "Review trail",
        record.record_digest,
        record.content.source.file_sha256,
        record.content.previous,
    ):
        assert squeezed(words) in flat, words


@pytest.mark.servers
def test_every_page_names_the_record_and_counts(text, record):
    pages = text.split("\f")[:-1]
    for at, page in enumerate(pages, 1):
        assert record.record_digest[:31] in page
        assert f"page {at} of {len(pages)}" in page


@pytest.mark.servers
def test_every_value_is_on_paper_with_its_uncertainty(text, record):
    flat = squeezed(text).replace("−", "-")
    for measure in record.content.measures:
        if measure.is_present:
            assert f"{measure.value:.{measure.decimals}f}".replace("-0.0", "0.0") in flat
            assert measure.sd is None or f"±{measure.sd:.{measure.decimals}f}" in flat


@pytest.mark.servers
def test_a_record_without_scale_model_or_review_says_so(tmp_path):
    bare = released("without_scale_or_model")
    data = make_report(cs.verify(bare), cs.read(SAMPLES / "phantom_a.png"), cover_text=False)
    (tmp_path / "bare.pdf").write_bytes(data)
    done = subprocess.run(["pdftotext", tmp_path / "bare.pdf", "-"], check=True, capture_output=True, text=True)
    flat = squeezed(done.stdout)
    for words in (
        "no scale: lengths in millimetres are absent",
        "No model found the points",
        "± unknown",
        "Nobody has",
    ):
        assert squeezed(words) in flat


@pytest.mark.source
def test_the_template_never_evaluates_data(root):
    template = (root / "src" / "cephstd" / "export" / "report.typ").read_text(encoding="utf-8")
    assert "eval(" not in template
    assert "mode:" not in template
