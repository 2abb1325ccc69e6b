"""What is drawn on a film, read back from the figure's artists."""

from __future__ import annotations

import dataclasses
import io
import itertools

import cv2
import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from cephstd.core.image import UNDETERMINED, Calibration
from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.core.measures import Measure, MeasureSet
from cephstd.errors import ExportError
from cephstd.plot import palette
from cephstd.plot.margin import BEYOND, NO_SCALE, NOTICE
from cephstd.plot.overlays import draw_png, overlay, save_overlay, uncertainty_ellipse

VALUES = MeasureSet(
    analysis="steiner",
    measures=(
        Measure(id="SNA", definition_version=1, unit="deg", value=82.345, sd=0.61),
        Measure(id="FMA", definition_version=1, unit="deg", value=25.04, sd=None, provisional=True),
        Measure(id="Wits", definition_version=1, unit="mm", reason="missing: U4"),
    ),
)


def by_gid(figure: Figure, start: str) -> dict[str, Artist]:
    found = figure.findobj(lambda artist: str(artist.get_gid() or "").startswith(start))
    return {str(artist.get_gid()).removeprefix(start): artist for artist in found}


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def swap(marks: LandmarkSet, *others) -> LandmarkSet:
    given = {mark.id: mark for mark in others}
    return marks.replace(given.get(mark.id, mark) for mark in marks)


def test_every_present_point_is_marked_at_its_source_pixel(figure, marks):
    points = by_gid(figure, "point:")
    assert set(points) == set(marks.ids)
    for id, (x, y) in marks.points_px.items():
        assert (points[id].get_xdata()[0], points[id].get_ydata()[0]) == (x, y)
    assert set(by_gid(figure, "label:")) >= set(marks.ids)


def test_source_pixel_centres_lie_on_picture_pixel_areas(figure):
    """The film's picture and the points share one frame: (0, 0) is the centre of the top-left pixel."""
    axes = figure.axes[0]
    assert axes.images[0].get_extent() == [-0.5, 399.5, 479.5, -0.5]
    assert axes.get_xlim() == (-0.5, 399.5)
    assert axes.get_ylim() == (479.5, -0.5)


def test_ellipse_axes_hold_95_percent_of_the_covariance(figure, rng):
    ellipse = by_gid(figure, "ellipse:")["S"]
    draws = rng.multivariate_normal(ellipse.get_center(), [[9.0, 4.0], [4.0, 5.0]], size=40_000)
    turn = np.radians(-ellipse.angle)
    local = (draws - ellipse.get_center()) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    inside = (local[:, 0] / (ellipse.width / 2)) ** 2 + (local[:, 1] / (ellipse.height / 2)) ** 2 <= 1
    assert inside.mean() == pytest.approx(0.95, abs=0.005)


def test_ellipse_of_a_known_covariance():
    long = place_landmark("S", 0, 0, covariance_px2=[[1.0, 0.0], [0.0, 16.0]])
    assert uncertainty_ellipse(long) == pytest.approx((8 * 2.4477468, 2 * 2.4477468, 90.0))
    assert uncertainty_ellipse(place_landmark("S", 0, 0)) is None


def test_a_point_without_covariance_has_no_ellipse(film, marks):
    some = swap(marks, place_landmark("S", 160, 190))
    ellipses = by_gid(overlay(film, some), "ellipse:")
    assert set(ellipses) == set(marks.ids) - {"S"}


@pytest.mark.parametrize(
    ("plane", "ends"),
    [
        ("SN", "S N"),
        ("FH", "Po Or"),
        ("PP", "PNS ANS"),
        ("MP", "Go Me"),
        ("NA", "N A"),
        ("NB", "N B"),
        ("N-Pog", "N Pog"),
    ],
)
def test_planes_pass_through_their_points(figure, marks, plane, ends):
    line = by_gid(figure, "plane:")[plane]
    start, end = line.get_xydata()
    along = (end - start) / np.linalg.norm(end - start)
    for id in ends.split():
        offset = np.array(marks.points_px[id]) - start
        assert abs(along[0] * offset[1] - along[1] * offset[0]) < 1e-9
        assert 0 <= offset @ along <= np.linalg.norm(end - start)
    assert by_gid(figure, "legend:")[plane].get_color() == line.get_color()


def test_planes_have_different_colours(figure):
    lines = by_gid(figure, "plane:").values()
    colours = [np.array(to_rgba(line.get_color())) for line in lines]
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(colours, 2)) > 0.1


