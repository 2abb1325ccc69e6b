"""Derivatives of displacements against what can be said by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.geometry.displacements import Spread

A = np.array([0.0 + 0.0j, 80.0 + 0.0j, 70.0 + 100.0j])
NOTHING = np.zeros((2, 2))


def hold(a, b):
    """Point 0 held, no turn."""
    one = np.ones(len(a), dtype=np.complex128)
    return b - b[:, :1] + a[:, :1] - a, (one, a[:, 0], b[:, 0])


@pytest.fixture
def spread() -> Spread:
    return Spread.differentiate(hold, A, A + 5.0, 1.0 + 0.0j)


def test_four_places_carry_their_error_into_a_displacement(spread):
    """Of the landmark and of the held point, on both films."""
    ones = [np.diag([4.0, 1.0])] * 3
    covariance = spread.covariance(2, (ones, ones), (0.0, 0.0))
    np.testing.assert_allclose(covariance, np.diag([16.0, 4.0]), rtol=1e-9)
    np.testing.assert_allclose(spread.covariance(0, (ones, ones), (0.0, 0.0)), 0.0, atol=1e-12)


def test_an_unknown_covariance_matters_only_where_it_is_used(spread):
    known = [np.eye(2)] * 3
    lacks = [np.eye(2), None, np.eye(2)]
    assert spread.covariance(2, (known, lacks), (0.0, 0.0)) is not None
    assert spread.covariance(1, (known, lacks), (0.0, 0.0)) is None


def test_error_of_a_scale_grows_with_the_distance_from_what_is_held(spread):
    none = [NOTHING] * 3
    covariance = spread.covariance(2, (none, none), (0.02, 0.0))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), [0.02 * 70, 0.02 * 100], rtol=1e-6)
    assert spread.turn_sd((none, none), (0.02, 0.02)) == 0.0
