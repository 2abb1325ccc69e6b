"""The card of a model that was trained here: terms, data, making, figures, and what nobody knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cephstd.evaluation.evaluator import Evaluation
from cephstd.evaluation.scorer import Score, Summary
from cephstd.evaluation.sources import LabelledSet
from cephstd.inference.catalog import ModelEntry
from cephstd.training.config import TrainConfig
from cephstd.training.cross_validation import CrossValidation
from cephstd.training.network import HEATMAP_STRIDE

FEW_LABELS = 0.5
"""Landmarks that less than this share of the films teaches are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One checkpoint of the model.

    Attributes
    ----------
    epochs : int
        Done when it was written.
    held_out_fold : int
        Fold that it never saw; -1 for none.
    held_out_mre_mm : float or None
        Mean radial error on that fold, labels against plain placement.
    """

    epochs: int
    held_out_fold: int
    held_out_mre_mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """All that a card is written from.

    Attributes
    ----------
    parameters : int
        Of all networks together.
    evaluation : Evaluation or None
        On films that are not among the training's.
    how : str
        The command that gives the evaluation again.
    validation : CrossValidation or None
        Of all folds, each by a network that had not seen it.
    """

    entry: ModelEntry
    config: TrainConfig
    sets: Sequence[LabelledSet]
    runs: Sequence[RunFacts]
    parameters: int
    patients: str
    evaluation: Evaluation | None
    how: str
    validation: CrossValidation | None


def write_card(facts: CardFacts) -> str:
    """Markdown of a model card; every number in it comes from the training, the labels or the evaluation.

    Parameters
    ----------
    facts : CardFacts

    Returns
    -------
    str
    """
    parts = (_head, _contract, _data, _making, _figures, _unknown)
    return "\n".join(line for part in parts for line in (*part(facts), ""))


def _head(facts: CardFacts) -> Iterator[str]:
    entry = facts.entry
    yield f"# {entry.name} {entry.version}"
    yield ""
    yield f"{entry.intended_use} Not a medical device."
    yield ""
    yield from ("| what | terms |", "|---|---|")
    yield f"| code that trains and runs it | {entry.licence_code} |"
    yield f"| weights | {entry.licence_weights} |"
    yield f"| films and labels | {entry.licence_data} |"


def _contract(facts: CardFacts) -> Iterator[str]:
    entry, (width, height) = facts.entry, facts.entry.input.size_px
    yield from ("## What it expects and gives", "")
    yield (
        f"- `{entry.input.name}`, float32 (N, 1, {height}, {width}), 0 to 1: bone bright, face to the right, "
        f"{entry.input.spacing_mm:.4g} mm per pixel, film centred, tone `{entry.input.tone}`."
    )
    yield f"- Points, covariances and scores of {len(entry.landmarks)} landmarks: {' '.join(entry.landmarks)}."
    yield f"- A point with a score below {entry.min_score:g} is withheld."
    yield f"- ONNX opset {entry.opset}, {entry.bytes} bytes, {entry.sha256}."


def _data(facts: CardFacts) -> Iterator[str]:
    yield from ("## What it learned from", "")
    for found in facts.sets:
        layout = found.layout
        chosen = (("splits", found.splits), ("annotators (mean of)", found.annotators))
        words = "; ".join(f"{what} {', '.join(names)}" for what, names in chosen if names)
        yield f"- **{len(found.films)} films**, {layout.name}{'; ' + words if words else ''}."
        yield f"  Terms: {layout.licence}. {'Source: ' + layout.source + '. ' if layout.source else ''}"
        yield f"  Scale {_range([film.spacing_mm for film in found.films])} mm per pixel. Labels {found.labels_sha256}."
        for id, reason in found.left_out.items():
            yield f"  - {id} is left out: {reason}."
        for id, difference in found.differences.items():
            if id in facts.entry.landmarks:
                yield f"  - {id} differs from the dictionary: {difference}."
    total = sum(len(found.films) for found in facts.sets)
    few = {id: count for id, count in count_labels(facts).items() if count < FEW_LABELS * total}
    if few:
        told = ", ".join(f"{id} ({count})" for id, count in few.items())
        yield f"- Labelled on fewer than half of the {total} films: {told}."


def count_labels(facts: CardFacts) -> dict[str, int]:
    """Landmark -> films that teach it."""
    films = [film for found in facts.sets for film in found.films]
    return {id: sum(id in film.points_px for film in films) for id in facts.entry.landmarks}


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _making(facts: CardFacts) -> Iterator[str]:
    config, network = facts.config, facts.config.network
    yield from ("## How it was made", "")
    many = f"{len(facts.runs)} U-Nets whose probabilities are averaged" if len(facts.runs) > 1 else "a U-Net"
    yield (
        f"{many[0].upper()}{many[1:]}, {facts.parameters} parameters, widths {', '.join(map(str, network.widths))}; "
        f"heatmaps at {network.spacing_mm * HEATMAP_STRIDE:.4g} mm. Seed {config.run.seed}, batch "
        f"{config.optimizer.batch}, {config.run.precision}, films kept at {config.data.spacing_mm:g} mm per pixel."
    )
    for run in facts.runs:
        done = f"{run.epochs} of {config.optimizer.epochs} epochs"
        fold = f"fold {run.held_out_fold} of {config.data.folds} held out" if run.held_out_fold >= 0 else "all films"
        yield f"- {done}, {fold}."


def _figures(facts: CardFacts) -> Iterator[str]:
    yield from ("## How well it does", "")
    for run in facts.runs:
        if run.held_out_mre_mm is not None:
            yield f"Fold {run.held_out_fold}, which its network had not seen: mean error {run.held_out_mre_mm:.2f} mm."
            yield ""
    if facts.validation is not None:
        yield from (*_validated(facts.validation), "")
    found = facts.evaluation
    if found is None:
        yield "On films of no training: **not measured**. Run `cephstd evaluate` on such before relying on it."
        return
    if found.seen:
        yield "**The films below are those that it learned from**: how well it finds points in others is not measured."
    data = found.dataset
    yield (
        f"`{facts.how}`: {found.films} films of {data.name} "
        f"({data.split or 'all'}; {data.annotator or 'one annotator'}; "
        f"{data.licence}), {len(found.failed)} of them failed. A withheld point has no error and is a miss."
    )
    yield ""
    yield from _table(found.score)


def _validated(found: CrossValidation) -> Iterator[str]:
    """Accuracy and doubt over all folds."""
    doubt = found.doubt
    yield (
        f"`cephstd models cross-validate`: {found.films} films in {found.folds} folds, each by the network that had "
        "not seen it, in its plain placement; nothing is withheld."
    )
    yield ""
    yield from _table(found.score)
    yield ""
    yield (
        f"Its 95 % ellipses, calibrated on the other folds, hold {doubt.all.inside_percent:.1f} % of "
        f"{doubt.all.points} points ({'' if doubt.all.expected else 'not '}as chance allows for 95 %); their mean area "
        f"is {doubt.area_mm2:.1f} mm2, that of one ellipse per landmark {doubt.constant_area_mm2:.1f} mm2."
    )


def _table(score: Score) -> Iterator[str]:
    yield "| points | n | withheld | mean error, mm | median, mm | within 2 mm, % | within 4 mm, % |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    yield _row("**all**", score.all)
    yield from (_row(id, summary) for id, summary in score.per_landmark.items())


def _row(name: str, summary: Summary) -> str:
    lengths = ("not known" if value is None else f"{value:.2f}" for value in (summary.mre_mm, summary.median_mm))
    shares = (f"{summary.sdr_percent[limit]:.1f}" for limit in ("2", "4"))
    return f"| {name} | {summary.points} | {summary.absent} | {' | '.join((*lengths, *shares))} |"


def _unknown(facts: CardFacts) -> Iterator[str]:
    entry = facts.entry
    yield from ("## What is not known", "")
    stated = facts.patients.rstrip(".") or "not stated, so for whom it works less well is not known"
    yield f"- Patients and devices: {stated}."
    if not entry.covariance_how:
        yield (
            "- Whether its doubt is honest: the covariances are the graph's own, and were not compared with errors on "
            "films that it had not seen. Standard deviations of values that rest on them may be too wide or too small."
        )
    held_out = facts.validation or any(run.held_out_mre_mm is not None for run in facts.runs)
    if not held_out and (facts.evaluation is None or facts.evaluation.seen):
        yield "- How large its errors are: no film was held out, and none was scored."
    yield "- How it does on devices whose films are not named above."
    yield "- Whether films of one person lie on both sides of a split: the labels name no persons."
    yield "- The annotators' own scatter, unless the set states it: no model can be told to be better than that."
