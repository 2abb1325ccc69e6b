from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from cephstd.audit import verifier
from cephstd.audit.recorder import record as make_record
from cephstd.core.image import Calibration
from cephstd.core.landmarks import LandmarkSet, landmark_set, place_landmark
from cephstd.errors import (
    DigestMismatch,
    ModelIntegrityError,
    ModelUnavailable,
    NotCanonicalError,
    ReplayMismatch,
    UnknownModelError,
)
from cephstd.geometry.measurer import Measurer
from cephstd.io.reader import read
from cephstd.pipeline import replayer
from cephstd.pipeline.analyzer import Analyzer, analyze
from cephstd.pipeline.comparer import Tolerances
from cephstd.pipeline.replayer import replay, verify_source

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import STORAGE, dicom_film

NOW = "2025-04-16T09:30:00Z"


@pytest.fixture
def record(oracle, stated, film_file):
    return analyze(film_file, recipe=stated, created=NOW)


def test_same_film_gives_the_same_result(record, film_file):
    again = replay(record, film_file)
    assert again.same_result
    assert again.again == record
    assert again.largest == ()
    assert "the same result" in str(again)


def test_record_and_film_may_be_bytes(record, film_file, tmp_path):
    path = tmp_path / "a.record.json"
    path.write_bytes(record.to_bytes())
    assert replay(path, film_file.read_bytes()).same_result


def test_small_drift_is_within_the_tolerances_and_reported(oracle, record, film_file):
    oracle.points["A"] = (160.02, 180)
    again = replay(record, film_file)
    assert not again.same_result
    largest = {difference.quantity: difference for difference in again.largest}
    assert largest["position"].amount == pytest.approx(0.02)
    assert largest["position"].subject == "landmark A"
    assert "value" in largest
    assert "within the tolerances" in str(again)


def test_drift_beyond_the_tolerances_is_a_mismatch_that_says_what_and_how_much(oracle, record, film_file):
    oracle.points["A"] = (160.2, 180)
    with pytest.raises(ReplayMismatch, match=r"landmark A, position.*differs by 0\.2 px \(allowed 0\.05\)"):
        replay(record, film_file)


def test_tolerances_are_the_callers(oracle, record, film_file):
    oracle.points["A"] = (160.2, 180)
    wide = Tolerances(point_px=1, angle_deg=1, length_mm=1, percent=1, ratio=1)
    assert not replay(record, film_file, tolerances=wide).same_result


def test_landmark_that_is_lost_is_a_mismatch(oracle, record, film_file):
    del oracle.points["B"]
    with pytest.raises(ReplayMismatch, match="ids"):
        replay(record, film_file)


def test_another_film_is_refused_before_any_model_result(record, film_file, pixels):
    other = cv2.imencode(".png", pixels[::-1])[1].tobytes()
    with pytest.raises(DigestMismatch, match="another file"):
        replay(record, other)


def test_same_pixels_in_another_file_are_another_film(record, pixels):
    with pytest.raises(DigestMismatch, match="another film"):
        replay(record, pixels)


def test_film_given_as_an_array_is_recognised_by_its_pixels(oracle, stated, pixels):
    record = analyze(pixels, recipe=stated, created=NOW)
    assert replay(record, pixels).same_result
    with pytest.raises(DigestMismatch, match="another film"):
        replay(record, pixels[::-1])


def test_edited_record_is_refused(record, film_file):
    with pytest.raises(DigestMismatch):
        replay(record.to_bytes().replace(b'"x_px":60,', b'"x_px":61,'), film_file)
    with pytest.raises(NotCanonicalError):
        replay(json.dumps(json.loads(record.to_bytes())).encode(), film_file)


@pytest.mark.parametrize("error", [ModelUnavailable("no file"), ModelIntegrityError("other file")])
def test_weights_that_are_absent_or_damaged_are_no_mismatch(oracle, record, film_file, error):
    oracle.error = error
    with pytest.raises(type(error)):
        replay(record, film_file)


def test_model_that_no_catalog_knows_is_unavailable(oracle, record, film_file):
    oracle.error = UnknownModelError("no such model")
    with pytest.raises(ModelUnavailable, match="oracle 1 is not in the catalog"):
        replay(record, film_file)


def test_other_weights_under_the_same_name_are_unavailable(oracle, record, film_file):
    oracle.facts = msgspec.structs.replace(oracle.facts, version="2", weights_sha256="sha256:" + "b" * 64)
    oracle.points["A"] = (0, 0)
    with pytest.raises(ModelUnavailable, match="version 2"):
        replay(record, film_file)


def test_options_of_the_recorded_run_are_used(oracle, stated, film_file):
    recipe = msgspec.structs.replace(stated, min_score=0.25)
    record = Analyzer(recipe, threads=2)(film_file, created=NOW).record
    replay(record, film_file, device="cpu", models="folder")
    assert oracle.made[-1] == {
        "model": "oracle",
        "device": "cpu",
        "models": "folder",
        "threads": 2,
        "accepted_licences": (),
        "min_score": 0.25,
    }


