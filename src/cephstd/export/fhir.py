"""A record as a FHIR bundle, R5 or R4B (extra ``fhir``)."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cephstd.core.record import Record
from cephstd.core.trail import ReviewEvent
from cephstd.errors import ExportError, InputError, MissingExtraError
from cephstd.export.dicom_source import SourceImage, read_source
from cephstd.export.fhir_values import (
    HL7,
    Export,
    Release,
    Resource,
    concept_of,
    make_id,
    observe_landmark,
    observe_measure,
    reference,
    select_point,
    status_of,
    study_reference,
)
from cephstd.export.standing import find_standing, is_exported
from cephstd.knowledge.terminology import code_of

try:
    from fhir.resources import R4B, get_fhir_model_class
    from pydantic import ValidationError
except ImportError as error:
    raise MissingExtraError("FHIR bundles need fhir.resources.", hint="pip install 'cephstd[fhir]'") from error

if TYPE_CHECKING:
    from cephstd.audit.signer import Signatures

MODELS = {"R5": get_fhir_model_class, "R4B": R4B.get_fhir_model_class}
LIBRARY = "cephstd"
DIGEST = "urn:oid:2.25.288962315623238025865854799378792515616"
"""System of identifiers that are digests of records, films and weights (``sha256:...``)."""

SEXES = {"F": "female", "M": "male", "O": "other"}
VERIFICATION = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5"}
PARTICIPANT = f"{HL7}/provenance-participant-type"


def to_fhir(
    record: Record,
    source: str | Path | bytes,
    *,
    release: Release = "R5",
    signatures: Signatures | bytes | None = None,
) -> bytes:
    """Bundle (type ``collection``) of a record.

    Parameters
    ----------
    record : Record
    source : path or bytes
        The film's file, compared with the record's hash. The patient is taken from it and from nowhere else.
    release : {"R5", "R4B"}
    signatures : Signatures or bytes, optional
        The record's signatures; each becomes a Provenance.signature that holds the whole envelope. That they are over
        this record is checked, whose keys they are is not: `cephstd.verify` does that (extra ``sign``).

    Returns
    -------
    bytes
        JSON that fhir.resources has validated. DiagnosticReport, an Observation for each landmark and value, in R5 an
        ImagingSelection for each point on the film, Device, Provenance, and Patient where the film names one. Ids
        follow from the record's digest, so that the same record always gives the same bytes.

    Raises
    ------
    InputError
        When the release is another one, or the film's file cannot be read.
    DigestMismatch
        When the film is another than the recorded one.
    SignatureInvalid
        When the signatures are over another record.
    ExportError
        When the bundle is no valid FHIR.

    Notes
    -----
    A value or point that was not obtained has a dataAbsentReason and no number. SNOMED CT codes are left out: outside
    of DICOM they need a licence that only the user can have.
    """
    if release not in MODELS:
        raise InputError(f"Expected FHIR release {' or '.join(MODELS)}, found {release!r:.40}.")
    bundle = _bundle(record, read_source(record, source), release, _read_signatures(record, signatures))
    for entry in [*bundle["entry"], {"resource": bundle}]:
        _validate(entry["resource"], release)
    return json.dumps(bundle, indent=1, ensure_ascii=False).encode()


def _bundle(record: Record, image: SourceImage, release: Release, signatures: Signatures | None) -> Resource:
    content = record.content
    patient = _patient(image)
    devices = list(_devices(record, release))
    export = Export(
        record=record,
        image=image,
        standing=find_standing(content),
        release=release,
        subject=_url(patient) if patient else "",
        device=_url(devices[0]),
        model=_url(devices[1]) if len(devices) > 1 else "",
    )
    points = [mark for mark in content.landmarks if is_exported(mark)] if release == "R5" else []
    resources = [
        _report(export),
        *([patient] if patient else []),
        *devices,
        *(observe_measure(measure, export) for measure in content.measures),
        *(observe_landmark(mark, export) for mark in content.landmarks),
        *(select_point(mark, export) for mark in points),
        _provenance(export, signatures),
        *(_decision(export, number, event) for number, event in enumerate(content.trail)),
    ]
    return {
        "resourceType": "Bundle",
        "id": make_id(record.record_digest, "bundle", release),
        "identifier": {"system": DIGEST, "value": record.record_digest},
        "type": "collection",
        "timestamp": record.run.created,
        "entry": [{"fullUrl": _url(resource), "resource": resource} for resource in resources],
    }


def _url(resource: Resource) -> str:
    return f"urn:uuid:{resource['id']}"


def _report(export: Export) -> Resource:
    record, standing = export.record, export.standing
    content = record.content
    provisional = any(measure.provisional for measure in content.measures)
    found: Resource = {
        "resourceType": "DiagnosticReport",
        "id": make_id(record.record_digest, "report", ""),
        "text": _narrative(record),
        "identifier": [{"system": DIGEST, "value": record.record_digest}],
        "status": status_of(standing, provisional=provisional),
        "code": concept_of(code_of("procedure")),
        "issued": record.run.created,
        "result": [reference(export.reference("measure", measure.id)) for measure in content.measures],
        "study" if export.release == "R5" else "imagingStudy": [study_reference(export.image)],
    }
    if export.subject:
        found["subject"] = reference(export.subject)
    if content.device.acquisition_date:
        found["effectiveDateTime"] = content.device.acquisition_date
    if standing.reviewers:
        found["resultsInterpreter"] = [_person(event) for event in standing.reviewers]
    return {name: value for name, value in found.items() if value}


def _narrative(record: Record) -> Resource:
    content = record.content
    values = sum(measure.is_present for measure in content.measures)
    lines = [
        f"Cephalometric analysis {content.analysis}: {values} of {len(content.measures)} values obtained.",
        f"Scale: {'; '.join((content.calibration.basis, *content.calibration.sources))}.",
        f"Image: {content.normalized.quality.verdict}.",
        *content.notices,
    ]
    paragraphs = "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'}


def _patient(image: SourceImage) -> Resource | None:
    """The patient as the film names them; None where it names nobody."""
    facts = image.facts
    id, name = str(facts.PatientID or ""), str(facts.PatientName or "")
    if not id and not name:
        return None
    issuer = str(facts.get("IssuerOfPatientID") or "")
    found: Resource = {"resourceType": "Patient", "id": make_id("patient", issuer, id, name)}
    if id:
        found["identifier"] = [{"value": id} | ({"assigner": {"display": issuer}} if issuer else {})]
    if name:
        parts = facts.PatientName
        given = " ".join(filter(None, (str(parts.given_name), str(parts.middle_name))))
        found["name"] = [{"text": " ".join(filter(None, (given, str(parts.family_name)))) or name}]
        if parts.family_name:
            found["name"][0]["family"] = str(parts.family_name)
    if facts.PatientSex in SEXES:
        found["gender"] = SEXES[facts.PatientSex]
    with suppress(ValueError):  # an impossible date in a film's header says nothing about the patient
        found["birthDate"] = datetime.strptime(str(facts.PatientBirthDate), "%Y%m%d").date().isoformat()
    return found


def _devices(record: Record, release: Release) -> Iterator[Resource]:
    """The library, then the landmark model where one was used."""
    model = record.content.model
    yield _device(LIBRARY, record.run.versions.get(LIBRARY, "unknown"), "", release)
    if model is not None:
        yield _device(model.name, model.version, model.weights_sha256, release)


def _device(name: str, version: str, weights: str, release: Release) -> Resource:
    found: Resource = {
        "resourceType": "Device",
        "id": make_id("device", name, version, weights),
        "version": [{"value": version}],
    }
    if weights:
        found["identifier"] = [{"system": DIGEST, "value": weights}]
    if release == "R5":
        found["name"] = [{"value": name, "type": "user-friendly-name", "display": True}]
    else:
        found["deviceName"] = [{"name": name, "type": "user-friendly-name"}]
    return found


def _provenance(export: Export, signatures: Signatures | None) -> Resource:
    """Where the report comes from: record, film, software; and the record's signatures."""
    content = export.record.content
    entities = [("source", export.record.record_digest), ("source", content.source.file_sha256)]
    if content.previous:
        entities.append(("revision", content.previous))
    agents = [export.device, *([export.model] if export.model else [])]
    found: Resource = {
        "resourceType": "Provenance",
        "id": make_id(export.record.record_digest, "provenance", ""),
        "target": [reference(export.reference("report", ""))],
        "recorded": export.record.run.created,
        "agent": [_agent("assembler", reference(url)) for url in agents],
        "entity": [
            {"role": role, "what": {"identifier": {"system": DIGEST, "value": digest}}} for role, digest in entities
        ],
    }
    if signatures is not None:
        found["signature"] = list(_signatures(signatures))
    return found


