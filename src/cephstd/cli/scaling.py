"""The command that finds the scale of a film: calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cephstd.cli import options
from cephstd.cli.rendering import make_table, show, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from cephstd.core.image import Calibration
    from cephstd.pipeline.scaler import Scaled


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Find a film's scale: metadata, device profile, ruler.", epilog=CALIBRATE_EXAMPLES)(
        calibrate
    )


CALIBRATE_EXAMPLES = """\b
Examples:
  cephstd calibrate film.dcm
  cephstd calibrate film.jpg --ruler-pitch-mm 1 --json
  cephstd calibrate film.jpg --two-points 1548,606,1547,790 --length-mm 10
"""


def calibrate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One film.")],
    *,
    ruler_pitch_mm: Annotated[
        float | None,
        typer.Option(
            "--ruler-pitch-mm",
            metavar="X",
            help="True distance of neighbouring ticks of the ruler in the film, stated by you.",
            show_default=False,
        ),
    ] = None,
    mm_per_px: options.MmPerPx = None,
    two_points: Annotated[
        str | None,
        typer.Option(
            "--two-points",
            metavar="X1,Y1,X2,Y2",
            help="Two points that you picked on a ruler, source pixels; goes with --length-mm.",
            show_default=False,
        ),
    ] = None,
    length_mm: Annotated[
        float | None,
        typer.Option("--length-mm", metavar="X", help="True distance of the two points.", show_default=False),
    ] = None,
    conflict: Annotated[
        Literal["metadata", "ruler", "refuse"] | None,
        typer.Option(
            "--scale-conflict",
            metavar="POLICY",
            help="What counts when ruler and file differ by more than 2 %: metadata, ruler, or refuse.  "
            "[default: metadata]",
            show_default=False,
        ),
    ] = None,
    devices: Annotated[
        Path | None,
        typer.Option(
            "--devices", metavar="FILE", help="TOML file with device profiles of your site.", show_default=False
        ),
    ] = None,
    recipe: options.RecipeFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON also in a terminal.")] = False,
) -> None:
    """Find the scale of a film: what the file states, what a device profile corrects, and a graduated ruler.

    A ruler's period is measured in pixels; millimetres follow once the distance of its ticks is stated. A ruler and
    another scale that differ by more than 2 % are listed as a conflict, with the policy that decided. stdout has one
    JSON object: ruler (null when there is none), calibration, conflicts; in a terminal a table.
    """
    from cephstd.cli.analysis import choose_recipe, read_scale
    from cephstd.io.reader import read
    from cephstd.knowledge.profiles import load_profiles
    from cephstd.pipeline.intake import state_scale
    from cephstd.pipeline.scaler import scale_film

    own = load_profiles(devices) if devices is not None else None
    chosen = choose_recipe(
        recipe, ruler_pitch_mm=ruler_pitch_mm, mm_per_px=mm_per_px, scale_conflict=conflict, devices=own
    )
    picked = read_points(two_points, length_mm)
    if picked is not None and mm_per_px is not None:
        raise typer.BadParameter("State the scale once: --mm-per-px or --two-points.")
    stated = state_scale(chosen, picked or read_scale(mm_per_px, None))
    film = read(file, calibration=stated, budget=chosen.budget, keep_age=False, keep_sex=False)
    facts = describe(scale_film(film, chosen, look_for_ruler=True))

    def view(console: Console) -> None:
        ruler, scale = facts["ruler"], facts["calibration"]
        table = make_table("what", "found")
        found = f"{ruler['ticks']} ticks every {ruler['period_px']:.3f} px" if ruler else "none"
        table.add_row("ruler", found)
        table.add_row("basis", scale["basis"])
        values = [scale[name] for name in ("row_mm", "column_mm")]
        table.add_row("mm per px", " x ".join("unknown" if value is None else f"{value:.5g}" for value in values))
        table.add_row("relative sd", f"{scale['relative_sd']:.2%}")
        for item in facts["conflicts"]:
            table.add_row("conflict", f"{item['difference']:+.1%}; {item['decision']} counts")
        console.print(table)

    if as_json:
        write_json(facts)
    else:
        show(facts, view)


def read_points(two_points: str | None, length_mm: float | None) -> Calibration | None:
    """Scale of two points that a person picked on a ruler; None when none were."""
    from cephstd.imaging.calibrator import calibrate_by_ruler

    if two_points is None and length_mm is None:
        return None
    if two_points is None or length_mm is None:
        raise typer.BadParameter("Give --two-points and --length-mm together.")
    try:
        x1, y1, x2, y2 = (float(part) for part in two_points.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"Expected four numbers X1,Y1,X2,Y2, found {two_points!r}.") from error
    return calibrate_by_ruler((x1, y1), (x2, y2), length_mm)


def describe(scaled: Scaled) -> dict[str, Any]:
    """What was found, as data."""
    import msgspec

    ruler = scaled.ruler
    return {
        "ruler": None
        if ruler is None
        else {
            "period_px": round(ruler.period_px, 4),
            "period_sd_px": round(ruler.period_sd_px, 4),
            "ticks": ruler.ticks,
            "line": [[round(x, 2), round(y, 2)] for x, y in ruler.line],
        },
        "calibration": msgspec.to_builtins(scaled.film.calibration),
        "conflicts": [msgspec.to_builtins(conflict) for conflict in scaled.conflicts],
    }
