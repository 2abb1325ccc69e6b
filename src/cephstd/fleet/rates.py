"""False discoveries held down, and the spread between places that no fault explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FALSE_DISCOVERIES = 0.001
"""Expected share of false ones among what a family of tests calls different: people are sent to look at each."""
NORMAL_MAD = 1.4826
Floats = NDArray[np.float64]


def discover(p_values: Floats, rate: float = FALSE_DISCOVERIES) -> NDArray[np.bool_]:
    """Which tests of a family are discoveries (Benjamini and Yekutieli 2001, for tests that depend on one another).

    Measures of one film rest on the same landmarks, so their tests are not independent. NaN is never a discovery.

    Examples
    --------
    >>> discover(np.array([0.0001, 0.9, np.nan]))
    array([ True, False, False])
    """
    found = np.zeros(p_values.shape, dtype=bool)
    tested = np.isfinite(p_values)
    if tested.any():
        found[tested] = stats.false_discovery_control(p_values[tested], method="by") <= rate
    return found


def natural_spread(effects: Floats, errors: Floats) -> float:
    """Standard deviation between places beyond what chance gives (additive overdispersion, Spiegelhalter 2005).

    From the median absolute deviation, so that a few places that are off do not hide themselves.
    """
    tested = np.isfinite(effects) & np.isfinite(errors)
    if tested.sum() < 3:
        return 0.0
    apart = effects[tested] - np.median(effects[tested])
    wide = NORMAL_MAD * float(np.median(np.abs(apart)))
    return float(np.sqrt(max(0.0, wide**2 - float(np.median(errors[tested] ** 2)))))


def two_sided(z: Floats) -> Floats:
    """P value of a standard normal deviate on either side."""
    return np.asarray(2.0 * stats.norm.sf(np.abs(z)), dtype=np.float64)
