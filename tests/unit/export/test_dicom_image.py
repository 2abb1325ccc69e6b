from __future__ import annotations

import os
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cephstd.core.image import Calibration, state_calibration
from cephstd.errors import InputError
from cephstd.export.dicom_image import Patient, StatedDate, encode_dicom, wrap_film
from cephstd.io.reader import read

STATED = StatedDate(day=date(2019, 3, 4), source="label on the film")


@pytest.fixture
def jpeg(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A film whose file was touched on a day that is nobody's acquisition date."""
    path = tmp_path / "Doe_Jane.jpg"
    cv2.imwrite(str(path), rng.integers(0, 255, (61, 47)).astype(np.uint8))
    os.utime(path, (981_173_106, 981_173_106))  # 2001-02-03
    return path


def test_samples_and_statements_come_back(jpeg: Path) -> None:
    film = read(jpeg, calibration=state_calibration(0.0934, source="ruler on the light box"))
    again = read(encode_dicom(wrap_film(film, acquired=STATED, scale_plane="head", facing="left")))
    assert again.source.pixel_sha256 == film.source.pixel_sha256
    assert again.calibration.basis == "geometry"
    assert again.calibration.spacing_mm == (0.0934, 0.0934)
    assert again.device.acquisition_date == "2019-03-04"
    assert again.device.acquisition_date_source == "(0008,0022) Acquisition Date, stated by a person"
    assert again.device.patient_orientation == "P\\F"
    assert again.source.facts["lossy"] == "yes"


@pytest.mark.parametrize(("plane", "basis"), [("film", "scanned_nominal"), ("head", "geometry"), ("ruler", "fiducial")])
def test_where_a_stated_scale_holds(jpeg: Path, plane: Any, basis: str) -> None:
    film = read(jpeg, calibration=state_calibration(0.1))
    assert read(encode_dicom(wrap_film(film, scale_plane=plane))).calibration.basis == basis


def test_rows_and_columns_keep_their_own_spacing(jpeg: Path) -> None:
    uneven = Calibration(basis="scanned_nominal", row_mm=0.12, column_mm=0.1)
    film = read(jpeg, calibration=uneven)
    assert read(encode_dicom(wrap_film(film, scale_plane="head"))).calibration.spacing_mm == (0.12, 0.1)


def test_dark_bone_stays_declared(rng: np.random.Generator) -> None:
    from dataclasses import replace

    film = replace(read(rng.integers(0, 65535, (31, 27)).astype(np.uint16)), inverted=True)
    again = read(encode_dicom(wrap_film(film)))
    assert again.inverted
    assert np.array_equal(again.pixels, film.pixels)


def test_nothing_is_dated_or_scaled_that_nobody_stated(jpeg: Path) -> None:
    made = wrap_film(read(jpeg))
    assert b"2001" not in encode_dicom(made)[:1500]
    dates = {element.keyword: str(element.value) for element in made if element.VR in ("DA", "DT", "TM")}
    assert set(dates.values()) == {""}
    assert not {"PixelSpacing", "NominalScannedPixelSpacing"} & {element.keyword for element in made}


def test_patient_only_as_given(jpeg: Path) -> None:
    assert b"Doe" not in encode_dicom(wrap_film(read(jpeg)))
    given = Patient(id="A-1", name="Müller^Änne", birth_date=date(2007, 1, 2), sex="F")
    made = wrap_film(read(jpeg), patient=given)
    assert (made.PatientID, str(made.PatientName), made.PatientBirthDate, made.PatientSex) == (
        "A-1",
        "Müller^Änne",
        "20070102",
        "F",
    )


def test_uids_follow_film_and_statements(jpeg: Path, rng: np.random.Generator) -> None:
    film = read(jpeg)
    one, same, dated = wrap_film(film), wrap_film(read(jpeg)), wrap_film(film, acquired=STATED)
    other = wrap_film(read(rng.integers(0, 255, (61, 47)).astype(np.uint8)))
    assert encode_dicom(one) == encode_dicom(same)
    assert one.SOPInstanceUID.startswith("2.25.")
    assert len(one.SOPInstanceUID) <= 64
    assert one.StudyInstanceUID == dated.StudyInstanceUID != other.StudyInstanceUID
    assert len({one.SOPInstanceUID, dated.SOPInstanceUID, other.SOPInstanceUID}) == 3
    assert wrap_film(film, study_uid="1.2.3").StudyInstanceUID == "1.2.3"


def test_what_is_refused(jpeg: Path) -> None:
    film = read(jpeg)
    with pytest.raises(InputError, match="no DICOM object yet"):
        wrap_film(read(encode_dicom(wrap_film(film))))
    with pytest.raises(InputError, match="the source of the acquisition date"):
        wrap_film(film, acquired=StatedDate(day=date(2019, 3, 4), source=" "))
    with pytest.raises(InputError, match="patient ID"):
        wrap_film(film, patient=Patient(id="x" * 65))
    with pytest.raises(InputError, match="UID"):
        wrap_film(film, study_uid="1.2.film")


@pytest.mark.servers
@pytest.mark.parametrize("bare", [True, False])
def test_dicom_checkers_find_no_error(jpeg: Path, tmp_path: Path, bare: bool) -> None:
    path = tmp_path / "film.dcm"
    film = read(jpeg, calibration=None if bare else state_calibration(0.1))
    given = Patient(id="A-1", name="Müller^Änne", birth_date=date(2007, 1, 2), sex="F")
    stated = {} if bare else {"acquired": STATED, "patient": given, "scale_plane": "ruler", "facing": "right"}
    path.write_bytes(encode_dicom(wrap_film(film, **stated)))
    assert check_dicom(path) == []


def check_dicom(path: Path) -> list[str]:
    """Errors that dciodvfy finds; dcmdump has to read the file to its end."""
    if not shutil.which("dciodvfy") or not shutil.which("dcmdump"):
        pytest.skip("dciodvfy (dicom3tools) or dcmdump (dcmtk) is not installed")
    seen = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    dumped = subprocess.run(["dcmdump", "-q", path], capture_output=True, text=True, check=False)
    assert dumped.returncode == 0, dumped.stderr
    return [line for line in (seen.stdout + seen.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.servers
@pytest.mark.parametrize("name", ["composite_a.dcm", "phantom_b.dcm"])
def test_sample_films_have_no_other_errors_than_the_known(samples: Path, name: str) -> None:
    """Released records bear their hashes, so that these two stay: a Laterality of an unpaired part, no positioner."""
    known = ("Element=<Laterality>", "Element=<PositionerType>")
    assert [line for line in check_dicom(samples / name) if not any(word in line for word in known)] == []
