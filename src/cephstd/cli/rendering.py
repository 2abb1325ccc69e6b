"""What the commands say: JSON for programs on stdout; tables, progress and errors for people on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cephstd.errors import CephError

if TYPE_CHECKING:
    from rich.console import Console

    from cephstd.core.measures import Measure, MeasureSet

INTERNAL_EXIT = 70
"""Exit code of a fault of this software (EX_SOFTWARE of sysexits.h)."""

LOG_WIDTH = 120
"""Columns of tables that go to a file or a pipe."""

MANY_REASONS = 8
MISSING_POINTS = "a landmark is missing (the record says which)"

REPORT_IT = "This is a fault of cephstd, not of your file: please report it with the command and the version."


def people() -> Console:
    """Console on stderr; rich leaves out colour when it is no terminal or NO_COLOR is set."""
    from rich.console import Console

    seen = sys.stderr.isatty()
    return Console(stderr=True, highlight=False, soft_wrap=True, width=None if seen else LOG_WIDTH)


def write_json(value: Any, *, indent: int | None = None) -> None:
    """One JSON value and a newline on stdout, at once, so that a reader of the pipe can go on."""
    sys.stdout.write(json.dumps(value, indent=indent, allow_nan=False) + "\n")
    sys.stdout.flush()


def show(value: Any, view: Callable[[Console], None]) -> None:
    """For look-ups: a readable view in a terminal, JSON when stdout is a pipe or a file."""
    if sys.stdout.isatty():
        view(people())
    else:
        write_json(value, indent=2)


def error_facts(error: BaseException) -> dict[str, str]:
    """An error as data: a stable code, a sentence, and what can be done."""
    if isinstance(error, CephError):
        return {"code": error.code, "message": str(error.args[0]) if error.args else "", "hint": error.hint}
    return {"code": "internal", "message": f"{type(error).__name__}: {error}", "hint": REPORT_IT}


def exit_code_of(error: BaseException) -> int:
    """Process exit code for an error."""
    return error.exit_code if isinstance(error, CephError) else INTERNAL_EXIT


def say(text: str, *, style: str = "") -> None:
    """One line for people."""
    people().print(text, style=style or None, markup=False)


def say_error(error: BaseException, *, about: str = "") -> None:
    """An error for people: what it is about, the sentence, the code, the hint."""
    from rich.text import Text

    facts = error_facts(error)
    line = Text("error", style="bold red")
    line.append(f": {about}: " if about else ": ", style="default")
    line.append(facts["message"], style="default")
    line.append(f" [{facts['code']}]", style="dim")
    console = people()
    console.print(line)
    if facts["hint"]:
        console.print(Text(f"  {facts['hint']}", style="default"))


def make_table(*columns: str, title: str = "", right: Sequence[str] = ()) -> Any:
    """An empty rich table; columns named in `right` are aligned to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True)
    for column in columns:
        number = column in right
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def show_measures(values: MeasureSet) -> None:
    """Values with uncertainty and unit; below them the absent ones, by reason."""
    from rich.text import Text

    console = people()
    if values.present:
        table = make_table("measure", "value", "± sd", "unit", "", right=("value", "± sd"))
        for measure in values.present:
            table.add_row(*map(Text, _cells(measure)))
        console.print(table)
    absent = group_absences(values)
    if absent:
        table = make_table("absent because", "n", "measures", right=("n",))
        for reason, ids in absent.items():
            table.add_row(Text(reason), str(len(ids)), Text(", ".join(ids)))
        console.print(table)


def group_absences(values: MeasureSet) -> dict[str, list[str]]:
    """Reason -> ids of the absent measures; where reasons are many, all missing landmarks are one reason."""
    absent: dict[str, list[str]] = {}
    for measure in values:
        if not measure.is_present:
            absent.setdefault(measure.reason, []).append(measure.id)
    if len(absent) <= MANY_REASONS:
        return absent
    grouped: dict[str, list[str]] = {}
    for reason, ids in absent.items():
        grouped.setdefault(MISSING_POINTS if reason.startswith("missing:") else reason, []).extend(ids)
    return grouped


def _cells(measure: Measure) -> tuple[str, str, str, str, str]:
    value = "" if measure.value is None else f"{measure.value:.{measure.decimals}f}"
    sd = "" if measure.sd is None else f"{measure.sd:.{measure.decimals}f}"
    return measure.id, value, sd, measure.unit, measure.remark


@contextmanager
def show_progress(total: int, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Bar with count, rate and time left on stderr; nothing when it is no terminal, for one film, or `quiet`.

    Yields
    ------
    callable
        Takes the number of films that have failed so far and moves the bar by one.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.1f}/s")

    console = people()
    columns = (
        TextColumn("films"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    hidden = quiet or total < 2 or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("films", total=total, failed=0)
        yield lambda failed: bar.update(task, advance=1, failed=failed)
