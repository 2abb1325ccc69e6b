"""FHIR resources for landmarks and values, as plain data: Observation, and ImagingSelection for points on the film."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cephstd.core.interpretation import NormComparison, NormSetUse
from cephstd.core.landmarks import POINT_DECIMALS, Landmark
from cephstd.core.measures import Measure
from cephstd.core.record import Record
from cephstd.export.dicom_source import SourceImage
from cephstd.export.standing import Standing, absence_of, is_exported
from cephstd.knowledge import terminology
from cephstd.knowledge.terminology import Code

Resource = dict[str, Any]
Release = Literal["R5", "R4B"]
CORNER = 0.5
"""FHIR counts from the outer corner of the top-left pixel as DICOM does, a record from its centre."""

HL7 = "http://terminology.hl7.org/CodeSystem"
SYSTEMS = {
    "LN": "http://loinc.org",
    "FMA": "urn:oid:2.16.840.1.113883.6.119",
    "UCUM": "http://unitsofmeasure.org",
}
"""SNOMED CT is left out: outside of DICOM it needs a licence that only the user can have."""

POSITIONS = {"below": "L", "within": "N", "above": "H"}
CATEGORY = [{"coding": [{"system": f"{HL7}/observation-category", "code": "imaging"}]}]
_NAMESPACE = uuid.UUID("2f0a5b0e-7a54-5d0e-9b0c-0e3f3a1f6d11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What every resource needs to know.

    Attributes
    ----------
    record, image, standing : Record, SourceImage, Standing
    release : str
        ``R5`` or ``R4B``.
    subject : str
        Reference to the patient; empty without one.
    device, model : str
        References to the library and to the landmark model; `model` is empty when a person placed the points.
    """

    record: Record
    image: SourceImage
    standing: Standing
    release: Release
    subject: str
    device: str
    model: str

    def reference(self, kind: str, key: str) -> str:
        """Reference to a resource on this record."""
        return f"urn:uuid:{make_id(self.record.record_digest, kind, key)}"


def make_id(*parts: str) -> str:
    """An id that the same parts always give (a name-based UUID)."""
    return str(uuid.uuid5(_NAMESPACE, "|".join(parts)))


def system_of(scheme: str) -> str:
    """URI of a coding scheme."""
    own = terminology.load_terminology()
    return f"urn:oid:{own.uid}" if scheme == own.scheme else SYSTEMS[scheme]


def concept_of(*codes: Code) -> Resource:
    """A CodeableConcept of codes for one thing; the first one's display is its text."""
    unique = {code.key: code for code in codes}.values()
    coding = [{"system": system_of(code.scheme), "code": code.value} for code in unique]
    return {"coding": coding, "text": codes[0].display}


def quantity(value: float, unit: str) -> Resource:
    """A number with its UCUM unit."""
    code = terminology.code_of(f"unit:{unit}")
    return {"value": value, "unit": code.display, "system": system_of(code.scheme), "code": code.value}


def reference(target: str) -> Resource:
    """Reference to a resource of the bundle."""
    return {"reference": target}


def absent_because(code: str, reason: str) -> Resource:
    """The slot for a value that is not there."""
    return {"coding": [{"system": f"{HL7}/data-absent-reason", "code": code}], "text": reason or "not stated"}


def status_of(standing: Standing, *, provisional: bool) -> str:
    """Status of a result: nothing is final that a person has not decided on."""
    if standing.is_rejected:
        return "cancelled"
    if provisional or not standing.is_final:
        return "preliminary"
    return "amended" if standing.is_amended else "final"


def observe_landmark(mark: Landmark, export: Export) -> Resource:
    """Observation of one landmark: two coordinates, or why there are none."""
    found = _observation("landmark", mark.id, export, provisional=mark.review == "provisional")
    found["code"] = concept_of(terminology.landmark_code(mark.id), terminology.own_landmark_code(mark.id))
    if mark.state in ("detected", "absent") and export.model:
        found["device"] = reference(export.model)
    if is_exported(mark):
        found["component"] = [
            {"code": concept_of(terminology.code_of(name)), "valueQuantity": quantity(value, "px")}
            for name, value in zip(("x", "y"), corner_px(mark), strict=True)
        ]
        if export.release == "R5":
            found["derivedFrom"] = [reference(export.reference("selection", mark.id))]
    else:
        found["dataAbsentReason"] = absent_because("unknown", absence_of(mark))
    notes = [terminology.code_of(f"review:{mark.review}").display] if mark.review != "none" else []
    notes += [mark.reason] if mark.reason and is_exported(mark) else []
    if notes:
        found["note"] = [{"text": ": ".join(notes)}]
    return found


