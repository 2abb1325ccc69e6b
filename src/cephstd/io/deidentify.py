"""A film without its person: the Basic Profile on a DICOM file, samples alone of any other picture.

The film is always written anew, its samples uncompressed: what a stream, a preamble or unused bits may carry beside the
picture is gone. Whether words burnt into the picture are gone is a judgement that the caller brings along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cephstd import __version__
from cephstd.core.arrays import Pixels
from cephstd.core.digest import check_key, pseudonym
from cephstd.core.recipe import Budget
from cephstd.errors import CorruptImageError
from cephstd.io.confidentiality import clean_elements, new_uid
from cephstd.io.dicom import Stored, show_samples, silence_pydicom, unpack_dicom
from cephstd.io.dicom_facts import read_person
from cephstd.io.dicom_file import EXPLICIT_BIG
from cephstd.knowledge.presets import Preset

PixelState = Literal["clean", "unsure"]

BASIC = ("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
REMOVED = "removed"
_LOSSY = ("4.50", "4.51", "4.81", "4.91", "4.203")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelJudgement:
    """What was found of burnt-in text, and the mask for it.

    Attributes
    ----------
    state : {"clean", "unsure"}
        ``clean`` only where no doubt is left.
    masked : int
        Rows of text that `mask` covers.
    reasons : tuple of str
        Why it is unsure.
    mask : callable
        Takes samples of shape (height, width) or (height, width, channels), gives a copy with the text covered.
    """

    state: PixelState
    masked: int
    reasons: tuple[str, ...]
    mask: Callable[[Pixels], Pixels]


Judge = Callable[[Pixels, str], PixelJudgement]
"""Takes grey samples as shown and what the file says of burnt-in text: ``YES``, ``NO``, ``detector`` (it says nothing
and comes from a digital detector) or an empty string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanFilm:
    """A de-identified film.

    Attributes
    ----------
    data : bytes
        DICOM file.
    judgement : PixelJudgement
    options : tuple of str
        Codes of CID 7050 that the file claims.
    """

    data: bytes
    judgement: PixelJudgement
    options: tuple[str, ...]


def deidentify_dicom(data: bytes, *, preset: Preset, key: bytes, judge: Judge, budget: Budget) -> CleanFilm:
    """De-identify a DICOM film by the Basic Profile and a preset's options.

    Parameters
    ----------
    data : bytes
        The file.
    preset : Preset
    key : bytes
        At least 16 bytes; unique ids and the patient's id become keyed pseudonyms, the same in all films under one key.
    judge : callable
        Finds burnt-in text.
    budget : Budget

    Returns
    -------
    CleanFilm
        Explicit VR Little Endian. The option of clean pixels is claimed, and (0028,0301) is ``NO``, only where the
        judgement is ``clean``; else (0028,0301) is ``YES``.

    Raises
    ------
    UnsupportedFormatError, NotACephalogramError, BudgetExceededError, CorruptImageError
        As reading the film does: what is no film is not passed on.
    InputError
        When the key is too short.
    """
    check_key(key)
    with silence_pydicom():
        stored = unpack_dicom(data, budget)
        try:
            dataset = pydicom.dcmread(BytesIO(stored.data), force=True)
            dataset.decode()
        except Exception as error:  # pydicom raises whatever its parser stumbles over
            raise CorruptImageError("The DICOM data set cannot be read in full: the file is damaged.") from error
        judgement = judge(show_samples(stored).pixels, _state_text(stored))
        return _rewrite(dataset, stored, judgement, preset, key)


def _rewrite(dataset: Dataset, stored: Stored, judgement: PixelJudgement, preset: Preset, key: bytes) -> CleanFilm:
    person = _text(dataset, "IssuerOfPatientID"), _text(dataset, "PatientID")
    age_years, _ = read_person(stored.tags)
    try:
        clean_elements(dataset, preset, key)
        _write_person(dataset, person, age_years, key)
        _write_samples(dataset, stored, judgement)
        codes = (BASIC, *((option.code, option.meaning) for option in preset.option))
        if judgement.state == "clean":
            codes = (*codes[:1], CLEAN_PIXELS, *codes[1:])
        _write_statements(dataset, judgement, preset, codes)
        written = _encode(dataset, stored, key)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise CorruptImageError("The DICOM data set holds values that cannot be written again.") from error
    return CleanFilm(data=written, judgement=judgement, options=tuple(code for code, _ in codes))


