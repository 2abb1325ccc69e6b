"""Training of the view head: seeded, from one configuration, minutes on one core; its threshold and its ONNX file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from cephstd.errors import InputError
from cephstd.imaging.phantom import draw_phantom
from cephstd.imaging.tone import apply_window, tone_window
from cephstd.inference.thumbnail import shrink_view
from cephstd.training.viewer_archive import Grey, collect_pictures
from cephstd.training.viewer_negatives import FAMILIES, draw_negative
from cephstd.training.viewer_network import POSES, ViewModel, ViewNetwork
from cephstd.training.viewer_samples import ViewFilm, crop_to_face, pose_view, random_view

Rng = np.random.Generator
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
FILM_SIDE_PX = 600


class ViewerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides what weights come out.

    Attributes
    ----------
    images, labels : str
        Pattern of a film's path and CSV of its landmarks (`x_px`, `y_px` of the rows that `annotator` and `split`
        select), relative to the configuration file.
    label_scale : float
        Film px per label px.
    tuned_films : int
        Films of the split that only the threshold sees.
    batches, batch : int
        Optimizer steps, and pictures in each.
    films, phantoms : float
        Shares of a batch that are whole films and drawn phantoms; the rest is to be refused.
    learning_rate : float
    seed, threads : int
    """

    images: str
    labels: str
    annotator: str = "mean"
    split: str = "train"
    label_scale: float = 0.5
    tuned_films: Count = 20
    batches: Count = 1500
    batch: Count = 32
    films: Share = 0.5
    phantoms: Share = 0.05
    learning_rate: float = 2e-3
    seed: int = 0
    threads: Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerResult:
    """A finished training.

    Attributes
    ----------
    network : ViewNetwork
        In evaluation mode.
    threshold : float
        Lowest probability at which a picture is taken for a lateral cephalogram.
    tuned : dict of str to float
        What the threshold was chosen on: the lowest score of whole films, the highest of refused pictures.
    """

    network: ViewNetwork
    threshold: float
    tuned: dict[str, float]


def load_viewer_config(path: str | Path) -> ViewerConfig:
    """Read a configuration from a TOML file.

    Raises
    ------
    InputError
        When it cannot be read or is not valid.
    """
    try:
        return msgspec.toml.decode(Path(path).read_bytes(), type=ViewerConfig)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{Path(path).name} is no valid configuration of a view head: {error}") from error


def load_view_films(config: ViewerConfig, base: Path) -> list[ViewFilm]:
    """Films of the configured split, small, in the order of their ids.

    Raises
    ------
    InputError
        When labels or a film cannot be read.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        with (base / config.labels).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if (row["split"], row["annotator"]) == (config.split, config.annotator):
                    points.setdefault(row["image_id"], []).append((float(row["x_px"]), float(row["y_px"])))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"The labels of the view head's films cannot be read: {error}") from error
    films = []
    for image_id in sorted(points):
        pixels = cv2.imread(str(base / config.images.format(image_id=image_id)), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            raise InputError(f"The film {image_id} is missing or no picture.")
        films.append(view_film(pixels, np.array(points[image_id]) * config.label_scale))
    return films


def view_film(pixels: NDArray[Any], points_px: NDArray[np.float64]) -> ViewFilm:
    """A film, shrunk and on the standard grey scale, with the rectangle around its landmarks."""
    height, width = pixels.shape
    scale = min(1.0, FILM_SIDE_PX / max(height, width))
    standard = apply_window(pixels, tone_window(pixels))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(standard, size, interpolation=cv2.INTER_AREA)
    (left, top), (right, bottom) = points_px.min(axis=0), points_px.max(axis=0)
    face = (float(left / width), float(top / height), float(right / width), float(bottom / height))
    return ViewFilm(pixels=np.rint(small * 255.0).astype(np.uint8), face=face)


def draw_phantoms(count: int, rng: Rng) -> list[ViewFilm]:
    """Drawn heads, so that the samples that come with the library are accepted as what they stand for."""
    made = []
    for _ in range(count):
        phantom = draw_phantom(rng, size=(484, 600), spacing_mm=0.4)
        made.append(view_film(phantom.pixels, np.array(list(phantom.landmarks_px.values()))))
    return made


def fit_viewer(
    config: ViewerConfig,
    base: Path,
    watch: Callable[[int, float], None] | None = None,
    start: ViewNetwork | None = None,
) -> ViewerResult:
    """Train a view head and choose its threshold.

    Parameters
    ----------
    config : ViewerConfig
    base : Path
        Folder that its paths start from.
    watch : callable, optional
        Called with the number of steps done and the loss.
    start : ViewNetwork, optional
        Weights to go on from; default: none, from the seed.

    Returns
    -------
    ViewerResult

    Raises
    ------
    InputError
        When a film or label cannot be read.
    """
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    rng = np.random.default_rng(config.seed)
    films = load_view_films(config, base)
    order = rng.permutation(len(films))
    tuned = [films[index] for index in order[: config.tuned_films]]
    fitted = [films[index] for index in order[config.tuned_films :]]
    phantoms = draw_phantoms(12, rng)
    pictures = [picture for family in collect_pictures("fit").values() for picture in family]
    network = ViewNetwork()
    if start is not None:
        network.load_state_dict(start.state_dict())
    # convolutions of few channels take 0.6 of the time so; torch's stubs know no such overload
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.learning_rate, total_steps=config.batches, pct_start=0.15
    )
    for step in range(config.batches):
        views, poses, inverted, accept = draw_batch(config, fitted, phantoms, pictures, rng)
        network.train()
        logits = network(torch.from_numpy(views))
        loss = view_loss(logits, torch.from_numpy(poses), torch.from_numpy(inverted), torch.from_numpy(accept))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if watch is not None:
            watch(step + 1, loss.item())
    network.eval()
    threshold, facts = choose_threshold(network, tuned, rng)
    return ViewerResult(network=network, threshold=threshold, tuned=facts)


def draw_batch(
    config: ViewerConfig, films: Sequence[ViewFilm], phantoms: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Thumbnails (n, 1, 160, 160), poses, whether negative, whether a whole lateral cephalogram."""
    families = tuple(FAMILIES["fit"])
    views, poses, inverted, accept = [], [], [], []
    for _ in range(config.batch):
        kind = rng.random()
        whole = kind < config.films + config.phantoms
        pose, negative = int(rng.integers(POSES)), bool(rng.random() < 0.5)
        if whole:
            source = films if kind < config.films else phantoms
            picture = random_view(source[int(rng.integers(len(source)))], rng)
        else:
            picture = draw_negative(families[int(rng.integers(len(families)))], films, pictures, rng)
        views.append(shrink_view(pose_view(picture, pose, negative)))
        poses.append(pose if whole else -1)
        inverted.append(float(negative) if whole else -1.0)
        accept.append(float(whole))
    return (
        np.stack(views)[:, None],
        np.array(poses, np.int64),
        np.array(inverted, np.float32),
        np.array(accept, np.float32),
    )


