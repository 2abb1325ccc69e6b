"""From checkpoints to a model that runs: ONNX file, card and manifest entry in one go."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cephstd.core.digest import digest_bytes
from cephstd.errors import InputError, ModelError
from cephstd.evaluation.dataset import Dataset
from cephstd.evaluation.evaluator import Evaluation, evaluate_model
from cephstd.evaluation.sources import LabelledSet
from cephstd.imaging.tone import HIGH_QUANTILE, LOW_QUANTILE, STANDARD_MEDIAN
from cephstd.inference.catalog import MANIFEST, ModelEntry, Results, load_catalog
from cephstd.inference.contracts import InputContract, PointsOutput, ShapeContract, UprightContract
from cephstd.inference.detector import Detector
from cephstd.inference.shape import FEWEST
from cephstd.knowledge.loader import load_schemes
from cephstd.training.card import CardFacts, RunFacts, write_card
from cephstd.training.checkpoint import joined_model, load_checkpoint, stored_config
from cephstd.training.config import LoadedConfig, ModelConfig, TrainConfig
from cephstd.training.cross_validation import CrossValidation
from cephstd.training.dataset import read_sets
from cephstd.training.export import INPUT_NAME, OUTPUT_NAMES, ExportResult, export_onnx
from cephstd.training.manifest import entry_text
from cephstd.training.shape import FEWEST_HEADS, shape_prior, write_prior
from cephstd.training.upright import upright_shape

TONE = f"quantile-{LOW_QUANTILE}-{HIGH_QUANTILE}-median-{STANDARD_MEDIAN}"
LEAST_TILT_DEG = 5.0
"""Tilt from which a head is turned upright and looked at once more; that of the bundled model."""
MOST_DISTANCE2 = 14.0
"""Squared distance over which a point is withheld as no face's; that of the bundled model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What was written into the models folder.

    Attributes
    ----------
    entry : ModelEntry
        As it stands in the manifest.
    weights, card, manifest : Path
    largest_difference_px : float
        Between the graph and torch.
    evaluation : Evaluation or None
    """

    entry: ModelEntry
    weights: Path
    card: Path
    manifest: Path
    largest_difference_px: float
    evaluation: Evaluation | None


def release_model(
    loaded: LoadedConfig,
    checkpoints: Sequence[Path],
    folder: Path,
    *,
    dataset: Dataset | None = None,
    how: str = "",
    validation: CrossValidation | None = None,
    watch: Callable[[int], None] | None = None,
) -> Release:
    """Export checkpoints, score them as any user would run them, and enter the model with its card in a models folder.

    Parameters
    ----------
    loaded : LoadedConfig
        The configuration that they were trained with, with a table ``[model]``; its labels must be where they were.
    checkpoints : sequence of Path
        Several are averaged.
    folder : Path
        Made when absent; its ``manifest.toml`` gets one more entry.
    dataset : Dataset, optional
        Films to score the model on; without one the card says that this was not done.
    how : str
        The command that gives that score again.
    validation : CrossValidation, optional
        Of the folds of the same configuration: calibrates the covariances.
    watch : callable, optional
        Called after each scored film with the number of films that have failed so far.

    Returns
    -------
    Release

    Raises
    ------
    InputError
        When the configuration has no ``[model]``, the checkpoints are of another one, or labels cannot be read.
    ModelError
        When the folder has a model or a file of that name.
    InferenceError
        As `cephstd.training.export.export_onnx`.
    """
    terms = loaded.config.model
    if terms is None:
        raise InputError("Expected a table [model] in the configuration: name, licences, intended use; found none.")
    _check_free(folder, terms)
    states = [load_checkpoint(path) for path in checkpoints]
    _check_same(states, loaded.config)
    sets = read_sets(loaded)
    with tempfile.TemporaryDirectory() as place:
        staged = Path(place)
        exported = export_onnx(checkpoints, staged / f"{terms.name}.onnx")
        described = _describe(loaded.config, terms, sets, exported)
        entry = _calibrated(with_shape(described, sets, staged), validation)
        evaluation = None
        if dataset is not None:
            (staged / MANIFEST).write_text(entry_text(entry), encoding="utf-8")
            detector = Detector(entry.name, device="cpu", models=staged, accepted_licences=(entry.licence_weights,))
            evaluation = evaluate_model(dataset, detector, watch=watch)
            entry = msgspec.structs.replace(entry, results=_results(evaluation, how))
        model, _ = joined_model(states)
        facts = CardFacts(
            entry=entry,
            config=loaded.config,
            sets=sets,
            runs=[_run_facts(state) for state in states],
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            patients=terms.patients,
            evaluation=evaluation,
            how=how,
            validation=validation,
        )
        (staged / entry.card).write_text(write_card(facts), encoding="utf-8")
        _add(entry, staged, folder)
    return Release(
        entry=entry,
        weights=folder / entry.file,
        card=folder / entry.card,
        manifest=folder / MANIFEST,
        largest_difference_px=exported.largest_difference_px,
        evaluation=evaluation,
    )


def _check_free(folder: Path, terms: ModelConfig) -> None:
    if Path(terms.name).name != terms.name or not terms.name:
        raise InputError(f"Expected a plain name in [model], found {terms.name!r}.")
    present = load_catalog(folder).entries if (folder / MANIFEST).exists() else ()
    files = (folder / f"{terms.name}.onnx", folder / f"{terms.name}.md")
    if any(entry.name == terms.name for entry in present) or any(path.exists() for path in files):
        raise ModelError(
            f"{folder.name} has a model called {terms.name} already.",
            hint="Records name it: give the new one another name, or choose another folder.",
        )


def _check_same(states: Sequence[dict[str, Any]], config: TrainConfig) -> None:
    """Every checkpoint was trained with this configuration, whatever fold it held out and wherever it ran."""
    for state in states:
        if _anywhere(stored_config(state)) != _anywhere(config):
            raise InputError(
                "The checkpoint was trained with another configuration.", hint="Give the one that it was trained with."
            )


def _anywhere(config: TrainConfig) -> TrainConfig:
    """A configuration without its fold, and without what changes when files or the training move to another machine."""
    replace = msgspec.structs.replace
    sources = [replace(source, folder="") for source in config.data.source]
    return replace(
        config.decisive,
        data=replace(config.data, held_out_fold=-1, images="", labels="", source=sources),
        run=replace(config.run, folder="", device="", threads=0),
    )


def _run_facts(state: dict[str, Any]) -> RunFacts:
    return RunFacts(
        epochs=state["epochs_done"],
        held_out_fold=stored_config(state).data.held_out_fold,
        held_out_mre_mm=state["held_out_mre_mm"],
    )


def _describe(
    config: TrainConfig, terms: ModelConfig, sets: Sequence[LabelledSet], exported: ExportResult
) -> ModelEntry:
    landmarks = tuple(config.data.landmarks)
    provisional = {id for found in sets for id in found.provisional}
    points, covariance, score = OUTPUT_NAMES
    return ModelEntry(
        name=terms.name,
        version=terms.version,
        file=exported.path.name,
        sha256=exported.sha256,
        bytes=exported.size_bytes,
        scheme=name_scheme(landmarks, terms.name),
        landmarks=landmarks,
        input=InputContract(
            name=INPUT_NAME, size_px=config.network.size_px, spacing_mm=config.network.spacing_mm, tone=TONE
        ),
        output=PointsOutput(points=points, covariance=covariance, score=score),
        opset=exported.opset,
        licence_code=terms.licence_code,
        licence_weights=terms.licence_weights,
        licence_data=terms.licence_data,
        intended_use=terms.intended_use,
        trained_on="; ".join(map(_told, sets)),
        card=f"{terms.name}.md",
        min_score=terms.min_score,
        provisional=tuple(id for id in landmarks if id in provisional),
        seen=tuple(f"{found.layout.id}/{split}" for found in sets for split in found.splits),
        upright=UprightContract(
            least_deg=LEAST_TILT_DEG,
            shape=upright_shape((film for found in sets for film in found.films), landmarks),
        ),
    )


def with_shape(entry: ModelEntry, sets: Sequence[LabelledSet], staged: Path) -> ModelEntry:
    """The entry with a shape prior beside it, where enough films have every landmark."""
    films = [film for found in sets for film in found.films if film.points_px.keys() >= set(entry.landmarks)]
    if len(entry.landmarks) < FEWEST or len(films) < FEWEST_HEADS:
        return entry
    file = f"{entry.name}.shape.json"
    content = write_prior(shape_prior(films, entry.landmarks, how=f"Labels of {entry.trained_on}"), staged / file)
    how = "That of the bundled model, which was chosen on gross errors planted on films of its training."
    shape = ShapeContract(file=file, sha256=digest_bytes(content), most_distance2=MOST_DISTANCE2, how=how)
    return msgspec.structs.replace(entry, shape=shape)


def name_scheme(landmarks: tuple[str, ...], model: str) -> str:
    """The scheme that has exactly these landmarks in this order, else one called after the model.

    >>> name_scheme(("S", "N"), "mine")
    'mine2'
    """
    for id, scheme in load_schemes().items():
        if scheme.ids == landmarks:
            return id
    return f"{model}{len(landmarks)}"


def _told(found: LabelledSet) -> str:
    parts = [", ".join(names) for names in (found.splits, found.annotators) if names]
    return f"{len(found.films)} films: {found.layout.name}" + (f" ({'; '.join(parts)})" if parts else "")


def _calibrated(entry: ModelEntry, validation: CrossValidation | None) -> ModelEntry:
    if validation is None:
        return entry
    if set(validation.covariance_scale) != set(entry.landmarks):
        raise InputError("The cross-validation is of other landmarks than the configuration's.")
    return msgspec.structs.replace(
        entry,
        covariance_scale=validation.covariance_scale,
        covariance_floor_px2=validation.covariance_floor_px2,
        covariance_how=f"Fitted on {validation.films} films in {validation.folds} folds, each as the network that had "
        "not seen it gave it (cephstd models cross-validate).",
    )


def _results(found: Evaluation, how: str) -> tuple[Results, ...]:
    """Figures for the manifest; none when the model learned from these films, or found nothing in them."""
    summary = found.score.all
    if found.seen or summary.mre_mm is None:
        return ()
    named = ", ".join(word for word in (found.dataset.split, found.dataset.annotator) if word)
    return (
        Results(
            dataset=f"{found.dataset.name}: {named}" if named else found.dataset.name,
            films=found.films,
            mre_mm=round(summary.mre_mm, 3),
            sdr_2mm=round(summary.sdr_percent["2"], 1),
            how=how,
        ),
    )


def _add(entry: ModelEntry, staged: Path, folder: Path) -> None:
    """Copy weights and card, then name them in the manifest: what it names is always there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in filter(None, (entry.file, entry.card, entry.shape.file if entry.shape else "")):
        shutil.copyfile(staged / name, folder / name)
    manifest = folder / MANIFEST
    before = manifest.read_text(encoding="utf-8") + "\n" if manifest.exists() else ""
    partial = manifest.with_suffix(".partial")
    partial.write_text(before + entry_text(entry), encoding="utf-8")
    partial.replace(manifest)
    load_catalog(folder)
