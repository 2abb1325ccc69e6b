"""Stored samples of a DICOM film: layout, transfer syntax, decoding.

Every kind of stream has one decoder, so that a file gives the same pixels wherever the same versions are installed.
The size that a compressed stream states is compared with the data set before a codec sees it: codecs allocate what the
stream asks for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder
from pydicom.pixels.processing import apply_color_lut

from cephstd.core.arrays import Pixels
from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CorruptImageError, InputError, UnsupportedFormatError
from cephstd.io.dicom_file import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Tags
from cephstd.io.header import read_jpeg_frame
from cephstd.io.jpeg_stream import LOSSLESS, clean_jpeg
from cephstd.io.limits import check_decoded_bytes, check_image_size

OPENCV = "opencv"
_NATIVE, _GDCM, _CHARLS, _OPENJPEG, _RLE = "", "gdcm", "pyjpegls", "pylibjpeg", "pydicom"
_PACKAGES = {_GDCM: "python-gdcm", _CHARLS: "pyjpegls", _OPENJPEG: "pylibjpeg-openjpeg"}

_SYNTAX = "1.2.840.10008.1.2."

# transfer syntax: (name, decoder)
SYNTAXES = {
    IMPLICIT_LITTLE: ("Implicit VR Little Endian", _NATIVE),
    EXPLICIT_LITTLE: ("Explicit VR Little Endian", _NATIVE),
    DEFLATED: ("Deflated Explicit VR Little Endian", _NATIVE),
    EXPLICIT_BIG: ("Explicit VR Big Endian", _NATIVE),
    _SYNTAX + "5": ("RLE Lossless", _RLE),
    _SYNTAX + "4.50": ("JPEG Baseline", OPENCV),
    _SYNTAX + "4.51": ("JPEG Extended", _GDCM),
    _SYNTAX + "4.57": ("JPEG Lossless", _GDCM),
    _SYNTAX + "4.70": ("JPEG Lossless, first-order prediction", _GDCM),
    _SYNTAX + "4.80": ("JPEG-LS Lossless", _CHARLS),
    _SYNTAX + "4.81": ("JPEG-LS Near-Lossless", _CHARLS),
    _SYNTAX + "4.90": ("JPEG 2000 Lossless", _OPENJPEG),
    _SYNTAX + "4.91": ("JPEG 2000", _OPENJPEG),
    _SYNTAX + "4.201": ("HTJ2K Lossless", _OPENJPEG),
    _SYNTAX + "4.202": ("HTJ2K Lossless, RPCL", _OPENJPEG),
    _SYNTAX + "4.203": ("HTJ2K", _OPENJPEG),
}
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "PALETTE COLOR")
_RLE_WORST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The Image Pixel module: how the samples are stored, and which frame of how many is meant, counted from 1."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    frames: int = 1
    frame: int = 1

    @property
    def is_grey(self) -> bool:
        """Whether there is one grey sample per pixel."""
        return self.photometric in _GREY


def read_layout(tags: Tags, budget: Budget, frame: int | None = None) -> Layout:
    """Layout of the samples of one frame, checked against itself and the budget.

    Raises
    ------
    CorruptImageError
        When a needed element is absent or contradicts another.
    InputError
        When there is no frame of that number.
    UnsupportedFormatError
        When there are several frames and none was chosen, or samples of another depth than 8 to 16 bit, or an unknown
        colour model.
    BudgetExceededError
        When the image is larger than the budget allows.
    """
    frames = max(1, tags.integer("NumberOfFrames", 1))
    check_frame(frame, frames)
    if not (tags.has("Rows") and tags.has("Columns") and tags.has("BitsAllocated")):
        raise CorruptImageError(
            "Expected rows, columns and bits allocated in the DICOM file, found one of them missing."
        )
    allocated = tags.integer("BitsAllocated")
    stored = tags.integer("BitsStored", allocated)
    layout = Layout(
        rows=tags.integer("Rows"),
        columns=tags.integer("Columns"),
        samples=tags.integer("SamplesPerPixel", 1),
        photometric=tags.text("PhotometricInterpretation").upper() or "MONOCHROME2",
        allocated=allocated,
        stored=stored,
        high_bit=tags.integer("HighBit", stored - 1),
        signed=tags.integer("PixelRepresentation") == 1,
        frames=frames,
        frame=frame or 1,
    )
    check_image_size(layout.columns, layout.rows, layout.samples * max(1, allocated // 8), budget)
    if allocated not in (8, 16):
        raise UnsupportedFormatError(f"Expected 8 or 16 bits per stored sample, found {allocated}.")
    if not 2 <= stored <= allocated or not stored - 1 <= layout.high_bit < allocated:
        raise CorruptImageError(
            f"Expected bits stored and high bit that fit {allocated} bits, found {stored} and {layout.high_bit}."
        )
    if layout.photometric not in (*_GREY, *_COLOUR):
        raise UnsupportedFormatError("Expected a grey or RGB image, found another photometric interpretation.")
    if (layout.samples == 1) != (layout.is_grey or layout.photometric == "PALETTE COLOR"):
        raise CorruptImageError(
            f"Expected samples per pixel that fit {layout.photometric}, found {layout.samples} per pixel."
        )
    return layout


def check_frame(frame: int | None, frames: int) -> None:
    """Refuse several frames of which none was chosen, and a frame that is not there.

    Raises
    ------
    UnsupportedFormatError, InputError
    """
    if frame is None and frames > 1:
        raise UnsupportedFormatError(
            f"Expected one frame, found {frames}: which of them is the cephalogram is not stated.",
            hint="Choose one, counted from 1: read(..., frame=1), or cephstd normalize --frame 1.",
        )
    if frame is not None and not 1 <= frame <= frames:
        raise InputError(f"Expected a frame from 1 to {frames}, found {frame}.")


def decode_samples(tags: Tags, layout: Layout, syntax: str, budget: Budget) -> tuple[Pixels, str]:
    """Samples as stored, and the decoder's name and version.

    Returns
    -------
    samples : ndarray
        Grey: uint8 or uint16 of shape (rows, columns), the stored bits alone; signed samples keep their two's
        complement bits. Colour: shape (rows, columns, 3), red first.
    decoder : str

    Raises
    ------
    CorruptImageError
        When samples are missing or damaged.
    BudgetExceededError
        When a compressed stream asks for more than the data set states.
    """
    plugin = SYNTAXES[syntax][1]
    try:
        samples, name = _decode_frame(tags, layout, syntax, budget)
    except (CorruptImageError, BudgetExceededError):
        raise
    except Exception as error:  # each codec raises kinds of its own
        raise CorruptImageError(
            f"The pixel data ({SYNTAXES[syntax][0]}) cannot be decoded: they are truncated or damaged."
        ) from error
    if samples.shape[:2] != (layout.rows, layout.columns):
        raise CorruptImageError("Expected as many samples as rows and columns state, decoded another number.")
    if layout.is_grey:
        return _keep_stored_bits(samples, layout, compressed=plugin not in (_NATIVE, _RLE)), name
    if samples.dtype not in (np.uint8, np.uint16):
        raise UnsupportedFormatError(f"Expected colour samples of 8 or 16 bits, decoded {samples.dtype}.")
    return samples.astype(samples.dtype.newbyteorder("=")), name


def _decode_frame(tags: Tags, layout: Layout, syntax: str, budget: Budget) -> tuple[Pixels, str]:
    dataset, plugin = tags.dataset, SYNTAXES[syntax][1]
    frame = b"" if plugin == _NATIVE else get_frame(dataset.PixelData, layout.frame - 1, **_offsets(dataset, layout))
    if frame and layout.frames > 1:
        _keep_frame(dataset, frame)
    if plugin in (OPENCV, _GDCM):
        clean = clean_jpeg(frame, states_rgb=layout.photometric == "RGB")
        _check_size(clean.width, clean.height, layout)
        if clean.components != layout.samples:
            raise CorruptImageError(f"Expected {layout.samples} components, the JPEG stream has {clean.components}.")
        if clean.process != LOSSLESS and clean.precision == 8:
            from cephstd.io.dicom_jpeg import VERSION, decode_dct

            return decode_dct(clean.data), f"opencv {VERSION}"
        if clean.process != LOSSLESS:
            from cephstd.io.dicom_extended import decode_extended

            return decode_extended(clean.data, layout.rows, layout.columns), _plugin_name(_GDCM)
        dataset.PixelData = encapsulate([clean.data])
    elif plugin == _CHARLS:
        head, _ = read_jpeg_frame(frame)
        _check_size(head.width, head.height, layout)
        # CharLS searches for a missing end for seconds.
        if frame.rfind(b"\xff\xd9", head.scan_offset) < 0:
            raise CorruptImageError("Expected a whole JPEG-LS stream, found its end missing: the file is truncated.")
    elif plugin == _OPENJPEG:
        _check_size(*_read_jpeg2000_size(frame), layout)
    elif plugin == _RLE:
        _check_run_lengths(frame, layout, budget)
    options: dict[str, Any] = {"decoding_plugin": plugin} if plugin else {}
    index = layout.frame - 1 if plugin == _NATIVE else 0
    samples, _ = get_decoder(syntax).as_array(
        dataset, index=index, correct_unused_bits=False, allow_excess_frames=False, **options
    )
    if layout.photometric == "PALETTE COLOR":
        samples = apply_color_lut(samples, dataset)
    return samples, _plugin_name(plugin)


def _offsets(dataset: Any, layout: Layout) -> dict[str, Any]:
    """What tells where a compressed frame begins: how many there are, and the extended table where there is one."""
    if layout.frames > 1 and "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        table = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
        return {"number_of_frames": layout.frames, "extended_offsets": table}
    return {"number_of_frames": layout.frames}


def _keep_frame(dataset: Any, frame: bytes) -> None:
    """Leave one compressed frame in a data set of several."""
    dataset.PixelData, dataset.NumberOfFrames = encapsulate([frame]), 1
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)


def _plugin_name(plugin: str) -> str:
    """Version of pydicom, and the codec's where there is one, for the record."""
    name = f"pydicom {version('pydicom')}"
    return f"{name}, {plugin} {version(_PACKAGES[plugin])}" if plugin in _PACKAGES else name


