"""Whole films for the view head, as other devices and people would give them: cropped, tilted, toned, written on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import FloatArray

Grey = NDArray[np.uint8]
Rng = np.random.Generator

LONG_SIDE_PX = 300
POSES = 8
FACE_CUTS = 0.3
"""Share of films that show no more than the face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFilm:
    """A film that faces right, head up, bone bright, small.

    Attributes
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8]
    face : (left, top, right, bottom)
        Rectangle around all landmarks, as shares of width and height.
    """

    pixels: Grey
    face: tuple[float, float, float, float]


def random_view(film: ViewFilm, rng: Rng) -> Grey:
    """A film of the whole face in a random cut, tilt and look; upright, facing right, bone bright.

    Whatever is cut off, all landmarks stay inside.
    """
    height, width = film.pixels.shape
    box = np.array([0.0, 0.0, 1.0, 1.0])
    chance = rng.random()
    if chance < FACE_CUTS:
        # The top and the back of the head together, as a detector that is too small leaves them out.
        share = rng.uniform([0.4, 0.4, 0.0, 0.0], [1.0, 1.0, 0.6, 0.6])
        box = box + share * (_around_face(film) - box)
    elif chance < 0.8:
        inner = _around_face(film)
        outer = np.array([-0.12, -0.12, 1.12, 1.12])
        # Each side on its own: kept as scanned, cut towards the face, or with a margin added.
        kind = rng.integers(0, 3, 4)
        share = rng.random(4)
        box = np.where(kind == 0, box, np.where(kind == 1, box + share * (inner - box), box + share * (outer - box)))
    angle = np.radians(rng.normal(0.0, 6.0)) if rng.random() < 0.6 else 0.0
    stretch = np.exp(rng.normal(0.0, 0.03))
    span = np.array([(box[2] - box[0]) * width * stretch, (box[3] - box[1]) * height])
    scale = LONG_SIDE_PX / span.max()
    size = np.maximum(1, np.rint(span * scale)).astype(int)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([stretch, 1.0])
    centre = np.array([(box[0] + box[2]) / 2 * width, (box[1] + box[3]) / 2 * height]) - 0.5
    matrix = np.column_stack([linear, (size - 1) / 2 - linear @ centre])
    fill = float(rng.choice([0.0, 0.0, 255.0, rng.uniform(0, 255)]))
    edge = cv2.BORDER_REPLICATE if rng.random() < 0.3 else cv2.BORDER_CONSTANT
    shown = cv2.warpAffine(
        film.pixels, matrix, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR, borderMode=edge, borderValue=fill
    )
    return vary_look(shown, rng)


def _around_face(film: ViewFilm) -> FloatArray:
    """Left, top, right, bottom of the least that a film must show, as shares of width and height."""
    left, top, right, bottom = film.face
    return np.array([left - 0.05, top - 0.04, right + 0.04, bottom + 0.04])


def crop_to_face(film: ViewFilm) -> Grey:
    """A film without the top and the back of the head; all landmarks stay inside."""
    height, width = film.pixels.shape
    left, top, _, _ = np.maximum(_around_face(film), 0.0)
    return np.ascontiguousarray(film.pixels[int(top * height) :, int(left * width) :])


def vary_look(pixels: Grey, rng: Rng) -> Grey:
    """Tone curve, shading, blur, grain, collimation, marks and compression of another device."""
    grey = pixels.astype(np.float32) / 255.0
    height, width = grey.shape
    if rng.random() < 0.8:
        grey = grey ** np.float32(np.exp(rng.uniform(np.log(0.4), np.log(2.5))))
    if rng.random() < 0.3:
        steep, middle = rng.uniform(3.0, 9.0), rng.uniform(0.3, 0.7)
        grey = (1.0 / (1.0 + np.exp(-steep * (grey - middle)))).astype(np.float32)
    if rng.random() < 0.3:
        low, high = rng.uniform(0.0, 0.25), rng.uniform(0.75, 1.0)
        grey = np.clip((grey - low) / (high - low), 0.0, 1.0).astype(np.float32)
    if rng.random() < 0.3:
        field = np.exp(rng.normal(0.0, 0.25, (3, 3))).astype(np.float32)
        grey = grey * cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 2.5))
    if rng.random() < 0.4:
        grey = grey + rng.standard_normal(grey.shape, dtype=np.float32) * np.float32(rng.uniform(0.01, 0.12))
    if rng.random() < 0.4:
        margins = rng.uniform(0.0, 0.06, 4) * (width, height, width, height)
        left, top, right, bottom = np.rint(margins).astype(int)
        framed = np.full_like(grey, rng.choice([0.0, 0.0, 1.0]))
        framed[top : height - bottom, left : width - right] = grey[top : height - bottom, left : width - right]
        grey = framed
    shown = np.rint(np.clip(grey, 0.0, 1.0) * 255.0).astype(np.uint8)
    if rng.random() < 0.4:
        shown = write_marks(shown, rng)
    if rng.random() < 0.3:
        _, stored = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))])
        shown = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE))
    return shown


def write_marks(pixels: Grey, rng: Rng) -> Grey:
    """Letters and a row of ticks near the border."""
    shown = pixels.copy()
    height, width = shown.shape
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(chr(int(code)) for code in rng.integers(48, 91, int(rng.integers(1, 10))))
        place = (int(rng.uniform(0.0, 0.7) * width), int(rng.choice([0.05, 0.1, 0.95, 0.99]) * height))
        grey = int(rng.choice([0, 255, 255]))
        cv2.putText(shown, text, place, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.9), grey, 1, cv2.LINE_AA)
    if rng.random() < 0.4:
        x, pitch = int(rng.uniform(0.86, 0.98) * width), int(rng.integers(3, 8))
        for tick in range(int(rng.integers(8, 30))):
            y = 12 + tick * pitch
            cv2.line(shown, (x, y), (x + (9 if tick % 5 == 0 else 5), y), 255, 1)
    return shown


def pose_view(pixels: Grey, pose: int, inverted: bool) -> Grey:
    """Lay an upright picture that faces right as `pose` says: mirrored for 4..7, then turned anticlockwise.

    Parameters
    ----------
    pixels : ndarray
    pose : int
        ``4 * faces_left + quarters``.
    inverted : bool
        Negative as well.

    Examples
    --------
    >>> pose_view(np.array([[1, 2]], np.uint8), 4, False).tolist()
    [[2, 1]]
    """
    posed = np.rot90(pixels[:, ::-1] if pose >= 4 else pixels, pose % 4)
    return np.ascontiguousarray(255 - posed if inverted else posed)
