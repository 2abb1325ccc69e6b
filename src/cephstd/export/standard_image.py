"""Standard images as files: a derived DICOM image, TIFF or PNG, each with a label by which it is known again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from cephstd.core.image import Normalized
from cephstd.core.standard import encode_label, label_image, standard_scale
from cephstd.core.steps import AnyStep, Crop, FlipX, Invert, Resize, Tone, Turn, Window
from cephstd.errors import InputError
from cephstd.export.dicom_image import (
    contribute,
    encode_dicom,
    make_code,
    make_uid,
    start_file,
    write_pixels,
    write_scale,
)
from cephstd.export.dicom_source import MUST_BE_THERE, PATIENT_AND_STUDY, read_header
from cephstd.io.dicom_file import LABEL, LABEL_CREATOR
from cephstd.io.header import PNG_LABEL
from cephstd.io.raster import encode_png
from cephstd.io.tiff import TIFF_LABEL

PROCESSED = ("109102", "DCM", "Processing Equipment")
RESAMPLED = ("113085", "DCM", "Spatial resampling")
TONED = ("TONE", "99CEPHSTD", "Standard tone")
SOURCE_PURPOSE = ("121322", "DCM", "Source image for image processing operation")
MM_PER_M, MM_PER_CM = 1000.0, 10.0
_RESOLUTION_STEPS = 1_000_000
_MAX_DERIVATION = 1024


def encode_standard(normal: Normalized, suffix: str, *, source: bytes | None = None) -> bytes:
    """File of a standard image.

    Parameters
    ----------
    normal : Normalized
    suffix : str
        ``.dcm``, ``.tif``, ``.tiff`` or ``.png``.
    source : bytes, optional
        The film's DICOM file, which a derived DICOM image takes patient, study and reference from.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        When the suffix is another.
    ExportError
        When the object cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.imaging.phantom import draw_phantom
    >>> from cephstd.io.reader import read
    >>> from cephstd.imaging.normalizer import standardize
    >>> drawn = draw_phantom(np.random.default_rng(1), size=(484, 600), spacing_mm=0.4)
    >>> normal = standardize(read(drawn.pixels))
    >>> again = standardize(read(encode_standard(normal, ".png")))
    >>> bool(np.array_equal(again.pixels, normal.pixels)), again.chain.steps
    (True, ())
    """
    kind = suffix.lower()
    if kind == ".dcm":
        return encode_dicom(derive_dicom(normal, source=source))
    if kind in (".tif", ".tiff"):
        return _encode_tiff(normal)
    if kind == ".png":
        return _encode_labelled_png(normal)
    raise InputError(f"Expected a file called .dcm, .tif or .png, found {Path(suffix).name!r:.40}.")


def derive_dicom(normal: Normalized, *, source: bytes | None = None) -> Dataset:
    """A standard image as a derived DICOM Secondary Capture, 16 bit, face right, bone bright.

    Parameters
    ----------
    normal : Normalized
    source : bytes, optional
        The film's DICOM file: its patient, study and body part are taken over and it is referred to. Without one the
        patient is empty and the study is the one that `cephstd.export.dicom_image.wrap_film` gives the film.

    Returns
    -------
    pydicom.dataset.Dataset

    Raises
    ------
    ExportError
        When the header of `source` cannot be read.
    """
    label = encode_label(label_image(normal))
    name = normal.source.file_sha256 or normal.source.pixel_sha256
    dataset = Dataset()
    start_file(dataset, str(SecondaryCaptureImageStorage), make_uid("standard", name, label.decode()))
    _take_patient(dataset, source, name, frame=normal.source.frame)
    dataset.ConversionType = "WSD"
    dataset.SecondaryCaptureDeviceManufacturer = dataset.SecondaryCaptureDeviceManufacturerModelName = "cephstd"
    dataset.SeriesInstanceUID = make_uid("standard series", name)
    dataset.SeriesDescription = "Standard lateral cephalogram"
    dataset.BodyPartExamined = "SKULL"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.PatientOrientation = ["A", "F"]
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.DerivationDescription = describe_derivation(normal)[:_MAX_DERIVATION]
    kinds = {type(step) for step in normal.chain.steps}
    codes = [
        make_code(*code)
        for code, found in ((RESAMPLED, Resize in kinds), (TONED, bool({Window, Tone} & kinds)))
        if found
    ]
    if codes:
        dataset.DerivationCodeSequence = codes
    note = write_scale(dataset, standard_scale(normal), plane="head")
    dataset.ContributingEquipmentSequence = [contribute(PROCESSED, f"Standard image of {name}. {note}".strip())]
    write_pixels(dataset, normal.pixels, dark=False)
    dataset.add_new(LABEL_CREATOR, "LO", "CEPHSTD")
    dataset.add_new(LABEL, "UT", label.decode())
    return dataset


def describe_derivation(normal: Normalized) -> str:
    """The steps of a standard image in words, in order."""
    scale = f"{normal.spacing_mm:.6g} mm per px" if normal.spacing_mm else standard_scale(normal).note.rstrip(".")
    words = ", ".join(_describe(step) for step in normal.chain.steps) or "no change"
    return f"Standard image of a lateral cephalogram: {words}; face right, bone bright, 16 bit, {scale}."


def _describe(step: AnyStep) -> str:
    return _WORDS[type(step)](step) if type(step) in _WORDS else type(step).__name__.lower()


_WORDS: dict[type, Callable[[Any], str]] = {
    FlipX: lambda step: "mirrored",
    Turn: lambda step: f"turned by {90 * (step.quarters % 4)} degrees anticlockwise",
    Crop: lambda step: f"cut to {step.width} x {step.height} px at ({step.left}, {step.top})",
    Resize: lambda step: f"resampled to {step.width} x {step.height} px",
    Invert: lambda step: "inverted",
    Window: lambda step: f"window {step.low:.6g} to {step.high:.6g} ({step.method})",
    Tone: lambda step: f"grey scale bent by odds of {step.odds:.4g} ({step.method})",
}


def _take_patient(dataset: Dataset, source: bytes | None, name: str, *, frame: int | None) -> None:
    image = Dataset() if source is None else read_header(source)
    for keyword in PATIENT_AND_STUDY:
        if keyword in image:
            dataset[keyword] = image[keyword]
    for keyword in MUST_BE_THERE:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    if not dataset.get("StudyInstanceUID"):
        dataset.StudyInstanceUID = make_uid("study", name)
    dataset.Modality = str(image.get("Modality") or "OT")
    if source is None:
        return
    for keyword in ("AcquisitionDate", "LossyImageCompression", "LossyImageCompressionRatio"):
        if keyword in image:
            dataset[keyword] = image[keyword]
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    item.PurposeOfReferenceCodeSequence = [make_code(*SOURCE_PURPOSE)]
    dataset.SourceImageSequence = [item]


def _encode_labelled_png(normal: Normalized) -> bytes:
    """OpenCV's PNG with resolution and label between its header and its samples."""
    data = encode_png(normal.pixels)
    head = 8 + 12 + 13
    chunks = [_chunk(b"iTXt", PNG_LABEL + encode_label(label_image(normal)))]
    if normal.spacing_mm:
        per_m = round(MM_PER_M / normal.spacing_mm)
        chunks.insert(0, _chunk(b"pHYs", struct.pack(">IIB", per_m, per_m, 1)))
    return data[:head] + b"".join(chunks) + data[head:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _encode_tiff(normal: Normalized) -> bytes:
    """Uncompressed little-endian TIFF of one strip: readable by anything, and by eye in a hex dump."""
    pixels = normal.pixels
    height, width = pixels.shape
    body = pixels.astype("<u2").tobytes()
    words = describe_derivation(normal).encode("ascii", "replace") + b"\0"
    label = encode_label(label_image(normal))
    # tag: (type, count, value or bytes that stand elsewhere); types 1 BYTE, 2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL
    entries: dict[int, tuple[int, int, int | bytes]] = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, 16),
        259: (3, 1, 1),
        262: (3, 1, 1),
        270: (2, len(words), words),
        273: (4, 1, 8),
        277: (3, 1, 1),
        278: (4, 1, height),
        279: (4, 1, len(body)),
        TIFF_LABEL: (1, len(label), label),
    }
    if normal.spacing_mm:
        per_cm = struct.pack("<II", round(_RESOLUTION_STEPS * MM_PER_CM / normal.spacing_mm), _RESOLUTION_STEPS)
        entries |= {282: (5, 1, per_cm), 283: (5, 1, per_cm), 296: (3, 1, 3)}
    start = 8 + len(body)
    after = start + 2 + 12 * len(entries) + 4
    directory, elsewhere = struct.pack("<H", len(entries)), b""
    for tag, (kind, count, value) in sorted(entries.items()):
        if isinstance(value, bytes):
            place = after + len(elsewhere)
            elsewhere += value + b"\0" * (len(value) % 2)
        else:
            place = value
        directory += struct.pack("<HHII", tag, kind, count, place)
    return struct.pack("<2sHI", b"II", 42, start) + body + directory + struct.pack("<I", 0) + elsewhere
