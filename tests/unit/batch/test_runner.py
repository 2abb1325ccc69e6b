from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import poison_worker
import polars as pl
import pytest
from film_files import encode

from cephstd.audit.verifier import verify
from cephstd.batch import runner
from cephstd.batch.planner import load_sites, plan_batch
from cephstd.batch.pool import Pool
from cephstd.batch.results import get_record, list_records
from cephstd.core.record import decode_record
from cephstd.errors import InputError, ModelError, UnknownModelError
from cephstd.pipeline.analyzer import Analyzer


class Batch:
    """Runs over one archive into one folder."""

    def __init__(self, archive: Path, out: Path, models: Path, clock) -> None:
        self.archive, self.out, self.models, self.clock = archive, out, models, clock
        self.told: list = []

    def __call__(self, recipe, **options):
        self.told = []
        plan = plan_batch([self.archive], recipe=recipe, site_from="folder", sites=options.pop("sites", None))
        options = {"workers": 1, "tell": self.told.append, **options}
        return runner.run_batch(plan, self.out, clock=self.clock, models=self.models, **options)

    def table(self, name: str) -> pl.DataFrame:
        return pl.scan_parquet(self.out / "tables" / name / "**" / "*.parquet", hive_partitioning=True).collect()

    @property
    def lines(self) -> list[bytes]:
        return [line for path in sorted(self.out.glob("records/*.jsonl")) for line in path.read_bytes().splitlines()]


@pytest.fixture
def batch(archive, tmp_path, models, clock):
    return Batch(archive, tmp_path / "out", models, clock)


@pytest.fixture
def harmful(monkeypatch):
    """Workers that films can harm."""
    monkeypatch.setattr(runner, "Pool", functools.partial(Pool, body=poison_worker.work))


def add_film(archive: Path, name: str, number: int) -> None:
    y, x = np.mgrid[0:60, 0:48]
    pixels = (90 + 50 * np.sin(x / 7) + 30 * np.cos(y / 5 + number)).astype(np.uint8)
    pixels[20, 10 + number] = 255
    (archive / "north" / name).write_bytes(encode(".png", pixels))


def test_each_film_gives_the_record_that_analyze_gives(batch, archive, recipe, models, clock):
    summary = batch(recipe, workers=2)
    assert summary.counts["done"] == summary.films == summary.records == 6
    analyzer = Analyzer(recipe, models=models, threads=1)
    alone = {analyzer(path, created=clock()).record.result_digest for path in archive.glob("*/*.png")}
    assert {decode_record(line).result_digest for line in batch.lines} == alone
    assert all(verify(line).level == "intact" for line in batch.lines)
    films = batch.table("films")
    assert Counter(films["site"]) == {"north": 3, "south": 3}
    assert set(films["record_digest"]) == {place.record_digest for place in list_records(batch.out)}


def test_second_run_does_nothing(batch, recipe, monkeypatch):
    batch(recipe)
    before = {path: path.read_bytes() for path in batch.out.rglob("*.parquet")} | {0: batch.lines}
    monkeypatch.setattr(runner, "Pool", lambda *_, **__: pytest.fail("a worker was started"))
    summary = batch(recipe)
    assert summary.counts["kept"] == 6
    assert {path: path.read_bytes() for path in batch.out.rglob("*.parquet")} | {0: batch.lines} == before


def test_new_film_is_the_only_work_of_the_next_run(batch, archive, recipe):
    batch(recipe)
    add_film(archive, "new.png", 1)
    summary = batch(recipe)
    assert (summary.counts["done"], summary.counts["kept"]) == (1, 6)


def test_other_measures_are_taken_from_the_recorded_points(batch, archive, recipe, models, clock):
    batch(recipe)
    first = {decode_record(line).record_digest for line in batch.lines}
    for path in archive.glob("*/*.png"):  # the film must not be needed
        state = path.stat()
        path.write_bytes(b"x" * state.st_size)
        import os

        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    summary = batch(msgspec.structs.replace(recipe, analysis="downs"))
    assert summary.counts["done"] == 6
    films = batch.table("films")
    assert set(films["previous"]) == first
    assert set(films["analysis"]) == {"downs"}
    assert len(films) == len(set(films["image_id"])) == 6
    assert len(batch.lines) == 12


