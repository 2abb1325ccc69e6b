"""A film with its landmarks, their uncertainty, the reference planes and the key values: one picture to look at."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration, Radiograph
from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.core.measures import MeasureSet
from cephstd.core.steps import Size
from cephstd.errors import ExportError
from cephstd.plot import palette
from cephstd.plot.backdrop import hide_text, shrink_film
from cephstd.plot.labels import place_labels
from cephstd.plot.margin import NO_SCALE, is_inside, landmark_symbol, write_margin
from cephstd.plot.panel import Panel, font
from cephstd.plot.planes import PlaneLine, find_planes
from cephstd.plot.tracing import Curve, trace_outlines

FILM_PX = (1800, 1400)  # the film's largest width and height in the picture
PANEL_PX, EDGE_PX, GUTTER_PX = 470, 30, 34
LABEL_PAD_PX = (6.0, 8.0)
CHIP = {"boxstyle": "round,pad=0.12", "facecolor": palette.NIGHT, "edgecolor": "none", "alpha": 0.5}

CHI2_95_2DOF = 5.991464547107979  # 95 % of a bivariate normal lie within sqrt(this) standard deviations
BAR_MM = (50.0, 20.0, 10.0, 5.0)


@dataclass(frozen=True, slots=True)
class _View:
    """Where a source pixel lies in the film part of the picture."""

    size_px: Size
    scale_x: float
    scale_y: float

    def place(self, points_px: FloatArray) -> FloatArray:
        """Source px (n, 2) -> picture px from the film's top-left corner."""
        return (points_px + 0.5) * (self.scale_x, self.scale_y)


def overlay(
    film: Radiograph,
    marks: LandmarkSet,
    values: MeasureSet | None = None,
    *,
    calibration: Calibration | None = None,
    title: str | None = None,
    tracing: bool = False,
    show_text: bool = False,
) -> Figure:
    """Picture of a film with landmarks, 95 % regions, reference planes, a scale bar and key values.

    Parameters
    ----------
    film : Radiograph
        Drawn bone bright and in the orientation of the source, shrunk to at most 1400 px in height.
    marks : LandmarkSet
        In source px. Ellipses hold 95 % of a bivariate normal with each point's covariance; a point without covariance
        has none. Provisional points are hollow; absent points are listed in the margin with their reasons.
    values : MeasureSet, optional
        Key values with their standard deviations, absent ones with the reason.
    calibration : Calibration, optional
        Scale of the film; the film's own when left out. Without one that allows millimetres there is no scale bar.
    title : str, optional
        Heading. Never pass what identifies a person: nothing else that is written in the picture could.
    tracing : bool
        Draw anatomical outlines through the landmarks, dashed where they are estimated.
    show_text : bool
        Leave text that is burnt into the film; otherwise it is covered where it lies outside the head.

    Returns
    -------
    matplotlib.figure.Figure
        Free of pyplot's global state; `draw_png` or `Figure.savefig` write it.
    """
    calibration = film.calibration if calibration is None else calibration
    view = _fit_view(film.size, calibration)
    width, height = view.size_px
    total = (EDGE_PX + width + GUTTER_PX + PANEL_PX + EDGE_PX, EDGE_PX + max(height, FILM_PX[1]) + EDGE_PX)
    figure = Figure(figsize=(total[0] / palette.DPI, total[1] / palette.DPI), dpi=palette.DPI, facecolor=palette.NIGHT)
    canvas = FigureCanvasAgg(figure)

    def measure(text: str, size_pt: float) -> tuple[float, float]:
        renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
        wide, high, _ = renderer.get_text_width_height_descent(text, font(size_pt), ismath=False)
        return float(wide), float(high)

    axes = _add_axes(figure, (EDGE_PX, EDGE_PX), view.size_px, "film")
    axes.set_xlim(-0.5, film.size[0] - 0.5)
    axes.set_ylim(film.size[1] - 0.5, -0.5)
    extent = (-0.5, film.size[0] - 0.5, film.size[1] - 0.5, -0.5)
    picture = shrink_film(film, view.size_px)
    picture = picture if show_text else hide_text(picture)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")

    lines = find_planes(marks)
    curves = trace_outlines(marks) if tracing else ()
    _draw_curves(axes, curves)
    _draw_planes(axes, lines)
    _draw_points(axes, marks)
    shown = [mark for mark in marks.present if is_inside(mark, film)]
    texts = [(mark.id, landmark_symbol(mark.id), palette.INK, _position(mark)) for mark in shown]
    for line in lines:
        end = None if line.ends_px is None else _last_visible(line.ends_px, film.size)
        if end is not None:
            texts.append((f"plane:{line.plane.id}", line.plane.id, line.plane.colour, end))
    sizes = np.array([measure(text, palette.LABEL_PT) for _, text, _, _ in texts]).reshape(-1, 2) + LABEL_PAD_PX
    _draw_labels(axes, view, texts, sizes, _sample_ink(view, lines, marks))
    _draw_scale(axes, view, calibration)

    corner = (EDGE_PX + width + GUTTER_PX, EDGE_PX)
    side = _add_axes(figure, corner, (PANEL_PX, total[1] - 2 * EDGE_PX), "panel")
    side.set_xlim(0, PANEL_PX)
    side.set_ylim(total[1] - 2 * EDGE_PX, 0)
    panel = Panel(side, PANEL_PX, total[1] - 2 * EDGE_PX, measure, floor_px=46)
    write_margin(panel, film, marks, values, lines=lines, curves=curves, calibration=calibration, title=title)
    return figure