def test_a_plane_with_an_absent_point_is_not_drawn_and_says_why(film, marks):
    figure = overlay(film, swap(marks, absent_landmark("Po", "hidden by the ear rod")))
    assert set(by_gid(figure, "plane:")) == {"SN", "PP", "MP", "NA", "NB", "N-Pog"}
    assert "not drawn: Po absent" in words(figure)
    assert "hidden by the ear rod" in words(figure)
    assert "Po" not in by_gid(figure, "point:")
    assert "plane:FH" not in by_gid(figure, "label:")


def test_no_plane_rests_on_a_rejected_point(film, marks):
    rejected = place_landmark("A", 270, 322, state="detected", review="rejected")
    figure = overlay(film, swap(marks, rejected))
    assert "NA" not in by_gid(figure, "plane:")
    assert "not drawn: A rejected" in words(figure)


def test_incisor_axes_exist_only_with_both_ends(film, marks, figure):
    assert "U1 axis" not in by_gid(figure, "plane:")
    more = marks.replace((*marks, place_landmark("U1A", 270, 335)))
    planes = by_gid(overlay(film, more), "plane:")
    assert "U1 axis" in planes
    assert "L1 axis" not in planes


def test_provisional_points_and_what_rests_on_them_look_different(film, marks):
    doubtful = place_landmark("Or", 258, 250, state="detected", review="provisional")
    figure = overlay(film, swap(marks, doubtful))
    points, planes = by_gid(figure, "point:"), by_gid(figure, "plane:")
    assert points["Or"].get_marker() != points["S"].get_marker()
    assert points["Or"].get_markerfacecolor() == "none"
    assert planes["FH"].is_dashed()
    assert not planes["SN"].is_dashed()
    assert palette.PROVISIONAL.name in words(figure)


def test_the_scale_bar_has_the_length_it_states(figure, film):
    bar = by_gid(figure, "scale-bar")[""]
    source_px = np.ptp(bar.get_xdata()) * film.size[0]
    stated = next(text for text in words(figure) if text.endswith(" mm"))
    assert float(stated.removesuffix(" mm")) == pytest.approx(source_px * 0.5)
    assert NO_SCALE not in words(figure)


@pytest.mark.parametrize(
    "calibration", [UNDETERMINED, Calibration(basis="file_dpi_untrusted", row_mm=0.085, column_mm=0.085)]
)
def test_without_a_scale_there_is_no_bar_and_the_picture_says_so(film, marks, calibration):
    figure = overlay(film, marks, calibration=calibration)
    assert not by_gid(figure, "scale-bar")
    assert by_gid(figure, "no-scale")
    assert NO_SCALE in words(figure)
    assert not any("mm/px" in text or text.endswith(" mm") for text in words(figure))


def test_a_film_of_oblong_pixels_is_shown_in_its_physical_proportions(film, marks):
    oblong = Calibration(basis="fiducial", row_mm=0.2, column_mm=0.1)
    figure = overlay(film, marks, calibration=oblong)
    wide, high = figure.axes[0].get_window_extent().size
    assert wide / high == pytest.approx((400 * 0.1) / (480 * 0.2), rel=2e-3)
    bar = by_gid(figure, "scale-bar")[""]
    stated = float(next(text for text in words(figure) if text.endswith(" mm")).removesuffix(" mm"))
    assert stated == pytest.approx(np.ptp(bar.get_xdata()) * 400 * 0.1)


def test_values_are_shown_with_their_spread_or_their_reason(film, marks):
    figure = overlay(film, marks, VALUES)
    shown = words(figure)
    assert "82.3" in shown
    assert "± 0.6" in shown
    assert "25.0" in shown
    assert "sd unknown  provisional" in shown
    assert "missing: U4" in shown
    assert set(by_gid(figure, "value:")) == {"SNA", "FMA"}
    assert by_gid(figure, "value:")["FMA"].get_color() == palette.CAUTION


def test_a_deviation_that_fails_is_not_shown_as_a_number(film, marks):
    failing = Measure(id="SNA", definition_version=1, unit="deg", value=82.3, sd=40.6, linear=False)
    shown = words(overlay(film, marks, MeasureSet(analysis="steiner", measures=(failing,))))
    assert "sd fails" in shown
    assert "± 40.6" not in shown


def test_an_analysis_without_key_values_shows_its_own(film, marks):
    own = MeasureSet(analysis="mine", measures=(Measure(id="nose_tip", definition_version=1, unit="mm", value=1.0),))
    assert "nose_tip" in by_gid(overlay(film, marks, own), "value:")


