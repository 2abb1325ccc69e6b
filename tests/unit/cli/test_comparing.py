from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cephstd.plot.face import FACE_MM

IDS = ("S", "N", "Po", "Or", "A", "B", "Pog", "Me", "Go", "ANS", "PNS", "U1", "L1", "Ba", "Ar", "Gn")


def table(path: Path, films: dict[str, dict[str, Any]], covariance: str = "") -> Path:
    head = "image_id,landmark,x_px,y_px" + (",cov_xx,cov_xy,cov_yy" if covariance else "")
    tail = f",{covariance}" if covariance else ""
    rows = [f"{id},{mark},{x},{y}{tail}" for id, marks in films.items() for mark, (x, y) in marks.items()]
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def face(rng: np.random.Generator | None = None, chin_mm: float = 0.0) -> dict[str, Any]:
    out = {}
    for id in IDS:
        x, y = FACE_MM[id]
        noise = (0.0, 0.0) if rng is None else rng.normal(scale=0.3, size=2)
        out[id] = ((x + 60 + noise[0]) * 10, (y + 60 + noise[1] + (chin_mm if id in {"Me", "Pog", "Gn"} else 0)) * 10)
    return out


@pytest.fixture
def serial(tmp_path: Path) -> Path:
    films = {"t1": face(), "t2": face(), "t3": face(chin_mm=8.0)}
    return table(tmp_path / "serial.csv", films, "25,0,25")


def test_films_of_a_table_are_laid_over_the_first(serial: Path, cephstd: Any) -> None:
    ran = cephstd("superimpose", serial, "--mm-per-px", "0.1")
    assert ran.code == 0
    assert ran.json["first"] == "t1"
    same, grown = ran.json["later"]
    chin = {shift["landmark"]: shift for shift in grown["superimposition"]["shifts"]}["Me"]
    assert (chin["distance_mm"], chin["moved"]) == (pytest.approx(8.0), True)
    assert not any(shift["moved"] for shift in same["superimposition"]["shifts"])
    changes = {change["measure"]: change for change in grown["changes"]}
    assert (changes["SNA"]["change"], changes["SNA"]["verdict"]) == (pytest.approx(0.0, abs=1e-9), "within noise")
    assert "t1 to t3" in ran.err


def test_records_are_taken_with_their_scale(samples: Path, root: Path, cephstd: Any) -> None:
    record = next((root / "tests" / "records").rglob("*.record.json"))
    ran = cephstd("superimpose", record, record, "--method", "fit", "-q")
    assert ran.code == 0
    (later,) = ran.json["later"]
    assert later["superimposition"]["residual_mm"] == pytest.approx(0.0, abs=1e-9)
    assert ran.err == ""


def test_a_picture_is_written(serial: Path, tmp_path: Path, cephstd: Any) -> None:
    out = tmp_path / "new" / "growth.png"
    ran = cephstd(
        "superimpose", serial, "--method", "robust", "--landmarks", "S,N,Po, Or", "--mm-per-px", "0.1", "--out", out
    )
    assert (ran.code, ran.out) == (0, "")
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 3),  # no scale
        (("--mm-per-px", "0.1", "--method", "bjork"), 3),
        (("--mm-per-px", "0.1", "--analysis", "nonsense"), 5),
        (("--mm-per-px", "0.1", "--errors", "none.json"), 3),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, serial: Path, cephstd: Any) -> None:
    ran = cephstd("superimpose", serial, *arguments)
    assert (ran.code, ran.out) == (code, "")


def test_agreement_of_points_feeds_the_verdict_of_changes(tmp_path: Path, serial: Path, cephstd: Any) -> None:
    rng = np.random.default_rng(6)
    truth = [{id: np.array(xy) + rng.normal(scale=30, size=2) for id, xy in face().items()} for _ in range(12)]
    readings = [
        {f"f{k}": {id: xy + rng.normal(scale=4.0, size=2) for id, xy in marks.items()} for k, marks in enumerate(truth)}
        for _ in range(2)
    ]
    first, second = (table(tmp_path / f"{n}.csv", films) for n, films in enumerate(readings))
    out = tmp_path / "agreement.json"
    ran = cephstd("agreement", first, second, "--analysis", "steiner", "--mm-per-px", "0.1", "--out", out)
    assert (ran.code, ran.out) == (0, "")
    found = json.loads(out.read_text())
    sella = {one["landmark"]: one for one in found["landmarks"]}["S"]
    assert sella["distances"]["mre_mm"] == pytest.approx(0.4 * np.sqrt(2) * 1.2533, rel=0.5)
    dahlberg = found["measures"]["SNA"]["dahlberg"]
    ran = cephstd("superimpose", serial, "--mm-per-px", "0.1", "--errors", out, "-q")
    change = {one["measure"]: one for one in ran.json["later"][1]["changes"]}["SNA"]
    assert change["smallest_detectable"] == pytest.approx(1.96 * np.sqrt(2) * dahlberg)
    assert change["basis"] == "duplicates"


def test_agreement_of_values(tmp_path: Path, cephstd: Any) -> None:
    paths = []
    for name, readings in (("a", [82.0, 79.5, 84.0, 80.0, 81.5]), ("b", [82.5, 79.0, 84.5, 81.0, 81.0])):
        rows = [f"f{k},SNA,{value}" for k, value in enumerate(readings)] + ["f9,SNB,80", f"{name},SNA,99"]
        paths.append(tmp_path / f"{name}.csv")
        paths[-1].write_text("\n".join(["image_id,measure,value", *rows]))
    ran = cephstd("agreement", *paths)
    assert ran.code == 0
    assert ran.json["measures"]["SNA"]["n"] == 5
    assert ran.json["measures"]["SNA"]["dahlberg"] == pytest.approx(0.4472135955)
    assert ran.json["not_compared"] == {"SNB": "read twice on 1 films"}


def test_two_kinds_of_tables_are_refused(tmp_path: Path, serial: Path, cephstd: Any) -> None:
    values = tmp_path / "values.csv"
    values.write_text("image_id,measure,value\na,SNA,80\n")
    ran = cephstd("agreement", serial, values)
    assert ran.code == 3
    assert "one kind" in ran.err
