"""What the manual says of the speed of measuring, from the figures that the benchmark last kept."""

from __future__ import annotations

import json
from pathlib import Path

FIGURES = Path(__file__).resolve().parent.parent / "benchmarks" / "results" / "measurement.json"


def render_measurement_speed() -> str:
    """How long measuring takes, each figure with its limit, and how it was measured, in Markdown."""
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))
    scaling, compared, one, machine = kept["scaling"], kept["compared"], kept["one_film"], kept["machine"]
    lines = [
        f"All {compared['measures']} measures that can be computed, with standard deviations from one covariance per",
        f"point, of {scaling['films']:,} films take {scaling['one_thread_wall_s']:.1f} s on one thread and",
        f"{scaling['two_threads_wall_s']:.1f} s on two; one film of {one['measures']} measures takes",
        f"{one['us_warm']:.0f} us. The time per film hardly depends on how many there are:",
        "",
        "| films | us per film, one thread |",
        "|---:|---:|",
        *(f"| {int(films):,} | {us:.2f} |" for films, us in scaling["us_per_film_one_thread"].items()),
        "",
        "Against other means (`benchmarks/compare`), and other figures that have a limit:",
        "",
        "| figure | found | limit |",
        "|---|---:|---:|",
        *(f"| {name} | {figure['found']:g} | {figure['limit']} |" for name, figure in kept["limits"].items()),
        "",
        f"`{kept['command']}` on {machine['cores']} cores ({machine['system']}, Python {machine['python']},",
        f"numba {machine['versions']['numba']}). {kept['clock']}.",
        "",
    ]
    return "\n".join(lines)
