from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from cephstd.training.network import HeatmapNetwork, PointDecoder, gaussian_target, heatmap_loss  # noqa: E402

pytestmark = pytest.mark.torch


def test_the_target_peaks_where_the_point_lies():
    """Heatmap pixel i covers the input pixels 2i and 2i + 1: its centre is 2i + 0.5."""
    target = gaussian_target(torch.tensor([[[20.5, 10.5], [21.0, 10.5]]]), height=16, width=24, sigma_px=2.0)
    assert divmod(int(target[0, 0].argmax()), 24) == (5, 10)
    assert target[0, 0, 5, 9] == pytest.approx(float(target[0, 0, 5, 11]))
    # a quarter heatmap pixel further right the right neighbour gains
    assert target[0, 1, 5, 11] > target[0, 1, 5, 9]
    assert float(target[0, 0].sum()) == pytest.approx(1.0, abs=1e-5)


def test_an_absent_point_weighs_nothing():
    points = torch.tensor([[[10.0, 10.0], [float("nan"), float("nan")]]])
    target = gaussian_target(points, height=16, width=16, sigma_px=1.5)
    assert float(target[0, 1].sum()) == 0.0
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    loss = heatmap_loss(logits, target)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(256), abs=1e-5)
    assert float(logits.grad[0, 1].abs().sum()) == 0.0
    assert float(logits.grad[0, 0].abs().sum()) > 0.0


def test_a_batch_without_any_point_costs_nothing():
    target = gaussian_target(torch.full((1, 1, 2), float("nan")), 8, 8, 2.0)
    assert heatmap_loss(torch.randn(1, 1, 8, 8), target).item() == 0.0


@pytest.mark.parametrize("point", [(40.0, 50.0), (41.3, 50.9), (40.5, 51.75)])
def test_a_known_heatmap_decodes_to_its_point(point):
    target = gaussian_target(torch.tensor([[point]], dtype=torch.float64), 64, 48, sigma_px=2.0)
    points, covariance, score = PointDecoder(8)(torch.log(target + 1e-12))
    np.testing.assert_allclose(points[0, 0], point, atol=0.05)
    np.testing.assert_allclose(covariance[0, 0], np.eye(2) * (2 * 2.0) ** 2, atol=0.1)
    assert float(score) == pytest.approx(1.0, abs=1e-3)


def test_covariance_axes_are_x_then_y():
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    along, across = (columns - 20 + rows - 20) / 2**0.5, (columns - 20 - rows + 20) / 2**0.5
    logits = -(along**2) / (2 * 3.0**2) - across**2 / (2 * 1.0**2)
    _, covariance, _ = PointDecoder(10)(logits[None, None])
    # long axis along x = y: equal variances (9 + 1) / 2, positive covariance (9 - 1) / 2, times 2 x 2
    np.testing.assert_allclose(covariance[0, 0], [[20, 16], [16, 20]], rtol=0.02)
    _, covariance, _ = PointDecoder(10)((-((columns - 20) ** 2) / 18 - (rows - 20) ** 2 / 2)[None, None])
    np.testing.assert_allclose(covariance[0, 0], [[36, 0], [0, 4]], atol=0.5)


def test_the_score_is_the_share_of_probability_in_the_window():
    probability = torch.full((1, 1, 32, 32), 1e-9)
    probability[0, 0, 8, 8], probability[0, 0, 25, 25] = 0.7, 0.3
    points, _, score = PointDecoder(2)(torch.log(probability))
    np.testing.assert_allclose(points[0, 0], [16.5, 16.5], atol=1e-3)
    assert float(score) == pytest.approx(0.7, abs=1e-4)


def test_a_window_over_the_edge_stays_inside():
    logits = torch.full((1, 1, 20, 30), -50.0)
    logits[0, 0, 0, 29] = 0.0
    points, _, score = PointDecoder(4)(logits)
    np.testing.assert_allclose(points[0, 0], [58.5, 0.5], atol=1e-4)
    assert float(score) == pytest.approx(1.0)


def test_the_network_scores_each_heatmap_pixel():
    network = HeatmapNetwork(3, (4, 4, 8, 8)).eval()
    assert network(torch.zeros(2, 1, 96, 64)).shape == (2, 3, 48, 32)


def test_the_standard_network_has_4_2_million_parameters():
    assert sum(parameter.numel() for parameter in HeatmapNetwork(19).parameters()) == 4_159_571
