"""Serial films laid over one another: their tracings in one picture, and what moved by more than its error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration
from cephstd.core.landmarks import LandmarkSet
from cephstd.errors import CalibrationError, InputError
from cephstd.geometry.registration import METHODS
from cephstd.geometry.superimposer import CHI2_95, Shift, Superimposition
from cephstd.plot import palette
from cephstd.plot.labels import place_labels
from cephstd.plot.margin import NOTICE, landmark_symbol
from cephstd.plot.panel import Measured, Panel, font
from cephstd.plot.planes import is_usable
from cephstd.plot.tracing import trace_outlines

SIZE_PX, EDGE_PX, GUTTER_PX, PANEL_PX = (1300, 1300), 34, 30, 540
ROOM_MM = 9.0  # around the points
COLOURS = (palette.INK, palette.SKY, palette.ORANGE, palette.GREEN, palette.PINK, palette.YELLOW)
HIGHLIGHT, LABEL_PAD_PX = palette.VERMILION, (6.0, 8.0)
MOST_SHIFTS = 22


def draw_superimposition(
    films: Sequence[LandmarkSet],
    laid: Sequence[Superimposition],
    calibration: Calibration,
    *,
    names: Sequence[str] = (),
    title: str | None = None,
) -> Figure:
    """Tracings of serial films over the first, in its orientation.

    A landmark's line runs from its place on the first film to that on the last. The ring around its first place holds
    95 % of what error alone would show; where the landmark lies outside, the line is drawn strongly.

    Parameters
    ----------
    films : sequence of LandmarkSet
        As given to `superimpose`.
    laid : sequence of Superimposition
        What it returned.
    calibration : Calibration
        Scale of the first film.
    names : sequence of str
        Of the films, for the legend, e.g. dates; default: film 1, film 2 and so on. Never what identifies a person.
    title : str, optional
        Heading.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        When films and superimpositions do not belong together.
    CalibrationError
        When the first film has no scale.
    """
    if not laid or len(films) != len(laid) + 1:
        raise InputError(f"Expected one superimposition less than films, found {len(laid)} for {len(films)}.")
    if calibration.spacing_mm is None:
        raise CalibrationError("Expected the scale of the first film, found none.")
    spacing = np.array(calibration.spacing_mm[::-1])
    placed = [films[0], *(_place(film, one) for film, one in zip(films[1:], laid, strict=True))]
    tracings = [_to_mm(marks, spacing) for marks in placed]
    points = np.array([point for marks in tracings for point in marks.points_px.values()])
    low, high = points.min(axis=0) - ROOM_MM, points.max(axis=0) + ROOM_MM
    zoom = min(SIZE_PX / (high - low))
    width, height = (round(float(side)) for side in (high - low) * zoom)

    total = (EDGE_PX + width + GUTTER_PX + PANEL_PX + EDGE_PX, EDGE_PX + max(height, 760) + EDGE_PX)
    figure = Figure((total[0] / palette.DPI, total[1] / palette.DPI), dpi=palette.DPI, facecolor=palette.NIGHT)
    canvas = FigureCanvasAgg(figure)

    def measure(text: str, size_pt: float) -> tuple[float, float]:
        renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
        wide, tall, _ = renderer.get_text_width_height_descent(text, font(size_pt), ismath=False)
        return float(wide), float(tall)

    axes = _add_axes(figure, total, (EDGE_PX, EDGE_PX, width, height), "tracings")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(high[1], low[1])
    ink = [_draw_tracing(axes, marks, number) for number, marks in enumerate(tracings)]
    last = laid[-1]
    _draw_shifts(axes, tracings, last)
    _draw_names(
        axes, tracings[0], {shift.landmark for shift in last.shifts if shift.moved}, np.concatenate(ink), measure
    )
    _draw_bar(axes, low, high)

    side = (EDGE_PX + width + GUTTER_PX, EDGE_PX, PANEL_PX, total[1] - 2 * EDGE_PX)
    margin = _add_axes(figure, total, side, "panel")
    margin.set_xlim(0, PANEL_PX)
    margin.set_ylim(side[3], 0)
    shown = names or [f"film {number + 1}" for number in range(len(films))]
    _write_panel(Panel(margin, PANEL_PX, side[3], measure, floor_px=40), laid, shown, title)
    return figure


def _place(film: LandmarkSet, laid: Superimposition) -> LandmarkSet:
    """The later film's points in source px of the first; their covariances belong to the shifts."""
    marks = []
    for mark in film:
        if mark.x_px is not None and mark.y_px is not None:
            ((x, y),) = laid.place([(mark.x_px, mark.y_px)]).tolist()
            marks.append(msgspec.structs.replace(mark, x_px=x, y_px=y, cov_xx=None, cov_xy=None, cov_yy=None))
        else:
            marks.append(mark)
    return film.replace(marks)


