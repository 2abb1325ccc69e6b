from __future__ import annotations

import msgspec
import pytest

from cephstd.batch import worker
from cephstd.batch.worker import Bench, Job, RunFault, Setup, explain, is_passing, read_job
from cephstd.core.digest import digest_bytes
from cephstd.core.record import decode_record
from cephstd.errors import CorruptImageError, InputError, NotACephalogramError
from cephstd.pipeline.normalizer import Normalizer

NORMALIZER = Normalizer()


@pytest.fixture
def job(archive, recipe):
    path = archive / "north" / "film0.png"
    return Job(
        number=3,
        path=str(path),
        file_sha256=digest_bytes(path.read_bytes()),
        recipe=recipe,
        created="2025-04-16T09:30:00Z",
    )


@pytest.fixture
def bench(recipe, models):
    return Bench(Setup(recipe=recipe, models=str(models)))


def test_a_job_gives_a_record(job, bench):
    answer = bench.finish(job, read_job(job, NORMALIZER))
    assert (answer.number, answer.status) == (3, "done")
    assert decode_record(answer.record).content.source.file_sha256 == job.file_sha256


def test_recipes_of_one_model_share_it(bench, recipe):
    first = bench.analyzer(recipe)
    second = bench.analyzer(msgspec.structs.replace(recipe, mm_per_px=0.1))
    assert second._detect is first._detect
    assert bench.analyzer(msgspec.structs.replace(recipe, min_score=0.9))._detect is not first._detect


def test_analysis_that_is_unknown_is_a_fault_of_the_run(bench, recipe):
    with pytest.raises(RunFault):
        bench.analyzer(msgspec.structs.replace(recipe, analysis="none"))


def test_record_serves_where_only_measures_change(job, bench, recipe):
    first = bench.finish(job, read_job(job, NORMALIZER)).record
    other = msgspec.structs.replace(recipe, analysis="downs", value_decimals=1)
    again = msgspec.structs.replace(job, recipe=other, record=first)
    served = decode_record(bench.finish(again, read_job(again, NORMALIZER)).record).content
    whole = msgspec.structs.replace(job, recipe=other)
    read = decode_record(bench.finish(whole, read_job(whole, NORMALIZER)).record).content
    assert served.previous == decode_record(first).record_digest
    assert msgspec.structs.replace(served, previous=None) == read


def test_a_picture_that_is_no_cephalogram_is_refused_and_has_not_failed(job, bench, recipe):
    strict = msgspec.structs.replace(job, recipe=msgspec.structs.replace(recipe, view_gate="refuse"))
    with pytest.raises(NotACephalogramError) as refused:
        read_job(strict, NORMALIZER)
    answer = bench.finish(strict, refused.value)
    assert (answer.status, answer.code) == ("refused", NotACephalogramError.code)


def test_film_that_is_another_than_planned_is_an_error(job):
    with pytest.raises(InputError, match="changed while"):
        read_job(msgspec.structs.replace(job, file_sha256=digest_bytes(b"")), NORMALIZER)


def test_manifest_goes_before_the_file(job, bench):
    stated = msgspec.structs.replace(job, age_years=12.0, sex="F", subject="ab" * 16)
    subject = decode_record(bench.finish(stated, read_job(stated, NORMALIZER)).record).content.subject
    assert (subject.age_years, subject.sex, subject.pseudonym) == (12.0, "F", "ab" * 16)


def failing_read(times: int, error: Exception):
    left = [error] * times
    read = worker.read_film

    def read_film(path, recipe):
        if left:
            raise InputError("The file cannot be read.") from left.pop()
        return read(path, recipe)

    return read_film, left


@pytest.mark.parametrize(
    ("error", "passes"),
    [(OSError(5, "away"), True), (FileNotFoundError(2, "gone"), False), (PermissionError(13, "no"), False)],
)
def test_what_may_pass_is_tried_again(job, monkeypatch, error, passes):
    read_film, left = failing_read(2, error)
    monkeypatch.setattr(worker, "read_film", read_film)
    monkeypatch.setattr(worker, "FIRST_WAIT_S", 0.001)
    if passes:
        read_job(job, NORMALIZER)
        assert left == []
    else:
        with pytest.raises(InputError):
            read_job(job, NORMALIZER)
        assert len(left) == 1
    assert not is_passing(CorruptImageError("cut"))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotACephalogramError("a photograph"), "refused", "not_acephalogram"),
        (CorruptImageError("cut", hint="again"), "failed", "corrupt_image"),
        (MemoryError(), "quarantined", "out_of_memory"),
        (KeyError("Jane Roe"), "failed", "internal"),
    ],
)
def test_error_becomes_an_answer_without_names(job, error, status, code):
    answer = explain(job, error)
    assert (answer.status, answer.code) == (status, code)
    assert answer.message
    assert "Jane" not in answer.message
