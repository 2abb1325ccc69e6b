"""How reviewers move landmarks: how often, by which vector, and since when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.census import Census
from cephstd.fleet.drift import Drift, find_drift
from cephstd.fleet.rates import two_sided

MIN_REVIEWED = 40
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """One reviewer and one landmark: the films that they reviewed, with no movement where they let the point be.

    Attributes
    ----------
    site, reviewer, landmark : str
    reviewed, corrected : int
    forward_mm, down_mm : float
        Mean vector of all reviewed films; forward is where the face looks.
    p_value : float
        That the vector differs from the other reviewers' by chance.
    drift : Drift or None
        Change of the part of the movement along its main direction, with its date.
    since : tuple of float or None
        Mean vector (forward, down) from that date on.
    films : ndarray
        Rows of the corrected films, those since the date of a drift where there is one.
    """

    site: str
    reviewer: str
    landmark: str
    reviewed: int
    corrected: int
    forward_mm: float
    down_mm: float
    p_value: float
    drift: Drift | None
    since: tuple[float, float] | None
    films: NDArray[np.intp]


def find_habits(census: Census) -> list[Habit]:
    """Every reviewer's movement of every landmark that anybody moved, in millimetres; films without scale are left out.

    Returns
    -------
    list of Habit
        By site, reviewer and landmark; without those who reviewed fewer than 40 films.
    """
    reviewed = list_reviewed(census)
    moved = census.corrections.filter(pl.col("forward_mm").is_not_null() & pl.col("down_mm").is_not_null())
    found: list[Habit] = []
    for landmark in sorted(moved["landmark"].unique().to_list()):
        vectors = moved.filter(pl.col("landmark") == landmark).select("film", "forward_mm", "down_mm")
        table = reviewed.join(vectors, on="film", how="left", maintain_order="left")
        found += _habits_of(landmark, table)
    return found


def list_reviewed(census: Census) -> pl.DataFrame:
    """Reviewed films with a scale, in the order of their reviews: film, site, reviewer, reviewed_on, reviewed_at."""
    return (
        census.films.with_row_index("film")
        .filter(pl.col("review").is_not_null() & pl.col("reviewer").is_not_null() & pl.col("row_mm").is_not_null())
        .select("film", SITE_COLUMN, "reviewer", "reviewed_on", "reviewed_at")
        .sort("reviewed_at", nulls_last=True)
    )


def mean_vectors(census: Census) -> pl.DataFrame:
    """Columns site, landmark, forward_mm, down_mm (means of the corrected points) and n."""
    site = census.films.with_row_index("film").select("film", SITE_COLUMN)
    return (
        census.corrections.join(site, on="film")
        .filter(pl.col("forward_mm").is_not_null())
        .group_by(SITE_COLUMN, "landmark")
        .agg(pl.col("forward_mm").mean(), pl.col("down_mm").mean(), n=pl.len())
    )


def _habits_of(landmark: str, table: pl.DataFrame) -> list[Habit]:
    groups = [
        (str(site), str(reviewer), rows)
        for (site, reviewer), rows in sorted(
            table.group_by(SITE_COLUMN, "reviewer", maintain_order=True), key=lambda item: str(item[0])
        )
        if len(rows) >= MIN_REVIEWED
    ]
    vectors = [rows.select("forward_mm", "down_mm").fill_null(0.0).to_numpy() for _, _, rows in groups]
    if not groups:
        return []
    means = np.array([part.mean(axis=0) for part in vectors])
    errors = np.array([part.std(axis=0, ddof=1) / np.sqrt(len(part)) for part in vectors])
    usual = np.median(means, axis=0)
    z = (means - usual) / np.maximum(errors, 1e-6)
    # two components are looked at: the smaller p value counts double
    p_values = np.minimum(1.0, 2.0 * two_sided(np.abs(z).max(axis=1)))
    return [
        _habit((site, reviewer), landmark, rows, part, float(p_value))
        for (site, reviewer, rows), part, p_value in zip(groups, vectors, p_values, strict=True)
    ]


def _habit(who: tuple[str, str], landmark: str, rows: pl.DataFrame, vectors: Floats, p_value: float) -> Habit:
    dated = rows["reviewed_on"].is_not_null().to_numpy()
    corrected = rows["forward_mm"].is_not_null().to_numpy()
    days = rows["reviewed_on"].to_numpy()[dated].astype("datetime64[D]")
    drift, since, kept = None, None, corrected
    if dated.sum() >= MIN_REVIEWED:
        drifts = [
            found
            for component in range(2)
            if (found := find_drift(vectors[dated, component], days, share=True)) is not None
        ]
        drift = max(drifts, key=lambda found: abs(found.step), default=None)
    if drift is not None:
        after = np.flatnonzero(dated)[drift.start :]
        forward, down = vectors[after].mean(axis=0)
        since = (float(forward), float(down))
        kept = np.zeros_like(corrected)
        kept[after] = corrected[after]
    forward, down = vectors.mean(axis=0)
    return Habit(
        site=who[0],
        reviewer=who[1],
        landmark=landmark,
        reviewed=len(rows),
        corrected=int(corrected.sum()),
        forward_mm=float(forward),
        down_mm=float(down),
        p_value=p_value,
        drift=drift,
        since=since,
        films=rows["film"].to_numpy().astype(np.intp)[kept],
    )
