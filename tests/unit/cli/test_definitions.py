from __future__ import annotations

from typing import Any


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
