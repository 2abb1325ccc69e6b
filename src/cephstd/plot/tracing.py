"""Anatomical outlines through the landmarks: what a tracing on acetate would show, as curves.

A landmark set says where an outline passes, not how it runs between. An outline is therefore a chain of *spans*
between landmarks that a tracer would join; a span is `estimated` where the anatomy between its ends is not given by
neighbouring points of the same contour, and then follows its usual course (`cephstd.plot.tracing_shapes`). Contours
that no landmark marks, such as the sella around its centre, are laid on two landmarks and estimated as well. Where a
landmark is absent the curve ends: nothing is bridged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from cephstd.core.arrays import FloatArray, check_points
from cephstd.core.landmarks import LandmarkSet
from cephstd.plot.planes import is_usable
from cephstd.plot.tracing_shapes import BENDS, CONTOURS, find_side

Tissue = Literal["bone", "tooth", "skin"]

STEPS = 24  # points per span


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A contour as the order of its landmarks.

    Attributes
    ----------
    landmarks : tuple of str
        Along the contour. One that is not in the scheme is passed over, one that is in the scheme and absent ends
        the curve.
    given : tuple of (str, str)
        Spans that lie close on one contour: drawn solid.
    estimated : tuple of (str, str)
        Spans whose course is guessed: drawn dashed. Any other pair of neighbours is not joined.
    """

    id: str
    tissue: Tissue
    landmarks: tuple[str, ...]
    given: tuple[tuple[str, str], ...] = ()
    estimated: tuple[tuple[str, str], ...] = ()


OUTLINES = (
    Outline(id="palate", tissue="bone", landmarks=("PNS", "ANS"), estimated=(("PNS", "ANS"),)),
    Outline(id="maxilla", tissue="bone", landmarks=("ANS", "A", "Pr"), given=(("ANS", "A"), ("A", "Pr"))),
    Outline(
        id="mandible",
        tissue="bone",
        landmarks=("Co", "Ar", "Go", "Me", "Gn", "Pog", "B", "Id"),
        given=(("Co", "Ar"), ("Me", "Gn"), ("Gn", "Pog"), ("Pog", "B"), ("B", "Id")),
        estimated=(("Ar", "Go"), ("Co", "Go"), ("Go", "Me")),
    ),
    Outline(
        id="upper profile",
        tissue="skin",
        landmarks=("G_s", "N_s", "Pn", "Cm", "Sn", "SLs", "Ls", "Stms"),
        given=(("Pn", "Cm"), ("Cm", "Sn"), ("Sn", "SLs"), ("SLs", "Ls"), ("Ls", "Stms")),
        estimated=(("G_s", "N_s"), ("N_s", "Pn"), ("Pn", "Sn"), ("Sn", "Ls")),
    ),
    # Without the stomion points the mouth is guessed as one span from lip to lip.
    Outline(id="mouth", tissue="skin", landmarks=("Ls", "Stms", "Stmi", "Li"), estimated=(("Ls", "Li"),)),
    Outline(
        id="lower profile",
        tissue="skin",
        landmarks=("Stmi", "Li", "ILs", "Pog_s", "Gn_s", "Me_s", "C"),
        given=(("Stmi", "Li"), ("Li", "ILs"), ("ILs", "Pog_s"), ("Pog_s", "Gn_s"), ("Gn_s", "Me_s"), ("Pog_s", "Me_s")),
        estimated=(("Li", "Pog_s"), ("Me_s", "C")),
    ),
)

