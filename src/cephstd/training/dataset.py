"""Films and their labels, read from a folder and a CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.errors import InputError
from cephstd.imaging.tone import standard_tone
from cephstd.training.config import DataConfig, LoadedConfig, NetworkConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One training film, on the standard grey scale.

    Attributes
    ----------
    image_id : str
    pixels : ndarray [shape=(height, width), dtype=uint8]
        Tone window already applied: 0 is the window's low end, 255 its high end.
    points_px : ndarray [shape=(landmarks, 2), dtype=float64]
        x, y in film pixels; NaN where the landmark is not labelled.
    """

    image_id: str
    pixels: NDArray[np.uint8]
    points_px: NDArray[np.float64]


def read_labels(path: Path, data: DataConfig) -> dict[str, NDArray[np.float64]]:
    """Read the points of the configured splits and annotator.

    Parameters
    ----------
    path : Path
        The CSV.
    data : DataConfig

    Returns
    -------
    dict
        image_id -> ndarray [shape=(landmarks, 2)], x, y in film pixels, NaN where not labelled; in the CSV's order.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, names an unknown landmark, or holds no row of these splits.
    """
    order = {landmark: index for index, landmark in enumerate(data.landmarks)}
    labels: dict[str, NDArray[np.float64]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["split"] not in data.splits or row["annotator"] != data.annotator or row.get("same_film_as"):
                    continue
                points = labels.setdefault(row["image_id"], np.full((len(order), 2), np.nan))
                index = order[data.aliases.get(row["landmark"], row["landmark"])]
                points[index] = float(row["x_px"]), float(row["y_px"])
    except OSError as error:
        raise InputError(f"cannot read the labels {path.name}: {error.strerror}") from error
    except (KeyError, ValueError) as error:
        raise InputError(f"{path.name}: unknown landmark, missing column or bad number: {error}") from error
    if not labels:
        raise InputError(f"{path.name} holds no row with a split among {data.splits} and annotator {data.annotator!r}")
    return {film: points * data.label_scale + data.label_offset_px for film, points in labels.items()}


def read_film(path: Path, image_id: str, points_px: NDArray[np.float64]) -> Film:
    """Read one film file and bring it to the standard grey scale.

    Raises
    ------
    InputError
        If the file is missing or no picture.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path.name} is missing or no 8 or 16 bit picture")
    standard = standard_tone(pixels)
    return Film(image_id=image_id, pixels=np.rint(standard * 255.0).astype(np.uint8), points_px=points_px)


def load_films(loaded: LoadedConfig) -> list[Film]:
    """Read every film of the configured splits, in the order of the labels.

    Raises
    ------
    InputError
        As `read_labels` and `read_film`.
    """
    data = loaded.config.data
    labels = read_labels(loaded.path(data.labels), data)
    return [read_film(loaded.path(data.images.format(image_id=key)), key, points) for key, points in labels.items()]


def split_films(films: Sequence[Film], folds: int, held_out: int, seed: int) -> tuple[list[Film], list[Film]]:
    """Divide films into those to train on and those held out.

    The division depends on the seed and the number of films only: fold k holds the films whose place in a seeded
    shuffle is k modulo `folds`.

    Returns
    -------
    kept, held : list of Film
        Both in the given order; `held` is empty for ``held_out = -1``.
    """
    places = np.random.default_rng(seed).permutation(len(films))
    held = [int(place) % folds == held_out for place in places]
    return (
        [film for film, out in zip(films, held, strict=True) if not out],
        [film for film, out in zip(films, held, strict=True) if out],
    )


def canvas_matrix(film_size_px: tuple[int, int], film_spacing_mm: float, network: NetworkConfig) -> NDArray[np.float64]:
    """Return the placement of a film on the input canvas: centre on centre, at the canvas's spacing.

    Parameters
    ----------
    film_size_px : (width, height)
    film_spacing_mm : float
    network : NetworkConfig

    Returns
    -------
    ndarray [shape=(2, 3)]
        Film pixel (x, y, 1) -> canvas pixel.

    Examples
    --------
    >>> from cephstd.training.config import NetworkConfig
    >>> canvas_matrix((11, 11), 0.5, NetworkConfig(size_px=(32, 32), spacing_mm=1.0)) @ [5.0, 5.0, 1.0]
    array([15.5, 15.5])
    """
    scale = film_spacing_mm / network.spacing_mm
    film_centre = (np.array(film_size_px) - 1.0) / 2.0
    canvas_centre = (np.array(network.size_px) - 1.0) / 2.0
    return np.column_stack([np.eye(2) * scale, canvas_centre - scale * film_centre])
