"""report and evidence as a practice and a payer would use them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ATTESTED = ROOT / "tests" / "records" / "0.1.0" / "attested"
FILM = ROOT / "data" / "samples" / "composite_a.dcm"


@pytest.fixture
def practice(tmp_path: Path) -> Path:
    """Folder with a film, its signed and logged record, and a trust file, under names that identify."""
    shutil.copy(FILM, tmp_path / "doe_jane.dcm")
    for what in ("record", "signatures", "proof"):
        shutil.copy(ATTESTED / f"reviewed.{what}.json", tmp_path / f"doe_jane.{what}.json")
    for name in ("trust.toml", "trust.toml.signatures.json", "root.pub"):
        shutil.copy(ATTESTED / name, tmp_path / name)
    return tmp_path


def trusted(practice: Path) -> tuple[object, ...]:
    return ("--trust", practice / "trust.toml", "--root", practice / "root.pub")


def test_report_is_printed_with_what_lies_beside_the_record(practice: Path, cephstd: Any):
    record, out = practice / "doe_jane.record.json", practice / "out.pdf"
    ran = cephstd("report", record, "--source", practice / "doe_jane.dcm", "--out", out, *trusted(practice))
    assert (ran.code, ran.json["level"]) == (0, "logged")
    assert out.read_bytes().startswith(b"%PDF")
    assert b"doe_jane" not in out.read_bytes()


def test_report_refuses_another_film(practice: Path, cephstd: Any):
    other = ROOT / "data" / "samples" / "composite_c.jpg"
    record, out = practice / "doe_jane.record.json", practice / "out.pdf"
    ran = cephstd("report", record, "--source", other, "--out", out)
    assert ran.code == 7
    assert not out.exists()


def test_a_package_is_made_and_checked(practice: Path, cephstd: Any):
    record = practice / "doe_jane.record.json"
    options = ("--source", practice / "doe_jane.dcm", "--analysis", "steiner", "--keep-text", *trusted(practice))
    made = cephstd("evidence", record, *options)
    assert made.code == 0, made.err
    package = practice / "doe_jane.evidence.zip"
    assert made.json["package"] == str(package)
    assert {"report.pdf", "overlay.png", "record.signatures.json", "trust.toml", "verification.md"} <= set(
        made.json["files"]
    )
    assert made.json["absent"]["structured-report.dcm"] == "none was given"
    with zipfile.ZipFile(package) as archive:
        assert not any(b"doe_jane" in archive.read(name) or "doe_jane" in name for name in archive.namelist())
        assert str(practice).encode() not in b"".join(archive.read(name) for name in archive.namelist())
    checked = cephstd("evidence", package, "--check", *trusted(practice))
    assert (checked.code, checked.json["level"]) == (0, "logged")
    assert checked.json["manifest_sha256"] == made.json["manifest_sha256"]


def test_without_the_film_the_package_says_what_it_lacks(practice: Path, cephstd: Any):
    made = cephstd("evidence", practice / "doe_jane.record.json", "--out", practice / "p.zip")
    assert made.code == 0
    assert made.json["absent"]["report.pdf"] == "the film was not given"
    assert any(name.startswith("predecessors/") for name in made.json["absent"])
    again = cephstd("evidence", practice / "doe_jane.record.json", "--out", practice / "q.zip")
    assert again.json["sha256"] == made.json["sha256"]


def test_a_damaged_package_is_refused(practice: Path, cephstd: Any):
    cephstd("evidence", practice / "doe_jane.record.json", "--out", practice / "p.zip")
    data = bytearray((practice / "p.zip").read_bytes())
    data[data.index(b'"landmarks"') + 3] ^= 1
    (practice / "p.zip").write_bytes(data)
    assert cephstd("evidence", practice / "p.zip", "--check").code in (6, 7)


def test_a_stranger_is_no_predecessor(practice: Path, cephstd: Any):
    other = ROOT / "tests" / "records" / "0.1.0" / "without_scale_or_model.record.json"
    ran = cephstd("evidence", practice / "doe_jane.record.json", "--previous", other)
    assert ran.code == 3
    assert "predecessors" in ran.err


def test_a_record_from_a_pipe_needs_a_name_for_its_package(cephstd: Any):
    ran = cephstd("evidence", "-")
    assert ran.code == 3
    assert "--out" in ran.err
