"""Commands on archives of films: batch, records ls, records get, records add."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.analysis import choose_recipe, say_notice
from cephstd.cli.rendering import make_table, people, say, show_progress, write_json
from cephstd.errors import MissingExtraError

if TYPE_CHECKING:
    from cephstd.batch.outcomes import Outcome, Summary
    from cephstd.batch.planner import Plan
    from cephstd.core.recipe import Recipe

OutFolder = Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of a batch.", show_default=False)]
REPORT = "report.html"
RECORDS_HELP = "Records of a batch: list them, take one out, add what people decided."


class Engine(StrEnum):
    """What works on the films."""

    LOCAL = "local"
    RAY = "ray"


class SiteFrom(StrEnum):
    """Where the site of a film comes from."""

    ONE = "one"
    FOLDER = "folder"
    MANIFEST = "manifest"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Analyse an archive of films.", epilog=BATCH_EXAMPLES)(batch)
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=RECORDS_HELP)
    group.command("ls", short_help="List the records of a batch.", epilog=LIST_EXAMPLES)(list_records)
    group.command("get", short_help="Take a record out of a batch.", epilog=GET_EXAMPLES)(get_record)
    group.command("add", short_help="Add reviewed and signed records to a batch.", epilog=ADD_EXAMPLES)(add_records)
    app.add_typer(group, name="records", short_help=RECORDS_HELP)


BATCH_EXAMPLES = """\b
Examples:
  cephstd batch archive/ --out run
  cephstd batch manifest.csv --out run --site-config sites.toml --workers 8
  cephstd batch 'archive/*/2019/*.dcm' --site-from folder --out run --dry-run
  cephstd batch archive/ --out run --policy baseline
  cephstd batch archive/ --out run --engine ray --ray-address 10.0.0.5:6379 --workers 64
"""


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Folders, globs, films, a DICOMDIR, or manifests (CSV or Parquet with the column path and any of "
            "site, pseudonym, age, sex, date, attributes). They are only read.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder; a second run takes it up.")],
    site_from: Annotated[
        SiteFrom | None,
        typer.Option(
            "--site-from",
            help="What names a film's site: one (all are of one site), folder (the first folder below SOURCE), or "
            "manifest (its column site).  [default: manifest for manifests, else one]",
            show_default=False,
        ),
    ] = None,
    site_config: Annotated[
        Path | None,
        typer.Option(
            "--site-config",
            metavar="FILE",
            help="TOML file with a table [sites.NAME] per site: recipe, mm_per_px, devices.",
            show_default=False,
        ),
    ] = None,
    recipe: options.RecipeFile = None,
    models: options.ModelFolder = None,
    device: options.Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes; default: one per core.", show_default=False),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine", help="local: processes of this machine. ray: a Ray cluster, which needs the extra 'cluster'."
        ),
    ] = Engine.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            metavar="HOST:PORT",
            help="Of a running Ray cluster in a private network; default: Ray is started on this machine alone.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="PACK",
            help="Check every record against this pack (an id, or a TOML file) and write the table policies.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=1, help="Seconds after which a film is put aside.")
    ] = 300.0,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try films again that an earlier run refused, failed on or put aside.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many films of each site would be worked on, and write nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when a film was refused, too: a photograph, a panoramic.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Analyse an archive: every film once, with records, tables and a report in one folder.

    DIR gets records/*.jsonl (one record a line), tables/ (Parquet, partitioned by site), report.html, and local/, which
    alone knows paths and is to stay at the site. A second run does nothing; a changed recipe computes anew what it
    must; a run that was cut off is taken up. stdout has one JSON line per film (image_id, site, status, record_digest,
    code, message, hint) and none with a path. Exit code 1 when a film failed or was quarantined.
    """
    with needing_extra():
        from cephstd.batch.planner import load_sites, plan_batch
        from cephstd.batch.policy_table import write_policy_table
        from cephstd.batch.report import write_report
        from cephstd.batch.runner import count_done, run_batch

    if ray_address is not None and engine is not Engine.RAY:
        raise typer.BadParameter("--ray-address needs --engine ray.")
    pack = None
    if policy is not None:
        from cephstd.knowledge.policies import load_policy

        pack = load_policy(policy)
    chosen = choose_recipe(recipe)
    sites = load_sites(site_config, chosen) if site_config else {}
    plan = plan_batch(sources, recipe=chosen, sites=sites, site_from=site_from.value if site_from else None)
    if plan.skipped and not quiet:
        say(f"note: {plan.skipped} files in the given folders are no images and were skipped.")
    if not quiet:
        say_notices(plan, models)
    if dry_run:
        tell_plan(plan, sites, count_done(plan, out, models=models))
        return
    troubles = 0
    with needing_extra(engine), show_progress(len(plan.films), quiet=quiet) as advance:

        def tell(outcome: Outcome) -> None:
            nonlocal troubles
            troubles += outcome.status in ("failed", "quarantined")
            write_json(outcome_line(outcome))
            advance(troubles)

        summary = run_batch(
            plan,
            out,
            clock=lambda: datetime.now(UTC),
            workers=workers,
            models=models,
            device=device,
            timeout_s=timeout,
            retry=retry,
            engine=engine.value,
            address=ray_address,
            tell=tell,
        )
    if pack is not None:
        tell_policy(write_policy_table(out, pack, day=datetime.now(UTC).date()), pack.definition.id, quiet=quiet)
    write_report(out, summary, created=datetime.now(UTC))
    if not quiet:
        show_sites(summary)
        say(f"{summary.records} records, tables and {REPORT} in {out}")
    if summary.troubles or (strict and summary.counts["refused"]):
        raise typer.Exit(1)


