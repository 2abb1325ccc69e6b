"""Drawings of definitions: what is drawn is what is measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.text import Text

from cephstd.core.image import UNDETERMINED, Calibration, state_calibration
from cephstd.core.landmarks import absent_landmark, landmark_set
from cephstd.errors import DefinitionError, InputError, UnknownAnalysisError
from cephstd.geometry.measurer import measure
from cephstd.knowledge.formula import Call
from cephstd.knowledge.loader import load_analysis
from cephstd.plot.drawings import draw_measure
from cephstd.plot.face import FACE_MM, VIEW_MM, face_marks, face_strokes
from cephstd.plot.margin import NOTICE
from cephstd.plot.shapes import Angle, Drafter, Foot, Length, Stroke

ALL = load_analysis("all")
VALUES = measure(face_marks(), "all", state_calibration(1.0))
MIRRORED = {id: (-x, y) for id, (x, y) in FACE_MM.items()}


def words(figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


def gids(figure) -> list[str]:
    return [str(artist.get_gid()) for artist in figure.findobj() if artist.get_gid()]


def drafted(id, points=FACE_MM, *, looks_right=True):
    return list(Drafter(points, VIEW_MM, looks_right).draft(ALL.formulas[id].root))


def simple_terms() -> list[str]:
    """Measures whose formula is one angle or one length, apart from its sign."""
    found = []
    for id, formula in ALL.formulas.items():
        root = formula.root
        while isinstance(root, Call) and root.function in ("neg", "absv"):
            (root,) = root.arguments
        if isinstance(root, Call) and root.function in ("ang", "dang", "sang", "dist", "comp", "pla", "pls", "down"):
            found.append(id)
    return found


def size_of(shapes) -> float:
    (drawn,) = [shape for _, shape in shapes if isinstance(shape, Angle | Length)]
    return drawn.degrees if isinstance(drawn, Angle) else drawn.extent


def test_most_measures_are_one_term():
    assert len(simple_terms()) > 120


@pytest.mark.parametrize("id", simple_terms())
def test_what_is_drawn_is_what_is_measured(id):
    assert size_of(drafted(id)) == pytest.approx(abs(VALUES[id].value), abs=1e-9)


@pytest.mark.parametrize("id", ["cogs_N_A", "face_len", "LFH_ang", "cogs_MP_HP", "facial_axis", "Wits_BOP"])
def test_a_face_that_looks_left_is_drawn_as_it_is_measured(id):
    assert size_of(drafted(id, MIRRORED, looks_right=False)) == pytest.approx(abs(VALUES[id].value), abs=1e-9)


@pytest.mark.parametrize("id", list(ALL.formulas))
def test_every_definition_has_shapes_within_reach(id):
    shapes = [shape for _, shape in drafted(id)]
    assert any(isinstance(shape, Angle | Length) for shape in shapes)
    for shape in shapes:
        for field in dataclasses.fields(shape):
            value = getattr(shape, field.name)
            assert isinstance(value, bool) or np.isfinite(value).all()


def test_every_term_of_a_composite_has_its_own_arc_at_the_right_corner():
    shapes = drafted("ANB")
    arcs = [(term, shape) for term, shape in shapes if isinstance(shape, Angle)]
    assert [term for term, _ in arcs] == [0, 1]
    assert all(tuple(arc.corner) == FACE_MM["N"] for _, arc in arcs)
    assert arcs[0][1].degrees - arcs[1][1].degrees == pytest.approx(VALUES["ANB"].value)


@pytest.mark.parametrize("id", ["SNA", "FMA", "IMPA", "U1_NA_deg", "AB_plane"])
def test_an_arc_goes_the_short_way_round(id):
    axes = draw_measure(id).axes[0]
    (arc,) = [line.get_xydata() for line in axes.lines if line.get_gid() == "arc:0"]
    (drawn,) = [shape for _, shape in drafted(id) if isinstance(shape, Angle)]
    swept = np.linalg.norm(np.diff(arc, axis=0), axis=1).sum() / np.linalg.norm(arc[0] - drawn.corner)
    assert np.degrees(swept) == pytest.approx(abs(VALUES[id].value), rel=1e-3)


def test_lines_that_meet_far_away_are_compared_at_a_parallel():
    shapes = [shape for _, shape in drafted("SN_GoGn")]
    (arc,) = [shape for shape in shapes if isinstance(shape, Angle)]
    assert tuple(arc.corner) == FACE_MM["Go"]
    (parallel,) = [shape for shape in shapes if isinstance(shape, Stroke) and shape.dashed]
    along = parallel.end - parallel.start
    plane = np.subtract(FACE_MM["N"], FACE_MM["S"])
    assert along[0] * plane[1] - along[1] * plane[0] == pytest.approx(0, abs=1e-9)
    assert along @ plane > 0


def test_a_projection_stands_square_on_its_line():
    for _, shape in drafted("Wits"):
        if isinstance(shape, Foot):
            assert (shape.source - shape.at) @ shape.along == pytest.approx(0, abs=1e-9)


def test_the_caption_says_what_is_measured():
    shown = words(draw_measure("ANB"))
    for part in ("ANB = ang(S,N,A)-ang(S,N,B)", "Sign: plus when A lies anterior to B", "2.5 deg", "of no person"):
        assert part in shown


def test_points_are_named_and_constructed_ones_are_hollow():
    figure = draw_measure("facial_axis")
    assert {"point:N", "point:Gn_c", "point:Pog", "label:Gn_c"} <= set(gids(figure))
    faces = {
        a.get_gid(): a.get_markerfacecolor() for a in figure.axes[0].lines if str(a.get_gid()).startswith("point:")
    }
    assert faces["point:Gn_c"] != faces["point:N"]


def test_a_line_that_two_terms_share_is_drawn_once():
    lines = [gid for gid in gids(draw_measure("ANB")) if gid.startswith("line:")]
    assert sorted(lines) == ["line:0", "line:0", "line:1"]


def test_a_small_distance_is_looked_at_from_near():
    near, far = (draw_measure(id).axes[0].get_xlim() for id in ("overbite", "N_Me"))
    assert near[1] - near[0] < 0.7 * (far[1] - far[0])


def test_a_drawing_on_a_film_carries_the_notice_and_the_film(film, marks):
    figure = draw_measure("FMA", marks, film=film)
    assert NOTICE in words(figure)
    assert figure.axes[0].get_xlim() == (-0.5, 399.5)
    assert figure.axes[0].images
    assert f"{measure(marks, ['FMA'], film.calibration)['FMA'].value:.1f} " in words(figure)


def test_without_a_scale_a_length_is_drawn_and_no_millimetre_is_said(film, marks):
    figure = draw_measure("N_Me", marks, film=film, calibration=UNDETERMINED)
    assert "length:0" in gids(figure)
    assert "absent (not calibrated)" in words(figure)


def test_oblong_pixels_are_made_square_before_an_angle_is_drawn(marks):
    oblong = Calibration(basis="fiducial", row_mm=0.2, column_mm=0.1)
    axes = draw_measure("SNA", marks, calibration=oblong).axes[0]
    (arc,) = [line.get_xydata() for line in axes.lines if line.get_gid() == "arc:0"]
    corner = np.array(marks.points_px["N"]) * (0.5, 1.0)
    first, second = arc[0] - corner, arc[-1] - corner
    degrees = np.degrees(np.arccos(first @ second / np.linalg.norm(first) / np.linalg.norm(second)))
    assert degrees == pytest.approx(measure(marks, ["SNA"], oblong)["SNA"].value, abs=1e-6)


def test_own_measures_of_a_file_are_drawn(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text('[[measure]]\nid = "chin"\nunit = "mm"\nformula = "dist(Me,Pog)"\n', encoding="utf-8")
    assert "chin = dist(Me,Pog)" in words(draw_measure("chin", analysis=path))


def test_an_unknown_measure_is_refused_with_a_hint():
    with pytest.raises(UnknownAnalysisError, match="'ANB'"):
        draw_measure("ANBB")


def test_a_measure_without_a_formula_is_refused():
    with pytest.raises(DefinitionError, match="undefined construction"):
        draw_measure("sas_Go_arc", analysis="all")


def test_an_absent_landmark_is_never_drawn(marks):
    some = marks.replace(absent_landmark(m.id, "hidden") if m.id == "A" else m for m in marks)
    with pytest.raises(InputError, match="landmark A"):
        draw_measure("SNA", some)


@pytest.mark.parametrize(
    ("id", "points"),
    [
        ("SNA", {"S": (0, 0), "N": (70, 0), "A": (70, 0)}),
        ("facial_axis", FACE_MM | {"N": (90, -30), "Pog": (90, 90), "Go": (20, 10), "Me": (20, 100)}),
        ("Wits", FACE_MM | {"U4": (57, 52), "L4": (60, 51)}),
    ],
    ids=["coincident points", "parallel lines", "a line without direction"],
)
def test_what_is_undefined_is_not_drawn(id, points):
    with pytest.raises(InputError, match="Expected"):
        draw_measure(id, landmark_set(points))


def test_a_film_without_landmarks_is_refused(film):
    with pytest.raises(InputError, match="landmarks"):
        draw_measure("SNA", film=film)
    with pytest.raises(InputError, match="positions"):
        draw_measure("SNA", landmark_set({}))


def test_the_schematic_face_lies_within_its_view():
    left, top, right, bottom = VIEW_MM
    places = np.array(list(FACE_MM.values()))
    assert (places > (left, top)).all()
    assert (places < (right, bottom)).all()
    assert len(face_strokes()) > 15
