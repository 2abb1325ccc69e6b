from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cephstd.fleet.effects import compare_places, lay_out
from cephstd.fleet.strata import Groups

PLACES, STRATA, N = 4, 5, 4000


def groups(codes, name):
    return Groups(labels=tuple(f"{name}{code}" for code in range(int(codes.max()) + 1)), codes=codes.astype(np.int32))


@pytest.fixture
def films():
    """Places whose patients differ in age: the first has the young ones."""
    rng = np.random.default_rng(4)
    places = rng.integers(PLACES, size=N)
    strata = np.minimum(rng.binomial(STRATA - 1, 0.2 + 0.15 * places), STRATA - 1)
    values = 10.0 * strata + rng.normal(size=N)
    return places, strata, values.astype(np.float32)


def test_other_ages_are_no_effect_and_a_shift_is(films):
    places, strata, values = films
    layout = lay_out(groups(places, "p"), groups(strata, "s"))
    clean = compare_places(values, layout)
    assert np.ptp(clean.medians) > 5  # the medians themselves would call every place different
    assert np.abs(clean.shifts / clean.errors).max() < 4
    assert clean.spread == pytest.approx(1.0, abs=0.05)
    shifted = np.where(places == 2, values + 0.5, values).astype(np.float32)
    found = compare_places(shifted, layout)
    assert found.shifts[2] - np.median(found.shifts[[0, 1, 3]]) == pytest.approx(0.5, abs=4 * found.errors[2])
    assert found.p_shift.argmin() == 2


def test_standard_errors_are_what_repetition_gives():
    rng = np.random.default_rng(0)
    places, strata = rng.integers(PLACES, size=1000), rng.integers(STRATA, size=1000)
    layout = lay_out(groups(places, "p"), groups(strata, "s"))
    made = [compare_places(rng.normal(size=1000).astype(np.float32), layout) for _ in range(60)]
    seen = np.std([np.delete(one.shifts, 1) - one.shifts[1] for one in made])
    stated = np.mean([np.hypot(np.delete(one.errors, 1), one.errors[1]) for one in made])
    assert seen == pytest.approx(stated, rel=0.25)


def test_distances_on_the_grid_are_those_of_scipy(films):
    places, strata, values = films
    values = np.where(places == 1, values + 0.4, values).astype(np.float32)
    found = compare_places(values, lay_out(groups(places, "p"), groups(strata, "s")))
    own, rest = found.residuals[places == 1], found.residuals[places != 1]
    ks = stats.ks_2samp(own, rest, method="asymp")
    assert np.log10(found.p_ks[1]) == pytest.approx(np.log10(ks.pvalue), rel=0.1)
    assert found.wasserstein[1] == pytest.approx(stats.wasserstein_distance(own, rest), rel=0.05)


def test_absent_values_take_no_part(films):
    places, strata, values = films
    rng = np.random.default_rng(1)
    gone = rng.random(N) < 0.3
    layout = lay_out(groups(places, "p"), groups(strata, "s"))
    found = compare_places(np.where(gone, np.nan, values).astype(np.float32), layout)
    assert found.counts.sum() == (~gone).sum()
    assert np.isnan(found.residuals).sum() == gone.sum()


def test_a_place_that_shares_no_stratum_has_no_effect(films):
    places, strata, values = films
    alone = np.where(places == 3, STRATA, strata)
    found = compare_places(values, lay_out(groups(places, "p"), groups(alone, "s")))
    assert np.isnan(found.shifts[3])
    assert np.isfinite(found.shifts[:3]).all()


def test_two_places_cannot_tell_who_is_off(films):
    places, strata, values = films
    assert compare_places(values, lay_out(groups(places % 2, "p"), groups(strata, "s"))) is None


def test_residuals_are_beside_the_stratum_and_not_beside_who_is_most_of_it(films):
    places, strata, values = films
    shifted = np.where(places == 3, values + 3.0, values).astype(np.float32)
    found = compare_places(shifted, lay_out(groups(places, "p"), groups(strata, "s")))
    medians = [np.median(found.residuals[places == place]) for place in range(PLACES)]
    assert medians == pytest.approx(found.shifts / found.spread, abs=0.12)
    assert medians[3] - medians[0] == pytest.approx(3.0, abs=0.3)