def select_point(mark: Landmark, export: Export) -> Resource:
    """ImagingSelection (R5) of one landmark on the film."""
    film = export.image
    found = {
        "resourceType": "ImagingSelection",
        "id": make_id(export.record.record_digest, "selection", mark.id),
        "status": "available",
        "issued": export.record.run.created,
        "code": concept_of(terminology.landmark_code(mark.id), terminology.own_landmark_code(mark.id)),
        "studyUid": film.study_uid,
        "derivedFrom": [study_reference(film)],
        "seriesUid": film.series_uid,
        "instance": [
            {
                "uid": film.instance_uid,
                "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{film.class_uid}"},
                "imageRegion2D": [{"regionType": "point", "coordinate": list(corner_px(mark))}],
            }
        ],
    }
    return found | _subject(export)


def observe_measure(measure: Measure, export: Export) -> Resource:
    """Observation of one value with unit, standard deviation, references and classes, or why it is absent."""
    found = _observation("measure", measure.id, export, provisional=measure.provisional)
    found["code"] = concept_of(
        terminology.measure_code(measure.id, measure.definition_version),
        terminology.own_measure_code(measure.id, measure.definition_version),
    )
    found["device"] = reference(export.device)
    known = {mark.id for mark in export.record.content.landmarks}
    inputs = [reference(export.reference("landmark", id)) for id in measure.inputs if id in known]
    if inputs:
        found["derivedFrom"] = inputs
    if measure.value is None:
        found["dataAbsentReason"] = absent_because("not-performed", measure.reason)
        return found
    found["valueQuantity"] = quantity(measure.value, measure.unit)
    if measure.sd is not None:
        spread = {"code": concept_of(terminology.code_of("sd")), "valueQuantity": quantity(measure.sd, measure.unit)}
        found["component"] = [spread]
    said = export.record.content.interpretation
    compared = [item for item in said.comparisons if item.measure == measure.id and item.entry]
    sets = {use.set: use for use in said.norm_sets}
    ranges = [_range(item, measure, sets.get(item.set)) for item in compared]
    classes = [{"text": item.text or item.label} for item in said.outcomes if item.measure == measure.id and item.label]
    interpretation = [*_interpret(compared), *classes]
    if ranges:
        found["referenceRange"] = ranges
    if interpretation:
        found["interpretation"] = interpretation
    return found


def corner_px(mark: Landmark) -> tuple[float, float]:
    """Column and row of a point that has a position, from the image's outer corner."""
    x, y = mark.x_px, mark.y_px
    if x is None or y is None:
        raise ValueError(f"{mark.id} has no position")
    return round(x + CORNER, POINT_DECIMALS), round(y + CORNER, POINT_DECIMALS)


def study_reference(film: SourceImage) -> Resource:
    """Logical reference to the film's study."""
    return {
        "type": "ImagingStudy",
        "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{film.study_uid}"},
    }


def _observation(kind: str, key: str, export: Export, *, provisional: bool) -> Resource:
    found: Resource = {
        "resourceType": "Observation",
        "id": make_id(export.record.record_digest, kind, key),
        "status": status_of(export.standing, provisional=provisional),
        "category": CATEGORY,
        "issued": export.record.run.created,
    }
    date = export.record.content.device.acquisition_date
    if date:
        found["effectiveDateTime"] = date
    return found | _subject(export)


def _subject(export: Export) -> Resource:
    return {"subject": reference(export.subject)} if export.subject else {}


def _range(item: NormComparison, measure: Measure, use: NormSetUse | None) -> Resource:
    said = [f"{item.set} {use.version}" if use else item.set]
    if item.reference is not None:
        said.append(f"{(item.kind or '').replace('_', ' ')}: {item.reference:g} {measure.unit}".strip(": "))
    if item.spread is not None:
        said.append(f"spread {item.spread:g} {measure.unit}")
    if item.z is not None:
        said.append(f"z {item.z:+.2f}")
    if item.clinical_deviations is not None:
        said.append(f"clinical deviations {item.clinical_deviations:+.2f} (no z score)")
    said += item.flags
    found: Resource = {"text": "; ".join(said)}
    for name, value in (("low", item.low), ("high", item.high)):
        if value is not None:
            found[name] = quantity(value, measure.unit)
    if use is not None:
        found["appliesTo"] = [{"text": use.population}]
    return found


def _interpret(compared: Iterable[NormComparison]) -> Iterator[Resource]:
    for item in compared:
        if item.position:
            code = {"system": f"{HL7}/v3-ObservationInterpretation", "code": POSITIONS[item.position]}
            yield {"coding": [code], "text": f"{item.position} the range of {item.set}"}
