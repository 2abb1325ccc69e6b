from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TOML = """
name = "tiny"
licence = "test"
unreliable = ["N"]
[films]
folder = "."
pattern = "{image_id}.png"
[labels]
file = "labels.csv"
mm_per_px = 0.1
[labels.to_image]
scale = 0.5
offset_px = -0.25
"""
LABELS = "image_id,landmark,x_px,y_px\na,S,100,100\na,N,300,100\nb,S,100,100\nb,N,300,100\n"
# image px of a: S exactly on its label (100 * 0.5 - 0.25); N 10 image px = 20 label px = 2 mm off; film b is not there
POINTS = "image_id,landmark,x_px,y_px\na,S,49.75,49.75\na,N,159.75,49.75\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"data.toml": TOML, "labels.csv": LABELS, "points.csv": POINTS}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_points_are_scored_in_label_millimetres(folder: Path, cephstd: Any) -> None:
    ran = cephstd("evaluate", "--dataset", folder / "data.toml", "--points", folder / "points.csv")
    assert ran.code == 0
    result = ran.json
    assert result["films"] == 2
    assert result["failed"] == [{"image_id": "b", "code": "no_points", "message": "Not in the table."}]
    score = result["score"]["all"]
    assert score["mre_mm"] == 1.0
    assert score["absent"] == 2
    assert score["sdr_percent"] == {"2": 50.0, "2.5": 50.0, "3": 50.0, "4": 50.0}
    assert result["score"]["without"]["N"]["mre_mm"] == 0.0
    assert "failed: b" in ran.err
    assert result["model"] is None


def test_result_goes_to_a_file_and_limit_holds(folder: Path, cephstd: Any) -> None:
    out = folder / "sub" / "result.json"
    points = ("--points", folder / "points.csv")
    ran = cephstd("evaluate", "--dataset", folder / "data.toml", *points, "--limit", 1, "--out", out, "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert json.loads(out.read_text())["films"] == 1


def test_a_table_of_other_films_is_an_error(folder: Path, cephstd: Any) -> None:
    (folder / "points.csv").write_text("image_id,landmark,x_px,y_px\nother,S,1,2\n")
    ran = cephstd("evaluate", "--dataset", folder / "data.toml", "--points", folder / "points.csv")
    assert ran.code == 3
    assert "image ids" in ran.err
