from __future__ import annotations

import msgspec
import pytest

from cephstd.audit.consistency import contradictions, is_utc_time
from cephstd.audit.recorder import record
from cephstd.core.image import Calibration
from cephstd.core.landmarks import Landmark
from cephstd.core.measures import Measure

replace = msgspec.structs.replace


@pytest.fixture
def sealed(film, normal, marks, values, recipe):
    return record(film, normal, marks, values, recipe=recipe, created="2025-04-16T09:30:00Z")


def found(sealed, **changes) -> str:
    return " ".join(contradictions(replace(sealed.content, **changes), sealed.run))


def test_sound_record_has_none(sealed):
    assert contradictions(sealed.content, sealed.run) == ()


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        ({"state": "absent", "x_px": 1.0, "y_px": 1.0, "reason": "hidden"}, "absent and has a position"),
        ({"state": "absent", "cov_xx": 1.0, "reason": "hidden"}, "absent and has a position or covariance"),
        ({"state": "absent"}, "absent without a reason"),
        ({"state": "detected", "x_px": 1.0}, "without a finite position"),
        ({"state": "placed", "x_px": 1.0, "y_px": float("inf")}, "without a finite position"),
        ({"state": "placed", "x_px": 1.0, "y_px": 1.0, "score": 1.5}, "score of 1.5"),
        ({"state": "placed", "x_px": 1.0, "y_px": 1.0, "cov_xx": 1.0}, "part of a covariance"),
        ({"state": "placed", "x_px": 1.0, "y_px": 1.0, "cov_xx": 1.0, "cov_xy": 2.0, "cov_yy": 1.0}, "semi-definite"),
        ({"state": "placed", "x_px": 1.0, "y_px": 1.0, "cov_xx": -1.0, "cov_xy": 0.0, "cov_yy": 1.0}, "semi-definite"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_landmark_that_contradicts_itself(sealed, mark, sentence):
    assert sentence in found(sealed, landmarks=(Landmark(id="Me", **mark),))


def test_covariance_that_lost_its_rank_by_rounding_is_allowed(sealed):
    # a rank-one covariance (xx yy = xy^2) rounded to four decimals
    mark = Landmark(id="Me", state="placed", x_px=1.0, y_px=1.0, cov_xx=0.3333, cov_xy=0.5774, cov_yy=1.0)
    assert found(sealed, landmarks=(mark, *sealed.content.landmarks)) == ""


@pytest.mark.parametrize(
    ("measure", "sentence"),
    [
        ({}, "absent without a reason"),
        ({"reason": "missing: S", "sd": 1.0}, "absent and has a standard deviation"),
        ({"value": 1.0, "reason": "missing: S"}, "value and a reason"),
        ({"value": 1.0, "sd": -1.0}, "standard deviation of zero or more"),
        ({"value": float("nan")}, "finite value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_measure_that_contradicts_itself(sealed, measure, sentence):
    assert sentence in found(sealed, measures=(Measure(id="SNA", definition_version=1, unit="deg", **measure),))


def test_same_id_twice(sealed):
    content = sealed.content
    assert "Landmark S is listed twice" in found(sealed, landmarks=(content.landmarks[0],) * 2)
    assert "Measure S-N is listed twice" in found(sealed, measures=(content.measures[0],) * 2)


@pytest.mark.parametrize("basis", ["undetermined", "file_dpi_untrusted"])
def test_millimetres_without_a_scale(sealed, basis):
    assert "no scale" in found(sealed, calibration=Calibration(basis=basis, row_mm=0.1, column_mm=0.1))


@pytest.mark.parametrize(
    ("calibration", "sentence"),
    [
        (Calibration(basis="geometry", row_mm=0.1), "needs row and column spacing"),
        (Calibration(basis="geometry", row_mm=0.1, column_mm=-0.1), "above zero"),
        (Calibration(basis="geometry", row_mm=0.1, column_mm=0.1, relative_sd=-0.1), "zero or more"),
    ],
    ids=str,
)
def test_impossible_calibration(sealed, calibration, sentence):
    assert sentence in found(sealed, calibration=calibration)


@pytest.mark.parametrize("change", ["absent", "rejected", "unlisted"])
def test_value_on_a_landmark_that_is_not_there(sealed, change):
    first, *others = sealed.content.landmarks
    marks = {
        "absent": (Landmark(id="S", state="absent", reason="hidden"), *others),
        "rejected": (replace(first, review="rejected", reason="not the sella"), *others),
        "unlisted": tuple(others),
    }
    assert "S-N has a value and rests on a landmark that is absent" in found(sealed, landmarks=marks[change])


def test_value_on_a_provisional_landmark_must_say_so(sealed):
    first, *others = sealed.content.landmarks
    provisional = (replace(first, review="provisional", reason="machine-read labels"), *others)
    assert "S-N rests on a provisional landmark" in found(sealed, landmarks=provisional)
    measure, *rest = sealed.content.measures
    marked = (replace(measure, provisional=True), *rest)
    assert found(sealed, landmarks=provisional, measures=marked) == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scheme": "cl38"}, "model's scheme is isbi19"),
        ({"analysis": "downs"}, "recipe names analysis steiner"),
        ({"recipe_digest": "md5:1"}, "recipe_digest as sha256"),
        ({"previous": "sha256:12"}, "previous as sha256"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_blocks_that_exclude_each_other(sealed, changes, sentence):
    assert sentence in found(sealed, **changes)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2025-04-16T09:30:00Z", True),
        ("2025-04-16T09:30:00.5Z", True),
        ("2024-02-29T00:00:00Z", True),
        ("2025-02-29T00:00:00Z", False),
        ("2025-04-16T24:30:00Z", False),
        ("2025-04-16T09:30:00+00:00", False),
        ("2025-04-16 09:30:00Z", False),
        ("2025-04-16T09:30:00", False),
        ("2025-04-16T09:30:00Z\n", False),
        ("٢٠٢٥-04-16T09:30:00Z", False),
    ],
)
def test_utc_time(text, valid):
    assert is_utc_time(text) is valid
