from __future__ import annotations

import cv2
import numpy as np
import pytest

from cephstd.core.image import Device, Radiograph, Source
from cephstd.errors import InputError
from cephstd.imaging.assessor import THRESHOLDS, assess, shows_nothing
from cephstd.io.reader import read


@pytest.fixture(scope="module")
def film(request: pytest.FixtureRequest) -> np.ndarray:
    samples = request.getfixturevalue("samples")
    return (read(samples / "composite_b.tif").pixels >> 8).astype(np.uint8)


def wrong(pixels: np.ndarray, **known: object) -> set[str]:
    return {finding.name for finding in assess(pixels, **known).findings if not finding.ok}  # type: ignore[arg-type]


def test_a_sound_film_is_diagnostic(film: np.ndarray) -> None:
    quality = assess(film, spacing_mm=(0.2, 0.2))
    assert quality.verdict == "diagnostic"
    others = {"width_mm", "height_mm", "burnt_in_text", "text_over_head"}
    assert {finding.name for finding in quality.findings} == {t.name for t in THRESHOLDS} | others


@pytest.mark.films
def test_real_films_are_diagnostic(shared_data) -> None:
    for path in sorted((shared_data / "isbi2015" / "images").glob("0[0-9]7.jpg")):
        assert assess(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)).verdict == "diagnostic", path.stem


def test_noise_is_found(film: np.ndarray, rng: np.random.Generator) -> None:
    grainy = np.clip(film + rng.normal(0, 22, film.shape), 0, 255).astype(np.uint8)
    assert wrong(grainy) == {"contrast_to_noise"}


def test_blur_is_found(film: np.ndarray) -> None:
    blurred = [cv2.GaussianBlur(film, (0, 0), sigma) for sigma in (2, 4, 9)]
    values = [f.value for pixels in blurred for f in assess(pixels).findings if f.name == "sharpness"]
    assert values == sorted(values, reverse=True)
    assert wrong(blurred[1]) == {"sharpness"}
    assert assess(cv2.GaussianBlur(film, (0, 0), 9)).verdict == "non-diagnostic"


def test_burnt_out_bone_is_found_in_either_grey_sense(film: np.ndarray) -> None:
    burnt = np.clip(film * 2.2, 0, 255).astype(np.uint8)
    assert "clipped_bright" in wrong(burnt)
    assert "clipped_bright" in wrong(255 - burnt, inverted=True)
    assert "clipped_bright" not in wrong(255 - burnt)


def test_too_few_grey_levels_are_found(film: np.ndarray) -> None:
    assert "grey_levels" in wrong((film * 0.15).astype(np.uint8))


def test_twelve_bit_film_in_sixteen_bits_is_well_exposed(film: np.ndarray) -> None:
    assert "grey_levels" not in wrong(film.astype(np.uint16) * 3)


def test_few_pixels_are_found(film: np.ndarray) -> None:
    assert "long_side_px" in wrong(cv2.resize(film, (200, 250), interpolation=cv2.INTER_AREA))


def test_impossible_size_is_found(film: np.ndarray) -> None:
    assert wrong(film, spacing_mm=(0.2, 0.02)) == {"width_mm"}
    assert wrong(film, spacing_mm=(1.9, 0.2)) == {"height_mm"}


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((700, 600), 200, np.uint16),
        np.zeros((1, 1), np.uint8),
        np.random.default_rng(3).integers(0, 256, (900, 700)).astype(np.uint8),
    ],
    ids=["one grey", "one pixel", "noise"],
)
def test_what_shows_nothing_is_non_diagnostic_with_a_reason(pixels: np.ndarray) -> None:
    quality = assess(pixels)
    assert quality.verdict == "non-diagnostic"
    assert shows_nothing(quality)
    assert any("next to nothing" in finding.note for finding in quality.findings)


def test_colour_is_refused() -> None:
    with pytest.raises(InputError):
        assess(np.zeros((9, 9, 3), np.uint8))


def test_a_smear_is_found_and_blur_all_round_is_none(film: np.ndarray) -> None:
    line = np.zeros((15, 15), np.float32)
    line[7] = 1 / 15
    for kernel in (line, line.T, np.eye(15, dtype=np.float32) / 15):
        assert "motion" in wrong(cv2.filter2D(film, -1, kernel))
    assert "motion" not in wrong(cv2.GaussianBlur(film, (0, 0), 4))


def test_a_smear_in_noise_is_not_assessed(film: np.ndarray, rng: np.random.Generator) -> None:
    grainy = np.clip(film + rng.normal(0, 22, film.shape), 0, 255).astype(np.uint8)
    quality = assess(grainy)
    assert "motion" not in {finding.name for finding in quality.findings}
    assert any(text.startswith("motion") for text in quality.not_assessed)


def test_blocks_of_a_strong_compression_are_found(film: np.ndarray) -> None:
    stored = [cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for quality in (95, 15)]
    fine, coarse = (cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) for data in stored)
    assert "blockiness" not in wrong(fine)
    assert "blockiness" in wrong(coarse)
    assert "blockiness" in wrong(np.ascontiguousarray(np.rot90(coarse)[:, 3:]))


def test_borders_are_named_and_do_not_count_as_clipped(film: np.ndarray) -> None:
    framed = np.pad(film, 90)
    findings = {finding.name: finding for finding in assess(framed).findings}
    assert "Borders: left" in findings["exposed_share"].note
    assert findings["exposed_share"].value < 0.8
    assert findings["clipped_dark"].value < 0.1


def test_what_the_file_states_is_said_and_what_it_does_not_is_not_assessed(film: np.ndarray) -> None:
    about = {"file_sha256": "", "pixel_sha256": "", "decoder": "", "width_px": 9, "height_px": 9, "bits": 8}
    source = Source(format="dicom", facts={"lossy": "yes"}, **about)
    stated = Radiograph(pixels=film, source=source, device=Device(burned_in_annotation="YES"))
    silent = Radiograph(pixels=film, source=Source(format="array", **about))
    said = {f.name: f.value for f in assess(film, film=stated).findings}
    assert (said["stated_text"], said["lossy_history"]) == (1.0, 1.0)
    for quality in (assess(film, film=silent), assess(film)):
        missing = {text.partition(":")[0] for text in quality.not_assessed}
        assert {"stated_text", "lossy_history", "head_rotation", "cropped_anatomy"} <= missing


@pytest.mark.parametrize(("place", "over"), [((0.05, 0.95), 0), ((0.3, 0.55), 1)], ids=["corner", "face"])
def test_burnt_in_text_is_counted_and_limits_a_film_where_it_hides_the_head(film, place, over) -> None:
    written = film.copy()
    height, width = film.shape
    at = (int(place[0] * width), int(place[1] * height))
    cv2.putText(written, "DOE JANE 471", at, cv2.FONT_HERSHEY_SIMPLEX, height / 700, 255, max(1, height // 500))
    for pixels in (written, 255 - written, cv2.resize(written, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)):
        found = {finding.name: finding.value for finding in assess(pixels).findings}
        assert (found["burnt_in_text"], found["text_over_head"]) == (1.0, over)
    assert assess(written).verdict == ("limited" if over else "diagnostic")
    assert not any(f.value for f in assess(film).findings if f.name in ("burnt_in_text", "text_over_head"))
