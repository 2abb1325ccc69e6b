"""Measurement groups of a structured report: one for each landmark (TID 1410), one for each value (TID 1501)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from cephstd.core.arrays import FloatArray
from cephstd.core.landmarks import Landmark
from cephstd.core.measures import Measure
from cephstd.core.record import RecordedModel
from cephstd.errors import MissingExtraError
from cephstd.export.dicom_image import make_uid
from cephstd.export.standing import absence_of, is_exported
from cephstd.knowledge import terminology
from cephstd.knowledge.terminology import Code

try:
    from highdicom import sr
except ImportError as error:
    raise MissingExtraError("DICOM reports need highdicom.", hint="pip install 'cephstd[dicom]'") from error

CORNER = 0.5
"""SCOORD counts from the outer corner of the top-left pixel, a record from its centre."""

MAX_TEXT = 1024
STATISTICS = (("score", "unit:ratio"), ("cov_xx", "unit:px2"), ("cov_xy", "unit:px2"), ("cov_yy", "unit:px2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What every group needs to know of the film: hash of its file, and the image to refer to."""

    file_sha256: str
    class_uid: str
    instance_uid: str

    def tracking(self, kind: str, id: str) -> sr.TrackingIdentifier:
        """Identifier that is the same in every report on this film."""
        return sr.TrackingIdentifier(uid=make_uid(kind, self.file_sha256, id), identifier=id)

    def image(self) -> sr.SourceImageForRegion:
        """The image that a point lies on."""
        return sr.SourceImageForRegion(
            referenced_sop_class_uid=self.class_uid, referenced_sop_instance_uid=self.instance_uid
        )


def coded(code: Code) -> sr.CodedConcept:
    """A code as highdicom has it."""
    return sr.CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.display)


def concept(name: str) -> sr.CodedConcept:
    """Code of a concept of the terminology."""
    return coded(terminology.code_of(name))


def write_text(name: str, text: str) -> sr.TextContentItem:
    """A text under its parent."""
    return sr.TextContentItem(
        name=concept(name), value=text[:MAX_TEXT], relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def identify_model(model: RecordedModel) -> sr.AlgorithmIdentification:
    """The model that found a landmark."""
    return sr.AlgorithmIdentification(
        name=model.name, version=model.version, parameters=[f"scheme={model.scheme}", f"weights={model.weights_sha256}"]
    )


def write_landmark(mark: Landmark, film: Reference, model: RecordedModel | None) -> sr.ContentSequence:
    """Group of one landmark: a point on the image, or, where there is none to give, the statement that and why."""
    states = [
        sr.QualitativeEvaluation(name=concept("state"), value=concept(f"state:{_state(mark)}")),
        sr.QualitativeEvaluation(name=concept("review"), value=concept(f"review:{mark.review}")),
    ]
    common: dict[str, Any] = {
        "tracking_identifier": film.tracking("landmark", mark.id),
        "finding_type": coded(terminology.landmark_code(mark.id)),
        "finding_sites": [sr.FindingSite(anatomic_location=coded(terminology.site_of(mark.id)))],
        "algorithm_id": identify_model(model) if model and mark.state in ("detected", "absent") else None,
        "qualitative_evaluations": states,
    }
    numbers = [
        sr.Measurement(name=concept(name), value=float(value), unit=concept(unit))
        for name, unit in STATISTICS
        if (value := getattr(mark, name)) is not None and (is_exported(mark) or name == "score")
    ]
    if is_exported(mark):
        region = sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POINT, graphic_data=_corner_px(mark), source_image=film.image()
        )
        group: sr.ContentSequence = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            **common, referenced_region=region, measurements=numbers
        )
    else:
        group = sr.MeasurementsAndQualitativeEvaluations(**common, measurements=numbers)
    reason = mark.reason if is_exported(mark) else absence_of(mark)
    if reason:
        group[0].ContentSequence.append(write_text("reason", reason))
    return group


def write_measure(measure: Measure, film: Reference, marks: Mapping[str, Landmark], library: str) -> sr.ContentSequence:
    """Group of one value: its number with unit and uncertainty, or a qualifier and the reason of its absence.

    highdicom builds no NUM without a number; `empty_absent` takes the zero out of those that have a qualifier.
    """
    inputs = [marks[id] for id in measure.inputs if id in marks and is_exported(marks[id])]
    number = sr.Measurement(
        name=coded(terminology.measure_code(measure.id, measure.definition_version)),
        value=0.0 if measure.value is None else float(measure.value),
        unit=concept(f"unit:{measure.unit}"),
        qualifier=concept("not measured") if measure.value is None else None,
        referenced_coordinates=[_source_point(mark, film) for mark in inputs] if measure.is_present else None,
    )
    if measure.value is not None and measure.sd is not None:
        spread = sr.NumContentItem(
            name=concept("uncertainty"),
            value=float(measure.sd),
            unit=concept(f"unit:{measure.unit}"),
            relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES,
        )
        number[0].ContentSequence = sr.ContentSequence([spread, *number[0].get("ContentSequence", ())])
    evaluations = [
        sr.QualitativeEvaluation(name=concept("rests on"), value=coded(terminology.landmark_code(id)))
        for id in measure.inputs
    ]
    if measure.provisional:
        evaluations.append(sr.QualitativeEvaluation(name=concept("review"), value=concept("review:provisional")))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=film.tracking("measure", measure.id),
        finding_sites=[sr.FindingSite(anatomic_location=concept("site:skull"))],
        algorithm_id=sr.AlgorithmIdentification(
            name="cephstd measurement",
            version=library,
            parameters=[f"definition={measure.id}, version {measure.definition_version}"],
        ),
        measurements=[number],
        qualitative_evaluations=evaluations,
    )
    if measure.reason:
        group[0].ContentSequence.append(write_text("reason", measure.reason))
    return group


def empty_absent(item: Dataset) -> None:
    """Take the number out of every NUM below `item` that has a qualifier: it stands for no value (PS3.3 C.18.1)."""
    for child in item.get("ContentSequence") or ():
        if child.get("NumericValueQualifierCodeSequence"):
            child.MeasuredValueSequence = []
        empty_absent(child)


def write_groups(
    landmarks: Iterable[Landmark],
    measures: Iterable[Measure],
    film: Reference,
    *,
    model: RecordedModel | None,
    library: str,
) -> list[sr.ContentSequence]:
    """Groups of all landmarks, then of all values, in the record's order."""
    marks = {mark.id: mark for mark in landmarks}
    groups = [write_landmark(mark, film, model) for mark in marks.values()]
    return groups + [write_measure(measure, film, marks, library) for measure in measures]


def _state(mark: Landmark) -> str:
    return mark.state if is_exported(mark) else "absent"


def _corner_px(mark: Landmark) -> FloatArray:
    # only a point with a position gets here; None would become NaN and be refused
    return np.array([[mark.x_px, mark.y_px]], dtype=np.float64) + CORNER


def _source_point(mark: Landmark, film: Reference) -> sr.CoordinatesForMeasurement:
    return sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POINT, graphic_data=_corner_px(mark), source_image=film.image()
    )
