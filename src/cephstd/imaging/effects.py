"""What a device can do to a film, as values, and devices as lists of them, read from TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from cephstd.errors import InputError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Millimetres = Annotated[float, msgspec.Meta(ge=0.01, le=2)]


class Effect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One thing that a device does to a film."""


class Gamma(Effect, tag="gamma", frozen=True):
    """Grey ``g`` in [0, 1] becomes ``g ** value``."""

    value: Positive


class Sigmoid(Effect, tag="sigmoid", frozen=True):
    """DICOM's sigmoid window (PS3.3 C.11.2.1.3.1), stretched to the full range."""

    center: float
    width: Positive


class Clip(Effect, tag="clip", frozen=True):
    """A linear window that burns out what lies outside ``low..high``."""

    low: float
    high: float


class Negative(Effect, tag="negative", frozen=True):
    """Bone dark; `declared` when the file says so."""

    declared: bool


class Quantize(Effect, tag="quantize", frozen=True):
    """Samples of so many bits."""

    bits: Annotated[int, msgspec.Meta(ge=4, le=16)]


class Sample(Effect, tag="sample", frozen=True):
    """Detector pixels of another size; the two directions may differ."""

    row_mm: Millimetres
    column_mm: Millimetres


class Mirror(Effect, tag="mirror", frozen=True):
    """Face to the other side; `declared` when the file says so."""

    declared: bool


class QuarterTurn(Effect, tag="quarter_turn", frozen=True):
    """Turned by quarter turns, anticlockwise; `declared` when the file says so."""

    quarters: Annotated[int, msgspec.Meta(ge=1, le=3)]
    declared: bool


class Tilt(Effect, tag="tilt", frozen=True):
    """Turned about the film's centre, clockwise on the screen; the corners become black."""

    angle_deg: float


class Cut(Effect, tag="cut", frozen=True):
    """Only a part of the film, as shares of width and height."""

    left: Share
    top: Share
    right: Share
    bottom: Share


class Collimate(Effect, tag="collimate", frozen=True):
    """Black outside a rectangle, as shares of width and height; the film keeps its size."""

    left: Share
    top: Share
    right: Share
    bottom: Share


class Noise(Effect, tag="noise", frozen=True):
    """Gaussian noise, its standard deviation as a share of the range."""

    sd: Positive


class Blur(Effect, tag="blur", frozen=True):
    """Gaussian blur."""

    sigma_mm: Positive


class Jpeg(Effect, tag="jpeg", frozen=True):
    """Stored as an 8-bit JPEG."""

    quality: Annotated[int, msgspec.Meta(ge=1, le=100)]


class Ruler(Effect, tag="ruler", frozen=True):
    """A ruler with 1 mm ticks near one side."""

    from_right_mm: Positive
    from_top_mm: Positive


class Text(Effect, tag="text", frozen=True):
    """Burnt-in words, near the corners."""

    lines: tuple[str, ...]


AnyEffect = (
    Gamma
    | Sigmoid
    | Clip
    | Negative
    | Quantize
    | Sample
    | Mirror
    | QuarterTurn
    | Tilt
    | Cut
    | Collimate
    | Noise
    | Blur
    | Jpeg
    | Ruler
    | Text
)


class SimulatedDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named list of effects, applied in order."""

    name: str
    effects: tuple[AnyEffect, ...]


class _DeviceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    device: tuple[SimulatedDevice, ...]


def load_devices(path: str | Path) -> dict[str, SimulatedDevice]:
    """Read simulated devices from a TOML file: ``[[device]]`` with ``name`` and ``effects``.

    Raises
    ------
    InputError
        When the file cannot be read, an effect is unknown or out of range, or a name occurs twice.
    """
    name = Path(path).name
    try:
        devices = msgspec.toml.decode(Path(path).read_bytes(), type=_DeviceFile).device
    except OSError as error:
        raise InputError(f"Expected a file of devices, found that {name} cannot be read: {error.strerror}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"Expected a valid file of devices, found in {name}: {error}") from error
    named = {device.name: device for device in devices}
    if len(named) != len(devices):
        raise InputError(f"Expected each device name once in {name}.")
    return named
