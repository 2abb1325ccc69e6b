"""Other devices, simulated: what a film would look like had another unit taken, processed and stored it.

Geometric effects are steps, so that landmarks of the film can be carried over; the others change grey values only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from cephstd.core.image import Calibration, Device, Radiograph
from cephstd.core.steps import Affine, AnyStep, Chain, Crop, FlipX, Resize, Turn
from cephstd.errors import InputError
from cephstd.imaging.effects import (
    Blur,
    Clip,
    Collimate,
    Cut,
    Gamma,
    Jpeg,
    Mirror,
    Negative,
    Noise,
    Quantize,
    QuarterTurn,
    Ruler,
    Sample,
    Sigmoid,
    SimulatedDevice,
    Text,
    Tilt,
)
from cephstd.imaging.operations import apply_step
from cephstd.imaging.orienter import OPPOSITE
from cephstd.imaging.phantom import RULER_LENGTH_MM, draw_ruler

FULL_RANGE = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A film as another device would have given it.

    Attributes
    ----------
    film : Radiograph
        With the scale, facing and grey sense that this device's file would state.
    chain : Chain
        Geometric steps only: source px of the original film to px of `film`, and back.
    """

    film: Radiograph
    chain: Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """A film on its way through the effects; pixels are uint16 over the full range."""

    pixels: NDArray[np.uint16]
    chain: Chain
    row_mm: float
    column_mm: float
    bits: int = 16
    inverted: bool = False
    right: str = "A"
    down: str = "F"
    declares_facing: bool = False


def simulate(film: Radiograph, device: SimulatedDevice, rng: np.random.Generator) -> Simulated:
    r"""Give `film` the look of `device`.

    Parameters
    ----------
    film : Radiograph
        Facing right, bone bright, with a scale.
    device : SimulatedDevice
    rng : numpy.random.Generator
        Decides noise and the places of text.

    Returns
    -------
    Simulated

    Raises
    ------
    InputError
        When the film has no scale or dark bone, or an effect leaves no image.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.core.image import Source, state_calibration
    >>> from cephstd.imaging.effects import Mirror, SimulatedDevice
    >>> about = {"file_sha256": "", "pixel_sha256": "", "decoder": "", "width_px": 9, "height_px": 6, "bits": 8}
    >>> grey = np.arange(54, dtype=np.uint8).reshape(6, 9)
    >>> film = Radiograph(pixels=grey, source=Source(format="array", **about), calibration=state_calibration(0.2))
    >>> device = SimulatedDevice(name="mirrored", effects=(Mirror(declared=True),))
    >>> made = simulate(film, device, np.random.default_rng(1))
    >>> made.chain.forward([[0.0, 2.0]]).tolist(), made.film.device.patient_orientation
    ([[8.0, 2.0]], 'P\\F')
    """
    spacing = film.calibration.spacing_mm
    if spacing is None or film.inverted:
        raise InputError("Expected a film with a scale and bright bone to simulate another device with.")
    top = (1 << film.source.bits) - 1
    samples = np.rint(np.minimum(film.pixels / top, 1.0) * FULL_RANGE).astype(np.uint16)
    state = _State(pixels=samples, chain=Chain(source_size=film.size), row_mm=spacing[0], column_mm=spacing[1])
    for effect in device.effects:
        state = _EFFECTS[type(effect)](state, effect, rng)
    bits = state.bits
    stored = np.rint(state.pixels / FULL_RANGE * ((1 << bits) - 1)).astype(np.uint8 if bits <= 8 else np.uint16)
    height, width = stored.shape
    made = dataclasses.replace(
        film,
        pixels=stored,
        source=msgspec.structs.replace(
            film.source, file_sha256="", pixel_sha256="", width_px=width, height_px=height, bits=bits, facts={}
        ),
        calibration=Calibration(
            basis="detector_plane",
            row_mm=state.row_mm,
            column_mm=state.column_mm,
            sources=(f"simulated {device.name}",),
        ),
        device=Device(patient_orientation=f"{state.right}\\{state.down}" if state.declares_facing else ""),
        inverted=state.inverted,
    )
    return Simulated(film=made, chain=state.chain)


def _move(state: _State, step: AnyStep, **changes: Any) -> _State:
    return dataclasses.replace(state, pixels=apply_step(state.pixels, step), chain=state.chain.then(step), **changes)


def _grey(state: _State, change: Callable[[NDArray[np.float64]], NDArray[np.float64]], **changes: Any) -> _State:
    grey = change(state.pixels / FULL_RANGE)
    return dataclasses.replace(state, pixels=np.rint(np.clip(grey, 0.0, 1.0) * FULL_RANGE).astype(np.uint16), **changes)


def _sigmoid(state: _State, effect: Sigmoid, rng: np.random.Generator) -> _State:
    def curve(grey: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (grey - effect.center) / effect.width)))

    low, high = curve(np.array([0.0, 1.0]))
    return _grey(state, lambda grey: (curve(grey) - low) / (high - low))


def _sample(state: _State, effect: Sample, rng: np.random.Generator) -> _State:
    width, height = state.chain.size
    wanted = (width * state.column_mm / effect.column_mm, height * state.row_mm / effect.row_mm)
    columns, rows = (max(1, round(side)) for side in wanted)
    # The exact spacing after rounding to whole pixels, so that lengths stay true.
    spacing = {"row_mm": height * state.row_mm / rows, "column_mm": width * state.column_mm / columns}
    return _move(state, Resize(width=columns, height=rows), **spacing)


