"""Commands on models: models list, models check, models add, models export, models cross-validate, train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli import options
from cephstd.cli.files import write_text
from cephstd.cli.releasing import EXPORT_EXAMPLES, export, needing
from cephstd.cli.rendering import make_table, people, say, show, show_progress, write_json
from cephstd.errors import CephError

if TYPE_CHECKING:
    from rich.console import Console

    from cephstd.inference.catalog import Catalog, ModelEntry
    from cephstd.pipeline.model_checker import ModelReport
    from cephstd.training.cross_validation import CrossValidation


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    models = typer.Typer(help="List landmark models, take one in, or make one from a training.", no_args_is_help=True)
    models.command(name="list", short_help="List the models of the catalog.", epilog=LIST_EXAMPLES)(list_models)
    models.command(name="check", short_help="Check a model that is not ours.", epilog=CHECK_EXAMPLES)(check)
    models.command(name="add", short_help="Check a model and add it to a folder.", epilog=ADD_EXAMPLES)(add)
    models.command(name="export", short_help="Make a model of a training.", epilog=EXPORT_EXAMPLES)(export)
    models.command(
        name="cross-validate",
        short_help="Judge the folds of a training, each on films it did not see.",
        epilog=CROSS_VALIDATE_EXAMPLES,
    )(cross_validate)
    app.add_typer(models, name="models", epilog=LIST_EXAMPLES)
    app.command(short_help="Train a landmark model.", epilog=TRAIN_EXAMPLES)(train)


LIST_EXAMPLES = """\b
Examples:
  cephstd models list
  cephstd models list --models my-models/
"""


def list_models(models: options.ModelFolder = None) -> None:
    """List the models of the catalog: version, landmarks, licences, intended use, results, and whether the weights are
    there and are the pinned ones.

    A table in a terminal, JSON when stdout is a pipe or a file.
    """
    from cephstd.inference.catalog import load_catalog

    catalog = load_catalog(models)
    facts = [describe_model(catalog, entry) for entry in catalog.entries]

    def view(console: Console) -> None:
        table = make_table("model", "version", "points", "weights", "licence of the weights", "trained on")
        for item in facts:
            points = str(len(item["landmarks"]))
            cells = (item["name"], item["version"], points, item["state"], item["licence_weights"], item["trained_on"])
            table.add_row(*cells)
        console.print(table)

    show(facts, view)


def describe_model(catalog: Catalog, entry: ModelEntry) -> dict[str, Any]:
    """What the manifest says of a model, and the state of its weights file: ``ok`` or an error's code."""
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(entry)
    try:
        catalog.weights(entry)
    except CephError as error:
        return {**facts, "state": error.code, "problem": str(error)}
    return {**facts, "state": "ok", "problem": ""}


CHECK_EXAMPLES = """\b
Examples:
  pip install 'cephstd[models]'
  cephstd models check theirs.toml
"""

ADD_EXAMPLES = """\b
Example:
  cephstd models add theirs.toml --models my-models/ --accept-licence "CC-BY-4.0"
  cephstd analyze film.dcm --models my-models/ --model theirs --accept-licence "CC-BY-4.0" --out out/
"""

Description = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="TOML file with one [[model]] as in a manifest (see the manual's page on models), its ONNX file beside.",
        show_default=False,
    ),
]


def check(file: Description) -> None:
    """Check a model that is not ours: its file, its contract, its first run, and whether it finds what is known.

    The ONNX file is looked at before anything of it runs: at most 512 MiB, no weights in other files, no operators of
    its own. It is first run in a child process with limits on memory and time, then shown a composite film whose
    landmarks are known: as it is (order and axes: every point within 5 mm), shifted, and at two scales (the points
    follow within 2 mm, median). Needs the extra 'models'. The exit code is 1 when it does not find what is known.
    """
    with needing("models"):
        from cephstd.pipeline.model_checker import check_model

        report = check_model(file)
    show_report(report)
    raise typer.Exit(0 if report.ok else 1)


def add(
    file: Description,
    *,
    folder: Annotated[Path, typer.Option("--models", metavar="DIR", help="Models folder; made when absent.")],
    accept_licence: options.AcceptedLicences = None,
) -> None:
    """Check a model and copy it into a models folder, pinned by its digest; --models DIR of other commands uses it.

    Nothing is added when a check fails (exit code 1), or when the licence of its weights was not accepted.
    """
    with needing("models"):
        from cephstd.pipeline.model_checker import add_model

        report = add_model(file, folder, accepted_licences=tuple(accept_licence or ()))
    show_report(report)
    say(f"{report.entry.name} was {'added to' if report.ok else 'not added to'} {folder}.")
    raise typer.Exit(0 if report.ok else 1)


