from __future__ import annotations

import pytest

pytest.importorskip("highdicom")
from cephstd.core.landmarks import place_landmark
from cephstd.core.measures import Measure
from cephstd.export.sr_groups import Reference, empty_absent, write_landmark, write_measure

FILM = Reference(file_sha256="sha256:" + "a" * 64, class_uid="1.2.840.10008.5.1.4.1.1.7", instance_uid="2.25.7")
POINT = place_landmark("S", 10.25, -0.5, state="placed")


def meanings(group: object) -> list[str]:
    return [item.ConceptNameCodeSequence[0].CodeMeaning for item in group[0].ContentSequence]  # type: ignore[index]


def test_point_placed_by_a_person_names_no_algorithm_and_no_covariance() -> None:
    group = write_landmark(POINT, FILM, None)
    assert "Algorithm Name" not in meanings(group)
    assert not any("ariance" in meaning for meaning in meanings(group))
    (region,) = [item for item in group[0].ContentSequence if item.ValueType == "SCOORD"]
    assert list(region.GraphicData) == [10.75, 0.0]


def test_landmark_is_tracked_by_film_and_id() -> None:
    uids = [
        next(item.UID for item in write_landmark(POINT, film, None)[0].ContentSequence if item.ValueType == "UIDREF")
        for film in (
            FILM,
            FILM,
            Reference(file_sha256="sha256:" + "b" * 64, class_uid=FILM.class_uid, instance_uid="2.25.7"),
        )
    ]
    assert uids[0] == uids[1] != uids[2]


def test_only_absent_values_lose_their_number() -> None:
    values = (
        Measure(id="SNA", definition_version=1, unit="deg", value=0.0, sd=1.5, inputs=("S",)),
        Measure(id="SNB", definition_version=1, unit="deg", reason="missing: B"),
    )
    groups = [write_measure(value, FILM, {"S": POINT}, "0.1.0")[0] for value in values]
    for group in groups:
        empty_absent(group)
    numbers = [next(item for item in group.ContentSequence if item.ValueType == "NUM") for group in groups]
    assert float(numbers[0].MeasuredValueSequence[0].NumericValue) == 0.0  # a true zero stays
    assert numbers[0].ContentSequence[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "deg"
    assert list(numbers[1].MeasuredValueSequence) == []
