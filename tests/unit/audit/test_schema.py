from __future__ import annotations

import json
from importlib import resources

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cephstd.audit.recorder import record
from cephstd.core.record import record_schema


@pytest.fixture
def shipped() -> dict:
    return json.loads((resources.files("cephstd.audit") / "cephstd.record-1.schema.json").read_bytes())


@pytest.fixture
def plain(film, normal, marks, values, recipe) -> dict:
    sealed = record(film, normal, marks, values, recipe=recipe, created="2025-04-16T09:30:00Z")
    return json.loads(sealed.to_bytes())


def test_shipped_schema_is_that_of_the_code(shipped):
    assert shipped == record_schema(), "write it anew: cephstd schema > src/cephstd/audit/cephstd.record-1.schema.json"


def test_schema_is_valid(shipped):
    Draft202012Validator.check_schema(shipped)


def test_record_validates(shipped, plain):
    Draft202012Validator(shipped).validate(plain)


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain["content"].update(patient="Doe"),
        lambda plain: plain["content"].pop("landmarks"),
        lambda plain: plain["content"]["landmarks"][0].update(state="lost"),
        lambda plain: plain["content"]["calibration"].update(basis="guessed"),
        lambda plain: plain["content"]["normalized"]["steps"][0].update(step="swirl"),
        lambda plain: plain.update(schema="cephstd.record/2"),
    ],
)
def test_schema_refuses_what_the_code_refuses(shipped, plain, change):
    change(plain)
    with pytest.raises(ValidationError):
        Draft202012Validator(shipped).validate(plain)
