"""Ten definitions that programs get wrong; each test fails when the mistake is made here."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cephstd.geometry.measurer import measure_many

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden_cases.json").read_text(encoding="utf-8"))
CASES = {case["id"].split("_")[0]: case["points"] for case in GOLDEN["cases"]}


def values(points: dict, *ids: str, spacing_mm: object = 1.0) -> list[float]:
    table = measure_many(np.array([list(points.values())], dtype=float), list(points), ids, spacing_mm=spacing_mm)
    assert [table.reasons(id)[0] for id in ids] == [""] * len(ids)
    return [float(table[id][0]) for id in ids]


def test_1_sign_of_anb_convexity_and_ab_plane():
    """Class III is negative, not the size of a three-point angle."""
    anb, convexity, plane, wits = values(CASES["g05"], "ANB", "convexity_angle", "AB_plane", "Wits")
    assert anb == pytest.approx(-math.degrees(math.atan2(1, 10)))
    assert convexity < 0.0 < plane
    assert wits < 0.0
    class2 = values(CASES["g01"], "ANB", "convexity_angle", "AB_plane", "Wits")
    assert [value > 0.0 for value in class2] == [True, True, False, True]


@pytest.mark.parametrize("axes", [(-1, 1), (1, -1), (-1, -1)], ids=["faces left", "y up", "turned by 180"])
def test_2_signs_come_from_anatomy_not_from_image_axes(axes):
    ids = ("overjet", "overbite", "U1_NA_mm", "U1_NA_deg", "SN_GoMe", "FH_PP", "ISBI_MW", "cogs_N_ANS", "E_lower")
    moved = {id: (axes[0] * x, axes[1] * y) for id, (x, y) in CASES["g10"].items()}
    assert values(moved, *ids) == pytest.approx(values(CASES["g10"], *ids))
    assert values(CASES["g10"], "overjet", "overbite")[1] > 0.0


def test_3_wits_on_the_functional_plane_from_molars_to_incisors():
    steep = dict(CASES["g06"])
    assert values(steep, "Wits") == pytest.approx([-16.0])
    steep["U1"] = (steep["U1"][0], steep["U1"][1] + 20)  # moves the bisected plane alone
    wits, bisected = values(steep, "Wits", "Wits_BOP")
    assert wits == pytest.approx(-16.0)
    assert bisected != pytest.approx(values(CASES["g06"], "Wits_BOP")[0], abs=0.5)


_FOURTH = ("facial_axis", "Co_Gn", "SN_GoGn", "SN_GoMe", "Downs_MP", "FMA")


def test_4_gonion_gnathion_and_mandibular_planes_are_kept_apart():
    face = dict(CASES["g10"])
    before = values(face, *_FOURTH)
    face["Gn"] = (face["Gn"][0] + 4, face["Gn"][1] - 6)
    moved = [a != pytest.approx(b, abs=1e-9) for a, b in zip(before, values(face, *_FOURTH), strict=True)]
    assert moved == [False, True, True, False, False, False]
    face = CASES["g10"] | {"MandT": (CASES["g10"]["MandT"][0], CASES["g10"]["MandT"][1] + 5)}
    moved = [a != pytest.approx(b, abs=1e-9) for a, b in zip(before, values(face, *_FOURTH), strict=True)]
    assert moved == [False, False, False, False, True, False]


def test_5_supplements_and_complements():
    facial = values(CASES["g05"], "facial_angle")[0]
    assert facial == pytest.approx(90 + math.degrees(math.atan2(12, 110)))  # clipped to 90 it would be 83.8
    face = CASES["g10"]
    axis, interincisal, u1_sn, u1_pp = values(face, "facial_axis", "II_Ricketts", "U1_SN", "U1_PP")
    assert 80 < axis < 95
    assert interincisal > 110
    assert u1_sn > 95
    assert u1_pp > 100
    impa, downs, l1_op = values(face, "IMPA", "L1_MP_Downs", "L1_OP")
    assert downs == pytest.approx(impa - 90)
    assert -10 < l1_op < 40
    assert -10 < values(face, "LB_convexity")[0] < 30  # not 168


def test_6_terms_of_odi_and_apdi_are_signed():
    """Against independent forms: APDI is the angle of A-B to the palate; the palate tips both ways."""
    for tip in (-12, 0, 12):
        face = dict(CASES["g01"])
        face["ANS"] = (face["ANS"][0], face["ANS"][1] + tip)
        vector = {a + b: np.subtract(face[b], face[a]) for a, b in (("ANS", "PNS"), ("A", "B"), ("Me", "Go"))}

        def between(u, v):
            return math.degrees(math.acos(u @ v / math.hypot(*u) / math.hypot(*v)))

        palate = math.degrees(math.atan2(face["ANS"][1] - face["PNS"][1], face["ANS"][0] - face["PNS"][0]))
        apdi, odi, palatal = values(face, "APDI", "ODI", "FH_PP")
        assert apdi == pytest.approx(between(vector["ANSPNS"], vector["AB"]))
        assert palatal == pytest.approx(palate)  # y runs down, so down in front is positive
        assert odi == pytest.approx(between(-vector["AB"], vector["MeGo"]) + palate)


def test_7_frankfort_has_no_silent_substitute():
    face = {id: xy for id, xy in CASES["g10"].items() if id != "Po"} | {"Po_m": CASES["g10"]["Po"]}
    table = measure_many(np.array([list(face.values())]), list(face), ["FMA", "A_Nperp"], spacing_mm=1.0)
    assert [table.reasons(id)[0] for id in ("FMA", "A_Nperp")] == ["missing: Po"] * 2
    tilted = CASES["g07"]
    assert values(tilted, "A_Nperp") == pytest.approx([-30.0])  # the image column gives +30


def test_8_each_incisor_and_molar_point_has_its_own_measures():
    ids = ("L1_APog_mm", "L1_APog_deg", "U1_NA_mm", "U1_Avert", "U6_PTV", "molar_rel", "cogs_U6_NF")
    before = values(CASES["g10"], *ids)
    expected = {
        "L1A": [False, True, False, False, False, False, False],
        "L1": [True, True, False, False, False, False, False],
        "U1": [False, False, True, False, False, False, False],
        "U1L": [False, False, False, True, False, False, False],
        "U6D": [False, False, False, False, True, True, False],
    }
    for point, changes in expected.items():
        x, y = CASES["g10"][point]
        after = values(CASES["g10"] | {point: (x + 1, y + 2)}, *ids)
        assert [a != pytest.approx(b, abs=1e-9) for a, b in zip(before, after, strict=True)] == changes, point


@pytest.mark.parametrize(
    ("one", "other", "tells_apart"),
    [
        ("H_angle", "H_NB", "N_s"),
        ("ISBI_FHI", "FHI_Horn", "S"),
        ("Y_axis", "Y_axis_SN", "Po"),
        ("ISBI_MW", "Wits", "U1"),
        ("beta", "SNA", "Cc"),
        ("nasolabial", "E_lower", "Cm"),
        ("Z", "ST_facial_angle", "Ls"),
        ("gonial", "cogs_gonial", "Me"),
        ("convexity_angle", "LB_convexity", "A"),
    ],
)
def test_9_same_name_other_measure(one, other, tells_apart):
    """The landmark that sets two namesakes apart moves the first and leaves the second."""
    before = values(CASES["g10"], one, other)
    x, y = CASES["g10"][tells_apart]
    after = values(CASES["g10"] | {tells_apart: (x + 3, y - 2)}, one, other)
    assert abs(after[0] - before[0]) > 1e-3
    assert after[1] == pytest.approx(before[1], abs=1e-9)


def test_9_z_angle_takes_the_more_protrusive_lip():
    face = dict(CASES["g10"])
    before = values(face, "Z")[0]
    face["Li"] = (face["Li"][0] + 10, face["Li"][1])
    assert values(face, "Z")[0] < before - 1


def test_10_scale():
    points = {"S": (100.4, 200.2), "N": (130.4, 240.2)}
    assert values(points, "S_N", spacing_mm=0.1) == pytest.approx([5.0])  # a root, and no truncated coordinate
    assert values({"S": (0.9, 0), "N": (0.1, 0)}, "S_N") == pytest.approx([0.8])
    assert values({"S": (0, 0), "N": (30, 20)}, "S_N", spacing_mm=(0.2, 0.1)) == pytest.approx([5.0])
    face = CASES["g10"]
    doubled = values(face, "Jarabak", "S_Go", "SNA", spacing_mm=2.0)
    single = values(face, "Jarabak", "S_Go", "SNA")
    assert doubled == pytest.approx([single[0], 2 * single[1], single[2]])
