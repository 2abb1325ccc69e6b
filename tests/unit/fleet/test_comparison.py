from __future__ import annotations

import polars as pl
import pytest
from simulated_fleet import FAULT_DAY, FIRST_DAY, write_fleet, write_table

from cephstd.fleet.census import read_census
from cephstd.fleet.comparison import compare_sites
from cephstd.fleet.findings import Places


def told(comparison):
    return {(item.kind, item.subject, item.about) for item in comparison.findings}


def test_every_planted_fault_is_named_and_nothing_else(faulty, comparison):
    assert len(faulty.planted) == 5
    assert told(comparison) == faulty.planted


def test_another_seed(tmp_path):
    fleet = write_fleet(tmp_path, seed=2, faulty=True)
    assert told(compare_sites(read_census(tmp_path))) == fleet.planted


@pytest.mark.parametrize("seed", [1])
def test_a_clean_fleet_has_no_finding(tmp_path, seed):
    write_fleet(tmp_path, seed=seed, faulty=False)
    assert compare_sites(read_census(tmp_path)).findings == ()


def test_findings_state_their_numbers_dates_and_films(comparison):
    found = {item.kind: item for item in comparison.findings}
    assert found["scale"].numbers["percent"] == pytest.approx(3.0, abs=0.7)
    assert any("S_N" in said for said in found["scale"].evidence)
    moved = found["correction"]
    assert moved.numbers["forward_mm"] == pytest.approx(1.5, abs=0.2)
    began = pl.Series([moved.since]).str.to_date()[0]
    assert abs((began - FIRST_DAY).days - FAULT_DAY) <= 21
    assert len(moved.films) == min(200, moved.film_count)
    films = comparison.census.films
    behind = films.filter(pl.col("image_id").is_in(moved.films))
    assert set(behind["reviewer"]) == {moved.subject.split()[1]}
    assert (behind["reviewed_on"] >= began).all()


def test_a_drift_of_one_measure_is_dated_and_told_with_its_films(tmp_path):
    write_fleet(tmp_path, seed=5, faulty=False)
    (path,) = (tmp_path / "measurements" / "site=Dale").glob("*.parquet")
    films = pl.read_parquet(tmp_path / "films" / "site=Dale" / "00001.parquet").select("image_id", "date", "device")
    rows = pl.read_parquet(path).join(films, on="image_id")
    late = (pl.col("measure") == "IMPA") & (pl.col("date") >= "2023-01-01")
    write_table(
        tmp_path, "measurements", "Dale", rows.with_columns(value=pl.col("value") + 8.0 * late.cast(pl.Float64))
    )
    (finding,) = compare_sites(read_census(tmp_path)).findings
    assert (finding.kind, finding.subject, finding.about) == ("drift", "Dale", "IMPA")
    assert "2022-11" < finding.since < "2023-03"
    assert 0 < finding.film_count < len(films)


def test_an_indicator_of_one_device_is_told_of_that_device(tmp_path):
    write_fleet(tmp_path, seed=6, faulty=False)
    (path,) = (tmp_path / "films" / "site=Elm").glob("*.parquet")
    rows = pl.read_parquet(path)
    device = rows["device"].sort()[0]
    bad = pl.when(pl.col("device") == device).then(pl.lit("non-diagnostic")).otherwise(pl.col("quality"))
    write_table(tmp_path, "films", "Elm", rows.with_columns(quality=bad))
    (finding,) = compare_sites(read_census(tmp_path)).findings
    assert (finding.kind, finding.about) == ("share", "non_diagnostic")
    assert finding.subject == f"Elm on Acme {device}"


def test_places_are_called_by_device_model_site_or_both():
    films = pl.DataFrame(
        {"site": ["a", "a", "b", "c"], "device": ["X", "Y", "X", "Z"], "image_id": ["1", "2", "3", "4"]}
    ).with_columns(place=pl.col("site") + " · " + pl.col("device"))
    names = [name for name, _ in Places(films).bundle(["a · X", "b · X", "c · Z"])]
    assert names == ["X at all 2 sites that have it", "c"]
    assert [name for name, _ in Places(films).bundle(["a · Y"])] == ["a on Y"]
    assert Places(films).films(["a · X", "a · Y"]) == (2, ("1", "2"))
