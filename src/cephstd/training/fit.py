"""The training loop: seeded, resumable after a kill, logged."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cephstd.errors import InputError
from cephstd.training.augment import plain_sample, random_sample
from cephstd.training.checkpoint import build_network, load_checkpoint, save_checkpoint, stored_config
from cephstd.training.config import LoadedConfig, TrainConfig
from cephstd.training.dataset import Film, load_films, split_films
from cephstd.training.network import LandmarkModel, PointDecoder, gaussian_target, heatmap_loss

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.csv"
METRIC_COLUMNS = ("epoch", "step", "loss", "learning_rate", "seconds", "held_out_mre_mm", "held_out_sdr_2mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a running training tells its watcher after each step."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """Where a finished training lies and what it reached.

    Attributes
    ----------
    checkpoint, metrics : Path
    loss : float
        Mean over the last epoch, in nats.
    held_out_mre_mm : float or None
        Mean radial error on the held-out fold; None when no film was held out.
    """

    checkpoint: Path
    metrics: Path
    loss: float
    held_out_mre_mm: float | None


class _Trainer:
    """Model, average, optimizer and schedule of one run."""

    def __init__(self, config: TrainConfig, steps_per_epoch: int) -> None:
        choice = config.optimizer
        torch.manual_seed(config.run.seed)
        self.config = config
        self.device = torch.device(config.run.device)
        self.network = build_network(config).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=choice.learning_rate, weight_decay=choice.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            max_lr=choice.learning_rate,
            total_steps=choice.epochs * steps_per_epoch,
            pct_start=choice.warm_up,
            final_div_factor=100.0,
        )
        self.step_count = 0
        self.epochs_done = 0
        self.loss = float("nan")
        self.held_out_mre_mm: float | None = None

    def step(self, images: Tensor, points_px: Tensor) -> float:
        """One optimizer step on a batch; returns its loss."""
        self.network.train()
        images = images.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.run.precision == "bfloat16"):
            logits = self.network(images)
        height, width = logits.shape[-2:]
        target = gaussian_target(points_px.to(self.device), height, width, self.config.optimizer.sigma_px)
        loss = heatmap_loss(logits, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimizer.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.step_count += 1
        self._follow()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights, quickly at first, so that the start is forgotten."""
        keep = min(self.config.optimizer.average, (1.0 + self.step_count) / (10.0 + self.step_count))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - keep)
            else:
                self.average[name].copy_(value)

    def state(self) -> dict[str, Any]:
        return {
            "config": msgspec.json.encode(self.config),
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step_count": self.step_count,
            "epochs_done": self.epochs_done,
            "loss": self.loss,
            "held_out_mre_mm": self.held_out_mre_mm,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step_count = state["step_count"]
        self.epochs_done = state["epochs_done"]
        self.loss = state["loss"]
        self.held_out_mre_mm = state["held_out_mre_mm"]


def fit_model(
    loaded: LoadedConfig, *, resume: bool = True, watch: Callable[[Progress], None] | None = None
) -> FitResult:
    """Train a landmark model.

    Writes ``checkpoint.pt`` after each epoch and a row of ``metrics.csv``, both in the run's folder. The augmentation
    of a film follows from seed, epoch and the film's place alone, so a run that was killed and resumed passes through
    the same batches as one that was not; on one machine with the same threads it ends with the same weights.

    Parameters
    ----------
    loaded : LoadedConfig
        From `load_config`.
    resume : bool
        Go on from the folder's checkpoint if there is one; False refuses to overwrite it.
    watch : callable, optional
        Called with a `Progress` after each step, for a progress bar.

    Returns
    -------
    FitResult

    Raises
    ------
    InputError
        If films or labels cannot be read, no film is left to train on, the folder holds a checkpoint and `resume` is
        False, or that checkpoint belongs to another configuration.
    """
    config = loaded.config
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    films, held_out = split_films(load_films(loaded), config.data.folds, config.data.held_out_fold, config.run.seed)
    if not films:
        raise InputError("no film is left to train on: lower data.folds or label more films")
    folder = loaded.path(config.run.folder)
    folder.mkdir(parents=True, exist_ok=True)
    steps = -(-len(films) // config.optimizer.batch)
    trainer = _Trainer(config, steps)
    _resume(trainer, folder, resume)
    for epoch in range(trainer.epochs_done, config.optimizer.epochs):
        started, losses = time.monotonic(), []
        order = np.random.default_rng([config.run.seed, epoch]).permutation(len(films))
        for step, places in enumerate(np.array_split(order, steps)):
            losses.append(trainer.step(*_draw_batch(films, places, config, epoch)))
            if watch is not None:
                seen = Progress(epoch=epoch, epochs=config.optimizer.epochs, step=step, steps=steps, loss=losses[-1])
                watch(seen)
        trainer.epochs_done, trainer.loss = epoch + 1, float(np.mean(losses))
        seconds = time.monotonic() - started
        trainer.held_out_mre_mm, hits = _measure(trainer, held_out)
        rate = f"{trainer.schedule.get_last_lr()[0]:.3e}"
        numbers = (f"{trainer.loss:.4f}", rate, f"{seconds:.1f}", trainer.held_out_mre_mm, hits)
        _log(folder / METRICS, (epoch + 1, trainer.step_count, *numbers))
        save_checkpoint(folder / CHECKPOINT, trainer.state())
    return FitResult(
        checkpoint=folder / CHECKPOINT,
        metrics=folder / METRICS,
        loss=trainer.loss,
        held_out_mre_mm=trainer.held_out_mre_mm,
    )


def _resume(trainer: _Trainer, folder: Path, resume: bool) -> None:
    """Take up the folder's checkpoint, and drop what was logged after it."""
    path = folder / CHECKPOINT
    if not path.exists():
        return
    if not resume:
        raise InputError(f"{path.name} exists in the run's folder: resume it, or choose another run.folder")
    state = load_checkpoint(path)
    if stored_config(state).decisive != trainer.config.decisive:
        raise InputError("the run's folder holds a checkpoint of another configuration: choose another run.folder")
    trainer.restore(state)
    log = folder / METRICS
    if log.exists():
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        log.write_text("".join(lines[: trainer.epochs_done + 1]), encoding="utf-8")


def _draw_batch(
    films: Sequence[Film], places: NDArray[np.int64], config: TrainConfig, epoch: int
) -> tuple[Tensor, Tensor]:
    samples = [
        random_sample(
            films[place],
            config.data.spacing_mm,
            config.network,
            config.augment,
            np.random.default_rng([config.run.seed, epoch, int(place)]),
        )
        for place in places
    ]
    images = torch.from_numpy(np.stack([canvas for canvas, _ in samples])[:, None])
    points = torch.from_numpy(np.stack([points for _, points in samples]).astype(np.float32))
    return images, points


def predict_films(
    model: LandmarkModel, films: Sequence[Film], config: TrainConfig
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Predict each film in its plain placement.

    Yields
    ------
    truth_px, points_px : ndarray [shape=(landmarks, 2)]
        In canvas pixels; `truth_px` NaN where not labelled.
    covariance_px2 : ndarray [shape=(landmarks, 2, 2)]
    score : ndarray [shape=(landmarks,)]
    """
    device = next(model.parameters()).device
    model.eval()
    for film in films:
        canvas, truth = plain_sample(film, config.data.spacing_mm, config.network)
        with torch.inference_mode():
            outputs = model(torch.from_numpy(canvas[None, None]).to(device))
        points, covariance, score = (output[0].double().cpu().numpy() for output in outputs)
        yield truth, points, covariance, score


def _measure(trainer: _Trainer, films: Sequence[Film]) -> tuple[float | None, float | None]:
    """Return mean radial error in mm and share within 2 mm of the averaged weights on held-out films."""
    if not films:
        return None, None
    network = build_network(trainer.config).to(trainer.device)
    network.load_state_dict(trainer.average)
    model = LandmarkModel(network, PointDecoder(trainer.config.network.window_radius).to(trainer.device))
    errors = np.array(
        [np.linalg.norm(points - truth, axis=1) for truth, points, _, _ in predict_films(model, films, trainer.config)]
    )
    errors_mm = errors[np.isfinite(errors)] * trainer.config.network.spacing_mm
    return round(float(errors_mm.mean()), 4), round(float((errors_mm <= 2.0).mean()), 4)


def _log(path: Path, row: tuple[object, ...]) -> None:
    """Append one row; a run that is resumed goes on in the same file."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(METRIC_COLUMNS)
        writer.writerow(["" if value is None else value for value in row])
