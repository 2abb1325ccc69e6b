from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from cephstd.fleet.drift import find_drift, smooth, stability_index

DAYS = np.datetime64("2024-01-01") + np.arange(400) // 2


def test_a_step_is_dated_to_the_day_on_which_it_began():
    noise = np.random.default_rng(1).normal(size=400)
    noise[240:] += 1.0
    found = find_drift(noise, DAYS)
    assert abs((found.began - date(2024, 4, 30)).days) <= 7
    assert found.step == pytest.approx(1.0, abs=0.3)
    assert found.p_value < 1e-8
    assert found.psi > 0.25


def test_chance_gives_few_changes():
    rng = np.random.default_rng(2)
    found = [find_drift(rng.normal(size=200), DAYS[:200]) for _ in range(400)]
    assert sum(one is not None for one in found) <= 0.05 * 400 + 15
    assert sum(one is not None and one.p_value < 0.001 for one in found) <= 2


def test_a_few_wild_values_are_no_change():
    noise = np.random.default_rng(3).normal(size=400)
    noise[200:206] += 60.0
    assert find_drift(noise, DAYS) is None


def test_short_or_constant_series_have_no_change():
    assert find_drift(np.arange(59.0), DAYS[:59]) is None
    assert find_drift(np.ones(400), DAYS) is None


def test_shares_are_means():
    hits = np.r_[np.zeros(200), np.tile([1.0, 0.0], 100)]
    found = find_drift(hits, DAYS, share=True)
    assert (found.before, found.after) == pytest.approx((0.0, 0.5), abs=0.02)


def test_stability_index_by_hand():
    before, after = np.arange(100.0), np.full(100, 99.5)
    old, new = np.full(10, 10.5) / 105, np.r_[np.full(9, 0.5), 100.5] / 105
    assert stability_index(before, after) == pytest.approx(np.sum((new - old) * np.log(new / old)))


def test_average_stays_within_limits_without_a_change_and_leaves_them_after():
    rng = np.random.default_rng(5)
    average, limit = smooth(rng.normal(size=300))
    assert (np.abs(average) > limit).mean() < 0.02
    average, limit = smooth(np.r_[np.zeros(10), np.full(10, 3.0)])
    assert (np.abs(average) > limit).tolist() == [False] * 11 + [True] * 9
