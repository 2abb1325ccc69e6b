from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cephstd.core.devices import DeviceProfile
from cephstd.core.image import Calibration, Device, Radiograph, Source, state_calibration
from cephstd.core.recipe import Recipe
from cephstd.errors import CalibrationError
from cephstd.imaging.phantom import draw_ruler
from cephstd.pipeline.scaler import scale_film

PROFILE = DeviceProfile(
    id="ours",
    version="3",
    manufacturer="Acme*",
    magnification_horizontal=1.1,
    magnification_vertical=1.2,
    source="own test",
    checked_by="A. Tester",
    checked_on="2026-01-02",
)
DETECTOR = Calibration(basis="detector_plane", row_mm=0.12, column_mm=0.11, relative_sd=0.1, sources=("tag",))


@pytest.fixture(scope="module")
def film() -> Radiograph:
    """A film of 0.1 mm px with a ruler of 1 mm ticks and no scale."""
    drawn, _ = draw_ruler((300, 700), 0.1, x_mm=15.0, top_mm=5.0, length_mm=50.0)
    pixels = (drawn * 60000).astype(np.uint16)
    about = {"file_sha256": "", "pixel_sha256": "", "decoder": "", "width_px": 300, "height_px": 700, "bits": 16}
    return Radiograph(pixels=pixels, source=Source(format="array", **about))


def test_a_ruler_gives_the_scale_once_its_pitch_is_stated(film):
    assert scale_film(film, Recipe()).film.calibration.spacing_mm is None
    scaled = scale_film(film, Recipe(ruler_pitch_mm=1.0))
    calibration = scaled.film.calibration
    assert calibration.basis == "user_ruler"
    assert calibration.row_mm == pytest.approx(0.1, rel=0.002)
    assert 0.005 <= calibration.relative_sd < 0.006
    assert scaled.conflicts == ()


@pytest.mark.parametrize(("policy", "basis"), [("metadata", "user_stated"), ("ruler", "user_ruler")])
def test_a_conflict_is_said_and_decided_by_the_policy(film, policy, basis):
    stated = dataclasses.replace(film, calibration=state_calibration(0.104))
    scaled = scale_film(stated, Recipe(ruler_pitch_mm=1.0, scale_conflict=policy))
    assert scaled.film.calibration.basis == basis
    assert scaled.conflicts[0].difference == pytest.approx(0.1 / 0.104 - 1, abs=0.002)
    assert f"'{policy}'" in scaled.film.warnings[0]
    with pytest.raises(CalibrationError, match="user_stated"):
        scale_film(stated, Recipe(ruler_pitch_mm=1.0, scale_conflict="refuse"))


def test_within_two_percent_there_is_no_conflict_and_the_stated_scale_counts(film):
    stated = dataclasses.replace(film, calibration=state_calibration(0.1015))
    scaled = scale_film(stated, Recipe(ruler_pitch_mm=1.0, scale_conflict="refuse"))
    assert (scaled.film.calibration.row_mm, scaled.conflicts) == (0.1015, ())


def test_a_profile_corrects_a_detector_scale_once_and_each_direction_by_its_own(film):
    taken = dataclasses.replace(film, calibration=DETECTOR, device=Device(manufacturer="ACME"))
    recipe = Recipe(devices=(PROFILE,))
    once = scale_film(taken, recipe).film
    assert once.calibration.spacing_mm == pytest.approx((0.1, 0.1))
    assert (once.calibration.basis, once.device.profile) == ("geometry", "ours 3")
    assert "device profile ours 3" in once.calibration.sources
    assert scale_film(once, recipe).film.calibration == once.calibration


def test_a_scale_of_the_head_is_not_divided(film):
    taken = dataclasses.replace(film, calibration=state_calibration(0.1), device=Device(manufacturer="ACME"))
    assert scale_film(taken, Recipe(devices=(PROFILE,))).film.calibration.row_mm == 0.1


def test_an_unknown_device_is_recorded_as_unknown(film):
    assert scale_film(film, Recipe(devices=(PROFILE,))).film.device.profile == "unknown 1"


def test_the_pitch_of_a_profile_is_used(film):
    ours = DeviceProfile(
        id="r", version="1", manufacturer="A", ruler_pitch_mm=2.0, source="s", checked_by="c", checked_on="d"
    )
    taken = dataclasses.replace(film, device=Device(manufacturer="a"))
    calibration = scale_film(taken, Recipe(devices=(ours,))).film.calibration
    assert calibration.row_mm == pytest.approx(0.2, rel=0.002)
    assert "device profile r 1" in calibration.sources[1]
