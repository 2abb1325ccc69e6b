"""The film that an exported record refers to: its DICOM header, or the Secondary Capture that wraps it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from cephstd.audit.verifier import verify
from cephstd.core.record import Record
from cephstd.errors import ExportError, InputError
from cephstd.export.dicom_image import encode_dicom, make_uid, wrap_film
from cephstd.io.reader import read

PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""All that is taken over from the film's file about the patient and the study."""

MUST_BE_THERE = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Empty where the file lacks them (type 2 in PS3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """The image that coordinates refer to.

    Attributes
    ----------
    study_uid, series_uid, instance_uid, class_uid : str
    facts : Dataset
        Attributes of patient and study, as `PATIENT_AND_STUDY` lists them.
    institution : str
        Institution Name; empty when the file has none.
    wrapped : bytes or None
        The Secondary Capture (DICOM file) that was made of a film that is none; None for a DICOM source.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    facts: Dataset
    institution: str
    wrapped: bytes | None


def read_source(record: Record, source: str | Path | bytes) -> SourceImage:
    """The image of a record's film.

    Parameters
    ----------
    record : Record
    source : path or bytes
        The film's file; its hash is compared first.

    Returns
    -------
    SourceImage
        Of a film that is no DICOM file: of the Secondary Capture that wraps it as it is, with nobody's name, whose
        UIDs follow from the file's hash.

    Raises
    ------
    InputError
        When the file cannot be read, or the record is of an array.
    DigestMismatch
        When the film is another than the recorded one.
    ExportError
        When the image is not the one that the record's coordinates are of.
    """
    film = record.content.source
    if not film.file_sha256:
        raise InputError(
            "Expected a record of a film's file, found one of an array: there is nothing to refer to.",
            hint="Store the film as a file and analyze that.",
        )
    data = source if isinstance(source, bytes) else _read_bytes(Path(source))
    verify(record, source=data)
    image = read_header(data) if film.format == "dicom" else wrap_film(read(data))
    found = (image.get("Columns"), image.get("Rows"))
    if found != (film.width_px, film.height_px):
        raise ExportError(
            f"Expected an image of {film.width_px} x {film.height_px} px, found {found[0]} x {found[1]}: the record's "
            "coordinates are not those of the image."
        )
    facts = Dataset()
    for name in PATIENT_AND_STUDY:
        if name in image:
            facts[name] = image[name]
    for name in MUST_BE_THERE:
        if name not in facts:
            setattr(facts, name, "")
    facts.StudyInstanceUID = str(image.get("StudyInstanceUID") or make_uid("study", film.file_sha256))
    return SourceImage(
        study_uid=str(facts.StudyInstanceUID),
        series_uid=str(image.get("SeriesInstanceUID") or make_uid("series", film.file_sha256, "")),
        instance_uid=str(image.get("SOPInstanceUID") or make_uid("instance", film.file_sha256)),
        class_uid=str(image.SOPClassUID),
        facts=facts,
        institution=str(image.get("InstitutionName", "") or ""),
        wrapped=None if film.format == "dicom" else encode_dicom(image),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The film {path.name} cannot be read: {error.strerror}.") from error


def read_header(data: bytes) -> Dataset:
    try:
        # the hash has shown that the reader took this file; a missing preamble is one of the things that it forgives
        image = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
        image.decode()
    except Exception as error:  # pydicom raises whatever a damaged header leads it to
        raise ExportError(f"The film's header cannot be read: {error}.") from error
    if not image.get("SOPClassUID"):
        raise ExportError("Expected a film that names its SOP class, found none: nothing can refer to it.")
    return image
