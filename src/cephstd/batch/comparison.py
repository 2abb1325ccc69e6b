"""Sums up the changes of a re-analysis: bias and spread by landmark, measure and device; classes that flipped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from cephstd.batch.reanalysis import CHANGES, FilmChanges
from cephstd.export.cells import guard_cell
from cephstd.io.store import write_bytes
from cephstd.pipeline.changes import FACTORS

SUMMARY = "changes.json"
FLIPS = "flips.csv"
ALL = "all"
VALUE_SCHEMA = {
    "image_id": pl.String,
    "device": pl.String,
    "measure": pl.String,
    "unit": pl.String,
    "before": pl.Float64,
    "after": pl.Float64,
    "cause": pl.String,
    **dict.fromkeys(FACTORS, pl.Float64),
}
SHIFT_SCHEMA = {
    "device": pl.String,
    "landmark": pl.String,
    **dict.fromkeys(("x_px", "y_px", "x_mm", "y_mm"), pl.Float64),
}
FLIP_SCHEMA = {
    "image_id": pl.String,
    "rule": pl.String,
    "measure": pl.String,
    "before": pl.String,
    "after": pl.String,
    "before_value": pl.Float64,
    "after_value": pl.Float64,
    "probability": pl.Float64,
    "cause": pl.String,
}


def read_changes(folder: str | Path) -> Iterator[FilmChanges]:
    """What changed on each film of a re-analysis, by image_id."""
    for path in sorted((Path(folder) / CHANGES).glob("*.json")):
        yield msgspec.json.decode(path.read_bytes(), type=FilmChanges)


def summarize_changes(films: Iterable[FilmChanges]) -> tuple[dict[str, Any], pl.DataFrame]:
    """Summary of a re-analysis, and its flips.

    Parameters
    ----------
    films : iterable of FilmChanges

    Returns
    -------
    summary : dict
        Plain data: films, notes; measures and landmarks, each by device and for ``all``, with n, bias (mean of new
        minus old) and spread (standard deviation; None for one film); for measures also how many values came and went,
        and the mean share of each factor; causes: how many values each factor changed most; flips by rule.
    flips : DataFrame
        One row per class that changed.
    """
    values: list[dict[str, Any]] = []
    shifts: list[dict[str, Any]] = []
    flips: list[dict[str, Any]] = []
    notes: dict[str, int] = {}
    count = 0
    for film in films:
        count += 1
        where = {"image_id": film.image_id, "device": film.device}
        values += [{**where, **msgspec.to_builtins(item), **item.parts} for item in film.attributions]
        shifts += [{**where, **msgspec.to_builtins(item)} for item in film.shifts]
        flips += [{**where, **msgspec.to_builtins(item)} for item in film.flips]
        for note in film.notes:
            notes[note] = notes.get(note, 0) + 1
    changed, moved, flipped = (
        pl.DataFrame(rows, schema=schema, strict=False)
        for rows, schema in ((values, VALUE_SCHEMA), (shifts, SHIFT_SCHEMA), (flips, FLIP_SCHEMA))
    )
    summary = {
        "films": count,
        "notes": notes,
        "order": list(FACTORS),
        "causes": dict(changed.group_by("cause").len().sort("cause").iter_rows()),
        "measures": _measures(changed),
        "landmarks": _landmarks(moved),
        "flips": flipped.group_by("rule", "before", "after", "cause").len().sort("rule", "before", "after").to_dicts(),
    }
    return summary, flipped


def write_changes(folder: str | Path) -> dict[str, Any]:
    """Write the summary and the flips of a re-analysis into its folder; returns the summary."""
    summary, flips = summarize_changes(read_changes(folder))
    top = Path(folder)
    write_bytes(top / SUMMARY, json.dumps(summary, indent=1, allow_nan=False).encode() + b"\n")
    texts = [name for name, kind in FLIP_SCHEMA.items() if kind == pl.String]
    guarded = flips.with_columns(pl.col(texts).map_elements(guard_cell, return_dtype=pl.String))
    write_bytes(top / FLIPS, guarded.write_csv().encode())
    return summary


def _with_all(table: pl.DataFrame) -> pl.DataFrame:
    """The rows by device, and once more for all devices together."""
    return pl.concat([table, table.with_columns(device=pl.lit(ALL))])


def _measures(changed: pl.DataFrame) -> list[dict[str, Any]]:
    difference = pl.col("after") - pl.col("before")
    # an angle may go the short way round
    turned = pl.when(pl.col("unit") == "deg").then((difference + 180) % 360 - 180).otherwise(difference)
    return (
        _with_all(changed.with_columns(change=turned))
        .group_by("device", "measure", "unit")
        .agg(
            n=pl.col("change").count(),
            bias=pl.col("change").mean(),
            spread=pl.col("change").std(),
            came=(pl.col("before").is_null() & pl.col("after").is_not_null()).sum(),
            went=(pl.col("after").is_null() & pl.col("before").is_not_null()).sum(),
            **{name: pl.col(name).fill_null(0.0).mean() for name in FACTORS},
        )
        .sort("device", "measure")
        .to_dicts()
    )


def _landmarks(moved: pl.DataFrame) -> list[dict[str, Any]]:
    names = ("x_px", "y_px", "x_mm", "y_mm")
    return (
        _with_all(moved)
        .group_by("device", "landmark")
        .agg(
            n=pl.len(),
            **{f"bias_{name}": pl.col(name).mean() for name in names},
            **{f"spread_{name}": pl.col(name).std() for name in names},
        )
        .sort("device", "landmark")
        .to_dicts()
    )
