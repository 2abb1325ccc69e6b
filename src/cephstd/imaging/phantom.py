"""Schematic lateral films drawn from code, with exactly known landmarks, spacing and ruler."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import FloatArray
from cephstd.core.steps import Size
from cephstd.errors import InputError

LANDMARKS_MM: dict[str, tuple[float, float]] = {
    "S": (0.0, 0.0),
    "N": (69.0, -9.0),
    "Or": (57.0, 22.0),
    "Po": (-20.0, 22.0),
    "ANS": (68.0, 43.0),
    "PNS": (19.0, 44.0),
    "A": (64.0, 48.0),
    "B": (58.0, 86.0),
    "Pog": (59.0, 100.0),
    "Gn": (57.0, 106.0),
    "Me": (52.0, 109.0),
    "Go": (-9.0, 80.0),
    "Ar": (-15.0, 31.0),
    "U1": (69.5, 73.0),
    "L1": (66.5, 71.0),
    "Sn": (79.0, 50.0),
    "Ls": (83.0, 63.0),
    "Li": (79.0, 80.0),
    "Pog_s": (70.0, 101.0),
}
"""Mean places relative to sella with FH horizontal, x anterior and y inferior, mm; round figures of no person."""
RELATIVE_SIZE = (0.92, 1.08)
SCATTER_MM = 1.5
"""Standard deviation of each landmark about its mean place, per axis; cut at two of them."""
RULER_LENGTH_MM = 50.0
RULER_WIDTH_MM = 5.0
TICK_WIDTH_MM = 0.35
TICK_LENGTHS_MM = {10: 4.0, 5: 3.0, 1: 2.0}
"""Every n-th tick is so long; the first that divides the tick's number holds."""
HEAD_IN_FILM = (0.46, 0.435)
"""Place of sella as a share of the film's width and height."""
SOFT_TISSUE, BONE, TOOTH, AIR = 0.20, 0.42, 0.40, -0.13
GRAIN = 0.006
FULL_RANGE = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A drawn film and what is known about it.

    Attributes
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint16]
        Face right, bone bright.
    landmarks_px : dict of str to (x, y)
        Exact places, pixel centres at integers.
    spacing_mm : float
        Isotropic, mm per px.
    ruler_px : ndarray [shape=(n, 2)]
        Centre line of every tick of the ruler, whose pitch is 1 mm.
    """

    pixels: NDArray[np.uint16]
    landmarks_px: dict[str, tuple[float, float]]
    spacing_mm: float
    ruler_px: FloatArray


def draw_phantom(rng: np.random.Generator, size: Size = (967, 1200), spacing_mm: float = 0.2) -> Phantom:
    """Draw a schematic head: vault, sella, orbit, jaws, teeth, soft profile and a ruler with 1 mm ticks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides size and shape of the head and the film's grain.
    size : (width, height)
        px.
    spacing_mm : float
        mm per px; the head keeps its size in mm, so that the film must be about 190 x 230 mm to hold it.

    Returns
    -------
    Phantom

    Raises
    ------
    InputError
        When a landmark would fall outside the film.

    Examples
    --------
    >>> import numpy as np
    >>> phantom = draw_phantom(np.random.default_rng(1), size=(484, 600), spacing_mm=0.4)
    >>> phantom.pixels.shape, len(phantom.landmarks_px)
    ((600, 484), 19)
    """
    places_mm = _place_landmarks(rng)
    origin = (np.array(size) - 1.0) * HEAD_IN_FILM
    points_px = {name: origin + place / spacing_mm for name, place in places_mm.items()}
    if not all(((point >= 0) & (point <= np.array(size) - 1)).all() for point in points_px.values()):
        raise InputError(
            f"Expected a film that holds the head, found {size[0]} x {size[1]} px at {spacing_mm:g} mm.",
            hint="Make the film about 190 x 230 mm large.",
        )
    density = _draw_head(places_mm, origin, size, spacing_mm)
    width_mm = size[0] * spacing_mm
    ruler, ticks_px = draw_ruler(size, spacing_mm, x_mm=width_mm - 14.0, top_mm=12.0)
    density = np.maximum(density, ruler)
    density += rng.normal(0.0, GRAIN, density.shape)
    pixels = np.rint(np.clip(0.05 + 0.9 * density, 0.0, 1.0) * FULL_RANGE).astype(np.uint16)
    landmarks_px = {name: (float(x), float(y)) for name, (x, y) in points_px.items()}
    return Phantom(pixels=pixels, landmarks_px=landmarks_px, spacing_mm=spacing_mm, ruler_px=ticks_px)


def draw_ruler(
    size: Size,
    spacing_mm: float,
    *,
    x_mm: float,
    top_mm: float,
    length_mm: float = RULER_LENGTH_MM,
    pitch_mm: float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Draw an upright graduated ruler on an empty film.

    Parameters
    ----------
    size : (width, height)
        px.
    spacing_mm : float
        mm per px.
    x_mm, top_mm : float
        Left edge of the ruler and its first tick, from the centre of the top-left pixel.
    length_mm, pitch_mm : float
        From the first to the last tick, and between neighbouring ticks.

    Returns
    -------
    density : ndarray [shape=(height, width), dtype=float64]
        In [0, 1]; 0 away from the ruler.
    ticks_px : ndarray [shape=(n, 2), dtype=float64]
        Middle of each tick's line at the ruler's left edge.

    Examples
    --------
    >>> density, ticks_px = draw_ruler((100, 200), 0.5, x_mm=10.0, top_mm=5.0, length_mm=50.0)
    >>> ticks_px[:2].tolist(), density.shape
    ([[20.0, 10.0], [20.0, 12.0]], (200, 100))
    """
    count = round(length_mm / pitch_mm) + 1
    ys_mm = top_mm + pitch_mm * np.arange(count)
    body = np.outer(
        _cover(size[1], spacing_mm, top_mm - 1.5, ys_mm[-1] + 1.5),
        _cover(size[0], spacing_mm, x_mm - 0.5, x_mm + RULER_WIDTH_MM),
    )
    ticks = np.zeros_like(body)
    for number, y_mm in enumerate(ys_mm):
        length = next(length for every, length in TICK_LENGTHS_MM.items() if number % every == 0)
        down = _cover(size[1], spacing_mm, y_mm - TICK_WIDTH_MM / 2, y_mm + TICK_WIDTH_MM / 2)
        ticks += np.outer(down, _cover(size[0], spacing_mm, x_mm, x_mm + length))
    ticks_px = np.column_stack([np.full(count, x_mm), ys_mm]) / spacing_mm
    return 0.35 * body + 0.6 * np.minimum(ticks, 1.0), ticks_px


