from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from cephstd.cli.app import app
from cephstd.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_film, encode, grey_ramp


def run(*arguments: object):
    return CliRunner().invoke(app, ["deidentify", *map(str, arguments)])


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "archive"
    (folder / "DOE-JANE").mkdir(parents=True)
    for number in (1, 2):
        film = dicom_film(PatientName="DOE^JANE", PatientID="4711", StudyInstanceUID="1.2.3.4", PatientAge="012Y")
        (folder / "DOE-JANE" / f"jane-{number}.dcm").write_bytes(film)
    (folder / "scan-jane.png").write_bytes(encode(".png", np.tile(grey_ramp(), (8, 8))))
    (folder / "broken.dcm").write_bytes(dicom_film()[:-100])
    return folder


def test_folder_becomes_a_folder_of_pseudonyms(archive, tmp_path):
    key = tmp_path / "study.key"
    key.write_bytes(bytes(range(32)))
    before = {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()}
    out = tmp_path / "shared"
    done = run(archive, out, "--preset", "ceph-research", "--key-file", key)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 3  # of the broken film
    assert sorted(line["status"] for line in lines) == ["failed", "ok", "ok", "ok"]
    names = sorted(path.name for path in out.iterdir())
    assert [Path(name).suffix for name in names].count(".dcm") == 2
    assert len(names) == 3
    assert not any("jane" in name.lower() or "doe" in name.lower() for name in names)
    films = [pydicom.dcmread(path) for path in out.glob("*.dcm")]
    assert len({film.StudyInstanceUID for film in films}) == 1
    assert {film.PatientAge for film in films} == {"012Y"}
    assert not any(b"JANE" in path.read_bytes() or b"4711" in path.read_bytes() for path in out.iterdir())
    assert {path: path.read_bytes() for path in before} == before
    assert run(archive, out, "--key-file", key).exit_code == 3
    assert sorted(path.name for path in out.iterdir()) == names


def test_without_a_key_a_run_says_that_ids_will_differ(archive, tmp_path):
    done = run(archive / "scan-jane.png", tmp_path / "out")
    assert done.exit_code == 0
    assert "thrown away" in done.stderr


@pytest.mark.parametrize("place", [".", "below", ".."])
def test_output_is_never_the_input(archive, place):
    done = run(archive, archive / place)
    assert isinstance(done.exception, InputError)


def test_film_is_never_written_beside_its_original(archive):
    done = run(archive / "scan-jane.png", archive)
    assert isinstance(done.exception, InputError)


def test_key_that_cannot_be_read_is_said(archive, tmp_path):
    done = run(archive, tmp_path / "out", "--key-file", tmp_path / "none")
    assert isinstance(done.exception, InputError)
    assert "key" in str(done.exception)
