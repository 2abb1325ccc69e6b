"""What a TIFF file says of itself, read before anything is decoded."""

from __future__ import annotations

from cephstd.core.recipe import Budget
from cephstd.errors import CorruptImageError, UnsupportedFormatError
from cephstd.io.directory import ORIENTATION_TAG, Tags, read_directories
from cephstd.io.header import Colour, Header
from cephstd.io.limits import check_image_size

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES, _TILE_WIDTH, _TILE_HEIGHT = 273, 279, 324, 325, 322, 323
_SAMPLES, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _EXTRA, _SAMPLE_FORMAT = 277, 282, 283, 296, 338, 339
TIFF_LABEL = 65_117
"""Tag (type BYTE) with this library's label, in the range that any program may use."""
_REDUCED = 1
_WHITE_IS_ZERO = 0
_COLOURS: dict[int, Colour] = {0: "grey", 1: "grey", 2: "rgb", 3: "palette", 5: "cmyk", 6: "rgb"}
_COMPRESSIONS = {
    1: "none",
    5: "lzw",
    6: "jpeg lossy",
    7: "jpeg lossy",
    8: "deflate",
    32773: "run length",
    32946: "deflate",
}
_PER_INCH = {2: 1.0, 3: 2.54}
_FORMAT_NAMES = {2: "signed integers", 3: "floating point numbers"}


def read_tiff_header(data: bytes, budget: Budget) -> Header:
    """Header of a TIFF or BigTIFF file; reduced copies (thumbnails) do not count as pages.

    Raises
    ------
    CorruptImageError
        When directories are damaged or the samples lie outside the file.
    UnsupportedFormatError
        When the samples are not whole numbers without sign.
    BudgetExceededError
        When one tile is larger than a whole image may be.
    """
    directories = read_directories(data, max_directories=budget.max_members)
    pages = [tags for tags in directories if not int(_first(tags, _SUBFILE, 0)) & _REDUCED]
    if not pages or pages[0] is not directories[0]:
        raise CorruptImageError("Expected a TIFF file that begins with its picture, found none.")
    tags = pages[0]
    if {_WIDTH, _HEIGHT} - tags.keys():
        raise CorruptImageError("Expected width and height in the TIFF file, found none.")
    sample_format = int(_first(tags, _SAMPLE_FORMAT, 1))
    if sample_format not in (1, 4):
        found = _FORMAT_NAMES.get(sample_format, "complex or unknown numbers")
        raise UnsupportedFormatError(
            f"Expected whole grey values without sign, found a TIFF of {found}.",
            hint="Save the film as 8- or 16-bit grey.",
        )
    photometric = int(_first(tags, _PHOTOMETRIC, 1))
    compression = _COMPRESSIONS.get(int(_first(tags, _COMPRESSION, 1)), "other")
    header = Header(
        width=int(tags[_WIDTH][0]),
        height=int(tags[_HEIGHT][0]),
        channels=int(_first(tags, _SAMPLES, 1)),
        bits=int(_first(tags, _BITS, 1)),
        colour=_COLOURS.get(photometric, "other"),
        pages=len(pages),
        orientation=_orientation(tags),
        density=_density(tags),
        aspect=_aspect(tags),
        white_is_zero=photometric == _WHITE_IS_ZERO,
        has_alpha=_EXTRA in tags,
        label=_bytes(tags.get(TIFF_LABEL, ())),
        facts={"compression": f"tiff {compression}", "lossy": "yes" if "lossy" in compression else "no"},
    )
    if _TILE_WIDTH in tags and _TILE_HEIGHT in tags:
        tile = int(tags[_TILE_WIDTH][0]), int(tags[_TILE_HEIGHT][0])
        check_image_size(*tile, header.channels * max(1, header.bits // 8), budget)
    _check_extent(tags, len(data))
    return header


def _check_extent(tags: Tags, length: int) -> None:
    offsets = tags.get(_STRIPS) or tags.get(_TILES)
    counts = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES)
    if not offsets:
        raise CorruptImageError("Expected samples in the TIFF file, found no offset to any.")
    ends = [offset + count for offset, count in zip(offsets, counts or (), strict=False)] or [max(offsets) + 1]
    if max(ends) > length:
        raise CorruptImageError("Expected a whole TIFF file, found samples beyond its end: the file is truncated.")


def _first(tags: Tags, tag: int, default: float) -> float:
    values = tags.get(tag, ())
    return values[0] if values else default


def _bytes(values: tuple[float, ...]) -> bytes:
    return bytes(int(value) for value in values if 0 <= value <= 255)


def _orientation(tags: Tags) -> int:
    value = int(_first(tags, ORIENTATION_TAG, 1))
    return value if 1 <= value <= 8 else 1


def _density(tags: Tags) -> tuple[float, float] | None:
    per_inch = _PER_INCH.get(int(_first(tags, _UNIT, 2)))
    horizontal, vertical = _first(tags, _X_RESOLUTION, 0.0), _first(tags, _Y_RESOLUTION, 0.0)
    if per_inch is None or horizontal <= 0 or vertical <= 0:
        return None
    return (round(horizontal * per_inch, 3), round(vertical * per_inch, 3))


def _aspect(tags: Tags) -> float:
    horizontal, vertical = _first(tags, _X_RESOLUTION, 0.0), _first(tags, _Y_RESOLUTION, 0.0)
    return horizontal / vertical if horizontal > 0 and vertical > 0 else 1.0