def draw_png(figure: Figure) -> bytes:
    """PNG of a figure at its own resolution, without metadata beyond the maker's name."""
    with io.BytesIO() as out:
        canvas = FigureCanvasAgg(figure)
        canvas.print_png(out, metadata={"Software": "cephstd"}, pil_kwargs={"compress_level": 2})  # type: ignore[no-untyped-call]
        return out.getvalue()


def save_overlay(
    path: str | Path,
    film: Radiograph,
    marks: LandmarkSet,
    values: MeasureSet | None = None,
    *,
    calibration: Calibration | None = None,
    title: str | None = None,
    tracing: bool = False,
    show_text: bool = False,
) -> None:
    """Write the picture of `overlay` to `path` as PNG.

    Raises
    ------
    ExportError
        When the file cannot be written.
    """
    data = draw_png(
        overlay(film, marks, values, calibration=calibration, title=title, tracing=tracing, show_text=show_text)
    )
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise ExportError(
            f"The overlay cannot be written: {error.strerror}.", hint="Give a path in a folder that can be written."
        ) from error


def _fit_view(size: Size, calibration: Calibration) -> _View:
    """Largest view of the film within `FILM_PX`, with the film's physical proportions where they are known."""
    row_mm, column_mm = calibration.spacing_mm or (1.0, 1.0)
    wide, high = size[0] * column_mm, size[1] * row_mm
    zoom = min(FILM_PX[0] / wide, FILM_PX[1] / high)
    fitted = (max(1, round(wide * zoom)), max(1, round(high * zoom)))
    return _View(fitted, fitted[0] / size[0], fitted[1] / size[1])


def _add_axes(figure: Figure, corner_px: tuple[float, float], size_px: Size, label: str) -> Axes:
    """Axes without frame at a corner counted from the figure's top left."""
    wide, high = figure.get_size_inches() * palette.DPI
    left, top = corner_px
    box = (left / wide, (high - top - size_px[1]) / high, size_px[0] / wide, size_px[1] / high)
    axes = figure.add_axes(box, label=label)
    axes.set_axis_off()
    return axes


def _position(mark: Landmark) -> FloatArray:
    return np.array([mark.x_px, mark.y_px], dtype=np.float64)


def _last_visible(ends_px: FloatArray, size: Size) -> FloatArray | None:
    """The point nearest to a line's second end that lies on the film; None when the line misses the film."""
    start, end = ends_px
    share = np.linspace(1.0, 0.0, 200)[:, None]
    points = start + share * (end - start)
    inside = ((points >= 0) & (points <= np.array(size) - 1)).all(axis=-1)
    return points[int(np.argmax(inside))] if inside.any() else None


def _draw_planes(axes: Axes, lines: tuple[PlaneLine, ...]) -> None:
    for line in lines:
        if line.ends_px is not None:
            axes.add_line(Line2D(*line.ends_px.T, gid=f"plane:{line.plane.id}", **line.style))


def _draw_curves(axes: Axes, curves: tuple[Curve, ...]) -> None:
    for curve in curves:
        line = Line2D(*curve.points_px.T, gid=f"outline:{curve.outline}", color=palette.OUTLINE_COLOURS[curve.tissue])
        line.set(linewidth=palette.THIN, linestyle=palette.DASHED if curve.estimated else "solid", alpha=0.85)
        axes.add_line(line)


def uncertainty_ellipse(mark: Landmark) -> tuple[float, float, float] | None:
    """Width, height (full axes, source px) and angle (degrees, x towards y) of the 95 % region of a point.

    None when the point has no covariance. For a bivariate normal the squared Mahalanobis distance is chi-squared with
    two degrees of freedom, so 95 % lie within sqrt(5.991) standard deviations along each principal axis.
    """
    covariance = mark.covariance_px2
    if covariance is None:
        return None
    spread, axes = np.linalg.eigh(covariance)
    minor, major = 2 * np.sqrt(CHI2_95_2DOF * np.clip(spread, 0, None))
    return float(major), float(minor), float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))


