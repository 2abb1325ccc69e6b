"""Correlated points and sampling agree with what first order gives where they must, and differ where they should."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.image import Calibration, state_calibration
from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.core.measures import Uncertainty
from cephstd.errors import InputError
from cephstd.geometry.measurer import Measurer, measure
from cephstd.geometry.propagator import differentiate, examine, propagate, sample

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
    spread = sample(Measurer("all"), marks, 11, SCALE, draws=draws)
    assert len(spread) == 164
    smooth = [one for id, one in spread.items() if id not in ("Z", "lip_chin_ratio", "ISBI_MW")]
    for one in smooth:
        assert one.absent_share == 0.0, one.id
        assert one.sd == pytest.approx(one.first_order_sd, rel=5 / math.sqrt(2 * draws) + 0.02), one.id
        assert one.is_linear, one.id


def short_arm() -> LandmarkSet:
    """An angle of which one arm is half as long as its ends are uncertain."""
    wide = np.eye(2) * 400.0
    return LandmarkSet(
        landmarks=(
            place_landmark("S", 0, 0, covariance_px2=wide),
            place_landmark("N", 10, 0, covariance_px2=wide),
            place_landmark("A", 0, 500, covariance_px2=wide),
        )
    )


def test_sampling_shows_where_first_order_fails():
    marks = short_arm()
    assert not sample(Measurer(["SNA"]), marks, 11)["SNA"].is_linear


def test_sampling_is_repeatable_and_follows_the_seed():
    marks = adult(np.random.default_rng(3), 2.0)
    one, other, third = (sample(Measurer("wits"), marks, seed, SCALE, draws=200) for seed in (5, 5, 6))
    assert one == other
    assert one["Wits"].sd != third["Wits"].sd


def test_a_rejected_point_leaves_the_draws_of_the_others_alone():
    marks = adult(np.random.default_rng(3), 2.0)
    fewer = LandmarkSet(landmarks=tuple(mark for mark in marks if mark.id != "Po"))
    whole, part = (sample(Measurer("all"), points, 5, SCALE, draws=200) for points in (marks, fewer))
    assert "FMA" in whole.keys() - part.keys()
    for id, one in part.items():
        assert one.sd == pytest.approx(whole[id].sd, rel=1e-9), id


@pytest.mark.parametrize(("draws", "seed"), [(10, 0), (100_001, 0), (100, -1)])
def test_draws_and_seeds_out_of_range_are_refused(rng, draws, seed):
    with pytest.raises(InputError, match=r"100 to 100000 draws|a seed of 0 or more"):
        sample(Measurer("wits"), adult(rng, 1.0), seed, draws=draws)


@pytest.mark.parametrize("method", ["first-order", "monte-carlo"])
def test_values_say_whether_first_order_may_be_relied_on(rng, method):
    chosen = Uncertainty(method=method, seed=3)
    good = measure(adult(rng, 3.0), "all", SCALE, uncertainty=chosen)
    unfit = [value.id for value in good.present if value.linear is False]
    assert set(unfit) <= {"Z", "lip_chin_ratio", "ISBI_MW"}
    assert {value.linear for value in good if not value.is_present} == {None}
    assert {value.sd_method for value in good.present} == {method}
    sna = measure(short_arm(), ["SNA"], uncertainty=chosen)["SNA"]
    assert sna.linear is False
    assert "first order fails" in str(sna)
    assert measure(short_arm(), ["SNA"])["SNA"].linear is None


def test_a_value_near_its_kink_is_not_linear():
    """An unsigned angle or length close to 0 turns back there, whatever the derivatives say."""
    wide = np.eye(2) * 4.0

    def checked(id: str, **points: tuple[float, float]) -> bool:
        placed = (place_landmark(name, x, y, covariance_px2=wide) for name, (x, y) in points.items())
        return examine(Measurer([id]), LandmarkSet(landmarks=tuple(placed)), 0, SCALE)[id]

    assert checked("SNA", S=(0, 0), N=(100, 0), A=(100, 90))
    assert not checked("SNA", S=(0, 3), N=(100, 3), A=(0, 0))
    assert checked("S_N", S=(0, 0), N=(100, 0))
    assert not checked("S_N", S=(0, 0), N=(1, 0))


def test_checking_and_sampling_agree_on_where_first_order_fails(rng):
    for sd_px in (3.0, 30.0, 60.0):
        marks, measurer = adult(rng, sd_px), Measurer("all")
        checked, sampled = examine(measurer, marks, 3, SCALE), sample(measurer, marks, 7, SCALE, draws=5000)
        agreed = [checked[id] == one.is_linear for id, one in sampled.items()]
        assert np.mean(agreed) > 0.95, sd_px
    assert sum(not one for one in checked.values()) > 10


def test_a_full_matrix_serves_first_order_and_sampling(rng):
    marks = adult(rng, 1.0)
    root = rng.normal(size=(2 * len(marks), 2 * len(marks))) * 0.2
    matrix = root @ root.T
    first = measure(marks, "steiner", SCALE, covariance_px2=matrix)
    assert {value.id: value.sd for value in first.present} == propagate(Measurer("steiner"), marks, matrix, SCALE)
    drawn = measure(
        marks, "steiner", SCALE, covariance_px2=matrix, uncertainty=Uncertainty(method="monte-carlo", draws=20_000)
    )
    for value in drawn.present:
        assert value.sd == pytest.approx(first[value.id].sd, rel=5 / math.sqrt(40_000) + 0.02), value.id
    together = np.tile(np.eye(2), (len(marks), len(marks)))
    still = measure(marks, ["SNA"], covariance_px2=together, uncertainty=Uncertainty(method="monte-carlo"))["SNA"]
    assert still.sd == pytest.approx(0.0, abs=1e-9)


def test_a_full_matrix_ignores_the_rows_of_points_that_are_not_used(rng):
    marks = adult(rng, 1.0)
    matrix = blocks(marks)
    gone = marks.replace(absent_landmark("Po", "low_confidence") if mark.id == "Po" else mark for mark in marks)
    whole = sample(Measurer(["SNA"]), marks, 1, draws=200)["SNA"].sd
    assert sample(Measurer(["SNA"]), gone, 1, draws=200, covariance_px2=matrix)["SNA"].sd == pytest.approx(whole)
    checked = examine(Measurer("all"), gone, 0, SCALE, covariance_px2=matrix)
    assert "FMA" not in checked
    assert checked["SNA"]
