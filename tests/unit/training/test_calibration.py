from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.training.calibration import (
    CHI2_95,
    constant_covariance,
    ellipse_area,
    fit_calibration,
    log_likelihood,
    squared_distance,
)


def draw(rng, films, scale, floor):
    """Residuals whose covariance is ``scale * stated + floor``."""
    half = rng.normal(size=(films, len(scale), 2, 2))
    stated = half @ half.swapaxes(-1, -2) + 0.2 * np.eye(2)
    true = stated * np.asarray(scale)[:, None, None] + np.asarray(floor)
    return (np.linalg.cholesky(true) @ rng.normal(size=(films, len(scale), 2, 1)))[..., 0], stated, true


def test_scale_and_floor_are_found_again(rng):
    floor = np.array([np.diag([2.0, 0.3]), [[1.0, 0.6], [0.6, 1.0]]])
    residual, stated, _ = draw(rng, 6000, [0.5, 3.0], floor)
    found = fit_calibration(residual, stated)
    np.testing.assert_allclose(found.scale, [0.5, 3.0], rtol=0.25)
    np.testing.assert_allclose(found.floor_px2, floor, atol=0.35)
    inside = squared_distance(residual, found.apply(stated)) <= CHI2_95
    np.testing.assert_allclose(inside.mean(axis=0), 0.95, atol=0.002)


def test_a_few_gross_errors_do_not_widen_every_ellipse(rng):
    residual, stated, true = draw(rng, 1000, [1.0], np.zeros((1, 2, 2)))
    residual[:20] *= 30.0
    found = fit_calibration(residual, stated).apply(stated)
    assert 0.9 < np.median(ellipse_area(found) / ellipse_area(true)) < 1.6


def test_few_films_get_a_scale_only_and_their_own_quantile(rng):
    residual, stated, _ = draw(rng, 6, [4.0], np.zeros((1, 2, 2)))
    found = fit_calibration(residual, stated)
    assert not found.floor_px2.any()
    # with six films the 95 % quantile is the largest distance
    assert squared_distance(residual, found.apply(stated)).max() == pytest.approx(CHI2_95)


def test_films_without_a_label_do_not_count(rng):
    residual, stated, _ = draw(rng, 60, [1.0, 2.0], np.zeros((2, 2, 2)))
    known = np.arange(60) % 3 != 0
    some = residual.copy()
    some[~known, 1] = np.nan
    found, whole, part = (
        fit_calibration(*given) for given in ((some, stated), (residual, stated), (residual[known], stated[known]))
    )
    np.testing.assert_allclose(found.scale, [whole.scale[0], part.scale[1]])


def test_a_landmark_that_is_never_labelled_is_an_input_error(rng):
    residual, stated, _ = draw(rng, 5, [1.0, 1.0], np.zeros((2, 2, 2)))
    residual[:, 0] = np.nan
    with pytest.raises(InputError, match="at least one"):
        fit_calibration(residual, stated)


def test_the_density_is_that_of_a_normal_distribution():
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    grid = np.stack(np.meshgrid(np.arange(-15, 15, 0.1), np.arange(-15, 15, 0.1)), axis=-1)
    density = np.exp(log_likelihood(grid, np.broadcast_to(covariance, (*grid.shape, 2))))
    assert density.sum() * 0.01 == pytest.approx(1.0, abs=1e-6)
    assert ellipse_area(np.diag([1.0, 4.0])[None])[0] == pytest.approx(2 * np.pi * CHI2_95)
    assert constant_covariance(np.array([[[3.0, 0.0]], [[-3.0, 0.0]]])).tolist() == [[[9.0, 0.0], [0.0, 0.0]]]