def _decision(export: Export, number: int, event: ReviewEvent) -> Resource:
    """What one person decided, and on which record."""
    said = f"{event.outcome} ({event.meaning}, {event.role})"
    return {
        "resourceType": "Provenance",
        "id": make_id(export.record.record_digest, "decision", str(number)),
        "target": [reference(export.reference("report", ""))],
        "occurredDateTime": event.at,
        "recorded": event.at,
        "activity": {"text": f"{said}: {event.reason}" if event.reason else said},
        "agent": [_agent("verifier", _person(event))],
        "entity": [{"role": "source", "what": {"identifier": {"system": DIGEST, "value": event.reviewed}}}],
    }


def _agent(role: str, who: Resource) -> Resource:
    return {"type": {"coding": [{"system": PARTICIPANT, "code": role}]}, "who": who}


def _person(event: ReviewEvent) -> Resource:
    return {"type": "Practitioner", "identifier": {"value": event.reviewer}, "display": event.name}


def _signatures(signatures: Signatures) -> Iterator[Resource]:
    from cephstd.audit.signer import read_statement

    signed_at = read_statement(signatures.envelope).signed_at.isoformat()
    for signature in signatures.envelope.signatures:
        yield {
            "type": [VERIFICATION],
            "when": signed_at,
            "who": {"type": "Practitioner", "identifier": {"value": signature.keyid}},
            "targetFormat": "application/json",
            "sigFormat": "application/json",
            "data": base64.b64encode(signatures.to_bytes()).decode(),
        }


def _read_signatures(record: Record, signatures: Signatures | bytes | None) -> Signatures | None:
    if signatures is None:
        return None
    from cephstd.audit.signer import RECORD, check_subject, decode_signatures, read_statement

    found = decode_signatures(signatures) if isinstance(signatures, bytes) else signatures
    check_subject(read_statement(found.envelope), RECORD, record.data)
    return found


def _validate(resource: dict[str, Any], release: Release) -> None:
    kind = resource["resourceType"]
    try:
        MODELS[release](kind).model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ExportError(f"The record makes no valid FHIR {release} {kind}: {where}: {first['msg']}.") from error
