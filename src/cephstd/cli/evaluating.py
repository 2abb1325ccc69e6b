"""The command that scores landmarks against labels: evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cephstd.cli import options
from cephstd.cli.analysis import say_notice
from cephstd.cli.files import make_folder, read_text, write_text
from cephstd.cli.rendering import make_table, people, say, show_progress

if TYPE_CHECKING:
    from cephstd.evaluation.dataset import Dataset
    from cephstd.evaluation.evaluator import Evaluation
    from cephstd.evaluation.scorer import Summary
    from cephstd.inference.detector import Detector


SHOWN_MM = ("2", "3", "4")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Score a model, or points, on labelled films.", epilog=EVALUATE_EXAMPLES)(evaluate)


EVALUATE_EXAMPLES = """\b
Examples:
  cephstd evaluate --dataset benchmarks/datasets/isbi2015.toml --out result.json
  cephstd evaluate --dataset data.toml --model isbi19-unet-a --limit 20
  cephstd evaluate --dataset data.toml --points points.csv
"""


def evaluate(
    *,
    dataset: Annotated[
        Path, typer.Option("--dataset", metavar="FILE", help="TOML file that describes films and labels.")
    ],
    model: options.ModelName = None,
    models: options.ModelFolder = None,
    accept_licence: options.AcceptedLicences = None,
    device: options.Device = "auto",
    strict_device: options.StrictDevice = False,
    points: Annotated[
        Path | None,
        typer.Option(
            "--points",
            metavar="FILE",
            help="Score this point table (px of the dataset's films, as 'cephstd detect' writes it), run no model.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Split to score instead of the file's.", show_default=False)
    ] = None,
    annotator: Annotated[
        str | None, typer.Option("--annotator", help="Annotator to score against instead.", show_default=False)
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Only the first N films by id.", show_default=False),
    ] = None,
    uncalibrated: Annotated[
        bool, typer.Option("--uncalibrated", help="Do not state the films' scale to the model.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="JSON file to write; default: stdout.", show_default=False),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Score a model on labelled films: mean and median radial error (mm), detection rates, per landmark.

    Every film is read, normalized and given to the model as by any user. Absent points and failed films count as
    misses in the detection rates (share of ALL labelled points within 2, 2.5, 3 and 4 mm) and are shown; errors above
    10 mm are listed by film. Intervals are 95 % bootstrap over films, seeded. Twins of films in other splits are left
    out as the dataset says.
    """
    import msgspec

    from cephstd.evaluation.dataset import load_dataset

    chosen = load_dataset(dataset, split=split, annotator=annotator).limit(limit)
    if out is not None:
        make_folder(out.parent)
    if points is not None:
        found = score_table(chosen, points)
    else:
        detector = open_detector(model, models, device, accept_licence, strict_device=strict_device)
        found = run_model(chosen, detector, calibrated=not uncalibrated, quiet=quiet)
    if found.seen:
        say("The model learned from these films: the score says how well it remembers, not how well it finds.")
    if not quiet:
        show_evaluation(found)
    text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    if out is None or str(out) == "-":
        typer.echo(text, nl=False)
    else:
        write_text(out, text)


def score_table(dataset: Dataset, points: Path) -> Evaluation:
    """Score a point table."""
    from cephstd.evaluation.evaluator import evaluate_points
    from cephstd.export.tables import read_points

    return evaluate_points(dataset, {film.image_id: film.marks.points_px for film in read_points(read_text(points))})


def open_detector(
    model: str | None, models: Path | None, device: str, licences: list[str] | None, *, strict_device: bool
) -> Detector:
    """A model of the catalog under the licences that were accepted."""
    from cephstd.core.recipe import DEFAULT_MODEL
    from cephstd.inference.detector import Detector

    return Detector(
        model or DEFAULT_MODEL,
        device=device,
        models=models,
        accepted_licences=tuple(licences or ()),
        strict_device=strict_device,
    )


def run_model(dataset: Dataset, detector: Detector, *, calibrated: bool, quiet: bool) -> Evaluation:
    """Score a model of the catalog, with a progress bar."""
    from cephstd.evaluation.evaluator import evaluate_model

    if not quiet:
        say_notice(detector.model_facts)
    with show_progress(len(dataset.truth_px), quiet=quiet) as advance:
        return evaluate_model(dataset, detector, calibrated=calibrated, watch=advance)


def show_evaluation(found: Evaluation) -> None:
    """The score as a table: all points, without the unreliable ones, per landmark."""
    score = found.score
    names = ("points", "n", "absent", "MRE mm", "95 %", "median", *(f"≤{limit} %" for limit in SHOWN_MM))
    table = make_table(
        *names, right=names[1:], title=f"{found.dataset.name} {found.dataset.split}, films: {found.films}"
    )
    rows = {"all": score.all, **{f"without {id}": summary for id, summary in score.without.items()}}
    for name, summary in {**rows, **score.per_landmark}.items():
        table.add_row(name, *_cells(summary))
    console = people()
    console.print(table)
    for failed in found.failed:
        console.print(f"failed: {failed.image_id}: {failed.message} [{failed.code}]", markup=False)
    for gross in score.gross_errors:
        console.print(f"gross error: {gross.image_id} {gross.landmark} {gross.error_mm:.1f} mm", markup=False)


def _cells(summary: Summary) -> tuple[str, ...]:
    interval = summary.mre_interval_mm
    return (
        str(summary.points),
        str(summary.absent or ""),
        "" if summary.mre_mm is None else f"{summary.mre_mm:.3f}",
        "" if interval is None else f"{interval[0]:.2f}-{interval[1]:.2f}",
        "" if summary.median_mm is None else f"{summary.median_mm:.3f}",
        *(f"{summary.sdr_percent[limit]:.1f}" for limit in SHOWN_MM),
    )
