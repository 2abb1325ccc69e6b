from __future__ import annotations

import dataclasses
import platform
import socket
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import numpy as np
import pytest

from cephstd.audit.recorder import environment, format_time, machine, record
from cephstd.audit.verifier import verify
from cephstd.core.digest import digest_pixels, pseudonym
from cephstd.core.landmarks import Landmark, LandmarkSet, landmark_set
from cephstd.core.measures import Measure, MeasureSet
from cephstd.core.recipe import Recipe
from cephstd.core.steps import Chain
from cephstd.errors import InputError, SchemaError

NOW = "2025-04-16T09:30:00Z"
SUBJECT = pseudonym(b"0123456789abcdef", "Doe^Jane")


@pytest.fixture
def parts(film, normal, marks, values, recipe):
    """The arguments of `record`, to be changed one at a time."""
    return {
        "film": film,
        "normal": normal,
        "marks": marks,
        "values": values,
        "recipe": recipe,
        "created": NOW,
    }


def make(parts, **changes):
    given = parts | changes
    stages = [given.pop(name) for name in ("film", "normal", "marks", "values")]
    return record(*stages, **given)


def test_record_says_what_was_found_and_from_what(parts, film, normal, marks):
    sealed = make(parts, subject=SUBJECT, threads=2)
    content, run = sealed.content, sealed.run
    assert content.source == film.source
    assert content.device == film.device
    assert content.calibration == normal.calibration
    assert content.normalized.steps == normal.chain.steps
    assert content.normalized.pixel_sha256 == digest_pixels(normal.pixels)
    assert content.landmarks == marks.landmarks
    assert content.recipe_digest == parts["recipe"].digest
    assert content.model is not None
    assert content.model.weights_sha256 == marks.model.weights_sha256
    assert (content.subject.pseudonym, content.subject.sex) == (SUBJECT, "F")
    assert (run.created, run.threads, run.provider_ran) == (NOW, 2, "CPUExecutionProvider")
    assert run.versions == dict(environment())
    verify(sealed)


def test_values_and_deviations_are_rounded_as_the_recipe_says(parts, recipe):
    rounded = make(parts).content.measures[0]
    assert (rounded.value, rounded.sd) == (0.4776, 0.0123)
    coarse = make(parts, recipe=msgspec.structs.replace(recipe, value_decimals=1)).content.measures[0]
    assert (coarse.value, coarse.sd) == (0.5, 0.0)


def test_provider_is_part_of_the_run_and_not_of_the_result(parts, marks):
    other = dataclasses.replace(marks, model=msgspec.structs.replace(marks.model, provider_ran="CUDA"))
    first, second = make(parts), make(parts, marks=other, created="2026-01-01T00:00:00Z", threads=4)
    assert first.result_digest == second.result_digest
    assert second.run.provider_ran == "CUDA"


def test_warnings_of_every_stage_are_kept_once(parts):
    content = make(parts).content
    assert content.warnings == ("dim", "one withheld")
    assert content.normalized.warnings == ("tilted",)


def test_notices_say_no_medical_device_and_the_terms_of_the_weights(parts):
    notices = " ".join(make(parts).content.notices)
    assert "Not a medical device" in notices
    assert "research-only" in notices


def test_numpy_scalars_and_float32_are_converted_and_rounded(parts):
    mark = Landmark(id="S", x_px=np.float32(1.1), y_px=np.float64(2.0), state="placed", score=np.float32(0.3))
    values = MeasureSet(
        analysis="steiner",
        measures=(Measure(id="X", definition_version=np.int64(1), unit="deg", value=np.float32(0.1)),),
    )
    marks = LandmarkSet(landmarks=(mark,), scheme="custom")
    content = make(parts, marks=marks, values=values).content
    assert (content.landmarks[0].x_px, content.landmarks[0].score) == (1.1, 0.3)
    assert content.measures[0].value == 0.1


def test_landmarks_of_a_person_need_no_model(parts):
    content = make(parts, marks=landmark_set({"S": (1, 2), "N": (5, 2), "Pog": (5, 5)})).content
    assert content.model is None
    assert len(content.notices) == 1


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (datetime(2025, 4, 16, 9, 30, tzinfo=UTC), NOW),
        (datetime(2025, 4, 16, 11, 30, tzinfo=timezone(timedelta(hours=2))), NOW),
        ("2025-04-16T09:30:00Z", NOW),
        ("2025-04-16T04:30:00-05:00", NOW),
        ("2025-04-16T09:30:00.25Z", "2025-04-16T09:30:00.25Z"),
    ],
)
def test_time_is_stored_in_utc(given, stored):
    assert format_time(given) == stored


