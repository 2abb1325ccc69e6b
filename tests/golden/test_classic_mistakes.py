"""Ten definitions that programs get wrong: one test each, and each test must fail when its mistake is planted."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
import pytest

from cephstd.geometry import measurer
from cephstd.geometry.measurer import measure_many
from cephstd.knowledge import loader
from cephstd.knowledge.formula import parse_formula

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden_cases.json").read_text(encoding="utf-8"))
CASES = {case["id"].split("_")[0]: case["points"] for case in GOLDEN["cases"]}


def values(points: dict, *ids: str, spacing_mm: object = 1.0) -> list[float]:
    table = measure_many(np.array([list(points.values())], dtype=float), list(points), ids, spacing_mm=spacing_mm)
    assert [table.reasons(id)[0] for id in ids] == [""] * len(ids)
    return [float(table[id][0]) for id in ids]


def test_01_sign_of_anb_convexity_and_ab_plane():
    """Class III is negative, not the size of a three-point angle."""
    anb, convexity, plane, wits = values(CASES["g05"], "ANB", "convexity_angle", "AB_plane", "Wits")
    assert anb == pytest.approx(-math.degrees(math.atan2(1, 10)))
    assert convexity < 0.0 < plane
    assert wits < 0.0
    class2 = values(CASES["g01"], "ANB", "convexity_angle", "AB_plane", "Wits")
    assert [value > 0.0 for value in class2] == [True, True, False, True]


@pytest.mark.parametrize("axes", [(-1, 1), (1, -1), (-1, -1)], ids=["faces left", "y up", "turned by 180"])
def test_02_signs_come_from_anatomy_not_from_image_axes(axes):
    ids = ("overjet", "overbite", "U1_NA_mm", "U1_NA_deg", "SN_GoMe", "FH_PP", "ISBI_MW", "cogs_N_ANS", "E_lower")
    moved = {id: (axes[0] * x, axes[1] * y) for id, (x, y) in CASES["g10"].items()}
    assert values(moved, *ids) == pytest.approx(values(CASES["g10"], *ids))
    assert values(CASES["g10"], "overjet", "overbite")[1] > 0.0


def test_03_wits_on_the_functional_plane_from_molars_to_incisors():
    steep = dict(CASES["g06"])
    assert values(steep, "Wits") == pytest.approx([-16.0])
    steep["U1"] = (steep["U1"][0], steep["U1"][1] + 20)  # moves the bisected plane alone
    wits, bisected = values(steep, "Wits", "Wits_BOP")
    assert wits == pytest.approx(-16.0)
    assert bisected != pytest.approx(values(CASES["g06"], "Wits_BOP")[0], abs=0.5)


_FOURTH = ("facial_axis", "Co_Gn", "SN_GoGn", "SN_GoMe", "Downs_MP", "FMA")


def test_04_gonion_gnathion_and_mandibular_planes_are_kept_apart():
    face = dict(CASES["g10"])
    before = values(face, *_FOURTH)
    face["Gn"] = (face["Gn"][0] + 4, face["Gn"][1] - 6)
    moved = [a != pytest.approx(b, abs=1e-9) for a, b in zip(before, values(face, *_FOURTH), strict=True)]
    assert moved == [False, True, True, False, False, False]
    face = CASES["g10"] | {"MandT": (CASES["g10"]["MandT"][0], CASES["g10"]["MandT"][1] + 5)}
    moved = [a != pytest.approx(b, abs=1e-9) for a, b in zip(before, values(face, *_FOURTH), strict=True)]
    assert moved == [False, False, False, False, True, False]


def test_05_supplements_and_complements():
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


def test_06_terms_of_odi_and_apdi_are_signed():
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


def test_07_frankfort_has_no_silent_substitute():
    face = {id: xy for id, xy in CASES["g10"].items() if id != "Po"} | {"Po_m": CASES["g10"]["Po"]}
    table = measure_many(np.array([list(face.values())]), list(face), ["FMA", "A_Nperp"], spacing_mm=1.0)
    assert [table.reasons(id)[0] for id in ("FMA", "A_Nperp")] == ["missing: Po"] * 2
    tilted = CASES["g07"]
    assert values(tilted, "A_Nperp") == pytest.approx([-30.0])  # the image column gives +30


def test_08_each_incisor_and_molar_point_has_its_own_measures():
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


NAMESAKES = [
    ("H_angle", "H_NB", "N_s"),
    ("ISBI_FHI", "FHI_Horn", "S"),
    ("Y_axis", "Y_axis_SN", "Po"),
    ("ISBI_MW", "Wits", "U1"),
    ("beta", "SNA", "Cc"),
    ("nasolabial", "E_lower", "Cm"),
    ("Z", "ST_facial_angle", "Ls"),
    ("gonial", "cogs_gonial", "Me"),
    ("convexity_angle", "LB_convexity", "A"),
]


@pytest.mark.parametrize(("one", "other", "tells_apart"), NAMESAKES)
def test_09_same_name_other_measure(one, other, tells_apart):
    """The landmark that sets two namesakes apart moves the first and leaves the second."""
    before = values(CASES["g10"], one, other)
    x, y = CASES["g10"][tells_apart]
    after = values(CASES["g10"] | {tells_apart: (x + 3, y - 2)}, one, other)
    assert abs(after[0] - before[0]) > 1e-3
    assert after[1] == pytest.approx(before[1], abs=1e-9)


def test_09_z_angle_takes_the_more_protrusive_lip():
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


# Planting: every mistake is made here once more, on purpose, and its test has to notice.

Plant = Callable[[pytest.MonkeyPatch], None]


def formulas(**wrong: str) -> Plant:
    """Measures by other formulas than those that ship."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        shipped = loader.load_measures()
        wronged = {id: msgspec.structs.replace(shipped[id], formula=formula) for id, formula in wrong.items()}
        made = MappingProxyType({**shipped, **wronged})
        patch.setattr(loader, "load_measures", lambda: made)
        parsed: dict[str, object] = {}
        patch.setattr(loader, "_shipped_formula", lambda id: parsed.setdefault(id, loader.check_measure(made[id])))

    return plant


