"""A record as a DICOM Comprehensive 3D SR document by TID 1500 (extra ``dicom``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from cephstd.core.record import Record
from cephstd.errors import ExportError, MissingExtraError
from cephstd.export.dicom_image import encode_dicom, make_uid, start_file
from cephstd.export.dicom_source import SourceImage, read_source
from cephstd.export.sr_groups import Reference, concept, empty_absent, write_groups, write_text
from cephstd.export.standing import Standing, find_standing
from cephstd.knowledge.terminology import load_terminology

try:
    from highdicom import sr
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from pydicom.sr.codedict import codes
except ImportError as error:
    raise MissingExtraError("DICOM reports need highdicom.", hint="pip install 'cephstd[dicom]'") from error

MAPPING = "1"
"""Version of the way in which records become reports; part of every report's UID."""

LIBRARY = "cephstd"
UNSTATED = "not stated"
"""Organization of a verifying person whose film names no institution: DICOM asks for one, and nobody stated it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SrDocument:
    """A structured report.

    Attributes
    ----------
    data : bytes
        The DICOM file.
    uid : str
        Its SOP Instance UID, which follows from the record's digest.
    predecessor : str
        SOP Instance UID of the report on the record that this one succeeds; empty for a first record.
    is_final, is_verified : bool
        As its preliminary and verification flags say.
    image : bytes or None
        The Secondary Capture (DICOM file) that it refers to where the film is no DICOM file; store both.
    """

    data: bytes
    uid: str
    predecessor: str
    is_final: bool
    is_verified: bool
    image: bytes | None


def to_sr(record: Record, source: str | Path | bytes) -> SrDocument:
    """Structured report of a record.

    Parameters
    ----------
    record : Record
    source : path or bytes
        The film's file, compared with the record's hash. Patient and study are taken from it and from nowhere else.

    Returns
    -------
    SrDocument
        The same record and film always give the same bytes. Its times are the record's, in UTC.

    Raises
    ------
    InputError, DigestMismatch
        As `cephstd.export.dicom_source.read_source`.
    ExportError
        When the film's header or a text of the record cannot be written as DICOM.

    Notes
    -----
    PS3.16 TID 1500 with one TID 1410 group for each landmark and one TID 1501 group for each value. A landmark without
    a position, or one that a person rejected, has a TID 1501 group without a region and says why; a value that was not
    obtained is an empty NUM with a Numeric Value Qualifier. Uncertainty is one standard deviation.
    """
    image = read_source(record, source)
    standing = find_standing(record.content)
    uid = report_uid(record.record_digest)
    previous = record.content.previous
    try:
        document = _document(record, image, standing, uid)
        empty_absent(document)
        _write_times(document, record, standing)
        for element in image.facts:
            document[element.tag] = element
        start_file(document, str(document.SOPClassUID), uid)
        data = encode_dicom(document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # what highdicom raises for what it refuses
        raise ExportError(f"The record cannot be written as a structured report: {error}.") from error
    return SrDocument(
        data=data,
        uid=uid,
        predecessor=report_uid(previous) if previous else "",
        is_final=standing.is_final,
        is_verified=standing.verified is not None,
        image=image.wrapped,
    )


def report_uid(record_digest: str) -> str:
    """SOP Instance UID of the report on a record, known from the record's digest alone."""
    return make_uid("report", MAPPING, record_digest)


def _document(record: Record, image: SourceImage, standing: Standing, uid: str) -> sr.Comprehensive3DSR:
    content, film = record.content, record.content.source.file_sha256
    library = record.run.versions.get(LIBRARY, "unknown")
    series = make_uid("reports", film)
    report = sr.MeasurementReport(
        observation_context=_observers(record, standing, library),
        procedure_reported=concept("procedure"),
        imaging_measurements=write_groups(
            content.landmarks,
            content.measures,
            Reference(file_sha256=film, class_uid=image.class_uid, instance_uid=image.instance_uid),
            model=content.model,
            library=library,
        ),
        title=codes.DCM.ImagingMeasurementReport,
    )
    report[0].ContentSequence.extend(_statements(record))
    verified = standing.verified
    return sr.Comprehensive3DSR(
        evidence=[_evidence(image)],
        content=report,
        series_instance_uid=series,
        series_number=1,
        series_description="Cephalometric measurements",
        sop_instance_uid=uid,
        instance_number=len(content.trail) + 1,
        manufacturer=LIBRARY,
        manufacturer_model_name=LIBRARY,
        software_versions=library,
        is_complete=True,
        is_final=standing.is_final,
        is_verified=verified is not None,
        verifying_observer_name=person_name(verified.name) if verified else None,
        verifying_organization=image.institution or UNSTATED if verified else None,
        previous_versions=[_predecessor(content.previous, image, series)] if content.previous else None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set="ISO_IR 192",
        coding_schemes=[_own_scheme()],
    )


def _observers(record: Record, standing: Standing, library: str) -> sr.ObservationContext:
    """The library as the device, and everybody who decided something as a person."""
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=make_uid("device", LIBRARY, library), name=LIBRARY, manufacturer_name=LIBRARY, model_name=library
    )
    context = sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )
    for event in standing.reviewers:
        person = sr.PersonObserverIdentifyingAttributes(name=person_name(event.name), login_name=event.reviewer)
        context.extend(sr.ObserverContext(observer_type=codes.DCM.Person, observer_identifying_attributes=person))
    return context


def _statements(record: Record) -> Iterator[sr.TextContentItem]:
    content = record.content
    yield write_text("record", record.record_digest)
    yield write_text("calibration", "; ".join((content.calibration.basis, *content.calibration.sources)))
    yield write_text("quality", content.normalized.quality.verdict)
    for text in (*content.notices, *content.warnings):
        yield write_text("comment", text)


def _own_scheme() -> CodingSchemeIdentificationItem:
    table = load_terminology()
    item = CodingSchemeIdentificationItem(designator=table.scheme, name=table.name, version=table.version)
    item.CodingSchemeUID = table.uid  # highdicom loses it
    return item


def _evidence(image: SourceImage) -> Dataset:
    """What a reference to the film needs; patient and study are written by `to_sr`, as they stand in the film."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = image.class_uid, image.instance_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = image.study_uid, image.series_uid
    dataset.PatientName = dataset.PatientID = dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyDate = dataset.StudyTime = dataset.StudyID = dataset.AccessionNumber = ""
    return dataset


def _predecessor(record_digest: str, image: SourceImage, series_uid: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = Comprehensive3DSRStorage, report_uid(record_digest)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = image.study_uid, series_uid
    return dataset


def _write_times(document: Dataset, record: Record, standing: Standing) -> None:
    """The record's times instead of the clock's, so that the same record gives the same document."""
    made = _utc(record.run.created)
    document.ContentDate = document.InstanceCreationDate = made.strftime("%Y%m%d")
    document.ContentTime = document.InstanceCreationTime = made.strftime("%H%M%S")
    if standing.verified is not None:
        moment = _utc(standing.verified.at).strftime("%Y%m%d%H%M%S+0000")
        document.VerifyingObserverSequence[0].VerificationDateTime = moment
    # highdicom enters itself there, with the clock's time
    document.pop("ContributingEquipmentSequence", None)


def _utc(time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone(UTC)


def person_name(printed: str) -> str:
    """A printed name as DICOM's PN: one component, closed by a caret so that nobody takes it for a family name's form.

    >>> person_name("A. Reader")
    'A. Reader^'
    """
    name = " ".join(printed.replace("\\", " ").replace("=", " ").split())[:63]
    return name if "^" in name else f"{name}^"
