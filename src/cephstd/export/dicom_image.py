"""DICOM images from films: a scanned film as a Secondary Capture, with what a person states about it."""

from __future__ import annotations

import io
import re
import uuid
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import RE_VALID_UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pydicom.valuerep import DSfloat

from cephstd.core.digest import digest_value
from cephstd.core.image import Calibration, Radiograph
from cephstd.errors import ExportError, InputError
from cephstd.io.dicom_facts import DATE_STATED

LIBRARY = "cephstd"
MODIFIED = ("109103", "DCM", "Modifying Equipment")

_NAMESPACE = uuid.UUID("6b1b4c86-3a0a-5b8e-9d0e-2d2f6f4f6c6e")
_LONG, _TEXT = 64, 200

ScalePlane = Literal["film", "head", "ruler"]
Origin = Literal["film", "export"]
Facing = Literal["right", "left"]

# basis of a scale: how DICOM says it (PS3.3 10.7). No type: the receptor's own spacing, nothing corrected.
CALIBRATION_TYPES = {
    "fiducial": "FIDUCIAL",
    "user_ruler": "FIDUCIAL",
    "geometry": "GEOMETRY",
    "ermf_applied": "GEOMETRY",
    "detector_plane": "",
    "scanned_nominal": "",
}
PLANES = {"film": "", "head": "GEOMETRY", "ruler": "FIDUCIAL"}
# where a film came from: Conversion Type, Modality
ORIGINS = {"film": ("DF", "RG"), "export": ("WSD", "OT")}
ORIENTATIONS = {"right": ["A", "F"], "left": ["P", "F"], None: []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What a person states about the patient of a film; nothing is ever taken from the film's file.

    Attributes
    ----------
    id, name : str
        Patient ID, and name in DICOM's form ``Family^Given``.
    birth_date : date or None
    sex : {"", "F", "M", "O"}
    """

    id: str = ""
    name: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDate:
    """The day on which a film was taken, as a person states it, and what that rests on.

    Attributes
    ----------
    day : date
    source : str
        E.g. ``"written on the film's envelope"``; at most 200 characters.
    """

    day: date
    source: str


NOBODY = Patient()


def wrap_film(
    film: Radiograph,
    *,
    acquired: StatedDate | None = None,
    patient: Patient = NOBODY,
    origin: Origin = "film",
    scale_plane: ScalePlane = "film",
    facing: Facing | None = None,
    study_uid: str | None = None,
) -> Dataset:
    """Make a DICOM Secondary Capture of a film that came as JPEG, PNG, TIFF, BMP or an array.

    Parameters
    ----------
    film : Radiograph
        As `cephstd.read` gives it, with ``calibration=`` for a scale that a person states.
    acquired : StatedDate, optional
        When the film was taken. Without it the object has no acquisition date: a file's own times are never one.
    patient : Patient, optional
        Written as given; default: all of it empty.
    origin : {"film", "export"}
        A digitized film, or a picture that a workstation exported.
    scale_plane : {"film", "head", "ruler"}
        Where a scale that a person stated in mm per px holds: on the film itself, so that magnification is not
        corrected (Nominal Scanned Pixel Spacing); in the head (Pixel Spacing, GEOMETRY); or at a ruler in the film
        (Pixel Spacing, FIDUCIAL). A scale with a basis of its own is written by that.
    facing : {"right", "left"}, optional
        Where the face looks, with the head upright; written as Patient Orientation.
    study_uid : str, optional
        Study to put the film in; default: one of its own.

    Returns
    -------
    pydicom.dataset.Dataset
        With file meta information, samples as they were read, uncompressed. Its UIDs are of root 2.25 and derived
        from the hash of the film's file (and, for the instance, from everything that is stated): the same film with
        the same statements gives the same object.

    Raises
    ------
    InputError
        When the film came from a DICOM file already, or a statement is empty, too long or malformed.

    Notes
    -----
    Who stated date and scale stands in Contributing Equipment Sequence (0018,A001), Contribution Description. An
    untrusted resolution of the file is not written as a scale. Modules: PS3.3 A.8.1 (Secondary Capture Image IOD).

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.core.image import state_calibration
    >>> from cephstd.io.reader import read
    >>> film = read(np.zeros((300, 240), dtype=np.uint8), calibration=state_calibration(0.1))
    >>> stated = StatedDate(day=date(2019, 3, 4), source="written on the film")
    >>> made = wrap_film(film, acquired=stated, scale_plane="head")
    >>> made.AcquisitionDate, [float(value) for value in made.PixelSpacing]
    ('20190304', [0.1, 0.1])
    """
    if film.source.format == "dicom":
        raise InputError(
            "Expected a film that is no DICOM object yet, found one.", hint="Use the file as it is, or 'normalize' it."
        )
    statements = {
        "date": [acquired.day.isoformat(), acquired.source] if acquired else [],
        "patient": {name: str(value) for name, value in asdict(patient).items()},
        "choices": [origin, scale_plane, facing or "", study_uid or ""],
        "calibration": film.calibration,
    }
    if study_uid is not None and not (len(study_uid) <= _LONG and re.fullmatch(RE_VALID_UID, study_uid)):
        raise InputError(f"Expected a DICOM UID as study_uid, found {study_uid!r:.70}.")
    name = film.source.file_sha256 or film.source.pixel_sha256
    dataset = _start_object(name, digest_value(statements), study_uid)
    _write_patient(dataset, patient)
    _write_capture(dataset, film, origin, facing)
    scale_note = write_scale(dataset, film.calibration, plane=scale_plane)
    contributions = [contribute(MODIFIED, f"Wrapped from a {film.source.format} film, {name}. {scale_note}".strip())]
    if acquired is not None:
        source = _check_text(acquired.source, "the source of the acquisition date", _TEXT)
        # the study of a single film began when the film was taken
        dataset.StudyDate = dataset.AcquisitionDate = acquired.day.strftime("%Y%m%d")
        contributions.append(contribute(DATE_STATED, f"{DATE_STATED[2]}: {source}"))
    dataset.ContributingEquipmentSequence = contributions
    write_pixels(dataset, film.pixels, dark=film.inverted)
    return dataset


def make_uid(*parts: str) -> str:
    """A DICOM UID of root 2.25 that the same parts always give (a name-based UUID as one number, PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}"


def encode_dicom(dataset: Dataset) -> bytes:
    """Bytes of a DICOM file (PS3.10) of `dataset`.

    Raises
    ------
    ExportError
        When a value cannot be written.
    """
    out = io.BytesIO()
    try:
        dataset.save_as(out, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ExportError(f"The object cannot be written as DICOM: {error}.") from error
    return out.getvalue()


def write_pixels(dataset: Dataset, pixels: np.ndarray[Any, Any], *, dark: bool) -> None:
    """Set Image Pixel Module attributes from grey samples; `dark`: high samples are dark (MONOCHROME1)."""
    bits = pixels.dtype.itemsize * 8
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if dark else "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = 0
    data = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<")).tobytes()
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", data + b"\0" * (len(data) % 2))


def write_scale(dataset: Dataset, calibration: Calibration, *, plane: ScalePlane = "film") -> str:
    """Set the spacing attributes that say `calibration`, and give a sentence on it; nothing without millimetres."""
    spacing = calibration.spacing_mm
    if spacing is None:
        return ""
    kind = PLANES[plane] if calibration.basis == "user_stated" else CALIBRATION_TYPES[calibration.basis]
    pair = [DSfloat(value, auto_format=True) for value in spacing]
    said = f"Scale {spacing[0]:.6g} x {spacing[1]:.6g} mm per px ({calibration.basis}): "
    said += f"{'; '.join(calibration.sources) or 'no source given'}."
    if kind:
        dataset.PixelSpacing = pair
        dataset.PixelSpacingCalibrationType = kind
        dataset.PixelSpacingCalibrationDescription = f"{calibration.basis}: {'; '.join(calibration.sources)}"[:_LONG]
    else:
        dataset.NominalScannedPixelSpacing = pair
    return said


def contribute(purpose: tuple[str, str, str], description: str) -> Dataset:
    """Item of Contributing Equipment Sequence (0018,A001) that says what this library did, and to what end."""
    from cephstd import __version__

    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [make_code(*purpose)]
    item.Manufacturer = LIBRARY
    item.ManufacturerModelName = LIBRARY
    item.SoftwareVersions = __version__
    item.ContributionDescription = description[:1024]
    return item


def make_code(value: str, scheme: str, meaning: str) -> Dataset:
    """Item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def start_file(dataset: Dataset, sop_class: str, instance_uid: str) -> None:
    """Set class, instance, character set and the file meta information of `dataset`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance_uid


def _start_object(name: str, statements: str, study_uid: str | None) -> Dataset:
    dataset = Dataset()
    start_file(dataset, str(SecondaryCaptureImageStorage), make_uid("wrapped", name, statements))
    dataset.StudyInstanceUID = study_uid or make_uid("study", name)
    dataset.SeriesInstanceUID = make_uid("series", name, study_uid or "")
    dataset.StudyDate = dataset.StudyTime = dataset.StudyID = ""
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    return dataset


def _write_patient(dataset: Dataset, patient: Patient) -> None:
    if patient.sex not in ("", "F", "M", "O"):
        raise InputError(f"Expected sex F, M or O, found {patient.sex!r}.")
    dataset.PatientID = _check_text(patient.id, "the patient ID", _LONG, empty=True)
    dataset.PatientName = _check_text(patient.name, "the patient's name", _LONG, empty=True)
    dataset.PatientBirthDate = patient.birth_date.strftime("%Y%m%d") if patient.birth_date else ""
    dataset.PatientSex = patient.sex


def _write_capture(dataset: Dataset, film: Radiograph, origin: Origin, facing: Facing | None) -> None:
    from cephstd import __version__

    dataset.ConversionType, dataset.Modality = ORIGINS[origin]
    dataset.SecondaryCaptureDeviceManufacturer = LIBRARY
    dataset.SecondaryCaptureDeviceManufacturerModelName = LIBRARY
    dataset.SecondaryCaptureDeviceSoftwareVersions = __version__
    dataset.SeriesDescription = "Lateral cephalogram"
    dataset.BodyPartExamined = "SKULL"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.PatientOrientation = ORIENTATIONS[facing]
    dataset.ImageType = ["ORIGINAL" if origin == "film" else "DERIVED", "SECONDARY"]
    # No Burned In Annotation: nobody has said whether there is one.
    if film.source.format == "jpeg" and film.source.facts.get("lossy") == "yes":
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = DSfloat(round(film.pixels.nbytes / film.source.byte_count, 2))
        dataset.LossyImageCompressionMethod = "ISO_10918_1"


def _check_text(text: str, what: str, longest: int, *, empty: bool = False) -> str:
    clean = " ".join(text.split())
    if not clean and not empty:
        raise InputError(f"Expected {what}, found nothing.", hint="Say what the statement rests on.")
    if len(clean) > longest or "\\" in clean:
        raise InputError(f"Expected {what} in at most {longest} characters without a backslash, found {len(clean)}.")
    return clean
