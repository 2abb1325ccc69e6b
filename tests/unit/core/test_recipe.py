from __future__ import annotations

import pytest

from cephstd.core.devices import DeviceProfile
from cephstd.core.measures import Uncertainty
from cephstd.core.recipe import Budget, NormEnlargement, Recipe, load_recipe
from cephstd.errors import InputError


def test_recipe_is_read_from_toml(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('analysis = "steiner"\nmm_per_px = 0.1\n[budget]\nmax_pixels = 1000\n')
    expected = Recipe(analysis="steiner", mm_per_px=0.1, budget=Budget(max_pixels=1000))
    assert load_recipe(path) == expected


def test_every_choice_changes_the_digest():
    base = Recipe()
    others = {
        "model": "other",
        "analysis": "steiner",
        "mm_per_px": 0.1,
        "min_score": 0.5,
        "keep_age": False,
        "keep_sex": False,
        "value_decimals": 2,
        "accepted_licences": ("CC-BY-4.0",),
        "budget": Budget(max_pixels=1),
        "norms": ("eastman",),
        "rules": (),
        "ruler_pitch_mm": 1.0,
        "scale_conflict": "ruler",
        "devices": (DeviceProfile(id="a", version="1", source="s", checked_by="c", checked_on="d"),),
        "view_gate": "report",
        "uncertainty": Uncertainty(method="monte-carlo"),
        "norms_by": "A. Reader",
        "norm_enlargements": (NormEnlargement(set="mcnamara", percent=8.0),),
    }
    # what an older recipe may hold, and only empty
    assert set(others) | {"device_scales"} == set(Recipe.__struct_fields__)
    digests = {Recipe(**{name: value}).digest for name, value in others.items()} | {base.digest}
    assert len(digests) == len(others) + 1


@pytest.mark.parametrize("text", ['analysys = "steiner"', 'mm_per_px = "0.1"', "analysis = ", "keep_age = 1"], ids=str)
def test_wrong_recipe_is_one_sentence(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(InputError, match="recipe is not valid"):
        load_recipe(path)


def test_missing_recipe_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
