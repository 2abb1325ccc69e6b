"""What JPEG, PNG and BMP files say of themselves, read before anything is decoded."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import Literal

from cephstd.errors import CorruptImageError, UnsupportedFormatError
from cephstd.io.directory import ORIENTATION_TAG, read_directories

Colour = Literal["grey", "rgb", "palette", "cmyk", "other"]
_MM_PER_INCH = 25.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Stated size, depth and kind of a picture.

    Attributes
    ----------
    width, height : int
        Pixels as stored, before any EXIF orientation.
    channels, bits : int
        Samples per pixel, without regard to what a decoder adds, and bits per sample.
    pages : int
        Pictures in the file.
    orientation : int
        EXIF or TIFF orientation 1..8; 1 = as stored.
    density : tuple of float or None
        (horizontal, vertical) dots per inch that the file states.
    aspect : float
        Stated height of a pixel over its width.
    white_is_zero : bool
        True when the file says that sample 0 is white.
    label : bytes
        What stands where this library labels standard images.
    """

    width: int
    height: int
    channels: int
    bits: int
    colour: Colour
    pages: int = 1
    orientation: int = 1
    density: tuple[float, float] | None = None
    aspect: float = 1.0
    white_is_zero: bool = False
    has_alpha: bool = False
    facts: dict[str, str] = field(default_factory=dict)
    label: bytes = b""


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """Frame header of a JPEG or JPEG-LS stream, and where its first scan begins."""

    process: int
    precision: int
    width: int
    height: int
    components: int
    scan_offset: int


# Start-of-frame markers by process; 0xF7 is JPEG-LS.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_SCAN, _END = 0xDA, b"\xff\xd9"
_PROGRESSIVE = 0xC2
_LOSSLESS = 3


def read_jpeg_frame(data: bytes) -> tuple[JpegFrame, dict[int, bytes]]:
    """Frame header and application segments (marker -> first segment) of a JPEG or JPEG-LS stream.

    Raises
    ------
    CorruptImageError
        When the markers break off or no frame precedes the first scan.
    """
    segments: dict[int, bytes] = {}
    found: tuple[int, int, int, int, int] | None = None
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if marker == _SCAN:
            if found is None:
                break
            return JpegFrame(*found, scan_offset=at), segments
        if marker in _FRAMES and found is None and len(body) >= 6:
            precision, height, width, components = struct.unpack_from(">BHHB", body)
            found = (marker, precision, width, height, components)
        elif 0xE0 <= marker <= 0xEF:
            segments.setdefault(marker, body)
        at += 2 + max(length, 2)
    raise CorruptImageError("Expected a JPEG frame and a scan, found the end of the stream or damaged markers.")


def read_jpeg_header(data: bytes) -> Header:
    """Header of a JPEG file.

    Raises
    ------
    CorruptImageError
        When markers are damaged or the end of the picture is missing.
    UnsupportedFormatError
        When the samples do not have 8 bits.
    """
    frame, segments = read_jpeg_frame(data)
    if frame.precision != 8:
        raise UnsupportedFormatError(
            f"Expected a JPEG with 8 bits per sample, found {frame.precision}.",
            hint="Export the film as 16-bit TIFF or PNG, or as DICOM.",
        )
    if data.rfind(_END, frame.scan_offset) < 0:
        raise CorruptImageError("Expected a whole JPEG file, found its end missing: the file is truncated.")
    colour: Colour = {1: "grey", 3: "rgb", 4: "cmyk"}.get(frame.components, "other")  # type: ignore[assignment]
    process = "lossless" if frame.process & 3 == _LOSSLESS else "lossy"
    header = Header(
        width=frame.width,
        height=frame.height,
        channels=frame.components,
        bits=8,
        colour=colour,
        orientation=_exif_orientation(segments.get(0xE1, b"")),
        facts={
            "compression": f"jpeg {process}" + (" progressive" if frame.process == _PROGRESSIVE else ""),
            "lossy": "no" if process == "lossless" else "yes",
        },
    )
    jfif = segments.get(0xE0, b"")
    if jfif.startswith(b"JFIF\0") and len(jfif) >= 12:
        unit, horizontal, vertical = struct.unpack_from(">BHH", jfif, 7)
        header = _with_density(header, {1: 1.0, 2: _MM_PER_INCH / 10}.get(unit), horizontal, vertical)
    return header


