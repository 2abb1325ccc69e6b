from __future__ import annotations

import numpy as np
import pytest

from cephstd.imaging.tone import apply_window, tone_window


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_small_film_uses_every_pixel(dtype, rng):
    film = rng.integers(0, 255, (200, 150)).astype(dtype)
    np.testing.assert_allclose(tone_window(film), np.quantile(film, (0.005, 0.995)))


def test_a_large_film_is_sampled_on_the_documented_grid(rng):
    film = rng.integers(0, 65536, (2400, 1935)).astype(np.uint16)
    np.testing.assert_allclose(tone_window(film), np.quantile(film[5::10, 5::10], (0.005, 0.995)))


def test_a_few_burnt_pixels_do_not_move_the_window(rng):
    film = rng.integers(1000, 2000, (300, 300)).astype(np.uint16)
    film[:2, :10] = 65535
    low, high = tone_window(film)
    assert 990 < low < 1020
    assert 1980 < high <= 2000


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 4000)])
def test_thin_and_constant_films_have_a_window(shape):
    assert tone_window(np.full(shape, 7, np.uint8)) == (7.0, 8.0)


@pytest.mark.parametrize("bad", [np.zeros((0, 4), np.uint8), np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2))])
def test_other_arrays_are_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        tone_window(bad)


def test_values_outside_the_window_are_clipped():
    out = apply_window(np.array([[10, 60, 110, 255]], np.uint8), (60.0, 160.0))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, [[0.0, 0.0, 0.5, 1.0]])
