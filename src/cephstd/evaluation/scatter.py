"""Agreement of two readings of the same landmarks: distances, bias and scatter along each axis, 95 % ellipses."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
from scipy.special import fdtri

from cephstd.core.arrays import FloatArray
from cephstd.core.landmarks import LandmarkSet
from cephstd.errors import CalibrationError, InputError
from cephstd.evaluation.agreement import CONFIDENCE, Estimate, bound_mean
from cephstd.evaluation.scorer import Summary, summarize

FEWEST = 3  # films below which a scatter has no ellipse


class Ellipse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Region that holds the difference of one more film with 95 % probability, for normal scatter.

    Attributes
    ----------
    centre_mm : tuple of float
        Mean difference, x right and y down.
    major_mm, minor_mm : float
        Half axes.
    angle_deg : float
        Of the long axis from x towards y, -90..90.
    """

    centre_mm: tuple[float, float]
    major_mm: float
    minor_mm: float
    angle_deg: float


class LandmarkAgreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agreement of two readings of one landmark; differences are second minus first, in mm of the film.

    Attributes
    ----------
    landmark : str
    distances : Summary
        Mean radial error and detection rates of the second reading against the first, in which a point that is absent
        in the second is a miss.
    bias_x, bias_y : Estimate
        Mean difference, x right and y down, with its 95 % interval, mm.
    sd_x_mm, sd_y_mm, correlation : float or None
        Of the differences; None below two films or where one axis does not vary.
    covariance_mm2 : tuple of float or None
        (xx, xy, yy) of a SINGLE reading: half of that of the differences.
    ellipse : Ellipse or None
        None below three films.
    """

    landmark: str
    distances: Summary
    bias_x: Estimate
    bias_y: Estimate
    sd_x_mm: float | None = None
    sd_y_mm: float | None = None
    correlation: float | None = None
    covariance_mm2: tuple[float, float, float] | None = None
    ellipse: Ellipse | None = None


def assess_landmarks(
    first: Mapping[str, LandmarkSet], second: Mapping[str, LandmarkSet], *, mm_per_px: Mapping[str, float]
) -> tuple[LandmarkAgreement, ...]:
    """Agreement of two readings of the landmarks of the same films.

    Parameters
    ----------
    first, second : mapping of str to LandmarkSet
        image_id -> points in source px. Films of `first` alone are misses of `second`; films of `second` alone are
        left out.
    mm_per_px : mapping of str to float
        image_id -> scale, for every film of `first`.

    Returns
    -------
    tuple of LandmarkAgreement
        One for each landmark that `first` has on some film.

    Raises
    ------
    InputError
        When no film was read twice.
    CalibrationError
        When a film has no scale.

    Examples
    --------
    >>> from cephstd.core.landmarks import landmark_set
    >>> one = {id: landmark_set({"S": (100, 100)}) for id in "abc"}
    >>> other = {id: landmark_set({"S": xy}) for id, xy in zip("abc", [(103, 104), (100, 100), (97, 96)])}
    >>> (sella,) = assess_landmarks(one, other, mm_per_px=dict.fromkeys("abc", 0.1))
    >>> sella.distances.mre_mm, sella.bias_x.value, sella.sd_y_mm
    (0.3333, 0.0, 0.4)
    """
    if not set(first) & set(second):
        raise InputError("Expected films that were read twice, found no image_id in both tables.")
    for id in first:
        if id not in mm_per_px:
            raise CalibrationError(
                f"Distances of landmarks are in millimetres; film {id} has no scale.",
                hint="State it: a column mm_per_px, or one scale for all films.",
            )
    landmarks = dict.fromkeys(mark.id for marks in first.values() for mark in marks.present)
    return tuple(_assess(landmark, first, second, mm_per_px) for landmark in landmarks)


def _assess(
    landmark: str,
    first: Mapping[str, LandmarkSet],
    second: Mapping[str, LandmarkSet],
    mm_per_px: Mapping[str, float],
) -> LandmarkAgreement:
    rows = []
    for id, marks in first.items():
        here = marks.points_px.get(landmark)
        there = second[id].points_px.get(landmark) if id in second else None
        if here is not None:
            offset = (math.nan, math.nan) if there is None else np.subtract(there, here) * mm_per_px[id]
            rows.append(offset)
    offsets = np.array(rows, dtype=np.float64)
    distances = np.hypot(offsets[:, :1], offsets[:, 1:])
    read = offsets[~np.isnan(offsets).any(axis=1)]
    facts = LandmarkAgreement(
        landmark=landmark,
        distances=summarize(distances, np.ones(distances.shape, dtype=np.bool_)),
        bias_x=bound_mean(read[:, 0]),
        bias_y=bound_mean(read[:, 1]),
    )
    if len(read) < 2:
        return facts
    covariance = np.cov(read, rowvar=False)
    sd_x, sd_y = (math.sqrt(variance) for variance in np.diag(covariance))
    single = covariance / 2.0
    return msgspec.structs.replace(
        facts,
        sd_x_mm=sd_x,
        sd_y_mm=sd_y,
        correlation=float(covariance[0, 1]) / (sd_x * sd_y) if sd_x > 0 and sd_y > 0 else None,
        covariance_mm2=(float(single[0, 0]), float(single[0, 1]), float(single[1, 1])),
        ellipse=_draw_ellipse(read, covariance) if len(read) >= FEWEST else None,
    )


def _draw_ellipse(offsets: FloatArray, covariance: FloatArray) -> Ellipse:
    """Prediction ellipse by Hotelling's T^2: wider than 5.991 says while the films are few, and the same when many."""
    n = len(offsets)
    reach = 2.0 * (n - 1) * (n + 1) / (n * (n - 2)) * float(fdtri(2, n - 2, CONFIDENCE))
    variances, axes = np.linalg.eigh(covariance)
    minor, major = np.sqrt(reach * np.clip(variances, 0.0, None))
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    x, y = offsets.mean(axis=0)
    return Ellipse(
        centre_mm=(float(x), float(y)),
        major_mm=float(major),
        minor_mm=float(minor),
        angle_deg=(angle + 90.0) % 180.0 - 90.0,
    )
