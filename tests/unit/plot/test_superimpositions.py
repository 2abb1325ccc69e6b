from __future__ import annotations

import numpy as np
import pytest

import cephstd as cs
from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.geometry.superimposer import superimpose
from cephstd.plot.overlays import draw_png
from cephstd.plot.superimpositions import HIGHLIGHT, draw_superimposition


@pytest.fixture(scope="module")
def grown(marks: LandmarkSet) -> LandmarkSet:
    """The face turned and shifted, with the chin 12 mm lower and no porion."""
    turn = np.array([[0.995, -0.0998], [0.0998, 0.995]])
    out = []
    for mark in marks:
        place = np.array([mark.x_px, mark.y_px]) + ((0, 24) if mark.id in {"Me", "Gn", "Pog"} else (0, 0))
        out.append(place_landmark(mark.id, *(turn @ place + (40, -15)), covariance_px2=mark.covariance_px2))
    return LandmarkSet(landmarks=tuple(absent_landmark("Po", "not seen") if m.id == "Po" else m for m in out))


@pytest.fixture(scope="module")
def picture(marks, grown):
    scale = cs.state_calibration(0.5)
    laid = superimpose([marks, grown], [scale, scale])
    return laid[0], draw_superimposition([marks, grown], laid, scale, names=["before", "after"])


def by_gid(figure, gid):
    return next(artist for artist in figure.findobj(lambda artist: artist.get_gid() == gid))


def test_later_points_lie_where_the_superimposition_puts_them(picture, grown):
    laid, figure = picture
    (x,), (y,) = by_gid(figure, "point:1:Me").get_data()
    assert (x, y) == pytest.approx(tuple(laid.place([grown.points_px["Me"]])[0] * 0.5))
    assert np.hypot(
        x - by_gid(figure, "point:0:Me").get_xdata()[0], y - by_gid(figure, "point:0:Me").get_ydata()[0]
    ) == (pytest.approx(laid["Me"].distance_mm))


def test_what_moved_stands_out_and_what_did_not_does_not(picture):
    laid, figure = picture
    assert (laid["Me"].moved, laid["A"].moved) == (True, False)
    assert by_gid(figure, "shift:Me").get_color() == HIGHLIGHT
    assert by_gid(figure, "shift:A").get_color() != HIGHLIGHT
    assert by_gid(figure, "label:Me").get_color() == HIGHLIGHT


def test_ring_is_the_region_of_no_movement(picture):
    """A displacement on its rim has a squared Mahalanobis distance of 5.991."""
    laid, figure = picture
    ring, shift = by_gid(figure, "ring:Me"), laid["Me"]
    axes = np.array(laid.axes)
    cross = shift.correlation * shift.sd_anterior_mm * shift.sd_superior_mm
    covariance = np.array([[shift.sd_anterior_mm**2, cross], [cross, shift.sd_superior_mm**2]])
    for radius, angle in ((ring.width / 2, ring.angle), (ring.height / 2, ring.angle + 90)):
        rim = axes @ (radius * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]))
        assert rim @ np.linalg.inv(covariance) @ rim == pytest.approx(5.991, abs=1e-3)


def test_an_absent_point_is_not_drawn(picture):
    _, figure = picture
    gids = {artist.get_gid() for artist in figure.findobj()}
    assert "point:0:Po" in gids
    assert not gids & {"point:1:Po", "shift:Po", "ring:Po"}


def test_legend_names_the_films_and_the_notice_stands(picture):
    _, figure = picture
    said = {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}
    assert {"before", "after", "Superimposition"} <= said
    assert any("Not a medical device" in text for text in said)
    assert draw_png(figure).startswith(b"\x89PNG")


def test_films_and_superimpositions_must_belong_together(picture, marks):
    laid, _ = picture
    with pytest.raises(cs.InputError):
        draw_superimposition([marks], [laid], cs.state_calibration(0.5))
    with pytest.raises(cs.CalibrationError):
        draw_superimposition([marks, marks], [laid], cs.Calibration(basis="undetermined"))
