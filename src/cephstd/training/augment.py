"""Random variation of a film: pose, tone, sharpness, grain, and what may cover it.

Every function takes the random generator, so a film's variation follows from seed, epoch and film alone.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.training.config import AugmentConfig, NetworkConfig
from cephstd.training.dataset import Film, canvas_matrix
from cephstd.training.devices import random_device, through_device

Canvas = NDArray[np.float32]
Points = NDArray[np.float64]
Rng = np.random.Generator

NARROW = 1.0 / 3.0
"""Share of the pose range that an ordinary (not ``wide``) film uses."""


def move_points(points_px: Points, matrix: NDArray[np.float64]) -> Points:
    """Apply a (2, 3) matrix to points of shape (n, 2)."""
    moved: Points = points_px @ matrix[:, :2].T + matrix[:, 2]
    return moved


def warp_film(pixels: NDArray[np.uint8], matrix: NDArray[np.float64], size_px: tuple[int, int]) -> Canvas:
    """Resample a film onto the canvas, anti-aliased, outside filled with 0.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8]
    matrix : ndarray [shape=(2, 3)]
        Film pixel -> canvas pixel.
    size_px : (width, height)

    Returns
    -------
    ndarray [shape=(height, width), dtype=float32]
        In [0, 1].
    """
    step = 1.0 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if step > 1.0:
        # The Gaussian with the variance that an area mean over one canvas pixel adds to bilinear sampling.
        pixels = cv2.GaussianBlur(pixels, (0, 0), float(np.sqrt((step**2 - 1.0) / 12.0)) + 1e-3)
    warped = cv2.warpAffine(pixels, matrix, size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return warped.astype(np.float32) / np.float32(255.0)


def plain_sample(film: Film, spacing_mm: float, network: NetworkConfig) -> tuple[Canvas, Points]:
    """Place a film on the canvas without any variation, as inference does.

    Returns
    -------
    canvas : ndarray [shape=(height, width), dtype=float32]
    points_px : ndarray [shape=(landmarks, 2)]
        In canvas pixels.
    """
    height, width = film.pixels.shape
    matrix = canvas_matrix((width, height), spacing_mm, network)
    return warp_film(film.pixels, matrix, network.size_px), move_points(film.points_px, matrix)


def random_sample(
    film: Film, spacing_mm: float, network: NetworkConfig, augment: AugmentConfig, rng: Rng
) -> tuple[Canvas, Points]:
    """Place a film on the canvas in a random pose and look.

    Parameters
    ----------
    film : Film
    spacing_mm : float
        Of the film's pixels.
    network : NetworkConfig
    augment : AugmentConfig
    rng : numpy.random.Generator

    Returns
    -------
    canvas : ndarray [shape=(height, width), dtype=float32]
        In [0, 1].
    points_px : ndarray [shape=(landmarks, 2)]
        In canvas pixels; NaN where the point left the canvas or the visible part of the film.
    """
    if rng.random() < augment.devices:
        film = through_device(film, spacing_mm, random_device(rng), rng)
    height, width = film.pixels.shape
    matrix = _random_pose(canvas_matrix((width, height), spacing_mm, network), network.size_px, augment, rng)
    canvas = warp_film(film.pixels, matrix, network.size_px)
    points = move_points(film.points_px, matrix)
    visible = (-0.5, -0.5, network.size_px[0] - 0.5, network.size_px[1] - 0.5)
    canvas = _vary_tone(canvas, augment, rng)
    for probability, change in (
        (augment.contrast, _equalise),
        (augment.shading, _shade),
        (augment.sharpen, _sharpen),
        (augment.blur, _blur),
        (augment.noise, _add_noise),
        (augment.overlays, _draw_overlays),
        (augment.holders, lambda image, rng: _draw_holder(image, points, rng)),
        (augment.patches, _cover_patches),
    ):
        canvas = _perhaps(change, probability, canvas, rng)
    if rng.random() < augment.borders:
        canvas, visible = _crop_borders(canvas, rng)
    canvas = _perhaps(_compress, augment.jpeg, np.clip(canvas, 0.0, 1.0), rng)
    left, top, right, bottom = visible
    x, y = points.T
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    return canvas, np.where(inside[:, None], points, np.nan)


def _perhaps(change: Callable[[Canvas, Rng], Canvas], probability: float, canvas: Canvas, rng: Rng) -> Canvas:
    return change(canvas, rng) if rng.random() < probability else canvas


def _random_pose(
    placement: NDArray[np.float64], size_px: tuple[int, int], augment: AugmentConfig, rng: Rng
) -> NDArray[np.float64]:
    """Follow the plain placement by a turn, scale, slight stretch and shift about the canvas's centre."""
    reach = 1.0 if rng.random() < augment.wide else NARROW
    angle = np.radians(augment.rotation_deg) * reach * rng.uniform(-1.0, 1.0)
    scale = np.exp(reach * rng.uniform(np.log(augment.scale_min), np.log(augment.scale_max)))
    stretch = np.exp(0.03 * reach * rng.uniform(-1.0, 1.0))
    centre = (np.array(size_px) - 1.0) / 2.0
    shift = augment.shift * reach * rng.uniform(-1.0, 1.0, 2) * size_px
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([stretch, 1.0 / stretch])
    offset = linear @ (placement[:, 2] - centre) + centre + shift
    return np.column_stack([linear @ placement[:, :2], offset])


