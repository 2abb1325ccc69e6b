"""A fleet of made-up practices as tables of Parquet, with or without planted faults; the same for the same seed.

No number of it is a patient's: means, growth and spreads are round figures of the right size.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl

from cephstd.core.tables import TABLES

NAMES = ("Ashford", "Brook", "Cedar", "Dale", "Elm", "Ford", "Grove", "Hill")
MODELS = ("Ceph 100", "Ceph 200", "PanCeph S", "Orthoview")
NORMS = "steiner 1.0.0 sha256:111111111111"
OTHER_NORMS = "kyung_hee_1987 1.0.0 sha256:222222222222"
FIRST_DAY = date(2021, 1, 4)
DAYS = 1400
FAULT_DAY = 700
CORRECTED = ("S", "N", "A", "B", "Go", "Me", "Pog", "Or", "Po")
# measure: unit, mean of a grown woman, spread, and what 1 mm of point A forward adds
MEASURES = {
    "SNA": ("deg", 82.0, 3.5, 0.95),
    "SNB": ("deg", 79.0, 3.4, 0.0),
    "ANB": ("deg", 3.0, 2.3, 0.95),
    "SN_GoGn": ("deg", 33.0, 5.0, 0.0),
    "FMA": ("deg", 25.0, 5.0, 0.0),
    "Y_axis_SN": ("deg", 66.0, 3.8, 0.0),
    "gonial": ("deg", 125.0, 6.5, 0.0),
    "saddle": ("deg", 123.0, 5.0, 0.0),
    "articular": ("deg", 143.0, 6.5, 0.0),
    "U1_SN": ("deg", 103.0, 7.0, 0.0),
    "IMPA": ("deg", 92.0, 7.0, 0.0),
    "SN_PP": ("deg", 8.0, 3.2, 0.0),
    "MMPA": ("deg", 26.0, 5.0, 0.0),
    "facial_angle": ("deg", 87.0, 3.4, 0.0),
    "convexity_angle": ("deg", 4.0, 5.5, 1.6),
    "nasolabial": ("deg", 105.0, 10.0, 0.0),
    "S_N": ("mm", 68.0, 0.03, 0.0),
    "N_Me": ("mm", 114.0, 0.035, 0.0),
    "S_Go": ("mm", 75.0, 0.045, 0.0),
    "Go_Me": ("mm", 68.0, 0.045, 0.0),
    "Co_A": ("mm", 85.0, 0.035, 0.8),
    "Co_Gn": ("mm", 112.0, 0.035, 0.0),
    "Ar_Go": ("mm", 45.0, 0.06, 0.0),
    "LAFH": ("mm", 63.0, 0.05, 0.0),
    "UFH": ("mm", 51.0, 0.045, 0.0),
    "Wits": ("mm", -0.5, 2.8, 0.9),
    "A_Nperp": ("mm", 0.5, 3.0, 1.0),
    "convexity_mm": ("mm", 2.5, 2.8, 1.0),
    "overjet": ("mm", 4.0, 2.0, 0.0),
    "E_lower": ("mm", -2.0, 2.6, 0.0),
    "LFH_pct": ("%", 55.0, 2.0, 0.0),
    "Jarabak": ("%", 64.0, 4.0, 0.0),
}
LENGTH = 25.0


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Where what is planted; an empty name plants nothing."""

    scaled: str = ""
    flipping: str = ""
    shifting: str = ""
    other_norms: str = ""
    undated: str = ""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Where a simulated fleet lies, and what was planted: pairs of kind and subject as findings have them."""

    folder: Path
    planted: frozenset[tuple[str, str, str]]


def plant(rng: np.random.Generator) -> Faults:
    """Five faults at five sites."""
    scaled, flipping, shifting, norms, undated = rng.permutation(NAMES)[:5].tolist()
    return Faults(scaled=scaled, flipping=flipping, shifting=shifting, other_norms=norms, undated=undated)


def write_fleet(folder: Path, *, seed: int, faulty: bool, films: int = 400) -> Fleet:
    """Write the tables of eight sites with `films` or up to half as many more films each."""
    rng = np.random.default_rng([seed, int(faulty)])
    faults = plant(rng) if faulty else Faults()
    planted: set[tuple[str, str, str]] = set()
    for number, name in enumerate(NAMES):
        site = _site(rng, number, name, films + int(rng.integers(films // 2 + 1)), faults)
        planted |= site.planted
        for table, rows in site.tables.items():
            write_table(folder, table, name, rows)
    return Fleet(folder=folder, planted=frozenset(planted))


def write_table(folder: Path, table: str, site: str, rows: pl.DataFrame) -> None:
    """Write a site's rows with every column of the table; those that are not given are null."""
    kinds = {"text": pl.String, "number": pl.Float64, "count": pl.Int64, "flag": pl.Boolean}
    place = folder / table / f"site={quote(site, safe='')}"
    place.mkdir(parents=True, exist_ok=True)
    whole = rows.select(
        *(
            (pl.col(column.name) if column.name in rows.columns else pl.lit(None))
            .cast(kinds[column.kind])
            .alias(column.name)
            for column in TABLES[table]
        )
    )
    whole.write_parquet(place / "00001.parquet", compression="zstd")


