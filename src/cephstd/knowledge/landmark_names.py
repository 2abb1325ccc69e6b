"""Which landmarks a measure rests on, those of constructed points included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cephstd.knowledge.formula import Formula, parse_formula
from cephstd.knowledge.loader import load_constructions, load_landmarks, load_measures


def landmarks_behind(measures: Iterable[str]) -> dict[str, frozenset[str]]:
    """Landmarks by measure; a measure that does not ship, or has no formula, is left out.

    Examples
    --------
    >>> sorted(landmarks_behind(["SNB", "my_own"])["SNB"])
    ['B', 'N', 'S']
    """
    known, landmarks, constructions = load_measures(), load_landmarks(), load_constructions()
    return {
        measure: frozenset(_behind(parse_formula(known[measure].formula, landmarks, subject=measure), constructions))
        for measure in measures
        if measure in known and known[measure].formula
    }


def _behind(formula: Formula, constructions: Mapping[str, Formula]) -> set[str]:
    names = set(formula.names)
    for name in formula.names:
        if name in constructions:
            names |= _behind(constructions[name], constructions)
    return names