def constructions(**wrong: str) -> Plant:
    """Landmarks that are made from others where they must not be."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        known = loader.load_landmarks()
        made = dict(loader.load_constructions())
        made |= {id: parse_formula(text, known, subject=id) for id, text in wrong.items()}
        patch.setattr(measurer, "load_constructions", lambda: made)

    return plant


def executed(change: Callable[..., object]) -> Plant:
    """`change(execute, program, binding, points, kwargs)` in place of running the program as it is."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real = measurer.execute
        patch.setattr(
            measurer, "execute", lambda program, binding, points, **more: change(real, program, binding, points, more)
        )

    return plant


def as_if_y_ran_down_to_the_right(real, program, binding, points, more):
    """Signs from the axes of the picture: a face to the left, or y up, changes them."""
    found = real(program, binding, points, **more)
    first, last = points[:, 0], points[:, 1]
    sign = np.sign(np.prod(last - first, axis=-1))
    return dataclasses.replace(found, values=found.values * sign)


def along_the_image(real, program, binding, points, more):
    """A ahead of N along the rows of the picture, whatever the tilt of Frankfort."""
    found = real(program, binding, points, **more)
    names = list(CASES["g07"])
    across = points[:, names.index("A"), 0] - points[:, names.index("N"), 0]
    return dataclasses.replace(found, values=np.where(np.isnan(found.values), np.nan, across))


def squared(real, program, binding, points, more):
    found = real(program, binding, points, **more)
    return dataclasses.replace(found, values=np.where(program.by_scale[:, None], found.values**2, found.values))


def truncated(real, program, binding, points, more):
    return real(program, binding, np.trunc(points), **more)


def square_pixels(real, program, binding, points, more):
    mean = more["scales_mm"].mean(axis=1, keepdims=True)
    return real(program, binding, points, **more | {"scales_mm": np.repeat(mean, 2, axis=1)})


