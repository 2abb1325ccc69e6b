"""The command that takes persons out of films: deidentify."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.analysis import choose_recipe, leave_with
from cephstd.cli.files import make_folder
from cephstd.cli.films import FilmJob, list_films, work_on
from cephstd.cli.rendering import error_facts, say, write_json
from cephstd.errors import InputError

if TYPE_CHECKING:
    from cephstd.cli.films import Outcome

KEY_BYTES = 32

DEIDENTIFY_EXAMPLES = """\b
Examples:
  head -c 32 /dev/urandom > study.key
  cephstd deidentify archive/ shared/ --preset ceph-research --key-file study.key > links.jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Take persons out of films: DICOM PS3.15 Annex E.", epilog=DEIDENTIFY_EXAMPLES)(deidentify)


def deidentify(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A film, or a folder or ZIP archive of films.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Another folder; made when absent.")],
    *,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="Which options go with the Basic Profile.")
    ] = "ceph-research",
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="File of at least 16 secret bytes: the same key gives the same new ids in every run. Without it a key "
            "is made for this run alone and thrown away.",
            show_default=False,
        ),
    ] = None,
    recipe: options.RecipeFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Take persons out of films: names, ids, dates, free text, private tags, burnt-in text.

    A DICOM file gets the Basic Profile of PS3.15 Annex E; ceph-research keeps age, sex, device and institution and says
    so in the file. Unique ids are replaced consistently over all films under one key. Any other picture becomes a PNG
    of its samples alone. Text outside the head is covered; a film is called clean only when no doubt is left. A
    profile can still be recognised: de-identified is not anonymous.

    Output names are keyed pseudonyms. stdout has one JSON line per film: file, status, out, pixels (clean or unsure),
    masked, options, warnings, error. These lines link originals with outputs: keep them as safe as the originals.
    """
    from cephstd.pipeline import deidentifier

    check_places(source, out)
    key = read_key(key_file)
    budget = choose_recipe(recipe).budget
    jobs = list_films([source])
    make_folder(out)
    if key_file is None and not quiet:
        say("note: no --key-file: new ids are of a key that is thrown away and will differ in the next run.")

    def work(job: FilmJob) -> dict[str, Any]:
        film = job.source(budget.max_file_bytes)
        done = deidentifier.deidentify(film, key=key, preset=preset, budget=budget)
        target = deidentifier.save_deidentified(done, out, source=film if isinstance(film, Path) else None)
        return {
            "out": str(target),
            "pixels": done.pixels,
            "masked": done.masked,
            "options": list(done.options),
            "warnings": list(done.warnings),
        }

    outcomes = []
    for outcome in work_on(jobs, work, quiet=quiet):
        write_json(describe(outcome))
        outcomes.append(outcome)
    results = [outcome.result for outcome in outcomes if outcome.result]
    if not quiet:
        unsure = sum(result["pixels"] == "unsure" for result in results)
        say(f"{len(results)} of {len(outcomes)} films in {out}; {unsure} of them may still show text: look at them.")
    leave_with(outcomes)


def describe(outcome: Outcome[dict[str, Any]]) -> dict[str, Any]:
    """One film as data."""
    head = {"file": outcome.job.file, "status": "failed" if outcome.error else "ok"}
    return {**head, **(outcome.result or {}), "error": error_facts(outcome.error) if outcome.error else None}


def check_places(source: Path, out: Path) -> None:
    """Refuse an output that is, holds or lies in the input: originals stay apart and untouched."""
    one, other = source.resolve(), out.resolve()
    inside = one == other or (source.is_dir() and (one in other.parents or other in one.parents))
    if inside or (not source.is_dir() and other == one.parent):
        raise InputError(
            "Expected another folder for the output, found the input's own.",
            hint="Give a folder that lies apart from the originals.",
        )
    if out.exists() and not out.is_dir():
        raise InputError("Expected a folder as OUT, found a file.", hint="Give a folder.")


def read_key(path: Path | None) -> bytes:
    """The caller's key, or one for this run alone."""
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The key cannot be read: {error.strerror}.", hint="Give a file of secret bytes.") from error
