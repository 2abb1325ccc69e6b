from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from cephstd.errors import InputError  # noqa: E402
from cephstd.training.calibration import calibrate, covariance_scale, squared_distance  # noqa: E402
from cephstd.training.config import load_config  # noqa: E402
from cephstd.training.fit import fit_model  # noqa: E402

pytestmark = pytest.mark.torch


def draw(rng, films, true_scale):
    """Residuals from covariances that are `true_scale` times what is stated."""
    half = rng.normal(size=(films, len(true_scale), 2, 2))
    stated = half @ half.swapaxes(-1, -2) + np.eye(2)
    root = np.linalg.cholesky(stated * np.asarray(true_scale)[:, None, None])
    return (root @ rng.normal(size=(films, len(true_scale), 2, 1)))[..., 0], stated


def test_the_scale_is_found_again(rng):
    residual, stated = draw(rng, 4000, [0.5, 1.0, 3.0])
    scale = covariance_scale(residual, stated)
    np.testing.assert_allclose(scale, [0.5, 1.0, 3.0], rtol=0.06)
    distance = squared_distance(residual, stated * scale[:, None, None])
    np.testing.assert_allclose(distance.mean(axis=0), 2.0, rtol=1e-9)


def test_films_without_a_label_do_not_count(rng):
    residual, stated = draw(rng, 50, [1.0, 2.0])
    some = residual.copy()
    some[::3, 1] = np.nan
    known = np.arange(50) % 3 != 0
    np.testing.assert_allclose(
        covariance_scale(some, stated),
        [covariance_scale(residual, stated)[0], covariance_scale(residual[known], stated[known])[1]],
    )


def test_a_landmark_that_is_never_labelled_is_an_input_error(rng):
    residual, stated = draw(rng, 5, [1.0, 1.0])
    residual[:, 0] = np.nan
    with pytest.raises(InputError, match="at least one"):
        covariance_scale(residual, stated)


def test_the_held_out_fold_of_a_run_is_used(training_set):
    loaded = load_config(training_set(epochs=1, data="folds = 2\nheld_out_fold = 0\n"))
    fitted = fit_model(loaded)
    result = calibrate([loaded])
    assert result.films == 2
    assert result.mre_mm == pytest.approx(fitted.held_out_mre_mm, abs=1e-3)
    assert result.scale.shape == (2,)
    assert 0.0 <= result.coverage_95 <= 1.0


def test_a_run_that_held_nothing_out_is_refused(training_set):
    loaded = load_config(training_set(epochs=1))
    fit_model(loaded)
    with pytest.raises(InputError, match="holds no film out"):
        calibrate([loaded])
    with pytest.raises(InputError, match="at least one run"):
        calibrate([])