def show_report(report: ModelReport) -> None:
    """A checked model: a table in a terminal, JSON otherwise."""
    import msgspec

    def view(console: Console) -> None:
        table = make_table("check", "mm", "limit mm", "", "on", right=("mm", "limit mm"))
        for finding in report.findings:
            verdict = "ok" if finding.ok else "FAILS"
            table.add_row(finding.name, f"{finding.value:.2f}", f"{finding.limit:g}", verdict, finding.note)
        console.print(table)

    show({**msgspec.to_builtins(report), "ok": report.ok}, view)


TRAIN_EXAMPLES = """\b
Examples:
  pip install 'cephstd[train]'
  cephstd train configs/isbi19-protocol.toml
  cephstd train configs/isbi19.toml --fold 0
"""


def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="TOML file of the training: films, labels, network, schedule.")
    ],
    fold: Annotated[
        int | None,
        typer.Option(metavar="K", help="Hold out fold K of data.folds; the run lies in fold-K of its folder."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew; refused where the run's folder holds a checkpoint.")
    ] = False,
) -> None:
    """Train a landmark model; a run that was stopped goes on from its last checkpoint.

    Needs the extra 'train'. Says on stderr how many films each set gives, under which terms, and which points are left
    out; writes checkpoint.pt and metrics.csv in the run's folder, draws progress on stderr and prints one JSON object:
    checkpoint, metrics, loss, held_out_mre_mm.
    """
    with needing():
        from cephstd.training.config import load_config, select_fold
        from cephstd.training.dataset import read_sets
        from cephstd.training.display import show_progress as show_training
        from cephstd.training.fit import fit_model
    loaded = load_config(config)
    if fold is not None:
        loaded = select_fold(loaded, fold)
    for found in read_sets(loaded):
        say(f"{found.layout.id}: {len(found.films)} films; terms: {found.layout.licence}.")
        for id, reason in found.left_out.items():
            say(f"  {id} is left out: {reason}.")
    with show_training() as watch:
        result = fit_model(loaded, resume=not fresh, watch=watch)
    write_json(
        {
            "checkpoint": str(result.checkpoint),
            "metrics": str(result.metrics),
            "loss": result.loss if result.loss == result.loss else None,
            "held_out_mre_mm": result.held_out_mre_mm,
        }
    )


CROSS_VALIDATE_EXAMPLES = """\b
Example:
  for k in 0 1 2 3 4; do cephstd train configs/isbi19.toml --fold $k; done
  cephstd models cross-validate configs/isbi19.toml --without Pog_s --out cv.json
"""


def cross_validate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file of a training with data.folds above 1.")],
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="ID", help="Give the accuracy once more without this landmark; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="JSON file to write; default: stdout.", show_default=False),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Judge every fold of a training on the films that it did not see: accuracy, and whether its doubt is honest.

    Needs the extra 'train' and all folds trained. The JSON holds radial errors with their intervals, gross errors by
    film, how many residuals lie in their ellipses (each fold by a calibration fitted on the others), and the
    calibration fitted on all folds: covariance_scale and covariance_floor_px2 as a manifest takes them.
    """
    import msgspec

    with needing():
        from cephstd.training.config import load_config
        from cephstd.training.cross_validation import cross_validate as judge
        from cephstd.training.cross_validation import predict_folds
        from cephstd.training.dataset import load_films
    loaded = load_config(config)
    films = load_films(loaded)
    with show_progress(len(films), quiet=quiet) as advance:
        held = predict_folds(loaded, films, advance)
    found = judge(held, unreliable=tuple(without or ()))
    if not quiet:
        show_cross_validation(found)
    text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)


def show_cross_validation(found: CrossValidation) -> None:
    """Accuracy and coverage per landmark as a table."""
    names = ("points", "n", "MRE mm", "≤2 %", "in 95 % ellipse %")
    table = make_table(*names, right=names[1:], title=f"{found.films} films in {found.folds} folds")
    rows = {"all": (found.score.all, found.doubt.all)}
    rows |= {id: (summary, found.doubt.per_landmark[id]) for id, summary in found.score.per_landmark.items()}
    for name, (summary, coverage) in rows.items():
        cells = (f"{summary.mre_mm:.3f}", f"{summary.sdr_percent['2']:.1f}", f"{coverage.inside_percent:.1f}")
        table.add_row(name, str(summary.points), *cells)
    people().print(table)
