"""Checkpoints: everything a run needs to go on, in one file of plain tensors and numbers."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from cephstd.errors import InputError
from cephstd.training.config import TrainConfig
from cephstd.training.network import Ensemble, HeatmapNetwork, LandmarkModel, PointDecoder

FORMAT = "cephstd.checkpoint/1"


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` so that a kill at any moment leaves either the old file or the new one."""
    partial = path.with_suffix(".partial")
    torch.save({"format": FORMAT, **state}, partial)
    partial.replace(path)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint without running any code that it may contain.

    Raises
    ------
    InputError
        If the file is missing, damaged, or no checkpoint of this version.
    """
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {path.name}: {error.strerror}") from error
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path.name} is no checkpoint of tensors and numbers only, or is damaged") from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise InputError(f"expected a checkpoint of format {FORMAT}, found {found!r} in {path.name}")
    return dict(state)


def stored_config(state: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration that a checkpoint was trained with.

    Raises
    ------
    InputError
        If this version of the library does not understand it.
    """
    try:
        return msgspec.json.decode(state["config"], type=TrainConfig)
    except (KeyError, msgspec.MsgspecError) as error:
        raise InputError(f"the checkpoint's configuration is not one of this version: {error}") from error


def build_network(config: TrainConfig) -> HeatmapNetwork:
    """Return a network of the configured shape with fresh weights (from torch's current seed)."""
    return HeatmapNetwork(len(config.data.landmarks), config.network.widths)


def averaged_model(state: Mapping[str, Any]) -> tuple[LandmarkModel, TrainConfig]:
    """Return the model with a checkpoint's averaged weights, in evaluation mode, and its configuration."""
    config = stored_config(state)
    network = build_network(config)
    average: dict[str, Tensor] = state["average"]
    network.load_state_dict(average)
    return LandmarkModel(network, PointDecoder(config.network.window_radius)).eval(), config


def joined_model(states: Sequence[Mapping[str, Any]]) -> tuple[LandmarkModel, TrainConfig]:
    """Return one model of several checkpoints, as of the folds of one training, and the first one's configuration.

    Raises
    ------
    InputError
        If there is none, or their landmarks or canvases differ.
    """
    if not states:
        raise InputError("expected at least one checkpoint, found none")
    models, configs = zip(*map(averaged_model, states), strict=True)
    if len({(tuple(config.data.landmarks), config.network) for config in configs}) > 1:
        raise InputError("expected checkpoints for the same landmarks and canvas, found that they differ")
    if len(models) == 1:
        return models[0], configs[0]
    return LandmarkModel(Ensemble([model.network for model in models]), models[0].decoder).eval(), configs[0]
