from __future__ import annotations

import numpy as np
import pytest

from cephstd.fleet.rates import discover, natural_spread, two_sided


def test_discoveries_by_hand():
    # Benjamini and Yekutieli: p(k) <= k / m * rate / (1 + 1/2 + 1/3)
    p_values = np.array([0.0001, 0.5, np.nan, 0.01])
    assert discover(p_values, 0.01).tolist() == [True, False, False, False]
    assert discover(p_values, 0.05).tolist() == [True, False, False, True]


def test_natural_spread_is_what_chance_does_not_give():
    rng = np.random.default_rng(0)
    effects = rng.normal(0.0, np.hypot(0.3, 0.4), 4000)
    assert natural_spread(effects, np.full(4000, 0.4)) == pytest.approx(0.3, abs=0.03)
    assert natural_spread(rng.normal(0.0, 0.3, 4000), np.full(4000, 0.4)) == 0.0


def test_one_place_far_off_does_not_widen_it():
    effects = np.r_[np.random.default_rng(1).normal(0.0, 0.1, 30), 5.0]
    assert natural_spread(effects, np.full(31, 0.1)) < 0.1


def test_two_sided():
    assert two_sided(np.array([1.959964, -1.959964])) == pytest.approx([0.05, 0.05], abs=1e-6)
