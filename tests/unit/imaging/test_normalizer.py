from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from cephstd.core.image import Calibration, Device, Radiograph, Source, state_calibration
from cephstd.core.steps import Invert, Resize, Window
from cephstd.errors import BudgetExceededError, NotACephalogramError
from cephstd.imaging.normalizer import standardize
from cephstd.imaging.operations import apply_chain
from cephstd.imaging.phantom import draw_phantom

PHANTOM = draw_phantom(np.random.default_rng(11), (484, 600), 0.4)
SCALE = state_calibration(0.4)


def radiograph(pixels: np.ndarray, **fields: object) -> Radiograph:
    height, width = pixels.shape
    about = {"file_sha256": "", "pixel_sha256": "", "decoder": "", "width_px": width, "height_px": height}
    return Radiograph(pixels=pixels, source=Source(format="array", bits=16, **about), **fields)  # type: ignore[arg-type]


def steps_of(film: Radiograph, kind: type) -> list:
    return [step for step in standardize(film).chain.steps if isinstance(step, kind)]


def test_standard_image_is_the_chain_applied() -> None:
    film = radiograph(PHANTOM.pixels, calibration=SCALE)
    normal = standardize(film)
    assert (normal.pixels == apply_chain(film.pixels, normal.chain)).all()
    assert normal.size == normal.chain.size == (1936, 2400)
    assert normal.spacing_mm == pytest.approx(0.1, rel=1e-3)
    assert normal.pixels.dtype == np.uint16
    assert (normal.pixels.min(), normal.pixels.max()) == (0, 65535)
    assert not normal.pixels.flags.writeable
    assert normal.warnings == ()


def test_without_a_scale_the_size_stays_and_no_millimetre_appears() -> None:
    normal = standardize(radiograph(PHANTOM.pixels))
    assert (normal.size, normal.spacing_mm) == ((484, 600), None)
    assert "No scale is known" in normal.warnings[0]


def test_what_is_within_half_a_percent_is_not_resampled() -> None:
    film = radiograph(PHANTOM.pixels, calibration=Calibration(basis="geometry", row_mm=0.1004, column_mm=0.0997))
    assert steps_of(film, Resize) == []
    assert standardize(film).spacing_mm == pytest.approx(0.10005)


def test_pixels_that_are_not_square_are_made_square() -> None:
    squeezed = cv2.resize(PHANTOM.pixels, (242, 600), interpolation=cv2.INTER_AREA)
    normal = standardize(
        radiograph(squeezed, calibration=Calibration(basis="detector_plane", row_mm=0.4, column_mm=0.8))
    )
    assert normal.size == (1936, 2400)
    assert normal.spacing_mm == pytest.approx(0.1, rel=1e-3)


def test_rows_and_columns_change_places_when_the_film_is_turned() -> None:
    scale = Calibration(basis="detector_plane", row_mm=0.4, column_mm=0.2)
    film = radiograph(PHANTOM.pixels, calibration=scale, device=Device(patient_orientation="F\\A"))
    assert standardize(film).size == (2400, 968)


def test_untrusted_resolution_still_tells_the_shape_of_a_pixel() -> None:
    scale = Calibration(basis="file_dpi_untrusted", row_mm=0.5, column_mm=0.25)
    normal = standardize(radiograph(PHANTOM.pixels, calibration=scale))
    assert (normal.size, normal.spacing_mm) == ((484, 1200), None)
    assert "made square" in normal.warnings[0]


def test_a_film_that_faces_left_comes_to_face_right_with_its_points() -> None:
    straight = standardize(radiograph(PHANTOM.pixels, calibration=SCALE))
    mirrored = radiograph(PHANTOM.pixels[:, ::-1].copy(), calibration=SCALE, device=Device(patient_orientation="P\\F"))
    normal = standardize(mirrored)
    assert (normal.pixels == straight.pixels).all()
    x, y = PHANTOM.landmarks_px["N"]
    assert normal.chain.forward([[483 - x, y]]) == pytest.approx(straight.chain.forward([[x, y]]))


