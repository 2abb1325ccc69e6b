"""Films of their full size of which the part that matters is hidden: by a cover, a failed exposure, a black corner."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.training.viewer_archive import Grey
from cephstd.training.viewer_samples import Rng, ViewFilm, random_view, vary_look

Mask = NDArray[np.bool_]
LEAST_HIDDEN = 0.45
"""Of the face; what hides less may leave a film that can be read."""


def hidden_faces(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A film whose face lies under a rectangle, an oval or a polygon."""
    film = films[int(rng.integers(len(films)))]
    mask = _cover(film, rng)
    shown = film.pixels.copy()
    shown[mask] = _filling(film, pictures, rng)[mask]
    return vary_look(shown, rng)


def blank_beyond_a_line(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A film that is blank on one side of a line through the face, at any angle."""
    film = films[int(rng.integers(len(films)))]
    height, width = film.pixels.shape
    left, top, right, bottom = film.face
    angle = rng.uniform(0.0, 2.0 * np.pi)
    rows, columns = np.mgrid[0:height, 0:width]
    across = (columns / width - (left + right) / 2) / (right - left) * np.cos(angle)
    down = (rows / height - (top + bottom) / 2) / (bottom - top) * np.sin(angle)
    shown = film.pixels.copy()
    # The middle of the face is 0, its sides lie about half a unit away.
    shown[across + down > rng.uniform(-0.35, 0.15)] = _one_grey(film, rng)
    if rng.random() < 0.3:
        return random_view(ViewFilm(pixels=shown, face=film.face), rng)
    return vary_look(shown, rng)


def blank_sectors(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A film that is blank between two rays from the middle of the face."""
    film = films[int(rng.integers(len(films)))]
    height, width = film.pixels.shape
    left, top, right, bottom = film.face
    rows, columns = np.mgrid[0:height, 0:width]
    turn = np.arctan2(rows - (top + bottom) / 2 * height, columns - (left + right) / 2 * width)
    shown = film.pixels.copy()
    blank = (turn + rng.uniform(0.0, 2.0 * np.pi)) % (2.0 * np.pi) < np.radians(rng.uniform(150.0, 240.0))
    shown[blank] = _one_grey(film, rng)
    return vary_look(shown, rng)


def _cover(film: ViewFilm, rng: Rng) -> Mask:
    """Where a film is hidden: at least `LEAST_HIDDEN` of its face."""
    height, width = film.pixels.shape
    left, top, right, bottom = (share * side for share, side in zip(film.face, (width, height) * 2, strict=True))
    face = np.s_[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    shape, grow = int(rng.integers(3)), 1.0
    while True:
        sheet = np.zeros((height, width), np.uint8)
        centre = (rng.uniform(0.4, 0.6) * (left + right), rng.uniform(0.42, 0.58) * (top + bottom))
        half = grow * rng.uniform(0.35, 0.75, 2) * (right - left, bottom - top)
        if shape == 0:
            corner, other = ([int(c + sign * h) for c, h in zip(centre, half, strict=True)] for sign in (-1, 1))
            cv2.rectangle(sheet, (corner[0], corner[1]), (other[0], other[1]), 1, -1)
        elif shape == 1:
            axes = (int(half[0]), int(half[1]))
            cv2.ellipse(sheet, (int(centre[0]), int(centre[1])), axes, rng.uniform(0, 180), 0, 360, 1, -1)
        else:
            turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 9))))
            corners = np.stack([centre[0] + half[0] * np.cos(turns), centre[1] + half[1] * np.sin(turns)], axis=1)
            cv2.fillPoly(sheet, [corners.astype(np.int32)], 1)
        if sheet[face].mean() >= LEAST_HIDDEN:
            return sheet > 0
        grow *= 1.15


def _filling(film: ViewFilm, pictures: Sequence[Grey], rng: Rng) -> Grey:
    """What a cover shows: one grey, a shade, grain, a picture, or the film itself without its detail."""
    shape = film.pixels.shape
    kind = int(rng.integers(6))
    if kind == 2:
        corners = rng.integers(0, 256, (2, 2)).astype(np.uint8)
        return np.asarray(cv2.resize(corners, shape[::-1], interpolation=cv2.INTER_LINEAR))
    if kind == 3:
        grain = rng.normal(_one_grey(film, rng), rng.uniform(3, 60), shape)
        return np.clip(grain, 0, 255).astype(np.uint8)
    if kind == 4:
        picture = pictures[int(rng.integers(len(pictures)))]
        return np.asarray(cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA))
    if kind == 5:
        return np.asarray(cv2.GaussianBlur(film.pixels, (0, 0), rng.uniform(0.06, 0.15) * max(shape)))
    return np.full(shape, _one_grey(film, rng), np.uint8)


def _one_grey(film: ViewFilm, rng: Rng) -> int:
    """Black, white, middle, any, or the film's own most likely grey."""
    return int((0, 0, 255, 128, rng.integers(0, 256), np.median(film.pixels))[int(rng.integers(6))])