def _state_text(stored: Stored) -> str:
    stated = stored.tags.text("BurnedInAnnotation").upper()
    if stated in ("YES", "NO"):
        return stated
    return "detector" if stored.kind.family == "projection" else ""


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _write_person(dataset: Dataset, person: tuple[str, str], age_years: float | None, key: bytes) -> None:
    dataset.PatientName = ""
    dataset.PatientID = pseudonym(key, "person " + "|".join(person)) if person[1] else ""
    dataset.PatientBirthDate = ""
    if age_years is not None and not _text(dataset, "PatientAge"):
        dataset.PatientAge = f"{int(age_years):03d}Y"


def _write_samples(dataset: Dataset, stored: Stored, judgement: PixelJudgement) -> None:
    layout = stored.layout
    samples = stored.samples
    if layout.is_grey and layout.signed:
        spare = 8 * samples.dtype.itemsize - layout.stored
        # Shifted up and down again, the sign fills the unused bits.
        samples = (samples << spare).view(np.dtype(f"i{samples.dtype.itemsize}")) >> spare
    samples = judgement.mask(samples)
    bits = 8 * samples.dtype.itemsize
    dataset.Rows, dataset.Columns = samples.shape[:2]
    dataset.BitsAllocated = bits
    dataset.BitsStored = layout.stored if layout.is_grey else bits
    dataset.HighBit = dataset.BitsStored - 1
    if not layout.is_grey:
        dataset.PhotometricInterpretation = "RGB"
        dataset.SamplesPerPixel, dataset.PlanarConfiguration, dataset.PixelRepresentation = 3, 0, 0
        for colour in ("Red", "Green", "Blue"):
            for part in ("Descriptor", "Data"):
                dataset.pop(f"{colour}PaletteColorLookupTable{part}", None)
    if any(stored.syntax == f"1.2.840.10008.1.2.{lossy}" for lossy in _LOSSY):
        dataset.LossyImageCompression = "01"
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        dataset.pop(keyword, None)
    body = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = body + b"\0" * (len(body) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    dataset["PixelData"].is_undefined_length = False
    if _text(dataset, "PixelSpacingCalibrationType"):
        dataset.PixelSpacingCalibrationDescription = REMOVED


def _write_statements(
    dataset: Dataset, judgement: PixelJudgement, preset: Preset, codes: tuple[tuple[str, str], ...]
) -> None:
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [
        f"cephstd {__version__}, preset {preset.id} {preset.version}",
        f"DICOM PS3.15 {preset.table} Annex E Basic Profile with options",
    ]
    dataset.DeidentificationMethodCodeSequence = [_code(*code) for code in codes]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    dataset.BurnedInAnnotation = "NO" if judgement.state == "clean" else "YES"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _encode(dataset: Dataset, stored: Stored, key: bytes) -> bytes:
    sop_class = _text(dataset, "SOPClassUID") or str(stored.tags.dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if stored.syntax == EXPLICIT_BIG:
        dataset.walk(_swap_words)
    fresh = Dataset()
    # Into a data set of this encoding: the old one remembers how it was written, and its meta information.
    fresh.update({element.tag: element for element in dataset if element.tag.group > 0x0002})
    fresh.SOPClassUID = sop_class
    if not _text(fresh, "SOPInstanceUID"):
        fresh.SOPInstanceUID = new_uid(key, f"film {pseudonym(key, stored.data.hex())}")
    fresh.file_meta = FileMetaDataset()
    fresh.file_meta.MediaStorageSOPClassUID = sop_class
    fresh.file_meta.MediaStorageSOPInstanceUID = fresh.SOPInstanceUID
    fresh.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = BytesIO()
    pydicom.dcmwrite(out, fresh, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return out.getvalue()


def _swap_words(_: Dataset, element: DataElement) -> None:
    """Tables of words keep the byte order of their file when pydicom reads them; the samples are ours already."""
    if element.VR == "OW" and element.keyword != "PixelData" and isinstance(element.value, bytes):
        element.value = np.frombuffer(element.value, dtype=">u2").astype("<u2").tobytes()