TEETH = (("upper incisor", "U1", "U1A"), ("lower incisor", "L1", "L1A"))
# Half width of an incisor along its axis, as a share of its length, from the edge (0) to the apex (1): a usual shape.
TOOTH_ALONG = np.array([0.0, 0.02, 0.12, 0.28, 0.42, 0.6, 0.8, 0.95, 1.0])
TOOTH_HALF_WIDTH = np.array([0.0, 0.03, 0.075, 0.125, 0.135, 0.115, 0.075, 0.035, 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A piece of an outline on one film.

    Attributes
    ----------
    outline : str
        Which contour it belongs to, e.g. ``"mandible"``.
    points_px : ndarray, shape (n, 2)
        Source px, dense enough to be drawn as a line.
    landmarks : tuple of str
        Landmarks that it passes through, in order.
    estimated : bool
        True where the anatomy between the landmarks is guessed; drawn dashed.
    """

    outline: str
    tissue: Tissue
    points_px: FloatArray
    landmarks: tuple[str, ...]
    estimated: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_px", check_points(self.points_px))


def trace_outlines(marks: LandmarkSet) -> tuple[Curve, ...]:
    """Outlines that the landmarks of a film allow, each piece either given or estimated.

    Smooth curves (centripetal Catmull-Rom: Yuksel, Schaefer and Keyser 2011, free of loops and cusps) through the
    landmarks of every run that is not broken by an absent or rejected point. Incisors, a usual shape laid on the axis,
    appear only where both the edge and the apex exist, and are always estimated.

    Examples
    --------
    >>> from cephstd.core.landmarks import landmark_set
    >>> curves = trace_outlines(landmark_set({"ANS": (140, 156), "A": (137, 164)}))
    >>> [(curve.outline, curve.landmarks, curve.estimated) for curve in curves]
    [('maxilla', ('ANS', 'A'), False)]
    """
    usable = {mark.id for mark in marks if is_usable(mark)}
    side = find_side(marks, usable)
    curves = list(_lay_contours(marks, usable, side))
    curves += [
        curve
        for outline in OUTLINES
        for run in _find_runs(outline, marks)
        for curve in _draw_run(outline, run, marks, side)
    ]
    curves += [_draw_tooth(id, edge, apex, marks) for id, edge, apex in TEETH if _has_axis(marks, edge, apex)]
    return tuple(curves)


def _lay_contours(marks: LandmarkSet, usable: set[str], side: int) -> Iterator[Curve]:
    """Contours of the schematic face whose two landmarks exist apart; none where the side shown is not known."""
    for contour in CONTOURS if side else ():
        ends = (contour.first, contour.last)
        if usable.issuperset(ends) and marks.points_px[ends[0]] != marks.points_px[ends[1]]:
            first, last = (np.array(marks.points_px[id]) for id in ends)
            spans = smooth_spans(contour.shape.lay(first, last, handed=side))
            points = np.concatenate([spans[0][:1], *(span[1:] for span in spans)])
            yield Curve(outline=contour.id, tissue="bone", points_px=points, landmarks=ends, estimated=True)


def _has_axis(marks: LandmarkSet, edge: str, apex: str) -> bool:
    both = all(id in marks and is_usable(marks[id]) for id in (edge, apex))
    return both and marks.points_px[edge] != marks.points_px[apex]


def _find_runs(outline: Outline, marks: LandmarkSet) -> Iterator[list[str]]:
    """Longest chains of usable landmarks whose neighbours are declared spans."""
    joined = {*outline.given, *outline.estimated}
    run: list[str] = []
    for id in (id for id in outline.landmarks if id in marks):
        if run and not (is_usable(marks[id]) and (run[-1], id) in joined):
            yield run
            run = []
        if is_usable(marks[id]):
            run.append(id)
    yield run


def _draw_run(outline: Outline, run: list[str], marks: LandmarkSet, side: int) -> Iterator[Curve]:
    """Pieces of one smooth curve: neighbouring spans of one kind together."""
    places = marks.points_px
    ids = [id for at, id in enumerate(run) if at == 0 or places[id] != places[run[at - 1]]]
    if len(ids) < 2:
        return
    spans = _join([np.array(places[id]) for id in ids], [_bend(pair, places, side) for pair in pairwise(ids)])
    guessed = [pair in outline.estimated for pair in pairwise(ids)]
    start = 0
    for at in range(1, len(guessed) + 1):
        if at == len(guessed) or guessed[at] != guessed[start]:
            points = np.concatenate([spans[start], *(span[1:] for span in spans[start + 1 : at])])
            yield Curve(
                outline=outline.id,
                tissue=outline.tissue,
                points_px=points,
                landmarks=tuple(ids[start : at + 1]),
                estimated=guessed[start],
            )
            start = at


def _bend(pair: tuple[str, str], places: Mapping[str, tuple[float, float]], side: int) -> FloatArray:
    """Places that a span passes on its usual course; none where its course is not known or needs none."""
    if not side or pair not in BENDS:
        return np.empty((0, 2))
    return BENDS[pair].lay(np.array(places[pair[0]]), np.array(places[pair[1]]), handed=side)


def _join(ends: list[FloatArray], bends: list[FloatArray]) -> list[FloatArray]:
    """Spans between neighbouring `ends` of one smooth curve that also passes the places between them."""
    knots = [np.concatenate([start[None], bend]) for start, bend in zip(ends[:-1], bends, strict=True)]
    pieces = iter(smooth_spans(np.concatenate([*knots, ends[-1][None]])))
    spans = []
    for bend in bends:
        parts = [next(pieces) for _ in range(len(bend) + 1)]
        spans.append(np.concatenate([parts[0], *(part[1:] for part in parts[1:])]))
    return spans


def smooth_spans(points: FloatArray) -> list[FloatArray]:
    """Spans (STEPS + 1, 2) of the centripetal Catmull-Rom curve through `points` (n, 2), no two neighbours alike.

    The curve is extended at both ends by the mirrored neighbour; two points give a straight line.
    """
    ends = (2 * points[0] - points[1], 2 * points[-1] - points[-2])
    p = np.concatenate([ends[:1], points, ends[1:]])
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(p, axis=0), axis=1)))])
    return [_span(p[at : at + 4], knots[at : at + 4]) for at in range(len(points) - 1)]


def _span(p: FloatArray, t: FloatArray) -> FloatArray:
    """Barry and Goldman's pyramid between the second and third of four points at knots `t`."""
    at = np.linspace(t[1], t[2], STEPS + 1)[:, None]

    def blend(low: int, high: int, a: FloatArray, b: FloatArray) -> FloatArray:
        mixed: FloatArray = ((t[high] - at) * a + (at - t[low]) * b) / (t[high] - t[low])
        return mixed

    first = [blend(k, k + 1, p[k], p[k + 1]) for k in range(3)]
    second = [blend(k, k + 2, first[k], first[k + 1]) for k in range(2)]
    curve = blend(1, 2, second[0], second[1])
    curve[[0, -1]] = p[[1, 2]]  # exactly through the landmarks
    return curve


def _draw_tooth(id: str, edge: str, apex: str, marks: LandmarkSet) -> Curve:
    """Closed outline around the axis from incisal edge to apex, equal on both sides."""
    tip, root = (np.array(marks.points_px[end]) for end in (edge, apex))
    along, across = root - tip, np.array([-(root - tip)[1], (root - tip)[0]])
    side = tip + TOOTH_ALONG[:, None] * along + TOOTH_HALF_WIDTH[:, None] * across
    other = tip + TOOTH_ALONG[:, None] * along - TOOTH_HALF_WIDTH[:, None] * across
    points = np.concatenate([*(span[1:] for span in smooth_spans(np.concatenate([side, other[-2::-1]])))])
    return Curve(outline=id, tissue="tooth", points_px=points, landmarks=(edge, apex), estimated=True)
