from __future__ import annotations

import shutil

import msgspec
import pytest

from cephstd.batch.planner import plan_batch
from cephstd.batch.reanalysis import CHANGES, films_of_batch, films_of_points, name_films, reanalyze_films
from cephstd.batch.results import get_record, list_records
from cephstd.batch.runner import run_batch
from cephstd.core.landmarks import landmark_set
from cephstd.core.record import decode_record
from cephstd.export.tables import FilmPoints


@pytest.fixture
def old(archive, tmp_path, models, recipe, clock):
    out = tmp_path / "old"
    run_batch(plan_batch([archive], recipe=recipe, site_from="folder"), out, clock=clock, models=models, workers=1)
    return out


@pytest.fixture
def again(tmp_path, models, recipe, clock):
    def run(films):
        told: list = []
        other = msgspec.structs.replace(recipe, mm_per_px=0.25)
        reanalyze_films(films, tmp_path / "new", recipe=other, clock=clock, models=models, tell=told.append)
        return told

    return run


def test_every_film_has_a_successor_and_its_changes(old, again, tmp_path):
    told = again(films_of_batch(old, {}))
    assert [outcome.status for outcome in told] == ["done"] * 6
    new = tmp_path / "new"
    assert {path.stem for path in (new / CHANGES).iterdir()} == {outcome.image_id for outcome in told}
    before = {place.image_id: place for place in list_records(old)}
    for place in list_records(new):
        assert decode_record(get_record(new, place.image_id)).content.previous == before[place.image_id].record_digest
        assert place.site == before[place.image_id].site
    assert [outcome.status for outcome in again(films_of_batch(old, {}))] == ["kept"] * 6


def test_film_that_is_gone_is_said_and_can_be_named(old, again, archive, tmp_path, recipe):
    moved = tmp_path / "moved"
    shutil.move(archive / "north", moved)
    told = again(films_of_batch(old, {}))
    assert sorted(outcome.status for outcome in told) == ["done"] * 3 + ["failed"] * 3
    assert {outcome.hint for outcome in told if outcome.status == "failed"} == {
        "Name the folder of the films with --films."
    }
    named = name_films(plan_batch([moved], recipe=recipe), tmp_path / "new")
    assert sorted(outcome.status for outcome in again(films_of_batch(old, named))) == ["done"] * 3 + ["kept"] * 3


def test_points_of_another_system_serve_as_old(again, archive, tmp_path, recipe):
    named = name_films(plan_batch([archive], recipe=recipe), tmp_path / "new")
    marks = landmark_set({"S": (10, 20), "N": (16, 20), "A": (10, 29)})
    points = [FilmPoints(image_id=id, marks=marks, mm_per_px=0.5) for id in ("film0", "none")]
    told = again(films_of_points(points, named))
    assert [outcome.status for outcome in told] == ["done", "failed"]
    assert told[0].image_id in {path.stem for path in (tmp_path / "new" / CHANGES).iterdir()}


def test_name_that_two_films_share_means_neither(archive, tmp_path, recipe):
    shutil.copy(archive / "north" / "film0.png", archive / "south" / "film0.png")
    named = name_films(plan_batch([archive], recipe=recipe), tmp_path / "new")
    assert "film0" not in named
    assert "film1" in named
