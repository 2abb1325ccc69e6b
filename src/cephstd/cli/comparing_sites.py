"""Commands that look across the films of a batch: fleet and worklist."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cephstd.cli import options
from cephstd.cli.batching import needing_extra
from cephstd.cli.files import STREAM, write_text
from cephstd.cli.rendering import make_table, people, say

if TYPE_CHECKING:
    from cephstd.fleet.findings import FleetFinding
    from cephstd.fleet.worklist import Task

Tables = Annotated[
    Path,
    typer.Argument(
        metavar="OUT|TABLES",
        help="Output folder of a batch or of a re-analysis (what --out named there), or a folder of such tables. No "
        "film is read.",
        show_default=False,
    ),
]
SHOWN_TASKS = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Compare sites and devices; rank what differs.", epilog=FLEET_EXAMPLES)(fleet)
    app.command(short_help="List what a person should look at first.", epilog=WORKLIST_EXAMPLES)(worklist)


FLEET_EXAMPLES = """\b
Examples:
  cephstd fleet run --out fleet.html
  cephstd fleet run --json - | jq -r '.findings[].sentence'
"""


def fleet(
    tables: Tables,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Report: one HTML file that opens without a network."),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Everything that was counted and compared, as JSON; - is stdout."),
    ] = None,
    at: options.At = None,
    quiet: options.Quiet = False,
) -> None:
    """Compare sites and devices for the same age and sex, and rank what differs by more than chance.

    Shares with control limits, scales, distributions of measures, drift with the day it began, how each reviewer moves
    landmarks, norm sets in use. Only what chance does not explain and what is large enough to matter is a finding;
    places with fewer than 30 films, and fleets of fewer than three places, are not compared, and notes say so.

    Findings go to stdout as sentences, first things first: act (results are wrong or unusable until somebody acts)
    or look (somebody should look). With --json - they are in the JSON instead. Exit code 1 when there are findings.
    """
    with needing_extra():
        from cephstd.fleet.census import read_census
        from cephstd.fleet.comparison import compare_sites

    comparison = compare_sites(read_census(tables))
    if out is not None:
        from cephstd.fleet.report import render_report

        write_text(out, render_report(comparison, created=at or options.now()))
    if json_file is not None:
        from cephstd.fleet.facts import list_facts

        text = json.dumps(list_facts(comparison), indent=1, allow_nan=False) + "\n"
        if json_file == STREAM:
            sys.stdout.write(text)
        else:
            write_text(json_file, text)
    if json_file != STREAM:
        tell_findings(comparison.findings)
    if not quiet:
        for note in comparison.notes:
            say(f"note: {note}", style="dim")
        count = len(comparison.findings)
        say(f"{count} {'finding' if count == 1 else 'findings'}{f'; report in {out}' if out else ''}")
    if comparison.findings:
        raise typer.Exit(1)


def tell_findings(findings: tuple[FleetFinding, ...]) -> None:
    """One sentence a line on stdout, with its rank and level."""
    for rank, finding in enumerate(findings, 1):
        sys.stdout.write(f"{rank}. {finding.level}: {finding.sentence}\n")


WORKLIST_EXAMPLES = """\b
Examples:
  cephstd worklist run
  cephstd worklist run --csv worklist.csv
  cephstd worklist run --json - | jq -r '.[0].reasons[]'
"""


def worklist(
    tables: Tables,
    *,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="The whole list as CSV; - is stdout.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="The whole list as JSON; - is stdout.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Films in the table that is shown.")
    ] = SHOWN_TASKS,
    quiet: options.Quiet = False,
) -> None:
    """List the films that a person should look at first, with the reasons.

    Classes that flipped when films were analysed anew, required policy rules that fail, films that are non-diagnostic,
    classes that rest on provisional points, classes near a threshold, more so where the model was not sure of a point.
    Each reason has a weight, and the weights of a film add up: flip 4, policy 3, non_diagnostic 2.5, provisional 2,
    near_threshold up to 2. Reviewed films stay on the list, behind others of the same weight.

    A table of the first films goes to stderr. Take a film's record out with 'cephstd records get OUT IMAGE_ID', decide
    with 'cephstd review' or 'cephstd amend', and bring it back with 'cephstd records add'.
    """
    with needing_extra():
        from cephstd.fleet.worklist import list_tasks, write_tasks

    import msgspec

    tasks = list_tasks(tables)
    texts = []
    if csv_file is not None:
        texts.append((csv_file, write_tasks(tasks)))
    if json_file is not None:
        texts.append((json_file, json.dumps(msgspec.to_builtins(tasks), indent=1) + "\n"))
    for path, text in texts:
        if path == STREAM:
            sys.stdout.write(text)
        else:
            write_text(path, text)
    if not quiet:
        show_tasks(tasks, limit)


def show_tasks(tasks: list[Task], limit: int) -> None:
    """The first films, and how many there are by reason."""
    from rich.text import Text

    from cephstd.fleet.worklist import count_reasons

    table = make_table("", "site", "image_id", "weight", "reviewed", "reasons", right=("", "weight"))
    for task in tasks[:limit]:
        reviewed = "yes" if task.reviewed else "no"
        cells = (str(task.rank), task.site, task.image_id, f"{task.weight:.1f}", reviewed, "\n".join(task.reasons))
        table.add_row(*map(Text, cells))
    if tasks:
        people().print(table)
    counts = ", ".join(f"{count} {why}" for why, count in count_reasons(tasks).items() if count)
    say(f"{len(tasks)} films to look at{f': {counts}' if counts else ''}")
