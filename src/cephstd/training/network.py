"""The network: a U-Net that scores every heatmap pixel, and the decoder that turns scores into points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

HEATMAP_STRIDE = 2
"""Input pixels per heatmap pixel, along both axes."""


def _convolve(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class HeatmapNetwork(nn.Module):
    """Plain U-Net, first convolution with stride 2, four levels, dilated convolutions at the bottom.

    At 1/3 mm per input pixel the bottom sees about 160 mm at once: enough to tell a landmark from a look-alike at the
    other end of the head.

    Parameters
    ----------
    landmarks : int
    widths : (int, int, int, int)
        Channels per level, finest first.
    """

    def __init__(self, landmarks: int, widths: tuple[int, int, int, int] = (32, 64, 128, 256)) -> None:
        super().__init__()
        # Kernel 4, padding 1: heatmap pixel i is centred between input pixels 2i and 2i + 1.
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 4, stride=HEATMAP_STRIDE, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
            _convolve(widths[0], widths[0]),
        )
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), _convolve(above, below), _convolve(below, below))
            for above, below in pairwise(widths)
        )
        self.bottom = nn.Sequential(*(_convolve(widths[-1], widths[-1], dilation) for dilation in (2, 4, 8, 1)))
        self.reduce = nn.ModuleList(
            nn.Conv2d(below, above, 1) for above, below in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.merge = nn.ModuleList(
            nn.Sequential(_convolve(2 * width, width), _convolve(width, width)) for width in widths[-2::-1]
        )
        self.head = nn.Conv2d(widths[0], landmarks, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Score each heatmap pixel.

        Parameters
        ----------
        image : Tensor [shape=(n, 1, height, width)]
            In [0, 1]; sides divisible by 16.

        Returns
        -------
        Tensor [shape=(n, landmarks, height / 2, width / 2)]
            Logits: softmax over one landmark's pixels is the probability of its place.
        """
        features = self.stem((image - 0.5) * 4.0)
        skips = []
        for level in self.down:
            skips.append(features)
            features = level(features)
        features = features + self.bottom(features)
        for reduce, merge, skip in zip(self.reduce, self.merge, reversed(skips), strict=True):
            raised = functional.interpolate(reduce(features), scale_factor=2.0, mode="nearest")
            features = merge(torch.cat((raised, skip), dim=1))
        logits: Tensor = self.head(features)
        return logits


def gaussian_target(points_px: Tensor, height: int, width: int, sigma_px: float) -> Tensor:
    """Place a normalised Gaussian on each point of the heatmap.

    Parameters
    ----------
    points_px : Tensor [shape=(n, landmarks, 2)]
        x, y in *input* pixels; NaN where absent.
    height, width : int
        Of the heatmap.
    sigma_px : float
        In heatmap pixels.

    Returns
    -------
    Tensor [shape=(n, landmarks, height, width)]
        Sums to 1 for each landmark, to 0 where absent.
    """
    centres = (torch.nan_to_num(points_px) - (HEATMAP_STRIDE - 1) / 2.0) / HEATMAP_STRIDE
    columns = torch.arange(width, device=points_px.device, dtype=points_px.dtype)
    rows = torch.arange(height, device=points_px.device, dtype=points_px.dtype)
    across = torch.softmax(-((columns - centres[..., 0:1]) ** 2) / (2.0 * sigma_px**2), dim=-1)
    down = torch.softmax(-((rows - centres[..., 1:2]) ** 2) / (2.0 * sigma_px**2), dim=-1)
    present = torch.isfinite(points_px).all(dim=-1).to(points_px.dtype)
    return present[..., None, None] * down[..., :, None] * across[..., None, :]


