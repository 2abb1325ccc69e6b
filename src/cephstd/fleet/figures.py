"""Figures of the report as SVG text: funnels, shifts, volume and change over time (matplotlib)."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.census import Census
from cephstd.fleet.corrections import mean_vectors
from cephstd.fleet.drift import smooth
from cephstd.fleet.effects import MIN_FILMS, Effects, Layout
from cephstd.fleet.share_findings import CHANCE
from cephstd.fleet.shares import MIN_OF, Shares

INK, PALE, BLUE, RED, GRID = "#22303c", "#8a97a3", "#2f6f9f", "#c0392b", "#e3e8ec"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cephstd",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,
}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
MOST_MEASURES = 40
MOST_MONTHS = 18
MIN_CORRECTIONS = 10
ROW_HEIGHT = 0.85


def draw_funnels(shares: Sequence[Shares], marked: set[tuple[str, str]]) -> str:
    """Small funnels side by side: share against number of films, with control limits; marked groups by name.

    Parameters
    ----------
    shares : sequence of Shares
    marked : set of tuple
        Indicator and group of those that a finding names.
    """

    def draw(figure: Figure) -> None:
        rows = -(-len(shares) // 3)
        for place, part in enumerate(shares):
            _funnel(figure.add_subplot(rows, 3, place + 1), part, marked)

    return _svg(draw, 10.0, 2.7 * -(-len(shares) // 3))


def _funnel(axes: Axes, part: Shares, marked: set[tuple[str, str]]) -> None:
    there = part.of >= MIN_OF
    of, share = part.of[there], 100.0 * part.shares[there]
    groups = [group for group, kept in zip(part.groups, there, strict=True) if kept]
    reach = np.linspace(max(MIN_OF, 0.7 * of.min()), 1.15 * of.max(), 100)
    low, high = part.limits(reach, CHANCE)
    axes.fill_between(reach, 100.0 * low, 100.0 * high, color=BLUE, alpha=0.10, linewidth=0)
    axes.axhline(100.0 * part.expected, color=PALE, linewidth=1)
    named = np.array([(part.key, group) in marked for group in groups])
    axes.scatter(of[~named], share[~named], s=18, color=BLUE, zorder=3)
    axes.scatter(of[named], share[named], s=30, color=RED, zorder=4)
    for group, x, y, name in zip(groups, of, share, named, strict=True):
        if name:
            right = x > reach.mean()
            axes.annotate(
                group, (x, y), xytext=(-6 if right else 6, -3), textcoords="offset points", color=RED, fontsize=8.5,
                ha="right" if right else "left",
            )  # fmt: skip
    axes.set_title(f"% {part.label}")
    axes.set_xlabel("films")
    axes.set_ylim(bottom=0.0, top=max(5.0, 1.12 * share.max()))
    axes.grid(color=GRID, linewidth=0.8)


def draw_sizes(effects: Effects, layout: Layout, marked: set[str]) -> str:
    """Length of heads beside what is usual for age and sex, in percent, with 95 % limits, by place."""
    shifts, errors = 100.0 * np.expm1(effects.shifts), 196.0 * np.hypot(effects.errors, effects.natural)
    return _forest(shifts, errors, layout, marked, "% longer (right) or shorter (left) than usual for age and sex")


def _forest(shifts: np.ndarray, errors: np.ndarray, layout: Layout, marked: set[str], label: str) -> str:
    kept = np.flatnonzero(np.isfinite(shifts))
    names = [layout.places.labels[row] for row in kept]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        rows = np.arange(len(kept))[::-1]
        colours = [RED if name in marked else BLUE for name in names]
        axes.axvline(0.0, color=PALE, linewidth=1)
        axes.hlines(rows, shifts[kept] - errors[kept], shifts[kept] + errors[kept], colors=colours, linewidth=1.8)
        axes.scatter(shifts[kept], rows, color=colours, s=24, zorder=3)
        axes.set_yticks(rows, names)
        axes.set_xlabel(label)
        axes.set_ylim(-0.7, len(kept) - 0.3)
        axes.grid(axis="x", color=GRID, linewidth=0.8)

    return _svg(draw, 8.6, 0.9 + 0.25 * len(kept))


def draw_shifts(effects: dict[str, Effects], layout: Layout) -> str:
    """All measures at all places: shift in spreads of one age band and sex as a colour; grey was not compared."""
    ordered = sorted(effects, key=lambda name: -float(np.nanmax(np.abs(effects[name].shifts / effects[name].spread))))
    names = sorted(ordered[:MOST_MEASURES])
    table = np.array([effects[name].shifts / effects[name].spread for name in names])
    kept = [row for row in range(table.shape[1]) if layout.cells[row, -1] - layout.cells[row, 0] >= MIN_FILMS]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        colours = mpl.colormaps["RdBu_r"].with_extremes(bad="#d0d5da")
        shown = np.ma.masked_invalid(table[:, kept].T)
        image = axes.imshow(shown, cmap=colours, vmin=-1.0, vmax=1.0, aspect="auto", interpolation="none")
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8.5)
        axes.set_yticks(range(len(kept)), [layout.places.labels[row] for row in kept])
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.015, aspect=30)
        bar.set_label("spreads lower (blue) or higher (red)", fontsize=8.5)
        bar.outline.set_visible(False)

    return _svg(draw, 10.0, 1.6 + 0.24 * len(kept))


def draw_volume(films: pl.DataFrame) -> str:
    """Films a month, one row per site, on one scale."""
    counted = (
        films.filter(pl.col("day").is_not_null())
        .group_by(SITE_COLUMN, month=pl.col("day").dt.truncate("1mo"))
        .agg(films=pl.len())
        .sort("month")
    )
    sites = sorted(counted[SITE_COLUMN].unique().to_list())
    if not sites:
        return ""
    rows = {site: len(sites) - 1 - row for row, site in enumerate(sites)}
    months = counted.select(pl.date_range(pl.col("month").min(), pl.col("month").max(), "1mo").alias("month"))
    days = months["month"].to_numpy().astype("datetime64[D]").astype(float)
    top = int(counted["films"].to_numpy().max())

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for site, row in rows.items():
            found = months.join(counted.filter(pl.col(SITE_COLUMN) == site), on="month", how="left").sort("month")
            heights = row + ROW_HEIGHT * found["films"].fill_null(0).to_numpy() / top
            axes.fill_between(days, row, heights, step="post", color=BLUE, alpha=0.75, linewidth=0)
        axes.hlines(list(rows.values()), days[0], days[-1], colors=GRID, linewidth=0.8)
        axes.set_yticks([row + ROW_HEIGHT / 2 for row in rows.values()], list(rows))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        ticks = np.linspace(days[0], days[-1], 7)
        axes.set_xticks(ticks, [str(np.datetime64(int(day), "D").astype("datetime64[M]")) for day in ticks])
        axes.set(ylim=(0, len(sites)), xlabel=f"one scale for all sites; the highest month has {top} films")

    return _svg(draw, 9.2, 0.9 + 0.3 * len(sites))


def draw_series(title: str, days: np.ndarray, series: np.ndarray, unit: str, since: str) -> str:
    """A series in equal parts over time: means with their scatter, the weighted average with its limits, the change.

    Parameters
    ----------
    title : str
    days : ndarray of datetime64[D]
        Ascending.
    series : ndarray
        No NaN.
    unit : str
    since : str
        Day of the change, YYYY-MM-DD.
    """
    parts = np.array_split(np.arange(len(series)), min(MOST_MONTHS, max(4, len(series) // 8)))
    means = np.array([series[part].mean() for part in parts])
    errors = np.array([series[part].std() / np.sqrt(len(part)) for part in parts])
    middle = np.array([days[part[len(part) // 2]] for part in parts])
    change = np.datetime64(since)
    before = series[days < change]
    level, deviation = float(before.mean()), max(float(before.std()), 1e-9)
    sizes = np.sqrt([len(part) for part in parts])
    ticks = days[0] + (np.arange(5) * ((days[-1] - days[0]) // 4))
    average, limit = smooth((means - level) / deviation * sizes)

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.axhline(level, color=PALE, linewidth=1)
        left.errorbar(middle, means, 1.96 * errors, fmt="o", color=BLUE, markersize=4, linewidth=1)
        left.set_title(title)
        left.set_ylabel(unit)
        right.fill_between(middle, -limit, limit, color=BLUE, alpha=0.10, linewidth=0)
        right.plot(middle, average, color=INK, linewidth=1.4)
        out = np.abs(average) > limit
        right.scatter(middle[out], average[out], color=RED, s=18, zorder=3)
        right.set_title("Weighted average with control limits")
        for axes in (left, right):
            axes.axvline(change, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.grid(color=GRID, linewidth=0.8)
            axes.set_xticks(ticks, [str(day.astype("datetime64[M]")) for day in ticks])
        left.annotate(
            f"since {since}", (change, left.get_ylim()[1]), xytext=(-4, -10), textcoords="offset points", ha="right",
            fontsize=8.5, color=RED,
        )  # fmt: skip

    return _svg(draw, 10.0, 2.5)


def draw_vectors(census: Census, marked: set[tuple[str, str]]) -> str:
    """Mean movement of each landmark by each site's reviewers, forward and up as on a face that looks right."""
    table = mean_vectors(census).filter(pl.col("n") >= MIN_CORRECTIONS)
    landmarks = table["landmark"].unique().sort().to_list()[:18]
    if not landmarks:
        return ""
    reach = max(1.0, 1.1 * float(np.hypot(table["forward_mm"].to_numpy(), table["down_mm"].to_numpy()).max()))

    def draw(figure: Figure) -> None:
        columns = min(9, len(landmarks))
        for place, landmark in enumerate(landmarks):
            axes = figure.add_subplot(-(-len(landmarks) // columns), columns, place + 1)
            axes.axhline(0, color=GRID, linewidth=0.8)
            axes.axvline(0, color=GRID, linewidth=0.8)
            for name, _, forward, down, _ in table.filter(pl.col("landmark") == landmark).iter_rows():
                colour = RED if (name, landmark) in marked else BLUE
                axes.annotate("", (forward, -down), (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.3})
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[], title=landmark)
            axes.spines[:].set_visible(False)
            axes.add_patch(Circle((0, 0), 1.0, fill=False, color=PALE, linewidth=0.7, linestyle=":"))

    return _svg(draw, 10.0, 1.5 * -(-len(landmarks) // 9))


def _svg(draw: Callable[[Figure], None], width: float, height: float) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=NO_METADATA, transparent=True)
    text = out.getvalue()
    return text[text.index("<svg") :]
