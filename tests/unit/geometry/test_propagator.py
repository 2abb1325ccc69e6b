"""Correlated points and sampling agree with what first order gives where they must, and differ where they should."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.image import Calibration, state_calibration
from cephstd.core.landmarks import LandmarkSet, place_landmark
from cephstd.errors import InputError
from cephstd.geometry.measurer import Measurer
from cephstd.geometry.propagator import differentiate, propagate, sample

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden_cases.json").read_text(encoding="utf-8"))
ADULT = {case["id"]: case for case in GOLDEN["cases"]}["g10_synthetic_adult"]["points"]
SCALE = Calibration(basis="fiducial", row_mm=0.11, column_mm=0.1, relative_sd=0.02)


def adult(rng: np.random.Generator, sd_px: float) -> LandmarkSet:
    roots = rng.normal(size=(len(ADULT), 2, 2)) * sd_px / math.sqrt(2)
    return LandmarkSet(
        landmarks=tuple(
            place_landmark(id, 10 * x, 10 * y, covariance_px2=root @ root.T)
            for (id, (x, y)), root in zip(ADULT.items(), roots, strict=True)
        )
    )


def blocks(marks: LandmarkSet) -> np.ndarray:
    matrix = np.zeros((2 * len(marks), 2 * len(marks)))
    for row, mark in enumerate(marks):
        matrix[2 * row : 2 * row + 2, 2 * row : 2 * row + 2] = mark.covariance_px2
    return matrix


def test_independent_points_give_what_the_kernel_gives(rng):
    marks, measurer = adult(rng, 5.0), Measurer("all")
    found = propagate(measurer, marks, blocks(marks), SCALE)
    for value in measurer(marks, SCALE).present:
        assert found[value.id] == pytest.approx(value.sd, rel=1e-9), value.id


def test_points_that_move_together_change_no_value(rng):
    marks = adult(rng, 1.0)
    together = np.tile(np.eye(2), (len(marks), len(marks)))
    found = propagate(Measurer("all"), marks, together, state_calibration(0.1))
    assert max(found.values()) < 1e-6


def test_derivatives_are_per_source_pixel(rng):
    marks, measurer = adult(rng, 1.0), Measurer("ricketts")
    gradients = differentiate(measurer, marks, SCALE)
    base = measurer(marks, SCALE)
    row = marks.ids.index("N")
    moved = marks.replace(
        place_landmark(mark.id, mark.x_px + 0.1, mark.y_px) if mark.id == "N" else mark for mark in marks
    )
    for value in measurer(moved, SCALE):
        change = (value.value - base[value.id].value) / 0.1
        assert gradients[value.id][row, 0] == pytest.approx(change, rel=2e-2, abs=2e-3), value.id


@pytest.mark.parametrize("matrix", [np.eye(3), np.full((4, 4), np.nan), np.triu(np.ones((4, 4))), -np.eye(4)], ids=str)
def test_no_covariance_is_refused(matrix):
    marks = LandmarkSet(landmarks=(place_landmark("S", 0, 0), place_landmark("N", 700, 0)))
    with pytest.raises(InputError, match="Expected a"):
        propagate(Measurer(["S_N"]), marks, matrix)


def test_sampling_agrees_with_first_order(rng):
    marks, draws = adult(rng, 3.0), 20_000
    spread = sample(Measurer("all"), marks, rng, SCALE, draws=draws)
    assert len(spread) == 164
    smooth = [one for id, one in spread.items() if id not in ("Z", "lip_chin_ratio", "ISBI_MW")]
    for one in smooth:
        assert one.absent_share == 0.0, one.id
        assert one.sd == pytest.approx(one.first_order_sd, rel=5 / math.sqrt(2 * draws) + 0.02), one.id
        assert one.is_linear, one.id


def test_sampling_shows_where_first_order_fails(rng):
    wide = np.eye(2) * 400.0
    marks = LandmarkSet(
        landmarks=(
            place_landmark("S", 0, 0, covariance_px2=wide),
            place_landmark("N", 10, 0, covariance_px2=wide),  # an arm of half its own uncertainty
            place_landmark("A", 0, 500, covariance_px2=wide),
        )
    )
    assert not sample(Measurer(["SNA"]), marks, rng)["SNA"].is_linear


def test_sampling_is_repeatable():
    marks = adult(np.random.default_rng(3), 2.0)
    one, other = (sample(Measurer("wits"), marks, np.random.default_rng(5), SCALE, draws=200) for _ in range(2))
    assert one == other


def test_too_few_draws_are_refused(rng):
    with pytest.raises(InputError, match="100 draws"):
        sample(Measurer("wits"), adult(rng, 1.0), rng, SCALE, draws=10)
