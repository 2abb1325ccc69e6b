"""Training configuration: one frozen value, read from a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cephstd.errors import InputError
from cephstd.evaluation.sources import SourceConfig
from cephstd.knowledge.layouts import LayoutDefinition

Positive = Annotated[float, msgspec.Meta(gt=0)]
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class DataConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which films, and which of their points: a CSV by `images` and `labels`, any number of sets by `source`, or both.

    A point that a film has no label for has no part in the loss.
    """

    images: str = ""
    """Pattern of a film's path, relative to the configuration file; ``{image_id}`` is replaced."""
    labels: str = ""
    """CSV with the columns image_id, split, annotator, landmark, x_px, y_px; a film whose column same_film_as, where
    there is one, names another is left out."""
    annotator: str = ""
    splits: list[str] = []
    landmarks: list[str]
    """Ids in output order."""
    aliases: dict[str, str] = {}
    """Name in the CSV -> landmark id, where they differ."""
    label_scale: Positive = 1.0
    """``x_film = x_label * label_scale + label_offset_px``."""
    label_offset_px: float = 0.0
    spacing_mm: Positive
    """Of the film files that `images` names, and what films of another scale are brought to."""
    source: list[SourceConfig] = []
    """Sets in a layout that ships, or in one of your own."""
    folds: Count = 1
    held_out_fold: int = -1
    """Films of this fold are left out of training and measured after each epoch; -1 trains on all films."""

    @property
    def csv_layout(self) -> LayoutDefinition:
        """`images` and `labels` as a layout."""
        return LayoutDefinition(
            id=Path(self.labels).name,
            name="CSV of points",
            licence="stated by whoever has the films",
            form="points",
            films=self.images,
            labels=self.labels,
            ids=self.aliases,
            label_scale=self.label_scale,
            label_offset_px=self.label_offset_px,
            spacing_mm=self.spacing_mm,
        )


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Input canvas and width of the U-Net."""

    size_px: tuple[Count, Count] = (576, 720)
    """Width, height of the input; both divisible by 16."""
    spacing_mm: Positive = 1.0 / 3.0
    widths: tuple[Count, Count, Count, Count] = (32, 64, 128, 256)
    window_radius: Count = 8
    """Half side, in heatmap pixels, of the window that the decoder looks at around the peak."""


class AugmentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How widely a film is varied. A ``wide`` film uses the full range of the pose, the others a third of it."""

    wide: Probability = 0.5
    scale_min: Positive = 0.75
    scale_max: Positive = 1.3
    rotation_deg: float = 12.0
    shift: Probability = 0.10
    """Of the canvas's sides."""
    gamma_max: Positive = 2.0
    """Gamma lies between 1/gamma_max and gamma_max."""
    window: Probability = 0.15
    """How far black and white point may move, in units of the standard grey scale."""
    shading: Probability = 0.3
    blur: Probability = 0.35
    sharpen: Probability = 0.15
    noise: Probability = 0.5
    jpeg: Probability = 0.2
    patches: Probability = 0.4
    borders: Probability = 0.2
    overlays: Probability = 0.25
    holders: Probability = 0.0
    """A rod, ring or disc of a head-holder beside one of the landmarks."""
    contrast: Probability = 0.0
    """Local contrast equalised, as device consoles do for display."""
    devices: Probability = 0.0
    """The film as another device would have given it, by `cephstd.training.devices`."""


class OptimizerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AdamW with a one-cycle learning rate and an exponential moving average of the weights."""

    epochs: Count
    batch: Count = 3
    learning_rate: Positive = 1.5e-3
    weight_decay: float = 1e-2
    warm_up: Probability = 0.1
    """Share of all steps in which the learning rate rises."""
    average: Probability = 0.998
    sigma_px: Positive = 2.0
    """Of the Gaussian target, in heatmap pixels."""
    clip_norm: Positive = 5.0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how the run takes place."""

    folder: str
    """For checkpoint and metrics log, relative to the configuration file."""
    seed: int = 0
    device: str = "cpu"
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    threads: int = 0
    """0 leaves the choice to torch."""


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the manifest and the card of the model shall say, which no file of the training knows."""

    name: str
    version: str = "1.0.0"
    licence_weights: str
    """Terms under which you give the weights away, or keep them; whoever runs them has to accept these words."""
    licence_data: str
    """Terms of films and labels."""
    licence_code: str = "Apache-2.0"
    intended_use: str
    patients: str = ""
    """Ages, sexes, origins, devices of the films, as far as you know them; the card says so where it is empty."""
    min_score: Probability = 0.5
    """Points with a lower score are withheld; 0.5: less than half of the probability lies at the point."""


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides what weights come out, and what is said about them."""

    data: DataConfig
    network: NetworkConfig = NetworkConfig()
    augment: AugmentConfig = AugmentConfig()
    optimizer: OptimizerConfig
    run: RunConfig
    model: ModelConfig | None = None
    """No weight depends on it."""

    @property
    def decisive(self) -> TrainConfig:
        """The same without what no weight depends on: two runs with equal ones are the same run."""
        return msgspec.structs.replace(self, model=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """A configuration and the folder that its relative paths start from."""

    config: TrainConfig
    base: Path

    def path(self, relative: str) -> Path:
        """Return `relative` as a path from the configuration file's folder."""
        return self.base / relative


def load_config(path: str | Path) -> LoadedConfig:
    """Read and check a training configuration.

    Parameters
    ----------
    path : str or Path
        A TOML file with the tables data, network, augment, optimizer, run and perhaps model.

    Returns
    -------
    LoadedConfig

    Raises
    ------
    InputError
        If the file cannot be read, is no TOML, holds an unknown key, or a value is of the wrong type or range.
    """
    path = Path(path)
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=TrainConfig)
    except OSError as error:
        raise InputError(f"cannot read the training configuration {path.name}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{path.name} is no valid training configuration: {error}") from error
    check_config(config)
    return LoadedConfig(config=config, base=path.parent)


def select_fold(loaded: LoadedConfig, fold: int) -> LoadedConfig:
    """Hold out another fold, in a folder of its own inside the run's folder.

    Parameters
    ----------
    loaded : LoadedConfig
    fold : int
        In 0..folds - 1.

    Returns
    -------
    LoadedConfig

    Raises
    ------
    InputError
        If the configuration has no such fold.
    """
    config = loaded.config
    data = msgspec.structs.replace(config.data, held_out_fold=fold)
    run = msgspec.structs.replace(config.run, folder=f"{config.run.folder}/fold-{fold}")
    config = msgspec.structs.replace(config, data=data, run=run)
    check_config(config)
    return LoadedConfig(config=config, base=loaded.base)


def check_config(config: TrainConfig) -> None:
    """Refuse a configuration whose values contradict one another.

    Raises
    ------
    InputError
        Naming the first contradiction.
    """
    width, height = config.network.size_px
    fold, folds = config.data.held_out_fold, config.data.folds
    problems = {
        f"network.size_px must be divisible by 16, found {width} x {height}": width % 16 or height % 16,
        "data.landmarks must name each landmark once": len(set(config.data.landmarks)) != len(config.data.landmarks),
        "data.landmarks must name at least one landmark": not config.data.landmarks,
        f"data.held_out_fold must lie in -1..{folds - 1}, found {fold}": not -1 <= fold < folds,
        "data.held_out_fold needs data.folds >= 2": fold >= 0 and folds < 2,
        "data.images and data.labels go together": bool(config.data.images) != bool(config.data.labels),
        "data.annotator and data.splits must select rows of data.labels": bool(config.data.labels)
        and not (config.data.annotator and config.data.splits),
        "data.images must contain {image_id}": bool(config.data.images) and "{image_id}" not in config.data.images,
        "data needs images and labels, or a [[data.source]]": not (config.data.labels or config.data.source),
        "augment.scale_min must not exceed augment.scale_max": config.augment.scale_min > config.augment.scale_max,
        "augment.gamma_max must be at least 1": config.augment.gamma_max < 1,
    }
    for message, wrong in problems.items():
        if wrong:
            raise InputError(message)
