"""The only place that knows how tables lie on disk: films, values and corrections of all sites, read site by site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cephstd.core.tables import (
    FAILURE_TABLE,
    FILM_TABLE,
    LANDMARK_TABLE,
    MEASUREMENT_TABLE,
    POLICY_TABLE,
    SITE_COLUMN,
    Column,
)
from cephstd.errors import InputError

TABLES = "tables"
KINDS: dict[str, type[pl.DataType]] = {"text": pl.String, "number": pl.Float64, "count": pl.Int64, "flag": pl.Boolean}
FILM_COLUMNS = (
    *("image_id", "created", "date", "manufacturer", "device", "age_years", "sex", "calibration_basis", "row_mm"),
    *("column_mm", "quality", "flipped", "review", "reviewed_at", "reviewer", "signed_at", "outside_intended_use"),
    "norm_sets",
)
LANDMARK_COLUMNS = ("image_id", "landmark", "x_px", "y_px", "original_x_px", "original_y_px")
NO_DEVICE = "unstated device"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Everything that is compared.

    Attributes
    ----------
    films : DataFrame
        One row per film, by site: `FILM_COLUMNS`, site, place (site and device in one text), day (a date or null),
        reviewed_on.
    measures : tuple of str
        Ids, sorted.
    units : tuple of str
        Unit of each measure.
    values : ndarray of float32, shape (measures, films)
        NaN where a film has no value: the matrix never leaves this package.
    corrections : DataFrame
        One row per landmark that a person moved: film (row of `films`), landmark, forward_mm and down_mm (new minus
        machine's, null without a scale), forward_px, down_px.
    failures : DataFrame
        site, image_id, status, code.
    policies : DataFrame
        site, image_id, policy, rule, severity, status.
    """

    films: pl.DataFrame
    measures: tuple[str, ...]
    units: tuple[str, ...]
    values: NDArray[np.float32]
    corrections: pl.DataFrame
    failures: pl.DataFrame
    policies: pl.DataFrame


def find_tables(folder: str | Path) -> Path:
    """The folder with the tables: `folder` itself, or ``tables`` in the output of a batch.

    Raises
    ------
    InputError
        When neither holds a table of films.
    """
    top = Path(folder)
    for place in (top / TABLES, top):
        if any((place / "films").glob(f"{SITE_COLUMN}=*/*.parquet")):
            return place
    raise InputError(
        "Expected the output folder of a batch, or its tables, with films/site=NAME/*.parquet; found none.",
        hint="Name the DIR of 'cephstd batch --out DIR'.",
    )


def read_census(folder: str | Path) -> Census:
    """Read the tables of all sites.

    Parameters
    ----------
    folder : str or Path
        Output folder of a batch, or its folder of tables.

    Raises
    ------
    InputError
        When there are no tables, or they cannot be read.
    """
    tables = find_tables(folder)
    sites = sorted(unquote(place.name.partition("=")[2]) for place in (tables / "films").glob(f"{SITE_COLUMN}=*"))
    try:
        films = [_read_films(tables, site) for site in sites]
        blocks = [_read_values(tables, site, found) for site, found in zip(sites, films, strict=True)]
        starts = np.cumsum([0, *(len(found) for found in films)])
        corrections = [
            _read_corrections(tables, site, found, int(start))
            for site, found, start in zip(sites, films, starts, strict=False)
        ]
        failures = read_rows(tables, "failures", FAILURE_TABLE, ("image_id", "status", "code"))
        policies = read_rows(
            tables, "policies", POLICY_TABLE, ("image_id", "policy", "rule", "severity", "status", "faults")
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"The tables cannot be read: {str(error).splitlines()[0]:.200}") from error
    units = {measure: unit for _, found in blocks for measure, unit in found.items()}
    measures = tuple(sorted(units))
    values = np.full((len(measures), int(starts[-1])), np.nan, dtype=np.float32)
    rows = {measure: row for row, measure in enumerate(measures)}
    for (block, found), start in zip(blocks, starts, strict=False):
        for matrix_row, measure in zip(block, found, strict=True):
            values[rows[measure], start : start + block.shape[1]] = matrix_row
    return Census(
        films=pl.concat(films),
        measures=measures,
        units=tuple(units[measure] for measure in measures),
        values=values,
        corrections=pl.concat(corrections),
        failures=failures,
        policies=policies,
    )


def read_rows(tables: Path, table: str, columns: tuple[Column, ...], wanted: tuple[str, ...]) -> pl.DataFrame:
    """Columns of one table with the site of each row; without rows where there is no such table."""
    found = [
        _scan(tables, table, unquote(place.name.partition("=")[2]), columns, wanted).collect()
        for place in sorted((tables / table).glob(f"{SITE_COLUMN}=*"))
    ]
    if found:
        return pl.concat(found)
    return pl.DataFrame(schema={**_schema(columns, wanted), SITE_COLUMN: pl.String})


