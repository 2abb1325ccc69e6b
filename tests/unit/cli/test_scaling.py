from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cephstd.imaging.phantom import draw_ruler


@pytest.fixture
def film(tmp_path: Path) -> Path:
    drawn, _ = draw_ruler((300, 700), 0.1, x_mm=15.0, top_mm=5.0, length_mm=50.0)
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), (drawn * 60000).astype(np.uint16))
    return path


def test_a_ruler_and_no_pitch(film: Path, cephstd: Any) -> None:
    ran = cephstd("calibrate", film, "--json")
    assert ran.code == 0
    assert set(ran.json) == {"ruler", "calibration", "conflicts"}
    assert set(ran.json["ruler"]) == {"period_px", "period_sd_px", "ticks", "line"}
    assert ran.json["ruler"]["period_px"] == pytest.approx(10.0, rel=0.002)
    assert ran.json["calibration"]["basis"] in ("undetermined", "file_dpi_untrusted")


def test_a_pitch_gives_the_scale_and_a_stated_scale_may_contradict(film: Path, cephstd: Any) -> None:
    assert cephstd("calibrate", film, "--ruler-pitch-mm", 1).json["calibration"]["basis"] == "user_ruler"
    ran = cephstd("calibrate", film, "--ruler-pitch-mm", 1, "--mm-per-px", 0.11, "--scale-conflict", "ruler")
    assert ran.json["calibration"]["basis"] == "user_ruler"
    assert ran.json["conflicts"][0]["decision"] == "ruler"
    refused = cephstd("calibrate", film, "--ruler-pitch-mm", 1, "--mm-per-px", 0.11, "--scale-conflict", "refuse")
    assert refused.code == 3


def test_no_ruler_is_null(tmp_path: Path, cephstd: Any, rng: np.random.Generator) -> None:
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), rng.integers(0, 255, (300, 200)).astype(np.uint8))
    assert cephstd("calibrate", path).json["ruler"] is None


def test_an_impossible_pitch_is_refused(film: Path, cephstd: Any) -> None:
    ran = cephstd("calibrate", film, "--ruler-pitch-mm", 100)
    assert ran.code == 3
    assert "ruler" in ran.err or "100 mm" in ran.err


def test_two_points_on_a_ruler_give_the_scale(film: Path, cephstd: Any) -> None:
    found = cephstd("calibrate", film, "--two-points", "150,60,150,460", "--length-mm", 40).json["calibration"]
    assert (found["basis"], found["row_mm"]) == ("user_ruler", pytest.approx(0.1))
    assert found["relative_sd"] > 0


@pytest.mark.parametrize(
    "options",
    [("--two-points", "1,2,3,4"), ("--length-mm", 40), ("--two-points", "1,2,3", "--length-mm", 40),
     ("--two-points", "1,2,1,402", "--length-mm", 40, "--mm-per-px", 0.1)],
)  # fmt: skip
def test_half_of_two_points_is_wrong_usage(film: Path, cephstd: Any, options: tuple[object, ...]) -> None:
    assert cephstd("calibrate", film, *options).code == 2


def test_points_of_a_ruler_that_contradict_its_pitch_are_a_conflict(film: Path, cephstd: Any) -> None:
    points = ("--two-points", "150,60,150,460", "--length-mm", 44)
    found = cephstd("calibrate", film, *points, "--ruler-pitch-mm", 1).json
    assert found["calibration"]["row_mm"] == pytest.approx(0.11)
    assert [conflict["decision"] for conflict in found["conflicts"]] == ["metadata"]
