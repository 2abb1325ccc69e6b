"""The view head's network: is it a lateral cephalogram, which way does it lie, is bone dark?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cephstd.inference.thumbnail import SIDE_PX

WIDTHS = (12, 20, 32, 48, 64)
HIDDEN = 64
POSES = 8


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class ViewNetwork(nn.Module):
    """Five halving convolutions and two small layers: about 160,000 parameters.

    The 5 x 5 map at the end keeps its places, because what lies where is the very question.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(_halve(inputs, outputs) for inputs, outputs in zip((1, *WIDTHS[:-1]), WIDTHS, strict=True))
        )
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(WIDTHS[-1] * (SIDE_PX // 32) ** 2, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, POSES + 2),
        )

    def forward(self, view: Tensor) -> Tensor:
        """Logits of one batch.

        Parameters
        ----------
        view : Tensor [shape=(n, 1, 160, 160)]
            In [0, 1].

        Returns
        -------
        Tensor [shape=(n, 10)]
            Eight poses (``4 * faces_left + quarters``), negative, lateral cephalogram.
        """
        logits: Tensor = self.hidden(self.features((view - 0.5) * 4.0))
        return logits


class ViewModel(nn.Module):
    """What is exported: the network on all sixteen versions of a view, their answers turned back and averaged.

    So a film gets the same answer however it lies and whichever way its greys run.
    """

    def __init__(self, network: ViewNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, view: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """View (n, 1, 160, 160) -> accept (n,), pose (n, 8), inverted (n,), as probabilities."""
        gate, inverted, poses = [], [], []
        for version in range(POSES):
            posed = lay(view, version)
            for sign, shown in ((1.0, posed), (-1.0, 1.0 - posed)):
                logits = self.network(shown)
                gate.append(logits[:, POSES + 1])
                inverted.append(sign * logits[:, POSES])
                poses.append(logits[:, list(seen_as(version))])
        return (
            torch.stack(gate).mean(dim=0).sigmoid(),
            torch.stack(poses).mean(dim=0).softmax(dim=1),
            torch.stack(inverted).mean(dim=0).sigmoid(),
        )


def lay(view: Tensor, version: int) -> Tensor:
    """Mirror for versions 4..7, then turn anticlockwise by quarters: as `cephstd.training.viewer_samples.pose_view`."""
    mirrored = view.flip(3) if version >= POSES // 2 else view
    return mirrored.rot90(version % 4, dims=(2, 3))


def seen_as(version: int) -> tuple[int, ...]:
    """For each pose, the pose in which the same film appears after `lay(view, version)`.

    >>> seen_as(1)
    (1, 2, 3, 0, 5, 6, 7, 4)
    """
    seen = []
    for pose in range(POSES):
        mirrored, quarters = pose // 4, pose % 4
        if version >= POSES // 2:
            # A mirror after a turn is the opposite turn after the mirror.
            mirrored, quarters = 1 - mirrored, -quarters
        seen.append(4 * mirrored + (quarters + version) % 4)
    return tuple(seen)
