"""Drawings of measurement definitions: what a formula measures, on a schematic face or on a film."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration, Radiograph, state_calibration
from cephstd.core.landmarks import LandmarkSet
from cephstd.core.measures import Measure
from cephstd.errors import DefinitionError, InputError, UnknownAnalysisError
from cephstd.geometry.measurer import measure
from cephstd.knowledge.definitions import MeasureDefinition
from cephstd.knowledge.formula import Call, Formula, Name, Node, suggest
from cephstd.knowledge.loader import load_analysis, load_constructions
from cephstd.plot import palette
from cephstd.plot.backdrop import shrink_film
from cephstd.plot.face import VIEW_MM, face_marks, face_strokes
from cephstd.plot.labels import place_labels
from cephstd.plot.margin import NOTICE, landmark_symbol
from cephstd.plot.panel import Panel, font
from cephstd.plot.planes import is_usable
from cephstd.plot.shapes import Angle, Drafter, Foot, Length, Shape, Stroke, Window
from cephstd.plot.tracing import trace_outlines

SIZE_PX = (900, 920)  # the largest size of the drawing, without its caption
EDGE_PX, CAPTION_PX = 26, 236
NEAREST, ROOM = 0.5, 1.45  # smallest part of a view that is shown, and the room around what is drawn
ARC, FOOT, TICK = 0.075, 0.014, 0.012  # sizes as a share of the view's smaller side


@dataclass(frozen=True, slots=True)
class _Scene:
    """Points and background of one drawing; x is stretched so that pixels are square."""

    marks: LandmarkSet
    points: dict[str, tuple[float, float]]
    window: Window
    strokes: tuple[FloatArray, ...]
    theme: palette.Theme
    calibration: Calibration | None
    film: Radiograph | None = None

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the window."""
        left, top, right, bottom = self.window
        return right - left, bottom - top


def draw_measure(
    id: str,
    marks: LandmarkSet | None = None,
    *,
    film: Radiograph | None = None,
    calibration: Calibration | None = None,
    analysis: str | Path = "all",
) -> Figure:
    """Drawing of what a measure measures, made from the structure of its formula.

    Angles are two lines and an arc, lengths dimension lines, projections perpendiculars with their feet; every term of
    the formula has its own colour. Where two lines meet outside the drawing, their angle is shown at a dashed parallel.

    Parameters
    ----------
    id : str
        Measure of `analysis`.
    marks : LandmarkSet, optional
        Landmarks in source px; left out, a schematic face of no person.
    film : Radiograph, optional
        Background of `marks`, orientation as in the source.
    calibration : Calibration, optional
        Scale of `marks`; the film's own when left out.
    analysis : str or Path
        Where `id` is looked up: an analysis, or a user's file.

    Returns
    -------
    matplotlib.figure.Figure
        With the name, the formula, the definition, its sign and the value under the drawing.

    Raises
    ------
    UnknownAnalysisError
        When the analysis or the measure is not defined.
    DefinitionError
        When the measure is declared without a formula.
    InputError
        When a landmark that it needs is absent or rejected, its construction is undefined on these points, or a film
        is given without landmarks.
    """
    definition, formula = _find_measure(id, analysis)
    scene = _set_scene(marks, film, calibration)
    drafter = Drafter(scene.points, scene.window, looks_right=_looks_right(scene.points))
    shapes = _drop_repeats(drafter.draft(formula.root))
    if film is None:
        scene = dataclasses.replace(scene, window=_zoom(scene.window, shapes))
    value = measure(scene.marks, [id] if analysis == "all" else analysis, scene.calibration)[id]

    width, height = _fit(scene.size)
    total = (width + 2 * EDGE_PX, height + CAPTION_PX + 2 * EDGE_PX)
    figure = Figure((total[0] / palette.DPI, total[1] / palette.DPI), dpi=palette.DPI, facecolor=scene.theme.ground)
    canvas = FigureCanvasAgg(figure)

    def gauge(text: str, size_pt: float) -> tuple[float, float]:
        renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
        wide, high, _ = renderer.get_text_width_height_descent(text, font(size_pt), ismath=False)
        return float(wide), float(high)

    axes = figure.add_axes(_box(total, EDGE_PX, EDGE_PX, width, height), label="drawing")
    axes.set_axis_off()
    left, top, right, bottom = scene.window
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    _draw_ground(axes, scene, (width, height))
    for term, shape in shapes:
        _draw_shape(axes, shape, scene, scene.theme.hues[term % len(scene.theme.hues)], term)
    _draw_names(axes, scene, drafter, formula.root, shapes, gauge=gauge, px_per_unit=width / scene.size[0])

    caption = figure.add_axes(_box(total, EDGE_PX, EDGE_PX + height, width, CAPTION_PX), label="caption")
    caption.set_axis_off()
    caption.set_xlim(0, width)
    caption.set_ylim(CAPTION_PX, 0)
    _write_caption(Panel(caption, width, CAPTION_PX, gauge), definition, formula, value, scene)
    return figure


