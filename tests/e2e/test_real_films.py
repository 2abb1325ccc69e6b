"""The main job on the twelve real originals: films in, records and pictures out, through the installed command."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cephstd.core.tables import POINT_COLUMNS

pytestmark = pytest.mark.films

MM_PER_PX = 0.1
SIZE_PX = (1935, 2400)


@pytest.fixture(scope="module")
def films(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "isbi2015" / "originals").glob("*.jpg"))
    assert len(found) == 12
    return found


@pytest.fixture(scope="module")
def results(films: list[Path], command: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("results")
    return out, command("analyze", films[0].parent, "--out", out, "--mm-per-px", MM_PER_PX)


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> dict[str, dict[str, tuple[float, float]]]:
    ids = {"UL": "Ls", "LL": "Li", "PogS": "Pog_s"}
    points: dict[str, dict[str, tuple[float, float]]] = {}
    with (shared_data / "isbi2015" / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["annotator"] == "mean":
                id = ids.get(row["landmark"], row["landmark"])
                points.setdefault(row["image_id"], {})[id] = (float(row["x_px"]), float(row["y_px"]))
    return points


def test_every_film_gives_a_record_and_a_picture(results: tuple[Path, Any], films: list[Path]) -> None:
    out, ran = results
    assert ran.code == 0, ran.err
    assert [line["status"] for line in ran.lines] == ["ok"] * 12
    for film, line in zip(films, ran.lines, strict=True):
        assert line["file"] == str(film)
        assert Path(line["record"]) == out / f"{film.stem}.record.json"
        assert Path(line["overlay"]) == out / f"{film.stem}.overlay.png"
        assert Path(line["overlay"]).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert line["digest"] == json.loads(Path(line["record"]).read_bytes())["record_digest"]
        assert line["error"] is None
    assert len(list(out.iterdir())) == 24, "nothing else is left behind"
    assert "12 of 12 films succeeded" in ran.err


def test_the_notice_is_said_once(results: tuple[Path, Any]) -> None:
    _, ran = results
    assert ran.err.count("Not a medical device") == 1
    assert "non-commercial" in ran.err


def test_points_lie_near_the_doctors_and_values_are_plausible(
    results: tuple[Path, Any], truth: dict[str, dict[str, tuple[float, float]]]
) -> None:
    _, ran = results
    errors_mm = []
    for line in ran.lines:
        content = json.loads(Path(line["record"]).read_bytes())["content"]
        labels = truth[Path(line["file"]).stem]
        assert [mark["id"] for mark in content["landmarks"]] == list(labels)
        for mark in content["landmarks"]:
            if mark["state"] == "absent":
                assert mark["reason"]
                continue
            assert -0.5 <= mark["x_px"] <= SIZE_PX[0] - 0.5
            assert -0.5 <= mark["y_px"] <= SIZE_PX[1] - 0.5
            offset = np.subtract((mark["x_px"], mark["y_px"]), labels[mark["id"]])
            errors_mm.append(float(np.hypot(*offset)) * MM_PER_PX)
        values = {measure["id"]: measure for measure in content["measures"]}
        assert 70 < values["SNA"]["value"] < 95
        assert values["SNA"]["sd"] > 0
        assert 55 < values["S_N"]["value"] < 90
        assert content["calibration"]["basis"] == "user_stated"
    assert np.median(errors_mm) < 1.5
    assert np.mean(errors_mm) < 2.0


def test_records_say_nothing_of_where_the_film_lay(results: tuple[Path, Any], films: list[Path]) -> None:
    _, ran = results
    for film, line in zip(films, ran.lines, strict=True):
        data = Path(line["record"]).read_bytes()
        assert str(film.parent).encode() not in data
        assert film.name.encode() not in data


def test_every_record_verifies_with_its_film(results: tuple[Path, Any], films: list[Path], command: Any) -> None:
    out, _ = results
    for film in films[:3]:
        ran = command("verify", out / f"{film.stem}.record.json", "--source", film)
        assert ran.code == 0, ran.err
        (line,) = ran.lines
        assert line["status"] == "intact"
        assert any("signature" in sentence for sentence in line["not_checked"])
    for film in films[3:]:
        from cephstd.audit.verifier import verify

        assert verify(out / f"{film.stem}.record.json", source=film).level == "intact"


def test_a_record_replays_on_its_film_and_on_no_other(
    results: tuple[Path, Any], films: list[Path], command: Any
) -> None:
    out, _ = results
    ran = command("replay", out / f"{films[0].stem}.record.json", films[0])
    assert ran.code == 0, ran.err
    assert ran.lines[0]["status"] == "replayed"
    assert ran.lines[0]["same_result"] is True
    other = command("replay", out / f"{films[0].stem}.record.json", films[1])
    assert other.code == 7
    assert other.lines[0]["error"]["code"] == "digest_mismatch"


def test_detect_writes_the_points_of_the_records(results: tuple[Path, Any], films: list[Path], command: Any) -> None:
    out, _ = results
    ran = command("detect", *films[:2], "--out", "-", "--mm-per-px", MM_PER_PX)
    assert ran.code == 0, ran.err
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert tuple(rows[0]) == POINT_COLUMNS
    assert len(rows) == 2 * 19
    record = json.loads((out / f"{films[1].stem}.record.json").read_bytes())
    for row, mark in zip(rows[19:], record["content"]["landmarks"], strict=True):
        assert (row["image_id"], row["landmark"]) == (films[1].stem, mark["id"])
        assert row["x_px"] == ("" if mark["x_px"] is None else str(float(mark["x_px"])))
        assert row["state"] == mark["state"]