def _mirror(state: _State, effect: Mirror, rng: np.random.Generator) -> _State:
    return _move(state, FlipX(), right=OPPOSITE[state.right], declares_facing=effect.declared)


def _quarter_turn(state: _State, effect: QuarterTurn, rng: np.random.Generator) -> _State:
    right, down, row, column = state.right, state.down, state.row_mm, state.column_mm
    for _ in range(effect.quarters):
        right, down, row, column = down, OPPOSITE[right], column, row
    changes = {"right": right, "down": down, "row_mm": row, "column_mm": column, "declares_facing": effect.declared}
    return _move(state, Turn(quarters=effect.quarters), **changes)


def _tilt(state: _State, effect: Tilt, rng: np.random.Generator) -> _State:
    width, height = state.chain.size
    angle = np.deg2rad(effect.angle_deg)
    # Turned in millimetres, so that a film with oblong pixels is turned and not sheared.
    scale = np.diag([state.column_mm, state.row_mm])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.linalg.inv(scale) @ turn @ scale
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = centre - linear @ centre
    rows = [(float(linear[k, 0]), float(linear[k, 1]), float(shift[k])) for k in (0, 1)]
    return _move(state, Affine(row_x=rows[0], row_y=rows[1], width=width, height=height))


def _bounds(state: _State, effect: Cut | Collimate) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in px, right and bottom exclusive."""
    width, height = state.chain.size
    shares = zip((effect.left, effect.top, effect.right, effect.bottom), (width, height) * 2, strict=True)
    left, top, right, bottom = (round(share * side) for share, side in shares)
    return left, top, right, bottom


def _cut(state: _State, effect: Cut, rng: np.random.Generator) -> _State:
    left, top, right, bottom = _bounds(state, effect)
    return _move(state, Crop(left=left, top=top, width=right - left, height=bottom - top))


def _collimate(state: _State, effect: Collimate, rng: np.random.Generator) -> _State:
    left, top, right, bottom = _bounds(state, effect)
    pixels = np.zeros_like(state.pixels)
    pixels[top:bottom, left:right] = state.pixels[top:bottom, left:right]
    return dataclasses.replace(state, pixels=pixels)


def _noise(state: _State, effect: Noise, rng: np.random.Generator) -> _State:
    return _grey(state, lambda grey: grey + rng.normal(0.0, effect.sd, grey.shape))


def _blur(state: _State, effect: Blur, rng: np.random.Generator) -> _State:
    across, down = effect.sigma_mm / state.column_mm, effect.sigma_mm / state.row_mm
    return dataclasses.replace(state, pixels=cv2.GaussianBlur(state.pixels, (0, 0), sigmaX=across, sigmaY=down))


def _jpeg(state: _State, effect: Jpeg, rng: np.random.Generator) -> _State:
    grey = np.rint(state.pixels / 257.0).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, effect.quality])
    shown = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE))
    return dataclasses.replace(state, pixels=shown.astype(np.uint16) * 257, bits=8)


def _ruler(state: _State, effect: Ruler, rng: np.random.Generator) -> _State:
    size, spacing_mm = state.chain.size, (state.row_mm + state.column_mm) / 2
    x_mm = size[0] * spacing_mm - effect.from_right_mm
    length_mm = min(RULER_LENGTH_MM, float(int(size[1] * spacing_mm - 2 * effect.from_top_mm)))
    density, _ = draw_ruler(size, spacing_mm, x_mm=x_mm, top_mm=effect.from_top_mm, length_mm=length_mm)
    return _grey(state, lambda grey: np.maximum(grey, density))


def _text(state: _State, effect: Text, rng: np.random.Generator) -> _State:
    height, width = state.pixels.shape
    letters = np.zeros((height, width), np.uint8)
    scale = height / 1000.0
    places = [(0.02, 0.04), (0.62, 0.04), (0.02, 0.98), (0.62, 0.98)]
    for line, place in zip(effect.lines, rng.permutation(len(places)), strict=False):
        corner = (round(places[place][0] * width), round(places[place][1] * height))
        cv2.putText(letters, line, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, round(2 * scale)))
    return dataclasses.replace(state, pixels=np.maximum(state.pixels, letters.astype(np.uint16) * 257))


_EFFECTS: dict[type, Callable[[_State, Any, np.random.Generator], _State]] = {
    Gamma: lambda state, effect, _: _grey(state, lambda grey: grey**effect.value),
    Sigmoid: _sigmoid,
    Clip: lambda state, effect, _: _grey(state, lambda grey: (grey - effect.low) / (effect.high - effect.low)),
    Negative: lambda state, effect, _: _grey(state, lambda grey: 1.0 - grey, inverted=effect.declared),
    Quantize: lambda state, effect, _: dataclasses.replace(state, bits=effect.bits),
    Sample: _sample,
    Mirror: _mirror,
    QuarterTurn: _quarter_turn,
    Tilt: _tilt,
    Cut: _cut,
    Collimate: _collimate,
    Noise: _noise,
    Blur: _blur,
    Jpeg: _jpeg,
    Ruler: _ruler,
    Text: _text,
}