def _keep_stored_bits(samples: Pixels, layout: Layout, *, compressed: bool) -> Pixels:
    """The stored bits of each sample, right-aligned: overlays in spare bits are cut off."""
    unsigned = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    unsigned = unsigned.view(np.dtype(f"u{samples.dtype.itemsize}"))
    # A codec returns samples of its own precision, right-aligned; only raw words carry the position of their bits.
    shift = 0 if compressed else layout.high_bit + 1 - layout.stored
    if shift:
        unsigned = unsigned >> shift
    if layout.stored < 8 * unsigned.dtype.itemsize:
        unsigned = unsigned & unsigned.dtype.type((1 << layout.stored) - 1)
    return np.ascontiguousarray(unsigned, dtype=np.uint8 if layout.stored <= 8 else np.uint16)


def _check_size(width: int, height: int, layout: Layout) -> None:
    if (width, height) != (layout.columns, layout.rows):
        raise CorruptImageError(
            f"Expected a compressed frame of {layout.columns} x {layout.rows} px, its stream states {width} x {height}."
        )


def _read_jpeg2000_size(frame: bytes) -> tuple[int, int]:
    """Width and height from the SIZ segment (ISO/IEC 15444-1 A.5.1), raw or inside a JP2 box."""
    start = frame.find(b"\xff\x4f\xff\x51")
    if start < 0 or start + 43 > len(frame):
        raise CorruptImageError("Expected a JPEG 2000 codestream, found none in the pixel data.")
    right, bottom, left, top = struct.unpack_from(">IIII", frame, start + 8)
    return right - left, bottom - top


def _check_run_lengths(frame: bytes, layout: Layout, budget: Budget) -> None:
    """Refuse run lengths that unfold to more than the image: the decoder itself would unfold them first."""
    if len(frame) * _RLE_WORST <= budget.max_decoded_bytes:
        return
    (count,) = struct.unpack_from("<I", frame)
    offsets = [*struct.unpack_from(f"<{min(count, 15)}I", frame, 4), len(frame)]
    plane = layout.rows * layout.columns
    for start, end in pairwise(offsets):
        at, unfolded = start, 0
        while at < end and unfolded <= plane + 1:
            head = frame[at]
            unfolded += head + 1 if head < 128 else 257 - head if head > 128 else 0
            at += head + 2 if head < 128 else 2 if head > 128 else 1
        if unfolded > plane + 1:
            check_decoded_bytes(budget.max_decoded_bytes + 1, budget)
