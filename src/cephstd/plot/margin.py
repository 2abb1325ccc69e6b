"""What stands in the margin of a picture: the film, key values, legends, absent points and the notice."""

from __future__ import annotations

import numpy as np

from cephstd.core.image import Calibration, Radiograph
from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.core.measures import Measure, MeasureSet
from cephstd.knowledge.loader import load_landmarks, load_measures
from cephstd.plot import palette
from cephstd.plot.panel import Panel, group_by_reason
from cephstd.plot.planes import PlaneLine
from cephstd.plot.tracing import Curve

NOTICE = "Not a medical device. Research weights, non-commercial."
NO_SCALE = "no scale: no millimetres"
BEYOND = "beyond the edge of the film"

KEY_VALUES = (
    "SNA", "SNB", "ANB", "Wits", "facial_angle", "convexity_angle", "FMA", "SN_GoGn", "MMPA", "Y_axis", "gonial",
    "Jarabak", "U1_SN", "IMPA",
)  # fmt: skip
MOST_VALUES = 14
UNIT_SIGNS = {"deg": "°", "ratio": ""}


def write_margin(
    panel: Panel,
    film: Radiograph,
    marks: LandmarkSet,
    values: MeasureSet | None,
    *,
    lines: tuple[PlaneLine, ...],
    curves: tuple[Curve, ...],
    calibration: Calibration,
    title: str | None,
) -> None:
    panel.write(title or "Lateral cephalogram", size_pt=palette.TITLE_PT, bold=True)
    panel.feed(palette.TITLE_PT, 1.1)
    made = f"model {marks.model.name} {marks.model.version}" if marks.model else "points without a model"
    panel.paragraph(f"{film.size[0]} × {film.size[1]} px, {film.source.bits} bit · {made}")
    spacing = calibration.spacing_mm
    if spacing is None:
        panel.paragraph(NO_SCALE, colour=palette.CAUTION)
    else:
        alike = np.isclose(spacing[0], spacing[1])
        pitch = f"{spacing[0]:.4g}" if alike else f"{spacing[1]:.4g} × {spacing[0]:.4g}"
        panel.paragraph(f"{pitch} mm/px · scale: {calibration.basis.replace('_', ' ')}")
    if values is not None and len(values):
        _write_values(panel, values)
    _write_planes(panel, lines)
    _write_outlines(panel, curves)
    _write_points(panel, marks)
    _write_absent(panel, film, marks)
    panel.y_px = panel.bottom_px + 12
    panel.paragraph(NOTICE, size_pt=palette.SMALL_PT, colour=palette.CAUTION, gid="notice")


def _write_values(panel: Panel, values: MeasureSet) -> None:
    first = [values[id] for id in KEY_VALUES if id in values]
    chosen = [*first, *(measure for measure in values.present if measure not in first)]
    panel.head(f"Values ± sd · {values.analysis}")
    for measure in chosen[:MOST_VALUES]:
        known = load_measures().get(measure.id)
        panel.write((known and known.symbol) or measure.id, colour=palette.INK if measure.is_present else palette.MUTED)
        _write_value(panel, measure)
        panel.feed()


def _write_value(panel: Panel, measure: Measure) -> None:
    if measure.value is None:
        lines = _shorten(measure.reason, panel)
        panel.write(lines, x_px=panel.width_px, align="right", size_pt=palette.SMALL_PT, colour=palette.MUTED)
        return
    colour = palette.CAUTION if measure.provisional else palette.INK
    unit = UNIT_SIGNS.get(measure.unit, measure.unit)
    shown = f"{measure.value:.{measure.decimals}f}"
    panel.write(shown, x_px=252, align="right", colour=colour, gid=f"value:{measure.id}")
    panel.write(unit, x_px=256, colour=colour)
    # where first order fails, tables have the room for the number and for what is wrong with it
    doubtful = "sd unknown" if measure.sd is None else "sd fails"
    spread = doubtful if measure.trusted_sd is None else f"± {measure.trusted_sd:.{measure.decimals}f}"
    note = "  provisional" if measure.provisional else ""
    panel.write(spread + note, x_px=308, colour=palette.MUTED, size_pt=palette.SMALL_PT + 0.5)


def _shorten(text: str, panel: Panel, width_px: float = 300.0) -> str:
    shown = text
    while shown and panel.measure(shown + "…", palette.SMALL_PT)[0] > width_px:
        shown = shown[:-1]
    return shown if shown == text else shown.rstrip() + "…"


def _write_planes(panel: Panel, lines: tuple[PlaneLine, ...]) -> None:
    if lines:
        panel.head("Planes and lines")
    for line in lines:
        plane, style = line.plane, line.style
        if line.ends_px is None:
            style |= {"color": palette.RULE}
            note = f"not drawn: {line.reason}"
            panel.sample(gid=f"not-drawn:{plane.id}", text=plane.id, note=note, colour=palette.MUTED, **style)
        else:
            note = plane.name + (", provisional" if line.provisional else "")
            panel.sample(gid=f"legend:{plane.id}", text=plane.id, note=note, **style)


def _write_outlines(panel: Panel, curves: tuple[Curve, ...]) -> None:
    if curves:
        panel.head("Outlines")
    for guessed in dict.fromkeys(curve.estimated for curve in curves):
        dash = palette.DASHED if guessed else "solid"
        note = "estimated between the points" if guessed else "given by the points"
        panel.sample(
            gid="legend:outline", text="", note=note, color=palette.INK, linewidth=palette.THIN, linestyle=dash
        )


def _write_points(panel: Panel, marks: LandmarkSet) -> None:
    styles = dict.fromkeys(palette.point_style(mark) for mark in marks.present)
    if styles:
        panel.head("Points")
    for kind in styles:
        panel.sample(gid="legend:point", text="", note=kind.name, **palette.marker_style(kind))
    if any(mark.covariance_px2 is not None for mark in marks.present):
        ring = palette.PointStyle("95 % region", "o", 10, "none", palette.INK, palette.HAIR)
        panel.sample(gid="legend:region", text="", note=ring.name, **palette.marker_style(ring))


def _write_absent(panel: Panel, film: Radiograph, marks: LandmarkSet) -> None:
    """What the picture cannot show: absent points with their reasons, and points beyond the film's edge."""
    absent = [(landmark_symbol(mark.id), mark.reason) for mark in marks if not mark.is_present]
    beyond = [(landmark_symbol(mark.id), BEYOND) for mark in marks.present if not is_inside(mark, film)]
    if not absent and not beyond:
        return
    panel.head(f"Absent points: {len(absent)} of {len(marks)}" if absent else "Points not shown")
    for reason, names in group_by_reason([*absent, *beyond]).items():
        if panel.room(palette.SMALL_PT) < 2:
            panel.paragraph("… more: see the record", most=1)
            return
        panel.paragraph(", ".join(names), size_pt=palette.TEXT_PT, colour=palette.INK, most=2, gid="absent")
        panel.paragraph(reason, x_px=14, most=max(1, min(3, panel.room(palette.SMALL_PT))), gid="absent-reason")


def is_inside(mark: Landmark, film: Radiograph) -> bool:
    """True when the point lies on the film's pixels."""
    if mark.x_px is None or mark.y_px is None:
        return False
    return -0.5 <= mark.x_px <= film.size[0] - 0.5 and -0.5 <= mark.y_px <= film.size[1] - 0.5


def landmark_symbol(id: str) -> str:
    """How the field writes a landmark, e.g. Pog' for Pog_s; the id itself when it is not in the dictionary."""
    known = load_landmarks().get(id)
    return known.symbol if known else id
