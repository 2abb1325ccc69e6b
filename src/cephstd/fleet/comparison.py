"""The whole comparison of sites: counts, shares, effects, drift, corrections, and what they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cephstd.fleet.census import Census
from cephstd.fleet.corrections import Habit, find_habits
from cephstd.fleet.effects import MIN_FILMS, Effects, Layout, lay_out
from cephstd.fleet.explainer import explain
from cephstd.fleet.findings import FleetFinding, Places, rank
from cephstd.fleet.norm_use import find_norms
from cephstd.fleet.observations import Observation, measure_effects, see_differences, see_drifts
from cephstd.fleet.share_findings import explain_share_drifts, explain_shares
from cephstd.fleet.shares import Shares, count_shares
from cephstd.fleet.strata import group_films, stratify
from cephstd.knowledge.landmark_names import landmarks_behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Sites compared.

    Attributes
    ----------
    census : Census
    layout : Layout
        Places and strata.
    effects : mapping
        Effects by measure, with ``size``.
    shares : tuple of Shares
    habits : tuple of Habit
    drifts : tuple of Observation
        Changes over time that are discoveries.
    findings : tuple of FleetFinding
        Ranked.
    notes : tuple of str
        What could not be compared, and why.
    """

    census: Census
    layout: Layout
    effects: Mapping[str, Effects]
    shares: tuple[Shares, ...]
    habits: tuple[Habit, ...]
    drifts: tuple[Observation, ...]
    findings: tuple[FleetFinding, ...]
    notes: tuple[str, ...]


def compare_sites(census: Census) -> Comparison:
    """Compare all sites and devices, stratified by age band and sex, and rank what differs.

    Parameters
    ----------
    census : Census

    Returns
    -------
    Comparison
    """
    layout = lay_out(group_films(census.films, "place"), stratify(census.films))
    places = Places(census.films)
    effects = measure_effects(census, layout)
    drifts = see_drifts(census, effects, layout)
    seen = [*see_differences(effects, layout), *drifts]
    habits = find_habits(census)
    shares = tuple(count_shares(census))
    found = explain(census, effects, seen, habits, landmarks_behind(census.measures))
    corrections = [item for item in found if item.kind == "correction"]
    found += explain_shares(census, places, shares, corrections)
    found += explain_share_drifts(census, places, [item for item in drifts if item.sort == "share drift"])
    found += find_norms(census)
    return Comparison(
        census=census,
        layout=layout,
        effects=effects,
        shares=shares,
        habits=tuple(habits),
        drifts=tuple(drifts),
        findings=rank(found),
        notes=tuple(_notes(census, layout, effects)),
    )


def _notes(census: Census, layout: Layout, effects: Mapping[str, Effects]) -> list[str]:
    notes = []
    if not effects:
        notes.append("No measure could be compared: it takes three places that share an age band and sex.")
    small = [
        label
        for row, label in enumerate(layout.places.labels)
        if layout.cells[row, -1] - layout.cells[row, 0] < MIN_FILMS
    ]
    if small:
        notes.append(f"Fewer than {MIN_FILMS} films, not compared: {', '.join(small)}.")
    undated = int(census.films["day"].is_null().sum())
    if undated:
        notes.append(f"{undated} films have no date and take no part in what is said about time.")
    strangers = int((census.films["age_years"].is_null() | census.films["sex"].is_null()).sum())
    if strangers:
        notes.append(f"{strangers} films without age or sex are compared among themselves alone.")
    return notes
