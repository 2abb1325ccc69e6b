"""A film as another device would have given it: the simulator of `cephstd.imaging` with effects drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from cephstd.core.image import Radiograph, Source, state_calibration
from cephstd.imaging.effects import AnyEffect, Blur, Clip, Cut, Gamma, Jpeg, Noise, Sample, Sigmoid, SimulatedDevice
from cephstd.imaging.simulator import simulate
from cephstd.imaging.tone import standard_tone
from cephstd.training.dataset import Film

Rng = np.random.Generator


def random_device(rng: Rng) -> SimulatedDevice:
    """Draw a device: detector pixels, how much of the head it shows, its curve, sharpness, grain and compression.

    Pose is left to `cephstd.training.augment`, which turns films anyway; facing and grey sense are settled before a
    landmark model sees a film, so no device here mirrors or inverts.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    SimulatedDevice
    """
    spacing = rng.uniform(0.13, 0.25)
    effects: list[AnyEffect] = [Sample(row_mm=spacing * rng.uniform(0.97, 1.03), column_mm=spacing)]
    if rng.random() < 0.4:
        cuts = rng.uniform(0.0, (0.06, 0.16, 0.06, 0.06))
        effects.append(Cut(left=cuts[0], top=cuts[1], right=1.0 - cuts[2], bottom=1.0 - cuts[3]))
    effects.append(_CURVES[rng.integers(len(_CURVES))](rng))
    if rng.random() < 0.5:
        effects.append(Blur(sigma_mm=rng.uniform(0.1, 0.4)))
    if rng.random() < 0.5:
        effects.append(Noise(sd=rng.uniform(0.005, 0.04)))
    if rng.random() < 0.5:
        effects.append(Jpeg(quality=int(rng.integers(30, 96))))
    return SimulatedDevice(name="random", effects=tuple(effects))


def _clip(rng: Rng) -> Clip:
    """Burn out a little of the dark, the bright, or neither (below 0 and above 1: a flat film)."""
    return Clip(low=rng.uniform(-0.3, 0.08), high=rng.uniform(0.9, 1.3))


_CURVES: tuple[Callable[[Rng], AnyEffect], ...] = (
    lambda rng: Gamma(value=float(np.exp(rng.uniform(-0.7, 0.7)))),
    lambda rng: Sigmoid(center=rng.uniform(0.4, 0.6), width=rng.uniform(0.5, 1.2)),
    _clip,
)


def through_device(film: Film, spacing_mm: float, device: SimulatedDevice, rng: Rng) -> Film:
    """Take a film through a simulated device and the standard tone, and lay it back on its own pixels.

    Parameters
    ----------
    film : Film
    spacing_mm : float
        Of the film's pixels.
    device : SimulatedDevice
    rng : numpy.random.Generator
        Decides grain and places of text.

    Returns
    -------
    Film
        Pixels of the same size; points the device cut away are NaN. What lies outside the device's picture is 0.
    """
    height, width = film.pixels.shape
    source = Source(
        format="array", file_sha256="", pixel_sha256="", decoder="", width_px=width, height_px=height, bits=8
    )
    made = simulate(
        Radiograph(pixels=film.pixels, source=source, calibration=state_calibration(spacing_mm)), device, rng
    )
    toned = np.rint(standard_tone(made.film.pixels) * 255.0).astype(np.uint8)
    # Film pixel -> device pixel: what warpAffine asks for when it is told where each output pixel comes from.
    device_from_film = made.chain.matrix[:2]
    pixels = cv2.warpAffine(toned, device_from_film, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    there = np.nan_to_num(film.points_px) @ device_from_film[:, :2].T + device_from_film[:, 2]
    shown = np.all((there > -0.5) & (there < np.array(made.film.size) - 0.5), axis=1)
    return Film(image_id=film.image_id, pixels=pixels, points_px=np.where(shown[:, None], film.points_px, np.nan))