def _to_mm(marks: LandmarkSet, spacing: FloatArray) -> LandmarkSet:
    return marks.replace(
        mark
        if mark.x_px is None or mark.y_px is None
        else msgspec.structs.replace(mark, x_px=mark.x_px * float(spacing[0]), y_px=mark.y_px * float(spacing[1]))
        for mark in marks
    )


def _add_axes(
    figure: Figure, total: tuple[float, float], box_px: tuple[float, float, float, float], label: str
) -> Axes:
    left, top, width, height = box_px
    box = (left / total[0], 1.0 - (top + height) / total[1], width / total[0], height / total[1])
    axes = figure.add_axes(box, label=label)
    axes.set_axis_off()
    return axes


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _draw_tracing(axes: Axes, marks: LandmarkSet, number: int) -> FloatArray:
    """Outlines and points of one film; returns where lines run, mm."""
    colour = _colour(number)
    ink = [np.empty((0, 2))]
    for curve in trace_outlines(marks):
        line = Line2D(*curve.points_px.T, gid=f"outline:{number}:{curve.outline}", color=colour, zorder=2 + number)
        line.set(linewidth=palette.THIN, linestyle=palette.DASHED if curve.estimated else "solid", alpha=0.85)
        axes.add_line(line)
        ink.append(curve.points_px)
    for id, (x, y) in marks.points_px.items():
        if is_usable(marks[id]):
            dot = Line2D([x], [y], linestyle="none", marker="o", markersize=3.0, zorder=6 + number)
            dot.set(markerfacecolor=colour, markeredgecolor=palette.NIGHT, markeredgewidth=0.5)
            dot.set_gid(f"point:{number}:{id}")
            axes.add_line(dot)
    return np.concatenate(ink)


def _draw_shifts(axes: Axes, tracings: Sequence[LandmarkSet], laid: Superimposition) -> None:
    """Rings and lines of the last film."""
    first, last = tracings[0].points_px, tracings[-1].points_px
    for shift in laid.shifts:
        if shift.distance_mm is None:
            continue
        start, end = first[shift.landmark], last[shift.landmark]
        ring = _find_ring(shift, laid)
        if ring is not None:
            major, minor, angle = ring
            region = Ellipse(start, major, minor, angle=angle, gid=f"ring:{shift.landmark}", zorder=1)
            region.set(facecolor=palette.clear(palette.MUTED, 0.12), edgecolor=palette.clear(palette.MUTED, 0.7))
            region.set_linewidth(palette.HAIR)
            axes.add_patch(region)
        line = Line2D([start[0], end[0]], [start[1], end[1]], gid=f"shift:{shift.landmark}", zorder=5)
        line.set(color=HIGHLIGHT if shift.moved else palette.MUTED, linewidth=1.6 if shift.moved else palette.HAIR)
        axes.add_line(line)


def _find_ring(shift: Shift, laid: Superimposition) -> tuple[float, float, float] | None:
    """Full axes in mm and angle (degrees, x towards y) of the 95 % region of no movement."""
    sds = (shift.sd_anterior_mm, shift.sd_superior_mm)
    if sds[0] is None or sds[1] is None or shift.correlation is None:
        return None
    cross = shift.correlation * sds[0] * sds[1]
    axes = np.array(laid.axes)
    covariance = axes.T @ np.array([[sds[0] ** 2, cross], [cross, sds[1] ** 2]]) @ axes
    variances, directions = np.linalg.eigh(covariance)
    minor, major = 2.0 * np.sqrt(CHI2_95[2] * np.clip(variances, 0.0, None))
    return float(major), float(minor), math.degrees(math.atan2(directions[1, 1], directions[0, 1]))