@pytest.mark.parametrize(
    "given",
    [datetime(2025, 4, 16, 9, 30), "2025-04-16T09:30:00", "2025-04-16", "2025-02-30T09:30:00Z", "now", "", None, 5],
)
def test_time_without_a_zone_is_refused(given, parts):
    with pytest.raises(InputError, match="time"):
        make(parts, created=given)


def test_time_has_no_default(parts):
    del parts["created"]
    with pytest.raises(TypeError, match="created"):
        make(parts)


def test_previous_record_is_named_by_its_digest(parts):
    first = make(parts)
    second = make(parts, previous=first, created="2025-05-01T00:00:00Z")
    third = make(parts, previous=second.record_digest, created="2025-06-01T00:00:00Z")
    assert first.content.previous is None
    assert second.content.previous == first.record_digest
    assert third.content.previous == second.record_digest


def test_predecessor_of_another_film_is_refused(parts, film, normal):
    other = msgspec.structs.replace(film.source, file_sha256="sha256:" + "1" * 64)
    first = make(parts, film=dataclasses.replace(film, source=other), normal=dataclasses.replace(normal, source=other))
    with pytest.raises(InputError, match="same film"):
        make(parts, previous=first)


def test_digest_that_is_none_is_refused_as_predecessor(parts):
    with pytest.raises(InputError, match="previous"):
        make(parts, previous="record-17")


@pytest.mark.parametrize("subject", ["Doe^Jane", "12345678", "", "Jane", SUBJECT.upper(), SUBJECT + "\n"])
def test_subject_that_is_no_pseudonym_is_refused_without_repeating_it(parts, subject):
    with pytest.raises(InputError, match="pseudonym") as caught:
        make(parts, subject=subject)
    assert not subject or subject not in str(caught.value)


def test_age_and_sex_pass_only_by_recipe(parts, recipe):
    kept = make(parts).content.subject
    assert (kept.age_years, kept.sex) == (12.3, "F")
    silent = make(parts, recipe=msgspec.structs.replace(recipe, keep_age=False, keep_sex=False)).content.subject
    assert (silent.age_years, silent.sex) == (None, None)


def test_standard_image_of_another_film_is_refused(parts, normal):
    other = msgspec.structs.replace(normal.source, pixel_sha256="sha256:" + "1" * 64)
    with pytest.raises(InputError, match="same film"):
        make(parts, normal=dataclasses.replace(normal, source=other))


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (Recipe(model="other", analysis="steiner"), "model other"),
        (Recipe(model="tiny", analysis="all"), "analysis all"),
    ],
    ids=["model", "analysis"],
)
def test_recipe_that_did_not_make_the_parts_is_refused(parts, recipe, named):
    with pytest.raises(InputError, match=named):
        make(parts, recipe=recipe)


def test_chain_of_another_size_is_refused(parts, normal):
    with pytest.raises(InputError, match="chain"):
        make(parts, normal=dataclasses.replace(normal, chain=Chain(source_size=(80, 60))))


def test_nan_is_refused(parts):
    measures = (Measure(id="X", definition_version=1, unit="deg", value=float("nan")),)
    with pytest.raises(InputError):
        make(parts, values=MeasureSet(analysis="steiner", measures=measures))


def test_value_of_another_type_is_refused(parts):
    measures = (Measure(id=7, definition_version=1, unit="deg", value=1.0),)
    with pytest.raises(SchemaError):
        make(parts, values=MeasureSet(analysis="steiner", measures=measures))


def test_environment_names_versions_and_no_machine():
    facts = environment()
    assert facts["python"] == platform.python_version()
    assert {"cephstd", "numpy", "onnxruntime", "opencv"} <= set(facts)
    host = socket.gethostname()
    assert host not in (*facts.values(), machine())


def test_environment_cannot_be_changed_for_the_next_record():
    with pytest.raises(TypeError):
        environment()["numpy"] = "0"
