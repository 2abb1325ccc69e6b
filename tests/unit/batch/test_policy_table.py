from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from cephstd.batch.planner import plan_batch
from cephstd.batch.policy_table import write_policy_table
from cephstd.batch.runner import run_batch
from cephstd.knowledge.policies import load_policy

DAY = date(2026, 1, 15)


@pytest.fixture
def out(archive, tmp_path, models, clock, recipe):
    manifest = archive / "list.csv"
    manifest.write_text("path,site,date\nnorth/film0.png,north,2025-12-01\nsouth/film1.png,south,\n")
    folder = tmp_path / "out"
    run_batch(plan_batch([manifest], recipe=recipe), folder, clock=clock, models=models, workers=1)
    return folder


def rows(out) -> pl.DataFrame:
    return pl.scan_parquet(out / "tables" / "policies" / "**" / "*.parquet", hive_partitioning=True).collect()


def test_each_film_has_a_row_for_each_rule(out):
    pack = load_policy("baseline")
    failing = write_policy_table(out, pack, day=DAY)
    found = rows(out)
    assert found.height == 2 * len(pack.definition.rule)
    assert set(found["site"]) == {"north", "south"}
    required = found.filter((pl.col("status") == "fail") & (pl.col("severity") == "required"))
    assert failing.total() - failing[""] == required.height > 0


def test_date_of_the_manifest_counts_as_stated(out):
    write_policy_table(out, load_policy("baseline"), day=DAY)
    faults = dict(rows(out).filter(pl.col("rule") == "dated").select("site", "faults").iter_rows())
    assert "no acquisition date" not in (faults["north"] or "")
    assert "date" in faults["south"]


def test_a_second_run_writes_the_same(out):
    write_policy_table(out, load_policy("baseline"), day=DAY)
    first = rows(out)
    write_policy_table(out, load_policy("baseline"), day=DAY)
    assert rows(out).equals(first)
