from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
import rfc8785

from cephstd.core.digest import digest_bytes
from cephstd.core.image import Calibration, Device, Quality, Source
from cephstd.core.landmarks import Landmark, ModelFacts
from cephstd.core.measures import Measure
from cephstd.core.recipe import Recipe
from cephstd.core.record import (
    Content,
    NormalizedFacts,
    RecordedModel,
    Run,
    decode_record,
    record_schema,
    seal,
)
from cephstd.core.steps import Invert, Resize
from cephstd.errors import DigestMismatch, InputError, NotCanonicalError, SchemaError

DIGEST = "sha256:" + "0" * 64
RUN = Run(created="2025-04-16T09:30:00Z", versions={"numpy": "2.0"}, threads=2)


def content(**changes: object) -> Content:
    made = Content(
        source=Source(
            format="png", file_sha256=DIGEST, pixel_sha256=DIGEST, decoder="x 1", width_px=4, height_px=3, bits=8
        ),
        device=Device(manufacturer="Größe & Söhne"),
        calibration=Calibration(basis="user_stated", row_mm=0.1, column_mm=0.1),
        normalized=NormalizedFacts(
            source_width_px=4,
            source_height_px=3,
            steps=(Invert(), Resize(width=2, height=2)),
            pixel_sha256=DIGEST,
            spacing_mm=None,
            quality=Quality(verdict="limited"),
        ),
        model=None,
        scheme="custom",
        landmarks=(Landmark(id="S", x_px=1.5, y_px=2.0, state="placed"),),
        analysis="all",
        measures=(Measure(id="SNA", definition_version=1, unit="deg", value=82.0),),
        recipe=Recipe(),
        recipe_digest=Recipe().digest,
    )
    return msgspec.structs.replace(made, **changes)


def resealed(plain: dict) -> bytes:
    """What a forger writes who knows how the digests are taken."""
    core = {key: plain[key] for key in ("content", "run", "schema")}
    digests = {
        "result_digest": digest_bytes(rfc8785.dumps(plain["content"])),
        "record_digest": digest_bytes(rfc8785.dumps(core)),
    }
    return rfc8785.dumps(core | digests)


def test_sealed_record_reads_back():
    record = seal(content(), RUN)
    again = decode_record(record.to_bytes())
    assert again == record
    assert again.content == content()
    assert again.run == RUN


def test_bytes_are_the_canonical_form_with_digests_of_what_they_cover():
    data = seal(content(), RUN).to_bytes()
    plain = json.loads(data)
    assert data == rfc8785.dumps(plain) == resealed(plain)


def test_result_digest_covers_content_alone():
    first, second = seal(content(), RUN), seal(content(), Run(created="2026-01-01T00:00:00Z"))
    assert first.result_digest == second.result_digest
    assert first.record_digest != second.record_digest
    assert seal(content(scheme="isbi19"), RUN).result_digest != first.result_digest


@pytest.mark.parametrize(
    "changes",
    [
        {"scheme": 5},
        {"landmarks": ({"id": "S", "state": "lost"},)},
        {"landmarks": (Landmark(id="S", x_px="1.5", y_px=2.0, state="placed"),)},
        {"measures": (Measure(id="SNA", definition_version=1.5, unit="deg", value=82.0),)},
        {"measures": (Measure(id="SNA", definition_version=1, unit="furlong", value=82.0),)},
        {"recipe": None},
        {"previous": 7},
    ],
    ids=str,
)
def test_value_of_another_type_than_declared_is_caught_by_seal(changes):
    with pytest.raises(SchemaError):
        seal(content(**changes), RUN)


def test_plain_dict_in_place_of_a_struct_is_caught_by_seal():
    # it would lack the fields that have defaults, and so the same content would have two digests
    with pytest.raises(SchemaError, match="read back"):
        seal(content(calibration={"basis": "undetermined"}), RUN)


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32("nan")])
def test_nan_is_refused_not_written_as_null(value):
    with pytest.raises(InputError):
        seal(content(measures=(Measure(id="SNA", definition_version=1, unit="deg", value=value),)), RUN)