def say_notices(plan: Plan, models: Path | None) -> None:
    """The terms of every model that the plan's recipes name."""
    from cephstd.inference.catalog import load_catalog

    catalog = load_catalog(models)
    for name in dict.fromkeys(recipe.model for recipe in plan.recipes):
        say_notice(catalog.entry(name).facts())


def tell_policy(failing: Counter[str], policy: str, *, quiet: bool) -> None:
    """How many films meet a policy pack, and which of its required rules the others fail."""
    if quiet:
        return
    say(f"{failing['']} films meet the required rules of {policy}.")
    for rule, films in failing.most_common():
        if rule:
            say(f"  {films} fail {rule}")


@contextmanager
def needing_extra(engine: Engine = Engine.LOCAL) -> Iterator[None]:
    """Turn a missing library of the extra into the sentence that names the extra.

    Raises
    ------
    MissingExtraError
        When a library of the extra `batch`, or `cluster` for Ray, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Batches need {error.name}, which is not installed.",
            hint=f"Install it: pip install 'cephstd[{'batch,cluster' if engine is Engine.RAY else 'batch'}]'.",
        ) from error


def tell_plan(plan: Plan, sites: dict[str, Recipe], done: dict[str, int]) -> None:
    """What a run would work on, by site; `done` counts what is known to be done."""
    counts: dict[str, int] = {}
    recipes = {film.site: plan.recipes[film.recipe].digest for film in plan.films}
    for film in plan.films:
        counts[film.site] = counts.get(film.site, 0) + 1
    for site in sorted(counts):
        say(f"{site}: {counts[site]} films, {done[site]} done before, recipe {recipes[site][:19]}")
    unused = sorted(sites.keys() - counts.keys())
    if unused:
        say(f"note: no film is of the configured sites {', '.join(unused)}.")
    rows = {site: {"films": counts[site], "done_before": done[site], "recipe": recipes[site]} for site in counts}
    write_json({"films": len(plan.films), "sites": rows, "skipped": plan.skipped})


def outcome_line(outcome: Outcome) -> dict[str, Any]:
    """What became of one film, as data."""
    import msgspec

    return msgspec.structs.asdict(outcome)


def show_sites(summary: Summary) -> None:
    """Films by site and status, and how fast it went."""
    from rich.text import Text

    statuses = [status for status, count in summary.counts.items() if count]
    table = make_table("site", *statuses, right=statuses)
    for site in sorted(summary.sites):
        table.add_row(Text(site), *(str(summary.sites[site].get(status, "")) for status in statuses))
    people().print(table)
    if summary.recovered:
        say(f"{summary.recovered} records of a run that was cut off were taken up.")
    if summary.duplicates:
        say(f"{len(summary.duplicates)} films lie there in several files with equal pixels; {REPORT} names them.")
    made = summary.counts["done"]
    say(f"{summary.films} films in {summary.seconds:.1f} s, {made / summary.seconds:.2f} new records a second")


LIST_EXAMPLES = """\b
Examples:
  cephstd records ls run
  cephstd records ls run --all | jq -r .record_digest
"""


def list_records(
    out: OutFolder,
    *,
    superseded: Annotated[
        bool, typer.Option("--all", help="Those too that a later record of the same film has replaced.")
    ] = False,
) -> None:
    """List the records of a batch, oldest first: one JSON line each on stdout, without paths."""
    from cephstd.batch.results import list_records as each

    for place in each(out, superseded=superseded):
        write_json(
            {
                "image_id": place.image_id,
                "site": place.site,
                "record_digest": place.record_digest,
                "created": place.created,
                "current": place.current,
            }
        )


GET_EXAMPLES = """\b
Examples:
  cephstd records get run 3f2a9c1d > film.record.json
  cephstd verify 'run#3f2a9c1d'

\b
OUT#ID stands for a record wherever a command takes one.
"""


def get_record(
    out: OutFolder,
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="record_digest or image_id; 6 characters are enough.", show_default=False),
    ],
) -> None:
    """Write the canonical bytes of one record to stdout; of an image_id, those of its current record."""
    from cephstd.batch.results import get_record as find

    sys.stdout.buffer.write(find(out, name))
    sys.stdout.buffer.flush()


ADD_EXAMPLES = """\b
Examples:
  cephstd records get run 3f2a9c1d > film.record.json
  cephstd review film.record.json --accept --reviewer 17 --name "A. Reader" --role orthodontist
    --meaning approval --out film-2.record.json
  cephstd sign film-2.record.json --key clinic.key
  cephstd records add run film-2.record.json
"""


def add_records(
    out: OutFolder,
    records: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORD",
            help="Record files as amend and review write them; NAME.signatures.json beside one comes along.",
            show_default=False,
        ),
    ],
) -> None:
    """Add what people decided on and signed to the output folder, so that its tables, fleet and worklist know it.

    Each record must succeed the current record of its film, or be in the folder already and bring signatures. The
    time of signing enters the tables as the signers' word; 'cephstd verify --trust' is what checks keys. stdout has
    one JSON line per record: image_id, site, status (done, kept or failed), record_digest, code, message, hint. Exit
    code 1 when one could not be added.
    """
    from cephstd.cli.signing import beside, read_file

    with needing_extra():
        from cephstd.batch.reviewed import Reviewed, add_reviewed
    given = []
    for path in records:
        signatures = beside(path, "signatures")
        signed = read_file(signatures) if signatures.is_file() else b""
        given.append(Reviewed(record=read_file(path), signatures=signed))
    told: list[Outcome] = []
    add_reviewed(out, given, tell=told.append)
    for outcome in told:
        write_json(outcome_line(outcome))
    failed = sum(outcome.status == "failed" for outcome in told)
    say(f"{len(told) - failed} of {len(told)} records are in {out}")
    if failed:
        raise typer.Exit(1)
