"""JPEG, PNG, TIFF and BMP films to grey samples.

Coordinates are those of the stored pixels: an orientation that the file asks viewers to apply is reported and not
applied, so that two programs that read the same file speak of the same pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from cephstd.core.arrays import Pixels
from cephstd.core.image import UNDETERMINED, Calibration
from cephstd.core.recipe import Budget
from cephstd.errors import CorruptImageError, UnsupportedFormatError
from cephstd.io.channels import check_chroma, merge_channels
from cephstd.io.decoded import Decoded
from cephstd.io.header import Header, read_bmp_header, read_jpeg_header, read_png_header
from cephstd.io.limits import check_image_size
from cephstd.io.tiff import read_tiff_header

ASPECT_TOLERANCE = 0.01
"""A stated pixel aspect that differs from 1 by more is reported: angles on such pixels are wrong."""

_STORED = cv2.IMREAD_UNCHANGED
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_SMALL_COLOUR = cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION


def decode_raster(data: bytes, image_format: str, budget: Budget) -> Decoded:
    """Decode a picture whose header passes every check.

    Raises
    ------
    UnsupportedFormatError
        When it is CMYK, animated, has several pages, is transparent, or has another depth than 8 or 16 bit.
    NotACephalogramError
        When it is in colour.
    BudgetExceededError
        When its header states more pixels or bytes than the budget allows.
    CorruptImageError
        When it is damaged or cut off.
    """
    header = _READ_HEADER[image_format](data, budget)
    check_image_size(header.width, header.height, max(1, header.channels) * max(1, header.bits // 8), budget)
    _refuse_kinds(header, image_format)
    pixels, warnings = _decode(data, header, image_format)
    if pixels.shape != (header.height, header.width):
        raise CorruptImageError(
            f"Expected {header.width} x {header.height} px as the header says, "
            f"decoded {pixels.shape[1]} x {pixels.shape[0]} px."
        )
    if header.orientation != 1:
        warnings += (
            f"The file asks viewers to turn or mirror it (orientation {header.orientation}); coordinates here are "
            "those of the stored pixels, not turned.",
        )
    if abs(header.aspect - 1) > ASPECT_TOLERANCE:
        warnings += (
            f"The file states pixels that are not square (height {header.aspect:.3g} times width); without a "
            "calibration its angles are wrong.",
        )
    return Decoded(
        pixels=pixels,
        bits=header.bits,
        decoder=f"opencv {cv2.__version__}",
        inverted=header.white_is_zero,
        calibration=_state_density(header),
        facts=_facts(header),
        warnings=warnings,
        label=header.label,
    )


_READ_HEADER: dict[str, Callable[[bytes, Budget], Header]] = {
    "jpeg": lambda data, budget: read_jpeg_header(data),
    "png": lambda data, budget: read_png_header(data),
    "bmp": lambda data, budget: read_bmp_header(data),
    "tiff": read_tiff_header,
}


def _refuse_kinds(header: Header, image_format: str) -> None:
    name = image_format.upper()
    if header.colour == "cmyk":
        raise UnsupportedFormatError(
            f"Expected a grey film, found a CMYK {name} made for printing.", hint="Export it again as grey."
        )
    if header.colour == "other":
        raise UnsupportedFormatError(f"Expected grey or RGB samples, found a {name} of another colour model.")
    if header.pages > 1:
        kind = "an animated PNG" if image_format == "png" else f"a {name} of {header.pages} pages"
        raise UnsupportedFormatError(f"Expected one image, found {kind}.", hint="Save the film alone.")
    if header.bits not in (8, 16):
        raise UnsupportedFormatError(
            f"Expected 8 or 16 bits per sample, found a {name} with {header.bits}.",
            hint="Save the film as 8 or 16 bit.",
        )


def _decode(data: bytes, header: Header, image_format: str) -> tuple[Pixels, tuple[str, ...]]:
    if image_format == "jpeg" and header.colour == "rgb":
        # The luminance is stored as such: decoding it alone is exact and costs less than half of decoding colour;
        # whether there is any colour shows in the averages of 8 x 8 blocks.
        warnings = check_chroma(_imdecode(data, _SMALL_COLOUR))
        return _imdecode(data, _GREY), warnings
    pixels = _imdecode(data, _STORED)
    warnings = ()
    if pixels.ndim == 3:
        pixels, warnings = merge_channels(pixels)
    if image_format == "tiff":
        pixels = _restore_stored(pixels, header)
    return pixels, warnings


def _imdecode(data: bytes, flags: int) -> Pixels:
    try:
        pixels: Pixels | None = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise CorruptImageError("The samples cannot be decoded: the file is damaged.") from error
    if pixels is None:
        raise CorruptImageError("The samples cannot be decoded: the file is damaged or its compression is unknown.")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UnsupportedFormatError(f"Expected 8- or 16-bit samples, decoded {pixels.dtype}.")
    return pixels


def _restore_stored(pixels: Pixels, header: Header) -> Pixels:
    """Undo what OpenCV does to TIFF on its own: it applies the orientation, and inverts 8-bit white-is-zero."""
    pixels = _UNTURN[header.orientation](pixels)
    if header.white_is_zero and header.bits == 8:
        pixels = np.invert(pixels)
    return np.ascontiguousarray(pixels)


# From the turned picture back to the stored one, by TIFF orientation.
_UNTURN: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda turned: turned,
    2: lambda turned: turned[:, ::-1],
    3: lambda turned: turned[::-1, ::-1],
    4: lambda turned: turned[::-1],
    5: lambda turned: turned.T,
    6: lambda turned: turned.T[::-1],
    7: lambda turned: turned[::-1, ::-1].T,
    8: lambda turned: turned.T[:, ::-1],
}


def _facts(header: Header) -> dict[str, str]:
    facts = {**header.facts, "colour": header.colour}
    if header.density:
        facts["density_dpi"] = f"{header.density[0]:g} x {header.density[1]:g}"
    if header.orientation != 1:
        facts["orientation"] = str(header.orientation)
    return facts


def _state_density(header: Header) -> Calibration:
    """The density as evidence only: programs write 72 or 96 dpi without having measured anything."""
    if header.density is None:
        return UNDETERMINED
    return Calibration(
        basis="file_dpi_untrusted",
        sources=(f"{header.density[0]:g} x {header.density[1]:g} dpi stated by the file",),
        note="Picture files carry a density that nobody has measured; no millimetre is taken from it.",
    )


def encode_png(pixels: Pixels) -> bytes:
    """PNG of grey samples (8 or 16 bit) and of nothing else: no text, no time, no resolution."""
    _, data = cv2.imencode(".png", pixels)
    return data.tobytes()
