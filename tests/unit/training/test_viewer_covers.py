from __future__ import annotations

import numpy as np
import pytest

from cephstd.training import viewer_covers
from cephstd.training.viewer_covers import LEAST_HIDDEN, blank_beyond_a_line, blank_sectors, hidden_faces
from cephstd.training.viewer_samples import ViewFilm


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other look than the film's own, so that what differs is what was hidden."""
    monkeypatch.setattr(viewer_covers, "vary_look", lambda pixels, rng: pixels)
    monkeypatch.setattr(viewer_covers, "random_view", lambda film, rng: film.pixels)


@pytest.mark.parametrize(
    ("draw", "least"), [(hidden_faces, LEAST_HIDDEN), (blank_beyond_a_line, 0.25), (blank_sectors, 0.35)]
)
def test_what_is_to_be_refused_hides_much_of_the_face(plain, rng, draw, least):
    noise = rng.integers(0, 256, (240, 200), dtype=np.uint8)
    film, face = ViewFilm(pixels=noise, face=(0.3, 0.35, 0.8, 0.85)), np.s_[84:204, 60:160]
    pictures = [np.full((40, 50), 9, np.uint8)]
    for _ in range(20):
        shown = draw([film], pictures, rng)
        # One sample in 256 of a grain or picture is by chance what was there.
        assert (shown[face] != noise[face]).mean() > 0.93 * least
    assert np.array_equal(film.pixels, noise)
