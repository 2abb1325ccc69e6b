from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

POINTS = """image_id,landmark,x_px,y_px
a,S,0,0
a,N,700,0
a,A,700,600
b,S,0,0
b,N,-700,0
"""


def values(text: str) -> dict[tuple[str, str], dict[str, str]]:
    return {(row["image_id"], row["measure"]): row for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    return path


def test_values_to_stdout(table: Path, cephstd: Any) -> None:
    ran = cephstd("measure", table, "--analysis", "steiner", "--out", "-", "--mm-per-px", "0.1")
    assert ran.code == 0
    found = values(ran.out)
    assert float(found["a", "SNA"]["value"]) == pytest.approx(90.0)
    assert found["b", "SNA"]["value"] == ""
    assert found["b", "SNA"]["reason"] == "missing: A"
    assert float(found["a", "S_N"]["value"]) == pytest.approx(70.0)
    assert found["a", "S_N"]["unit"] == "mm"


def test_no_scale_no_millimetre(table: Path, tmp_path: Path, cephstd: Any) -> None:
    out = tmp_path / "new" / "values.csv"
    assert cephstd("measure", table, "--analysis", "steiner", "--out", out).code == 0
    found = values(out.read_text())
    assert found["a", "S_N"]["value"] == ""
    assert found["a", "S_N"]["reason"] == "not calibrated"
    assert float(found["a", "SNA"]["value"]) == pytest.approx(90.0)


def test_scale_of_the_table_wins_over_the_option(table: Path, cephstd: Any) -> None:
    table.write_text("image_id,landmark,x_px,y_px,mm_per_px\na,S,0,0,0.2\na,N,100,0,0.2\nb,S,0,0,\nb,N,100,0,\n")
    found = values(cephstd("measure", table, "--analysis", "steiner", "--out", "-", "--mm-per-px", "0.1").out)
    assert float(found["a", "S_N"]["value"]) == pytest.approx(20.0)
    assert float(found["b", "S_N"]["value"]) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--analysis", "nonsense"), 5),
        (("--mm-per-px", "9"), 3),
        (("--mm-per-px", "a lot"), 2),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, table: Path, cephstd: Any) -> None:
    ran = cephstd("measure", table, "--out", "-", *arguments)
    assert ran.code == code
    assert ran.out == ""


def test_an_absent_table_is_one_sentence(tmp_path: Path, cephstd: Any) -> None:
    ran = cephstd("measure", tmp_path / "none.csv", "--out", "-")
    assert ran.code == 3
    assert "cannot be read" in ran.err
