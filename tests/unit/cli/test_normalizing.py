from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cephstd as cs


@pytest.mark.parametrize("suffix", [".dcm", ".tif", ".png"])
def test_the_standard_image_is_that_of_python(samples: Path, tmp_path: Path, cephstd: Any, suffix: str) -> None:
    film, out = samples / "phantom_b.dcm", tmp_path / f"standard{suffix}"
    before = film.read_bytes()
    ran = cephstd("normalize", film, "--out", out, "--quiet")
    assert ran.code == 0
    assert film.read_bytes() == before
    normal = cs.normalize(cs.read(film))
    written = cs.read(out)
    assert np.array_equal(written.pixels, normal.pixels)
    assert (ran.json["width"], ran.json["height"]) == normal.size
    assert [step["step"] for step in ran.json["steps"]][:2] == ["flip_x", "invert"]
    again = tmp_path / f"again{suffix}"
    assert cephstd("normalize", out, "--out", again, "--quiet").json["steps"] == []
    assert np.array_equal(cs.read(again).pixels, normal.pixels)


def test_what_is_refused(samples: Path, tmp_path: Path, cephstd: Any) -> None:
    film = tmp_path / "film.tif"
    film.write_bytes((samples / "composite_b.tif").read_bytes())
    ran = cephstd("normalize", film, "--out", film)
    assert ran.code == 3
    assert "the film itself" in ran.err
    assert film.read_bytes() == (samples / "composite_b.tif").read_bytes()
    assert cephstd("normalize", film, "--out", tmp_path / "standard.jpg").code == 2
    assert cephstd("normalize", tmp_path / "none.png", "--out", tmp_path / "x.png").code == 3


def test_a_picture_that_is_no_cephalogram_leaves_no_file(tmp_path: Path, cephstd: Any) -> None:
    import cv2

    picture, out = tmp_path / "waves.png", tmp_path / "x.png"
    cv2.imwrite(str(picture), (127 + 60 * np.sin(np.arange(240) / 23) + np.zeros((300, 1))).astype(np.uint8))
    ran = cephstd("normalize", picture, "--out", out)
    assert ran.code == 3
    assert "lateral cephalogram" in ran.err
    assert not out.exists()