def _find_measure(id: str, analysis: str | Path) -> tuple[MeasureDefinition, Formula]:
    found = load_analysis(analysis)
    definitions = {measure.id: measure for measure in found.measures}
    if id not in definitions:
        raise UnknownAnalysisError(
            f"Expected a measure of the analysis {found.definition.id}, found {id!r}.", hint=suggest(id, definitions)
        )
    if id not in found.formulas:
        raise DefinitionError(f"Measure {id} cannot be drawn: {definitions[id].undefined}.")
    return definitions[id], found.formulas[id]


def _set_scene(marks: LandmarkSet | None, film: Radiograph | None, calibration: Calibration | None) -> _Scene:
    if marks is None:
        if film is not None:
            raise InputError(
                "Expected landmarks with the film, found none.", hint="Give marks=detect(normalize(film))."
            )
        face = face_marks()
        scale = state_calibration(1.0, source="schematic face")
        return _Scene(face, face.points_px, VIEW_MM, face_strokes(), palette.PAPER, scale)
    scale = calibration or (film.calibration if film else Calibration(basis="undetermined"))
    row_mm, column_mm = scale.spacing_mm or (1.0, 1.0)
    stretch = np.array([column_mm / row_mm, 1.0])
    points = {mark.id: _stretched(mark.x_px, mark.y_px, stretch[0]) for mark in marks if is_usable(mark)}
    if not points:
        raise InputError("Expected landmarks with positions, found none.")
    strokes = tuple(curve.points_px * stretch for curve in trace_outlines(marks))
    if film is not None:
        window = (-0.5 * stretch[0], -0.5, (film.size[0] - 0.5) * stretch[0], film.size[1] - 0.5)
        return _Scene(marks, points, window, (), palette.FILM, scale, film)
    places = np.array(list(points.values()))
    low, high = places.min(axis=0), places.max(axis=0)
    more = 0.15 * float((high - low).max()) + 1.0
    window = (low[0] - more, low[1] - more, high[0] + more, high[1] + more)
    return _Scene(marks, points, window, strokes, palette.PAPER, scale)


def _stretched(x_px: float | None, y_px: float | None, stretch: float) -> tuple[float, float]:
    return (float(x_px or 0.0) * stretch, float(y_px or 0.0))


def _looks_right(points: dict[str, tuple[float, float]]) -> bool:
    """Which way the face looks; the first pair that is there says it."""
    for rear, front in (("Po", "Or"), ("S", "N"), ("THp", "THa"), ("PNS", "ANS"), ("Go", "Me")):
        if rear in points and front in points:
            return points[front][0] >= points[rear][0]
    return True


def _drop_repeats(drafted: Iterator[tuple[int, Shape]]) -> list[tuple[int, Shape]]:
    """A line that two terms share is drawn once, in the first one's colour."""
    kept: dict[tuple[object, ...], tuple[int, Shape]] = {}
    for term, shape in drafted:
        if isinstance(shape, Stroke):
            ends = sorted((tuple(np.round(shape.start, 3).tolist()), tuple(np.round(shape.end, 3).tolist())))
            kept.setdefault(("stroke", shape.helper, shape.dashed, *ends), (term, shape))
        else:
            kept[("shape", len(kept))] = (term, shape)
    return list(kept.values())


