"""Reads back what a structured report of this library says: every landmark and every value."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from cephstd.core.landmarks import COVARIANCE_DECIMALS, POINT_DECIMALS, SCORE_DECIMALS, Landmark, LandmarkSet
from cephstd.core.measures import Measure, MeasureSet
from cephstd.errors import ExportError, InputError
from cephstd.knowledge.loader import load_measures
from cephstd.knowledge.terminology import code_of, concept_of, landmark_of, measure_of

CORNER = 0.5
SR_CLASS = "1.2.840.10008.5.1.4.1.1.88.34"
GROUP, FINDING, REGION, TRACKING = ("125007", "121071", "111030", "112039")
ROUNDING = {
    "score": SCORE_DECIMALS,
    "cov_xx": COVARIANCE_DECIMALS,
    "cov_xy": COVARIANCE_DECIMALS,
    "cov_yy": COVARIANCE_DECIMALS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SrContent:
    """What a structured report says.

    Attributes
    ----------
    uid, predecessor : str
        SOP Instance UIDs of this report and of the one that it succeeds; empty without one.
    image_uid : str
        SOP Instance UID of the film.
    record_digest : str
        Of the record that it was made from.
    landmarks : LandmarkSet
        Points in source px, (0, 0) = centre of the top-left pixel. A point that a person rejected comes back absent.
    measures : MeasureSet
    is_final, is_verified : bool
        As its preliminary and verification flags say.
    """

    uid: str
    predecessor: str
    image_uid: str
    record_digest: str
    landmarks: LandmarkSet
    measures: MeasureSet
    is_final: bool
    is_verified: bool


def from_sr(report: str | Path | bytes) -> SrContent:
    """Landmarks and values of a structured report that `cephstd.export.dicom_sr.to_sr` made.

    Parameters
    ----------
    report : path or bytes
        The DICOM file.

    Returns
    -------
    SrContent
        Coordinates within 0.001 px (DICOM stores them in single precision), values as they were recorded.

    Raises
    ------
    InputError
        When the file cannot be read.
    ExportError
        When it is no such report.
    """
    document = _read(report)
    if str(document.get("SOPClassUID", "")) != SR_CLASS:
        raise ExportError("Expected a Comprehensive 3D SR document, found another object.")
    try:
        return _content(document)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ExportError(
            f"The structured report does not follow TID 1500 as this library writes it: {error}."
        ) from error


def _content(document: Dataset) -> SrContent:
    groups = [group for item in document.ContentSequence for group in _children(item) if _name(group)[1] == GROUP]
    marks, measures = [], []
    for group in groups:
        measure = _measure(group)
        if measure is not None:
            measures.append(measure)
        elif mark := _landmark(group):
            marks.append(mark)
    if not marks and not measures:
        raise ExportError("Expected a report of cephalometric landmarks or values, found none that this version knows.")
    texts = {concept_of(*_name(item)): str(item.TextValue) for item in document.ContentSequence if _is(item, "TEXT")}
    return SrContent(
        uid=str(document.SOPInstanceUID),
        predecessor=_predecessor(document),
        image_uid=_image_uid(document),
        record_digest=texts.get("record", ""),
        landmarks=LandmarkSet(landmarks=tuple(marks), scheme="report"),
        measures=MeasureSet(analysis="report", measures=tuple(measures)),
        is_final=document.get("PreliminaryFlag") == "FINAL",
        is_verified=document.VerificationFlag == "VERIFIED",
    )


def _landmark(group: Dataset) -> Landmark | None:
    found: dict[str, Any] = {}
    for item in _children(group):
        name = concept_of(*_name(item))
        if _name(item)[1] == FINDING:
            found["id"] = landmark_of(*_code(item.ConceptCodeSequence[0]))
        elif _name(item)[1] == REGION and _is(item, "SCOORD"):
            x, y = (round(float(value) - CORNER, POINT_DECIMALS) for value in item.GraphicData)
            found |= {"x_px": x, "y_px": y}
        elif name in ROUNDING:
            found[name] = round(_number(item), ROUNDING[name])
        elif name in ("state", "review"):
            found[name] = concept_of(*_code(item.ConceptCodeSequence[0])).partition(":")[2]
        elif name == "reason":
            found["reason"] = str(item.TextValue)
    return Landmark(**found) if found.get("id") else None


def _measure(group: Dataset) -> Measure | None:
    found: dict[str, Any] = {}
    inputs = []
    for item in _children(group):
        which = measure_of(*_name(item)) if _is(item, "NUM") else None
        name = concept_of(*_name(item))
        if which is not None:
            known = load_measures().get(which[0])
            found |= {"id": which[0], "definition_version": which[1], "decimals": known.decimals if known else 1}
            found |= dict(_value(item))
        elif name == "rests on":
            inputs.append(landmark_of(*_code(item.ConceptCodeSequence[0])))
        elif name == "review":
            found["provisional"] = concept_of(*_code(item.ConceptCodeSequence[0])) == "review:provisional"
        elif name == "reason":
            found["reason"] = str(item.TextValue)
    if "id" not in found:
        return None
    if "unit" not in found:  # an absent value has no unit in DICOM; its definition has
        known = load_measures().get(found["id"])
        found["unit"] = known.unit if known else "ratio"
    return Measure(**found, inputs=tuple(inputs))


def _value(item: Dataset) -> Iterator[tuple[str, Any]]:
    if item.MeasuredValueSequence:
        unit = concept_of(*_code(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]))
        yield "unit", unit.removeprefix("unit:")
        yield "value", _number(item)
    for child in _children(item):
        if _name(child) == code_of("uncertainty").key:
            yield "sd", _number(child)


def _number(item: Dataset) -> float:
    measured = item.MeasuredValueSequence[0]
    return float(measured.get("FloatingPointValue", measured.NumericValue))


def _image_uid(document: Dataset) -> str:
    evidence = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    return str(evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _predecessor(document: Dataset) -> str:
    if not document.get("PredecessorDocumentsSequence"):
        return ""
    series = document.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    return str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _children(item: Dataset) -> Any:
    return item.get("ContentSequence") or ()


def _is(item: Dataset, kind: str) -> bool:
    return bool(item.get("ValueType") == kind)


def _name(item: Dataset) -> tuple[str, str]:
    names = item.get("ConceptNameCodeSequence")
    return _code(names[0]) if names else ("", "")


def _code(code: Dataset) -> tuple[str, str]:
    return str(code.CodingSchemeDesignator), str(code.get("CodeValue") or code.LongCodeValue)


def _read(report: str | Path | bytes) -> Dataset:
    try:
        data = report if isinstance(report, bytes) else Path(report).read_bytes()
    except OSError as error:
        raise InputError(f"The report {report!r:.200} cannot be read: {error.strerror}.") from error
    try:
        return pydicom.dcmread(io.BytesIO(data))
    except Exception as error:  # pydicom raises whatever damaged bytes lead it to
        raise ExportError(f"Expected a DICOM file, found other bytes: {error}.") from error
