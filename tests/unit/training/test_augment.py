from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from cephstd.training.augment import plain_sample, random_sample
from cephstd.training.config import AugmentConfig, NetworkConfig
from cephstd.training.dataset import Film

NETWORK = NetworkConfig(size_px=(96, 112), spacing_mm=1 / 3)
COVERS = (
    "shading",
    "blur",
    "sharpen",
    "noise",
    "jpeg",
    "patches",
    "borders",
    "overlays",
    "holders",
    "contrast",
    "devices",
)
POSE_ONLY = AugmentConfig(wide=1.0, gamma_max=1.0, window=0.0, **dict.fromkeys(COVERS, 0.0))


@pytest.fixture
def blob_film(draw_blob) -> Callable[[float, float], Film]:
    def film(x: float, y: float) -> Film:
        pixels = np.rint(draw_blob((160, 190), x, y, sigma=4.0) * 255).astype(np.uint8)
        return Film(image_id="blob", pixels=pixels, points_px=np.array([[x, y]]))

    return film


def centroid(canvas: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(canvas.shape)
    return float((columns * canvas).sum() / canvas.sum()), float((rows * canvas).sum() / canvas.sum())


def test_the_plain_placement_keeps_points_on_their_pixels(blob_film):
    canvas, points = plain_sample(blob_film(70.3, 101.8), 0.2, NETWORK)
    np.testing.assert_allclose(points[0], centroid(canvas), atol=0.05)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_pose_keeps_points_on_their_pixels(seed, blob_film):
    film = blob_film(70.3, 101.8)
    canvas, points = random_sample(film, 0.2, NETWORK, POSE_ONLY, np.random.default_rng(seed))
    np.testing.assert_allclose(points[0], centroid(canvas), atol=0.06)


def test_the_pose_uses_its_whole_range():
    film = Film(
        image_id="two",
        pixels=np.zeros((190, 160), np.uint8),
        points_px=np.array([[60.0, 95.0], [100.0, 95.0]]),
    )
    rng = np.random.default_rng(0)
    vectors = [np.diff(random_sample(film, 0.2, NETWORK, POSE_ONLY, rng)[1], axis=0)[0] for _ in range(300)]
    scales = np.linalg.norm(vectors, axis=1) / (40 * 0.6)
    angles = np.degrees(np.arctan2(*np.transpose(vectors)[::-1]))
    assert 0.72 < scales.min() < 0.8
    assert 1.22 < scales.max() < 1.35
    assert -12.5 < angles.min() < -10
    assert 10 < angles.max() < 12.5


def test_film_turns_and_scales_about_its_centre():
    still_centre = msgspec.structs.replace(POSE_ONLY, shift=0.0)
    film = Film(image_id="centre", pixels=np.zeros((190, 160), np.uint8), points_px=np.array([[79.5, 94.5]]))
    for seed in range(5):
        _, points = random_sample(film, 0.2, NETWORK, still_centre, np.random.default_rng(seed))
        np.testing.assert_allclose(points[0], [47.5, 55.5], atol=1e-9)


def test_points_that_left_the_visible_film_are_absent(blob_film):
    shifting = msgspec.structs.replace(POSE_ONLY, shift=0.5, borders=1.0)
    rng, absent = np.random.default_rng(1), 0
    for _ in range(60):
        canvas, points = random_sample(blob_film(30.0, 40.0), 0.2, NETWORK, shifting, rng)
        if np.isnan(points).any():
            absent += 1
        else:
            x, y = np.rint(points[0]).astype(int)
            patch = canvas[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            assert patch.max() > 0.8
    assert 5 < absent < 55


def test_every_change_keeps_the_range_and_follows_the_generator(blob_film):
    everything = msgspec.structs.replace(AugmentConfig(), **dict.fromkeys(COVERS, 1.0))
    film = blob_film(70.0, 100.0)
    for seed in range(20):
        first, points = random_sample(film, 0.2, NETWORK, everything, np.random.default_rng(seed))
        again, same_points = random_sample(film, 0.2, NETWORK, everything, np.random.default_rng(seed))
        assert first.dtype == np.float32
        assert first.shape == (112, 96)
        assert first.min() >= 0.0
        assert first.max() <= 1.0
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(points, same_points)
    assert not np.array_equal(first, random_sample(film, 0.2, NETWORK, everything, np.random.default_rng(99))[0])
