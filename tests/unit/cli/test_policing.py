from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[2] / "records" / "0.1.0" / "attested"
REVIEWED = GOLDEN / "reviewed.record.json"
DISPOSAL = ["--created", "2020-03-01", "--last-effect", "2021-06-30", "--last-treatment", "2021-06-30"]


def status(ran: Any) -> dict[str, str]:
    return {item["rule"]: item["status"] for item in ran.json["rules"]}


def test_check_says_what_is_missing_and_fails(cephstd: Any) -> None:
    ran = cephstd("check", REVIEWED, "--policy", "baseline", "--day", "2025-06-01")
    assert (ran.code, ran.json["status"]) == (1, "fail")
    assert status(ran)["dated"] == "fail"
    assert status(ran)["reviewed"] == "pass"
    assert "No acquisition date is known." in ran.err
    assert "in force nowhere" in ran.err


def test_signatures_count_with_trust_and_a_case_supplies_the_date(cephstd: Any, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    case = tmp_path / "film.case.toml"
    case.write_text('acquisition_date = 2025-04-01\nstated_by = "A. Reader"\n', encoding="utf-8")
    ran = cephstd(
        "check", REVIEWED, "--policy", "baseline", "--day", "2025-06-01", "--case", case,
        "--trust", GOLDEN / "trust.toml",
    )  # fmt: skip
    assert (ran.code, ran.json["status"]) == (0, "pass")
    assert (status(ran)["dated"], status(ran)["signed"]) == ("pass", "pass")


def test_waiver_is_shown_with_who_why_and_until(cephstd: Any, tmp_path: Path) -> None:
    digest = cephstd("check", REVIEWED, "--policy", "baseline").json["record_digest"]
    case = tmp_path / "film.case.toml"
    case.write_text(
        f'[[waiver]]\npolicy = "baseline"\nrule = "dated"\nrecord = "{digest}"\nby = "A. Head"\nreason = "old film"\n'
        "until = 2025-06-30\n",
        encoding="utf-8",
    )
    asked = ("check", REVIEWED, "--policy", "baseline", "--case", case, "--day")
    ran = cephstd(*asked, "2025-06-30")
    assert (ran.code, status(ran)["dated"]) == (0, "waived")
    assert "A. Head" in ran.err
    assert cephstd(*asked, "2025-07-01").code == 1


def test_a_broken_record_is_an_error_and_not_a_finding(cephstd: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.record.json"
    broken.write_bytes(REVIEWED.read_bytes().replace(b'"fiducial"', b'"geometry"'))
    ran = cephstd("check", broken, REVIEWED, "--policy", "baseline")
    assert ran.code == 7
    assert [line["status"] for line in ran.lines] == ["failed", "fail"]


def test_a_case_belongs_to_one_record(cephstd: Any, tmp_path: Path) -> None:
    assert cephstd("check", REVIEWED, REVIEWED, "--policy", "baseline", "--case", tmp_path / "x.toml").code == 3


def test_packs_are_listed_and_shown(cephstd: Any) -> None:
    assert {item["kind"] for item in cephstd("policies").json} == {"baseline", "example"}
    shown = cephstd("policies", "baseline").json
    assert shown["rule"][0]["requires"]["fact"] == "view"
    assert cephstd("policies", "basline").code == 5


def test_earliest_disposal(cephstd: Any) -> None:
    rules = ["--rule", "new_hampshire", "--rule", "hipaa_documentation"]
    ran = cephstd("retention", *rules, *DISPOSAL, "--born", "1990-01-01")
    assert (ran.code, ran.json["earliest_disposal"]) == (0, "2028-07-01")
    held = cephstd("retention", *rules, *DISPOSAL, "--born", "1990-01-01", "--hold", "court order 7")
    assert (held.code, held.json["earliest_disposal"]) == (1, None)
    assert cephstd("retention", "--rule", "none").code == 3
    assert cephstd("retention", *rules, "--born", "yesterday").code == 2