def test_numpy_scalars_give_the_same_record():
    scalars = Landmark(id="S", x_px=np.float64(1.5), y_px=np.float32(2.0), state="placed")
    assert seal(content(landmarks=(scalars,)), RUN) == seal(content(), RUN)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"cephstd.record/1"', "{}", '{"schema":"cephstd.record/2"}', "[" * 100_000, "1" * 5_000],
    ids=lambda text: text[:20],
)
def test_other_bytes_are_refused(text):
    with pytest.raises(SchemaError):
        decode_record(text.encode())


def test_bytes_that_are_no_text_are_refused():
    data = seal(content(), RUN).to_bytes()
    for other in (b"\xff" + data, data.replace(b"placed", b"plac\xed\xa0")):
        with pytest.raises(SchemaError):
            decode_record(other)


def test_same_content_in_another_encoding_is_refused():
    data = seal(content(), RUN).to_bytes()
    for other in (data.decode().encode("utf-16"), b"\xef\xbb\xbf" + data):
        with pytest.raises(NotCanonicalError):
            decode_record(other)


@pytest.mark.parametrize("indent", [None, 2])
def test_reformatted_json_is_refused(indent):
    data = seal(content(), RUN).to_bytes()
    with pytest.raises(NotCanonicalError, match="reformat"):
        decode_record(json.dumps(json.loads(data), indent=indent).encode())


def test_trailing_newline_is_refused():
    with pytest.raises(NotCanonicalError):
        decode_record(seal(content(), RUN).to_bytes() + b"\n")


def test_duplicate_key_is_refused():
    data = seal(content(), RUN).to_bytes()
    twice = data.replace(b'"scheme":"custom"', b'"scheme":"isbi19","scheme":"custom"')
    assert json.loads(twice) == json.loads(data)
    with pytest.raises(NotCanonicalError):
        decode_record(twice)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e400", b"1" + b"0" * 400], ids=lambda n: n[:8].decode())
def test_number_without_canonical_form_is_refused(number):
    data = seal(content(), RUN).to_bytes()
    assert b'"value":82' in data
    with pytest.raises((NotCanonicalError, SchemaError)):
        decode_record(data.replace(b'"value":82', b'"value":' + number))


def test_lone_surrogates_are_refused():
    data = seal(content(), RUN).to_bytes()
    for other in (data.replace(b'"custom"', rb'"\ud800"'), data.replace(b'"numpy":', rb'"\ud800":')):
        with pytest.raises((NotCanonicalError, SchemaError)):
            decode_record(other)


def test_changed_value_is_a_digest_mismatch():
    plain = json.loads(seal(content(), RUN).to_bytes())
    plain["content"]["measures"][0]["value"] = 80.5
    with pytest.raises(DigestMismatch, match="altered"):
        decode_record(rfc8785.dumps(plain))


def test_changed_run_is_a_digest_mismatch():
    plain = json.loads(seal(content(), RUN).to_bytes())
    plain["run"]["created"] = "2024-04-16T09:30:00Z"
    with pytest.raises(DigestMismatch, match="record_digest"):
        decode_record(rfc8785.dumps(plain))


def test_unknown_field_is_refused_even_when_resealed():
    plain = json.loads(seal(content(), RUN).to_bytes())
    plain["content"]["patient_name"] = "Doe^Jane"
    with pytest.raises(SchemaError, match="patient_name"):
        decode_record(resealed(plain))


def test_older_record_without_a_newer_field_keeps_its_bytes_and_verifies():
    plain = json.loads(seal(content(), RUN).to_bytes())
    del plain["content"]["warnings"]
    older = resealed(plain)
    record = decode_record(older)
    assert record.content.warnings == ()
    assert record.to_bytes() == older


def test_recorded_model_leaves_out_where_it_ran():
    terms = dict.fromkeys(RecordedModel.__struct_fields__, "a")
    model = RecordedModel.from_facts(ModelFacts(**terms, provider_requested="auto", provider_ran="CPU"))
    assert msgspec.structs.asdict(model) == terms


def test_schema_names_itself_and_requires_the_digests():
    schema = record_schema()
    assert schema["$id"] == "cephstd.record/1"
    layout = schema["$defs"]["RecordLayout"]
    assert set(layout["required"]) == {"schema", "content", "run", "result_digest", "record_digest"}
    assert layout["additionalProperties"] is False


def test_shown_as_text_and_html():
    record = seal(content(), RUN)
    assert "1 landmarks, 1 values" in repr(record)
    assert record.record_digest in record._repr_html_()
