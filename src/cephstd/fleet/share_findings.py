"""Findings on shares: sites and devices beyond their control limits, and shares that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.census import Census
from cephstd.fleet.findings import LISTED_FILMS, FleetFinding, Places, since
from cephstd.fleet.observations import Observation
from cephstd.fleet.rates import discover
from cephstd.fleet.shares import INDICATORS, Shares

LEAST_SHARE = 0.05
"""Smallest difference of a share that counts."""
CHANCE = 0.002
"""Two-sided p value of the control limits that a sentence states."""
SERIOUS = frozenset({"undated", "flipped"})
ADVICE = {
    "failed": "Look at the codes in the table failures.",
    "refused": "See what the site sends: photographs and panoramics belong elsewhere.",
    "non_diagnostic": "Look at exposure and positioning on this device.",
    "uncalibrated": "State the scale of this device, or have it written into the files.",
    "undated": "Have the acquisition date exported; without it neither drift nor the age of a film can be checked.",
    "flipped": "Ask whether an export or a scanner mirrors the films, and whether right and left are still right.",
    "late": "Look at how films reach their reviewers.",
}


def explain_shares(
    census: Census, places: Places, shares: Sequence[Shares], habits: Iterable[FleetFinding]
) -> Iterator[FleetFinding]:
    """Findings on shares: of a site, or of one device where the site's other devices are like all others.

    A correction rate that a reviewer's habit explains is left out.
    """
    explained = {(item.subject.partition(" at ")[2], f"correction:{item.about}") for item in habits}
    flagged = discover(np.concatenate([part.p_values for part in shares])) if shares else np.empty(0, dtype=bool)
    by_key: dict[str, dict[str, tuple[Shares, list[str]]]] = {}
    start = 0
    for part in shares:
        real = flagged[start : start + len(part.groups)]
        start += len(part.groups)
        apart = part.shares - part.expected
        far = (np.abs(apart) if part.either_way else apart) >= LEAST_SHARE
        groups = [group for group, hit in zip(part.groups, real & far, strict=True) if hit]
        by_key.setdefault(part.key, {})[part.by] = (part, groups)
    for key, found in by_key.items():
        said = {site for site, about in explained if about == key}
        if "place" in found:
            part, odd = found["place"]
            said |= {places.site(place) for place in odd}
            for name, group in places.bundle(odd):
                yield _share(census, places, part, name, sorted(group))
        whole, sites = found[SITE_COLUMN]
        for site in sites:
            if site not in said:
                yield _share(census, places, whole, site, [site])


def _share(census: Census, places: Places, part: Shares, name: str, groups: Sequence[str]) -> FleetFinding:
    at = [part.groups.index(group) for group in groups]
    hits, of = float(part.hits[at].sum()), float(part.of[at].sum())
    low, high = part.limits(np.array([of]), CHANCE)
    share = hits / of
    condition = next((item.condition for item in INDICATORS if item.key == part.key), None)
    if condition is not None:
        only = census.films.select(hit=condition.fill_null(False))["hit"].to_numpy()
        group = groups if part.by == "place" else places.of_site(groups[0])
        count, films = places.films(group, only=only)
    else:
        count, films = _table_films(census, part, groups[0])
    return FleetFinding(
        kind="share",
        level="act" if part.key in SERIOUS or share >= 0.5 else "look",
        subject=name,
        about=part.key,
        sentence=f"At {name}, {100 * share:.0f} % of films are {part.label} ({hits:.0f} of {of:.0f}); the middle "
        f"{'site' if part.by == SITE_COLUMN else 'place'} has {100 * part.expected:.0f} %, and chance allows "
        f"{100 * low[0]:.0f} to {100 * high[0]:.0f} %.",
        advice=ADVICE.get(part.key, "Look at some of these films, and ask the site how it works."),
        effect=abs(share - part.expected) / LEAST_SHARE,
        film_count=count,
        films=films,
        places=tuple(groups) if part.by == "place" else tuple(sorted(places.of_site(groups[0]))),
        numbers={"share": share, "hits": hits, "of": of, "expected": part.expected},
    )


def _table_films(census: Census, part: Shares, site: str) -> tuple[int, tuple[str, ...]]:
    """Films behind a share that is counted in another table than that of the films."""
    kind, _, about = part.key.partition(":")
    if kind == "policy":
        rows = census.policies.filter(
            (pl.col(SITE_COLUMN) == site)
            & (pl.col("status") == "fail")
            & (pl.concat_str("policy", "rule", separator=".") == about)
        )
    elif kind == "correction":
        moved = census.corrections.filter(pl.col("landmark") == about).select("film")
        rows = moved.join(census.films.with_row_index("film"), on="film").filter(pl.col(SITE_COLUMN) == site)
    else:
        wanted = pl.col("status") == "refused" if kind == "refused" else pl.col("status") != "refused"
        rows = census.failures.filter((pl.col(SITE_COLUMN) == site) & wanted)
    return len(rows), tuple(rows["image_id"].head(LISTED_FILMS).to_list())


def explain_share_drifts(census: Census, places: Places, seen: Sequence[Observation]) -> Iterator[FleetFinding]:
    labels = {item.key: item.label for item in INDICATORS}
    for key in sorted({item.about for item in seen}):
        items = {item.place: item for item in seen if item.about == key}
        for name, group in places.bundle(items):
            drift = max((items[place] for place in group), key=lambda item: abs(item.value)).drift
            if drift is None:
                continue
            count, films = places.films(group, only=since(census, drift.began))
            yield FleetFinding(
                kind="drift",
                level="look",
                subject=name,
                about=key,
                sentence=f"At {name}, {100 * drift.after:.0f} % of films are {labels[key]} since {drift.began}; "
                f"before, it was {100 * drift.before:.0f} %. {count} films since then.",
                advice=ADVICE.get(key, "Ask what changed on that day."),
                effect=abs(drift.step) / LEAST_SHARE,
                film_count=count,
                films=films,
                places=tuple(sorted(group)),
                since=str(drift.began),
                numbers={"before": drift.before, "after": drift.after},
            )
