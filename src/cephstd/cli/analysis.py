"""Commands that take films to records and points: analyze, detect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cephstd.cli import options
from cephstd.cli.files import STREAM, make_folder, write_text
from cephstd.cli.films import OVERLAY_SUFFIX, RECORD_SUFFIX, FilmJob, Outcome, list_films, work_on
from cephstd.cli.norming import show_interpretation
from cephstd.cli.rendering import error_facts, exit_code_of, make_table, people, say, show_measures, write_json

if TYPE_CHECKING:
    from cephstd.core.image import Calibration
    from cephstd.core.interpretation import Sex
    from cephstd.core.landmarks import LandmarkSet, ModelFacts
    from cephstd.core.recipe import NormEnlargement, Recipe
    from cephstd.pipeline.analyzer import Analysis


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Take films to sealed records and pictures.", epilog=ANALYZE_EXAMPLES)(analyze)
    app.command(short_help="Find landmarks and write a table of points.", epilog=DETECT_EXAMPLES)(detect)


ANALYZE_EXAMPLES = """\b
Examples:
  cephstd analyze film.dcm --out results
  cephstd analyze archive/ extra.jpg --out results --mm-per-px 0.1 --analysis steiner
  cephstd analyze archive/ --out results | jq -r 'select(.status == "failed") | .file'
"""


def analyze(
    files: options.Films,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for records and pictures; made when absent.")
    ],
    mm_per_px: options.MmPerPx = None,
    calibration: options.CalibrationFile = None,
    analysis: Annotated[
        str | None,
        typer.Option(
            "--analysis",
            metavar="NAME",
            help="Analysis whose values are measured, or all; 'cephstd analyses' shows them.  [default: all]",
            show_default=False,
        ),
    ] = None,
    model: options.ModelName = None,
    models: options.ModelFolder = None,
    accept_licence: options.AcceptedLicences = None,
    device: options.Device = "auto",
    strict_device: options.StrictDevice = False,
    recipe: options.RecipeFile = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject",
            metavar="PSEUDONYM",
            help="Keyed pseudonym of the person (32 or more hex digits) for the record; never a name or number.",
            show_default=False,
        ),
    ] = None,
    norms: options.NormSets = None,
    rules: options.RuleSets = None,
    age: options.Age = None,
    sex: options.SexOption = None,
    norms_by: options.NormsBy = None,
    norms_enlargement: options.NormsEnlargement = None,
    uncertainty: options.UncertaintyMethod = None,
    draws: options.Draws = None,
    seed: options.Seed = None,
    show_text: Annotated[
        bool,
        typer.Option("--show-text", help="Leave text that is burnt into the films visible in the pictures."),
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Take films to sealed records: read, normalize, find landmarks, measure, record.

    Each film gives NAME.record.json (canonical bytes, to be kept as they are) and NAME.overlay.png in DIR, where NAME
    is the file's name without suffix; both replace what an earlier run left under that name. stdout has one JSON line
    per film: file, status (ok or failed), record, overlay, digest, counts, warnings, error. A film that fails never
    stops the others; the exit code is 0 only when all succeeded, else that of the first error.
    """
    from cephstd.pipeline.analyzer import Analyzer

    chosen = choose_recipe(
        recipe,
        model=model,
        analysis=analysis,
        mm_per_px=mm_per_px,
        norms=name_sets(norms),
        rules=name_sets(rules),
        norms_by=norms_by,
        norm_enlargements=name_enlargements(norms_enlargement),
        accepted_licences=accepted(accept_licence),
    )
    chosen = choose_uncertainty(chosen, method=uncertainty, draws=draws, seed=seed)
    stated = read_scale(mm_per_px, calibration)
    patient = read_sex(sex)
    jobs = list_films(files)
    analyzer = Analyzer(chosen, device=device, models=models, strict_device=strict_device)
    make_folder(out)
    say_notice(analyzer.model_facts)

    def work(job: FilmJob) -> dict[str, Any]:
        from datetime import UTC, datetime

        source = job.source(chosen.budget.max_file_bytes)
        done = analyzer(
            source, created=datetime.now(UTC), calibration=stated, subject=subject, age_years=age, sex=patient
        )
        facts = write_results(done, out, job.name, show_text=show_text)
        if len(jobs) == 1 and not quiet:
            show_measures(done.values)
            show_interpretation(done.record.content.interpretation)
        return facts

    outcomes = []
    for outcome in work_on(jobs, work, quiet=quiet):
        write_json(film_line(outcome))
        outcomes.append(outcome)
    if not quiet:
        show_summary(outcomes, out)
    leave_with(outcomes)


