from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from exported_records import WHO, accept, make_record

import cephstd as cs

pytest.importorskip("fhir.resources")
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cephstd.core.digest import digest_value
from cephstd.core.record import seal
from cephstd.errors import DigestMismatch, ExportError, InputError, SignatureInvalid
from cephstd.export import fhir
from cephstd.export.dicom_source import SourceImage
from cephstd.export.fhir import to_fhir
from cephstd.export.fhir_values import HL7, make_id
from cephstd.knowledge.terminology import load_terminology

LATER = "2025-04-18T08:00:00Z"
OWN = f"urn:oid:{load_terminology().uid}"


def read(record: cs.Record, film: Path | bytes, **options: Any) -> dict[str, Any]:
    bundle: dict[str, Any] = json.loads(to_fhir(record, film, **options))
    return bundle


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def by_code(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Observations by their code of the library's own scheme."""
    found = {}
    for item in resources(bundle, "Observation"):
        (own,) = [code["code"] for code in item["code"]["coding"] if code["system"] == OWN]
        found[own] = item
    return found


@pytest.fixture(scope="session", params=["R5", "R4B"])
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def bundle(found: cs.Record, film_path: Path, release: str) -> dict[str, Any]:
    return read(found, film_path, release=release)


def test_every_value_has_its_number_unit_and_deviation(found: cs.Record, bundle: dict[str, Any]) -> None:
    observations = by_code(bundle)
    units = {"deg": "deg", "mm": "mm", "%": "%", "ratio": "1"}
    for measure in found.content.measures:
        item = observations[f"M-{measure.id}"]
        if measure.value is None:
            continue
        quantity = item["valueQuantity"]
        assert quantity["value"] == measure.value
        assert (quantity["system"], quantity["code"]) == ("http://unitsofmeasure.org", units[measure.unit])
        spread = [part["valueQuantity"]["value"] for part in item.get("component", ())]
        assert spread == ([] if measure.sd is None else [measure.sd])


def test_absent_values_use_the_slot_and_have_no_number(found: cs.Record, bundle: dict[str, Any]) -> None:
    observations = by_code(bundle)
    absent = [measure for measure in found.content.measures if not measure.is_present]
    assert absent
    for measure in absent:
        item = observations[f"M-{measure.id}"]
        assert not any(name.startswith("value") for name in item)
        reason = item["dataAbsentReason"]
        assert reason["coding"] == [{"system": f"{HL7}/data-absent-reason", "code": "not-performed"}]
        assert reason["text"] == measure.reason
    mark = observations["L-Me"]
    assert "component" not in mark
    assert mark["dataAbsentReason"]["text"] == "low_confidence"


def test_points_are_selections_in_r5_and_components_in_both(
    found: cs.Record, bundle: dict[str, Any], release: str
) -> None:
    observations = by_code(bundle)
    selections = {f"urn:uuid:{item['id']}": item for item in resources(bundle, "ImagingSelection")}
    present = [mark for mark in found.content.landmarks if mark.is_present]
    assert len(selections) == (len(present) if release == "R5" else 0)
    for mark in present:
        item = observations[f"L-{mark.id}"]
        wanted = [round(mark.x_px + 0.5, 3), round(mark.y_px + 0.5, 3)]
        assert [part["valueQuantity"]["value"] for part in item["component"]] == wanted
        if release == "R5":
            (reference,) = item["derivedFrom"]
            (instance,) = selections[reference["reference"]]["instance"]
            assert instance["imageRegion2D"] == [{"regionType": "point", "coordinate": wanted}]


def test_every_reference_leads_into_the_bundle(bundle: dict[str, Any]) -> None:
    known = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(known) == len(bundle["entry"])
    assert set(re.findall(r'"reference": "([^"]+)"', json.dumps(bundle))) <= known


def test_nothing_unreviewed_is_final(found: cs.Record, film_path: Path, bundle: dict[str, Any]) -> None:
    kinds = ("DiagnosticReport", "Observation")
    assert {item["status"] for kind in kinds for item in resources(bundle, kind)} == {"preliminary"}
    after = read(accept(found), film_path)
    assert {item["status"] for kind in kinds for item in resources(after, kind)} == {"final"}


def test_provisional_value_of_a_half_reviewed_record_stays_preliminary(found: cs.Record, film_path: Path) -> None:
    some = cs.review(found, "accept", points=["S", "N", "A", "B"], meaning="review", at=LATER, **WHO)
    observations = by_code(read(some, film_path))
    assert observations["M-Pog_NB"]["status"] == "preliminary"
    assert "Provisional" in observations["L-Pog"]["note"][0]["text"]


def test_amended_record_says_so_and_who_did_it(found: cs.Record, film_path: Path, release: str) -> None:
    moved = cs.amend(accept(found), {"S": (301.0, 401.0)}, reason="unsharp", meaning="review", at=LATER, **WHO)
    after = read(moved, film_path, release=release)
    (report,) = resources(after, "DiagnosticReport")
    assert report["status"] == "amended"
    assert report["resultsInterpreter"][0]["display"] == "A. Reader"
    made, _, second = resources(after, "Provenance")
    assert ("revision", moved.content.previous) in [
        (item["role"], item["what"]["identifier"]["value"]) for item in made["entity"]
    ]
    assert second["activity"]["text"] == "supplemented (review, orthodontist): unsharp"
    assert second["agent"][0]["who"]["identifier"]["value"] == "17"
    assert second["recorded"] == LATER


def test_rejected_record_is_cancelled_and_gives_no_number(found: cs.Record, film_path: Path) -> None:
    rejected = cs.review(found, "reject", reason="another film", meaning="review", at=LATER, **WHO)
    after = read(rejected, film_path)
    (report,) = resources(after, "DiagnosticReport")
    assert report["status"] == "cancelled"
    assert resources(after, "ImagingSelection") == []
    assert "valueQuantity" not in json.dumps(after)


def test_ids_are_stable_and_of_this_record_alone(found: cs.Record, film_path: Path) -> None:
    assert to_fhir(found, film_path) == to_fhir(found, film_path)
    first, second = read(found, film_path), read(accept(found), film_path)
    one, other = ({item["id"] for item in resources(each, "Observation")} for each in (first, second))
    assert one.isdisjoint(other)
    report = make_id(found.record_digest, "report", "")
    assert resources(first, "DiagnosticReport")[0]["id"] == report


def test_norms_are_ranges_and_classes_are_interpretations(samples: Path, film_path: Path, found: cs.Record) -> None:
    from cephstd.core.interpretation import Interpretation, NormComparison, NormSetUse, RuleOutcome

    value = next(measure.value for measure in found.content.measures if measure.id == "SNA")
    said = Interpretation(
        norm_sets=(NormSetUse(set="own", version="1", sha256="sha256:" + "b" * 64, population="adults"),),
        comparisons=(
            NormComparison(
                measure="SNA", set="own", entry="e", kind="mean_sd", value=value, reference=82.0, spread=3.5, z=1.25
            ),
            NormComparison(
                measure="SNA",
                set="own",
                entry="f",
                kind="range",
                value=value,
                low=80.0,
                high=84.0,
                position="above",
                flags=("unverified",),
            ),
            NormComparison(measure="SNA", set="own", reason="no entry fits"),
        ),
        outcomes=(
            RuleOutcome(rule="r.s", version="1", measure="SNA", value=value, label="large", text="SNA is large."),
        ),
    )
    content = msgspec.structs.replace(
        found.content, interpretation=said, recipe_digest=digest_value(found.content.recipe)
    )
    observation = by_code(read(seal(content, found.run), film_path))["M-SNA"]
    first, second = observation["referenceRange"]
    assert "mean sd: 82 deg; spread 3.5 deg; z +1.25" in first["text"]
    assert first["appliesTo"] == [{"text": "adults"}]
    assert "low" not in first  # a mean and its deviation are no range
    assert (second["low"]["value"], second["high"]["value"]) == (80.0, 84.0)
    assert second["text"].endswith("unverified")
    assert observation["interpretation"][0]["coding"][0]["code"] == "H"
    assert observation["interpretation"][-1] == {"text": "SNA is large."}


def test_public_codes_stand_beside_own_ones_and_snomed_stays_out(film_path: Path) -> None:
    pointed = read(make_record(film_path, analysis="ricketts"), film_path)
    axis = by_code(pointed)["M-facial_axis"]["code"]["coding"]
    assert axis[0] == {"system": "http://loinc.org", "code": "60627-7"}
    assert "snomed" not in json.dumps(pointed)


def test_patient_is_the_films_and_absent_where_it_names_none(
    bundle: dict[str, Any], samples: Path, film_path: Path
) -> None:
    (patient,) = resources(bundle, "Patient")
    assert patient["identifier"] == [{"value": "COMPOSITE-A"}]
    assert patient["name"][0]["family"] == "COMPOSITE"
    nameless = read(make_record(samples / "composite_c.jpg"), samples / "composite_c.jpg")
    assert resources(nameless, "Patient") == []
    assert "subject" not in json.dumps(nameless)


@pytest.mark.parametrize(("written", "said"), [("20110203", "2011-02-03"), ("20111399", None), ("", None)])
def test_birth_date_is_said_only_where_it_is_one(film_path: Path, written: str, said: str | None) -> None:
    image = SourceImage(
        study_uid="1", series_uid="1", instance_uid="1", class_uid="1", facts=Dataset(), institution="", wrapped=None
    )
    image.facts.PatientID, image.facts.PatientName, image.facts.PatientSex = "7", "Doe^Jo", "F"
    image.facts.add(RawDataElement(Tag("PatientBirthDate"), "DA", len(written), written.encode(), 0, False, True))
    patient = fhir._patient(image)
    assert patient is not None
    assert patient.get("birthDate") == said
    assert patient["gender"] == "female"


def test_signatures_travel_with_the_bundle(found: cs.Record, film_path: Path, release: str) -> None:
    pytest.importorskip("securesystemslib")
    from cephstd.audit.keys import signer_from_seed
    from cephstd.audit.signer import sign

    key = signer_from_seed(bytes(32))
    signed = sign(found, [key], at=LATER)
    made = resources(read(found, film_path, release=release, signatures=signed.to_bytes()), "Provenance")[0]
    (signature,) = made["signature"]
    assert base64.b64decode(signature["data"]) == signed.to_bytes()
    assert signature["who"]["identifier"]["value"] == key.public_key.keyid
    with pytest.raises(SignatureInvalid):
        to_fhir(accept(found), film_path, signatures=signed)


def test_invalid_fhir_is_refused(found: cs.Record, film_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir, "_devices", lambda *_: iter([{"resourceType": "Device", "id": "a b"}]))
    with pytest.raises(ExportError, match="no valid FHIR R5 Device"):
        to_fhir(found, film_path)


def test_other_releases_and_films_are_refused(found: cs.Record, film_path: Path, samples: Path) -> None:
    with pytest.raises(InputError, match="R5 or R4B"):
        to_fhir(found, film_path, release="R3")  # type: ignore[arg-type]
    with pytest.raises(DigestMismatch):
        to_fhir(found, samples / "phantom_b.dcm")