def _zoom(window: Window, shapes: list[tuple[int, Shape]]) -> Window:
    """Part of `window`, of its proportions, around what is drawn: a small distance deserves a near look."""
    ends = [end for _, shape in shapes for end in _ends(shape)]
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    corner, other = np.array(window[:2]), np.array(window[2:])
    whole = other - corner
    share = min(1.0, max(NEAREST, ROOM * float(((high - low) / whole).max())))
    half = share * whole / 2
    centre = np.clip((low + high) / 2, corner + half, other - half)
    return (*(centre - half).tolist(), *(centre + half).tolist())


def _ends(shape: Shape) -> tuple[FloatArray, ...]:
    if isinstance(shape, Stroke | Length):
        return (shape.start, shape.end)
    return (shape.corner,) if isinstance(shape, Angle) else (shape.at,)


def _fit(size: tuple[float, float]) -> tuple[int, int]:
    zoom = min(SIZE_PX[0] / size[0], SIZE_PX[1] / size[1])
    return max(320, round(size[0] * zoom)), round(size[1] * zoom)


def _box(total: tuple[int, int], left: int, top: int, width: int, height: int) -> tuple[float, float, float, float]:
    wide, high = total
    return (left / wide, (high - top - height) / high, width / wide, height / high)


def _draw_ground(axes: Axes, scene: _Scene, size_px: tuple[int, int]) -> None:
    left, top, right, bottom = scene.window
    if scene.film is not None:
        picture = shrink_film(scene.film, size_px)
        extent = (left, right, bottom, top)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
    for stroke in scene.strokes:
        axes.add_line(Line2D(*stroke.T, color=scene.theme.faint, linewidth=1.0, gid="face", zorder=1))


def _draw_shape(axes: Axes, shape: Shape, scene: _Scene, hue: str, term: int) -> None:
    unit = min(scene.size)
    if isinstance(shape, Stroke):
        colour = scene.theme.muted if shape.helper else hue
        width = palette.FINE if shape.helper or shape.dashed else palette.THIN + 0.2
        line = _line(shape.start, shape.end, color=colour, linewidth=width, gid=f"line:{term}")
        line.set_linestyle((0, (4.0, 2.6)) if shape.dashed else "solid")
        axes.add_line(line)
    elif isinstance(shape, Angle):
        _draw_arc(axes, shape, _arc_radius(shape, unit) * (1 + 0.24 * term), hue, term)
    elif isinstance(shape, Length):
        _draw_length(axes, shape, TICK * unit, hue, term)
    else:
        _draw_foot(axes, shape, FOOT * unit, scene.theme.muted)


def _line(start: FloatArray, end: FloatArray, **style: object) -> Line2D:
    return Line2D([start[0], end[0]], [start[1], end[1]], zorder=2, **style)  # type: ignore[arg-type]


def _arc_radius(shape: Angle, unit: float) -> float:
    """Small angles get a larger radius, so that their arc can be seen."""
    return ARC * unit * (1.0 if shape.degrees > 25 else 2.6)


def _draw_arc(axes: Axes, shape: Angle, radius: float, hue: str, term: int) -> None:
    start = np.arctan2(shape.first[1], shape.first[0])
    turn = np.arctan2(shape.second[1], shape.second[0]) - start
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    angle = start + np.linspace(0.0, turn, 48)
    arc = shape.corner + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    wedge = np.concatenate([shape.corner[None], arc])
    axes.fill(*wedge.T, facecolor=palette.clear(hue, 0.16), edgecolor="none", zorder=2)
    axes.add_line(Line2D(*arc.T, color=hue, linewidth=palette.THIN + 0.7, gid=f"arc:{term}", zorder=3))


def _draw_length(axes: Axes, shape: Length, tick: float, hue: str, term: int) -> None:
    axes.add_line(_line(shape.start, shape.end, color=hue, linewidth=2.4, gid=f"length:{term}", solid_capstyle="butt"))
    if shape.extent > 0:
        along = (shape.end - shape.start) / shape.extent
        across = tick * np.array([-along[1], along[0]])
        for end in (shape.start, shape.end):
            axes.add_line(_line(end - across, end + across, color=hue, linewidth=palette.THIN + 0.2))


def _draw_foot(axes: Axes, shape: Foot, side: float, colour: str) -> None:
    """The square of a right angle, on the side of the perpendicular."""
    up = shape.source - shape.at
    if np.linalg.norm(up) < 2 * side:
        return
    u, v = up / np.linalg.norm(up) * side, shape.along / np.linalg.norm(shape.along) * side
    square = np.array([shape.at + u, shape.at + u - v, shape.at - v])
    axes.add_line(Line2D(*square.T, color=colour, linewidth=palette.FINE, gid="foot", zorder=2))


