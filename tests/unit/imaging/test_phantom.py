from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.imaging.phantom import LANDMARKS_MM, draw_phantom, draw_ruler

SMALL = {"size": (484, 600), "spacing_mm": 0.4}


def test_same_seed_same_film_and_another_seed_another_head() -> None:
    one, again, other = (draw_phantom(np.random.default_rng(seed), **SMALL) for seed in (1, 1, 2))
    assert (one.pixels == again.pixels).all()
    assert one.landmarks_px == again.landmarks_px
    assert one.landmarks_px != other.landmarks_px
    assert set(one.landmarks_px) == set(LANDMARKS_MM)


def test_spacing_changes_pixels_and_not_the_head() -> None:
    fine, coarse = draw_phantom(np.random.default_rng(5)), draw_phantom(np.random.default_rng(5), **SMALL)
    spans = [np.subtract(p.landmarks_px["Me"], p.landmarks_px["N"]) * p.spacing_mm for p in (fine, coarse)]
    assert spans[0] == pytest.approx(spans[1], abs=1e-9)


def test_outlines_pass_through_their_landmarks() -> None:
    """Menton lies on an edge: bone above it, none below."""
    phantom = draw_phantom(np.random.default_rng(6))
    x, y = (round(v) for v in phantom.landmarks_px["Me"])
    above, below = phantom.pixels[y - 12 : y - 4, x].mean(), phantom.pixels[y + 4 : y + 12, x].mean()
    edge = np.argmin(np.diff(phantom.pixels[y - 12 : y + 12, x].astype(float))) - 12
    assert above > 1.4 * below
    assert abs(edge) <= 4


def test_ticks_lie_where_they_are_said_to_lie() -> None:
    density, ticks = draw_ruler((200, 900), 0.13, x_mm=8.0, top_mm=6.3, length_mm=40.0)
    column = density[:, round(ticks[0, 0]) + 4] - 0.35
    found = []
    for _, y in ticks:
        rows = np.arange(round(y) - 3, round(y) + 4)
        weights = np.clip(column[rows], 0.0, None)
        found.append((weights * rows).sum() / weights.sum())
    # A pixel's cover is counted at its centre, which moves a thin tick's centroid by a tenth of a pixel at most.
    assert np.abs(found - ticks[:, 1]).max() < 0.13
    assert np.mean(found - ticks[:, 1]) == pytest.approx(0.0, abs=0.02)
    assert np.diff(ticks[:, 1]) == pytest.approx(1.0 / 0.13)


def test_a_film_too_small_for_the_head_is_refused() -> None:
    with pytest.raises(InputError, match="holds the head"):
        draw_phantom(np.random.default_rng(1), (484, 600), 0.2)
