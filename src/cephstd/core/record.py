"""The record of one analysed film, ``cephstd.record/1``: its fields, its canonical bytes, its digests.

`content` is what was found and from what; `run` is when, where and with which software. ``result_digest`` covers the
content, ``record_digest`` covers schema, content and run.
"""

from __future__ import annotations

import html
import json
from typing import Any, Literal

import msgspec
import rfc8785

from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.core.image import Calibration, Device, Quality, Source
from cephstd.core.landmarks import Landmark, ModelFacts
from cephstd.core.measures import Measure
from cephstd.core.recipe import Recipe
from cephstd.core.steps import AnyStep
from cephstd.errors import DigestMismatch, NotCanonicalError, SchemaError

SCHEMA = "cephstd.record/1"
NOTICES = (
    "Not a medical device: for research and software evaluation; a qualified person must review every point and value.",
)


class NormalizedFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the standard image was made, without its pixels."""

    source_width_px: int
    source_height_px: int
    steps: tuple[AnyStep, ...]
    pixel_sha256: str
    spacing_mm: float | None
    quality: Quality
    warnings: tuple[str, ...] = ()


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a record may say of a person: a pseudonym that the caller made, age and sex."""

    pseudonym: str | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found, from which film, by which definitions."""

    source: Source
    device: Device
    calibration: Calibration
    normalized: NormalizedFacts
    model: ModelFacts | None
    scheme: str
    landmarks: tuple[Landmark, ...]
    analysis: str
    measures: tuple[Measure, ...]
    recipe: Recipe
    recipe_digest: str
    subject: Subject = Subject()
    previous: str | None = None
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = NOTICES


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and with what the content was made; never part of ``result_digest``."""

    created: str
    clock: str = "caller"
    versions: dict[str, str] = {}
    machine: str = ""
    provider_requested: str = ""
    provider_ran: str = ""
    threads: int = 0


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sealed record; make one with `seal`, read one with `decode_record`."""

    schema: Literal["cephstd.record/1"]
    content: Content
    run: Run
    result_digest: str
    record_digest: str

    def to_bytes(self) -> bytes:
        """The record's canonical bytes (RFC 8785 JSON); what is stored, hashed and signed."""
        return canonical_bytes(self)

    def __repr__(self) -> str:
        points = sum(mark.is_present for mark in self.content.landmarks)
        values = sum(measure.is_present for measure in self.content.measures)
        return f"<Record {self.record_digest[:19]}…: {points} landmarks, {values} values>"

    def _repr_html_(self) -> str:
        content = self.content
        rows = {
            "record": self.record_digest,
            "result": self.result_digest,
            "created": self.run.created,
            "calibration": content.calibration.basis,
            "model": f"{content.model.name} {content.model.version}" if content.model else "none",
            "landmarks": f"{sum(m.is_present for m in content.landmarks)} of {len(content.landmarks)}",
            "values": f"{sum(m.is_present for m in content.measures)} of {len(content.measures)}",
        }
        cells = "".join(f"<tr><th>{key}</th><td>{html.escape(value)}</td></tr>" for key, value in rows.items())
        return f"<table>{cells}</table>"


def seal(content: Content, run: Run) -> Record:
    """Close `content` and `run` into a record with its digests.

    msgspec does not check types in constructors, so the value is encoded and decoded once: what is sealed is what a
    reader will get.

    Raises
    ------
    SchemaError
        When a field has a value of another type than declared.
    InputError
        When a value is NaN or infinite.
    """
    plain_content = json.loads(canonical_bytes(content))
    plain_run = json.loads(canonical_bytes(run))
    plain = {
        "schema": SCHEMA,
        "content": plain_content,
        "run": plain_run,
        "result_digest": digest_bytes(rfc8785.dumps(plain_content)),
        "record_digest": _record_digest(plain_content, plain_run),
    }
    record = _convert(plain)
    if canonical_bytes(record) != rfc8785.dumps(plain):
        raise SchemaError("The record does not read back as it was written; a field holds a value of another type.")
    return record


def decode_record(data: bytes) -> Record:
    """Read a record from its canonical bytes and check its digests.

    Raises
    ------
    SchemaError
        When the bytes are no record of a known schema.
    NotCanonicalError
        When they hold a record and differ from its canonical form, by so much as a space.
    DigestMismatch
        When a digest is not the digest of what it covers.
    """
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"Expected a record as JSON, found other bytes: {error}.") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        found = plain.get("schema") if isinstance(plain, dict) else type(plain).__name__
        raise SchemaError(f"Expected a record of schema {SCHEMA}, found {found!r}.")
    record = _convert(plain)
    try:
        canonical = rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, ValueError) as error:
        raise NotCanonicalError(f"The record has no canonical form: {error}.") from error
    if canonical != data:
        raise NotCanonicalError(
            "The bytes are not the record's canonical form (RFC 8785).",
            hint="Keep record files as they were written; do not reformat them.",
        )
    expected = {
        "result_digest": digest_bytes(rfc8785.dumps(plain["content"])),
        "record_digest": _record_digest(plain["content"], plain["run"]),
    }
    for name, value in expected.items():
        if plain[name] != value:
            raise DigestMismatch(f"The {name} is {plain[name]}, what it covers gives {value}: the record was altered.")
    return record


def record_schema() -> dict[str, Any]:
    """JSON Schema of ``cephstd.record/1``."""
    schema = msgspec.json.schema(Record)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **schema}


def _record_digest(content: Any, run: Any) -> str:
    return digest_bytes(rfc8785.dumps({"content": content, "run": run, "schema": SCHEMA}))


def _convert(plain: Any) -> Record:
    try:
        return msgspec.convert(plain, Record)
    except msgspec.ValidationError as error:
        raise SchemaError(f"The bytes break schema {SCHEMA}: {error}.") from error