def _draw_names(axes: Axes, marks: LandmarkSet, moved: set[str], ink_mm: FloatArray, measure: Measured) -> None:
    """Names beside the places on the first film."""
    places = {id: point for id, point in marks.points_px.items() if is_usable(marks[id])}
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    corner, zoom = np.array([left, top]), axes.bbox.width / (right - left)
    anchors = (np.array(list(places.values())) - corner) * zoom
    sizes = np.array([measure(landmark_symbol(id), palette.LABEL_PT) for id in places]) + LABEL_PAD_PX
    bounds = ((right - left) * zoom, (bottom - top) * zoom)
    centres = place_labels(anchors, sizes, bounds, points_px=anchors, lines_px=(ink_mm - corner) * zoom)
    for id, centre in zip(places, centres, strict=True):
        x, y = centre / zoom + corner
        colour = HIGHLIGHT if id in moved else palette.INK
        axes.text(
            x, y, landmark_symbol(id), gid=f"label:{id}", fontsize=palette.LABEL_PT, color=colour, ha="center",
            va="center", zorder=9, **palette.TEXT,
        )  # fmt: skip


def _draw_bar(axes: Axes, low: FloatArray, high: FloatArray) -> None:
    """A bar of 10 mm at the lower left."""
    x, y = low[0] + 2.0, high[1] - 3.0
    axes.add_line(Line2D([x, x + 10.0], [y, y], color=palette.INK, linewidth=palette.THIN + 0.3, gid="scale-bar"))
    axes.text(x + 11.5, y, "10 mm", color=palette.INK, fontsize=palette.TEXT_PT, va="center_baseline", **palette.TEXT)


def _write_panel(panel: Panel, laid: Sequence[Superimposition], names: Sequence[str], title: str | None) -> None:
    last = laid[-1]
    panel.write(title or "Superimposition", size_pt=palette.TITLE_PT, bold=True)
    panel.feed(palette.TITLE_PT, 1.1)
    panel.paragraph(METHODS[last.method].meaning)
    panel.paragraph(f"registered on {', '.join(landmark_symbol(id) for id in last.registered_on)}")
    panel.head("Films")
    for number, name in enumerate(names):
        note = "as it is"
        if number:
            one = laid[number - 1]
            spread = "" if one.turn_sd_deg is None else f" ± {one.turn_sd_deg:.1f}"
            note = f"turned by {one.turn_deg:.1f}{spread}°" + (", mirrored" if one.mirrored else "")
        panel.sample(gid=f"legend:{number}", text=name, note=note, color=_colour(number), linewidth=palette.THIN)
    moved = [shift for shift in last.shifts if shift.moved]
    known = [shift for shift in last.shifts if shift.moved is not None]
    panel.head(f"Moved beyond error: {len(moved)} of {len(known)} known, mm")
    columns = (230.0, 390.0, panel.width_px)
    for x, text in zip(columns, ("anterior", "superior", "distance"), strict=True):
        panel.write(text, x_px=x, align="right", size_pt=palette.SMALL_PT, colour=palette.MUTED)
    panel.feed()
    for shift in sorted(moved or known or last.shifts, key=lambda shift: -(shift.distance_mm or 0.0))[:MOST_SHIFTS]:
        if shift.distance_mm is None or panel.room() < 2:
            continue
        colour = HIGHLIGHT if shift.moved else palette.INK
        panel.write(landmark_symbol(shift.landmark) + (" (provisional)" if shift.provisional else ""), colour=colour)
        pairs = ((shift.anterior_mm, shift.sd_anterior_mm), (shift.superior_mm, shift.sd_superior_mm))
        for x, (value, sd) in zip(columns, pairs, strict=False):
            text = f"{value:+.1f}" + ("" if sd is None else f" ± {sd:.1f}")
            panel.write(text, x_px=x, align="right")
        panel.write(f"{shift.distance_mm:.1f}", x_px=columns[2], align="right")
        panel.feed()
    panel.y_px = panel.bottom_px + 8
    panel.paragraph(NOTICE, size_pt=palette.SMALL_PT, colour=palette.CAUTION, gid="notice")
