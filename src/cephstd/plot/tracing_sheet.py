"""A tracing laid out on paper: outlines, planes, points and their names in millimetres of the page, without a picture.

Whoever draws it chooses the colours. Where the film has a scale and the page has the room, a millimetre on paper is one
on the film, as on acetate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration
from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.core.steps import Size
from cephstd.plot.labels import place_labels
from cephstd.plot.margin import landmark_symbol
from cephstd.plot.overlays import uncertainty_ellipse
from cephstd.plot.planes import find_planes
from cephstd.plot.tracing import Curve, trace_outlines

LABEL_MM = (1.35, 3.0)  # width of a character, height of a line
PX_PER_MM = 6.0  # the grid on which labels look for room
MARGIN_MM = 9.0  # paper around what is traced
BARS_MM = (50.0, 20.0, 10.0)
Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the drawing; `kind` is ``bone``, ``tooth``, ``skin`` or ``plane``, `name` the outline or plane."""

    kind: str
    name: str
    points_mm: tuple[Place, ...]
    dashed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A landmark; `ring_mm` has the full axes of its 95 % region and the turn of the first in degrees."""

    id: str
    at_mm: Place
    kind: str
    ring_mm: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name, centred at `at_mm`, of a point or of a plane; `foot_mm` where a hairline leads to what it names."""

    text: str
    name: str
    at_mm: Place
    foot_mm: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One drawing.

    Attributes
    ----------
    size_mm : tuple of float
        Width and height on paper.
    window_px : tuple of float
        Left, top, right and bottom edge of what is shown, source px.
    enlargement : float, optional
        Millimetres on paper for one on the film; None where the film has no scale.
    bar_mm : tuple of float, optional
        A length on the film, and its length on paper; None where the film has no scale.
    """

    size_mm: tuple[float, float]
    window_px: tuple[float, float, float, float]
    enlargement: float | None
    bar_mm: tuple[float, float] | None
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    labels: tuple[Label, ...]
    curves: tuple[Curve, ...]


def lay_out(
    size: Size, marks: LandmarkSet, calibration: Calibration, *, room_mm: tuple[float, float], whole: bool
) -> Sheet:
    """Lay a film's tracing out on paper.

    Parameters
    ----------
    size : tuple of int
        Width and height of the film, px.
    marks : LandmarkSet
        In source px.
    calibration : Calibration
        Scale of the film.
    room_mm : tuple of float
        Width and height that the page has, mm.
    whole : bool
        Show the whole film as large as the room allows; else what is traced, at natural size where it fits.
    """
    row_mm, column_mm = calibration.spacing_mm or (1.0, 1.0)
    pitch = np.array([column_mm, row_mm])
    curves = trace_outlines(marks)
    low, high = np.array([-0.5, -0.5]), np.array(size) - 0.5
    fill = _fill((high - low) * pitch, room_mm)
    enlargement = fill
    if not whole and marks.present:
        places = np.concatenate([*(curve.points_px for curve in curves), np.array(list(marks.points_px.values()))])
        low, high = places.min(axis=0), places.max(axis=0)
        bare = np.maximum((high - low) * pitch, 1e-6)
        inner = (room_mm[0] - 2 * MARGIN_MM, room_mm[1] - 2 * MARGIN_MM)
        fits = calibration.spacing_mm is not None and bool((bare <= inner).all())
        enlargement = 1.0 if fits else _fill(bare, inner)
        low, high = low - MARGIN_MM / enlargement / pitch, high + MARGIN_MM / enlargement / pitch
    frame = _Frame(low, pitch * enlargement)
    lines = [_outline(curve, frame) for curve in curves]
    for line in find_planes(marks):
        if line.ends_px is not None:
            ends = _plain(frame.place(line.ends_px))
            lines.append(Line(kind="plane", name=line.plane.id, points_mm=ends, dashed=line.provisional))
    paper = frame.place(high[None])[0]
    shown = [mark for mark in marks.present if _is_on(frame.place(_position(mark))[0], paper)]
    dots = tuple(_dot(mark, frame) for mark in shown)
    scale = None if calibration.spacing_mm is None else enlargement
    return Sheet(
        size_mm=(round(float(paper[0]), 2), round(float(paper[1]), 2)),
        window_px=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        enlargement=scale,
        bar_mm=None if scale is None else _bar(scale, float(paper[0])),
        lines=tuple(lines),
        dots=dots,
        labels=tuple(_labels(dots, [line for line in lines if line.kind == "plane"], paper)),
        curves=curves,
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """From source px to mm on paper."""

    corner_px: FloatArray
    mm_per_px: FloatArray

    def place(self, points_px: FloatArray) -> FloatArray:
        return (points_px - self.corner_px) * self.mm_per_px


def _fill(size_mm: FloatArray, room_mm: tuple[float, float]) -> float:
    return float(min(room_mm[0] / size_mm[0], room_mm[1] / size_mm[1]))


def _position(mark: Landmark) -> FloatArray:
    return np.array([[mark.x_px, mark.y_px]], dtype=np.float64)


def _is_on(place: FloatArray, paper: FloatArray) -> bool:
    return bool(((place >= 0) & (place <= paper)).all())


def _plain(points: FloatArray) -> tuple[Place, ...]:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in points)


def _outline(curve: Curve, frame: _Frame) -> Line:
    points = _plain(frame.place(curve.points_px))
    return Line(kind=curve.tissue, name=curve.outline, points_mm=points, dashed=curve.estimated)


def _dot(mark: Landmark, frame: _Frame) -> Dot:
    ring = None
    found = uncertainty_ellipse(mark)
    if found is not None:
        width, height, turn = found
        # pixels are square but for the rarest of films: the mean pitch is what a ring on paper can show
        pitch = float(frame.mm_per_px.mean())
        ring = (round(width * pitch, 2), round(height * pitch, 2), round(turn, 1))
    at = _plain(frame.place(_position(mark)))[0]
    kind = mark.review if mark.review in ("provisional", "rejected") else mark.state
    return Dot(id=mark.id, at_mm=at, kind=kind, ring_mm=ring)


def _bar(scale: float, width_mm: float) -> tuple[float, float]:
    length = next((mm for mm in BARS_MM if mm * scale <= width_mm / 3), BARS_MM[-1])
    return length, round(length * scale, 2)


def _labels(dots: tuple[Dot, ...], planes: list[Line], paper: FloatArray) -> Iterator[Label]:
    """Names of points and planes where there is room; a plane is named at its last end on the paper."""
    texts = [(landmark_symbol(dot.id), dot.id, np.array(dot.at_mm)) for dot in dots]
    for line in planes:
        end = _last_on_paper(line, paper)
        if end is not None:
            texts.append((line.name, f"plane:{line.name}", end))
    if not texts:
        return
    anchors = np.array([at for _, _, at in texts]) * PX_PER_MM
    sizes = np.array([(len(text) * LABEL_MM[0] + 0.8, LABEL_MM[1]) for text, _, _ in texts]) * PX_PER_MM
    ink = np.concatenate([_sample(line) for line in planes]) * PX_PER_MM if planes else np.empty((0, 2))
    bounds = (float(paper[0]) * PX_PER_MM, float(paper[1]) * PX_PER_MM)
    centres = place_labels(anchors, sizes, bounds, points_px=anchors[: len(dots)], lines_px=ink)
    for (text, name, _), anchor, centre, size in zip(texts, anchors, centres, sizes, strict=True):
        near = np.clip(anchor, centre - size / 2, centre + size / 2)
        apart = float(np.hypot(*(near - anchor))) > 2.6 * PX_PER_MM
        foot = _plain(near[None] / PX_PER_MM)[0] if apart else None
        yield Label(text=text, name=name, at_mm=_plain(centre[None] / PX_PER_MM)[0], foot_mm=foot)


def _sample(line: Line) -> FloatArray:
    start, end = (np.array(place) for place in (line.points_mm[0], line.points_mm[-1]))
    return np.asarray(start + np.linspace(0, 1, 160)[:, None] * (end - start))


def _last_on_paper(line: Line, paper: FloatArray) -> FloatArray | None:
    points = _sample(line)[::-1]
    inside = ((points >= 0) & (points <= paper)).all(axis=-1)
    return points[int(np.argmax(inside))] if inside.any() else None
