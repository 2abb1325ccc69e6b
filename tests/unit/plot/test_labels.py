"""Placing labels: none upon another, none outside, the free side first."""

from __future__ import annotations

import itertools

import numpy as np

from cephstd.plot.labels import place_labels


def overlap(a, b, size_a, size_b):
    return bool((np.abs(a - b) < (size_a + size_b) / 2).all())


def test_crowded_labels_do_not_overlap_or_leave_the_picture(rng):
    anchors = rng.normal((200, 200), 18, size=(16, 2))
    sizes = np.tile([34.0, 18.0], (16, 1))
    centres = place_labels(anchors, sizes, (400, 400), points_px=anchors)
    pairs = itertools.combinations(range(16), 2)
    assert not any(overlap(centres[i], centres[j], sizes[i], sizes[j]) for i, j in pairs)
    assert (centres >= sizes / 2).all()
    assert (centres <= 400 - sizes / 2).all()


def test_a_label_keeps_off_its_own_point():
    (centre,) = place_labels([[50, 50]], [[30, 16]], (100, 100), points_px=[[50, 50]])
    assert (np.abs(centre - 50) > np.array([15, 8])).any()


def test_a_label_avoids_a_line_when_there_is_room():
    line = np.stack([np.arange(50, 200, 2.0), np.full(75, 100.0)], axis=-1)
    (centre,) = place_labels([[100, 100]], [[40, 16]], (200, 200), lines_px=line)
    assert abs(centre[1] - 100) > 8


def test_a_label_at_the_border_goes_inwards():
    (centre,) = place_labels([[198, 100]], [[40, 16]], (200, 200))
    assert centre[0] <= 180


def test_no_labels():
    assert place_labels([], [], (10, 10)).shape == (0, 2)


def test_placing_depends_on_nothing_but_the_arguments(rng):
    anchors = rng.uniform(20, 180, size=(12, 2))
    sizes = np.tile([30.0, 14.0], (12, 1))
    again = [place_labels(anchors, sizes, (200, 200), points_px=anchors) for _ in range(2)]
    assert np.array_equal(*again)
