"""What a format's decoder hands to the reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cephstd.core.arrays import Pixels
from cephstd.core.image import UNDETERMINED, Calibration, Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Grey samples of one film with everything its file says, before hashes and the caller's own statements.

    `pixels` is uint8 or uint16 of shape (height, width); `bits` counts its significant bits. `label` is what the file
    keeps where this library labels standard images; it may be anything.
    """

    pixels: Pixels
    bits: int
    decoder: str
    inverted: bool = False
    calibration: Calibration = UNDETERMINED
    device: Device = field(default_factory=Device)
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    label: bytes = b""
