"""Small films in every format, built by the tests that read them."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

STORAGE = "1.2.840.10008.5.1.4.1.1."
CR, DX, DX_RAW, SC = STORAGE + "1", STORAGE + "1.1", STORAGE + "1.1.1", STORAGE + "7"


def grey_ramp(height: int = 24, width: int = 32, *, top: int = 255, dtype: Any = np.uint8) -> np.ndarray:
    """A picture with many levels and no symmetry, so that a turn, a flip or a swap shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    return ((rows * 3 + columns * 5 + (rows * columns) // 7) * top // (8 * (height + width)) % (top + 1)).astype(dtype)


def encode(suffix: str, pixels: np.ndarray) -> bytes:
    """File bytes of a picture, by OpenCV."""
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    width: int, height: int, *extra: bytes, bits: int = 8, colour: int = 0, rows: bytes | None = None
) -> bytes:
    """A PNG file with any header; without `rows` its samples are a few zeros."""
    body = zlib.compress(bytes(16) if rows is None else rows)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = (png_chunk(b"IHDR", head), *extra, png_chunk(b"IDAT", body), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff_file(
    pixels: np.ndarray, tags: dict[int, tuple[int, Any]] | None = None, *, order: str = "<", big: bool = False
) -> bytes:
    """An uncompressed grey TIFF of one strip; `tags` adds or replaces (tag: (type, value)), None removes."""
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    head_bytes = 16 if big else 8
    height, width = pixels.shape
    entries: dict[int, tuple[int, Any]] = {
        256: (4, width), 257: (4, height), 258: (3, 8 * pixels.itemsize), 259: (3, 1), 262: (3, 1),
        273: (4, head_bytes), 277: (3, 1), 278: (4, height), 279: (4, len(body)),
    }  # fmt: skip
    entries |= tags or {}
    entries = {tag: entry for tag, entry in entries.items() if entry is not None}
    offset_form, count_form = ("Q", "Q") if big else ("I", "H")
    start = head_bytes + len(body)
    size = 20 if big else 12
    extra_at = start + struct.calcsize(count_form) + size * len(entries) + struct.calcsize(offset_form)
    directory, extra = struct.pack(order + count_form, len(entries)), b""
    for tag, (kind, value) in sorted(entries.items()):
        values = value if isinstance(value, tuple) else (value,)
        letter, per = {1: ("B", 1), 3: ("H", 1), 4: ("I", 1), 5: ("I", 2), 11: ("f", 1)}[kind]
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(packed) > struct.calcsize(offset_form):
            place = struct.pack(order + offset_form, extra_at + len(extra))
            extra += packed
        else:
            place = packed.ljust(struct.calcsize(offset_form), b"\0")
        directory += struct.pack(f"{order}HH{offset_form}", tag, kind, len(values) // per) + place
    directory += struct.pack(order + offset_form, 0)
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, start) if big else struct.pack(order + "HI", 42, start))
    return head + body + directory + extra


def dicom_set(pixels: np.ndarray | None = None, *, sop_class: str = DX, **tags: Any) -> Dataset:
    """A data set for one film; `tags` sets keywords, None removes them."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if pixels is not None:
        signed = pixels.dtype.kind == "i"
        bits = 8 * pixels.itemsize
        dataset.Rows, dataset.Columns = pixels.shape[:2]
        dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else pixels.shape[2]
        dataset.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
        if pixels.ndim == 3:
            dataset.PlanarConfiguration = 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation = int(signed)
        dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in tags.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def dicom_bytes(dataset: Dataset, syntax: str = ExplicitVRLittleEndian, *, frame: bytes | None = None) -> bytes:
    """Part 10 file of a data set; `frame` is put in as the one compressed frame."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", SC)
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = syntax
    if frame is not None:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    if syntax == ExplicitVRBigEndian and dataset.get("BitsAllocated") == 16:
        words = np.frombuffer(dataset.PixelData, "<u2")
        dataset.PixelData = words.astype(">u2").tobytes()
    file = BytesIO()
    # pydicom asks for the encoding of a syntax that it does not know.
    encoding = {"implicit_vr": False, "little_endian": True} if UID(syntax).is_private else {}
    dataset.save_as(file, enforce_file_format=True, **encoding)
    return file.getvalue()


def dicom_film(pixels: np.ndarray | None = None, *, syntax: str = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    """Bytes of a DICOM film, by default a Digital X-Ray of the grey ramp."""
    return dicom_bytes(dicom_set(grey_ramp() if pixels is None else pixels, **tags), syntax)