@dataclass(frozen=True, kw_only=True)
class _Site:
    tables: dict[str, pl.DataFrame]
    planted: set[tuple[str, str, str]]


def _site(rng: np.random.Generator, number: int, name: str, n: int, faults: Faults) -> _Site:
    planted: set[tuple[str, str, str]] = set()
    age = np.clip(rng.gamma(3.0, rng.uniform(1.5, 4.0), n) + rng.uniform(6.5, 9.0), 6.5, 60.0)
    female = rng.random(n) < rng.uniform(0.42, 0.66)
    models = [MODELS[number % 4], MODELS[(number + 1 + number // 4) % 4]]
    device = np.where(rng.random(n) < rng.uniform(0.4, 0.6), models[0], models[1])
    day = np.sort(rng.integers(0, DAYS, n))
    reviewed = rng.random(n) < 0.9
    reviewer = np.where(rng.random(n) < 0.5, f"{name[:2].upper()}-1", f"{name[:2].upper()}-2")
    review_day = day + 1 + rng.integers(1, 20, n)
    flipped = rng.random(n) < (1.0 if name == faults.flipping else 0.04)
    if name == faults.flipping:
        planted.add(("share", name, "flipped"))
    scale = np.ones(n)
    if name == faults.scaled:
        scale[device == models[1]] = 1.03
        planted.add(("scale", f"{name} on Acme {models[1]}", "size"))
    spacing = np.where(rng.random(n) < 0.05, np.nan, 0.1)
    # corrections: now and then and in all directions; from a day on always forward for the one who learned it so
    moved = {mark: (rng.random(n) < 0.1) & reviewed for mark in CORRECTED}
    vectors = {mark: rng.normal(0.0, 0.7, (n, 2)) for mark in CORRECTED}
    forward = np.zeros(n)
    if name == faults.shifting:
        who = f"{name[:2].upper()}-2"
        late = reviewed & (reviewer == who) & (review_day >= FAULT_DAY)
        moved["A"] |= late
        vectors["A"][late] = rng.normal((1.5, 0.0), 0.3, (int(late.sum()), 2))
        forward[late] = vectors["A"][late, 0]
        planted.add(("correction", f"reviewer {who} at {name}", "A"))
    if name == faults.other_norms:
        planted.add(("norms", name, OTHER_NORMS))
    if name == faults.undated:
        planted.add(("share", name, "undated"))
    ids = np.array([f"{number:02d}{row:014x}" for row in range(n)])
    dates = [(FIRST_DAY + timedelta(days=int(d))).isoformat() for d in day]
    table = pl.DataFrame(
        {
            "image_id": ids,
            "created": [f"{FIRST_DAY + timedelta(days=int(d) + 1)}T08:00:00Z" for d in day],
            "manufacturer": ["Acme"] * n,
            "device": device,
            "date": [None] * n if name == faults.undated else dates,
            "age_years": np.round(age, 1),
            "sex": np.where(female, "F", "M"),
            "calibration_basis": np.where(np.isnan(spacing), "undetermined", "geometry"),
            "row_mm": spacing,
            "column_mm": spacing,
            "quality": np.where(rng.random(n) < 0.03, "non-diagnostic", "diagnostic"),
            "flipped": flipped,
            "review": ["accepted" if done else None for done in reviewed],
            "reviewer": [who if done else None for who, done in zip(reviewer.tolist(), reviewed, strict=True)],
            "reviewed_at": [
                f"{FIRST_DAY + timedelta(days=int(d))}T15:00:00Z" if done else None
                for d, done in zip(review_day, reviewed, strict=True)
            ],
            "outside_intended_use": rng.random(n) < 0.01,
            "norm_sets": [OTHER_NORMS if name == faults.other_norms else NORMS] * n,
        }
    ).with_columns(pl.col("row_mm", "column_mm").fill_nan(None))
    return _Site(
        tables={
            "films": table,
            "measurements": _measurements(
                rng, ids, age=age, female=female, scale=scale, forward=forward, spacing=spacing
            ),
            "landmarks": _landmarks(rng, ids, moved=moved, vectors=vectors, flipped=flipped, spacing=spacing),
            "failures": _failures(rng, number, n),
            "policies": _policies(rng, ids),
        },
        planted=planted,
    )


def _measurements(rng, ids, *, age, female, scale, forward, spacing) -> pl.DataFrame:
    n = len(ids)
    grown = np.where(female, 14.5, 17.0)
    growth = 1.0 - 0.018 * np.clip(grown - age, 0.0, 10.0)
    body = growth * np.where(female, 1.0, 1.055) * np.exp(rng.normal(0.0, 0.035, n))
    parts = []
    for measure, (unit, mean, spread, of_a) in MEASURES.items():
        if unit == "mm" and mean > LENGTH:
            values = (mean * body * np.exp(rng.normal(0.0, spread, n)) + of_a * forward) * scale
        else:
            values = mean + rng.normal(0.0, spread, n) + of_a * forward
            values = (
                values * scale if unit == "mm" else values - 0.08 * np.clip(age - 12.0, -6.0, 8.0) * (unit == "deg")
            )
        absent = rng.random(n) < 0.02
        if unit == "mm":
            absent |= np.isnan(spacing)
        parts.append(
            pl.DataFrame(
                {"image_id": ids, "value": np.where(absent, np.nan, values), "sd": np.full(n, abs(spread))}
            ).with_columns(
                pl.col("value").fill_nan(None),
                measure=pl.lit(measure),
                unit=pl.lit(unit),
                reason=pl.when(pl.col("value").is_nan()).then(pl.lit("missing: a landmark or the scale")),
                provisional=pl.lit(False),
            )
        )
    return pl.concat(parts)


def _landmarks(rng, ids, *, moved, vectors, flipped, spacing) -> pl.DataFrame:
    n = len(ids)
    mm = np.where(np.isnan(spacing), 0.1, spacing)
    side = np.where(flipped, -1.0, 1.0)
    parts = []
    for mark in CORRECTED:
        x, y = rng.uniform(500, 1500, n), rng.uniform(500, 1500, n)
        there = moved[mark]
        parts.append(
            pl.DataFrame(
                {
                    "image_id": ids,
                    "landmark": [mark] * n,
                    "x_px": x + np.where(there, vectors[mark][:, 0] / mm * side, 0.0),
                    "y_px": y + np.where(there, vectors[mark][:, 1] / mm, 0.0),
                    "original_x_px": np.where(there, x, np.nan),
                    "original_y_px": np.where(there, y, np.nan),
                    "state": np.where(there, "moved", "detected"),
                }
            ).with_columns(pl.col("original_x_px", "original_y_px").fill_nan(None))
        )
    return pl.concat(parts)


def _failures(rng, number, n) -> pl.DataFrame:
    kinds = np.repeat(["failed", "refused"], [rng.binomial(n, 0.01), rng.binomial(n, 0.02)])
    return pl.DataFrame(
        {
            "image_id": [f"ff{number:02d}{row:012x}" for row in range(len(kinds))],
            "status": kinds.tolist(),
            "code": ["corrupt_image" if kind == "failed" else "not_a_cephalogram" for kind in kinds],
        },
        schema={"image_id": pl.String, "status": pl.String, "code": pl.String},
    )


def _policies(rng, ids) -> pl.DataFrame:
    n = len(ids)
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "image_id": ids,
                    "policy": ["baseline"] * n,
                    "rule": [rule] * n,
                    "severity": ["required"] * n,
                    "status": np.where(rng.random(n) < 0.04, "fail", "pass"),
                    "faults": [None] * n,
                }
            )
            for rule in ("scale", "view")
        ]
    )
