from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cephstd as cs
from cephstd.cli.reviewing import parse_points
from cephstd.errors import InputError

WHO = ("--reviewer", "17", "--name", "A. Reader", "--role", "orthodontist", "--meaning", "review")


@pytest.fixture
def record_file(tmp_path: Path) -> Path:
    y, x = np.mgrid[0:300, 0:240]
    film = cs.read((127 + 60 * np.sin(x / 23) + 60 * np.cos(y / 31)).astype(np.uint8))
    marks = cs.landmark_set({"S": (60, 90), "N": (170, 95), "A": (160, 180)})
    recipe = cs.Recipe(analysis="steiner", view_gate="report")
    normal = cs.normalize(film, recipe=recipe)
    made = cs.record(film, normal, marks, cs.measure(marks), recipe=recipe, created="2025-04-16T09:30:00Z")
    path = tmp_path / "film.record.json"
    path.write_bytes(made.to_bytes())
    return path


def test_amend_review_history_and_diff(record_file: Path, tmp_path: Path, cephstd: Any) -> None:
    second, third = tmp_path / "second.json", tmp_path / "third.json"
    ran = cephstd(
        "amend", record_file, "--move", "A=165,180", "--place", "B=150,240", "--reason", "unsharp", *WHO,
        "--at", "2025-04-17T08:00:00Z", "--out", second,
    )  # fmt: skip
    assert ran.code == 0
    assert ran.json["outcome"] == "supplemented"
    assert ran.json["changed"] == ["A", "B"]
    assert "A. Reader (orthodontist, review)" in ran.err
    ran = cephstd("review", second, "--accept", *WHO, "--at", "2025-04-18T08:00:00Z", "--out", third)
    assert ran.code == 0
    assert cephstd("verify", third).code == 0

    ran = cephstd("history", third, record_file, second)
    assert [row["status"] for row in ran.json["records"]] == ["superseded", "superseded", "current"]
    events = ran.json["records"][2]["events"]
    assert [event["outcome"] for event in events] == ["supplemented", "accepted"]
    assert events[0]["changes"][0]["before"]["x_px"] == 160
    assert events[0]["changes"][0]["after"]["x_px"] == 165

    ran = cephstd("diff", record_file, second)
    rows = {(row["subject"], row["quantity"]): row for row in ran.json["differences"]}
    assert rows["landmark A", "position"]["amount"] == pytest.approx(5)
    assert rows["measure SNB", "value"]["before"] == "absent"
    assert rows["measure SNB", "value"]["amount"] is None
    assert "landmark A" in ran.err


def test_diff_says_which_classes_changed(record_file: Path, tmp_path: Path, cephstd: Any) -> None:
    second = tmp_path / "second.json"
    ran = cephstd("amend", record_file, "--move", "A=130,180", "--reason", "unsharp", *WHO, "--out", second)
    assert ran.code == 0
    rows = {(row["subject"], row["quantity"]): row for row in cephstd("diff", record_file, second).json["differences"]}
    before, after = (
        {item.rule: item for item in cs.verify(path).record.content.interpretation.outcomes}
        for path in (record_file, second)
    )
    changed = {rule for rule in before if before[rule].label != after[rule].label}
    assert changed
    assert {subject for subject, quantity in rows if quantity == "class"} == {f"class {rule}" for rule in changed}
    for rule in changed:
        row = rows[f"class {rule}", "class"]
        assert (row["before"], row["after"]) == (before[rule].label, after[rule].label)


def test_fork_is_exit_1(record_file: Path, tmp_path: Path, cephstd: Any) -> None:
    for x in (161, 162):
        out = tmp_path / f"{x}.json"
        assert cephstd("amend", record_file, "--move", f"A={x},180", "--reason", "w", *WHO, "--out", out).code == 0
    ran = cephstd("history", tmp_path / "161.json", tmp_path / "162.json")
    assert ran.code == 1
    assert len(ran.json["forks"]) == 1


def test_reject_of_points(record_file: Path, tmp_path: Path, cephstd: Any) -> None:
    out = tmp_path / "second.json"
    ran = cephstd("review", record_file, "--reject", "--points", "A", "--reason", "unsharp", *WHO, "--out", out)
    assert ran.json["outcome"] == "rejected"
    assert cs.verify(out).record.content.landmarks[2].review == "rejected"


def test_nothing_is_overwritten(record_file: Path, cephstd: Any) -> None:
    before = record_file.read_bytes()
    ran = cephstd("review", record_file, "--accept", *WHO, "--out", record_file)
    assert ran.code == 3
    assert "never overwritten" in ran.err
    assert record_file.read_bytes() == before


def test_a_failure_is_told_and_leaves_no_file(record_file: Path, tmp_path: Path, cephstd: Any) -> None:
    out = tmp_path / "second.json"
    ran = cephstd("amend", record_file, "--move", "Go=1,1", "--reason", "w", *WHO, "--out", out)
    assert ran.code == 3
    assert ran.json["error"]["code"] == "input"
    assert not out.exists()


def test_same_records_do_not_differ(record_file: Path, cephstd: Any) -> None:
    ran = cephstd("diff", record_file, record_file)
    assert ran.json["differences"] == []
    assert "no difference" in ran.err


@pytest.mark.parametrize("text", ["S", "S=1", "S=1,2,3", "S=a,b"])
def test_a_malformed_point_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="ID=X,Y"):
        parse_points([text])