def test_other_provider_is_a_note(oracle, record, film_file):
    oracle.facts = msgspec.structs.replace(oracle.facts, provider_ran="CUDAExecutionProvider")
    again = replay(record, film_file)
    assert again.same_result
    assert "The model ran on CPUExecutionProvider then, on CUDAExecutionProvider now." in again.notes


@pytest.mark.parametrize("basis", ["user_ruler", "user_stated", "ermf_applied"])
def test_scale_that_the_file_does_not_hold_is_taken_from_the_record(oracle, recipe, film_file, basis):
    scale = Calibration(basis=basis, row_mm=0.4, column_mm=0.4, relative_sd=0.01, sources=("two clicks",))
    record = analyze(film_file, recipe=recipe, created=NOW, calibration=scale)
    again = replay(record, film_file)
    assert again.same_result
    assert any(basis in note for note in again.notes)


def test_scale_of_the_file_is_read_again(oracle, recipe, film_file, monkeypatch):
    own = Calibration(basis="geometry", row_mm=0.4, column_mm=0.4)
    honest = replayer.read_film

    def film_with(calibration):
        return lambda *given, **choices: dataclasses.replace(honest(*given, **choices), calibration=calibration)

    record = analyze(film_with(own)(film_file, recipe), recipe=recipe, created=NOW)
    monkeypatch.setattr(replayer, "read_film", film_with(own))
    assert replay(record, film_file).same_result
    monkeypatch.setattr(replayer, "read_film", film_with(msgspec.structs.replace(own, row_mm=0.41)))
    with pytest.raises(ReplayMismatch, match="calibration, row_mm"):
        replay(record, film_file)


def test_points_of_a_person_are_taken_from_the_record(record, film_file, stated):
    """A model's record, then one point moved by hand."""
    done = Analyzer(stated)(film_file, created=NOW)
    moved = place_landmark("A", 150, 170, state="moved")
    marks = done.marks.replace(moved if mark.id == "A" else mark for mark in done.marks)
    values = Measurer("steiner")(marks, done.normal.calibration)
    amended = make_record(done.film, done.normal, marks, values, recipe=stated, created=NOW, previous=record)
    again = replay(amended, film_file)
    assert again.same_result
    assert "Taken from the record, because a person set them: A." in again.notes


def test_accepted_point_is_detected_again(oracle, film_file, stated):
    done = Analyzer(stated)(film_file, created=NOW)
    accepted = done.marks.replace(msgspec.structs.replace(mark, review="accepted") for mark in done.marks)
    values = Measurer("steiner")(accepted, done.normal.calibration)
    record = make_record(done.film, done.normal, accepted, values, recipe=stated, created=NOW)
    assert replay(record, film_file).same_result
    oracle.points["A"] = (161, 180)
    with pytest.raises(ReplayMismatch):
        replay(record, film_file)


def test_record_without_a_model_is_measured_again(oracle, film_file, recipe):
    done = Analyzer(recipe)(film_file, created=NOW)
    marks: LandmarkSet = landmark_set({"S": (60, 90), "N": (170, 95), "A": (160, 180)})
    values = Measurer("steiner")(marks, None)
    record = make_record(done.film, done.normal, marks, values, recipe=recipe, created=NOW)
    made = len(oracle.made)
    again = replay(record, film_file)
    assert again.same_result
    assert len(oracle.made) == made


def test_verify_source_compares_file_and_pixels(record, film_file):
    report = verify_source(record, film_file)
    assert [check.name for check in report.checks][-2:] == ["source file", "source pixels"]
    assert report.not_checked == (verifier.NO_SIGNATURE, verifier.NO_LOG, verifier.NO_REPLAY)


def test_verify_source_refuses_another_film_before_decoding_it(record, monkeypatch):
    monkeypatch.setattr(replayer, "read", lambda *_, **__: pytest.fail("a film that is not the recorded one was read"))
    with pytest.raises(DigestMismatch):
        verify_source(record, b"another film")


def test_verify_source_notes_another_decoder(record, film_file, monkeypatch):
    honest = replayer.read

    def other(*given, **options):
        film = honest(*given, **options)
        source = msgspec.structs.replace(film.source, decoder="other 9", pixel_sha256="sha256:" + "1" * 64)
        return dataclasses.replace(film, source=source)

    monkeypatch.setattr(replayer, "read", other)
    assert "decoder differs" in verify_source(record, film_file).notes[0]


def test_a_record_of_one_frame_is_replayed_from_that_frame(oracle, stated, film_file, tmp_path):
    pixels = cv2.imread(str(film_file), cv2.IMREAD_GRAYSCALE)
    frames = np.stack([pixels[:, ::-1], pixels])
    series = tmp_path / "series.dcm"
    series.write_bytes(dicom_film(pixels, sop_class=STORAGE + "7.2", NumberOfFrames=2, PixelData=frames.tobytes()))
    record = Analyzer(stated)(read(series, frame=2), created=NOW).record
    assert record.content.source.frame == 2
    assert replay(record, series).same_result
