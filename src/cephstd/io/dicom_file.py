"""A DICOM file to the tags that this library asks for.

Only the tags listed here are ever turned into values: names, identifiers, free comments, unique ids of instances and
serial numbers are skipped by the parser, so no message, log line or record can hold them. The birth date is the one
exception; it is used to compute an age where the file states none and goes no further. Of contributing equipment one
code is compared, no text is taken.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial

from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CorruptImageError
from cephstd.io.limits import MEBIBYTE, RAISE_BUDGET

KEYWORDS = (
    # what it is
    "SOPClassUID ImageType Modality BodyPartExamined AnatomicRegionSequence ViewCodeSequence ViewPosition "
    "ImageLaterality Laterality PatientOrientation SeriesDescription ProtocolName "
    "AcquisitionDeviceProcessingDescription PresentationIntentType ConversionType BurnedInAnnotation "
    "LossyImageCompression LossyImageCompressionRatio "
    # device and time
    "Manufacturer ManufacturerModelName SoftwareVersions AcquisitionDate AcquisitionDateTime ContentDate SeriesDate "
    "StudyDate DateOfSecondaryCapture ContributingEquipmentSequence "
    # of the person, no more than age and sex
    "PatientAge PatientBirthDate PatientSex "
    # scale
    "PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing PixelSpacingCalibrationType PixelAspectRatio "
    "EstimatedRadiographicMagnificationFactor DistanceSourceToDetector DistanceSourceToPatient "
    "FieldOfViewHorizontalFlip FieldOfViewRotation "
    # samples
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns NumberOfFrames BitsAllocated "
    "BitsStored HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit RescaleSlope RescaleIntercept "
    "ModalityLUTSequence VOILUTSequence WindowCenter WindowWidth VOILUTFunction PresentationLUTShape "
    "PixelIntensityRelationship PixelIntensityRelationshipSign "
    "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
    "BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData "
    "BluePaletteColorLookupTableData ExtendedOffsetTable ExtendedOffsetTableLengths PixelData"
)
LABEL_CREATOR, LABEL = 0x63730010, 0x63731001
"""Private elements of this library: its name, and the label of a standard image."""
TAGS = (*(tag for keyword in KEYWORDS.split() if (tag := tag_for_keyword(keyword)) is not None), LABEL_CREATOR, LABEL)

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

_PIECE = 2**20
_OTHER_ELEMENTS = 16 * MEBIBYTE
_PREAMBLE = b"\0" * 128 + b"DICM"
_LONG_VRS = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UC", b"UR", b"UT", b"SV", b"UV"})


class Tags:
    """Values of a data set by keyword; what is absent, empty or malformed reads as empty."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def value(self, keyword: str) -> Any:
        """The value as pydicom converts it, or None."""
        try:
            return self.dataset[keyword].value
        except Exception:
            return None  # pydicom raises many kinds for malformed values; such a value says nothing

    def has(self, keyword: str) -> bool:
        """Whether the element is there with a value."""
        return self.value(keyword) not in (None, "", b"")

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Printable parts of a text value, stripped."""
        value = self.value(keyword)
        parts = [value] if isinstance(value, str) else value if _is_multiple(value) else []
        return tuple("".join(filter(str.isprintable, str(part))).strip() for part in parts)

    def text(self, keyword: str) -> str:
        """First part of a text value, or an empty string."""
        return next(iter(self.texts(keyword)), "")

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Finite numbers of a value; empty when one of them is not."""
        value = self.value(keyword)
        parts = value if _is_multiple(value) else [] if value is None else [value]
        try:
            numbers = tuple(float(part) for part in parts)
        except (TypeError, ValueError):
            return ()
        return numbers if all(map(math.isfinite, numbers)) else ()

    def number(self, keyword: str) -> float | None:
        """First number of a value."""
        return next(iter(self.numbers(keyword)), None)

    def integer(self, keyword: str, default: int = 0) -> int:
        """First number of a value as an integer, or `default`."""
        number = self.number(keyword)
        return default if number is None else int(number)

    def label(self) -> bytes:
        """The label of a standard image, where this library wrote one."""
        try:
            creator, value = (self.dataset[tag].value for tag in (LABEL_CREATOR, LABEL))
        except Exception:
            return b""  # as for `value`
        if _to_bytes(creator).strip() != b"CEPHSTD":
            return b""
        return _to_bytes(value).strip(b" \0")

    def items(self, keyword: str) -> tuple[Tags, ...]:
        """Items of a sequence."""
        value = self.value(keyword)
        if not _is_multiple(value):
            return ()
        return tuple(Tags(item) for item in value if isinstance(item, Dataset))


