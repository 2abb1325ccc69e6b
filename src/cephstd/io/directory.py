"""Image file directories: the tag lists of TIFF files and of EXIF blocks."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import isfinite

from cephstd.errors import CorruptImageError

Values = tuple[float, ...]
Tags = dict[int, Values]

ORIENTATION_TAG = 274
"""How viewers should turn the picture (1..8), the same number in TIFF and EXIF."""

# type code: (struct letter, bytes of one value); rationals (5, 10) are two integers each.
_TYPES = {
    1: ("B", 1),
    2: ("s", 1),
    3: ("H", 2),
    4: ("I", 4),
    5: ("I", 8),
    6: ("b", 1),
    8: ("h", 2),
    9: ("i", 4),
    10: ("i", 8),
    11: ("f", 4),
    12: ("d", 8),
    13: ("I", 4),
    16: ("Q", 8),
    17: ("q", 8),
    18: ("Q", 8),
}
_RATIONALS = (5, 10)
_TEXT = 2
_MAX_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte order and field widths of one file: classic TIFF or BigTIFF."""

    order: str
    big: bool

    @property
    def offset_format(self) -> str:
        """Struct format of an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def count_format(self) -> str:
        """Struct format of the number of entries."""
        return self.order + ("Q" if self.big else "H")

    @property
    def entry_bytes(self) -> int:
        """Length of one entry: tag, type, count, value or offset."""
        return 20 if self.big else 12


def read_directories(data: bytes, *, max_directories: int) -> list[Tags]:
    """Numeric tags of every main directory of a TIFF block, in file order; text tags are skipped unread.

    Raises
    ------
    CorruptImageError
        When an offset leaves the block, the chain loops or has more than `max_directories` members.
    """
    layout, offset = _read_head(data)
    directories: list[Tags] = []
    while offset:
        if len(directories) >= max_directories:
            raise CorruptImageError("Expected a short chain of TIFF directories, found a loop or far too many.")
        tags, offset = _read_directory(data, offset, layout)
        directories.append(tags)
    return directories


def _read_head(data: bytes) -> tuple[Layout, int]:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise CorruptImageError("Expected the byte order mark of a TIFF block, found other bytes.")
    (version,) = _unpack(data, 2, f"{order}H")
    layout = Layout(order, big=version == 43)
    (offset,) = _unpack(data, 8 if layout.big else 4, layout.offset_format)
    return layout, int(offset)


def _read_directory(data: bytes, offset: int, layout: Layout) -> tuple[Tags, int]:
    (count,) = _unpack(data, offset, layout.count_format)
    start = offset + struct.calcsize(layout.count_format)
    if start + int(count) * layout.entry_bytes > len(data):
        raise CorruptImageError("Expected a whole TIFF directory, found the end of the file inside it.")
    tags: Tags = {}
    for index in range(int(count)):
        entry = start + index * layout.entry_bytes
        (tag, kind) = _unpack(data, entry, f"{layout.order}HH")
        values = _read_values(data, entry, int(kind), layout)
        if values is not None:
            tags[int(tag)] = values
    try:
        (following,) = _unpack(data, start + int(count) * layout.entry_bytes, layout.offset_format)
    except CorruptImageError:
        following = 0  # some writers leave the final zero out
    return tags, int(following)


def _read_values(data: bytes, entry: int, kind: int, layout: Layout) -> Values | None:
    if kind not in _TYPES or kind == _TEXT:
        return None
    letter, width = _TYPES[kind]
    (count,) = _unpack(data, entry + 4, layout.offset_format)
    if not 0 < count <= _MAX_VALUES:
        return None
    inline = 8 if layout.big else 4
    place = entry + 4 + struct.calcsize(layout.offset_format)
    if count * width > inline:
        place = int(_unpack(data, place, layout.offset_format)[0])
    numbers = _unpack(data, place, f"{layout.order}{int(count) * (1 + (kind in _RATIONALS))}{letter}")
    if kind in _RATIONALS:
        return tuple(top / bottom if bottom else 0.0 for top, bottom in zip(numbers[::2], numbers[1::2], strict=True))
    return numbers if all(map(isfinite, numbers)) else None


def _unpack(data: bytes, offset: int, form: str) -> Values:
    try:
        return struct.unpack_from(form, data, offset)
    except (struct.error, OverflowError) as error:
        raise CorruptImageError("Expected a TIFF value, found the end of the file.") from error
