from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.steps import Affine
from cephstd.imaging.field import find_field
from cephstd.imaging.operations import apply_step
from cephstd.imaging.phantom import draw_phantom
from cephstd.imaging.tone import find_tone


def grid(rng, shape=(200, 160)):
    return rng.integers(60, 200, shape).astype(np.uint16)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("sides", [(0, 12, 0, 0), (9, 0, 7, 0), (8, 9, 10, 11)])
def test_margins_are_found_to_the_sample(level, sides, rng):
    left, top, right, bottom = sides
    film = np.full((200, 160), level, np.uint16)
    film[top : 200 - bottom, left : 160 - right] = grid(rng, (200 - top - bottom, 160 - left - right))
    field = find_field(film)
    assert (field.left, field.top, field.right, field.bottom) == (left, top, 160 - right, 200 - bottom)
    assert all(word in field.describe() for word, side in zip(("left", "top"), sides, strict=False) if side)


def test_a_black_and_a_white_margin_that_cross_are_both_found(rng):
    film = grid(rng)
    film[:, :14] = 0
    film[:10, :] = 255
    field = find_field(film)
    assert (field.left, field.top) == (14, 10)


def test_letters_in_a_margin_do_not_hide_it(rng):
    film = grid(rng)
    film[:20] = 0
    film[8:12, 4:8] = 255
    assert find_field(film).top == 20


def test_air_that_fades_to_black_is_no_margin():
    fade = np.clip(np.linspace(-0.2, 1.0, 160), 0.0, 1.0)
    assert find_field(np.tile(fade * 4000, (200, 1))).is_whole


def test_hardly_anything_left_is_a_mistake(rng):
    film = np.zeros((200, 160), np.uint16)
    film[90:110, 70:90] = grid(rng, (20, 20))
    assert find_field(film).is_whole


def test_black_corners_of_a_turned_film_are_left_out(rng):
    film = grid(rng, (600, 480))
    angle = np.deg2rad(8.0)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    centre = np.array([239.5, 299.5])
    shift = centre - np.array([[cos, -sin], [sin, cos]]) @ centre
    turned = apply_step(film, Affine(row_x=(cos, -sin, shift[0]), row_y=(sin, cos, shift[1]), width=480, height=600))
    field = find_tone(turned).field
    black = (turned == 0)[1::3, 1::3]
    assert 0.03 < black.mean() < 0.2
    assert black[field.mask].mean() < 0.005
    assert field.share > 0.98 - black.mean() - 0.02
    assert "corners" in field.describe()


def test_a_drawn_film_has_no_borders():
    drawn = draw_phantom(np.random.default_rng(4), size=(484, 600), spacing_mm=0.4)
    assert find_tone(drawn.pixels).field.is_whole
    assert find_tone(65535 - drawn.pixels).field.is_whole
