from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from cephstd.errors import InputError  # noqa: E402
from cephstd.training.config import load_config, select_fold  # noqa: E402
from cephstd.training.cross_validation import HeldOut, cross_validate, judge_doubt, predict_folds  # noqa: E402
from cephstd.training.dataset import load_films  # noqa: E402
from cephstd.training.fit import fit_model  # noqa: E402

pytestmark = pytest.mark.torch


def held_out(rng, films=400, *, factor=1.0, gross=0):
    """Two landmarks whose graph states `factor` times the true covariance, which differs from film to film."""
    size = rng.uniform(0.5, 3.0, (films, 2))
    true = size[..., None, None] ** 2 * np.eye(2)
    truth = rng.uniform(50, 500, (films, 2, 2))
    points = truth + size[..., None] * rng.normal(size=(films, 2, 2))
    points[:gross] += 60.0
    return HeldOut(
        films=tuple(f"{n:03}" for n in range(films)),
        fold=np.arange(films) % 5,
        landmarks=("A", "B"),
        truth_px=truth,
        points_px=points,
        covariance_px2=factor * true,
        score=np.ones((films, 2)),
        spacing_mm=0.5,
    )


def test_doubt_is_judged_by_a_calibration_of_the_other_folds(rng):
    doubt = judge_doubt(held_out(rng, factor=9.0))
    assert doubt.all.points == 800
    assert doubt.all.expected
    assert 93 < doubt.all.inside_percent < 97
    assert [part.expected for part in doubt.thirds] == [True] * 3
    assert doubt.reliability["50"] == pytest.approx(50, abs=5)
    assert doubt.log_likelihood_nats > doubt.constant_log_likelihood_nats + 0.1


def test_a_fold_of_other_errors_is_not_covered_by_its_own(rng):
    held = held_out(rng)
    held.points_px[held.fold == 0] += 40.0
    assert judge_doubt(held).all.inside_percent < 82


def test_accuracy_is_in_millimetres_and_gross_errors_are_named(rng):
    found = cross_validate(held_out(rng, gross=1), unreliable=("B",))
    assert found.films == 400
    assert found.folds == len(found.fold_mre_mm) == 5
    assert {error.image_id for error in found.score.gross_errors} == {"000"}
    assert found.score.gross_errors[0].error_mm == pytest.approx(60 * np.sqrt(2) * 0.5, abs=3)
    assert set(found.score.without) == {"B"}
    assert 0.8 < found.covariance_scale["A"] < 1.3
    assert len(found.covariance_floor_px2["A"]) == 3


def test_each_film_is_judged_by_the_network_that_did_not_see_it(training_set):
    loaded = load_config(training_set(epochs=1, data="folds = 2\n"))
    fitted = [fit_model(select_fold(loaded, fold)) for fold in (0, 1)]
    seen: list[int] = []
    held = predict_folds(loaded, load_films(loaded), seen.append)
    assert sorted(held.films) == ["0", "1", "2", "3"]
    assert seen == [0, 0, 0, 0]
    errors = np.linalg.norm(held.residual_px, axis=-1)
    for fold, result in enumerate(fitted):
        assert errors[held.fold == fold].mean() == pytest.approx(result.held_out_mre_mm, abs=1e-3)


def test_a_configuration_without_folds_is_refused(training_set):
    with pytest.raises(InputError, match=r"data\.folds"):
        predict_folds(load_config(training_set(epochs=1)), [])