def _to_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def _is_multiple(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes))


@dataclass(frozen=True, slots=True)
class Meta:
    """File meta information: where the data set begins, its transfer syntax and class; empty when not stated."""

    end: int
    transfer_syntax: str = ""
    sop_class: str = ""


def read_meta(data: bytes) -> Meta:
    """Walk the file meta group (always explicit little-endian), with or without the preamble."""
    at = 132 if data.startswith(b"DICM", 128) else 0
    found: dict[int, str] = {}
    while at + 8 <= len(data):
        group, element, vr, length = struct.unpack_from("<HH2sH", data, at)
        if group != 2 or not (vr.isalpha() and vr.isupper()):
            break
        value = at + 8
        if vr in _LONG_VRS:
            if value + 4 > len(data):
                break
            (length,) = struct.unpack_from("<I", data, value)
            value += 4
        if vr == b"UI":
            found[element] = data[value : value + length].rstrip(b"\0 ").decode("ascii", "replace")
        at = value + length
    return Meta(min(at, len(data)), found.get(0x0010, ""), found.get(0x0002, ""))


def inflate(data: bytes, meta: Meta, budget: Budget) -> bytes:
    """The same file with its deflated data set inflated.

    The stream is first unfolded piece by piece without keeping anything, up to what its own header says that an image
    needs, or to the budget where it says nothing; only a data set that ends before that is unfolded in memory.

    Raises
    ------
    BudgetExceededError
        When the data set would unfold to more bytes.
    CorruptImageError
        When the deflated stream is damaged or cut off.
    """
    stream = data[meta.end :]
    try:
        head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream, _PIECE)
        limit = min(_needed_bytes(head, budget), budget.max_decoded_bytes)
        unpacker, rest, count = zlib.decompressobj(-zlib.MAX_WBITS), stream, 0
        while rest and not unpacker.eof:
            count += len(unpacker.decompress(rest, _PIECE))
            rest = unpacker.unconsumed_tail
            if count > limit:
                raise BudgetExceededError(
                    f"Expected at most {limit / MEBIBYTE:.4g} MiB, the deflated data set unfolds to more.",
                    hint=RAISE_BUDGET,
                )
        if not unpacker.eof:
            raise CorruptImageError("Expected a whole deflated data set, found its end missing: it is truncated.")
        unfolded = zlib.decompress(stream, -zlib.MAX_WBITS, count)
    except zlib.error as error:
        raise CorruptImageError("The deflated DICOM data set is damaged.") from error
    return _explicit_head() + unfolded


def _needed_bytes(head: bytes, budget: Budget) -> int:
    """Bytes that the image stated in the first piece of a data set needs, with room for all other elements."""
    try:
        tags = read_tags(_explicit_head() + head, budget)
    except CorruptImageError:
        return budget.max_decoded_bytes
    sides = (tags.integer("Rows"), tags.integer("Columns"), tags.integer("BitsAllocated"))
    if not all(sides):
        return budget.max_decoded_bytes
    samples = tags.integer("SamplesPerPixel", 1) * max(1, tags.integer("NumberOfFrames", 1))
    return math.prod(sides) * samples // 8 + _OTHER_ELEMENTS


def _explicit_head() -> bytes:
    """Preamble and meta information of an Explicit VR Little Endian file."""
    syntax = EXPLICIT_LITTLE.encode() + b"\0"
    element = struct.pack("<HH2sH", 2, 0x0010, b"UI", len(syntax)) + syntax
    return _PREAMBLE + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(element)) + element


def read_tags(data: bytes, budget: Budget) -> Tags:
    """Parse the data set, keeping only `TAGS`.

    Raises
    ------
    BudgetExceededError
        When it has more elements than the budget has members.
    CorruptImageError
        When it cannot be parsed.
    """
    try:
        dataset = read_partial(BytesIO(data), stop_when=_counter(budget), force=True, specific_tags=list(TAGS))
    except BudgetExceededError:
        raise
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise CorruptImageError("The DICOM data set cannot be parsed: the file is damaged.") from error
    return Tags(dataset)


def _counter(budget: Budget) -> Callable[[Any, Any, int], bool]:
    left = budget.max_members

    def count(tag: Any, vr: Any, length: int) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise BudgetExceededError(
                f"Expected at most {budget.max_members:,} DICOM elements, found more.", hint=RAISE_BUDGET
            )
        return False

    return count


def bare_syntax(dataset: Any) -> str:
    """Transfer syntax of a data set without meta information, as the parser found it."""
    implicit, little = dataset.original_encoding
    if implicit:
        return IMPLICIT_LITTLE
    return EXPLICIT_LITTLE if little else EXPLICIT_BIG
