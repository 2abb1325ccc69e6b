from __future__ import annotations

from pathlib import Path
from typing import Any

from cephstd.io.reader import read


def test_a_film_goes_into_dicom(samples: Path, tmp_path: Path, cephstd: Any) -> None:
    out = tmp_path / "film.dcm"
    ran = cephstd(
        "wrap",
        samples / "composite_c.jpg",
        "--out",
        out,
        *("--mm-per-px", 0.2, "--acquired", "2019-03-04", "--acquired-source", "label on the film"),
    )
    assert ran.code == 0
    assert ran.json["acquired"] == "2019-03-04"
    assert ran.json["acquired_source"] == "label on the film"
    film = read(out)
    assert film.calibration.spacing_mm == (0.2, 0.2)
    assert film.device.acquisition_date == "2019-03-04"


def test_a_date_needs_its_source(samples: Path, tmp_path: Path, cephstd: Any) -> None:
    out = tmp_path / "film.dcm"
    ran = cephstd("wrap", samples / "composite_c.jpg", "--out", out, "--acquired", "2019-03-04")
    assert ran.code == 2
    assert "--acquired-source" in ran.err
    assert not out.exists()


def test_a_day_that_is_none(samples: Path, tmp_path: Path, cephstd: Any) -> None:
    ran = cephstd(
        "wrap",
        samples / "composite_c.jpg",
        *("--out", tmp_path / "film.dcm", "--acquired", "04.03.2019", "--acquired-source", "label"),
    )
    assert ran.code == 2
    assert "YYYY-MM-DD" in ran.err
