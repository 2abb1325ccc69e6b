from __future__ import annotations

import numpy as np
import pytest

import cephstd as cs
from cephstd.core.landmarks import LandmarkSet, absent_landmark, landmark_set
from cephstd.evaluation.scatter import assess_landmarks

FILMS = [f"f{number}" for number in range(200)]


def read(rng, covariance, bias=(0.0, 0.0), scale=0.1):
    root = np.linalg.cholesky(covariance)
    places = {id: rng.uniform(500, 900, 2) for id in FILMS}
    tables = []
    for shift in ((0.0, 0.0), bias):
        tables.append(
            {
                id: landmark_set({"A": tuple(p + (root @ rng.normal(size=2) + shift) / scale)})
                for id, p in places.items()
            }
        )
    return (*tables, dict.fromkeys(FILMS, scale))


def test_scatter_bias_and_shape_are_found(rng):
    covariance = np.array([[0.2, 0.15], [0.15, 0.9]])
    first, second, scale = read(rng, covariance, bias=(0.5, -0.2))
    (found,) = assess_landmarks(first, second, mm_per_px=scale)
    assert (found.bias_x.value, found.bias_y.value) == pytest.approx((0.5, -0.2), abs=0.2)
    assert found.bias_x.interval[0] < 0.5 < found.bias_x.interval[1]
    np.testing.assert_allclose(found.covariance_mm2, (0.2, 0.15, 0.9), rtol=0.35)
    assert (found.sd_x_mm, found.sd_y_mm) == pytest.approx((np.sqrt(0.4), np.sqrt(1.8)), rel=0.15)
    assert found.correlation == pytest.approx(0.15 / np.sqrt(0.18), abs=0.15)
    assert abs(found.ellipse.angle_deg - 78.4) < 8  # of the long axis, x towards y
    assert found.ellipse.major_mm == pytest.approx(np.sqrt(5.991 * 2 * 0.9307), rel=0.15)


def test_ellipse_holds_95_of_100_new_films(rng, counts):
    """Also where the films that it was drawn from are few."""
    held = total = 0
    for _ in range(counts(150, 1500)):
        sample = rng.normal(size=(9, 2)) @ np.array([[2.0, 0.3], [0.0, 0.5]])
        first = {str(k): landmark_set({"A": (0.0, 0.0)}) for k in range(8)}
        second = {str(k): landmark_set({"A": tuple(sample[k])}) for k in range(8)}
        ellipse = assess_landmarks(first, second, mm_per_px=dict.fromkeys(first, 1.0))[0].ellipse
        turn = np.radians(ellipse.angle_deg)
        along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        offset = sample[8] - ellipse.centre_mm
        held += (offset @ along / ellipse.major_mm) ** 2 + (offset @ across / ellipse.minor_mm) ** 2 <= 1
        total += 1
    assert 0.90 <= held / total <= 0.99


def test_an_absent_point_is_a_miss_and_has_no_distance():
    first = {id: landmark_set({"S": (0, 0)}) for id in "abcd"}
    gone = LandmarkSet(landmarks=(absent_landmark("S", "not seen"),))
    second = {"a": landmark_set({"S": (3, 4)}), "b": landmark_set({"S": (0, 0)}), "c": gone, "x": gone}
    (found,) = assess_landmarks(first, second, mm_per_px=dict.fromkeys("abcd", 0.1))
    assert (found.distances.points, found.distances.absent) == (4, 2)
    assert found.distances.mre_mm == pytest.approx(0.25)
    assert found.distances.sdr_percent["2"] == 50.0
    assert found.ellipse is None


def test_each_film_has_its_own_scale():
    first = {id: landmark_set({"S": (0, 0)}) for id in "ab"}
    second = {id: landmark_set({"S": (10, 0)}) for id in "ab"}
    (found,) = assess_landmarks(first, second, mm_per_px={"a": 0.1, "b": 0.3})
    assert found.distances.mre_mm == pytest.approx(2.0)


def test_without_scale_or_pairs_there_is_no_agreement():
    one = {"a": landmark_set({"S": (0, 0)})}
    with pytest.raises(cs.CalibrationError, match="film a has no scale"):
        assess_landmarks(one, one, mm_per_px={})
    with pytest.raises(cs.InputError, match="read twice"):
        assess_landmarks(one, {"b": one["a"]}, mm_per_px={"a": 0.1})
