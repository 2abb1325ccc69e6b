from __future__ import annotations

import numpy as np
import pytest

from cephstd.imaging.tone import STANDARD_MEDIAN, apply_window, bend_tone, find_tone, standard_tone


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_small_film_uses_every_pixel(dtype, rng):
    film = rng.integers(20, 200, (200, 150)).astype(dtype)
    np.testing.assert_allclose(find_tone(film).window, np.quantile(film, (0.005, 0.995)))


def test_a_large_film_is_sampled_on_the_documented_grid(rng):
    film = rng.integers(0, 60000, (2400, 1935)).astype(np.uint16)
    np.testing.assert_allclose(find_tone(film).window, np.quantile(film[5::10, 5::10], (0.005, 0.995)))


def test_a_few_burnt_pixels_do_not_move_the_window(rng):
    film = rng.integers(1000, 2000, (300, 300)).astype(np.uint16)
    film[:2, :10] = 65535
    low, high = find_tone(film).window
    assert 990 < low < 1020
    assert 1980 < high <= 2000


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 4000)])
def test_thin_and_constant_films_have_a_window(shape):
    curve = find_tone(np.full(shape, 7, np.uint8))
    assert (curve.window, curve.odds) == ((7.0, 8.0), 1.0)


@pytest.mark.parametrize("bad", [np.zeros((0, 4), np.uint8), np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2))])
def test_other_arrays_are_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        find_tone(bad)


def test_values_outside_the_window_are_clipped():
    out = apply_window(np.array([[10, 60, 110, 255]], np.uint8), (60.0, 160.0))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, [[0.0, 0.0, 0.5, 1.0]])


@pytest.mark.parametrize("odds", [0.3, 1.0, 3.0])
def test_a_curve_of_the_device_is_undone(odds, rng):
    grey = rng.beta(2.0, 2.5, (300, 240)).astype(np.float32)
    plain, bent = (np.rint(65535 * bend_tone(grey, each)).astype(np.uint16) for each in (1.0, odds))
    assert np.abs(standard_tone(plain) - standard_tone(bent)).max() < 0.02
    assert np.median(standard_tone(bent)) == pytest.approx(STANDARD_MEDIAN, abs=0.002)


def test_a_gamma_of_the_device_is_undone_for_the_most_part(rng):
    grey = rng.beta(2.0, 2.5, (300, 240))
    plain, bent = (np.rint(65535 * grey**gamma).astype(np.uint16) for gamma in (1.0, 2.0))
    linear = [apply_window(film, find_tone(film).window) for film in (plain, bent)]
    assert np.abs(linear[0] - linear[1]).mean() > 0.15
    assert np.abs(standard_tone(plain) - standard_tone(bent)).mean() < 0.05


def test_the_tone_of_a_standard_image_stays(rng):
    once = standard_tone(np.rint(65535 * rng.beta(1.5, 4.0, (300, 240))).astype(np.uint16))
    twice = standard_tone(np.rint(65535 * once).astype(np.uint16))
    assert np.abs(once - twice).max() <= 0.005


def test_a_negative_needs_other_odds(rng):
    film = np.rint(255 * rng.beta(1.5, 4.0, (300, 240))).astype(np.uint8)
    plain, negative = find_tone(film), find_tone(255 - film)
    assert negative.dark_odds == pytest.approx(plain.odds, rel=1e-6)
    assert negative.odds != pytest.approx(plain.odds, rel=0.1)


def test_odds_are_held(rng):
    film = np.full((300, 240), 1, np.uint8)
    film[::7, ::3] = rng.integers(0, 255, film[::7, ::3].shape)
    assert find_tone(film).odds == 5.0


@pytest.mark.parametrize("margin", [0, 255])
def test_margins_do_not_move_the_tone(margin, rng):
    film = rng.integers(40, 200, (300, 240)).astype(np.uint8)
    framed = np.pad(film, ((30, 0), (20, 25)), constant_values=margin)
    inside, found = find_tone(film), find_tone(framed)
    assert not found.field.is_whole
    assert found.window == pytest.approx(inside.window, abs=2.0)
    assert found.odds == pytest.approx(inside.odds, rel=0.02)


def test_a_full_range_is_kept(rng):
    film = rng.integers(0, 256, (300, 240)).astype(np.uint8)
    assert find_tone(film).window == (0.0, 255.0)
    assert find_tone(film // 2).window[1] < 128.0
