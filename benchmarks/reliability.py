"""Draw how honest a model's doubt is, from the result of `cephstd models cross-validate`.

Usage: reliability.py RESULT.json PICTURE.svg

Left: the share of held-out errors inside ellipses that should hold 50 to 99 % of them. Right: for each landmark the
share inside the 95 % ellipse, with the exact binomial 99.9 % interval around 95 %.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from scipy.stats import binom

INK, GOOD, BAD = "#333333", "#1b7f79", "#b3401e"


def draw(found: dict, picture: Path) -> None:
    doubt = found["doubt"]
    mpl.rcParams.update({"svg.hashsalt": "cephstd", "svg.fonttype": "none", "font.size": 9, "axes.edgecolor": INK})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=(1, 1.7), layout="constrained")
    nominal = [float(level) for level in doubt["reliability"]]
    left.plot((45, 100), (45, 100), color=INK, linewidth=0.8, linestyle=":")
    left.plot(nominal, list(doubt["reliability"].values()), marker="o", color=GOOD)
    left.set(xlabel="ellipse should hold, %", ylabel="held-out errors inside, %", title="All landmarks")
    names = list(doubt["per_landmark"])
    points = next(iter(doubt["per_landmark"].values()))["points"]
    low, high = (100.0 * edge / points for edge in binom.interval(0.999, points, 0.95))
    right.axhspan(low, high, color=GOOD, alpha=0.12)
    right.axhline(95, color=INK, linewidth=0.8, linestyle=":")
    inside = [doubt["per_landmark"][id]["inside_percent"] for id in names]
    right.scatter(names, inside, color=[GOOD if low <= share <= high else BAD for share in inside], zorder=3)
    right.set(ylabel="inside the 95 % ellipse, %", ylim=(85, 100.5), title=f"Per landmark, {points} films each")
    right.tick_params(axis="x", rotation=60)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