def _schema(columns: tuple[Column, ...], wanted: tuple[str, ...]) -> dict[str, type[pl.DataType]]:
    kinds = {column.name: KINDS[column.kind] for column in columns}
    return {name: kinds[name] for name in wanted}


def _scan(tables: Path, table: str, site: str, columns: tuple[Column, ...], wanted: tuple[str, ...]) -> pl.LazyFrame:
    """Columns of a site's rows; a column that the files lack, since they are older, is null."""
    paths = sorted((tables / table / f"{SITE_COLUMN}={quote(site, safe='')}").glob("*.parquet"))
    schema = _schema(columns, wanted)
    if not paths:
        return pl.LazyFrame(schema={**schema, SITE_COLUMN: pl.String})
    found = pl.scan_parquet(paths, hive_partitioning=False, missing_columns="insert")
    there = found.collect_schema().names()
    return found.select(
        *((pl.col(name) if name in there else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()),
        pl.lit(site).alias(SITE_COLUMN),
    )


def _read_films(tables: Path, site: str) -> pl.DataFrame:
    device = pl.concat_str("manufacturer", "device", separator=" ", ignore_nulls=True)
    found = (
        _scan(tables, "films", site, FILM_TABLE, FILM_COLUMNS)
        .with_columns(
            device=pl.when(device == "").then(pl.lit(NO_DEVICE)).otherwise(device),
            day=_day(pl.col("date")),
            reviewed_on=_day(pl.col("reviewed_at").str.slice(0, 10)),
        )
        .with_columns(place=pl.concat_str(SITE_COLUMN, "device", separator=" · "))
        .collect()
    )
    if found["image_id"].is_duplicated().any():
        raise InputError(f"Expected each film of the site {site!r} once in the table of films, found one twice.")
    return found


def _day(text: pl.Expr) -> pl.Expr:
    """A date from YYYY-MM-DD or YYYYMMDD; what is neither is none."""
    return pl.coalesce(text.str.to_date("%Y-%m-%d", strict=False), text.str.to_date("%Y%m%d", strict=False))


def _read_values(tables: Path, site: str, films: pl.DataFrame) -> tuple[NDArray[np.float32], dict[str, str]]:
    """Values of a site as a matrix (measures, films), with the measures and their units."""
    rows = (
        _scan(tables, "measurements", site, MEASUREMENT_TABLE, ("image_id", "measure", "value", "unit"))
        .filter(pl.col("value").is_not_null())
        .with_columns(pl.col("value").cast(pl.Float32), pl.col("measure").cast(pl.Categorical))
        .collect()
    )
    # a batch writes film by film: runs of one image_id are looked up, not rows
    runs = rows.select(run=pl.col("image_id").rle()).unnest("run").rename({"value": "image_id"})
    index = films.select("image_id").with_row_index("film").with_columns(pl.col("film").cast(pl.Int64))
    found = runs.join(index, on="image_id", how="left", maintain_order="left")["film"].fill_null(-1)
    film = np.repeat(found.to_numpy(), runs["len"].to_numpy())
    codes = rows["measure"].to_physical().to_numpy()
    # the first row of each measure tells its name and unit
    first = np.full(int(codes.max()) + 1 if len(codes) else 0, -1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    seen = rows.select("measure", "unit")[first[first >= 0]]
    seen = seen.select(pl.col("measure").cast(pl.String), pl.col("unit").fill_null(""))
    units = dict(seen.sort("measure").iter_rows())
    places = np.zeros(len(first), dtype=np.intp)
    places[np.flatnonzero(first >= 0)] = np.argsort(np.argsort(seen["measure"].to_numpy()))
    known = film >= 0
    block = np.full((len(units), len(films)), np.nan, dtype=np.float32)
    block[places[codes[known]], film[known]] = rows["value"].to_numpy()[known]
    return block, units


def _read_corrections(tables: Path, site: str, films: pl.DataFrame, start: int) -> pl.DataFrame:
    """Vectors of the site's moved points; forward is where the face looks."""
    index = films.select("image_id", "row_mm", "column_mm", "flipped").with_row_index("film", offset=start)
    forward = pl.when(pl.col("flipped").fill_null(False)).then(-1.0).otherwise(1.0)
    return (
        _scan(tables, "landmarks", site, LANDMARK_TABLE, LANDMARK_COLUMNS)
        .filter(pl.col("original_x_px").is_not_null() & pl.col("x_px").is_not_null())
        .join(index.lazy(), on="image_id", how="inner")
        .select(
            "film",
            "landmark",
            forward_px=(pl.col("x_px") - pl.col("original_x_px")) * forward,
            down_px=pl.col("y_px") - pl.col("original_y_px"),
            forward_mm=(pl.col("x_px") - pl.col("original_x_px")) * forward * pl.col("column_mm"),
            down_mm=(pl.col("y_px") - pl.col("original_y_px")) * pl.col("row_mm"),
        )
        .collect()
    )
