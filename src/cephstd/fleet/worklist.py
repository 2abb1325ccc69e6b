"""What a person should look at first: films with the reasons, those that count most before the others."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from cephstd.core.tables import CLASS_TABLE, FILM_TABLE, LANDMARK_TABLE, POLICY_TABLE, SITE_COLUMN
from cephstd.errors import InputError
from cephstd.export.cells import guard_cell
from cephstd.fleet.census import find_tables, read_rows
from cephstd.knowledge.landmark_names import landmarks_behind

Why = Literal["flip", "policy", "provisional", "near_threshold", "non_diagnostic"]
WEIGHTS: dict[Why, float] = {
    "flip": 4.0,
    "policy": 3.0,
    "non_diagnostic": 2.5,
    "provisional": 2.0,
    "near_threshold": 1.0,
}
"""What a reason counts; several reasons add up."""
NEAR = 0.2
"""Probability of the class beyond the threshold from which a value is near it."""
LOW_SCORE = 0.5
"""Confidence of the model below which a point makes a near threshold count twice."""
RESTING = "By {}, this film is {}, which rests on a point that is provisional: nobody has accepted it."
FLIPS = "flips.csv"
COLUMNS = ("rank", "site", "image_id", "weight", "why", "reasons", "date", "reviewed")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One film to look at.

    Attributes
    ----------
    rank : int
    site, image_id : str
    weight : float
        Sum of what its reasons count.
    why : tuple of str
        ``flip`` (a class changed when the film was analysed anew), ``policy`` (a required rule fails),
        ``non_diagnostic``, ``provisional`` (a class rests on a point that nobody has confirmed), ``near_threshold``
        (a class could well be the neighbouring one).
    reasons : tuple of str
        In sentences.
    date : str or None
        Of the film.
    reviewed : bool
        Whether a person has decided on it; such films come last among equals.
    """

    rank: int
    site: str
    image_id: str
    weight: float
    why: tuple[Why, ...]
    reasons: tuple[str, ...]
    date: str | None = None
    reviewed: bool = False


def list_tasks(folder: str | Path) -> list[Task]:
    """Films that a person should look at, first things first.

    Parameters
    ----------
    folder : str or Path
        Output folder of a batch or of a re-analysis, or its folder of tables.

    Raises
    ------
    InputError
        When there are no tables, or they cannot be read.
    """
    tables = find_tables(folder)
    try:
        films = read_rows(tables, "films", FILM_TABLE, ("image_id", "date", "quality", "review"))
        found = pl.concat(
            [_flips(Path(folder)), _policy_gaps(tables), _non_diagnostic(films), _classes(tables)], how="vertical"
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"The tables cannot be read: {str(error).splitlines()[0]:.200}") from error
    ordered = (
        found.group_by("image_id", maintain_order=True)
        .agg(pl.col("weight").sum(), pl.col("why").unique(maintain_order=True), pl.col("reason"))
        .join(films, on="image_id", how="inner")
        .with_columns(reviewed=pl.col("review").is_not_null())
        .sort("weight", "reviewed", SITE_COLUMN, "image_id", descending=[True, False, False, False])
    )
    return [
        Task(
            rank=rank,
            site=row[SITE_COLUMN],
            image_id=row["image_id"],
            weight=row["weight"],
            why=tuple(row["why"]),
            reasons=tuple(row["reason"]),
            date=row["date"],
            reviewed=row["reviewed"],
        )
        for rank, row in enumerate(ordered.iter_rows(named=True), 1)
    ]