@pytest.mark.parametrize("top", [255, 4095, 65535])
def test_dark_bone_comes_to_be_bright(top: int) -> None:
    bright = (PHANTOM.pixels.astype(np.uint32) * top // 65535).astype(np.uint8 if top == 255 else np.uint16)
    plain = standardize(radiograph(bright, calibration=SCALE))
    dark = standardize(radiograph((top - bright).astype(bright.dtype), calibration=SCALE, inverted=True))
    assert np.abs(plain.pixels.astype(int) - dark.pixels).max() <= 65535 // top
    assert dark.warnings == ()


def test_image_overrules_a_wrong_word_about_grey_and_says_so() -> None:
    normal = standardize(radiograph(65535 - PHANTOM.pixels, calibration=SCALE))
    assert any(isinstance(step, Invert) for step in normal.chain.steps)
    assert "the image was followed" in normal.warnings[0]
    kept = standardize(radiograph(PHANTOM.pixels, calibration=SCALE, inverted=True))
    assert not any(isinstance(step, Invert) for step in kept.chain.steps)
    assert "the image was followed" in kept.warnings[0]


def test_a_frontal_film_is_reported() -> None:
    film = radiograph(PHANTOM.pixels, calibration=SCALE, device=Device(patient_orientation="L\\F"))
    assert "frontal" in standardize(film).warnings[0]


def test_the_same_pixels_again_hardly_change() -> None:
    once = standardize(radiograph(PHANTOM.pixels, calibration=SCALE))
    again = standardize(radiograph(once.pixels, calibration=state_calibration(0.1)))
    assert np.abs(once.pixels.astype(int) - again.pixels).max() <= 0.005 * 65535
    assert again.chain.matrix == pytest.approx(np.eye(3))


def test_the_window_names_its_method() -> None:
    (window,) = steps_of(radiograph(PHANTOM.pixels, calibration=SCALE), Window)
    assert "quantiles" in window.method


@pytest.mark.parametrize("value", [0, 200])
def test_a_blank_film_is_no_cephalogram(value: int) -> None:
    with pytest.raises(NotACephalogramError, match="blank"):
        standardize(radiograph(np.full((500, 400), value, np.uint8)))


def test_a_scale_that_would_make_a_giant_is_refused() -> None:
    with pytest.raises(BudgetExceededError, match=r"px at 0\.1 mm"):
        standardize(radiograph(PHANTOM.pixels, calibration=state_calibration(2.0)))


def test_samples_come_out_as_their_landmarks_say(samples: Path) -> None:
    """The mirrored MONOCHROME1 phantom and its landmarks end up on the right, bone bright."""
    import json

    from cephstd.io.reader import read

    film = read(samples / "phantom_b.dcm")
    normal = standardize(film)
    known = json.loads((samples / "phantom_b.landmarks.json").read_text(encoding="utf-8"))["landmarks_px"]
    points = dict(zip(known, normal.chain.forward(list(known.values())), strict=True))
    assert points["N"][0] > points["S"][0] > points["Po"][0]
    tooth = points["U1"] + (-10.0, -60.0)
    assert normal.pixels[round(tooth[1]), round(tooth[0])] > 40_000
    assert normal.pixels[2000, 1900] < 8_000


def test_film_value_is_untouched() -> None:
    film = radiograph(PHANTOM.pixels, calibration=SCALE)
    before = film.pixels.copy()
    standardize(dataclasses.replace(film, inverted=True))
    assert (film.pixels == before).all()


def test_a_film_of_which_a_triangle_is_left_is_refused() -> None:
    rows, columns = np.mgrid[: PHANTOM.pixels.shape[0], : PHANTOM.pixels.shape[1]]
    half = np.where(rows / PHANTOM.pixels.shape[0] + columns / PHANTOM.pixels.shape[1] > 1.0, PHANTOM.pixels, 0)
    film = radiograph(half.astype(np.uint16), calibration=SCALE)
    with pytest.raises(NotACephalogramError, match="corners"):
        standardize(film)
    assert any("corners" in warning for warning in standardize(film, refuse=False).warnings)
