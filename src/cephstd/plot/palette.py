"""Colours, line widths and point styles: one look for every picture, told apart without red against green.

Line colours are those of Okabe and Ito (2008, "Color Universal Design"), lightened where they would sink into a film.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cephstd.core.landmarks import Landmark

DPI = 150
FONT = "DejaVu Sans"  # ships with matplotlib, so a picture looks alike on every machine

NIGHT = "#0B0E13"
RULE = "#2A313C"
INK = "#EEF2F7"
MUTED = "#93A0B1"
CAUTION = "#F2B84B"

SKY = "#6EC3F4"
YELLOW = "#F0E442"
GREEN = "#2FC39A"
ORANGE = "#F2A71B"
PINK = "#E39AC6"
VERMILION = "#FF7F45"
WHITE = "#FFFFFF"
PERIWINKLE = "#9FA8FF"
SAND = "#D9C7A0"

THIN, FINE, HAIR = 1.1, 0.8, 0.55  # line widths, pt
TITLE_PT, TEXT_PT, LABEL_PT, SMALL_PT = 14.0, 9.5, 9.0, 8.0

# Texts are plain: a "$" or an underscore in a reason is no mathematics.
TEXT: dict[str, Any] = {"fontfamily": FONT, "parse_math": False, "usetex": False}


OUTLINE_COLOURS = {"bone": "#CFE6FA", "tooth": ORANGE, "skin": "#F6CDB4"}
DASHED = (0, (4.0, 2.6))


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a drawing on one kind of ground; `hues` go to the terms of a formula in turn."""

    ground: str
    ink: str
    muted: str
    faint: str
    hues: tuple[str, ...]


PAPER = Theme("#FCFBF8", "#1E2530", "#66707E", "#A9B4C2", ("#0072B2", "#D55E00", "#00795A", "#A6467F", "#8A6D00"))
FILM = Theme(NIGHT, INK, MUTED, "#CFE6FA", (SKY, ORANGE, GREEN, PINK, YELLOW))


@dataclass(frozen=True, slots=True)
class PointStyle:
    """How a landmark of one kind is drawn and named in the legend."""

    name: str
    marker: str
    size_pt: float
    face: str
    edge: str
    edge_pt: float = 0.9


DETECTED = PointStyle("detected by the model", "o", 4.4, INK, NIGHT, 0.7)
PLACED = PointStyle("placed or moved by a person", "s", 4.4, INK, NIGHT, 0.7)
PROVISIONAL = PointStyle("provisional: rely on it only once accepted", "D", 5.2, "none", CAUTION, 1.1)
REJECTED = PointStyle("rejected by a person", "x", 5.2, "none", MUTED, 1.1)


def point_style(mark: Landmark) -> PointStyle:
    """Style of a present landmark: its review first, then where it comes from."""
    by_review = {"provisional": PROVISIONAL, "rejected": REJECTED}
    return by_review.get(mark.review, DETECTED if mark.state == "detected" else PLACED)


def marker_style(style: PointStyle) -> dict[str, Any]:
    """Keyword arguments of a matplotlib line that shows nothing but the marker."""
    return {
        "linestyle": "none",
        "marker": style.marker,
        "markersize": style.size_pt,
        "markerfacecolor": style.face,
        "markeredgecolor": style.edge,
        "markeredgewidth": style.edge_pt,
    }


def clear(colour: str, alpha: float) -> tuple[float, float, float, float]:
    """A ``#RRGGBB`` colour with opacity `alpha`, 0..1."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue, alpha