def test_former_recipe_needs_no_new_record(batch, recipe):
    batch(recipe)
    batch(msgspec.structs.replace(recipe, mm_per_px=0.25))
    assert set(batch.table("films")["row_mm"]) == {0.25}
    assert batch(recipe).counts["kept"] == 6
    assert set(batch.table("films")["row_mm"]) == {0.5}
    assert len(batch.table("measurements")) == 6 * len(decode_record(batch.lines[0]).content.measures)


def test_only_the_site_whose_recipe_changed_is_computed_anew(batch, recipe, tmp_path):
    batch(recipe)
    (tmp_path / "sites.toml").write_text("[sites.south]\nmm_per_px = 0.2\n")
    summary = batch(recipe, sites=load_sites(tmp_path / "sites.toml", recipe))
    assert summary.sites == {"north": {"kept": 3}, "south": {"done": 3}}
    assert set(batch.table("films").filter(pl.col("site") == "south")["row_mm"]) == {0.2}


def test_failure_is_a_row_and_refusal_is_none(batch, archive, recipe):
    (archive / "north" / "cut.png").write_bytes((archive / "north" / "film0.png").read_bytes()[:200])
    colour = np.zeros((40, 40, 3), np.uint8)
    colour[:, :, 2] = 200
    (archive / "south" / "photo.png").write_bytes(encode(".png", colour))
    (archive / "south" / "empty.png").write_bytes(b"")
    summary = batch(recipe)
    assert {status: count for status, count in summary.counts.items() if count} == {
        "done": 6,
        "refused": 1,
        "failed": 2,
    }
    rows = {row["code"]: row for row in batch.table("failures").to_dicts()}
    assert (rows["not_acephalogram"]["status"], rows["not_acephalogram"]["site"]) == ("refused", "south")
    assert rows["corrupt_image"]["status"] == "failed"
    assert all(row["message"] for row in rows.values())
    again = batch(recipe)
    assert (again.counts["refused"], again.counts["failed"], again.counts["done"]) == (1, 2, 0)
    assert batch(recipe, retry=True).counts["failed"] == 2
    assert len(batch.table("failures")) == 3


def test_failure_goes_when_the_file_is_repaired(batch, archive, recipe):
    path = archive / "north" / "late.png"
    path.write_bytes(b"")
    assert batch(recipe).counts["failed"] == 1
    add_film(archive, "late.png", 2)
    assert batch(recipe).counts["done"] == 1
    assert not list(batch.out.glob("tables/failures/*/*.parquet"))


def test_copies_are_told_and_analysed_once(batch, archive, recipe):
    film = archive / "north" / "film0.png"
    (archive / "south" / "copy.png").write_bytes(film.read_bytes())
    import cv2

    pixels = cv2.imread(str(film), cv2.IMREAD_GRAYSCALE)
    (archive / "south" / "other.bmp").write_bytes(encode(".bmp", pixels))
    summary = batch(recipe)
    assert (summary.counts["done"], summary.counts["duplicate"]) == (7, 1)
    assert [len(group) for group in summary.duplicates] == [2]


def test_harmful_films_are_contained(batch, archive, recipe, harmful):
    for number, name in enumerate(("segfault.png", "hungry.png", "faulty.png", "once.png")):
        add_film(archive, name, number)
    summary = batch(recipe, workers=2)
    assert {status: count for status, count in summary.counts.items() if count} == {
        "done": 7,
        "quarantined": 2,
        "failed": 1,
    }
    failed = {outcome.code: outcome for outcome in batch.told if outcome.code}
    assert set(failed) == {"worker_died", "out_of_memory", "internal"}
    assert "signal 11" in failed["worker_died"].message
    assert "Jane" not in failed["internal"].message
    attempts = dict(batch.table("failures").select("code", "attempts").iter_rows())
    assert (attempts["worker_died"], attempts["out_of_memory"]) == (3, 1)


