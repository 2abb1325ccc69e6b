from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import InferenceError
from cephstd.inference.contracts import HeatmapOutput, PointsOutput, SimccOutput, output_names
from cephstd.inference.decoder import decode

SIZE = (64, 96)
X, Y, SD = 40.3, 61.8, 5.0
SOFTMAX_MAP = HeatmapOutput(heatmap="h", activation="softmax", stride_px=2.0, origin_px=0.5, window_radius=12)
SOFTMAX_BINS = SimccOutput(x="x", y="y", activation="softmax", bins_per_px=2.0, window_radius=60)


def read(outputs, contract, landmarks=1):
    return decode(outputs, contract, films=1, landmarks=landmarks, size_px=SIZE)


def bump(length: int, per_px: float, origin_px: float, at_px: float) -> np.ndarray:
    """Log of a Gaussian in canvas px, sampled at ``origin + index / per_px``."""
    return -(((origin_px + np.arange(length) / per_px) - at_px) ** 2) / (2 * SD**2)


def heatmap() -> np.ndarray:
    return (bump(48, 0.5, 0.5, Y)[:, None] + bump(32, 0.5, 0.5, X)[None, :])[None, None]


def test_heatmap_of_a_known_place_gives_place_and_spread():
    got = read([heatmap()], SOFTMAX_MAP)
    np.testing.assert_allclose(got.points_px[0, 0], [X, Y], atol=0.02)
    np.testing.assert_allclose(got.covariance_px2[0, 0], np.eye(2) * (SD**2 + 4 / 12), rtol=0.03, atol=0.05)
    assert got.score[0, 0] > 0.97


def test_two_equal_peaks_halve_the_score():
    values = np.full((1, 1, 48, 32), -50.0)
    values[0, 0, 10, 5] = values[0, 0, 40, 28] = 50.0
    assert read([values], SOFTMAX_MAP).score[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize(("activation", "values"), [("none", np.exp(heatmap()) * 0.8), ("sigmoid", heatmap() * 4 + 1)])
def test_map_that_is_no_probability_has_no_covariance(activation, values):
    contract = HeatmapOutput(heatmap="h", activation=activation, stride_px=2.0, origin_px=0.5, window_radius=3)
    got = read([values], contract)
    np.testing.assert_allclose(got.points_px[0, 0], [X, Y], atol=0.4)
    assert got.covariance_px2 is None
    assert 0.7 < got.score[0, 0] <= 1.0


def test_simcc_of_a_known_place_gives_place_and_spread():
    got = read([bump(128, 2.0, 0.0, X)[None, None], bump(192, 2.0, 0.0, Y)[None, None]], SOFTMAX_BINS)
    np.testing.assert_allclose(got.points_px[0, 0], [X, Y], atol=0.02)
    np.testing.assert_allclose(got.covariance_px2[0, 0], np.eye(2) * SD**2, rtol=0.02, atol=1e-9)
    assert got.score[0, 0] > 0.99


def test_points_as_shares_of_the_canvas_start_at_its_edge():
    got = read([np.array([[[0.0, 0.0], [1.0, 0.5]]])], PointsOutput(points="p", unit="share"), landmarks=2)
    np.testing.assert_allclose(got.points_px[0], [[-0.5, -0.5], [63.5, 47.5]])
    assert (got.covariance_px2, got.score) == (None, None)


def test_outputs_are_asked_for_in_the_decoder_s_order():
    assert output_names(PointsOutput(points="p", score="s")) == ("p", "s")
    got = read([np.ones((1, 1, 2)), np.full((1, 1), 0.25)], PointsOutput(points="p", score="s"))
    assert got.score[0, 0] == 0.25


@pytest.mark.parametrize(
    ("outputs", "contract", "said"),
    [
        ([np.zeros((1, 2, 2))], PointsOutput(points="p"), r"\(1, 1"),
        ([np.zeros((1, 1, 3))], PointsOutput(points="p"), "points"),
        ([np.full((1, 1, 2), np.nan)], PointsOutput(points="p"), "finite"),
        ([np.zeros((1, 1, 2)), np.full((1, 1), 1.5)], PointsOutput(points="p", score="s"), "scores"),
        ([np.zeros((1, 1, 2)), -np.eye(2)[None, None]], PointsOutput(points="p", covariance="c"), "positive"),
        ([np.zeros((1, 1, 8))], SOFTMAX_MAP, "heatmaps"),
        ([np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 8, 8))], SOFTMAX_BINS, "SimCC"),
        (
            [-np.ones((1, 1, 8, 8))],
            HeatmapOutput(heatmap="h", activation="none", stride_px=1.0, origin_px=0.0),
            "without any positive",
        ),
    ],
)
def test_output_outside_the_contract_is_refused(outputs, contract, said):
    with pytest.raises(InferenceError, match=said):
        read(outputs, contract)