def _draw_points(axes: Axes, marks: LandmarkSet) -> None:
    for mark in marks.present:
        style = palette.point_style(mark)
        x, y = _position(mark)
        region = uncertainty_ellipse(mark)
        if region is not None:
            width, height, angle = region
            tint = palette.CAUTION if style is palette.PROVISIONAL else palette.INK
            ellipse = Ellipse((x, y), width, height, angle=angle, gid=f"ellipse:{mark.id}")
            ellipse.set_facecolor(palette.clear(tint, 0.13))
            ellipse.set_edgecolor(palette.clear(tint, 0.75))
            ellipse.set_linewidth(palette.HAIR)
            axes.add_patch(ellipse)
        axes.add_line(Line2D([x], [y], gid=f"point:{mark.id}", zorder=4, **palette.marker_style(style)))


def _sample_ink(view: _View, lines: tuple[PlaneLine, ...], marks: LandmarkSet) -> FloatArray:
    """Picture px along the drawn planes, about every two px, and along the rims of the 95 % regions."""
    ink = [np.empty((0, 2))]
    for line in lines:
        if line.ends_px is not None:
            start, end = view.place(line.ends_px)
            steps = max(2, int(np.hypot(*(end - start)) / 2))
            ink.append(start + np.linspace(0, 1, steps)[:, None] * (end - start))
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    circle = np.sqrt(CHI2_95_2DOF) * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    for mark in marks.present:
        if mark.covariance_px2 is not None:
            spread, axes = np.linalg.eigh(mark.covariance_px2)
            ink.append(view.place(_position(mark) + (circle * np.sqrt(np.clip(spread, 0, None))) @ axes.T))
    return np.concatenate(ink)


def _draw_labels(
    axes: Axes, view: _View, texts: list[tuple[str, str, str, FloatArray]], sizes: FloatArray, ink: FloatArray
) -> None:
    """Names beside points and planes, joined by a hairline where they lie apart."""
    anchors = view.place(np.array([at for _, _, _, at in texts]).reshape(-1, 2))
    points = anchors[[not id.startswith("plane:") for id, _, _, _ in texts]]
    bounds = (float(view.size_px[0]), float(view.size_px[1]))
    centres = place_labels(anchors, sizes, bounds, points_px=points, lines_px=ink)
    for (id, text, colour, at), anchor, centre, size in zip(texts, anchors, centres, sizes, strict=True):
        x, y = centre / (view.scale_x, view.scale_y) - 0.5
        near = np.clip(anchor, centre - size / 2, centre + size / 2)
        if np.hypot(*(near - anchor)) > 15:
            foot = near / (view.scale_x, view.scale_y) - 0.5
            axes.add_line(Line2D([at[0], foot[0]], [at[1], foot[1]], color=colour, linewidth=palette.HAIR, alpha=0.6))
        axes.text(
            x, y, text, gid=f"label:{id}", fontsize=palette.LABEL_PT, color=colour, ha="center", va="center", bbox=CHIP,
            zorder=6, **palette.TEXT,
        )  # fmt: skip


def _draw_scale(axes: Axes, view: _View, calibration: Calibration) -> None:
    """A bar with a tick every 10 mm at the lower left, or the words that there is no scale."""
    transform = axes.transAxes
    left, base = 24 / view.size_px[0], 26 / view.size_px[1]
    if calibration.spacing_mm is None:
        axes.text(
            left, base, NO_SCALE, transform=transform, color=palette.CAUTION, fontsize=palette.TEXT_PT, gid="no-scale",
            bbox=CHIP, **palette.TEXT,
        )  # fmt: skip
        return
    px_per_mm = view.scale_x / calibration.spacing_mm[1]
    length_mm = next((mm for mm in BAR_MM if mm * px_per_mm <= view.size_px[0] / 3), BAR_MM[-1])
    share = length_mm * px_per_mm / view.size_px[0]
    ink: dict[str, Any] = {"transform": transform, "color": palette.INK, "linewidth": palette.THIN + 0.3}
    axes.add_line(Line2D([left, left + share], [base, base], gid="scale-bar", **ink))
    for mm in np.arange(0, length_mm + 0.1, min(10.0, length_mm)):
        high = (9 if mm in (0, length_mm) else 5) / view.size_px[1]
        x = left + share * mm / length_mm
        axes.add_line(Line2D([x, x], [base, base + high], **ink))
    axes.text(
        left + share + 10 / view.size_px[0], base, f"{length_mm:g} mm", transform=transform, color=palette.INK,
        fontsize=palette.TEXT_PT, va="center_baseline", bbox=CHIP, **palette.TEXT,
    )  # fmt: skip
