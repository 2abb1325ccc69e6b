"""Invented faces with values known by hand or computed twice by other code; every one to 1e-9."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.image import state_calibration
from cephstd.core.landmarks import LandmarkSet, landmark_set, place_landmark
from cephstd.geometry.measurer import Measurer, measure_many

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden_cases.json").read_text(encoding="utf-8"))
CASES = {case["id"]: case for case in GOLDEN["cases"]}
DEGENERATE = {case["id"]: case for case in GOLDEN["degenerate"]}
PIXELS = {case["id"]: case for case in GOLDEN["pixel_geometry"]}
UNCERTAINTY = {case["id"].split("_")[0]: case for case in GOLDEN["uncertainty"]}


def table(case: dict, analysis="all", **options):
    points = np.array([list(case["points"].values())], dtype=np.float64)
    return measure_many(points, list(case["points"]), analysis, **options)


@pytest.mark.parametrize("id", CASES)
def test_values(id):
    case = CASES[id]
    found = table(case, spacing_mm=case["frame"]["mm_per_unit"])
    units = {measure.id: measure.unit for measure in found.analysis.measures}
    for name, expected in case["expected"].items():
        assert found[name].tolist()[0] == pytest.approx(expected["value"], rel=1e-9, abs=1e-9), name
        assert units[name] == expected["unit"], name


def test_there_are_432_values():
    assert sum(len(case["expected"]) for case in CASES.values()) == 432


def test_degenerate_coincident_points_have_no_angle():
    found = table(DEGENERATE["d01_coincident"], spacing_mm=1.0)
    assert found["SNA"].tolist() == [None]
    assert found.reasons("SNA").tolist() == ["coincident points"]


def test_degenerate_parallel_lines_have_no_crossing():
    assert table(DEGENERATE["d02_parallel"], spacing_mm=1.0).reasons("facial_axis").tolist() == ["parallel lines"]


def test_degenerate_missing_landmark_has_no_substitute():
    assert table(DEGENERATE["d03_missing"], spacing_mm=1.0).reasons("FMA").tolist() == ["missing: Po"]


def test_degenerate_without_scale_only_lengths_are_absent():
    found = table(DEGENERATE["d04_calibration"])
    assert found.reasons("Wits").tolist() == ["not calibrated"]
    lengths = {measure.id for measure in found.analysis.measures if measure.unit == "mm"}
    for measure in found.analysis.measures:
        reason = found.reasons(measure.id)[0]
        if measure.id in lengths and measure.formula:
            assert reason.endswith("not calibrated"), measure.id
        else:
            assert "not calibrated" not in reason, measure.id
    with_scale = table(DEGENERATE["d04_calibration"], spacing_mm=0.1)
    for name in ("SNA", "FMA", "Jarabak", "LFH_pct", "II_Ricketts"):
        assert found[name].tolist()[0] == pytest.approx(with_scale[name].tolist()[0], rel=1e-12)


def test_anisotropic_pixels_are_scaled_before_any_angle():
    case = PIXELS["p01_anisotropic"]
    points = {"S": case["p_px"], "N": case["vertex_px"], "A": case["q_px"]}
    spacing = (case["row_spacing_mm"], case["col_spacing_mm"])
    found = table({"points": points}, ["SNA"], spacing_mm=spacing)["SNA"].tolist()[0]
    assert found == pytest.approx(case["expected_deg"], abs=1e-9)


def test_length_is_scaled_once():
    case = PIXELS["p02_magnification"]
    points = {"S": (10.0, 20.0), "N": (10.0 + case["length_px"], 20.0)}
    detector = case["imager_pixel_spacing_mm"]
    for spacing, expected in (
        (detector, case["expected_detector_mm"]),
        (detector / case["ermf"], case["expected_patient_mm"]),
    ):
        assert table({"points": points}, ["S_N"], spacing_mm=spacing)["S_N"].tolist()[0] == pytest.approx(expected)


def test_ruler():
    case = PIXELS["p03_ruler"]
    points = {"S": (0.0, 0.0), "N": (0.0, case["length_px"])}
    found = table({"points": points}, ["S_N"], spacing_mm=case["ruler_mm"] / case["ruler_px"])["S_N"].tolist()[0]
    assert found == pytest.approx(case["expected_mm"], abs=1e-9)


def sd_of(points: dict, measure: str, sd: float, **extra) -> float:
    identity = np.tile(np.eye(2) * sd**2, (len(points), 1, 1))
    return table({"points": points}, [measure], spacing_mm=1.0, covariances_px2=identity, **extra).sd(measure)[0]


def test_sd_of_an_angle():
    case = UNCERTAINTY["u01"]
    found = sd_of({"S": case["P"], "N": case["V"], "A": case["Q"]}, "SNA", case["sd"])
    assert found == pytest.approx(case["expected_sd_deg"], rel=1e-12)


def test_sd_of_a_distance():
    case = UNCERTAINTY["u02"]
    assert sd_of({"S": case["P"], "N": case["Q"]}, "S_N", case["sd"]) == pytest.approx(math.sqrt(2), rel=1e-12)


def test_sd_of_a_distance_to_a_line():
    case = UNCERTAINTY["u03"]
    # turned upright, so that the line has an anterior side; orientation comes from points that the value does not use
    points = {"A": case["X"][::-1], "N": case["P"][::-1], "Pog": case["Q"][::-1], "Po": (-50.0, 0.0), "Or": (0.0, 0.0)}
    assert sd_of(points, "convexity_mm", case["sd"]) == pytest.approx(case["expected_sd"], rel=1e-12)


def test_sd_of_a_difference_adds_derivatives_first():
    case = UNCERTAINTY["u04"]
    assert sd_of(case["points"], "ANB", case["sd"]) == pytest.approx(case["expected_sd_deg"], rel=1e-12)
    apart = math.hypot(sd_of(case["points"], "SNA", 1.0), sd_of(case["points"], "SNB", 1.0))
    assert apart > case["expected_sd_deg"] * 1.05  # what adding variances would give


@pytest.mark.parametrize("id", CASES)
def test_sd_agrees_with_central_differences(id, rng):
    """All measures of every face, with a full random 2 x 2 covariance per point and an uncertain scale."""
    case = CASES[id]
    names, scale, relative = list(case["points"]), case["frame"]["mm_per_unit"], 0.013
    points = np.array(list(case["points"].values()), dtype=np.float64)
    roots = rng.normal(size=(len(names), 2, 2))
    covariances = roots @ roots.transpose(0, 2, 1)
    found = measure_many(
        points[np.newaxis], names, "all", spacing_mm=scale, spacing_sd=relative, covariances_px2=covariances
    )
    step = 1e-5 / scale
    steps = np.tile(points, (4 * len(names), 1, 1))
    for row, (point, axis, side) in enumerate(np.ndindex(len(names), 2, 2)):
        steps[row, point, axis] += step if side == 0 else -step
    moved = measure_many(steps, names, "all", spacing_mm=scale)
    checked = 0
    for measure in found.analysis.measures:
        if not measure.formula or found[measure.id].mask[0]:
            continue
        values = moved[measure.id].compressed()
        gradient = ((values[0::2] - values[1::2]) / (2 * step)).reshape(len(names), 2)
        variance = np.einsum("ki,kij,kj->", gradient, covariances, gradient)
        if measure.unit == "mm":
            variance += (found[measure.id][0] * relative) ** 2
        assert found.sd(measure.id)[0] == pytest.approx(math.sqrt(variance), rel=1e-6), measure.id
        checked += 1
    assert checked >= 19


def test_all_164_measures_have_a_derivative_somewhere():
    case = CASES["g10_synthetic_adult"]
    identity = np.tile(np.eye(2), (len(case["points"]), 1, 1))
    found = table(case, spacing_mm=1.0, covariances_px2=identity)
    known = [id for id in found.analysis.formulas if not found.sd(id).mask[0]]
    assert len(known) == 164


@pytest.mark.parametrize("id", CASES)
def test_one_film_gives_what_the_table_gives(id):
    case = CASES[id]
    measured = Measurer("all")(landmark_set(case["points"]))
    found = table(case)
    for value in measured:
        assert value.value == found[value.id].tolist()[0], value.id
        assert value.reason == found.reasons(value.id)[0], value.id
        assert (value.value is None) == bool(value.reason)


def test_moved_points_keep_covariance_in_px():
    """A 2 px deviation at 0.1 mm per px is 0.2 mm."""
    marks = LandmarkSet(
        landmarks=(
            place_landmark("S", 0, 0, covariance_px2=np.diag([4.0, 4.0])),
            place_landmark("N", 700, 0, covariance_px2=np.zeros((2, 2))),
        )
    )
    assert Measurer(["S_N"])(marks, state_calibration(0.1))["S_N"].sd == pytest.approx(0.2)
