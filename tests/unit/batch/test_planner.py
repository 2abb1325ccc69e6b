from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cephstd.batch.planner import load_sites, plan_batch
from cephstd.core.devices import DeviceProfile
from cephstd.core.recipe import Recipe
from cephstd.errors import InputError


def found(plan, top: Path) -> list[tuple[str, str]]:
    return [(Path(film.path).relative_to(top).as_posix(), film.site) for film in plan.films]


def test_folder_names_the_site_only_when_it_was_said_so(archive, recipe):
    (archive / "note.txt").write_text("no film")
    (archive / "film9.png").write_bytes(b"at the top, of no folder")
    plan = plan_batch([archive], recipe=recipe)
    assert {film.site for film in plan.films} == {"all"}
    assert plan.skipped == 1
    sites = dict(found(plan_batch([archive], recipe=recipe, site_from="folder"), archive))
    assert (sites["north/film0.png"], sites["south/film1.png"], sites["film9.png"]) == ("north", "south", "unnamed")


def test_glob_names_files_and_takes_the_site_below_its_fixed_part(archive, recipe):
    plan = plan_batch([str(archive / "*" / "film[0-3].png")], recipe=recipe, site_from="folder")
    assert found(plan, archive) == [
        ("north/film0.png", "north"),
        ("north/film2.png", "north"),
        ("south/film1.png", "south"),
        ("south/film3.png", "south"),
    ]
    assert len(plan_batch([str(archive / "**" / "*.png")], recipe=recipe).films) == 6


def test_a_file_named_twice_is_one_film(archive, recipe):
    assert len(plan_batch([archive, archive / "north" / "film0.png"], recipe=recipe).films) == 6


def test_manifest_gives_site_and_facts(archive, recipe):
    manifest = archive / "list.csv"
    manifest.write_text("path,site,age,sex,date\nnorth/film0.png,east,12,F,2019-01-02\nsouth/film1.png,,,,\n")
    plan = plan_batch([manifest], recipe=recipe)
    assert found(plan, archive) == [("north/film0.png", "east"), ("south/film1.png", "unnamed")]
    assert (plan.films[0].age_years, plan.films[0].sex, plan.films[0].date) == (12, "F", "2019-01-02")
    by_folder = plan_batch([manifest], recipe=recipe, site_from="folder")
    assert [film.site for film in by_folder.films] == ["north", "south"]
    with pytest.raises(InputError, match="no manifest"):
        plan_batch([archive], recipe=recipe, site_from="manifest")


def test_each_site_has_its_recipe(archive, recipe, tmp_path):
    (tmp_path / "south.toml").write_text('model = "tiny"\nanalysis = "wits"\n')
    (tmp_path / "sites.toml").write_text(
        '[sites.south]\nrecipe = "south.toml"\nmm_per_px = 0.2\n'
        '[[sites.north.devices]]\nid = "n"\nversion = "1"\nmanufacturer = "Acme"\nmm_per_px = 0.3\n'
        'source = "phantom"\nchecked_by = "A. P."\nchecked_on = "2026-01-15"\n'
    )
    sites = load_sites(tmp_path / "sites.toml", recipe)
    plan = plan_batch([archive], recipe=recipe, sites=sites, site_from="folder")
    chosen = {film.site: plan.recipes[film.recipe] for film in plan.films}
    assert chosen["south"] == Recipe(model="tiny", analysis="wits", mm_per_px=0.2)
    said = {"version": "1", "source": "phantom", "checked_by": "A. P.", "checked_on": "2026-01-15"}
    assert chosen["north"].devices == (DeviceProfile(id="n", manufacturer="Acme", mm_per_px=0.3, **said),)
    assert chosen["north"].mm_per_px == recipe.mm_per_px


@pytest.mark.parametrize("text", ["[sites.a]\nscale = 1", "[site.a]", "[sites.a", '[sites.a]\nrecipe = "absent.toml"'])
def test_wrong_file_of_sites_is_one_sentence(tmp_path, recipe, text):
    (tmp_path / "sites.toml").write_text(text)
    with pytest.raises(InputError):
        load_sites(tmp_path / "sites.toml", recipe)
    with pytest.raises(InputError, match="cannot be read"):
        load_sites(tmp_path / "none.toml", recipe)


def test_no_film_is_an_error(tmp_path, recipe):
    with pytest.raises(InputError, match="at least one film"):
        plan_batch([tmp_path], recipe=recipe)


def test_films_of_an_archive_are_planned_one_by_one(tmp_path, recipe):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as packed:
        for name in ("one/a.png", "two/b.png", "notes.txt"):
            packed.writestr(name, b"x")
    inside = [str(tmp_path / "films.zip" / name) for name in ("one/a.png", "two/b.png")]
    assert [film.path for film in plan_batch([tmp_path / "films.zip"], recipe=recipe).films] == inside
    assert [film.path for film in plan_batch([tmp_path], recipe=recipe).films] == inside
    by_folder = plan_batch([tmp_path / "films.zip"], recipe=recipe, site_from="folder")
    assert [film.site for film in by_folder.films] == ["one", "two"]
