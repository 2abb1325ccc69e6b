from __future__ import annotations

from pathlib import Path
from typing import Any

from cephstd.cli.definitions import _lines, find_definition


def test_explain_a_measure_a_landmark_and_an_analysis(cephstd: Any) -> None:
    assert cephstd("explain", "SNA").json["formula"] == "ang(S,N,A)"
    assert cephstd("explain", "Gn_c").json["what"] == "landmark"
    assert "SNA" in cephstd("explain", "steiner").json["measures"]


def test_explain_an_unknown_name_suggests_another(cephstd: Any) -> None:
    ran = cephstd("explain", "SNAx")
    assert ran.code == 5
    assert "SNA" in ran.err.partition("Did you mean")[2]


def test_analyses_lists_the_sheets(cephstd: Any) -> None:
    listed = {item["id"]: item for item in cephstd("analyses").json}
    assert {"all", "steiner", "downs", "isbi2015"} <= set(listed)
    assert "SNA" in listed["steiner"]["measures"]


def test_schema_is_a_json_schema_of_this_record(cephstd: Any) -> None:
    schema = cephstd("schema").json
    assert schema["$id"] == "cephstd.record/1"
    assert "result_digest" in str(schema)


def test_explain_says_what_norms_rules_and_sources_have(cephstd: Any) -> None:
    facts = cephstd("explain", "ANB").json
    norms = {norm["set"]: norm for norm in facts["norms"]}
    assert (norms["eastman"]["value"], norms["eastman"]["checked_by"]) == (3.0, "unverified")
    assert norms["steiner"]["kind"] == "author_ideal"
    assert {(rule["set"], rule["id"]) for rule in facts["rules"]} == {("skeletal_class", "anb"), ("isbi2015", "ANB")}
    assert {"agrees", "differs"} <= {row["agreement"] for row in facts["evidence"]}
    assert "norms" not in cephstd("explain", "Gn_c").json


def test_facts_for_people_are_lines() -> None:
    facts = find_definition("ANB")
    assert any(line.startswith("eastman: 3 ± 2 (mean_sd, unverified; ") for line in _lines("norms", facts["norms"]))
    (isbi,) = (line for line in _lines("rules", facts["rules"]) if line.startswith("isbi2015"))
    assert isbi == "isbi2015.ANB: 3.2 <= x <= 5.7 Class I (normal); 5.7 < x Class II; x < 3.2 Class III"
    assert "agrees" in _lines("evidence", facts["evidence"])[0]
    assert _lines("analyses", ["Steiner", "Kim"]) == ["Steiner, Kim"]
    assert "by age" in _lines("norms", find_definition("Harv_Mx")["norms"])[0]


def test_explain_draws_a_measure(tmp_path: Path, cephstd: Any) -> None:
    assert cephstd("explain", "SNA", "--drawing", tmp_path / "sna.png").code == 0
    assert (tmp_path / "sna.png").read_bytes().startswith(b"\x89PNG")
    assert cephstd("explain", "Gn_c", "--drawing", tmp_path / "gn.png").code == 2
    assert not (tmp_path / "gn.png").exists()