def view_loss(logits: torch.Tensor, poses: torch.Tensor, inverted: torch.Tensor, accept: torch.Tensor) -> torch.Tensor:
    """Cross-entropies: of the gate over all, of pose and grey sense over whole films (others are marked -1)."""
    gate = functional.binary_cross_entropy_with_logits(logits[:, POSES + 1], accept)
    whole = poses >= 0
    pose = functional.cross_entropy(logits[whole, :POSES], poses[whole])
    grey = functional.binary_cross_entropy_with_logits(logits[whole, POSES], inverted[whole])
    return 2.0 * gate + pose + grey


LEAST_GAP = 0.01
"""Logits that the threshold lies above every refused picture, at least."""


def choose_threshold(
    network: ViewNetwork, films: Sequence[ViewFilm], rng: Rng, per_family: int = 60
) -> tuple[float, dict[str, float]]:
    """The middle, in logits, between films that were left out and families kept for this purpose.

    The films stand as they were scanned and cropped to the face, and the lowest of them counts; of what must be refused
    the highest counts. Where the two overlap all of the latter are refused: a film that is refused can be let in by a
    person, a panoramic that is measured is a wrong record.
    """
    pictures = [picture for family in collect_pictures("tune").values() for picture in family]
    refused = [shrink_view(picture) for picture in pictures]
    for family in FAMILIES["tune"]:
        refused += [shrink_view(draw_negative(family, films, pictures, rng)) for _ in range(per_family)]
    shown = [*(film.pixels for film in films), *(crop_to_face(film) for film in films)]
    whole = score_views(network, [shrink_view(pixels) for pixels in shown])
    low, high = float(whole.min()), float(score_views(network, refused).max())
    facts = {"whole_films": len(shown), "refused": len(refused), "lowest_whole": low, "highest_refused": high}
    return settle_threshold(low, high), facts


def settle_threshold(lowest_whole: float, highest_refused: float) -> float:
    """Probability midway, in logits, between films and refused pictures; above all of the latter where they overlap.

    Examples
    --------
    >>> round(settle_threshold(3.0, -1.0), 4), round(settle_threshold(-1.0, 2.0), 4)
    (0.7311, 0.8818)
    """
    threshold = max((lowest_whole + highest_refused) / 2.0, highest_refused + LEAST_GAP)
    return float(1.0 / (1.0 + np.exp(-threshold)))


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm of the odds, kept finite."""
    kept = np.clip(probability, 1e-9, 1.0 - 1e-9)
    return np.asarray(np.log(kept / (1.0 - kept)))


@torch.inference_mode()
def score_views(network: ViewNetwork, views: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Logit of "lateral cephalogram" for each thumbnail."""
    model = ViewModel(network).eval()
    parts = [
        model(torch.from_numpy(np.stack(views[start : start + 64])[:, None]))[0].numpy()
        for start in range(0, len(views), 64)
    ]
    return np.asarray(logit(np.concatenate(parts).astype(np.float64)), dtype=np.float64)
