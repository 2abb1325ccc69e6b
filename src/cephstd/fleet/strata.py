"""Strata: films of the same age band and sex are compared with one another; places: a device at a site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

AGE_EDGES = (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 25, 40)
"""Ages at which a new band begins: a year while people grow, wider afterwards."""
UNKNOWN = "unknown"
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """A label per film, as codes.

    Attributes
    ----------
    labels : tuple of str
    codes : ndarray of int32
        Place of each film's label in `labels`.
    """

    labels: tuple[str, ...]
    codes: Codes

    def films(self, label: str) -> NDArray[np.intp]:
        """Rows of the films with a label."""
        return np.flatnonzero(self.codes == self.labels.index(label))


def group_films(films: pl.DataFrame, column: str) -> Groups:
    """Groups by a text column, labels in alphabetical order; a null is ``unknown``."""
    labels = films[column].fill_null(UNKNOWN)
    names = tuple(sorted(labels.unique().to_list()))
    codes = labels.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int32)
    return Groups(labels=names, codes=codes)


def stratify(films: pl.DataFrame) -> Groups:
    """Groups by sex and age band, such as ``F 9`` and ``M 18-24``; what is not known is a stratum of its own.

    Examples
    --------
    >>> films = pl.DataFrame({"age_years": [9.9, 19.0, None], "sex": ["F", "M", None]})
    >>> groups = stratify(films)
    >>> [groups.labels[code] for code in groups.codes]
    ['F 9', 'M 18-24', 'unknown unknown']
    """
    band = pl.lit(_band(0))
    for place in range(len(AGE_EDGES)):
        band = pl.when(pl.col("age_years") >= AGE_EDGES[place]).then(pl.lit(_band(place + 1))).otherwise(band)
    age = pl.when(pl.col("age_years").is_null()).then(pl.lit(UNKNOWN)).otherwise(band)
    stratum = pl.concat_str(pl.col("sex").fill_null(UNKNOWN), age, separator=" ")
    return group_films(films.select(stratum=stratum), "stratum")


def _band(place: int) -> str:
    if place == 0:
        return f"under {AGE_EDGES[0]}"
    low = AGE_EDGES[place - 1]
    if place == len(AGE_EDGES):
        return f"{low} and over"
    high = AGE_EDGES[place] - 1
    return f"{low}" if low == high else f"{low}-{high}"
