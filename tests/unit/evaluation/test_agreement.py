"""Against the golden case, published tables, and intervals that hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import cephstd as cs
from cephstd.evaluation.agreement import assess_agreement, bound_mean, correlate_readings

GOLDEN = {
    "first": [82.0, 79.5, 84.0, 80.0, 81.5],
    "second": [82.5, 79.0, 84.5, 81.0, 81.0],
    "mean_difference": 0.2,
    "dahlberg": 0.4472135954999579,
    "sd_difference": 0.6708203932499369,
    "lower_limit": -1.1148079707698764,
    "upper_limit": 1.5148079707698763,
    "paired_t": 0.6666666666666667,
    "icc_2_1": 0.9452054794520555,
}
# Six targets by four judges: Shrout and Fleiss (1979), table 2.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


def test_golden_method_error():
    found = assess_agreement(GOLDEN["first"], GOLDEN["second"])
    for name in ("dahlberg", "sd_difference", "paired_t"):
        assert getattr(found, name) == pytest.approx(GOLDEN[name], rel=1e-9), name
    for name in ("mean_difference", "lower_limit", "upper_limit", "icc_2_1"):
        assert getattr(found, name).value == pytest.approx(GOLDEN[name], rel=1e-9), name


def test_published_intraclass_correlations():
    """Shrout and Fleiss (1979), table 4: ICC(2,1) = .29, ICC(3,1) = .71; the intervals are McGraw and Wong's."""
    absolute, consistent = (correlate_readings(JUDGES, absolute=kind) for kind in (True, False))
    assert absolute.value == pytest.approx(0.2898, abs=1e-4)
    assert consistent.value == pytest.approx(0.7148, abs=1e-4)
    assert absolute.interval == pytest.approx((0.019, 0.761), abs=1e-3)
    assert consistent.interval == pytest.approx((0.342, 0.946), abs=1e-3)


def test_bias_lowers_absolute_agreement_alone():
    rng = np.random.default_rng(5)
    truth = rng.normal(80, 4, size=40)
    first, second = truth + rng.normal(0, 0.5, 40), truth + rng.normal(0, 0.5, 40)
    fair, biased = assess_agreement(first, second), assess_agreement(first, second + 5.0)
    assert biased.icc_3_1 == fair.icc_3_1 or biased.icc_3_1.value == pytest.approx(fair.icc_3_1.value)
    assert biased.icc_2_1.value < fair.icc_2_1.value - 0.2
    assert biased.dahlberg > fair.dahlberg + 2
    assert biased.dahlberg_centred == pytest.approx(fair.dahlberg_centred)
    assert fair.smallest_detectable_change == pytest.approx(1.96 * math.sqrt(2) * fair.dahlberg)
    assert (biased.p_value < 1e-6, fair.p_value > 0.01) == (True, True)


def test_bias_and_slope_agree_with_scipy():
    rng = np.random.default_rng(8)
    first = rng.normal(30, 6, size=25)
    second = first * 1.08 + rng.normal(0, 1, 25)
    found = assess_agreement(first, second)
    test = stats.ttest_rel(second, first)
    assert (found.paired_t, found.p_value) == pytest.approx((test.statistic, test.pvalue))
    assert found.mean_difference.interval == pytest.approx(tuple(test.confidence_interval()))
    line = stats.linregress((first + second) / 2, second - first)
    reach = stats.t.ppf(0.975, 23) * line.stderr
    assert found.slope.value == pytest.approx(line.slope)
    assert found.slope.interval == pytest.approx((line.slope - reach, line.slope + reach))


def test_intervals_hold_the_truth_as_often_as_they_say(counts):
    """Two-way random effects: 95 of 100 intervals hold the correlation; of normal differences, the limits."""
    rng = np.random.default_rng(77)
    runs, films, sd_film, sd_reader, sd_error = counts(600, 6000), 20, 3.0, 0.5, 1.0
    truth = sd_film**2 / (sd_film**2 + sd_reader**2 + sd_error**2)
    consistent = sd_film**2 / (sd_film**2 + sd_error**2)
    limit = 1.0 + 1.96 * sd_error * math.sqrt(2)
    held = np.zeros(4)
    for _ in range(runs):
        base = rng.normal(0, sd_film, (films, 1))
        table = base + rng.normal(0, sd_reader, (1, 2)) + rng.normal(0, sd_error, (films, 2))
        for place, kind, target in ((0, True, truth), (1, False, consistent)):
            low, high = correlate_readings(table, absolute=kind).interval
            held[place] += low <= target <= high
        pair = rng.normal(0, sd_error, (films, 2)) + base
        found = assess_agreement(pair[:, 0], pair[:, 1] + 1.0)
        held[2] += found.upper_limit.interval[0] <= limit <= found.upper_limit.interval[1]
        held[3] += found.mean_difference.interval[0] <= 1.0 <= found.mean_difference.interval[1]
    share = held / runs
    assert (share > 0.92).all(), share
    assert (share < 0.98).all(), share


def test_what_the_readings_do_not_define_is_absent_with_its_reason():
    same = assess_agreement([5.0, 5.0, 5.0], [5.0, 5.0, 5.0])
    assert (same.icc_2_1.value, same.icc_2_1.reason) == (None, "the readings do not vary")
    assert (same.paired_t, same.p_value, same.reliability) == (None, None, None)
    assert same.slope.reason == "the films do not vary"
    equal = assess_agreement([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    assert (equal.icc_2_1.value, equal.icc_2_1.interval) == (1.0, None)
    assert equal.icc_2_1.reason
    assert assess_agreement([1.0, 2.0], [1.5, 2.0]).slope.reason == "a slope needs three films"
    assert bound_mean(np.array([])).reason == "no film was read twice"
    assert bound_mean(np.array([2.0])).interval is None


@pytest.mark.parametrize(
    ("first", "second"),
    [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, math.nan], [1.0, 2.0]), ([[1.0, 2.0]], [[1.0, 2.0]])],
)
def test_unusable_readings_are_refused(first, second):
    with pytest.raises(cs.InputError):
        assess_agreement(first, second)