def _vary_tone(canvas: Canvas, augment: AugmentConfig, rng: Rng) -> Canvas:
    """Move black and white point, then bend the curve by a gamma."""
    low = rng.uniform(-1.0, 1.0) * augment.window
    high = 1.0 + rng.uniform(-1.0, 1.0) * augment.window
    gamma = np.exp(rng.uniform(-1.0, 1.0) * np.log(augment.gamma_max))
    # The film's own black stays black where it lies outside the film: only pixels above 0 are moved up.
    stretched = np.clip((canvas - np.float32(low)) / np.float32(high - low), 0.0, 1.0) * (canvas > 0)
    return np.power(stretched, np.float32(gamma), dtype=np.float32)


def _shade(canvas: Canvas, rng: Rng) -> Canvas:
    """Multiply by a smooth field, as of a heel effect or uneven scanner light."""
    field = np.exp(rng.normal(0.0, 0.2, (3, 3))).astype(np.float32)
    height, width = canvas.shape
    shaded: Canvas = canvas * cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    return shaded


def _sharpen(canvas: Canvas, rng: Rng) -> Canvas:
    """Unsharp mask, as device consoles apply it."""
    smooth = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.0, 8.0))
    sharpened: Canvas = canvas + np.float32(rng.uniform(0.3, 1.5)) * (canvas - smooth)
    return np.clip(sharpened, 0.0, 1.0)


def _blur(canvas: Canvas, rng: Rng) -> Canvas:
    blurred: Canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 1.6))
    return blurred


def _add_noise(canvas: Canvas, rng: Rng) -> Canvas:
    """Add grain of random strength and size."""
    noise = rng.standard_normal(canvas.shape, dtype=np.float32)
    grain = rng.uniform(0.0, 1.2)
    if grain > 0.4:
        noise = cv2.GaussianBlur(noise, (0, 0), grain)
        noise /= noise.std()
    noisy: Canvas = canvas + noise * np.float32(rng.uniform(0.005, 0.07))
    return noisy


def _draw_overlays(canvas: Canvas, rng: Rng) -> Canvas:
    """Draw what lies on clinical films and is not the patient: text, ruler, rods and rings of a head-holder."""
    mask = np.zeros(canvas.shape, dtype=np.uint8)
    height, width = canvas.shape
    x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
    kind = rng.integers(4)
    if kind == 0:
        text = "".join(chr(code) for code in rng.integers(48, 91, int(rng.integers(1, 12))))
        cv2.putText(mask, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.4, 1.5), (255,), 2, cv2.LINE_AA)
    elif kind == 1:
        pitch, ticks = int(rng.integers(3, 16)), int(rng.integers(6, 30))
        for tick in range(ticks):
            end = (x + (12 if tick % 5 == 0 else 6), y + tick * pitch)
            cv2.line(mask, (x, y + tick * pitch), end, (255,), 1)
    elif kind == 2:
        angle, length = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(30.0, 200.0)
        end = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        cv2.line(mask, (x, y), end, (255,), int(rng.integers(2, 16)), cv2.LINE_AA)
    else:
        cv2.circle(mask, (x, y), int(rng.integers(3, 16)), (255,), int(rng.integers(-1, 4)) or 1, cv2.LINE_AA)
    bright, opacity = np.float32(rng.uniform(0.6, 1.0)), np.float32(rng.uniform(0.4, 1.0))
    cover = mask.astype(np.float32) * (opacity / np.float32(255.0))
    return canvas + cover * (bright - canvas)


