"""Average films of many people into one that is nobody's.

Each film is warped so that its labelled landmarks fall on one target shape (thin-plate spline), then the rest of its
anatomy is drawn towards the average of all (dense flow, smoothed), and the grey values are averaged. No result pixel
is taken from one film: each is the weighted mean of at least `LEAST_FILMS`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.imaging.tone import apply_window, tone_window

Array = NDArray[np.float64]
Image = NDArray[np.float32]

SPACING_MM = 0.2
LABEL_ORDER = (
    "S",
    "N",
    "Or",
    "Po",
    "A",
    "B",
    "Pog",
    "Me",
    "Gn",
    "Go",
    "L1",
    "U1",
    "UL",
    "LL",
    "Sn",
    "PogS",
    "PNS",
    "ANS",
    "Ar",
)
LANDMARK_IDS = (
    "S",
    "N",
    "Or",
    "Po",
    "A",
    "B",
    "Pog",
    "Me",
    "Gn",
    "Go",
    "L1",
    "U1",
    "Ls",
    "Li",
    "Sn",
    "Pog_s",
    "PNS",
    "ANS",
    "Ar",
)
LEAST_FILMS = 20
FILM_MARGIN_PX = (45, 40, 8, 14)
"""Top, bottom, left, right of a film that are never used: printed text and cassette tabs lie there."""
FEATHER_PX = 40
"""Width over which a film's weight rises from its edge inwards, so that no film's edge shows."""
FLOW_SIGMAS_PX = (16.0, 10.0, 6.0)
"""Smoothing of the flow field in each round, at half resolution."""
FLOW_LIMIT_PX = 12.0
"""Longest displacement, half px: what moves further is no match."""
ANCHOR_RADIUS_MM = 9.0
"""Around a landmark the flow is held back, so that the landmark stays on the target shape."""
FRONT_MM = (
    *((-10.0, -150.0), (0.0, -80.0), (10.0, -50.0), (12.0, -20.0), (9.0, -8.0), (6.0, -2.0)),
    *((4.5, 5.0), (4.5, 13.0), (9.0, 19.0), (22.0, 27.0), (90.0, 34.0), (90.0, -150.0)),
)
"""Outline, relative to nasion, of the region before the forehead that holds no anatomy."""
COMPONENTS = 6
SHAPE_LIMIT_SD = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Films of the training split: paths and landmark positions in mm, shape (films, 19, 2)."""

    paths: tuple[Path, ...]
    points_mm: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A mean film at `SPACING_MM`, its landmarks in px of it, and how many films stand behind its thinnest pixel."""

    image: Image
    points_px: Array
    film_count: int
    least_films: int


def read_labelled(folder: Path) -> Labelled:
    """Read the mean labels of the training split; labels are in pixels of the 0.1 mm original."""
    points: dict[str, dict[str, tuple[float, float]]] = {}
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "train" and row["annotator"] == "mean":
                film = points.setdefault(row["image_id"], {})
                film[row["landmark"]] = (float(row["x_px"]) / 2 - 0.25, float(row["y_px"]) / 2 - 0.25)
    ids = sorted(points)
    shapes = np.array([[points[key][name] for name in LABEL_ORDER] for key in ids]) * SPACING_MM
    return Labelled(paths=tuple(folder / "images" / f"{key}.jpg" for key in ids), points_mm=shapes)


def draw_shape(shapes_mm: Array, rng: np.random.Generator) -> Array:
    """Draw a plausible shape: the mean of all, moved along the first components within +-1.5 standard deviations."""
    mean = (shapes_mm - shapes_mm.mean(axis=1, keepdims=True)).mean(axis=0)
    for _ in range(5):
        aligned = np.array([shape @ turn.T + shift for shape in shapes_mm for turn, shift in [_align(shape, mean)]])
        mean = aligned.mean(axis=0) - aligned.mean(axis=(0, 1))
    _, values, components = np.linalg.svd(
        (aligned - aligned.mean(axis=0)).reshape(len(aligned), -1), full_matrices=False
    )
    sd = values[:COMPONENTS] / np.sqrt(len(aligned) - 1)
    weights = np.clip(rng.normal(size=COMPONENTS), -SHAPE_LIMIT_SD, SHAPE_LIMIT_SD)
    place = shapes_mm.mean(axis=(0, 1))
    return mean + (weights * sd @ components[:COMPONENTS]).reshape(mean.shape) + place


def compose(films: Labelled, chosen: NDArray[np.intp], target_mm: Array, size: tuple[int, int]) -> Composite:
    """Average the `chosen` films on the shape `target_mm`, on a canvas of `size` px at `SPACING_MM`."""
    warped = [_warp_film(films.paths[k], films.points_mm[k], target_mm, size) for k in chosen]
    images = np.stack([image for image, _ in warped])
    weights = np.stack([weight for _, weight in warped])
    fields = _register(images, target_mm)
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32)
    total, weight_sum, count = (np.zeros((size[1], size[0]), np.float32) for _ in range(3))
    for image, weight, half_field in zip(images, weights, fields, strict=True):
        field = 2.0 * cv2.resize(half_field, size, interpolation=cv2.INTER_LINEAR)
        maps = (columns + field[..., 0], rows + field[..., 1])
        moved = cv2.remap(image, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        share = cv2.remap(weight, *maps, cv2.INTER_LINEAR)
        total += moved * share
        weight_sum += share
        count += share > 0.0
    mean = total / np.maximum(weight_sum, 1e-6)
    covered = _find_covered(count)
    return Composite(
        image=np.ascontiguousarray(np.clip(mean[covered], 0.0, 1.0)),
        points_px=target_mm / SPACING_MM - np.array([covered[1].start, covered[0].start]),
        film_count=len(chosen),
        least_films=int(count[covered].min()),
    )


def clear_front(composite: Composite) -> Image:
    """Replace what hangs before the forehead (the device's own ruler and holder) by smooth background."""
    nasion = composite.points_px[LANDMARK_IDS.index("N")]
    outline_mm = np.array(FRONT_MM)
    image = composite.image
    mask = np.zeros(image.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(nasion + outline_mm / SPACING_MM).astype(np.int32)], 255)
    small = (image.shape[1] // 8, image.shape[0] // 8)
    coarse = np.rint(cv2.resize(image, small, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
    hole = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
    # The far edge of the hole is the film's edge: grow it, so that nothing of the ruler feeds the fill.
    filled = cv2.inpaint(coarse, np.where(hole > 0, 255, 0).astype(np.uint8), 8, cv2.INPAINT_TELEA)
    smooth = cv2.resize(
        cv2.GaussianBlur(filled, (0, 0), 3).astype(np.float32) / 255, image.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    blend = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 5)
    return np.asarray(image * (1 - blend) + smooth * blend, dtype=np.float32)


def _align(shape: Array, onto: Array) -> tuple[Array, Array]:
    """Rotation and shift (no scale) that lay `shape` onto another."""
    here, there = shape.mean(axis=0), onto.mean(axis=0)
    u, _, vt = np.linalg.svd((shape - here).T @ (onto - there))
    turn = (u @ np.diag([1.0, np.sign(np.linalg.det(u @ vt))]) @ vt).T
    return turn, there - turn @ here


def _fit_spline(source: Array, target: Array) -> Callable[[Array], Array]:
    """Thin-plate spline through pairs of points."""

    def kernel(points: Array) -> Array:
        squared = ((points[:, None] - source) ** 2).sum(axis=-1)
        return np.where(squared > 0, squared * np.log(np.maximum(squared, 1e-12)), 0.0)

    affine = np.column_stack([np.ones(len(source)), source])
    system = np.block([[kernel(source), affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.vstack([target, np.zeros((3, 2))]))
    return lambda points: kernel(points) @ weights[:-3] + np.column_stack([np.ones(len(points)), points]) @ weights[-3:]


def _warp_film(path: Path, points_mm: Array, target_mm: Array, size: tuple[int, int]) -> tuple[Image, Image]:
    """Read one film, bring it to the standard tone and onto the target shape; with its weight at each pixel."""
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise SystemExit(f"{path.name} cannot be read")
    film = apply_window(pixels, tone_window(pixels))
    top, bottom, left, right = FILM_MARGIN_PX
    inner = np.zeros(film.shape, np.uint8)
    inner[top : film.shape[0] - bottom, left : film.shape[1] - right] = 1
    weight = np.clip(cv2.distanceTransform(inner, cv2.DIST_L2, 3) / FEATHER_PX, 0.0, 1.0)
    turn, shift = _align(points_mm, target_mm)
    width_mm, height_mm = size[0] * SPACING_MM, size[1] * SPACING_MM
    far = np.array(
        [(x, y) for x in (-60.0, width_mm / 2, width_mm + 60) for y in (-60.0, height_mm / 2, height_mm + 60)]
    )
    far = np.delete(far, 4, axis=0)
    spline = _fit_spline(np.vstack([target_mm, far]), np.vstack([points_mm, (far - shift) @ turn]))
    step = 8
    nodes = (size[0] // step + 2, size[1] // step + 2)
    grid = np.stack(np.meshgrid(*(np.arange(n) * step * SPACING_MM for n in nodes)), axis=-1).reshape(-1, 2)
    coarse = (spline(grid) / SPACING_MM).reshape(nodes[1], nodes[0], 2)
    across, down = (_hat(length, step, n) for length, n in zip(size, nodes, strict=True))
    maps = [(down @ coarse[..., axis] @ across.T).astype(np.float32) for axis in (0, 1)]
    image = cv2.remap(film, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(image, 0.0, 1.0), cv2.remap(weight, *maps, cv2.INTER_LINEAR)


def _hat(length: int, step: int, nodes: int) -> Array:
    """Linear interpolation from nodes `step` apart to every pixel, as a matrix."""
    return np.clip(1.0 - np.abs(np.arange(length)[:, None] / step - np.arange(nodes)), 0.0, None)


def _register(images: Image, target_mm: Array) -> Image:
    """Flow fields, shape (films, height/2, width/2, 2) in half px, that bring each film to the average of all.

    The fields' mean is zero everywhere and each vanishes at the landmarks, so that these stay on the target shape.
    """
    height, width = (side // 2 for side in images.shape[1:])
    halves = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    fields = np.zeros((len(images), height, width, 2), np.float32)
    freedom = np.ones((height, width, 1), np.float32)
    for x, y in target_mm / SPACING_MM / 2 - 0.25:
        squared = ((columns - x) ** 2 + (rows - y) ** 2) * (2 * SPACING_MM / ANCHOR_RADIUS_MM) ** 2
        freedom[..., 0] *= 1.0 - np.exp(-squared)
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for sigma in FLOW_SIGMAS_PX:
        moved = [
            cv2.remap(
                half, columns + field[..., 0], rows + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            for half, field in zip(halves, fields, strict=True)
        ]
        goal = _flatten_tone(np.mean(moved, axis=0, dtype=np.float32))
        for k, film in enumerate(moved):
            flow = finder.calc(goal, _flatten_tone(film), None)
            field = cv2.GaussianBlur(fields[k] + cv2.GaussianBlur(flow, (0, 0), sigma), (0, 0), 2.0)
            length = np.linalg.norm(field, axis=2, keepdims=True)
            fields[k] = freedom * field * np.minimum(1.0, FLOW_LIMIT_PX / np.maximum(length, 1e-3))
        fields -= fields.mean(axis=0)
    return fields


def _flatten_tone(image: Image) -> NDArray[np.uint8]:
    """Local contrast only: what flow should follow, whatever the exposure."""
    detail = image - cv2.GaussianBlur(image, (0, 0), 20)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 30)) + 0.02
    return np.clip(detail / spread * 40 + 128, 0, 255).astype(np.uint8)


def _find_covered(count: Image) -> tuple[slice, slice]:
    """Rows and columns whose every pixel rests on at least `LEAST_FILMS` films, found by cutting the worst side."""
    top, bottom, left, right = 0, count.shape[0], 0, count.shape[1]
    while True:
        inside = count[top:bottom, left:right] < LEAST_FILMS
        if not inside.any():
            return slice(top, bottom), slice(left, right)
        worst = int(np.argmax([inside[0].mean(), inside[-1].mean(), inside[:, 0].mean(), inside[:, -1].mean()]))
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