def test_the_notice_stands_in_every_picture(film, marks):
    for figure in (overlay(film, marks, VALUES), overlay(film, LandmarkSet(landmarks=()))):
        notice = [t for t in figure.findobj(Text) if t.get_gid() == "notice"]
        assert " ".join(text.get_text() for text in notice) == NOTICE
        assert all(text.get_window_extent().y0 >= 0 for text in notice)


def test_a_long_list_of_absent_points_never_reaches_the_notice(film, marks):
    absent = marks.replace(
        absent_landmark(id, f"reason number {at} " + "told at length " * 12) for at, id in enumerate(marks.ids)
    )
    many = MeasureSet(
        analysis="all",
        measures=tuple(Measure(id=f"m{at}", definition_version=1, unit="deg", value=1.0) for at in range(60)),
    )
    figure = overlay(film, absent, many)
    notice = [t for t in figure.findobj(Text) if t.get_gid() == "notice"]
    top = max(text.get_window_extent().y1 for text in notice)
    told = [t for t in figure.axes[1].texts if t.get_gid() != "notice"]
    assert min(text.get_window_extent().y0 for text in told) > top
    assert "… more: see the record" in words(figure)


def test_a_point_beyond_the_film_is_told_and_not_labelled(film, marks):
    figure = overlay(film, swap(marks, place_landmark("Po", -30, 238)))
    assert BEYOND in words(figure)
    labels = by_gid(figure, "label:")
    assert "Po" not in labels
    assert "plane:FH" in labels


def test_names_of_planes_stay_on_the_film(film, marks):
    figure = overlay(film, swap(marks, place_landmark("Me", 395, 478)))
    x, y = by_gid(figure, "label:")["plane:MP"].get_position()
    assert 0 <= x <= 399
    assert 0 <= y <= 479


def test_the_facing_of_the_source_is_kept_and_bone_is_bright(film, marks, figure):
    plain = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)
    turned = dataclasses.replace(film, pixels=255 - film.pixels, inverted=True)
    inverted = np.asarray(overlay(turned, marks).axes[0].images[0].get_array(), dtype=float)
    assert np.abs(plain - inverted).max() <= 1
    assert plain[0, 0] < plain[0, -1]


def test_the_tracing_is_drawn_when_asked_for(film, marks, figure):
    assert not by_gid(figure, "outline:")
    assert "mandible" in by_gid(overlay(film, marks, tracing=True), "outline:")


def test_texts_are_never_read_as_mathematics(film, marks):
    strange = swap(marks, absent_landmark("S", "cost $5_x and \\frac{1} $"))
    figure = overlay(film, strange, title="a$b$c^d_e")
    FigureCanvasAgg(figure).draw()
    assert "a$b$c^d_e" in words(figure)


def test_nothing_global_changes(film, marks):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw_png(overlay(film, marks, VALUES))
    assert dict(mpl.rcParams) == before


def test_labels_stay_clear_of_each_other(figure):
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in by_gid(figure, "label:").values()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_a_png_is_written_and_tells_nothing_but_its_maker(film, marks, tmp_path):
    path = tmp_path / "picture.png"
    save_overlay(path, film, marks, VALUES)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        assert image.info["Software"] == "cephstd"
        assert set(image.info) <= {"Software", "dpi"}
        assert image.height > 1400


def test_a_path_that_cannot_be_written_is_an_export_error(film, marks, tmp_path):
    with pytest.raises(ExportError, match="cannot be written"):
        save_overlay(tmp_path / "nowhere" / "picture.png", film, marks)


def test_a_deep_film_fills_the_range(film, marks):
    deep = dataclasses.replace(film, pixels=film.pixels.astype(np.uint16) + 1000)
    picture = np.asarray(overlay(deep, marks).axes[0].images[0].get_array())
    assert picture.min() == 0
    assert picture.max() > 200


def test_burnt_in_text_is_covered_unless_asked_for(film, marks):
    named = np.array(film.pixels)
    cv2.putText(named, "DOE JANE", (12, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, int(named.max()), 2)
    named = dataclasses.replace(film, pixels=named)
    covered, shown = (overlay(named, marks, show_text=wanted).axes[0].images[0].get_array() for wanted in (False, True))
    plain = overlay(film, marks, show_text=True).axes[0].images[0].get_array()
    assert np.abs(shown.astype(int) - plain.astype(int)).max() > 50
    changed = np.abs(covered.astype(int) - shown.astype(int)).max(axis=1) > 0
    assert changed[: changed.size // 4].any()
    assert not changed[changed.size // 4 :].any()
