from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cephstd.errors import CalibrationError
from cephstd.imaging.calibrator import calibrate_by_ruler, load_calibration


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "scale.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_one_number_holds_for_both_directions(written) -> None:
    scale = load_calibration(written("mm_per_px = 0.2\nrelative_sd = 0.01\nnote = 'x'"))
    assert (scale.spacing_mm, scale.basis, scale.relative_sd) == ((0.2, 0.2), "user_stated", 0.01)


def test_row_is_vertical_and_column_horizontal(written) -> None:
    scale = load_calibration(written("row_mm = 0.1\ncolumn_mm = 0.103\nbasis = 'geometry'\nsources = ['slot scanner']"))
    assert (scale.row_mm, scale.column_mm, scale.basis) == (0.1, 0.103, "geometry")
    assert scale.sources == ("slot scanner",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "none of them"),
        ("row_mm = 0.1", "row_mm"),
        ("mm_per_px = 0.1\nrow_mm = 0.1\ncolumn_mm = 0.1", "mm_per_px, row_mm, column_mm"),
        ("mm_per_px = 0.1\ncolumn_mm = 0.1", "mm_per_px, column_mm"),
        ("mm_per_px = 5.0", "mm_per_px"),
        ("mm_per_px = nan", "mm_per_px"),
        ("mm_per_px = 'wide'", "mm_per_px"),
        ("mm_per_px = 0.1\nrelative_sd = -1.0", "relative_sd"),
        ("mm_per_px = 0.1\nrelative_sd = nan", "relative_sd"),
        ("mm_per_px = 0.1\nbasis = 'guess'", "basis"),
        ("mm_per_px = 0.1\nbasis = 'file_dpi_untrusted'", "basis"),
        ("mm_per_pixel = 0.1", "mm_per_pixel"),
        ("mm_per_px =", "scale.toml"),
    ],
)
def test_a_wrong_file_is_refused_and_its_key_named(written, text: str, named: str) -> None:
    with pytest.raises(CalibrationError, match=named):
        load_calibration(written(text))


def test_an_absent_file_is_refused_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"none\.toml") as caught:
        load_calibration(tmp_path / "none.toml")
    assert str(tmp_path) not in str(caught.value)


def test_two_clicks_give_the_scale() -> None:
    scale = calibrate_by_ruler((10, 20), (310, 420), 50.0)
    assert scale.spacing_mm == pytest.approx((0.1, 0.1))
    assert scale.basis == "user_ruler"


def test_click_error_becomes_the_scales_uncertainty(rng: np.random.Generator) -> None:
    p, q, length = np.array([10.0, 20.0]), np.array([130.0, 180.0]), 20.0
    stated = calibrate_by_ruler(tuple(p), tuple(q), length, click_sd_px=2.0, length_sd_mm=0.3).relative_sd
    clicks = rng.normal(0.0, 2.0, (4000, 2, 2))
    lengths = length + rng.normal(0.0, 0.3, 4000)
    spread = lengths / np.linalg.norm(q + clicks[:, 1] - p - clicks[:, 0], axis=1)
    assert stated == pytest.approx(spread.std() / spread.mean(), rel=0.06)


@pytest.mark.parametrize(
    ("q", "length", "words"),
    [
        ((10, 20), 50.0, "over 0 px"),
        ((300, 20), 0.0, "positive"),
        ((300, 20), float("nan"), "positive"),
        ((11, 20), 50.0, "per pixel"),
    ],
)
def test_impossible_clicks_are_refused(q: tuple[float, float], length: float, words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        calibrate_by_ruler((10, 20), q, length)