def read_png_header(data: bytes) -> Header:
    """Header of a PNG file; every chunk is checked against its checksum.

    Raises
    ------
    CorruptImageError
        When a chunk is cut off or damaged, or first or last chunk is missing.
    """
    first: bytes | None = None
    header: Header | None = None
    at, frames, last = 8, 1, b""
    chunks: dict[bytes, bytes] = {}
    while at + 12 <= len(data):
        length, last = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        (stated,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != stated:
            raise CorruptImageError("Expected PNG chunks that match their checksums, found a damaged one.")
        first = first or last
        if last != b"IDAT":
            chunks.setdefault(last, data[at + 8 : end - 4])
        at = end
        if last == b"IEND":
            break
    if first != b"IHDR" or len(chunks[b"IHDR"]) != 13:
        raise CorruptImageError("Expected a PNG header, found none: the file is damaged.")
    if last != b"IEND" or b"IEND" not in chunks:
        raise CorruptImageError("Expected a whole PNG file, found its end missing: the file is truncated.")
    width, height, bits, kind = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    channels, colour = _PNG_KINDS.get(kind, (0, "other"))
    if b"acTL" in chunks and len(chunks[b"acTL"]) >= 4:
        (frames,) = struct.unpack_from(">I", chunks[b"acTL"])
    text = chunks.get(b"iTXt", b"")
    header = Header(
        width=width,
        height=height,
        channels=channels,
        bits=bits,
        colour=colour,  # type: ignore[arg-type]
        pages=max(frames, 2) if b"acTL" in chunks else 1,
        orientation=_exif_orientation(b"Exif\0\0" + chunks[b"eXIf"]) if b"eXIf" in chunks else 1,
        has_alpha=kind in (4, 6) or b"tRNS" in chunks,
        facts={"compression": "png deflate", "lossy": "no"},
        label=text.removeprefix(PNG_LABEL) if text.startswith(PNG_LABEL) else b"",
    )
    if len(chunks.get(b"pHYs", b"")) == 9:
        horizontal, vertical, unit = struct.unpack_from(">IIB", chunks[b"pHYs"])
        header = _with_density(header, _MM_PER_INCH / 1000 if unit == 1 else None, horizontal, vertical)
    return header


PNG_LABEL = b"cephstd\0\0\0\0\0"
"""Head of an iTXt chunk with this library's label: keyword, not compressed, no language, no translated keyword."""

# colour type: (samples per pixel, colour)
_PNG_KINDS = {0: (1, "grey"), 2: (3, "rgb"), 3: (1, "palette"), 4: (2, "grey"), 6: (4, "rgb")}


def read_bmp_header(data: bytes) -> Header:
    """Header of a BMP file.

    Raises
    ------
    CorruptImageError
        When the header is cut off or the file is shorter than its uncompressed samples.
    UnsupportedFormatError
        When the samples are compressed in a way other than run lengths.
    """
    if len(data) < 26:
        raise CorruptImageError("Expected a whole BMP header, found the end of the file.")
    offset, size = struct.unpack_from("<II", data, 10)
    compression, density = 0, (0, 0)
    if size >= 40 and len(data) >= 54:
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
        density = struct.unpack_from("<ii", data, 38)
    elif size == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
    else:
        raise CorruptImageError("Expected a known BMP header, found another: the file is damaged.")
    if compression not in (0, 1, 3):
        raise UnsupportedFormatError(
            "Expected an uncompressed BMP, found an embedded picture or another compression.",
            hint="Save the film as PNG or TIFF.",
        )
    row_bytes = (width * depth + 31) // 32 * 4
    if compression != 1 and offset + row_bytes * abs(height) > len(data) and width > 0:
        raise CorruptImageError("Expected a whole BMP file, found fewer bytes than its header states.")
    header = Header(
        width=width,
        height=abs(height),
        channels=max(1, depth // 8),
        bits=min(depth, 8),
        colour="palette" if depth <= 8 else "rgb",
        has_alpha=False,
        facts={"compression": "none" if compression != 1 else "run length", "lossy": "no"},
    )
    return _with_density(header, _MM_PER_INCH / 1000, *density)


def _with_density(header: Header, per_inch: float | None, horizontal: float, vertical: float) -> Header:
    """`header` with its stated density; `per_inch` None means that the two numbers are a ratio only."""
    if horizontal <= 0 or vertical <= 0:
        return header
    dots = (round(horizontal * per_inch, 3), round(vertical * per_inch, 3)) if per_inch else None
    return replace(header, density=dots, aspect=horizontal / vertical)


def _exif_orientation(block: bytes) -> int:
    if not block.startswith(b"Exif\0\0"):
        return 1
    try:
        directories = read_directories(block[6:], max_directories=8)
    except CorruptImageError:
        return 1  # a damaged EXIF block says nothing; the picture may still be whole
    values = directories[0].get(ORIENTATION_TAG, (1,)) if directories else (1,)
    return int(values[0]) if values and 1 <= values[0] <= 8 else 1
