"""Agreement of repeated readings: method error, reliability, limits of agreement, each with an interval.

Formulas: Dahlberg (1940); Shrout and Fleiss (1979) and McGraw and Wong (1996) for intraclass correlations and their
intervals; Bland and Altman (1999) for limits and their intervals. Quantiles are SciPy's.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import fdtri, stdtr, stdtrit

from cephstd.core.arrays import FloatArray
from cephstd.errors import InputError
from cephstd.evaluation.serial import Z95

CONFIDENCE = 0.95
TAIL = 1.0 - (1.0 - CONFIDENCE) / 2.0


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statistic with its 95 % interval; absent with the reason where the readings do not define it."""

    value: float | None = None
    interval: tuple[float, float] | None = None
    reason: str = ""


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agreement of two readings of the same films, in their unit; differences are second minus first.

    Attributes
    ----------
    n : int
        Films read twice.
    mean_difference : Estimate
        Bias. An interval that holds 0 is no proof of no bias.
    sd_difference : float
    paired_t, p_value : float or None
        Test of the bias, two-sided, n - 1 degrees of freedom; None where all differences are equal.
    dahlberg : float
        Error of a single reading, sqrt(sum d^2 / 2n); it contains the bias.
    dahlberg_centred : float
        The same without the bias, sd_difference / sqrt(2).
    reliability : float or None
        1 - dahlberg^2 / variance of the readings; None where they do not vary.
    icc_2_1, icc_3_1 : Estimate
        Intraclass correlation of a single reading: two-way random, absolute agreement; two-way mixed, consistency
        (blind to bias).
    lower_limit, upper_limit : Estimate
        Limits of agreement, mean +/- 1.96 sd.
    slope : Estimate
        Of the difference on the mean of both readings: a slope says that the bias depends on the size.
    smallest_detectable_change : float
        1.96 sqrt(2) dahlberg.
    """

    n: int
    mean_difference: Estimate
    sd_difference: float
    paired_t: float | None
    p_value: float | None
    dahlberg: float
    dahlberg_centred: float
    reliability: float | None
    icc_2_1: Estimate
    icc_3_1: Estimate
    lower_limit: Estimate
    upper_limit: Estimate
    slope: Estimate
    smallest_detectable_change: float


def assess_agreement(first: npt.ArrayLike, second: npt.ArrayLike) -> Agreement:
    """Agreement of two readings of the same films.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        Readings of n >= 2 films in the same order and unit.

    Returns
    -------
    Agreement

    Raises
    ------
    InputError
        When the arrays differ in length, have fewer than two films, or hold what is no finite number.

    Examples
    --------
    >>> found = assess_agreement([82.0, 79.5, 84.0, 80.0, 81.5], [82.5, 79.0, 84.5, 81.0, 81.0])
    >>> round(found.dahlberg, 3), round(found.icc_2_1.value, 3), round(found.lower_limit.value, 2)
    (0.447, 0.945, -1.11)
    """
    readings = _check(np.stack(_pair(first, second), axis=1))
    difference = readings[:, 1] - readings[:, 0]
    n = len(readings)
    mean, sd = float(difference.mean()), float(difference.std(ddof=1))
    error = sd / math.sqrt(n)
    quantile = float(stdtrit(n - 1, TAIL))
    t = mean / error if error > 0 else None
    dahlberg = math.sqrt(float((difference**2).sum()) / (2 * n))
    variance = float(readings.var(ddof=1))
    # Bland and Altman (1999), section 2.1: variance of a limit, the sd's own error included
    limit_error = sd * math.sqrt(1.0 / n + Z95**2 / (2.0 * (n - 1)))
    limits = [mean + side * Z95 * sd for side in (-1.0, 1.0)]
    return Agreement(
        n=n,
        mean_difference=bound_mean(difference),
        sd_difference=sd,
        paired_t=t,
        p_value=None if t is None else 2.0 * float(stdtr(n - 1, -abs(t))),
        dahlberg=dahlberg,
        dahlberg_centred=sd / math.sqrt(2.0),
        reliability=1.0 - dahlberg**2 / variance if variance > 0 else None,
        icc_2_1=correlate_readings(readings, absolute=True),
        icc_3_1=correlate_readings(readings, absolute=False),
        lower_limit=_around(limits[0], quantile * limit_error),
        upper_limit=_around(limits[1], quantile * limit_error),
        slope=_find_slope(readings.mean(axis=1), difference),
        smallest_detectable_change=Z95 * math.sqrt(2.0) * dahlberg,
    )


def bound_mean(values: FloatArray) -> Estimate:
    """Mean of `values`, shape (n,), with its 95 % t interval."""
    n = len(values)
    if n == 0:
        return Estimate(reason="no film was read twice")
    mean = float(values.mean())
    if n == 1:
        return Estimate(value=mean, reason="one film has no interval")
    return _around(mean, float(stdtrit(n - 1, TAIL)) * float(values.std(ddof=1)) / math.sqrt(n))


def correlate_readings(readings: npt.ArrayLike, *, absolute: bool = True) -> Estimate:
    """Intraclass correlation of single readings with its 95 % interval.

    Parameters
    ----------
    readings : array_like, shape (films, readers)
        Two or more of each, without gaps.
    absolute : bool
        True: ICC(2,1), two-way random effects, absolute agreement: bias between readers lowers it. False: ICC(3,1),
        two-way mixed effects, consistency: it does not.

    Returns
    -------
    Estimate
        Absent where the readings do not vary.

    Raises
    ------
    InputError
        When there are fewer than two films or readers, or a reading is no finite number.
    """
    table = _check(np.asarray(readings, dtype=np.float64))
    n, k = table.shape
    grand = table.mean()
    rows = k * float(((table.mean(axis=1) - grand) ** 2).sum()) / (n - 1)
    columns = n * float(((table.mean(axis=0) - grand) ** 2).sum()) / (k - 1)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + grand
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    floor = (1e-12 * max(float(np.abs(table).max()), 1e-300)) ** 2  # below it, rounding
    if rows <= floor and columns <= floor and error <= floor:
        return Estimate(reason="the readings do not vary")
    bias = k * (columns - error) / n if absolute else 0.0
    spread = rows + (k - 1) * error + bias
    if spread <= floor:
        return Estimate(reason="the films do not vary")
    value = (rows - error) / spread
    if error <= floor:
        reason = "the readings differ by a constant or not at all: no error to build an interval from"
        return Estimate(value=value, reason=reason)
    bounds = _bound_absolute if absolute else _bound_consistent
    return Estimate(value=value, interval=bounds((n, k), rows, columns, error))


def _bound_absolute(shape: tuple[int, int], rows: float, columns: float, error: float) -> tuple[float, float]:
    """Interval of ICC(2,1): McGraw and Wong (1996), table 7, with Satterthwaite's degrees of freedom."""
    n, k = shape
    value = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    a = k * value / (n * (1.0 - value))
    b = 1.0 + k * value * (n - 1) / (n * (1.0 - value))
    freedom = (a * columns + b * error) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    noise = k * columns + (k * n - k - n) * error
    upper, lower = float(fdtri(n - 1, freedom, TAIL)), float(fdtri(freedom, n - 1, TAIL))
    return (
        n * (rows - upper * error) / (upper * noise + n * rows),
        n * (lower * rows - error) / (noise + n * lower * rows),
    )


