"""The film as a grey picture."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from cephstd.plot.backdrop import SHADE, hide_text, shrink_film


def test_shrinking_is_an_area_mean(film):
    fine = np.zeros((480, 400), dtype=np.uint8)
    fine[::2, ::2] = 200  # a mesh of single pixels: sampling would give 200 or 0, the mean is 50
    picture = shrink_film(dataclasses.replace(film, pixels=fine), (200, 240))
    assert picture.shape == (240, 200)
    assert np.unique(picture).tolist() == [int(50 * SHADE)]


def test_eight_bits_are_shown_as_they_are(film):
    flat = dataclasses.replace(film, pixels=np.full((480, 400), 100, dtype=np.uint8))
    assert np.unique(shrink_film(flat, (100, 120))).tolist() == [int(100 * SHADE)]


def test_a_flat_deep_film_is_drawn_without_dividing_by_nothing(film):
    flat = dataclasses.replace(film, pixels=np.full((48, 40), 900, dtype=np.uint16))
    assert np.unique(shrink_film(flat, (100, 120))).tolist() == [0]


def test_burnt_in_text_is_covered_and_nothing_else_changes():
    picture = np.full((480, 400), 60, dtype=np.uint8)
    picture[300:, 100:] = 90
    named = cv2.putText(picture.copy(), "DOE JANE", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 250, 2)
    assert np.array_equal(hide_text(named), picture)
    assert hide_text(picture) is picture
