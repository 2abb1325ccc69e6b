from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.steps import Chain
from cephstd.inference.contracts import UprightContract
from cephstd.inference.leveller import find_tilt, level_step

SHAPE = {
    "S": (0.0, 0.0),
    "N": (70.0, -5.0),
    "A": (66.0, 60.0),
    "B": (55.0, 90.0),
    "Go": (-10.0, 70.0),
    "Me": (45.0, 105.0),
}
UPRIGHT = UprightContract(least_deg=5.0, shape=SHAPE)
SIZE = (576, 720)


def tilted(angle_deg: float, scale: float = 3.0) -> np.ndarray:
    """Clockwise on the screen, about the canvas's middle."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array(list(SHAPE.values()))
    return scale * (points - points.mean(axis=0)) @ turn.T + (288.0, 360.0)


@pytest.mark.parametrize("angle_deg", [-40.0, -8.0, 0.0, 3.25, 8.0, 170.0])
def test_the_tilt_is_found_at_any_scale(angle_deg: float) -> None:
    for scale in (0.5, 3.0):
        assert find_tilt(tilted(angle_deg, scale), tuple(SHAPE), UPRIGHT) == pytest.approx(angle_deg, abs=0.01)


def test_landmarks_that_the_shape_lacks_are_left_out() -> None:
    points = np.vstack([tilted(8.0), [[0.0, 0.0]]])
    assert find_tilt(points, (*SHAPE, "Ba"), UPRIGHT) == pytest.approx(8.0, abs=0.01)


def test_too_few_points_or_one_place_say_nothing() -> None:
    assert find_tilt(tilted(8.0)[:4], tuple(SHAPE)[:4], UPRIGHT) is None
    assert find_tilt(np.full((6, 2), 7.0), tuple(SHAPE), UPRIGHT) is None


@pytest.mark.parametrize("angle_deg", [-12.0, 8.0])
def test_the_step_brings_the_head_upright_where_it_is(angle_deg: float) -> None:
    points = tilted(angle_deg)
    step = level_step(points, angle_deg, SIZE)
    assert step is not None
    levelled = Chain(source_size=SIZE, steps=(step,)).forward(points)
    np.testing.assert_allclose(levelled, tilted(0.0), atol=1e-9)


def test_a_turn_that_loses_a_point_is_not_made() -> None:
    points = tilted(90.0) - (0.0, 200.0)
    assert points.min() > 0.0
    assert points.max() < 575.0
    assert level_step(points, 0.0, SIZE) is not None
    assert level_step(points, 90.0, SIZE) is None
