"""JPEG streams inside DICOM, reduced to what a decoder needs.

Decoders for old processes end the whole program over a damaged comment or precision. They are given a stream that is
written anew: tables, frame and scans that have been checked, and none of the application segments and comments.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from cephstd.errors import CorruptImageError

_TABLES, _FRAMES = (0xC4, 0xDB, 0xDD), {0xC0: (8,), 0xC1: (8, 12), 0xC2: (8, 12), 0xC3: tuple(range(2, 17))}
LOSSLESS = 0xC3
_SCAN, _END = 0xDA, 0xD9
_APPLICATION, _COMMENT = range(0xE0, 0xF0), 0xFE
_RGB_IDS = (b"RGB", b"rgb")
# A marker inside entropy-coded data: neither a stuffed zero, nor a restart, nor a fill byte.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_DAMAGED = "The JPEG stream of the DICOM file is damaged"


@dataclass(frozen=True, slots=True)
class CleanJpeg:
    """A checked stream with the size and precision that it states."""

    data: bytes
    process: int
    precision: int
    width: int
    height: int
    components: int


def clean_jpeg(frame: bytes, *, states_rgb: bool) -> CleanJpeg:
    """Write a JPEG frame (baseline, extended, progressive or lossless; not JPEG-LS) anew.

    Parameters
    ----------
    frame : bytes
        One compressed frame of a DICOM file.
    states_rgb : bool
        Whether the data set says that its three components are red, green and blue; component names and a JFIF
        segment in the stream overrule it.

    Raises
    ------
    CorruptImageError
        When a segment is cut off, unknown, or holds what no stream of its process may hold.
    """
    if not frame.startswith(b"\xff\xd8"):
        raise CorruptImageError(f"{_DAMAGED}: it does not begin as one.")
    parts: list[bytes] = []
    head: CleanJpeg | None = None
    names, is_jfif, at = b"", False, 2
    while True:
        marker, body, following = _read_segment(frame, at)
        if marker in _APPLICATION:
            is_jfif |= body.startswith(b"JFIF")
        elif marker in _FRAMES and head is None:
            head, names = _check_frame(marker, body)
            parts.append(frame[at:following])
        elif marker in _TABLES:
            parts.append(frame[at:following])
        elif marker == _SCAN and head is not None:
            break
        elif marker != _COMMENT:
            raise CorruptImageError(f"{_DAMAGED}: it holds an unexpected segment.")
        at = following
    scans = _check_scans(frame, at, head, names)
    is_rgb = names in _RGB_IDS or (states_rgb and not is_jfif)
    colour = [] if head.components == 1 else [_adobe_segment(transform=not is_rgb)]
    data = b"".join([b"\xff\xd8", *colour, *parts, scans, b"\xff\xd9"])
    return CleanJpeg(data, head.process, head.precision, head.width, head.height, head.components)


def _read_segment(frame: bytes, at: int) -> tuple[int, bytes, int]:
    """Marker, body and end of the segment at `at`."""
    while frame[at : at + 2] == b"\xff\xff":
        at += 1
    if at + 4 > len(frame) or frame[at] != 0xFF:
        raise CorruptImageError(f"{_DAMAGED}: a marker is missing.")
    (length,) = struct.unpack_from(">H", frame, at + 2)
    following = at + 2 + length
    if length < 2 or following > len(frame):
        raise CorruptImageError(f"{_DAMAGED}: a segment is cut off.")
    return frame[at + 1], frame[at + 4 : following], following


def _check_frame(marker: int, body: bytes) -> tuple[CleanJpeg, bytes]:
    if len(body) < 6:
        raise CorruptImageError(f"{_DAMAGED}: its frame is cut off.")
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    names, sampling, tables = body[6::3], body[7::3], body[8::3]
    sound = (
        count in (1, 3)
        and len(body) == 6 + 3 * count
        and len(set(names)) == count
        and precision in _FRAMES[marker]
        and all(1 <= size >> 4 <= 4 and 1 <= size & 15 <= 4 for size in sampling)
        and all(table <= 3 for table in tables)
    )
    if not sound:
        raise CorruptImageError(f"{_DAMAGED}: its frame holds impossible values.")
    return CleanJpeg(b"", marker, precision, width, height, count), names


def _check_scans(frame: bytes, start: int, head: CleanJpeg, names: bytes) -> bytes:
    """Scans from `start` to the end marker, with only tables and scans between them."""
    at = start
    while True:
        marker, body, following = _read_segment(frame, at)
        if marker == _SCAN:
            _check_scan(body, head, names)
            found = _MARKER.search(frame, following)
            if not found:
                raise CorruptImageError(f"{_DAMAGED}: its end is missing.")
            at = found.start()
        elif marker in _TABLES:
            at = following
        else:
            raise CorruptImageError(f"{_DAMAGED}: it holds an unexpected segment.")
        if frame[at : at + 2] == bytes((0xFF, _END)):
            return frame[start:at]


def _check_scan(body: bytes, head: CleanJpeg, names: bytes) -> None:
    count = body[0] if body else 0
    if not 1 <= count <= head.components or len(body) != 4 + 2 * count:
        raise CorruptImageError(f"{_DAMAGED}: a scan holds impossible values.")
    first, last, approximation = body[-3:]
    sound = all(name in names for name in body[1:-3:2]) and all(
        table >> 4 <= 3 and table & 15 <= 3 for table in body[2:-3:2]
    )
    if head.process == LOSSLESS:
        sound = sound and 1 <= first <= 7 and last == 0 and approximation < head.precision
    else:
        sound = sound and first <= last <= 63
    if not sound:
        raise CorruptImageError(f"{_DAMAGED}: a scan holds impossible values.")


def _adobe_segment(*, transform: bool) -> bytes:
    """Adobe's segment, by which decoders know whether three components are YCbCr or RGB."""
    return b"\xff\xee" + struct.pack(">H5sHHHB", 14, b"Adobe", 100, 0, 0, transform)
