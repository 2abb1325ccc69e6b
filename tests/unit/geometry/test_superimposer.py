"""Films laid over one another: known motions are found, displacements are those that were made, errors are right."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

import cephstd as cs
from cephstd.core.landmarks import LandmarkSet, absent_landmark, landmark_set, place_landmark
from cephstd.geometry.registration import METHODS
from cephstd.geometry.superimposer import superimpose

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden_cases.json").read_text(encoding="utf-8"))
ADULT = {case["id"]: case for case in GOLDEN["cases"]}["g10_synthetic_adult"]["points"]
IDS = ("S", "N", "Po", "Or", "A", "B", "ANS", "PNS", "Pog", "Me", "Go", "Ba", "U1", "L1")
FACE_MM = {id: np.array(ADULT[id], dtype=np.float64) for id in IDS}
MM = cs.state_calibration(1.0)


def made(points: dict, covariance=None, **review: str) -> LandmarkSet:
    return LandmarkSet(
        landmarks=tuple(
            place_landmark(id, *point, covariance_px2=covariance, review=review.get(id, "none"))
            for id, point in points.items()
        )
    )


def moved(points: dict, degrees: float, shift=(30.0, -20.0), mirror: float = 1.0) -> dict:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[c, -s], [s, c]]) @ np.diag([mirror, 1.0])
    return {id: turn @ point + shift for id, point in points.items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_a_rigid_motion_leaves_no_displacement(method, mirror):
    first, later = made(FACE_MM), made(moved(FACE_MM, 17.0, mirror=mirror))
    (laid,) = superimpose([first, later], [MM, MM], method)
    assert laid.mirrored == (mirror < 0)
    assert max(shift.distance_mm for shift in laid.shifts) < 1e-9
    assert laid.residual_mm < 1e-9
    assert abs(laid.turn_deg) == pytest.approx(17.0)
    np.testing.assert_allclose(laid.place([later.points_px[id] for id in IDS]), list(FACE_MM.values()), atol=1e-9)


def test_turn_is_signed_by_the_face_and_not_by_the_picture():
    """The later film is turned with its front down; laying it over turns the front up, whichever way it faces."""
    signs = []
    for flip in (np.diag([1.0, 1.0]), np.diag([-1.0, 1.0]), np.diag([1.0, -1.0])):
        first = {id: flip @ point for id, point in FACE_MM.items()}
        later = {id: flip @ point for id, point in moved(FACE_MM, 5.0).items()}
        signs.append(superimpose([made(first), made(later)], [MM, MM], "fit")[0].turn_deg)
    assert signs == pytest.approx([signs[0]] * 3)
    assert abs(signs[0]) == pytest.approx(5.0)


def test_films_of_other_scales_and_oblong_pixels_meet_in_millimetres():
    grown = {id: np.add(point, (0.0, 3.0)) if id in {"Me", "Pog"} else point for id, point in FACE_MM.items()}
    oblong = cs.Calibration(basis="user_stated", row_mm=0.2, column_mm=0.1)
    later = made({id: point / (0.1, 0.2) for id, point in moved(grown, -8.0).items()})
    (laid,) = superimpose(
        [made({id: p / 0.5 for id, p in FACE_MM.items()}), later], [cs.state_calibration(0.5), oblong]
    )
    assert laid["Me"].distance_mm == pytest.approx(3.0)
    assert laid["A"].distance_mm == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(laid.place([later.points_px["A"]])[0], FACE_MM["A"] / 0.5, atol=1e-9)


def test_sella_nasion_is_held_at_sella_and_growth_shows_at_nasion():
    later = FACE_MM | {
        "N": FACE_MM["N"] + 4.0 * (FACE_MM["N"] - FACE_MM["S"]) / np.hypot(*(FACE_MM["N"] - FACE_MM["S"]))
    }
    held, base = (superimpose([made(FACE_MM), made(later)], [MM, MM], method)[0] for method in ("SN", "cranial_base"))
    assert held["S"].distance_mm == pytest.approx(0.0, abs=1e-9)
    assert held["N"].distance_mm == pytest.approx(4.0)
    assert held["N"].anterior_mm > 3.5
    assert held["A"].distance_mm == pytest.approx(0.0, abs=1e-9)
    assert (base["S"].distance_mm, base["N"].distance_mm) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize(
    ("method", "held", "towards"), [("maxilla", "ANS", "PNS"), ("mandible", "Me", "Go"), ("BaN", "N", "Ba")]
)
def test_lines_hold_one_point_and_a_direction(method, held, towards):
    rng = np.random.default_rng(4)
    later = {id: point + rng.normal(scale=3.0, size=2) for id, point in moved(FACE_MM, 11.0).items()}
    (laid,) = superimpose([made(FACE_MM), made(later)], [MM, MM], method)
    assert laid.registered_on == (held, towards)
    assert laid[held].distance_mm == pytest.approx(0.0, abs=1e-9)
    end = laid.place([later[towards]])[0] - FACE_MM[held]
    line = FACE_MM[towards] - FACE_MM[held]
    assert end[0] * line[1] - end[1] * line[0] == pytest.approx(0.0, abs=1e-9)
    assert end @ line > 0


def test_robust_fit_is_not_dragged_by_one_point():
    rng = np.random.default_rng(9)
    later = {id: point + rng.normal(scale=0.1, size=2) for id, point in FACE_MM.items()}
    later["Go"] = later["Go"] + (25.0, -10.0)
    plain, robust = (superimpose([made(FACE_MM), made(later)], [MM, MM], method)[0] for method in ("fit", "robust"))
    rest = [id for id in IDS if id != "Go"]
    assert max(robust[id].distance_mm for id in rest) < 0.6
    assert max(plain[id].distance_mm for id in rest) > 2.0
    assert robust["Go"].distance_mm > 26.0


def test_least_squares_is_the_least():
    rng = np.random.default_rng(3)
    later = {id: point + rng.normal(scale=2.0, size=2) for id, point in FACE_MM.items()}
    (laid,) = superimpose([made(FACE_MM), made(later)], [MM, MM], "fit")
    target, points = np.array(list(FACE_MM.values())), laid.place(list(later.values()))
    best = ((points - target) ** 2).sum()
    centre = points.mean(axis=0)
    for degrees, shift in ((0.05, (0, 0)), (-0.05, (0, 0)), (0, (0.05, 0)), (0, (0, -0.05))):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        other = (points - centre) @ np.array([[c, s], [-s, c]]) + centre + shift
        assert ((other - target) ** 2).sum() > best


@pytest.mark.parametrize("method", METHODS)
def test_errors_agree_with_sampling(method, counts):
    rng = np.random.default_rng(12)
    scale_sd, covariance = 0.01, np.array([[0.30, 0.12], [0.12, 0.20]])
    later = {id: point + rng.normal(scale=1.0, size=2) for id, point in moved(FACE_MM, 9.0, mirror=-1.0).items()}
    scale = cs.state_calibration(1.0, relative_sd=scale_sd)
    (laid,) = superimpose([made(FACE_MM, covariance), made(later, covariance)], [scale, scale], method)
    root = np.linalg.cholesky(covariance)
    draws = []
    for _ in range(counts(400, 4000)):
        films = [made({id: p + root @ rng.normal(size=2) for id, p in points.items()}) for points in (FACE_MM, later)]
        scales = [cs.state_calibration(1.0 + scale_sd * rng.normal()) for _ in films]
        (one,) = superimpose(films, scales, method)
        draws.append([one.turn_deg, one["Pog"].anterior_mm, one["Pog"].superior_mm, one["U1"].superior_mm])
    found = [laid.turn_sd_deg, laid["Pog"].sd_anterior_mm, laid["Pog"].sd_superior_mm, laid["U1"].sd_superior_mm]
    np.testing.assert_allclose(found, np.std(draws, axis=0), rtol=0.13)


def test_verdict_says_moved_only_beyond_the_error():
    covariance = np.eye(2) * 0.5
    later = FACE_MM | {"Pog": FACE_MM["Pog"] + (12.0, 5.0), "A": FACE_MM["A"] + (0.4, 0.0)}
    (laid,) = superimpose([made(FACE_MM, covariance), made(later, covariance)], [MM, MM])
    assert (laid["Pog"].moved, laid["A"].moved) == (True, False)
    assert (laid["S"].moved, laid["S"].reason) == (None, "held by the registration")
    assert laid["N"].correlation is None  # it can move along the line alone


def test_what_is_unknown_is_absent_with_its_reason():
    first = made(FACE_MM)
    lacks = LandmarkSet(landmarks=(*(m for m in first if m.id != "U1"), absent_landmark("U1", "low_confidence")))
    (laid,) = superimpose([first, lacks], [MM, MM])
    assert (laid["U1"].distance_mm, laid["U1"].reason) == (None, "absent on the later film")
    assert laid["A"].sd_anterior_mm is None
    assert laid["A"].moved is None
    assert laid["A"].reason == "unknown covariance of a landmark"
    assert laid.turn_sd_deg is None


def test_a_point_that_is_not_used_does_not_need_a_covariance():
    known = made(FACE_MM, np.eye(2))
    film = LandmarkSet(landmarks=(*(m for m in known if m.id != "Go"), place_landmark("Go", *FACE_MM["Go"])))
    (laid,) = superimpose([film, film], [MM, MM])
    assert laid["A"].sd_anterior_mm is not None
    assert laid["Go"].sd_anterior_mm is None


def test_provisional_points_make_what_rests_on_them_provisional():
    (laid,) = superimpose([made(FACE_MM), made(FACE_MM, A="provisional")], [MM, MM])
    assert [shift.landmark for shift in laid.shifts if shift.provisional] == ["A"]
    (laid,) = superimpose([made(FACE_MM, N="provisional"), made(FACE_MM)], [MM, MM])
    assert all(shift.provisional for shift in laid.shifts)


def test_every_later_film_is_laid_over_the_first():
    films = [made(FACE_MM), made(moved(FACE_MM, 3.0)), made(moved(FACE_MM, -6.0))]
    laid = superimpose(films, [MM] * 3)
    assert [abs(one.turn_deg) for one in laid] == pytest.approx([3.0, 6.0])
    assert msgspec.json.decode(msgspec.json.encode(laid[0]), type=type(laid[0])) == laid[0]


@pytest.mark.parametrize(
    ("films", "scales", "options", "error"),
    [
        (1, 1, {}, cs.InputError),
        (2, 1, {}, cs.InputError),
        (2, 2, {"method": "bjork"}, cs.InputError),
        (2, 2, {"method": "SN", "landmarks": ("A", "B")}, cs.InputError),
        (2, 2, {"method": "fit", "landmarks": ("A", "Xyz")}, cs.UnknownLandmarkError),
        (2, 2, {"method": "fit", "landmarks": ("A",)}, cs.InputError),
    ],
)
def test_wrong_requests_are_refused(films, scales, options, error):
    with pytest.raises(error):
        superimpose([made(FACE_MM)] * films, [MM] * scales, **options)


def test_films_that_cannot_be_compared_are_refused():
    with pytest.raises(cs.CalibrationError, match="film 2 has no scale"):
        superimpose([made(FACE_MM)] * 2, [MM, cs.Calibration(basis="undetermined")])
    with pytest.raises(cs.OrientationError):
        superimpose([landmark_set({"A": (0, 0), "B": (1, 9)})] * 2, [MM, MM], "fit")
    with pytest.raises(cs.InputError, match="missing: N"):
        superimpose([made(FACE_MM), made({id: p for id, p in FACE_MM.items() if id != "N"})], [MM, MM])
    with pytest.raises(cs.InputError, match="at one"):
        superimpose([made(FACE_MM | {"ANS": FACE_MM["PNS"]})] * 2, [MM, MM], "maxilla")
