from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from cephstd.core.devices import DeviceProfile
from cephstd.core.image import Device, Radiograph, state_calibration
from cephstd.core.recipe import Recipe
from cephstd.core.steps import FlipX, Invert, Turn
from cephstd.errors import NotACephalogramError
from cephstd.imaging.normalizer import standardize
from cephstd.imaging.phantom import draw_phantom
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer, normalize

PHANTOM = draw_phantom(np.random.default_rng(3), size=(484, 600), spacing_mm=0.4).pixels
NORMALIZER = Normalizer()
WAVES = (127 + 60 * np.sin(np.arange(240) / 23) + np.zeros((300, 1))).astype(np.uint8)


def film(pixels: np.ndarray, **facts: Any) -> Radiograph:
    made = read(pixels, calibration=state_calibration(0.4))
    return dataclasses.replace(made, device=Device(**facts))


def test_a_picture_that_is_no_cephalogram_is_refused_or_reported() -> None:
    with pytest.raises(NotACephalogramError, match="looks like none"):
        NORMALIZER(film(WAVES))
    normal = NORMALIZER(film(WAVES), Recipe(view_gate="report"))
    assert normal.view is not None
    assert not normal.view.accepted
    assert any("looks like no lateral cephalogram" in text for text in normal.warnings)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("facing", ["right", "left"])
@pytest.mark.parametrize("quarters", range(4))
def test_however_a_film_lies_its_standard_image_is_the_same(facing: str, quarters: int, dark: bool) -> None:
    """Nothing is declared: pose and grey sense come from the image alone."""
    straight = NORMALIZER(film(PHANTOM))
    seen = PHANTOM[:, ::-1] if facing == "left" else PHANTOM
    seen = np.ascontiguousarray(np.rot90(65535 - seen if dark else seen, quarters))
    normal = NORMALIZER(film(seen))
    assert np.abs(normal.pixels.astype(np.int64) - straight.pixels).max() <= 1
    kinds = [type(step) for step in normal.chain.steps]
    assert (FlipX in kinds, Turn in kinds, Invert in kinds) == (facing == "left", quarters > 0, dark)


def test_a_wrong_word_of_the_file_is_reported_and_the_image_followed() -> None:
    normal = NORMALIZER(film(PHANTOM, patient_orientation="P\\F"))
    assert FlipX() not in normal.chain.steps
    assert any("the image was followed" in text for text in normal.warnings)
    agreeing = NORMALIZER(film(PHANTOM[:, ::-1], patient_orientation="P\\F"))
    assert FlipX() in agreeing.chain.steps
    assert agreeing.warnings == ()


def test_what_a_profile_knows_counts_where_file_and_image_are_silent() -> None:
    said: dict[str, Any] = {"version": "1", "source": "seen", "checked_by": "A. P.", "checked_on": "2026-01-15"}
    left = DeviceProfile(id="left", facing="left", **said)
    assert standardize(film(PHANTOM), profile=left).chain.steps[0] == FlipX()
    assert FlipX() not in standardize(film(PHANTOM, patient_orientation="A\\F"), profile=left).chain.steps
    # the image is plain here, and goes before the profile
    assert FlipX() not in NORMALIZER(film(PHANTOM), Recipe(devices=(left,))).chain.steps


def test_grey_sense_of_a_profile_goes_before_the_files_word_and_the_image_before_both() -> None:
    said: dict[str, Any] = {"version": "1", "source": "seen", "checked_by": "A. P.", "checked_on": "2026-01-15"}
    dark = DeviceProfile(id="dark", bone_dark=True, **said)
    # so blurred that no outline tells its grey sense
    smooth = film(cv2.GaussianBlur(PHANTOM, (0, 0), 25))
    assert Invert() in standardize(smooth, profile=dark).chain.steps
    assert Invert() not in standardize(smooth).chain.steps
    plain = standardize(film(PHANTOM), profile=dark)
    assert Invert() not in plain.chain.steps
    assert any("Profile dark 1 says that bone is dark" in text for text in plain.warnings)


def test_the_verb_takes_a_film_or_an_array_and_a_stated_scale() -> None:
    by_film, by_array = normalize(read(PHANTOM)), normalize(PHANTOM)
    assert np.array_equal(by_film.pixels, by_array.pixels)
    assert by_film.spacing_mm is None
    scaled = normalize(read(PHANTOM), calibration=state_calibration(0.4))
    assert scaled.spacing_mm == pytest.approx(0.1)


def test_one_normalizer_serves_threads_and_gives_what_the_verb_gives() -> None:
    assert msgspec.to_builtins(NORMALIZER(read(PHANTOM)).view) == msgspec.to_builtins(normalize(PHANTOM).view)
