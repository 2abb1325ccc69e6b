from __future__ import annotations

import numpy as np
import pytest

from cephstd.imaging.effects import Cut, Gamma, Mirror, Negative, Sample, SimulatedDevice
from cephstd.training.dataset import Film
from cephstd.training.devices import random_device, through_device


@pytest.fixture
def film(draw_blob) -> Film:
    """Two blobs on a dark ground, with a bright bar that spans the grey range and is nowhere near them."""
    grey = np.maximum(draw_blob((160, 190), 70.3, 101.8, sigma=4.0), draw_blob((160, 190), 90.0, 8.0, sigma=4.0))
    grey[150:180] = np.linspace(0.0, 1.0, 160)
    points = np.array([[70.3, 101.8], [90.0, 8.0], [np.nan, np.nan]])
    return Film(image_id="blobs", pixels=np.rint(grey * 255).astype(np.uint8), points_px=points)


def blob_centre(pixels: np.ndarray, x: float, y: float) -> np.ndarray:
    rows, columns = np.indices(pixels.shape)
    weight = np.where(np.hypot(columns - x, rows - y) < 12, pixels.astype(float), 0.0)
    weight = np.where(weight > 0.6 * weight.max(), weight, 0.0)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("effect", [Sample(row_mm=0.14, column_mm=0.15), Gamma(value=0.7)])
def test_a_device_changes_pixels_and_leaves_points_on_them(film, effect, rng):
    seen = through_device(film, 0.2, SimulatedDevice(name="one", effects=(effect,)), rng)
    assert seen.pixels.shape == film.pixels.shape
    np.testing.assert_array_equal(seen.points_px, film.points_px)
    np.testing.assert_allclose(blob_centre(seen.pixels, 70, 102), film.points_px[0], atol=0.25)


def test_points_that_a_device_cuts_away_are_absent(film, rng):
    cut = SimulatedDevice(name="cut", effects=(Cut(left=0.0, top=0.2, right=1.0, bottom=1.0),))
    seen = through_device(film, 0.2, cut, rng)
    assert np.isfinite(seen.points_px[0]).all()
    assert np.isnan(seen.points_px[1]).all()
    assert not seen.pixels[:30].any()
    np.testing.assert_allclose(blob_centre(seen.pixels, 70, 102), film.points_px[0], atol=0.25)


def test_drawn_devices_differ_and_never_change_facing_or_grey_sense():
    devices = [random_device(np.random.default_rng(seed)) for seed in range(60)]
    kinds = {type(effect).__name__ for device in devices for effect in device.effects}
    assert kinds == {"Sample", "Cut", "Gamma", "Sigmoid", "Clip", "Blur", "Noise", "Jpeg"}
    assert not any(isinstance(effect, Mirror | Negative) for device in devices for effect in device.effects)
    assert random_device(np.random.default_rng(3)) == random_device(np.random.default_rng(3))