def _cover(length: int, spacing_mm: float, start_mm: float, stop_mm: float) -> FloatArray:
    """Share of each pixel's extent along one axis that lies between two positions."""
    edges = (np.arange(length + 1) - 0.5) * spacing_mm
    inside: FloatArray = np.clip(edges, start_mm, stop_mm)
    return np.asarray(np.diff(inside) / spacing_mm, dtype=np.float64)


def _place_landmarks(rng: np.random.Generator) -> dict[str, FloatArray]:
    scale = rng.uniform(*RELATIVE_SIZE)
    limit = 2.0 * SCATTER_MM
    shifts = np.clip(rng.normal(0.0, SCATTER_MM, (len(LANDMARKS_MM), 2)), -limit, limit)
    places = {n: np.array(p) * scale + d for (n, p), d in zip(LANDMARKS_MM.items(), shifts, strict=True)}
    # Chin and front teeth move as one, so that outlines do not cross.
    for name, lead in {"Gn": "Pog", "Me": "Pog", "Pog_s": "Pog", "A": "ANS", "L1": "U1", "Ls": "Sn"}.items():
        places[name] = places[lead] + (np.array(LANDMARKS_MM[name]) - LANDMARKS_MM[lead]) * scale
    return places


def _draw_head(places_mm: dict[str, FloatArray], origin: FloatArray, size: Size, spacing_mm: float) -> FloatArray:
    """Sum of the parts' densities, each part smoothed by its own edge width."""
    p = places_mm

    def at(name: str, dx: float = 0.0, dy: float = 0.0) -> FloatArray:
        return p[name] + (dx, dy)

    def fill(points: list[FloatArray], blur_mm: float, smooth: bool = True) -> FloatArray:
        outline = _round_off(np.array(points)) if smooth else np.array(points)
        return _fill(outline / spacing_mm + origin, size, blur_mm / spacing_mm)

    def line(points: list[FloatArray], width_mm: float, blur_mm: float) -> FloatArray:
        path = _round_off(np.array(points), closed=False) / spacing_mm + origin
        return _line(path, size, width_mm / spacing_mm, blur_mm / spacing_mm)

    vault = [at("N", 3, -14), at("N", -4, -50), at("S", 30, -88), at("S", -25, -92), at("S", -72, -62)]
    vault += [at("S", -84, -15), at("S", -70, 22), at("S", -42, 38), at("Po", -2, 6)]
    inner = [point + 0.075 * (at("S", 0, -35) - point) for point in vault]
    base = [at("S", -8, 10), at("S", -7, -2), at("S", 6, -3), at("S", 20, -9), at("N", -18, -8), at("N", -6, -8)]
    profile = [
        at("N", 9, -20),
        at("N", 6, 1),
        at("N", 20, 30),
        at("Sn", 14, -11),
        at("Sn", 9, -1),
        at("Sn"),
        at("Ls", -1, -5),
    ]
    profile += [at("Ls"), at("Ls", -4, 6), at("Li", -4, -6), at("Li"), at("Li", -6, 8), at("Pog_s", 0, -4), at("Pog_s")]
    profile += [at("Me", 6, 9), at("Me", -15, 11), at("Go", 22, 22), at("Go", 14, 50), at("Go", 16, 110)]
    profile += [at("Go", -70, 110), at("Go", -60, 40), at("Go", -58, -10)]
    profile += [
        at("S", -88, 30),
        at("S", -96, -20),
        at("S", -80, -70),
        at("S", -25, -102),
        at("S", 34, -97),
        at("N", 6, -54),
    ]
    maxilla = [
        at("PNS"),
        at("ANS", -12, 0),
        at("ANS"),
        at("A"),
        at("U1", -3, -11),
        at("U1", -14, -8),
        at("PNS", 12, 16),
    ]
    mandible = [at("Ar"), at("Ar", 10, 1), at("Go", 24, -22), at("L1", -14, 10), at("L1", -3, 9), at("B"), at("Pog")]
    mandible += [at("Gn"), at("Me"), at("Go", 24, 17), at("Go", 3, 5), at("Go"), at("Ar", -1, 18)]
    density = SOFT_TISSUE * fill(profile, 0.8)
    density += BONE * fill(vault, 0.6) - 0.45 * BONE * fill(inner, 1.2)
    density += 0.5 * BONE * line(base, 2.0, 0.4) + 0.6 * BONE * line(
        [at("S", -7, -2), at("S", -5, 4), at("S", 5, 4), at("S", 6, -3)], 1.5, 0.3
    )
    density += 0.7 * BONE * fill(maxilla, 0.5) + 0.5 * BONE * line([at("PNS"), at("ANS")], 1.4, 0.3)
    density += 0.7 * BONE * fill(mandible, 0.5) + 0.3 * BONE * line([*mandible[6:], mandible[0]], 2.0, 0.4)
    density += (
        0.6
        * BONE
        * line([at("N"), at("N", -3, 9), at("Or", 2, -12), at("Or"), at("Or", -9, 1), at("Or", -18, -4)], 1.6, 0.4)
    )
    density += AIR * fill([at("ANS", -10, -6), at("ANS", -14, -24), at("PNS", 14, -22), at("PNS", 8, -6)], 2.5)
    density += AIR * fill(
        [at("PNS", -3, -6), at("PNS", -6, 20), at("Go", 22, 10), at("Go", 14, 24), at("Ar", 22, 10)], 3.0
    )
    density += 0.5 * BONE * (line(_ring(at("Po", 0, 3.2), 3.2), 1.4, 0.4) + fill(_ring(at("Po", -10, 14), 9.0), 4.0))
    for step in range(5):
        x, y = -9.5 * (step + 1), 0.8 * step
        density += TOOTH * fill(_tooth(at("U1", x, y - 5.0), 8.0, 9.0, -1), 0.4)
        density += TOOTH * fill(_tooth(at("L1", x, y + 7.0), 8.0, 9.0, 1), 0.4)
    density += TOOTH * fill(
        [at("U1"), at("U1", -3, -5), at("U1", -10, -24), at("U1", -4, -24), at("U1", 1, -8)], 0.3, smooth=False
    )
    density += TOOTH * fill(
        [at("L1"), at("L1", -3, 5), at("L1", -11, 22), at("L1", -6, 22), at("L1", 0, 7)], 0.3, smooth=False
    )
    for step in range(5):
        centre = at("Go", -22 - 2.0 * step, -42 + 19.0 * step)
        density += 0.6 * BONE * fill([centre + d for d in ((-9, -7), (9, -7), (9, 7), (-9, 7))], 1.0)
        density += 0.3 * BONE * fill([centre + d for d in ((-10, -3), (-30, 4), (-30, 9), (-10, 4))], 1.5)
    return np.clip(density, 0.0, 1.0)


