"""The command that makes a model of a training: models export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cephstd.cli import options
from cephstd.cli.rendering import say, show_progress, write_json
from cephstd.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from cephstd.training.cross_validation import CrossValidation

TRAIN_MODULES = frozenset({"torch", "onnx", "onnxscript", "onnx_ir"})

EXPORT_EXAMPLES = """\b
Examples:
  cephstd models export runs/mine/checkpoint.pt --config mine.toml --models my-models/ --evaluate test.toml
  cephstd models export runs/mine/fold-*/checkpoint.pt --config mine.toml --models my-models/ --validation cv.json
  cephstd models export runs/mine/checkpoint.pt --out mine.onnx
"""


def export(
    checkpoints: Annotated[
        list[Path], typer.Argument(metavar="CHECKPOINT...", help="checkpoint.pt of a training; several are averaged.")
    ],
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="The training's TOML file, with a table [model].", show_default=False
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--models",
            metavar="DIR",
            help="Models folder that gets weights, card and manifest entry; made when absent.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option(
            "--evaluate",
            metavar="FILE",
            help="TOML file of labelled films, as for 'cephstd evaluate', whose score goes into card and manifest.",
            show_default=False,
        ),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            metavar="FILE",
            help="What 'models cross-validate' wrote for this training: calibrates the covariances.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="ONNX file to write, and nothing else.", show_default=False),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Make a model of a training: weights, card and manifest entry in one go, scored on films it has not seen.

    With --config and --models the model can be used at once: --models DIR --model NAME of the other commands. The card
    states data, terms, epochs and figures, and what is not known. With --out only the ONNX file is written. Needs the
    extra 'train'. The file is compared with the trained network before it is written. stdout has one JSON object:
    path, sha256, bytes, opset, largest_difference_px; and with --models name, card, manifest, films, mre_mm, sdr_2mm.
    """
    if out is None and config is not None and folder is not None:
        export_model(checkpoints, config, folder, dataset=dataset, validation=validation, quiet=quiet)
    elif out is not None and config is folder is dataset is validation is None:
        export_file(checkpoints, out)
    else:
        raise typer.BadParameter(
            "Give --config and --models for a whole model (then perhaps --evaluate and --validation), or --out alone."
        )


def export_model(
    checkpoints: list[Path],
    config: Path,
    models: Path,
    *,
    dataset: Path | None,
    validation: Path | None,
    quiet: bool,
) -> None:
    """Enter a model with its card in a models folder."""
    with needing():
        from cephstd.evaluation.dataset import load_dataset
        from cephstd.training.config import load_config
        from cephstd.training.release import release_model

    films = None if dataset is None else load_dataset(dataset)
    with show_progress(len(films.truth_px) if films else 0, quiet=quiet or films is None) as advance:
        made = release_model(
            load_config(config),
            checkpoints,
            models,
            dataset=films,
            how=f"cephstd evaluate --dataset {dataset.name}" if dataset else "",
            validation=None if validation is None else read_validation(validation),
            watch=advance,
        )
    entry, score = made.entry, made.evaluation.score.all if made.evaluation else None
    if not quiet:
        say(f'Use it: --models {models} --model {entry.name} --accept-licence "{entry.licence_weights}"')
    write_json(
        {
            "name": entry.name,
            "path": str(made.weights),
            "card": str(made.card),
            "manifest": str(made.manifest),
            "sha256": entry.sha256,
            "bytes": entry.bytes,
            "opset": entry.opset,
            "largest_difference_px": made.largest_difference_px,
            "films": made.evaluation.films if made.evaluation else None,
            "mre_mm": score.mre_mm if score else None,
            "sdr_2mm": score.sdr_percent["2"] if score else None,
        }
    )


def export_file(checkpoints: list[Path], out: Path) -> None:
    """Write an ONNX file and nothing else."""
    with needing():
        from cephstd.training.export import export_onnx
    result = export_onnx(checkpoints, out)
    say("Enter the model in manifest.toml with this sha256, and write its card; --config and --models do both.")
    write_json(
        {
            "path": str(result.path),
            "sha256": result.sha256,
            "bytes": result.size_bytes,
            "opset": result.opset,
            "largest_difference_px": result.largest_difference_px,
        }
    )


def read_validation(path: Path) -> CrossValidation:
    """A file that 'models cross-validate' wrote.

    Raises
    ------
    InputError
        When it cannot be read, or is something else.
    """
    import msgspec

    from cephstd.training.cross_validation import CrossValidation

    try:
        return msgspec.json.decode(path.read_bytes(), type=CrossValidation)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is no result of 'cephstd models cross-validate': {error}") from error


@contextmanager
def needing(extra: str = "train") -> Iterator[None]:
    """Turn the absence of torch or onnx into the error that names the extra.

    Raises
    ------
    MissingExtraError
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAIN_MODULES:
            raise
        raise MissingExtraError(
            f"This command needs {error.name}, which is not installed.",
            hint=f"Install it: pip install 'cephstd[{extra}]'.",
        ) from error
