from __future__ import annotations

import msgspec
import pytest

from cephstd.core.recipe import Budget, DeviceScale, Recipe
from cephstd.errors import InputError, UnknownAnalysisError
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.reanalyzer import MEASURING_CHOICES, needs_film, remeasure

NOW, LATER = "2025-04-16T09:30:00Z", "2026-04-16T09:30:00Z"


def test_only_choices_about_measures_leave_the_film_alone():
    others = {
        "model": "other",
        "analysis": "steiner",
        "mm_per_px": 0.1,
        "min_score": 0.5,
        "keep_age": False,
        "value_decimals": 2,
        "budget": Budget(max_pixels=1),
        "device_scales": (DeviceScale(model="C", mm_per_px=0.1),),
    }
    for name, value in others.items():
        assert needs_film(Recipe(), Recipe(**{name: value})) is (name not in MEASURING_CHOICES), name
    assert not needs_film(Recipe(), Recipe())


def test_successor_has_the_content_that_the_film_would_give(oracle, stated, film_file):
    other = msgspec.structs.replace(stated, analysis="downs", value_decimals=1)
    first = Analyzer(stated)(film_file, created=NOW).record
    again = remeasure(first, other, created=LATER)
    whole = Analyzer(other)(film_file, created=NOW, previous=first).record
    assert again.content == whole.content
    assert again.content.previous == first.record_digest
    assert (again.run.created, again.run.provider_ran) == (LATER, first.run.provider_ran)


def test_recipe_that_asks_for_more_is_refused(oracle, stated, film_file):
    first = Analyzer(stated)(film_file, created=NOW).record
    with pytest.raises(InputError, match="measures alone"):
        remeasure(first, msgspec.structs.replace(stated, mm_per_px=0.4), created=LATER)
    with pytest.raises(UnknownAnalysisError):
        remeasure(first, msgspec.structs.replace(stated, analysis="none"), created=LATER)
