"""The bundled model on a sample film, through every stage and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.image import state_calibration
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.comparer import Tolerances
from cephstd.pipeline.replayer import replay, verify_source

NOW = "2025-04-16T09:30:00Z"


@pytest.fixture(scope="module")
def film(samples: Path) -> Path:
    return samples / "composite_a.dcm"


@pytest.fixture(scope="module")
def record(film: Path) -> Record:
    return Analyzer(Recipe())(film, created=NOW).record


def test_most_points_are_found_where_the_sample_has_them(record, film):
    stated = json.loads(film.with_suffix(".landmarks.json").read_text())
    points = stated["landmarks_px"]
    spacing = record.content.calibration.spacing_mm
    assert spacing is not None
    found = {mark.id: (mark.x_px, mark.y_px) for mark in record.content.landmarks if mark.is_present}
    off_mm = [np.hypot(*np.subtract(found[id], points[id])) * spacing[0] for id in points if id in found]
    assert len(off_mm) >= 17
    assert np.median(off_mm) < 2.0


def test_run_says_what_ran(record):
    assert record.run.provider_ran.endswith("ExecutionProvider")
    assert {"onnxruntime", "opencv", "numpy", "pydicom"} <= set(record.run.versions)


def test_record_verifies_with_its_film(record, film):
    assert verify_source(record, film).level == "intact"


def test_replay_gives_the_same_result(record, film):
    again = replay(record, film)
    assert again.same_result
    assert again.largest == ()


def test_scale_stated_by_a_person_replays_though_the_file_has_another(record, film):
    stated = Analyzer(Recipe())(film, created=NOW, calibration=state_calibration(0.12)).record
    assert stated.content.calibration != record.content.calibration
    assert any("differ" in warning for warning in stated.content.warnings)
    assert replay(stated, film).same_result


def test_no_tolerance_at_all_still_holds_on_one_machine(record, film):
    nothing = Tolerances(
        point_px=0, score=0, covariance_ratio=0, spacing_ratio=0, angle_deg=0, length_mm=0, percent=0, ratio=0
    )
    assert replay(record, film, tolerances=nothing).same_result