def choose_recipe(path: Path | None, **choices: Any) -> Recipe:
    """The recipe of a file, or the default one, with the choices that were made on the command line."""
    import msgspec

    from cephstd.core.recipe import Recipe, load_recipe

    recipe = Recipe() if path is None else load_recipe(path)
    return msgspec.structs.replace(recipe, **{name: value for name, value in choices.items() if value is not None})


def choose_uncertainty(recipe: Recipe, *, method: str | None, draws: int | None, seed: int | None) -> Recipe:
    """The recipe with what the command line says of standard deviations."""
    import msgspec

    if method not in (None, "first-order", "monte-carlo"):
        raise typer.BadParameter(f"Expected first-order or monte-carlo as --uncertainty, found {method!r}.")
    choices = {"method": method, "draws": draws, "seed": seed}
    made = msgspec.structs.replace(
        recipe.uncertainty, **{name: value for name, value in choices.items() if value is not None}
    )
    if draws is not None and made.method == "first-order":
        raise typer.BadParameter("Nothing is drawn to first order: give --draws with --uncertainty monte-carlo.")
    return msgspec.structs.replace(recipe, uncertainty=made)


def accepted(licences: list[str] | None) -> tuple[str, ...] | None:
    """Licences named on the command line; None when none was, so that a recipe's stand."""
    return tuple(licences) if licences else None


def name_sets(given: list[str] | None) -> tuple[str, ...] | None:
    """Sets named on the command line; ``none`` alone stands for no set, and None for nothing said."""
    if not given:
        return None
    return () if given == ["none"] else tuple(given)


def name_enlargements(given: list[str] | None) -> tuple[NormEnlargement, ...] | None:
    """Enlargements stated as SET=PERCENT."""
    from cephstd.core.recipe import NormEnlargement

    made = []
    for text in given or ():
        name, _, percent = text.partition("=")
        try:
            made.append(NormEnlargement(set=name, percent=float(percent)))
        except ValueError as error:
            raise typer.BadParameter(f"Expected SET=PERCENT as --norms-enlargement, found {text!r}.") from error
    return tuple(made) or None


def read_sex(text: str | None) -> Sex | None:
    """Sex as stated on the command line."""
    if text not in (None, "F", "M"):
        raise typer.BadParameter(f"Expected F or M as --sex, found {text!r}.")
    return cast("Sex | None", text)


def read_scale(mm_per_px: float | None, calibration: Path | None) -> Calibration | None:
    """The scale that the user stated, by number or by file; None when there is none."""
    from cephstd.core.image import state_calibration

    if calibration is not None and mm_per_px is not None:
        raise typer.BadParameter("State the scale once: --mm-per-px or --calibration.")
    if calibration is not None:
        from cephstd.imaging.calibrator import load_calibration

        return load_calibration(calibration)
    return None if mm_per_px is None else state_calibration(mm_per_px, source="--mm-per-px")


def say_notice(facts: ModelFacts) -> None:
    """What every user of a model has to know, once per run."""
    say(f"Not a medical device. Model {facts.name} {facts.version}: weights {facts.licence_weights}.", style="yellow")


def write_results(done: Analysis, folder: Path, name: str, *, show_text: bool = False) -> dict[str, Any]:
    """Write picture and record; the record last, so that where it lies the picture lies too."""
    from cephstd.io.store import write_bytes
    from cephstd.plot.overlays import draw_png, overlay

    record, picture = folder / f"{name}{RECORD_SUFFIX}", folder / f"{name}{OVERLAY_SUFFIX}"
    figure = overlay(done.film, done.marks, done.values, calibration=done.normal.calibration, show_text=show_text)
    write_bytes(picture, draw_png(figure))
    write_bytes(record, done.record.to_bytes())
    content = done.record.content
    return {
        "record": str(record),
        "overlay": str(picture),
        "digest": done.record.record_digest,
        "result_digest": done.record.result_digest,
        "calibration": content.calibration.basis,
        "quality": content.normalized.quality.verdict,
        "landmarks": {"present": len(done.marks.present), "absent": len(done.marks) - len(done.marks.present)},
        "measures": {"present": len(done.values.present), "absent": len(done.values) - len(done.values.present)},
        "findings": [finding.text for finding in content.interpretation.findings],
        "warnings": list(dict.fromkeys((*content.warnings, *content.normalized.warnings))),
    }


def film_line(outcome: Outcome[dict[str, Any]]) -> dict[str, Any]:
    """One film as data: what was written, or why nothing was."""
    head = {"file": outcome.job.file, "status": "failed" if outcome.error else "ok"}
    if outcome.error:
        return {**head, "record": None, "overlay": None, "digest": None, "error": error_facts(outcome.error)}
    return {**head, **(outcome.result or {}), "error": None}


