"""HRNet-W32 as the field uses it for landmarks (Wang et al., TPAMI 2020), without weights: it is here to be timed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (32, 64, 128, 256)
MODULES = (1, 4, 3)
"""Of the stages with two, three and four resolutions."""
BLOCKS = 4


def conv(given: int, made: int, side: int = 3, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(given, made, side, stride, side // 2, bias=False), nn.BatchNorm2d(made)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Residual(nn.Module):
    """A body beside a shortcut."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def basic(width: int) -> Residual:
    return Residual(nn.Sequential(conv(width, width), conv(width, width, relu=False)), nn.Identity())


def bottleneck(given: int) -> Residual:
    body = nn.Sequential(conv(given, 64, 1), conv(64, 64), conv(64, 256, 1, relu=False))
    return Residual(body, nn.Identity() if given == 256 else conv(given, 256, 1, relu=False))


def fuse(source: int, target: int) -> nn.Module:
    """From the resolution of branch `source` to that of branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:
        rise = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(conv(WIDTHS[source], WIDTHS[target], 1, relu=False), rise)
    steps = [conv(WIDTHS[source], WIDTHS[source], stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, conv(WIDTHS[source], WIDTHS[target], stride=2, relu=False))


class Exchange(nn.Module):
    """Branches of residual blocks, then every branch the sum of all."""

    def __init__(self, branches: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(basic(width) for _ in range(BLOCKS))) for width in WIDTHS[:branches]
        )
        self.fuses = nn.ModuleList(
            nn.ModuleList(fuse(source, target) for source in range(branches)) for target in range(branches)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [torch.relu(sum(part(x) for part, x in zip(row, maps, strict=True))) for row in self.fuses]


class HRNetW32(nn.Module):
    """(N, 3, height, width) -> heatmaps (N, landmarks, height / 4, width / 4)."""

    def __init__(self, landmarks: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 64, stride=2), conv(64, 64, stride=2), bottleneck(64), *(bottleneck(256) for _ in range(3))
        )
        self.first = nn.ModuleList([conv(256, WIDTHS[0]), conv(256, WIDTHS[1], stride=2)])
        self.lower = nn.ModuleList([conv(WIDTHS[1], WIDTHS[2], stride=2), conv(WIDTHS[2], WIDTHS[3], stride=2)])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Exchange(branches) for _ in range(modules)))
            for branches, modules in zip((2, 3, 4), MODULES, strict=True)
        )
        self.head = nn.Conv2d(WIDTHS[0], landmarks, 1)

    def forward(self, image: Tensor) -> Tensor:
        stem = self.stem(image)
        maps = self.stages[0]([step(stem) for step in self.first])
        for lower, stage in zip(self.lower, list(self.stages)[1:], strict=True):
            maps = stage([*maps, lower(maps[-1])])
        found: Tensor = self.head(maps[0])
        return found