def test_film_that_hangs_is_put_aside(batch, recipe, monkeypatch):
    monkeypatch.setattr(runner, "Pool", functools.partial(Pool, body=poison_worker.stall))
    summary = batch(recipe, workers=2, timeout_s=0.3)
    assert summary.counts["quarantined"] == 6
    assert {outcome.code for outcome in batch.told} == {"timeout"}
    monkeypatch.setattr(runner, "Pool", lambda *_, **__: pytest.fail("a worker was started"))
    assert batch(recipe).counts["quarantined"] == 6


def test_workers_that_cannot_live_end_the_run(batch, recipe, monkeypatch):
    monkeypatch.setattr(runner, "Pool", functools.partial(Pool, body=poison_worker.die))
    with pytest.raises(ModelError, match="end before they can work"):
        batch(recipe)


def test_model_that_is_not_there_ends_the_run(batch, recipe, models, tmp_path):
    with pytest.raises(UnknownModelError):
        batch(msgspec.structs.replace(recipe, model="none"))
    lame = tmp_path / "lame"
    lame.mkdir()
    (lame / "manifest.toml").write_bytes((models / "manifest.toml").read_bytes())
    batch.models = lame
    with pytest.raises(ModelError, match="weights"):
        batch(recipe)


def test_two_runs_never_share_a_folder(batch, recipe):
    lock = runner.RunLock(batch.out / "local")
    with pytest.raises(InputError, match="Another run"):
        batch(recipe)
    lock.close()


def test_film_that_changes_during_the_run_is_not_recorded_as_another(batch, archive, recipe, monkeypatch):
    victim = archive / "north" / "film0.png"
    identify = runner.Identifier.__call__

    def change(self, path, budget):
        known = identify(self, path, budget)
        if path == str(victim):
            add_film(archive, "film0.png", 3)
        return known

    monkeypatch.setattr(runner.Identifier, "__call__", change)
    summary = batch(recipe)
    assert (summary.counts["failed"], summary.counts["done"]) == (1, 5)
    monkeypatch.undo()
    assert batch(recipe).counts["done"] == 1


def test_what_is_done_is_counted_without_reading(batch, archive, recipe, models):
    plan = plan_batch([archive], recipe=recipe, site_from="folder")
    assert runner.count_done(plan, batch.out, models=models) == {"north": 0, "south": 0}
    assert not batch.out.exists()
    batch(recipe)
    add_film(archive, "new.png", 1)
    assert runner.count_done(plan, batch.out, models=models) == {"north": 3, "south": 3}


def test_no_path_or_name_leaves_the_local_folder(batch, archive, recipe):
    (archive / "Jane_Roe").mkdir()
    (archive / "north" / "film0.png").rename(archive / "Jane_Roe" / "Roe_Jane_1999.png")
    (archive / "Jane_Roe" / "Roe_Jane_cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    plan = plan_batch([archive], recipe=recipe)
    told: list = []
    runner.run_batch(plan, batch.out, clock=batch.clock, models=batch.models, workers=1, tell=told.append)
    assert len(told) == 7
    texts = [msgspec.json.encode(told)]
    texts += [path.read_bytes() for path in batch.out.rglob("*") if path.is_file() and path.parent.name != "local"]
    tables = [json.dumps(batch.table(name).to_dicts()).encode() for name in ("films", "failures")]
    assert not [text for text in (*texts, *tables) if b"Roe" in text or b"archive" in text]


def test_manifest_facts_reach_record_and_table(batch, archive, recipe, models, clock):
    manifest = archive / "list.csv"
    key = "ab" * 16
    manifest.write_text(
        f"path,site,pseudonym,age,sex,date,attributes\nnorth/film0.png,east,{key},12.5,F,2019-01-02,arm A\n"
    )
    plan = plan_batch([manifest], recipe=recipe)
    runner.run_batch(plan, batch.out, clock=clock, models=models, workers=1)
    (row,) = batch.table("films").to_dicts()
    assert (row["site"], row["subject"], row["age_years"], row["sex"]) == ("east", key, 12.5, "F")
    assert (row["date"], row["attributes"]) == ("2019-01-02", "arm A")
    subject = decode_record(get_record(batch.out, row["image_id"])).content.subject
    assert (subject.pseudonym, subject.age_years, subject.sex) == (key, 12.5, "F")
