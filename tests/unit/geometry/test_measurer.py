"""One film: values, uncertainty, and an honest reason for everything else."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cephstd.core.image import Calibration, state_calibration
from cephstd.core.landmarks import LandmarkSet, absent_landmark, landmark_set, place_landmark
from cephstd.errors import CalibrationError, InputError, UnknownAnalysisError, UnknownLandmarkError
from cephstd.geometry.measurer import Measurer, measure, measure_many

FACE = {
    **{"Po": (0, 0), "Or": (80, 0), "S": (18, -9), "N": (90, -30), "A": (90, 30), "B": (80, 70), "Pog": (84, 80)},
    **{"Gn": (84, 88), "Me": (82, 95), "Go": (10, 74), "Ar": (6, 22), "PNS": (35, 25), "ANS": (95, 30)},
    **{"U1": (98, 62), "L1": (94, 60)},
}
MM = state_calibration(1.0)


def face(**changes):
    points = {name: tuple(map(float, xy)) for name, xy in FACE.items()} | changes
    return landmark_set({name: xy for name, xy in points.items() if xy is not None})


def known(sd_px: float, **options) -> LandmarkSet:
    variance = np.eye(2) * sd_px**2
    return LandmarkSet(
        landmarks=tuple(place_landmark(id, x, y, covariance_px2=variance, **options) for id, (x, y) in FACE.items())
    )


def test_order_ids_units_and_versions():
    found = measure(face(), "isbi2015", MM)
    assert [value.id for value in found][:3] == ["ANB", "SNB", "SNA"]
    assert found.analysis == "isbi2015"
    assert (found["ISBI_MW"].unit, found["ANB"].unit, found["ISBI_FHI"].unit) == ("mm", "deg", "ratio")
    assert found["ISBI_FHI"].decimals == 3
    assert all(value.definition_version == 1 for value in found)
    assert found["ANB"].inputs == ("S", "N", "A", "B")


def test_verb_is_the_thing():
    assert measure(face(), "isbi2015", MM) == Measurer("isbi2015")(face(), MM)


def test_values_are_not_rounded():
    assert measure(face(), ["SNA"])["SNA"].value == pytest.approx(math.degrees(math.acos(7 / 25)), abs=1e-13)


def test_every_value_or_reason():
    for value in measure(face(), "all", MM):
        assert (value.value is None) == bool(value.reason)
        assert value.value is None or math.isfinite(value.value)
        assert value.sd is None


@pytest.mark.parametrize("calibration", [None, Calibration(basis="undetermined")])
def test_without_scale_only_lengths_are_absent(calibration):
    found = measure(face(), "isbi2015", calibration)
    assert {value.id for value in found if value.reason == "not calibrated"} == {"ISBI_MW", "S_Go", "N_Me"}
    assert found["ANB"].value == measure(face(), "isbi2015", MM)["ANB"].value


def test_untrusted_scale_gives_no_millimetres():
    untrusted = Calibration(basis="file_dpi_untrusted", row_mm=0.26, column_mm=0.26)
    assert measure(face(), ["S_N"], untrusted)["S_N"].reason == "not calibrated"


def test_row_and_column_spacing_are_not_exchanged():
    scale = Calibration(basis="fiducial", row_mm=0.2, column_mm=0.1)
    marks = landmark_set({"S": (0.0, 0.0), "N": (30.0, 20.0)})
    assert measure(marks, ["S_N"], scale)["S_N"].value == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("changes", "id", "reason"),
    [
        ({"Po": None}, "FMA", "missing: Po"),
        ({"Po": None, "Me": None}, "FMA", "missing: Po, Me"),
        ({}, "Wits", "missing: U6, L6, U4, L4"),
        ({}, "facial_axis", "missing: Ba, Pt"),
        ({}, "sas_Go_arc", "undefined construction"),
        ({"A": FACE["N"]}, "SNA", "coincident points"),
        ({"Or": FACE["Po"]}, "A_Nperp", "coincident points"),
        ({"Pog": FACE["N"]}, "convexity_mm", "coincident points"),
        ({"Me": FACE["N"]}, "Jarabak", "coincident points"),
        ({"PNS": FACE["A"], "ANS": FACE["A"]}, "FH_PP", "coincident points"),
    ],
)
def test_reasons(changes, id, reason):
    assert measure(face(**changes), "all", MM)[id].reason == reason


def test_parallel_lines_are_named_through_a_construction():
    marks = face(Pog=(90.0, 90.0), Go=(20.0, 10.0), Me=(20.0, 100.0), Ba=(0.0, 15.0), Pt=(40.0, -5.0))
    assert measure(marks, ["facial_axis"], MM)["facial_axis"].reason == "parallel lines"


def test_marked_point_stands_before_its_construction():
    around = {"Ba": (0.0, 15.0), "Pt": (40.0, -5.0)}
    built = measure(face(**around), ["facial_axis"])["facial_axis"]
    marked = measure(face(**around, Gn_c=(95.0, 90.0)), ["facial_axis"])["facial_axis"]
    assert built.inputs == ("N", "Ba", "Pt", "Pog", "Go", "Me")
    assert marked.inputs == ("N", "Ba", "Pt", "Gn_c")
    assert built.value != marked.value
    without_chin = measure(face(**around, Gn_c=(95.0, 90.0), Pog=None), ["facial_axis"])["facial_axis"]
    assert without_chin.value == marked.value


def test_unused_construction_takes_no_part_in_the_sd():
    """Gn(c) marked, Pog absent: its construction is undefined and must not spoil what N contributes."""
    points = FACE | {"Ba": (0, 15), "Pt": (40, -5), "Gn_c": (95, 90), "CC": (50, -8), "Xi": (30, 50), "PM": (80, 75)}
    marks = LandmarkSet(
        landmarks=tuple(
            place_landmark(id, *xy, covariance_px2=np.eye(2)) for id, xy in points.items() if id not in ("Pog", "Po")
        )
    )
    found = measure(marks, ["facial_axis", "CC_N", "LFH_ang", "total_FH"], MM)
    arm = 1 / math.hypot(90, 45) ** 2 + 1 / math.hypot(55, 95) ** 2
    assert found["facial_axis"].sd == pytest.approx(math.degrees(math.sqrt(2 * arm)))
    assert found["CC_N"].sd == pytest.approx(math.sqrt(2))
    assert found["LFH_ang"].sd is not None
    assert found["total_FH"].sd is not None


def test_horizontal_from_sella_nasion_lies_seven_degrees_lower():
    """A-Pog runs 3 degrees below S-N: below it is ahead of it only for a horizontal that is steeper still."""
    marks = landmark_set(
        {"S": (0.0, 0.0), "N": (70.0, 0.0), "Me": (60.0, 110.0), "A": (70.0, 60.0)}
        | {"Pog": (170.0, 60.0 + 100.0 * math.tan(math.radians(3))), "U1": (100.0, 80.0)}
    )
    assert measure(marks, ["U1_APog_mm"], MM)["U1_APog_mm"].value > 0.0


def test_no_orientation_leaves_unsigned_values():
    found = measure(landmark_set({"S": (18.0, -9.0), "N": (90.0, -30.0), "A": (90.0, 30.0)}), ["SNA", "S_N"], MM)
    assert found["SNA"].reason == ""
    alone = landmark_set({"N": (90.0, -30.0), "A": (90.0, 30.0), "Pog": (84.0, 80.0), "B": (80.0, 70.0)})
    found = measure(alone, ["convexity_angle", "convexity_mm"], MM)
    assert found["convexity_angle"].reason.startswith("no orientation")
    assert found["convexity_mm"].reason.startswith("no orientation")


@pytest.mark.parametrize(
    "changes",
    [
        {"Po": FACE["Or"], "Or": FACE["Po"]},  # Frankfort drawn backwards
        {"S": (160.0, -9.0)},  # sella ahead of nasion
        {"S": (18.0, 90.0), "Go": (10.0, 0.0)},  # gonion above sella
        {"THp": (80.0, 0.0), "THa": (0.0, 0.0)},  # true horizontal drawn backwards
    ],
)
def test_contradictory_orientation_is_refused(changes):
    found = measure(face(**changes), ["AB_plane", "SNA"], MM)
    assert found["AB_plane"].reason.startswith("contradictory orientation")
    assert found["SNA"].reason == ""


def test_division_by_zero_is_named(tmp_path):
    path = tmp_path / "own.toml"
    text = '[[measure]]\nid = "own"\nunit = "ratio"\nformula = "dist(S,N)/comp(A,B,Po,Or)"\n'
    path.write_text(text, encoding="utf-8")
    assert measure(face(B=(90.0, 70.0)), path)["own"].reason == "division by zero"


def test_line_along_the_sign_axis_has_no_side():
    marks = face(N=(40.0, -30.0), Pog=(90.0, -30.0))
    assert measure(marks, ["convexity_mm"], MM)["convexity_mm"].reason.startswith("no side")


def test_orientation_falls_back_to_sella_nasion_and_true_horizontal():
    upright = measure(face(), ["AB_plane"], MM)["AB_plane"].value
    assert measure(face(Po=None), ["AB_plane"])["AB_plane"].value == pytest.approx(upright)
    marks = face(Po=None, S=None, THp=(0.0, 5.0), THa=(50.0, 5.0))
    assert measure(marks, ["AB_plane"])["AB_plane"].value == pytest.approx(upright)


def test_absent_and_rejected_points_are_not_used():
    marks = face(A=None)
    with_reason = marks.replace((*marks, absent_landmark("A", "below the score threshold")))
    assert measure(with_reason, ["SNA"])["SNA"].reason == "missing: A"
    rejected = marks.replace((*marks, place_landmark("A", 90, 30, review="rejected")))
    assert measure(rejected, ["SNA"])["SNA"].reason == "missing: A"


def test_what_rests_on_a_provisional_point_is_provisional():
    marks = face(A=None)
    marks = marks.replace((*marks, place_landmark("A", 90, 30, review="provisional", reason="low score")))
    found = measure(marks, ["SNA", "SNB", "ANB", "Co_A"], MM)
    assert [value.provisional for value in found] == [True, False, True, False]  # Co-A is absent


def test_a_sign_rests_on_the_points_of_orientation():
    marks = face(Po=None)
    marks = marks.replace((*marks, place_landmark("Po", 0, 0, review="provisional", reason="low score")))
    found = measure(marks, ["AB_plane", "SNA"], MM)
    assert found["AB_plane"].provisional
    assert not found["SNA"].provisional


def test_sd_needs_every_covariance():
    marks = known(1.0)
    assert all(value.sd is not None for value in measure(marks, "isbi2015", MM))
    bare = marks.replace(place_landmark("A", 90, 30) if mark.id == "A" else mark for mark in marks)
    found = measure(bare, "isbi2015", MM)
    assert found["SNA"].value is not None
    assert found["SNA"].sd is None
    assert found["SNB"].sd is not None


def test_scale_uncertainty_reaches_lengths_alone():
    exact = measure(known(0.5), "all", MM)
    unsure = measure(known(0.5), "all", state_calibration(1.0, relative_sd=0.02))
    for one, other in zip(exact, unsure, strict=True):
        if one.sd is None:
            continue
        expected = one.sd if one.unit != "mm" else math.hypot(one.sd, 0.02 * one.value)
        assert other.sd == pytest.approx(expected, rel=1e-9), one.id


def test_covariance_is_turned_into_millimetres_by_axis():
    scale = Calibration(basis="fiducial", row_mm=0.2, column_mm=0.1)
    wide = np.diag([9.0, 0.0])
    for end, expected in (((30.0, 0.0), 0.3), ((0.0, 30.0), 0.0)):
        marks = LandmarkSet(
            landmarks=(
                place_landmark("S", 0, 0, covariance_px2=wide),
                place_landmark("N", *end, covariance_px2=np.zeros((2, 2))),
            )
        )
        assert measure(marks, ["S_N"], scale)["S_N"].sd == pytest.approx(expected)


def test_distance_of_coincident_points_is_zero_and_its_sd_unknown():
    marks = LandmarkSet(landmarks=tuple(place_landmark(id, 5, 5, covariance_px2=np.eye(2)) for id in ("S", "N")))
    found = measure(marks, ["S_N"], MM)["S_N"]
    assert (found.value, found.sd) == (0.0, None)


def test_own_formula_with_a_number_beside_a_length_needs_the_scale(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        '[[measure]]\nid = "own"\nunit = "ratio"\nformula = "(dist(S,N)+10)/dist(N,Me)"\n', encoding="utf-8"
    )
    assert measure(face(), path)["own"].reason == "not calibrated"
    found = measure(known(1.0), path, state_calibration(1.0, relative_sd=0.1))["own"]
    assert found.value == pytest.approx((75.0 + 10.0) / math.hypot(8, 125))
    exact = measure(known(1.0), path, MM)["own"]
    by_scale = 0.1 * 10.0 / math.hypot(8, 125)  # the part of the ratio that does not scale with the picture
    assert found.sd == pytest.approx(math.hypot(exact.sd, by_scale), rel=1e-9)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownLandmarkError, match="Did you mean 'Go'"):
        measure(landmark_set({"Gon": (1.0, 2.0)}), "steiner")
    with pytest.raises(UnknownAnalysisError, match="Did you mean 'steiner'"):
        measure(face(), "stiener")


def test_no_landmarks_at_all():
    found = measure(LandmarkSet(landmarks=()), "all", MM)
    assert len(found) == 167
    assert found.present == ()
    assert all(value.reason.startswith(("missing: ", "undefined")) for value in found)


@pytest.mark.parametrize(
    ("arguments", "error", "fault"),
    [
        ({"points_px": np.zeros((2, 3))}, InputError, "shape .films, 2, 2."),
        ({"points_px": np.zeros((2, 3, 2))}, InputError, "shape .films, 2, 2."),
        ({"points_px": np.full((1, 2, 2), np.inf)}, InputError, "film 0 has an infinite"),
        ({"ids": ["S", "S"]}, InputError, "more than once"),
        ({"ids": ["S", "X"]}, UnknownLandmarkError, "'X'"),
        ({"spacing_mm": 0.0}, CalibrationError, "positive"),
        ({"spacing_mm": -0.1}, CalibrationError, "positive"),
        ({"spacing_mm": np.inf}, CalibrationError, "positive"),
        ({"spacing_mm": [0.1, 0.1, 0.1]}, InputError, "Expected one spacing"),
        ({"spacing_sd": -0.1}, InputError, "zero or more"),
        ({"spacing_sd": [0.1, 0.1, 0.1]}, InputError, "relative uncertainty"),
        ({"covariances_px2": np.zeros((3, 3))}, InputError, "covariances of shape"),
        ({"covariances_px2": np.tile(np.diag([-1.0, 1.0]), (2, 1, 1))}, InputError, "film 0 has another"),
        ({"covariances_px2": np.tile([[1.0, 2.0], [2.0, 1.0]], (2, 1, 1))}, InputError, "positive semi-definite"),
    ],
)
def test_wrong_tables_are_refused(arguments, error, fault):
    given = {"points_px": np.array([[[0.0, 0.0], [3.0, 4.0]]] * 2), "ids": ["S", "N"], "analysis": ["S_N"]}
    with pytest.raises(error, match=fault):
        measure_many(**given | arguments)


def test_one_measurer_serves_many_threads():
    measurer = Measurer("all")
    marks = known(1.0)
    expected = measurer(marks, MM)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(lambda _: measurer(marks, MM), range(40)))
