"""Ways to lead a landmark model astray: films altered at or beside one landmark, so that its place cannot be seen.

Each alteration takes the film's samples (uint8), the place of the landmark in px, the scale and a generator; it
gives samples and how far the film's first pixel moved, in px (x, y), which only a cut changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Points = NDArray[np.float64]
Rng = np.random.Generator
Planted = tuple[Grey, tuple[int, int]]
CLEAR_MM = 7.0
"""A point that is cut off lies at least this far outside what is left."""
RIM = ("N", "Po", "Pog", "Me", "Gn", "Go", "Ls", "Li", "Sn", "Pog_s", "Ar")
"""Landmarks near a side of the film, which a cut can take away and leave a head."""
CUTS = ("cut off", "collimated")
SITES = 3
"""Landmarks that one film is altered at; a cut is made for one."""


def _box(pixels: Grey, place: Points, mm: float, rng: Rng, sides_mm: tuple[float, float]) -> tuple[slice, slice]:
    """Rows and columns of a rectangle over the place; the place lies in its middle half."""
    across, down = rng.uniform(*sides_mm, 2) / mm
    left, top = place - rng.uniform(0.25, 0.75, 2) * (across, down)
    height, width = pixels.shape
    rows = slice(max(0, round(top)), min(height, round(top + down)))
    return rows, slice(max(0, round(left)), min(width, round(left + across)))


def cover_flat(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """A plain patch over the point."""
    planted = pixels.copy()
    planted[_box(pixels, place, mm, rng, (30.0, 80.0))] = rng.integers(0, 256)
    return planted, (0, 0)


def cover_blurred(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """A patch that keeps the greys and loses every outline, as motion or an implant's flare does."""
    planted, box = pixels.copy(), _box(pixels, place, mm, rng, (30.0, 80.0))
    planted[box] = cv2.GaussianBlur(pixels, (0, 0), 8.0 / mm)[box]
    return planted, (0, 0)