def _ring(centre: FloatArray, radius_mm: float) -> list[FloatArray]:
    angles = np.linspace(0.0, 2.0 * np.pi, 13)
    return [centre + radius_mm * np.array([np.cos(a), np.sin(a)]) for a in angles]


def _tooth(centre: FloatArray, width_mm: float, height_mm: float, root: int) -> list[FloatArray]:
    """Crown with a root that points up (`root` = -1) or down (1)."""
    half, tall = width_mm / 2.0, height_mm / 2.0
    offsets = (
        (-half, -root * tall),
        (half, -root * tall),
        (half, 0),
        (1.2, root * (tall + 10)),
        (-1.2, root * (tall + 10)),
        (-half, 0),
    )
    return [centre + offset for offset in offsets]


def _round_off(points: FloatArray, closed: bool = True, per_side: int = 12) -> FloatArray:
    """Centripetal-free Catmull-Rom curve through all `points`, so that a landmark in them lies on the outline."""
    count = len(points)
    padded = np.vstack([points[-1:], points, points[:2]]) if closed else np.vstack([points[:1], points, points[-1:]])
    t = np.linspace(0.0, 1.0, per_side, endpoint=False)[:, None]
    pieces = []
    for k in range(count if closed else count - 1):
        a, b, c, d = padded[k : k + 4]
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    curve = np.vstack(pieces)
    return curve if closed else np.vstack([curve, points[-1:]])


def _fill(outline_px: FloatArray, size: Size, blur_px: float) -> FloatArray:
    canvas = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(canvas, [np.rint(outline_px * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return _soften(canvas, blur_px)


def _line(path_px: FloatArray, size: Size, width_px: float, blur_px: float) -> FloatArray:
    canvas = np.zeros((size[1], size[0]), np.uint8)
    thickness = max(1, round(width_px))
    cv2.polylines(canvas, [np.rint(path_px * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, shift=4)
    return _soften(canvas, blur_px)


def _soften(canvas: NDArray[np.uint8], blur_px: float) -> FloatArray:
    softened: NDArray[np.float32] = cv2.GaussianBlur(canvas.astype(np.float32) / 255.0, (0, 0), max(blur_px, 0.3))
    return softened.astype(np.float64)
