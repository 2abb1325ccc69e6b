"""The margin panel of a picture: headings, rows and wrapped text, written from the top down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from cephstd.plot import palette

Measured = Callable[[str, float], tuple[float, float]]
LINE_SPACING = 1.42
BASELINE = 0.72  # of a line's height, counted from its top


class Panel:
    """Column of text on axes whose unit is the pixel, x right and y down.

    Parameters
    ----------
    axes : Axes
        Axes without frame, limits 0..width and height..0.
    width_px, height_px : float
        Size of the column.
    measure : callable
        (text, size in pt) -> width and height, px.
    floor_px : float
        Height that is kept free at the bottom.
    """

    def __init__(self, axes: Axes, width_px: float, height_px: float, measure: Measured, floor_px: float = 0.0) -> None:
        self.axes = axes
        self.width_px = width_px
        self.bottom_px = height_px - floor_px
        self.measure = measure
        self.y_px = 0.0

    def room(self, size_pt: float = palette.TEXT_PT) -> int:
        """Lines of `size_pt` that still fit."""
        return max(0, int((self.bottom_px - self.y_px) / line_px(size_pt)))

    def write(
        self, text: str, *, x_px: float = 0.0, size_pt: float = palette.TEXT_PT, colour: str = palette.INK,
        align: str = "left", bold: bool = False, gid: str = "",
    ) -> None:  # fmt: skip
        """Text at the current line; `align` left or right of `x_px`."""
        self.axes.text(
            x_px,
            self.y_px + BASELINE * line_px(max(size_pt, palette.TEXT_PT)),
            text,
            fontsize=size_pt,
            color=colour,
            ha=align,
            va="baseline",
            fontweight="bold" if bold else "normal",
            gid=gid or None,
            **palette.TEXT,
        )

    def feed(self, size_pt: float = palette.TEXT_PT, lines: float = 1.0) -> None:
        """Go down by `lines` of `size_pt`."""
        self.y_px += lines * line_px(size_pt)

    def head(self, text: str) -> None:
        """Start a section: a hairline and a small heading."""
        self.feed(lines=0.55)
        rule = Line2D([0, self.width_px], [self.y_px, self.y_px], color=palette.RULE, linewidth=palette.FINE)
        self.axes.add_line(rule)
        self.feed(lines=0.35)
        self.write(text.upper(), size_pt=palette.SMALL_PT - 0.5, colour=palette.MUTED, bold=True)
        self.feed(palette.SMALL_PT, 1.15)

    def sample(self, *, gid: str, text: str, note: str = "", colour: str = palette.INK, **style: Any) -> None:
        """One legend row: a line or marker sample in `style`, a text and a muted note."""
        y = self.y_px + line_px(palette.TEXT_PT) / 2
        marker_only = style.get("linestyle") == "none"
        across = [16.0] if marker_only else [0.0, 32.0]
        self.axes.add_line(Line2D(across, [y] * len(across), gid=gid, **style))
        self.write(text, x_px=46, colour=colour)
        if note:
            x = 46 + self.measure(text, palette.TEXT_PT)[0] + 10
            self.write(note, x_px=x, size_pt=palette.SMALL_PT, colour=palette.MUTED)
        self.feed()

    def paragraph(
        self, text: str, *, x_px: float = 0.0, size_pt: float = palette.SMALL_PT, colour: str = palette.MUTED,
        most: int = 99, gid: str = "",
    ) -> int:  # fmt: skip
        """Wrapped text of at most `most` lines, the last one shortened with an ellipsis; returns lines written."""
        lines = wrap_text(text, self.width_px - x_px, lambda part: self.measure(part, size_pt)[0])
        shown = [*lines[: most - 1], lines[most - 1].rstrip(" ,.;") + " …"] if len(lines) > most else lines
        for line in shown:
            self.write(line, x_px=x_px, size_pt=size_pt, colour=colour, gid=gid)
            self.feed(size_pt)
        return len(shown)


def line_px(size_pt: float) -> float:
    """Height of a line of text, px."""
    return size_pt * LINE_SPACING * palette.DPI / 72


def wrap_text(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break `text` at spaces so that every line is at most `width` wide; a longer word is cut.

    >>> wrap_text("not in the field of view", 10, len)
    ['not in the', 'field of', 'view']
    """
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and measure(joined) <= width:
            lines[-1] = joined
        else:
            lines.extend(_cut(word, width, measure))
    return lines


def _cut(word: str, width: float, measure: Callable[[str], float]) -> Iterable[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and measure(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def font(size_pt: float) -> FontProperties:
    """The font of every text."""
    return FontProperties(family=palette.FONT, size=size_pt)


def group_by_reason(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """(name, reason) pairs -> reason: names, in order of first appearance."""
    groups: dict[str, list[str]] = {}
    for name, reason in pairs:
        groups.setdefault(reason, []).append(name)
    return groups