def _draw_holder(canvas: Canvas, points_px: Points, rng: Rng) -> Canvas:
    """Draw a bright rod, ring or disc beside a landmark, as nasion rest and ear rods lie: it is not the landmark."""
    labelled = points_px[np.isfinite(points_px).all(axis=1)]
    if not len(labelled):
        return canvas
    angle, away = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(4.0, 60.0)
    x, y = labelled[rng.integers(len(labelled))] + away * np.array([np.cos(angle), np.sin(angle)])
    start, mask = (round(x), round(y)), np.zeros(canvas.shape, dtype=np.uint8)
    kind, thick = rng.integers(3), int(rng.integers(2, 14))
    if kind == 0:
        # A rest reaches the landmark from outside: it ends here and leaves the film along the same direction.
        end = (round(x + 400.0 * np.cos(angle)), round(y + 400.0 * np.sin(angle)))
        cv2.line(mask, start, end, (255,), thick, cv2.LINE_AA)
        cv2.circle(mask, start, thick, (255,), -1, cv2.LINE_AA)
    else:
        cv2.circle(mask, start, int(rng.integers(3, 18)), (255,), -1 if kind == 1 else 2, cv2.LINE_AA)
    bright, opacity = np.float32(rng.uniform(0.6, 1.0)), np.float32(rng.uniform(0.4, 1.0))
    return canvas + mask.astype(np.float32) * (opacity / np.float32(255.0)) * (bright - canvas)


def _equalise(canvas: Canvas, rng: Rng) -> Canvas:
    """Equalise contrast tile by tile and mix the result with the film."""
    tiles = int(rng.integers(3, 12))
    equaliser = cv2.createCLAHE(clipLimit=rng.uniform(1.0, 4.0), tileGridSize=(tiles, tiles))
    equalised = equaliser.apply(np.rint(canvas * 255.0).astype(np.uint8)).astype(np.float32) / np.float32(255.0)
    share = np.float32(rng.uniform(0.2, 1.0))
    return canvas + share * (equalised - canvas)


def _cover_patches(canvas: Canvas, rng: Rng) -> Canvas:
    """Cut out small rectangles: a hidden landmark has to be inferred from its surroundings."""
    covered = canvas.copy()
    height, width = canvas.shape
    for _ in range(int(rng.integers(1, 5))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        across, down = rng.integers(8, 60, 2)
        covered[y : y + down, x : x + across] = rng.uniform(0.0, 1.0)
    return covered


def _crop_borders(canvas: Canvas, rng: Rng) -> tuple[Canvas, tuple[float, float, float, float]]:
    """Blank the film's edges, as collimation or a cropped export does; return the visible rectangle."""
    height, width = canvas.shape
    left, right = (int(width * share) for share in rng.uniform(0.0, 0.12, 2) * (rng.random(2) < 0.6))
    top, bottom = (int(height * share) for share in rng.uniform(0.0, 0.15, 2) * (rng.random(2) < 0.6))
    cropped = np.full_like(canvas, 0.0 if rng.random() < 0.8 else rng.uniform(0.5, 1.0))
    rows, columns = slice(top, height - bottom), slice(left, width - right)
    cropped[rows, columns] = canvas[rows, columns]
    return cropped, (left - 0.5, top - 0.5, width - right - 0.5, height - bottom - 0.5)


def _compress(canvas: Canvas, rng: Rng) -> Canvas:
    quality = int(rng.integers(20, 91))
    _, coded = cv2.imencode(".jpg", np.rint(canvas * 255.0).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    assert decoded is not None  # just encoded
    return decoded.astype(np.float32) / np.float32(255.0)