def write_tasks(tasks: Iterable[Task]) -> str:
    """CSV text of a worklist: a row per film, reasons on lines of one cell; what looks like a formula is guarded."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for task in tasks:
        facts: dict[str, Any] = msgspec.structs.asdict(task)
        facts |= {"why": " ".join(task.why), "reasons": "\n".join(task.reasons)}
        rows.writerow(["" if facts[name] is None else guard_cell(facts[name]) for name in COLUMNS])
    return out.getvalue()


SCHEMA = {"image_id": pl.String, "why": pl.String, "weight": pl.Float64, "reason": pl.String}


def _reasons(rows: pl.DataFrame, why: Why, reason: pl.Expr, weight: pl.Expr | None = None) -> pl.DataFrame:
    weight = pl.lit(WEIGHTS[why]) if weight is None else weight
    return rows.select("image_id", why=pl.lit(why), weight=weight.cast(pl.Float64), reason=reason)


def _flips(folder: Path) -> pl.DataFrame:
    path = folder / FLIPS
    if not path.is_file():
        return pl.DataFrame(schema=SCHEMA)
    rows = pl.read_csv(path, infer_schema=False)
    said = pl.format(
        "By {}, this film was {} and is {} since it was analysed anew; mostly because of: {}.",
        "rule",
        *(pl.col(name).fill_null("without a class") for name in ("before", "after")),
        pl.col("cause").fill_null("unknown"),
    )
    return _reasons(rows, "flip", said)


def _policy_gaps(tables: Path) -> pl.DataFrame:
    rows = read_rows(tables, "policies", POLICY_TABLE, ("image_id", "policy", "rule", "severity", "status", "faults"))
    failing = rows.filter((pl.col("status") == "fail") & (pl.col("severity") == "required"))
    fault = pl.col("faults").fill_null("").str.replace_all("\n", " ")
    return _reasons(
        failing, "policy", pl.format("Rule {} of policy {} fails. {}", "rule", "policy", fault).str.strip_chars()
    )


def _non_diagnostic(films: pl.DataFrame) -> pl.DataFrame:
    return _reasons(
        films.filter(pl.col("quality") == "non-diagnostic"), "non_diagnostic", pl.lit("The film is non-diagnostic.")
    )


def _classes(tables: Path) -> pl.DataFrame:
    columns = ("image_id", "rule", "measure", "value", "label", "threshold", "other_side", "provisional")
    rows = read_rows(tables, "classes", CLASS_TABLE, columns).filter(pl.col("label").is_not_null())
    near = _doubt(tables, rows.filter(pl.col("other_side") >= NEAR))
    value = pl.col("value").round_sig_figs(3)
    said = pl.format(
        "By {}, this film is {} with {} = {}; chance is {} % that the true value lies beyond {}, in another class.",
        "rule",
        "label",
        "measure",
        value,
        (100 * pl.col("other_side")).round(0).cast(pl.Int64),
        "threshold",
    )
    unsure = pl.format(" The model was not sure of {}.", "doubt")
    doubtful = pl.when(pl.col("doubt").is_null()).then(said).otherwise(said + unsure)
    weight = (pl.col("other_side") + pl.col("doubt").is_not_null().cast(pl.Float64)) * WEIGHTS["near_threshold"]
    resting = rows.filter(pl.col("provisional"))
    return pl.concat(
        [
            _reasons(resting, "provisional", pl.format(RESTING, "rule", "label")),
            _reasons(near, "near_threshold", doubtful, weight),
        ]
    )


def _doubt(tables: Path, near: pl.DataFrame) -> pl.DataFrame:
    """The rows with the column doubt: landmarks behind the measure that the model was not sure of."""
    names = landmarks_behind(near["measure"].unique().to_list())
    behind = pl.DataFrame(
        [(measure, mark) for measure, marks in names.items() for mark in sorted(marks)],
        schema={"measure": pl.String, "landmark": pl.String},
        orient="row",
    )
    marks = read_rows(tables, "landmarks", LANDMARK_TABLE, ("image_id", "landmark", "score", "state")).filter(
        (pl.col("score") < LOW_SCORE) & (pl.col("state") == "detected")
    )
    doubts = (
        near.select("image_id", "measure")
        .unique()
        .join(behind, on="measure")
        .join(marks, on=["image_id", "landmark"])
        .sort("landmark")
        .group_by("image_id", "measure")
        .agg(doubt=pl.col("landmark").str.join(", "))
    )
    return near.join(doubts, on=["image_id", "measure"], how="left")


def count_reasons(tasks: Sequence[Task]) -> dict[str, int]:
    """Films by reason; a film with several counts for each."""
    return {why: sum(why in task.why for task in tasks) for why in WEIGHTS}