def _bound_consistent(shape: tuple[int, int], rows: float, _columns: float, error: float) -> tuple[float, float]:
    """Interval of ICC(3,1): Shrout and Fleiss (1979)."""
    n, k = shape
    ratio, freedom = rows / error, (n - 1) * (k - 1)
    low, high = ratio / float(fdtri(n - 1, freedom, TAIL)), ratio * float(fdtri(freedom, n - 1, TAIL))
    return (low - 1.0) / (low + k - 1.0), (high - 1.0) / (high + k - 1.0)


def _find_slope(means: FloatArray, difference: FloatArray) -> Estimate:
    """Least-squares slope of differences on means, with its t interval."""
    centred = means - means.mean()
    square = float(centred @ centred)
    n = len(means)
    if n < 3:
        return Estimate(reason="a slope needs three films")
    if square <= (1e-12 * max(float(np.abs(means).max()), 1e-300)) ** 2:
        return Estimate(reason="the films do not vary")
    slope = float(centred @ difference) / square
    rest = difference - difference.mean() - slope * centred
    error = math.sqrt(float(rest @ rest) / (n - 2) / square)
    return _around(slope, float(stdtrit(n - 2, TAIL)) * error)


def _around(value: float, reach: float) -> Estimate:
    return Estimate(value=value, interval=(value - reach, value + reach))


def _pair(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    one, other = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if one.ndim != 1 or one.shape != other.shape:
        raise InputError(f"Expected two readings of the same films, found shapes {one.shape} and {other.shape}.")
    return one, other


def _check(readings: FloatArray) -> FloatArray:
    if readings.ndim != 2 or min(readings.shape) < 2:
        raise InputError(
            f"Expected two or more films read twice or more, found shape {readings.shape}.",
            hint="One film says nothing about agreement.",
        )
    if not np.isfinite(readings).all():
        raise InputError("Expected finite readings; leave out films that were not read each time.")
    return readings
