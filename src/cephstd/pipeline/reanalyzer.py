"""Measures recorded points anew under another recipe, without the film."""

from __future__ import annotations

from datetime import datetime

from cephstd.audit.recorder import record_measures
from cephstd.core.landmarks import LandmarkSet
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record
from cephstd.errors import InputError
from cephstd.geometry.measurer import Measurer

MEASURING_CHOICES = frozenset({"analysis", "value_decimals", "accepted_licences", "norms", "rules"})
"""Choices of a recipe that bear on values alone: with the others the same, the points stay the same."""


def needs_film(old: Recipe, new: Recipe) -> bool:
    """Whether more than the measures can change between two recipes, so that the film has to be read again.

    >>> needs_film(Recipe(), Recipe(analysis="steiner")), needs_film(Recipe(), Recipe(mm_per_px=0.1))
    (False, True)
    """
    changed = {name for name in Recipe.__struct_fields__ if getattr(old, name) != getattr(new, name)}
    return not changed <= MEASURING_CHOICES


def remeasure(record: Record, recipe: Recipe, *, created: datetime | str) -> Record:
    """Successor of a record with the measures of another recipe, from the recorded points and scale.

    Parameters
    ----------
    record : Record
    recipe : Recipe
        Differs from the recorded one in choices that bear on measures alone (`needs_film` is false).
    created : datetime or str
        When, from the caller's clock, with its time zone.

    Returns
    -------
    Record
        The content that an analysis of the film under `recipe` gives, but for its predecessor.

    Raises
    ------
    InputError
        When the recipe asks for more than other measures.
    DefinitionError
        When the analysis is unknown.
    """
    content = record.content
    if needs_film(content.recipe, recipe):
        raise InputError("Expected a recipe that changes measures alone.", hint="Analyse the film under this recipe.")
    marks = LandmarkSet(landmarks=content.landmarks, scheme=content.scheme)
    values = Measurer(recipe.analysis)(marks, content.calibration)
    return record_measures(record, values, recipe=recipe, created=created)
