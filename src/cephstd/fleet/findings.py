"""Findings: sentences with their numbers and the films behind them, and how places are called together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cephstd.fleet.census import Census

LISTED_FILMS = 200
Kind = Literal["scale", "correction", "norms", "share", "distribution", "drift"]
Level = Literal["act", "look"]


class FleetFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something at a site, device or reviewer that differs from the others beyond chance, and by enough to matter.

    Attributes
    ----------
    kind : str
        ``scale``, ``correction``, ``norms``, ``share``, ``distribution`` or ``drift``.
    level : str
        ``act``: results are wrong or unusable until somebody acts; ``look``: somebody should look.
    subject : str
        Site, device or reviewer.
    about : str
        Measure, landmark or indicator; ``size`` for a scale.
    sentence : str
        With the numbers.
    advice : str
        What to check first.
    effect : float
        Over the least effect that counts: 1 is just enough to be said.
    since : str
        Day on which it began, YYYY-MM-DD; empty where it was always so or no date is known.
    places : tuple of str
        Site and device of each place that it is about.
    film_count : int
    films : tuple of str
        image_id of the films behind it, 200 at most.
    numbers : dict
        The sentence's numbers, by name.
    evidence : tuple of str
        What else it explains.
    """

    kind: Kind
    level: Level
    subject: str
    about: str
    sentence: str
    advice: str
    effect: float
    film_count: int
    films: tuple[str, ...]
    places: tuple[str, ...] = ()
    since: str = ""
    numbers: dict[str, float] = {}
    evidence: tuple[str, ...] = ()


class Places:
    """Which places a thing was seen at, and how to call them together.

    Parameters
    ----------
    films : DataFrame
        With site, device and place.
    """

    def __init__(self, films: pl.DataFrame) -> None:
        table = films.select("place", "site", "device").unique().sort("place")
        self._site: dict[str, str] = dict(table.select("place", "site").iter_rows())
        self._device: dict[str, str] = dict(table.select("place", "device").iter_rows())
        self._rows = films.with_row_index("film").select("film", "place", "site", "image_id")

    def site(self, place: str) -> str:
        """Site of a place."""
        return self._site[place]

    def of_site(self, site: str) -> frozenset[str]:
        """Places of a site."""
        return frozenset(place for place, found in self._site.items() if found == site)

    def bundle(self, seen: Iterable[str]) -> list[tuple[str, frozenset[str]]]:
        """Name and places of each bundle: a device model at all of its sites, a site with all its devices, a place.

        Examples
        --------
        >>> films = pl.DataFrame({"site": ["a", "a", "b"], "device": ["X", "Y", "X"], "image_id": ["1", "2", "3"]})
        >>> films = films.with_columns(place=pl.col("site") + " · " + pl.col("device"))
        >>> [name for name, _ in Places(films).bundle(["a · X", "b · X"])]
        ['X at all 2 sites that have it']
        >>> [name for name, _ in Places(films).bundle(["a · X", "a · Y"])]
        ['a']
        """
        left = set(seen)
        found: list[tuple[str, frozenset[str]]] = []
        for site in sorted(set(self._site.values())):
            group = self.of_site(site)
            if group <= left and len(group) > 1:
                found.append((site, group))
                left -= group
        for device in sorted(set(self._device.values())):
            group = frozenset(place for place, model in self._device.items() if model == device)
            if group <= left and len(group) > 1:
                found.append((f"{device} at all {len(group)} sites that have it", group))
                left -= group
        for place in sorted(left):
            alone = len(self.of_site(self._site[place])) == 1
            name = self._site[place] if alone else f"{self._site[place]} on {self._device[place]}"
            found.append((name, frozenset({place})))
        return found

    def films(self, places: Iterable[str], *, only: NDArray[np.bool_] | None = None) -> tuple[int, tuple[str, ...]]:
        """How many films, and their first ids; `only` says which films of the census count."""
        rows = self._rows.filter(pl.col("place").is_in(list(places)))
        if only is not None:
            rows = rows.filter(pl.lit(only[rows["film"].to_numpy()]))
        return len(rows), tuple(rows["image_id"].head(LISTED_FILMS).to_list())


def rank(findings: Iterable[FleetFinding]) -> tuple[FleetFinding, ...]:
    """What to act on before what to look at; in each, many films far off before few films nearly right."""
    return tuple(
        sorted(
            findings,
            key=lambda item: (item.level != "act", -item.effect * np.sqrt(max(item.film_count, 1)), item.subject),
        )
    )


def since(census: Census, day: date) -> NDArray[np.bool_]:
    """Which films are of that day or later."""
    return (census.films["day"] >= day).fill_null(False).to_numpy()