def _draw_names(
    axes: Axes,
    scene: _Scene,
    drafter: Drafter,
    root: Node,
    shapes: list[tuple[int, Shape]],
    *,
    gauge: Callable[[str, float], tuple[float, float]],
    px_per_unit: float,
) -> None:
    """Points of the formula with their symbols; constructed points are hollow."""
    theme = scene.theme
    places = {id: drafter.locate(Name(id)) for id in dict.fromkeys(_names_in(root, scene.points))}
    seen = {id: place for id, place in places.items() if drafter.sees(place, margin=0.0)}
    for id, place in seen.items():
        face = theme.ink if id in scene.points else theme.ground
        axes.add_line(
            Line2D(
                [place[0]], [place[1]], linestyle="none", marker="o", markersize=4.6, markerfacecolor=face,
                markeredgecolor=theme.ink, markeredgewidth=0.9, gid=f"point:{id}", zorder=5,
            )
        )  # fmt: skip
    texts = [landmark_symbol(id) for id in seen]
    corner = np.array(scene.window[:2])
    anchors = (np.array(list(seen.values())).reshape(-1, 2) - corner) * px_per_unit
    sizes = np.array([gauge(text, palette.TEXT_PT) for text in texts]).reshape(-1, 2) + 5.0
    bounds = (scene.size[0] * px_per_unit, scene.size[1] * px_per_unit)
    ink = _sample(shapes, corner, px_per_unit)
    centres = place_labels(anchors, sizes, bounds, points_px=anchors, lines_px=ink) / px_per_unit + corner
    box = {"boxstyle": "round,pad=0.1", "facecolor": theme.ground, "edgecolor": "none", "alpha": 0.72}
    for id, text, centre in zip(seen, texts, centres, strict=True):
        axes.text(
            centre[0], centre[1], text, gid=f"label:{id}", fontsize=palette.TEXT_PT, color=theme.ink, ha="center",
            va="center", bbox=box, zorder=6, **palette.TEXT,
        )  # fmt: skip


def _names_in(node: Node, points: dict[str, tuple[float, float]]) -> Iterator[str]:
    """Landmarks of a formula, those that a construction rests on included."""
    if isinstance(node, Name):
        yield node.id
        construction = load_constructions().get(node.id)
        if node.id not in points and construction is not None:
            yield from _names_in(construction.root, points)
    elif isinstance(node, Call):
        for part in node.arguments:
            yield from _names_in(part, points)


def _sample(shapes: list[tuple[int, Shape]], corner: FloatArray, px_per_unit: float) -> FloatArray:
    ink = [np.empty((0, 2))]
    for _, shape in shapes:
        if isinstance(shape, Stroke | Length):
            start, end = (shape.start - corner) * px_per_unit, (shape.end - corner) * px_per_unit
            steps = max(2, int(np.hypot(*(end - start)) / 2))
            ink.append(start + np.linspace(0, 1, steps)[:, None] * (end - start))
    return np.concatenate(ink)


def _write_caption(
    panel: Panel, definition: MeasureDefinition, formula: Formula, value: Measure, scene: _Scene
) -> None:
    theme = scene.theme
    name = f"{definition.symbol or definition.id}  {definition.name}".strip()
    panel.feed(lines=0.5)
    panel.write(name, size_pt=palette.TITLE_PT - 2, colour=theme.ink, bold=True)
    panel.feed(palette.TITLE_PT - 2, 1.15)
    panel.paragraph(f"{definition.id} = {formula.text}", size_pt=palette.TEXT_PT, colour=theme.hues[0], most=2)
    said = [definition.definition, definition.sign and f"Sign: {definition.sign}"]
    for sentence in filter(None, said):
        panel.paragraph(sentence, colour=theme.ink, most=2)
    where = (
        "the schematic face (of no person)" if scene.strokes and scene.marks.scheme == "schematic" else "these points"
    )
    panel.paragraph(f"On {where}: {value}", colour=theme.muted, most=1)
    if scene.film is not None:
        panel.paragraph(NOTICE, colour=palette.CAUTION, most=1, gid="notice")
