from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.evaluation.sources import LabelledFilm
from cephstd.training.config import load_config
from cephstd.training.dataset import read_sets
from cephstd.training.upright import upright_shape

FACE = {"S": (0.0, 0.0), "N": (70.0, -8.0), "A": (64.0, 48.0), "B": (58.0, 86.0), "Go": (-9.0, 80.0)}


def film(points_mm, *, angle_deg=0.0, scale=1.0, spacing_mm=0.5, mirrored=False):
    turn = np.exp(1j * np.radians(angle_deg)) * scale
    placed = {id: (complex(*point) * turn + (200 + 150j)) / spacing_mm for id, point in points_mm.items()}
    points = {id: (1000.0 - p.real if mirrored else p.real, p.imag) for id, p in placed.items()}
    return LabelledFilm(image_id="", path=Path(), place=None, points_px=points, spacing_mm=spacing_mm)


def centred(shape):
    points = np.array(list(shape.values()))
    return points - points.mean(axis=0)


def test_turns_sizes_scales_and_sides_average_out():
    films = [
        film(FACE, angle_deg=10.0, scale=1.25, spacing_mm=0.1),
        film(FACE, angle_deg=-10.0, scale=0.8, mirrored=True),
        film(FACE),
    ]
    np.testing.assert_allclose(centred(upright_shape(films, list(FACE))), centred(FACE), atol=0.051)


def test_heads_that_are_all_tilted_keep_their_tilt():
    shape = upright_shape([film(FACE, angle_deg=8.0), film(FACE, angle_deg=4.0)], list(FACE))
    (x0, y0), (x1, y1) = shape["S"], shape["N"]
    there = np.degrees(np.arctan2(y1 - y0, x1 - x0)) - np.degrees(np.arctan2(-8.0, 70.0))
    assert there == pytest.approx(6.0, abs=0.1)


def test_points_of_different_sets_meet_in_one_shape():
    front = {id: FACE[id] for id in ("S", "N", "A", "B")}
    back = {id: FACE[id] for id in ("S", "B", "N", "Go")}
    films = [film(front, angle_deg=5.0), film(back, angle_deg=-5.0, scale=1.1), film(front, scale=1 / 1.1)]
    shape = upright_shape(films, [*FACE, "Pn"])
    assert "Pn" not in shape
    np.testing.assert_allclose(centred({id: shape[id] for id in FACE}), centred(FACE), atol=0.1)


def test_no_film_with_three_points_is_an_input_error():
    with pytest.raises(InputError, match="at least 3"):
        upright_shape([film({"S": (0.0, 0.0), "N": (1.0, 0.0)})], list(FACE))
    with pytest.raises(InputError, match="at least 3"):
        upright_shape([], list(FACE))


@pytest.mark.films
def test_it_gives_the_bundled_models_shape_again(root, shared_data):
    loaded = load_config(root / "configs" / "isbi19-protocol.toml")
    (found,) = read_sets(loaded)
    shape = upright_shape(found.films, loaded.config.data.landmarks)
    manifest = tomllib.loads((root / "models" / "manifest.toml").read_text(encoding="utf-8"))
    (bundled,) = [each for each in manifest["model"] if each["name"] == "isbi19-unet-a"]
    theirs = bundled["upright"]["shape"]
    assert list(theirs) == list(shape)
    mine, other = centred(shape), centred(theirs)
    # The unit of the bundled one is not mm, and need not be.
    np.testing.assert_allclose(mine, other * np.linalg.norm(mine) / np.linalg.norm(other), atol=0.3)
    lengths = [np.linalg.norm(np.subtract(f.points_px["S"], f.points_px["N"])) * f.spacing_mm for f in found.films]
    assert np.hypot(*np.subtract(shape["S"], shape["N"])) == pytest.approx(np.mean(lengths), rel=0.02)
