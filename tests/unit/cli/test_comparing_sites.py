from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("polars", reason="needs the extra 'batch'")
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
from simulated_fleet import write_fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return write_fleet(tmp_path_factory.mktemp("fleet"), seed=3, faulty=True)


def test_findings_are_sentences_on_stdout_and_exit_1(cephstd, fleet, tmp_path):
    ran = cephstd("fleet", fleet.folder, "--out", tmp_path / "f.html", "--json", tmp_path / "f.json")
    assert ran.code == 1
    assert [line.split(".")[0] for line in ran.out.splitlines()] == ["1", "2", "3", "4", "5"]
    assert "5 findings; report in" in ran.err
    facts = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert all(item["sentence"] in ran.out for item in facts["findings"])
    assert (tmp_path / "f.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_no_finding_is_exit_0_and_json_goes_to_stdout(cephstd, tmp_path):
    write_fleet(tmp_path, seed=0, faulty=False, films=60)
    ran = cephstd("fleet", tmp_path, "--json", "-", "-q")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["findings"] == []


def test_worklist_as_table_csv_and_json(cephstd, fleet, tmp_path):
    ran = cephstd("worklist", fleet.folder, "--csv", tmp_path / "w.csv", "--json", "-", "--limit", 3)
    assert ran.code == 0
    assert ran.json[0]["rank"] == 1
    assert ran.json[0]["reasons"]
    assert f"{len(ran.json)} films to look at" in ran.err
    assert (tmp_path / "w.csv").read_text(encoding="utf-8").startswith("rank,site,image_id,")


@pytest.mark.parametrize("command", ["fleet", "worklist"])
def test_a_folder_without_tables_is_told(cephstd, tmp_path, command):
    ran = cephstd(command, tmp_path)
    assert ran.code == 3
    assert "cephstd batch --out" in ran.err
