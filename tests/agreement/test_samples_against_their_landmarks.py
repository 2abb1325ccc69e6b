"""The sample films against the facts that lie beside them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from cephstd.imaging.normalizer import standardize
from cephstd.io.reader import read

FILMS = ["composite_a.dcm", "composite_b.tif", "composite_c.jpg", "phantom_a.png", "phantom_b.dcm"]
DICOM = ["composite_a.dcm", "phantom_b.dcm"]


def known(samples: Path, name: str) -> dict:
    return json.loads((samples / f"{name.split('.', maxsplit=1)[0]}.landmarks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILMS)
def test_film_reads_and_holds_its_landmarks(samples: Path, name: str) -> None:
    film, facts = read(samples / name), known(samples, name)
    assert list(film.size) == facts["size_px"]
    points = np.array(list(facts["landmarks_px"].values()))
    assert points.shape == (19, 2)
    assert ((points > 0) & (points < np.array(film.size) - 1)).all()
    assert standardize(film).quality.verdict == "diagnostic"


@pytest.mark.parametrize("name", FILMS)
def test_ruler_in_the_pixels_has_the_stated_pitch(samples: Path, name: str) -> None:
    film, facts = read(samples / name), known(samples, name)
    ruler = facts["ruler"]
    (x, top), (_, bottom) = ruler["first_px"], ruler["last_px"]
    assert (bottom - top) * facts["spacing_mm"] == pytest.approx(50.0, abs=0.01)
    towards_ticks = -1 if film.inverted else 1
    column = film.pixels[:, round(x + towards_ticks * 1.2 / facts["spacing_mm"])].astype(float)
    profile = column[round(top) - 1 : round(bottom) + 2]
    profile = (profile.max() - profile) if film.inverted else profile
    spectrum = np.abs(np.fft.rfft((profile - profile.mean()) * np.hanning(len(profile)), 1 << 16))
    frequency = np.fft.rfftfreq(1 << 16)
    near = (frequency * facts["spacing_mm"] ** -1 > 0.7) & (frequency * facts["spacing_mm"] ** -1 < 1.3)
    period_px = 1.0 / frequency[near][np.argmax(spectrum[near])]
    assert period_px * facts["spacing_mm"] == pytest.approx(ruler["pitch_mm"], rel=0.003)


@pytest.mark.parametrize("name", ["composite_a.dcm", "phantom_b.dcm"])
def test_scale_in_the_file_is_the_scale_of_the_drawing(samples: Path, name: str) -> None:
    film, facts = read(samples / name), known(samples, name)
    assert film.calibration.spacing_mm == pytest.approx((facts["spacing_mm"],) * 2)


@pytest.mark.parametrize("name", DICOM)
def test_dicom_names_no_person_and_was_made_from_its_pixels(samples: Path, name: str) -> None:
    film = pydicom.dcmread(samples / name)
    assert str(film.PatientName).split("^")[0] in {"COMPOSITE", "PHANTOM"}
    assert film.PatientBirthDate == film.PatientSex == film.StudyDate == ""
    uids = [film.SOPInstanceUID, film.StudyInstanceUID, film.SeriesInstanceUID]
    assert len(set(uids)) == 3
    assert all(uid.startswith("2.25.") and len(uid) <= 64 and uid.is_valid for uid in uids)
    assert film.file_meta.MediaStorageSOPInstanceUID == film.SOPInstanceUID


def test_folder_is_small_and_every_film_is_explained(samples: Path) -> None:
    files = [path for path in samples.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 15_000_000
    licences = (samples / "LICENSES.md").read_text(encoding="utf-8")
    assert [name for name in FILMS if f"`{name}`" not in licences] == []


def test_phantoms_are_what_the_script_makes(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(samples))
    spec = importlib.util.spec_from_file_location("make_samples", samples / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name while it is built.
    monkeypatch.setitem(sys.modules, "make_samples", script)
    spec.loader.exec_module(script)
    script.make_phantoms(tmp_path)
    assert (read(tmp_path / "phantom_b.dcm").pixels == read(samples / "phantom_b.dcm").pixels).mean() > 0.999
    for path in tmp_path.glob("*.json"):
        assert path.read_text(encoding="utf-8") == (samples / path.name).read_text(encoding="utf-8")