def scaled_twice(real, program, binding, points, more):
    return real(program, binding, points, **more | {"scales_mm": more["scales_mm"] ** 2})


def unscaled(real, program, binding, points, more):
    return real(program, binding, points, **more | {"scales_mm": np.ones_like(more["scales_mm"])})


AXES = [(-1, 1), (1, -1), (-1, -1)]


def each(test: Callable[..., None], arguments: list) -> Callable[[], None]:
    """A parametrized test as one: it fails where any of its cases does."""

    def run() -> None:
        for case in arguments:
            test(*case)

    return run


MISTAKES: Mapping[str, tuple[Callable[[], None], Plant]] = {
    "1 ANB by acos": (test_01_sign_of_anb_convexity_and_ab_plane, formulas(ANB="ang(A,N,B)")),
    "1 convexity concave when it rises": (
        test_01_sign_of_anb_convexity_and_ab_plane,
        formulas(convexity_angle="sang(N,A,A,Pog)"),
    ),
    "1 A-B plane without sign": (test_01_sign_of_anb_convexity_and_ab_plane, formulas(AB_plane="dang(N,Pog,A,B)")),
    "2 signs from image axes": (
        each(test_02_signs_come_from_anatomy_not_from_image_axes, [(axes,) for axes in AXES]),
        executed(as_if_y_ran_down_to_the_right),
    ),
    "2 overbite reversed": (
        each(test_02_signs_come_from_anatomy_not_from_image_axes, [(axes,) for axes in AXES]),
        formulas(overbite="-down(L1,U1,OPp_f,OPa_f)"),
    ),
    "3 Wits on the bisected plane": (
        test_03_wits_on_the_functional_plane_from_molars_to_incisors,
        formulas(Wits="comp(B,A,OPp_b,OPa_b)"),
    ),
    "3 Wits from incisors to molars": (
        test_03_wits_on_the_functional_plane_from_molars_to_incisors,
        formulas(Wits="comp(B,A,OPa_f,OPp_f)"),
    ),
    "3 labels swapped": (
        test_03_wits_on_the_functional_plane_from_molars_to_incisors,
        formulas(Wits="comp(B,A,OPp_b,OPa_b)", Wits_BOP="comp(B,A,OPp_f,OPa_f)"),
    ),
    "4 facial axis to anatomic Gn": (
        test_04_gonion_gnathion_and_mandibular_planes_are_kept_apart,
        formulas(facial_axis="dang(N,Ba,Pt,Gn)"),
    ),
    "4 Co-Gn to constructed Gn": (
        test_04_gonion_gnathion_and_mandibular_planes_are_kept_apart,
        formulas(Co_Gn="dist(Co,Gn_c)"),
    ),
    "4 Go-Me for Go-Gn": (
        test_04_gonion_gnathion_and_mandibular_planes_are_kept_apart,
        formulas(SN_GoGn="-sang(S,N,Go,Me)"),
    ),
    "4 Downs' tangent for Go-Me": (
        test_04_gonion_gnathion_and_mandibular_planes_are_kept_apart,
        formulas(Downs_MP="-sang(Po,Or,Go,Me)"),
    ),
    "5 facial angle clipped to 90": (
        test_05_supplements_and_complements,
        formulas(facial_angle="90-absv(dang(Or,Po,N,Pog)-90)"),
    ),
    "5 facial axis on the other side": (
        test_05_supplements_and_complements,
        formulas(facial_axis="dang(N,Ba,Gn_c,Pt)"),
    ),
    "5 interincisal supplement": (test_05_supplements_and_complements, formulas(II_Ricketts="dang(U1,U1A,L1A,L1)")),
    "5 U1-SN on the front side": (test_05_supplements_and_complements, formulas(U1_SN="dang(S,N,U1A,U1)")),
    "5 U1-PP on the front side": (test_05_supplements_and_complements, formulas(U1_PP="dang(PNS,ANS,U1A,U1)")),
    "5 Downs' L1-MP as IMPA": (test_05_supplements_and_complements, formulas(L1_MP_Downs="dang(Me,Go,L1A,L1)")),
    "5 L1-OP off by 90": (test_05_supplements_and_complements, formulas(L1_OP="dang(OPp_b,OPa_b,L1A,L1)")),
    "5 Legan convexity of 168": (test_05_supplements_and_complements, formulas(LB_convexity="ang(G_s,Sn,Pog_s)")),
    "6 palatal term of ODI unsigned": (
        test_06_terms_of_odi_and_apdi_are_signed,
        formulas(ODI="dang(B,A,Me,Go)+absv(sang(Po,Or,PNS,ANS))"),
    ),
    "6 MP-PP in place of FH-PP": (
        test_06_terms_of_odi_and_apdi_are_signed,
        formulas(ODI="dang(B,A,Me,Go)-sang(PNS,ANS,Go,Me)"),
    ),
    "6 A-B term of APDI unsigned": (
        test_06_terms_of_odi_and_apdi_are_signed,
        formulas(APDI="dang(Or,Po,N,Pog)+absv(sang(N,Pog,A,B))-sang(Po,Or,PNS,ANS)"),
    ),
    "7 machine porion for porion": (test_07_frankfort_has_no_silent_substitute, constructions(Po="mid(Po_m,Po_m)")),
    "7 SN for Frankfort": (test_07_frankfort_has_no_silent_substitute, formulas(FMA="-sang(S,N,Go,Me)-7")),
    "7 N-perpendicular as the image column": (
        test_07_frankfort_has_no_silent_substitute,
        executed(along_the_image),
    ),
    "8 apex for tip in L1-APog": (
        test_08_each_incisor_and_molar_point_has_its_own_measures,
        formulas(L1_APog_mm="pla(L1A,A,Pog)"),
    ),
    "8 facial surface for tip": (
        test_08_each_incisor_and_molar_point_has_its_own_measures,
        formulas(U1_NA_mm="pla(U1L,N,A)"),
    ),
    "8 tip for facial surface": (
        test_08_each_incisor_and_molar_point_has_its_own_measures,
        formulas(U1_Avert="comp(A,U1,Po,Or)"),
    ),
    "8 cusp for distal contact": (
        test_08_each_incisor_and_molar_point_has_its_own_measures,
        formulas(U6_PTV="comp(CF,U6,Po,Or)"),
    ),
    **{
        f"9 {one} taken for {other}": (each(test_09_same_name_other_measure, [(one, other, point)]), formulas(**wrong))
        for (one, other, point), wrong in zip(
            NAMESAKES,
            (
                {"H_angle": "sang(Pog_s,Ls,B,N)"},
                {"ISBI_FHI": "dist(Ar,Go)/down(ANS,Me,PNS,ANS)"},
                {"Y_axis": "ang(N,S,Gn)"},
                {"ISBI_MW": "comp(B,A,OPp_f,OPa_f)"},
                {"beta": "ang(S,N,A)"},
                {"nasolabial": "ang(Pn,Sn,Ls)"},
                {"Z": "dang(Or,Po,N_s,Pog_s)"},
                {"gonial": "ang(Ar,Go,Gn)"},
                {"convexity_angle": "-sang(G_s,Sn,Sn,Pog_s)"},
            ),
            strict=True,
        )
    },
    "9 Z by the upper lip alone": (
        test_09_z_angle_takes_the_more_protrusive_lip,
        formulas(Z="dang(Or,Po,Ls,Pog_s)"),
    ),
    "10 a missing root": (test_10_scale, executed(squared)),
    "10 coordinates cut to integers": (test_10_scale, executed(truncated)),
    "10 square pixels assumed": (test_10_scale, executed(square_pixels)),
    "10 scaled twice": (test_10_scale, executed(scaled_twice)),
    "10 not scaled": (test_10_scale, executed(unscaled)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_planted_mistake_is_noticed(name, monkeypatch):
    test, plant = MISTAKES[name]
    test()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test()


def test_every_one_of_the_ten_is_planted():
    assert {name.split()[0] for name in MISTAKES} == {str(number) for number in range(1, 11)}
