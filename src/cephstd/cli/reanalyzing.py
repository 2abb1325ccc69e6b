"""The command that analyses an archive anew and says what changed, and why: reanalyze."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.analysis import choose_recipe
from cephstd.cli.batching import needing_extra, outcome_line
from cephstd.cli.rendering import make_table, people, say, show_progress, write_json

if TYPE_CHECKING:
    from cephstd.batch.outcomes import Outcome
    from cephstd.batch.reanalysis import OldFilm
    from cephstd.core.recipe import Recipe

SHOWN_MEASURES = 12


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(short_help="Analyse an archive anew; say what changed and why.", epilog=REANALYZE_EXAMPLES)(reanalyze)


REANALYZE_EXAMPLES = """\b
Examples:
  cephstd reanalyze run --recipe new.toml --out run-2
  cephstd reanalyze run --recipe new.toml --out run-2 --old-models weights-of-2025/
  cephstd reanalyze points-of-another-system.csv --films archive/ --recipe new.toml --out run-2
"""


def reanalyze(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD",
            help="Output folder of a batch, or a CSV table of points with image_id, landmark, x_px, y_px (mm_per_px).",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder; a second run takes it up.")],
    recipe: options.RecipeFile = None,
    films: Annotated[
        list[str] | None,
        typer.Option(
            "--films",
            metavar="SOURCE",
            help="Where the films lie, as for batch; repeatable. A table calls a film by its image_id or by its file "
            "name without suffix.  [default: where the batch found them]",
            show_default=False,
        ),
    ] = None,
    models: options.ModelFolder = None,
    old_models: Annotated[
        Path | None,
        typer.Option(
            "--old-models",
            metavar="DIR",
            help="Folder with the models of the earlier records; without it, the effect of the standard image and "
            "that of the model are one.",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Analyse an archive anew and say of every value that changed which factor changed it.

    Factors are exchanged one at a time, in this order: calibration, normalization, model, definition, norms, rounding.
    DIR gets successor records as from batch, changes/ (one file per film), changes.json (bias and spread by landmark,
    measure and device) and flips.csv: classes that changed, for a clinician to look at. stdout has one JSON line per
    film. Exit code 1 when a film failed.
    """
    with needing_extra():
        from cephstd.batch.comparison import write_changes
        from cephstd.batch.reanalysis import reanalyze_films

    chosen = choose_recipe(recipe)
    listed = old_films(old, out, films or [], chosen)
    failed = 0
    with show_progress(len(listed), quiet=quiet) as advance:

        def tell(outcome: Outcome) -> None:
            nonlocal failed
            failed += outcome.status == "failed"
            write_json(outcome_line(outcome))
            advance(failed)

        reanalyze_films(
            listed,
            out,
            recipe=chosen,
            clock=lambda: datetime.now(UTC),
            models=models,
            old_models=old_models,
            device=device,
            tell=tell,
        )
    summary = write_changes(out)
    if not quiet:
        show_changes(summary)
        say(f"changes.json, flips.csv, records and tables in {out}")
    if failed:
        raise typer.Exit(1)


def old_films(old: Path, out: Path, sources: list[str], recipe: Recipe) -> list[OldFilm]:
    """Films of a batch or of a table of points, with where their files lie."""
    from cephstd.batch.planner import plan_batch
    from cephstd.batch.reanalysis import films_of_batch, films_of_points, name_films
    from cephstd.cli.files import read_text

    named = name_films(plan_batch(sources, recipe=recipe), out) if sources else {}
    if old.is_dir():
        return list(films_of_batch(old, named))
    from cephstd.export.tables import read_points

    return list(films_of_points(read_points(read_text(old)), named))


def show_changes(summary: dict[str, Any]) -> None:
    """The measures that changed most, by how many films and how far; and how many classes flipped."""
    from rich.text import Text

    from cephstd.batch.comparison import ALL

    rows = [row for row in summary["measures"] if row["device"] == ALL]
    rows.sort(key=lambda row: -row["n"])
    table = make_table("measure", "films", "bias", "spread", "unit", "most by", right=("films", "bias", "spread"))
    for row in rows[:SHOWN_MEASURES]:
        shares = {name: abs(row[name] or 0.0) for name in summary["order"]}
        cells = [_number(row["bias"]), _number(row["spread"])]
        table.add_row(Text(row["measure"]), str(row["n"]), *cells, row["unit"], max(shares, key=shares.__getitem__))
    console = people()
    if rows:
        console.print(table)
    for note, count in summary["notes"].items():
        say(f"note: {count} films: {note}", style="dim")
    flips = sum(row["len"] for row in summary["flips"])
    say(f"{summary['films']} films; {len(rows)} measures changed; {flips} classes flipped")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
