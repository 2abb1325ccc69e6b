"""The shape prior of labelled heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.evaluation.sources import LabelledFilm
from cephstd.inference.shape import ShapeJudge, read_prior
from cephstd.training.shape import NOISE_MM, shape_prior, write_prior

MEAN_MM = {
    "S": (-45.0, -58.0),
    "N": (16.0, -64.0),
    "Or": (4.0, -38.0),
    "Po": (-66.0, -39.0),
    "A": (15.0, -7.0),
    "B": (12.0, 27.0),
    "Pog": (12.0, 41.0),
    "Me": (6.0, 47.0),
    "Go": (-52.0, 16.0),
}
SD_MM = 2.0


def labelled(points_mm: np.ndarray, spacing_mm: float, *, left: bool = False) -> LabelledFilm:
    points = points_mm / spacing_mm + 500.0
    if left:
        points[:, 0] = 999.0 - points[:, 0]
    return LabelledFilm(
        image_id="",
        path=Path(),
        place=None,
        points_px={id: (float(x), float(y)) for id, (x, y) in zip(MEAN_MM, points, strict=True)},
        spacing_mm=spacing_mm,
    )


def films(rng: np.random.Generator, count: int, **looks: bool) -> list[LabelledFilm]:
    """Heads of one shape, each point with SD_MM, turned and scaled at random, at two spacings."""
    made = []
    for number in range(count):
        angle, scale = rng.normal(0.0, 0.1), np.exp(rng.normal(0.0, 0.05))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        head = np.array(list(MEAN_MM.values())) + rng.normal(0.0, SD_MM, (len(MEAN_MM), 2))
        made.append(labelled(scale * head @ turn.T, (0.1, 0.25)[number % 2], **looks))
    return made


def test_turn_scale_and_spacing_are_no_part_of_the_shape(rng) -> None:
    prior = shape_prior(films(rng, 400), tuple(MEAN_MM), how="tests")
    found, truth = np.array(prior.mean_mm), np.array(list(MEAN_MM.values()))
    np.testing.assert_allclose(found - found.mean(axis=0), truth - truth.mean(axis=0), atol=1.5)
    deviations = np.sqrt(np.diag(prior.covariance_mm2))
    assert deviations.max() < 1.1 * SD_MM
    # Four of the eighteen directions are the pose's and taken out.
    assert np.trace(prior.covariance_mm2) == pytest.approx(14 * SD_MM**2, rel=0.1)
    assert (prior.films, prior.noise_mm, prior.how) == (400, NOISE_MM, "tests")


def test_faces_to_the_left_are_turned_round() -> None:
    right = shape_prior(films(np.random.default_rng(1), 40), tuple(MEAN_MM))
    left = shape_prior(films(np.random.default_rng(1), 40, left=True), tuple(MEAN_MM))
    np.testing.assert_allclose(left.covariance_mm2, right.covariance_mm2, atol=0.02)


def test_the_prior_judges_new_heads(rng, tmp_path) -> None:
    content = write_prior(shape_prior(films(rng, 200), tuple(MEAN_MM)), tmp_path / "shape.json")
    assert (tmp_path / "shape.json").read_bytes() == content
    judge = ShapeJudge(read_prior(content, tuple(MEAN_MM)), tuple(MEAN_MM), most_distance2=14.0)
    every = np.ones(len(MEAN_MM), dtype=bool)
    for film in films(rng, 20):
        points = np.array(list(film.points_px.values()))
        assert not judge.implausible(judge(points, every)).any()
        points[3] += 30.0 / film.spacing_mm
        assert np.flatnonzero(judge.implausible(judge(points, every))).tolist() == [3]


def test_films_that_lack_a_landmark_are_left_out(rng) -> None:
    made = films(rng, 40)
    partial = LabelledFilm(image_id="", path=Path(), place=None, points_px={"S": (0.0, 0.0)}, spacing_mm=1.0)
    assert shape_prior([*made, partial], tuple(MEAN_MM)).films == 40
    with pytest.raises(InputError, match="30 films"):
        shape_prior(made[:29], tuple(MEAN_MM))
    with pytest.raises(InputError, match="8 landmarks"):
        shape_prior(made, tuple(MEAN_MM)[:7])


@pytest.mark.torch
def test_a_released_model_gets_a_prior_where_its_labels_make_one(rng, tmp_path) -> None:
    from types import SimpleNamespace

    import msgspec

    from cephstd.inference.catalog import Catalog, load_catalog
    from cephstd.training.release import with_shape

    (bundled,) = load_catalog().entries[:1]
    entry = msgspec.structs.replace(bundled, name="mine", landmarks=tuple(MEAN_MM), shape=None)
    made = films(rng, 40)
    few = with_shape(entry, [SimpleNamespace(films=made[:20])], tmp_path)  # type: ignore[list-item]
    assert few.shape is None
    assert not list(tmp_path.iterdir())
    sets = [SimpleNamespace(films=made[:20]), SimpleNamespace(films=made[20:])]
    found = with_shape(entry, sets, tmp_path)  # type: ignore[arg-type]
    prior = Catalog(folder=tmp_path, entries=(found,)).shape_prior(found)
    assert prior is not None
    assert (prior.films, prior.landmarks) == (40, tuple(MEAN_MM))