def cover_texture(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """A piece of the same film from elsewhere over the point."""
    planted, (rows, columns) = pixels.copy(), _box(pixels, place, mm, rng, (25.0, 60.0))
    height, width = rows.stop - rows.start, columns.stop - columns.start
    top = int(rng.integers(0, pixels.shape[0] - height + 1))
    left = int(rng.integers(0, pixels.shape[1] - width + 1))
    planted[rows, columns] = pixels[top : top + height, left : left + width]
    return planted, (0, 0)


def _cut_box(pixels: Grey, place: Points, mm: float) -> tuple[slice, slice]:
    """What is left when the side of the film that is nearest to the place is cut off with it."""
    height, width = pixels.shape
    clear = CLEAR_MM / mm
    left, right, top, bottom = place[0], width - 1 - place[0], place[1], height - 1 - place[1]
    side = int(np.argmin((left, right, top, bottom)))
    rows, columns = slice(0, height), slice(0, width)
    if side == 0:
        columns = slice(round(place[0] + clear), width)
    elif side == 1:
        columns = slice(0, round(place[0] - clear))
    else:
        rows = slice(round(place[1] + clear), height) if side == 2 else slice(0, round(place[1] - clear))
    return rows, columns


def cut_off(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """The side of the film with the point is missing."""
    rows, columns = _cut_box(pixels, place, mm)
    return np.ascontiguousarray(pixels[rows, columns]), (columns.start, rows.start)


def collimate(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """The side of the film with the point is black, the film as large as before."""
    box, planted = _cut_box(pixels, place, mm), np.zeros_like(pixels)
    planted[box] = pixels[box]
    return planted, (0, 0)


def draw_holder(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """A rest or ear rod of metal over the point, and its tip some way off, where a bone's corner might be."""
    planted, angle = pixels.copy(), rng.uniform(0.0, 2.0 * np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    tip = place - along * rng.uniform(8.0, 30.0) / mm + across * rng.uniform(-4.0, 4.0) / mm
    end, thick = tip + along * 160.0 / mm, rng.uniform(10.0, 24.0) / mm
    bright = int(rng.integers(200, 256))
    ends = [tuple(int(value) for value in np.rint(point)) for point in (tip, end)]
    cv2.line(planted, ends[0], ends[1], (bright,), round(thick), cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.circle(planted, ends[0], round(rng.uniform(6.0, 14.0) / mm), (bright,), round(3.0 / mm), cv2.LINE_AA)
    return planted, (0, 0)


def write_text(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """A block of lines of large letters over the point and around it."""
    planted, height_mm = pixels.copy(), rng.uniform(5.0, 10.0)
    scale = height_mm / mm / 22.0  # this font's capitals are 22 px high at scale 1
    lines = int(rng.integers(3, 7))
    pitch = 1.35 * height_mm / mm
    left = place[0] - rng.uniform(15.0, 45.0) / mm
    top = place[1] - rng.uniform(0.3, 0.7) * lines * pitch
    bright = int(rng.choice((0, 255)))
    for line in range(lines):
        letters = "".join(chr(code) for code in rng.integers(48, 91, int(rng.integers(8, 16))))
        corner = (round(left), round(top + (line + 1) * pitch))
        cv2.putText(
            planted, letters, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, (bright,), max(2, round(scale * 5)), cv2.LINE_AA
        )
    return planted, (0, 0)


def copy_elsewhere(pixels: Grey, place: Points, mm: float, rng: Rng) -> Planted:
    """The point's surroundings once more, 12 to 40 mm off, and a blurred patch where they were."""
    planted, _ = cover_blurred(pixels, place, mm, rng)
    half, angle, away = round(10.0 / mm), rng.uniform(0.0, 2.0 * np.pi), rng.uniform(12.0, 40.0) / mm
    height, width = pixels.shape
    low, high = np.array([half, half]), np.array([width, height]) - half - 1
    x, y = np.rint(np.clip(place, low, high)).astype(int)
    to_x, to_y = np.rint(np.clip(place + away * np.array([np.cos(angle), np.sin(angle)]), low, high)).astype(int)
    piece = pixels[y - half : y + half, x - half : x + half].astype(np.float64)
    ramp = np.minimum(np.arange(2 * half), np.arange(2 * half)[::-1]) / (0.3 * half)
    share = np.minimum(1.0, np.minimum(ramp[:, None], ramp[None]))
    there = planted[to_y - half : to_y + half, to_x - half : to_x + half]
    there[:] = np.rint(share * piece + (1.0 - share) * there).astype(np.uint8)
    return planted, (0, 0)


KINDS: Mapping[str, Callable[[Grey, Points, float, Rng], Planted]] = {
    "patch, flat": cover_flat,
    "patch, blurred": cover_blurred,
    "patch, other texture": cover_texture,
    "cut off": cut_off,
    "collimated": collimate,
    "head-holder": draw_holder,
    "text": write_text,
    "copied elsewhere": copy_elsewhere,
}


def plant(
    pixels: Grey, points_px: Mapping[str, tuple[float, float]], kind: str, mm: float, rng: Rng
) -> tuple[Grey, tuple[int, int], tuple[str, ...]]:
    """Alter a film at random landmarks.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)
        Left as it is.
    points_px : mapping
    kind : str
        One of `KINDS`.
    mm : float
        Per px.
    rng : numpy.random.Generator

    Returns
    -------
    pixels, shift, targets
        `shift` in px (x, y): add it to a place on the altered film to have its place on the film.
    """
    choice = [id for id in points_px if id in RIM] if kind in CUTS else list(points_px)
    targets = tuple(rng.permutation(choice)[: 1 if kind in CUTS else SITES].tolist())
    shift = (0, 0)
    for id in targets:
        pixels, shift = KINDS[kind](pixels, np.array(points_px[id]), mm, rng)
    return pixels, shift, targets