def show_summary(outcomes: list[Outcome[dict[str, Any]]], folder: Path) -> None:
    """Where the results lie; a row per film when there are several."""
    console = people()
    if len(outcomes) == 1:
        result = outcomes[0].result
        if result:
            console.print(f"record   {result['record']}\noverlay  {result['overlay']}", markup=False)
            for warning in result["warnings"]:
                say(f"warning: {warning}", style="yellow")
        return
    table = make_table("film", "status", "landmarks", "values", "warnings", right=("landmarks", "values", "warnings"))
    for outcome in outcomes:
        result = outcome.result
        if result is None:
            table.add_row(
                _plain(outcome.job.name), error_facts(outcome.error)["code"] if outcome.error else "", "", "", ""
            )
            continue
        points, values = result["landmarks"], result["measures"]
        table.add_row(
            _plain(outcome.job.name), "ok", _share(points), _share(values), str(len(result["warnings"]) or "")
        )
    console.print(table)
    failed = sum(outcome.error is not None for outcome in outcomes)
    console.print(f"{len(outcomes) - failed} of {len(outcomes)} films succeeded; results in {folder}", markup=False)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _share(counts: dict[str, int]) -> str:
    return f"{counts['present']}/{counts['present'] + counts['absent']}"


def leave_with(outcomes: list[Outcome[Any]]) -> None:
    """Leave with the exit code of the first error, if there is one."""
    for outcome in outcomes:
        if outcome.error is not None:
            raise typer.Exit(exit_code_of(outcome.error))


DETECT_EXAMPLES = """\b
Examples:
  cephstd detect film.dcm --out points.csv
  cephstd detect archive/ --out - | head

\b
Columns: image_id,landmark,x_px,y_px,state,reason,score,cov_xx,cov_xy,cov_yy. image_id is the file's
name without suffix; x and y are source pixels, (0, 0) = centre of the top-left pixel, y down;
cov_* is the covariance in px^2. A point that is absent has empty numbers and a reason.
"""


def detect(
    files: options.Films,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV file to write, or - for stdout.")],
    mm_per_px: options.MmPerPx = None,
    calibration: options.CalibrationFile = None,
    model: options.ModelName = None,
    models: options.ModelFolder = None,
    accept_licence: options.AcceptedLicences = None,
    device: options.Device = "auto",
    strict_device: options.StrictDevice = False,
    recipe: options.RecipeFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Find the landmarks of films and write one table of points.

    A film that fails has no row: it is a line on stderr and, when the table goes to a file, a JSON line on stdout
    (file, image_id, status, counts, error). The exit code is 0 only when all films succeeded.
    """
    import io

    from cephstd.export.tables import PointWriter
    from cephstd.inference.detector import Detector
    from cephstd.pipeline.intake import read_film
    from cephstd.pipeline.normalizer import Normalizer

    chosen = choose_recipe(recipe, model=model, mm_per_px=mm_per_px, accepted_licences=accepted(accept_licence))
    stated = read_scale(mm_per_px, calibration)
    jobs = list_films(files)
    make_folder(out.parent)
    detector = Detector(
        chosen.model,
        device=device,
        models=models,
        min_score=chosen.min_score,
        accepted_licences=chosen.accepted_licences,
        strict_device=strict_device,
    )
    normalize = Normalizer(models=models)
    if not quiet:
        say_notice(detector.model_facts)

    def work(job: FilmJob) -> LandmarkSet:
        film = read_film(job.source(chosen.budget.max_file_bytes), chosen, stated)
        return detector(normalize(film, chosen))

    table = sys.stdout if out == STREAM else io.StringIO()
    writer = PointWriter(table)
    outcomes = []
    for outcome in work_on(jobs, work, quiet=quiet):
        if outcome.result is not None:
            writer.write(outcome.job.name, outcome.result)
        if out != STREAM:
            write_json(point_line(outcome))
        outcomes.append(outcome)
    if isinstance(table, io.StringIO):
        write_text(out, table.getvalue())
    leave_with(outcomes)


def point_line(outcome: Outcome[LandmarkSet]) -> dict[str, Any]:
    """One film of a point table as data."""
    head = {"file": outcome.job.file, "image_id": outcome.job.name, "status": "failed" if outcome.error else "ok"}
    if outcome.error or outcome.result is None:
        return {**head, "error": error_facts(outcome.error) if outcome.error else None}
    present = len(outcome.result.present)
    return {**head, "landmarks": {"present": present, "absent": len(outcome.result) - present}, "error": None}
