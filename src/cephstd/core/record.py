"""The record of one analysed film, ``cephstd.record/1``: its fields, its canonical bytes, its digests.

`content` is what was found and from what; `run` is when, where and with which software. ``result_digest`` covers the
content, ``record_digest`` covers schema, content and run.

A record keeps the very bytes that it was read from. Fields may be added to this schema with a default, never removed,
renamed or given another default: so an older record lacks them, reads with the default, and still verifies, because
its digests cover its stored bytes and not a new writing of them.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.core.image import Calibration, Device, Quality, Source, ViewVerdict
from cephstd.core.interpretation import Interpretation
from cephstd.core.landmarks import Landmark, ModelFacts
from cephstd.core.measures import Measure, Uncertainty
from cephstd.core.recipe import Recipe
from cephstd.core.steps import AnyStep
from cephstd.core.trail import ReviewEvent
from cephstd.errors import DigestMismatch, InputError, NotCanonicalError, SchemaError

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
    view: ViewVerdict | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a record may say of a person: a pseudonym that the caller made, age and sex."""

    pseudonym: str | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None


class RecordedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model found the landmarks, under which terms; where it ran is part of `Run`."""

    name: str
    version: str
    scheme: str
    weights_sha256: str
    licence_code: str
    licence_weights: str
    licence_data: str
    intended_use: str

    @classmethod
    def from_facts(cls, facts: ModelFacts) -> RecordedModel:
        """The part of a model's facts that is the same on every machine."""
        return cls(**{name: getattr(facts, name) for name in cls.__struct_fields__})


class Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found, from which film, by which definitions.

    `trail` has the decisions that led to this record. `earlier_reviews` has those on records of the film that were
    analysed or measured anew since: each belongs to the record that it names, and none is a decision on this one.
    """

    source: Source
    device: Device
    calibration: Calibration
    normalized: NormalizedFacts
    model: RecordedModel | None
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
    trail: tuple[ReviewEvent, ...] = ()
    interpretation: Interpretation = Interpretation()
    earlier_reviews: tuple[ReviewEvent, ...] = ()

    @property
    def reviews(self) -> tuple[ReviewEvent, ...]:
        """Every decision on the film's records so far, in order: `earlier_reviews`, then `trail`."""
        return (*self.earlier_reviews, *self.trail)

    @property
    def uncertainty(self) -> Uncertainty | None:
        """How standard deviations were obtained; None where they are of first order and were not examined."""
        examined = any(measure.linear is not None for measure in self.measures)
        return self.recipe.uncertainty if examined else None


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and with what the content was made; never part of ``result_digest``."""

    created: str
    clock: str = "caller"
    versions: dict[str, str] = {}
    machine: str = ""
    provider_requested: str = ""
    provider_ran: str = ""
    threads: int = 0


class RecordLayout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON object that a record is."""

    schema: Literal["cephstd.record/1"]
    content: Content
    run: Run
    result_digest: str
    record_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A sealed record; make one with `seal`, read one with `decode_record`.

    Attributes
    ----------
    data : bytes
        The record's canonical bytes (RFC 8785 JSON): what is stored, hashed and signed. Two records are equal when
        these are.
    content : Content
        What was found and from what.
    run : Run
        When and with what it was made.
    result_digest, record_digest : str
        ``sha256:...`` of the content, and of schema, content and run.
    """

    data: bytes = field(repr=False)
    content: Content = field(compare=False)
    run: Run = field(compare=False)
    result_digest: str = field(compare=False)
    record_digest: str = field(compare=False)

    def to_bytes(self) -> bytes:
        """The record's canonical bytes (RFC 8785 JSON); what is stored, hashed and signed."""
        return self.data

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

    msgspec does not check types in constructors, so the value is encoded, decoded and compared: what is sealed is what
    a reader will get.

    Raises
    ------
    SchemaError
        When a field has a value of another type than declared.
    InputError
        When a value is NaN or infinite.
    """
    content_bytes, run_bytes = canonical_bytes(content), canonical_bytes(run)
    digests = _digests(content_bytes, run_bytes)
    data = _compose(content_bytes, run_bytes, **digests)
    plain = json.loads(data)
    layout = _convert(plain)
    for written, read in ((plain["content"], layout.content), (plain["run"], layout.run)):
        if written != json.loads(msgspec.json.encode(read)):
            raise SchemaError("The record does not read back as it was written; a field holds another type's value.")
    return Record(data=data, content=layout.content, run=layout.run, **digests)


def decode_record(data: bytes) -> Record:
    """Read a record from its canonical bytes and check its digests.

    Parameters
    ----------
    data : bytes
        The whole content of a record's file.

    Returns
    -------
    Record

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
        raise SchemaError(f"Expected a record of schema {SCHEMA}, found {found!r:.80}.")
    layout = _convert(plain)
    found_digests = {"result_digest": layout.result_digest, "record_digest": layout.record_digest}
    try:
        content_bytes, run_bytes = canonical_bytes(plain["content"]), canonical_bytes(plain["run"])
        canonical = _compose(content_bytes, run_bytes, **found_digests)
    except InputError as error:
        raise NotCanonicalError(f"The record has no canonical form: {error}") from error
    if canonical != data:
        raise NotCanonicalError(
            "The bytes are not the record's canonical form (RFC 8785).",
            hint="Keep record files as they were written; do not reformat them.",
        )
    for name, value in _digests(content_bytes, run_bytes).items():
        if found_digests[name] != value:
            raise DigestMismatch(
                f"The {name} is {found_digests[name]}, what it covers gives {value}: the record was altered."
            )
    return Record(data=bytes(data), content=layout.content, run=layout.run, **found_digests)


def record_schema() -> dict[str, Any]:
    """JSON Schema of ``cephstd.record/1``, as plain JSON data.

    Returns
    -------
    dict
        Draft 2020-12; what a schema cannot say (canonical bytes, digests) is on the manual's page on the format.
    """
    schema: dict[str, Any] = json.loads(msgspec.json.encode(msgspec.json.schema(RecordLayout)))
    for definition in schema["$defs"].values():
        # the summary of the docstring: the rest is indented or not, as the version of Python has it
        summary = definition.get("description", "").partition("\n\n")[0]
        definition["description"] = " ".join(summary.split())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **schema}


def _digests(content_bytes: bytes, run_bytes: bytes) -> dict[str, str]:
    covered = b'{"content":%b,"run":%b,"schema":%b}' % (content_bytes, run_bytes, canonical_bytes(SCHEMA))
    return {"result_digest": digest_bytes(content_bytes), "record_digest": digest_bytes(covered)}


def _compose(content_bytes: bytes, run_bytes: bytes, *, result_digest: str, record_digest: str) -> bytes:
    """Canonical bytes of the whole record from canonical parts: its keys in the order that RFC 8785 asks for.

    Putting the parts together costs a third of making the whole canonical for each digest anew.
    """
    return b'{"content":%b,"record_digest":%b,"result_digest":%b,"run":%b,"schema":%b}' % (
        content_bytes,
        canonical_bytes(record_digest),
        canonical_bytes(result_digest),
        run_bytes,
        canonical_bytes(SCHEMA),
    )


def _convert(plain: Any) -> RecordLayout:
    try:
        return msgspec.convert(plain, RecordLayout)
    # a lone surrogate in a key leaves msgspec as UnicodeEncodeError, which is a ValueError
    except (msgspec.ValidationError, ValueError) as error:
        raise SchemaError(f"The bytes break schema {SCHEMA}: {error}.") from error
