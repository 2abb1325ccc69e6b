"""The command line's entry: collects the commands, and turns every error into a sentence and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from cephstd import __version__
from cephstd.cli import (
    analysis,
    batching,
    comparing,
    comparing_sites,
    definitions,
    deidentifying,
    doctor,
    evaluating,
    exporting,
    ledgers,
    measuring,
    modelling,
    normalizing,
    norming,
    policing,
    reanalyzing,
    records,
    reporting,
    reviewing,
    scaling,
    signing,
    wrapping,
)
from cephstd.cli.rendering import exit_code_of, say_error
from cephstd.errors import CephError

app = typer.Typer(
    name="cephstd",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
Examples:
  cephstd analyze film.dcm --out results
  cephstd detect archive/ --out points.csv
  cephstd verify results/film.record.json --source film.dcm

\b
Data goes to stdout (JSON) or to files; tables, progress and errors go to stderr.
Exit codes: 0 success, 1 a finding, 2 wrong usage, 3 input, 4 model, 5 definition,
6 record, 7 verification, 8 missing extra, 70 internal fault.
""",
)


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cephstd {__version__}")
        raise typer.Exit


@app.callback()
def describe(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """One standard for every lateral cephalogram: any device in, one calibrated image, one set of definitions, one
    record that can be checked.

    Not a medical device. The bundled weights are for research and non-commercial use.
    """


for room in (
    analysis,
    scaling,
    normalizing,
    deidentifying,
    wrapping,
    measuring,
    batching,
    reanalyzing,
    comparing_sites,
    records,
    reviewing,
    signing,
    reporting,
    ledgers,
    exporting,
    policing,
    definitions,
    norming,
    comparing,
    evaluating,
    modelling,
    doctor,
):
    room.register(app)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line with `arguments` (default: those of the process) and leave with its exit code."""
    command = typer.main.get_command(app)
    try:
        command(args=None if arguments is None else list(arguments), prog_name="cephstd")
    except CephError as error:
        say_error(error)
        sys.exit(exit_code_of(error))
    except Exception as error:  # the last stand: a fault of ours must not look like a finding (exit 1)
        traceback.print_exc()
        say_error(error)
        sys.exit(exit_code_of(error))
    sys.exit(0)
