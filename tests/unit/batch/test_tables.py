from __future__ import annotations

import msgspec
import polars as pl
import pytest

from cephstd.batch.results import Results
from cephstd.batch.tables import SCHEMAS, record_rows, write_stale_tables
from cephstd.core.tables import LANDMARK_TABLE, TABLES
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.reanalyzer import remeasure
from cephstd.pipeline.reviewer import amend, review

SAID = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review"}


@pytest.fixture
def record(archive, models, recipe, clock):
    return Analyzer(recipe, models=models, threads=1)(archive / "north" / "film0.png", created=clock()).record


@pytest.fixture
def results(tmp_path):
    made = Results(tmp_path / "out")
    yield made
    made.close()


def test_every_column_is_filled_or_null_as_the_record_has_it(results, record):
    place = results.append(record, site="north", date="2019-01-02", attributes="")
    rows: dict[str, list[dict]] = {}
    for table, row in record_rows(record, place):
        rows.setdefault(table, []).append(row)
    for table, found in rows.items():
        wanted = {column.name for column in TABLES[table]}
        assert all(wanted - row.keys() == set() for row in found), table
    (film,) = rows["films"]
    assert (film["row_mm"], film["calibration_basis"], film["date"]) == (0.5, "user_stated", "2019-01-02")
    marks = [mark.is_present for mark in record.content.landmarks]
    assert (film["landmarks_present"], film["landmarks_absent"]) == (marks.count(True), marks.count(False))
    present = [row for row in rows["measurements"] if row["value"] is not None]
    assert len(present) == film["measures_present"] == 1
    assert all(row["reason"] for row in rows["measurements"] if row["value"] is None)
    sets = record.content.interpretation.norm_sets
    assert film["norm_sets"].splitlines() == [f"{use.set} {use.version} {use.sha256[:19]}" for use in sets]
    assert film["outside_intended_use"] is True  # a pattern, and no head
    outcomes = record.content.interpretation.outcomes
    assert [row["rule"] for row in rows.get("classes", ())] == [outcome.rule for outcome in outcomes]


def test_a_moved_point_keeps_where_the_machine_had_it(results, record):
    moved = amend(record, {"S": (20.0, 21.0)}, reason="on the floor", at="2025-05-01T00:00:00Z", **SAID)
    place = results.append(moved, site="north", date="", attributes="")
    before = next(mark for mark in record.content.landmarks if mark.id == "S")
    row = next(row for table, row in record_rows(moved, place) if table == "landmarks" and row["landmark"] == "S")
    assert (row["x_px"], row["original_x_px"], row["original_y_px"]) == (20.0, before.x_px, before.y_px)
    film = next(row for table, row in record_rows(moved, place) if table == "films")
    assert (film["review"], film["reviewed_at"], film["reviewer"]) == ("supplemented", "2025-05-01T00:00:00Z", "17")


def test_an_accepted_point_was_not_moved(results, record):
    accepted = review(record, "accept", at="2025-05-01T00:00:00Z", **SAID)
    place = results.append(accepted, site="north", date="", attributes="")
    marks = [row for table, row in record_rows(accepted, place) if table == "landmarks"]
    assert {row["review"] for row in marks if row["x_px"] is not None} == {"accepted"}
    assert {row["original_x_px"] for row in marks} == {None}


def test_review_of_an_earlier_record_is_told_as_such(results, record, recipe):
    moved = amend(record, {"S": (20.0, 21.0)}, reason="on the floor", at="2025-05-01T00:00:00Z", **SAID)
    anew = remeasure(moved, msgspec.structs.replace(recipe, analysis="wits"), created="2025-06-01T00:00:00Z")
    rows = list(record_rows(anew, results.append(anew, site="north", date="", attributes="")))
    film = next(row for table, row in rows if table == "films")
    assert (film["review"], film["reviewed_at"], film["reviewer"]) == (None, None, None)
    earlier = (film["earlier_review"], film["earlier_reviewed_at"], film["earlier_reviewer"])
    assert earlier == ("supplemented", "2025-05-01T00:00:00Z", "17")
    before = next(mark for mark in record.content.landmarks if mark.id == "S")
    mark = next(row for table, row in rows if table == "landmarks" and row["landmark"] == "S")
    assert (mark["x_px"], mark["original_x_px"]) == (20.0, before.x_px)


def test_written_tables_have_the_stated_columns_and_no_empty_text(results, record, tmp_path):
    results.append(record, site="a/b =ü", date="", attributes="")
    results.commit()
    write_stale_tables(results.folder, results.register)
    assert results.register.stale_parts() == []
    found = pl.scan_parquet(tmp_path / "out/tables/films/**/*.parquet", hive_partitioning=True).collect()
    assert found.columns == [*SCHEMAS["films"].names, "site"]
    assert found["site"].to_list() == ["a/b =ü"]
    assert found["manufacturer"].to_list() == [None]
    marks = pl.scan_parquet(tmp_path / "out/tables/landmarks/**/*.parquet", hive_partitioning=True).collect()
    assert marks.columns == [*(column.name for column in LANDMARK_TABLE), "site"]
    assert marks["x_px"].dtype == pl.Float64


def test_site_that_has_no_row_any_more_has_no_file(results, record, recipe):
    results.append(record, site="north", date="", attributes="")
    results.commit()
    write_stale_tables(results.folder, results.register)
    other = msgspec.structs.replace(recipe, analysis="wits")
    again = remeasure(record, other, created="2025-05-01T00:00:00Z")
    results.append(again, site="south", date="", attributes="")
    results.commit()
    write_stale_tables(results.folder, results.register)
    assert {path.parent.name for path in results.folder.rglob("films/*/*.parquet")} == {"site=south"}
