"""What a file of a standard image says of itself, so that it is known again and made no second time."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from cephstd.core.digest import canonical_bytes, digest_pixels
from cephstd.core.image import Calibration, Normalized
from cephstd.core.steps import AnyStep

STANDARD_IMAGE: Final = "cephstd.standard/1"
STANDARD_FACT = "standard_image"
"""Key in `Source.facts` of a film whose label was read and belongs to its samples."""


class StandardLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The label of a standard image, stored inside its file as JSON.

    Attributes
    ----------
    schema : str
    pixel_sha256 : str
        Digest of the samples that it belongs to: with other samples it says nothing.
    calibration : Calibration
        Scale of the standard image, on the basis of the source's.
    source_sha256 : str
        Digest of the source's file; of its samples where it was an array.
    source_width_px, source_height_px : int
    steps : tuple of Step
        From source px to px of this image.
    """

    schema: Literal["cephstd.standard/1"]
    pixel_sha256: str
    calibration: Calibration
    source_sha256: str
    source_width_px: int
    source_height_px: int
    steps: tuple[AnyStep, ...]


def label_image(normal: Normalized) -> StandardLabel:
    """The label of a standard image."""
    width, height = normal.chain.source_size
    return StandardLabel(
        schema=STANDARD_IMAGE,
        pixel_sha256=digest_pixels(normal.pixels),
        calibration=standard_scale(normal),
        source_sha256=normal.source.file_sha256 or normal.source.pixel_sha256,
        source_width_px=width,
        source_height_px=height,
        steps=normal.chain.steps,
    )


def standard_scale(normal: Normalized) -> Calibration:
    """Scale of the standard image itself; without millimetres it is relative, and its note says to what."""
    spacing = normal.spacing_mm
    if spacing is not None:
        return msgspec.structs.replace(normal.calibration, row_mm=spacing, column_mm=spacing)
    return Calibration(
        basis="undetermined",
        note=f"Relative scale: the image is {normal.size[0]} px wide, its source had no scale that is trusted.",
    )


def encode_label(label: StandardLabel) -> bytes:
    """Canonical JSON of a label (UTF-8)."""
    return canonical_bytes(label)


def decode_label(data: bytes) -> StandardLabel | None:
    """The label in `data`; None where there is none that is understood."""
    try:
        return msgspec.json.decode(data, type=StandardLabel)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