def heatmap_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy between target and predicted place, averaged over the landmarks that are present, in nats."""
    log_probability = torch.log_softmax(logits.float().flatten(2), dim=-1)
    weight = target.flatten(2)
    return -(weight * log_probability).sum() / weight.sum().clamp(min=1.0)


class PointDecoder(nn.Module):
    """Heatmap logits -> points, covariances and scores, in input pixels.

    The window is the square of side ``2 radius + 1`` around the highest pixel. Point and covariance are the mean and
    the second central moment of the probability inside it; the score is the share of the whole heatmap's probability
    that it holds.

    Parameters
    ----------
    radius : int
        In heatmap pixels.
    """

    offsets_x: Tensor
    offsets_y: Tensor

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius
        steps = torch.arange(-radius, radius + 1)
        down, across = torch.meshgrid(steps, steps, indexing="ij")
        self.register_buffer("offsets_x", across.flatten(), persistent=False)
        self.register_buffer("offsets_y", down.flatten(), persistent=False)

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decode.

        Parameters
        ----------
        logits : Tensor [shape=(n, landmarks, height, width)]

        Returns
        -------
        points : Tensor [shape=(n, landmarks, 2)]
            x, y in input pixels; (0, 0) is the centre of the top-left input pixel.
        covariance : Tensor [shape=(n, landmarks, 2, 2)]
            In input pixels squared.
        score : Tensor [shape=(n, landmarks)]
            In [0, 1].
        """
        height, width = logits.shape[-2:]
        flat = logits.float().flatten(2)
        highest, place = flat.max(dim=-1, keepdim=True)
        x = place % width + self.offsets_x
        y = torch.div(place, width, rounding_mode="floor") + self.offsets_y
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        index = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
        mass = torch.exp(torch.gather(flat, -1, index) - highest) * inside.to(flat.dtype)
        window = mass.sum(dim=-1, keepdim=True)
        share = mass / window
        column, row = x.to(flat.dtype), y.to(flat.dtype)
        mean_x = (share * column).sum(dim=-1, keepdim=True)
        mean_y = (share * row).sum(dim=-1, keepdim=True)
        away_x, away_y = column - mean_x, row - mean_y
        var_xx = (share * away_x * away_x).sum(dim=-1)
        var_xy = (share * away_x * away_y).sum(dim=-1)
        var_yy = (share * away_y * away_y).sum(dim=-1)
        covariance = torch.stack((var_xx, var_xy, var_xy, var_yy), dim=-1).unflatten(-1, (2, 2))
        points = torch.cat((mean_x, mean_y), dim=-1) * HEATMAP_STRIDE + (HEATMAP_STRIDE - 1) / 2.0
        score = (window / torch.exp(flat - highest).sum(dim=-1, keepdim=True)).squeeze(-1)
        return points, covariance * HEATMAP_STRIDE**2, score.clamp(0.0, 1.0)


class Ensemble(nn.Module):
    """Several networks that answer as one: the mean of their probabilities, as logits.

    Where they disagree the mean is wide or has several peaks, so their disagreement reaches covariance and score.

    Parameters
    ----------
    networks : sequence of HeatmapNetwork
        For the same landmarks on the same canvas.
    """

    def __init__(self, networks: Sequence[HeatmapNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        """Image [shape=(n, 1, height, width)] -> logits [shape=(n, landmarks, height / 2, width / 2)]."""
        maps = [network(image) for network in self.networks]
        mean = torch.stack([torch.softmax(logits.float().flatten(2), dim=-1) for logits in maps]).mean(dim=0)
        # 1e-30: a probability of 0 in every network would become minus infinity.
        return torch.log(mean + 1e-30).unflatten(2, maps[0].shape[2:])


class LandmarkModel(nn.Module):
    """Network and decoder in one: what is exported."""

    def __init__(self, network: HeatmapNetwork | Ensemble, decoder: PointDecoder) -> None:
        super().__init__()
        self.network = network
        self.decoder = decoder

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Image [shape=(n, 1, height, width)] in [0, 1] -> points, covariance, score as `PointDecoder`."""
        points, covariance, score = self.decoder(self.network(image))
        return points, covariance, score
