"""Records to hand on: of a DICOM film, with everything that an export has to say or to leave out."""

from __future__ import annotations

from typing import Any

import cephstd as cs
from cephstd.core.landmarks import Landmark, LandmarkSet, ModelFacts

MODEL = ModelFacts(
    name="oracle",
    version="1",
    scheme="isbi19",
    weights_sha256="sha256:" + "a" * 64,
    licence_code="Apache-2.0",
    licence_weights="research",
    licence_data="research",
    intended_use="Tests.",
)
COVARIANCE = [[4.0, 0.5], [0.5, 2.25]]
WHO = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist"}
MADE = "2025-04-16T09:30:00Z"
ACCEPTED = "2025-04-17T08:00:00Z"


def landmarks() -> tuple[Landmark, ...]:
    """Found, provisional and absent points; coordinates whose halves and thousandths matter."""
    found = {"S": (300.123, 400.0), "N": (700.987, 380.5), "A": (690.25, 640.333), "B": (670.0, 800.001)}
    marks = [
        cs.place_landmark(id, x, y, state="detected", covariance_px2=COVARIANCE, score=0.9)
        for id, (x, y) in found.items()
    ]
    marks.append(
        cs.place_landmark("Pog", 675.5, 850.5, state="detected", review="provisional", reason="far from the shape")
    )
    return (*marks, cs.absent_landmark("Me", "low_confidence", score=0.12))


def make_record(film: Any, *, analysis: str = "steiner") -> cs.Record:
    """Record of a film with the points of `landmarks`."""
    read = cs.read(film)
    marks = LandmarkSet(landmarks=landmarks(), scheme="isbi19", model=MODEL)
    values = cs.measure(marks, analysis, calibration=read.calibration)
    recipe = cs.Recipe(model="oracle", analysis=analysis)
    return cs.record(read, cs.normalize(read), marks, values, recipe=recipe, created=MADE)


def accept(record: cs.Record) -> cs.Record:
    """The record as a person accepts all of it."""
    return cs.review(record, "accept", meaning="approval", at=ACCEPTED, **WHO)
