"""Films and their labels, read from sets in any layout, on one grey scale and at one scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.errors import InputError
from cephstd.evaluation.sources import LabelledFilm, LabelledSet, SourceConfig, read_layout, read_source
from cephstd.imaging.tone import standard_tone
from cephstd.training.config import DataConfig, LoadedConfig, NetworkConfig
from cephstd.training.stack import Grey, read_stack

SAME_SCALE = 1e-6
BACK_AND_FRONT = (("S", "N"), ("Po", "Or"), ("PNS", "ANS"), ("Go", "Me"), ("Ar", "A"))
"""Landmarks of which the second lies in front of the first in every head."""


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


def read_sets(loaded: LoadedConfig) -> list[LabelledSet]:
    """Read the labels of every configured set.

    Parameters
    ----------
    loaded : LoadedConfig

    Returns
    -------
    list of LabelledSet
        The CSV of ``[data]`` first, then each ``[[data.source]]``.

    Raises
    ------
    InputError
        When labels cannot be read, a film is missing, or a landmark of the configuration is labelled on no film.
    DefinitionError
        When a layout is unknown or not valid.
    """
    data = loaded.config.data
    sets = []
    if data.labels:
        chosen = SourceConfig(layout="", splits=data.splits, annotators=[data.annotator])
        sets.append(read_layout(data.csv_layout, chosen, loaded.base))
    sets += [read_source(source, loaded.base) for source in data.source]
    labelled = {id for found in sets for film in found.films for id in film.points_px}
    unlabelled = [id for id in data.landmarks if id not in labelled]
    if unlabelled:
        reasons = {id: reason for found in sets for id, reason in found.left_out.items()}
        told = "; ".join(f"{id} ({reasons.get(id, 'no film has it')})" for id in unlabelled)
        raise InputError(f"Landmarks that no label teaches: {told}.", hint="Take them out of data.landmarks.")
    return sets


def read_film(labelled: LabelledFilm, landmarks: Sequence[str], spacing_mm: float, pixels: Grey | None = None) -> Film:
    """Read one film, bring it to the standard grey scale and to the training's scale, and turn its face to the right.

    Parameters
    ----------
    labelled : LabelledFilm
    landmarks : sequence of str
        Rows of the film's points.
    spacing_mm : float
        Scale that it is brought to; not resampled when it has it already.
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16], optional
        In place of the file's.

    Raises
    ------
    InputError
        If the file is missing or no picture.
    """
    if pixels is None:
        pixels = cv2.imread(str(labelled.path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{labelled.path.name} is missing or no 8 or 16 bit picture")
    standard = np.rint(standard_tone(pixels) * 255.0).astype(np.uint8)
    points = np.array([labelled.points_px.get(id, (np.nan, np.nan)) for id in landmarks], dtype=np.float64)
    standard, points = bring_to_scale(standard, points, labelled.spacing_mm / spacing_mm)
    if faces_left(labelled.points_px):
        standard = np.ascontiguousarray(standard[:, ::-1])
        points = np.column_stack([standard.shape[1] - 1.0 - points[:, 0], points[:, 1]])
    return Film(image_id=labelled.image_id, pixels=standard, points_px=points)


def bring_to_scale(
    pixels: NDArray[np.uint8], points_px: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Resample a film so that it has `scale` times as many pixels along each side, and its points with it.

    Examples
    --------
    >>> pixels, points = bring_to_scale(np.zeros((4, 6), np.uint8), np.array([[0.5, 0.5]]), 0.5)
    >>> pixels.shape, points.tolist()
    ((2, 3), [[0.0, 0.0]])
    """
    if abs(scale - 1.0) < SAME_SCALE:
        return pixels, points_px
    height, width = pixels.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(pixels, size, interpolation=method), dtype=np.uint8)
    return resized, (points_px + 0.5) * (np.array(size) / (width, height)) - 0.5


def faces_left(points_px: Mapping[str, tuple[float, float]]) -> bool:
    """Whether most pairs of a point in the back and one in front lie the wrong way round; False when none is known.

    Examples
    --------
    >>> faces_left({"S": (90.0, 20.0), "N": (20.0, 10.0)})
    True
    """
    known = [
        (points_px[back][0], points_px[front][0]) for back, front in BACK_AND_FRONT if {back, front} <= set(points_px)
    ]
    return sum(np.sign(front - back) for back, front in known) < 0


def load_films(loaded: LoadedConfig) -> list[Film]:
    """Read every film of the configured sets, in the order of the labels.

    Raises
    ------
    InputError
        As `read_sets` and `read_film`.
    """
    sets = read_sets(loaded)
    films = [film for found in sets for film in load_set(found, loaded.config.data)]
    if len(sets) == 1:
        return films
    # Two sets may number their films alike.
    names = [found.layout.id for found in sets for _ in found.films]
    return [replace(film, image_id=f"{name}/{film.image_id}") for name, film in zip(names, films, strict=True)]


def load_set(found: LabelledSet, data: DataConfig) -> Iterator[Film]:
    """Read every film of one set, in the order of the labels.

    Raises
    ------
    InputError
        As `read_film` and `cephstd.training.stack.read_stack`.
    """
    if not found.layout.is_stack:
        for film in found.films:
            yield read_film(film, data.landmarks, data.spacing_mm)
        return
    # A stack of films is read in its own order, once.
    films = {film.place: film for film in found.films}
    for place, pixels in read_stack(
        found.films[0].path, {film.place for film in found.films if film.place is not None}
    ):
        yield read_film(films[place], data.landmarks, data.spacing_mm, pixels)


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
