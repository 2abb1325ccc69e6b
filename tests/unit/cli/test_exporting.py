from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from exported_records import accept, make_record

pytest.importorskip("highdicom")
from cephstd.export.sr_reader import from_sr


@pytest.fixture(scope="module")
def jpeg(samples: Path) -> Path:
    return samples / "composite_c.jpg"


@pytest.fixture(scope="module")
def made(jpeg: Path) -> Any:
    return make_record(jpeg)


@pytest.fixture
def record_file(made: Any, tmp_path: Path) -> Path:
    path = tmp_path / "film.record.json"
    path.write_bytes(made.to_bytes())
    return path


def test_report_is_written_with_the_wrapped_film_beside_it(
    cephstd: Any, record_file: Path, jpeg: Path, tmp_path: Path
) -> None:
    ran = cephstd("export", record_file, "--source", jpeg, "--sr", tmp_path / "film.sr.dcm")
    assert ran.code == 0
    said = ran.json["sr"]
    assert (said["preliminary"], said["verified"], said["predecessor"]) == (True, False, None)
    assert said["image"] == str(tmp_path / "film.sr.image.dcm")
    assert from_sr(tmp_path / "film.sr.dcm").record_digest == ran.json["record_digest"]
    assert "preliminary" in ran.err


def test_accepted_record_is_verified(cephstd: Any, made: Any, jpeg: Path, tmp_path: Path) -> None:
    path = tmp_path / "film-2.record.json"
    path.write_bytes(accept(made).to_bytes())
    said = cephstd("export", path, "--source", jpeg, "--sr", tmp_path / "out.dcm").json["sr"]
    assert (said["preliminary"], said["verified"]) == (False, True)
    assert said["predecessor"].startswith("2.25.")


def test_bundle_takes_the_signatures_beside_the_record(
    cephstd: Any, made: Any, record_file: Path, jpeg: Path, tmp_path: Path
) -> None:
    pytest.importorskip("fhir.resources")
    out = tmp_path / "film.fhir.json"
    ran = cephstd("export", record_file, "--source", jpeg, "--fhir", out, "--fhir-release", "R4B")
    assert ran.json["fhir"] == {"file": str(out), "release": "R4B", "signatures": False}
    assert ran.json["sr"] is None
    pytest.importorskip("securesystemslib")
    from cephstd.audit.keys import signer_from_seed
    from cephstd.audit.signer import sign

    signed = sign(made, [signer_from_seed(bytes(32))], at="2025-04-18T08:00:00Z")
    (tmp_path / "film.signatures.json").write_bytes(signed.to_bytes())
    assert cephstd("export", record_file, "--source", jpeg, "--fhir", out).json["fhir"]["signatures"] is True
    assert "1.2.840.10065.1.12.1.5" in out.read_text(encoding="utf-8")


def test_wrong_film_and_nothing_to_write(cephstd: Any, record_file: Path, samples: Path, tmp_path: Path) -> None:
    ran = cephstd("export", record_file, "--source", samples / "composite_a.dcm", "--sr", tmp_path / "out.dcm")
    assert ran.code == 7
    assert ran.json["error"]["code"] == "digest_mismatch"
    assert not (tmp_path / "out.dcm").exists()
    ran = cephstd("export", record_file, "--source", samples / "composite_c.jpg")
    assert ran.code == 3
    assert "--sr" in ran.err
