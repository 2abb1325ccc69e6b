from __future__ import annotations

import csv
import io
import json
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


def test_parquet_in_and_out_gives_the_values_of_csv(table: Path, tmp_path: Path, cephstd: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    polars = pytest.importorskip("polars")
    options = ("--analysis", "steiner", "--mm-per-px", "0.1", "--out")
    expected = values(cephstd("measure", table, *options, "-").out)
    polars.read_csv(table).write_parquet(tmp_path / "points.parquet")
    assert cephstd("measure", tmp_path / "points.parquet", *options, tmp_path / "values.parquet").code == 0
    found = parquet.read_table(tmp_path / "values.parquet").to_pylist()
    assert list(found[0]) == ["image_id", "measure", "value", "sd", "unit", "reason"]
    assert [(row["image_id"], row["measure"]) for row in found] == list(expected)
    for row in found:
        other = expected[row["image_id"], row["measure"]]
        assert row["value"] == (float(other["value"]) if other["value"] else None)
        assert (row["sd"], row["unit"], row["reason"]) == (None, other["unit"], other["reason"])
    # the same from Parquet to CSV and from CSV to Parquet
    assert values(cephstd("measure", tmp_path / "points.parquet", *options, "-").out) == expected
    assert cephstd("measure", table, *options, tmp_path / "again.parquet").code == 0
    assert parquet.read_table(tmp_path / "again.parquet").to_pylist() == found


def test_unreadable_parquet_is_an_input_error(tmp_path: Path, cephstd: Any) -> None:
    (tmp_path / "points.parquet").write_bytes(b"no parquet")
    assert cephstd("measure", tmp_path / "points.parquet", "--out", "-").code == 3


def test_norms_need_a_file_to_go_to(table: Path, cephstd: Any) -> None:
    assert cephstd("measure", table, "--out", "-", "--norms", "steiner").code == 2


def test_what_norms_and_rules_say_goes_to_json_lines(table: Path, tmp_path: Path, cephstd: Any) -> None:
    table.write_text("image_id,landmark,x_px,y_px,age_years,sex\na,S,0,0,12,F\na,N,70,0,12,F\na,A,70,60,12,F\n")
    said = tmp_path / "said.jsonl"
    ran = cephstd(
        "measure", table, "--out", tmp_path / "v.csv", "--norms", "eastman", "--age", "40", "--interpretation", said
    )
    assert ran.code == 0
    (line,) = [json.loads(text) for text in said.read_text().splitlines()]
    assert (line["image_id"], line["age_years"], line["sex"]) == ("a", 12.0, "F")
    compared = {one["measure"]: one for one in line["comparisons"]}
    assert compared["SNA"]["z"] == pytest.approx(3.0)
    assert compared["SNB"]["reason"].startswith("no value")
    assert {one["rule"]: one["number"] for one in line["outcomes"]}["isbi2015.SNA"] == 2


def test_provisional_values_say_so(table: Path, cephstd: Any) -> None:
    table.write_text("image_id,landmark,x_px,y_px,review\na,S,0,0,\na,N,70,0,\na,A,70,60,provisional\na,B,60,90,\n")
    found = values(cephstd("measure", table, "--analysis", "steiner", "--out", "-").out)
    assert found["a", "SNA"]["reason"] == "provisional"
    assert found["a", "SNB"]["reason"] == ""


def test_points_of_another_system(tmp_path: Path, cephstd: Any) -> None:
    (tmp_path / "wide.csv").write_text("image_id,S_x,S_y,N_x,N_y,A_x,A_y\nf,0,0,70,0,70,60\n")
    found = values(
        cephstd("measure", tmp_path / "wide.csv", "--format", "wide", "--analysis", "steiner", "--out", "-").out
    )
    assert float(found["f", "SNA"]["value"]) == pytest.approx(90.0)
    assert cephstd("measure", tmp_path / "wide.csv", "--format", "dolphin", "--out", "-").code == 3


SURE = """image_id,landmark,x_px,y_px,cov_xx,cov_xy,cov_yy
a,S,0,0,400,0,400
a,N,10,0,400,0,400
a,A,0,500,400,0,400
"""


def test_values_say_where_first_order_fails(table: Path, cephstd: Any) -> None:
    table.write_text(SURE)
    found = values(cephstd("measure", table, "--analysis", "steiner", "--out", "-").out)
    assert found["a", "SNA"]["reason"] == "first order fails"


def test_monte_carlo_follows_its_seed(table: Path, tmp_path: Path, cephstd: Any) -> None:
    table.write_text(SURE)
    drawn = ("measure", table, "--analysis", "steiner", "--out", "-", "--uncertainty", "monte-carlo", "--draws", "500")
    first, again, other = (cephstd(*drawn, "--seed", seed).out for seed in ("1", "1", "2"))
    assert first == again
    assert values(first)["a", "SNA"]["sd"] != values(other)["a", "SNA"]["sd"]
    plain = values(cephstd("measure", table, "--analysis", "steiner", "--out", "-").out)
    assert values(first)["a", "SNA"]["value"] == plain["a", "SNA"]["value"]
    assert float(values(first)["a", "SNA"]["sd"]) < 0.7 * float(plain["a", "SNA"]["sd"])
    assert cephstd("measure", table, "--out", tmp_path / "a.parquet", "--uncertainty", "monte-carlo").code == 2
    assert cephstd("measure", table, "--out", "-", "--draws", "500").code == 2
    assert cephstd("measure", table, "--out", "-", "--uncertainty", "guess").code == 2


def test_who_chose_the_norms_stands_in_the_interpretation(table: Path, tmp_path: Path, cephstd: Any) -> None:
    table.write_text(POINTS.replace("y_px", "y_px,mm_per_px"))
    said = tmp_path / "said.jsonl"
    ran = cephstd(
        *("measure", table, "--out", tmp_path / "v.csv", "--interpretation", said),
        *("--norms", "mcnamara", "--norms-by", "A. Reader", "--norms-enlargement", "mcnamara=8"),
    )
    assert ran.code == 0
    first = json.loads(said.read_text().splitlines()[0])
    assert first["norms_by"] == "A. Reader"
    assert first["resolution"] == ["sex and age", "sex", "age", "pooled"]
    assert first["norm_sets"][0]["enlargement_percent"] == 8.0
    wrong = cephstd(
        *("measure", table, "--out", "-", "--interpretation", said, "--norms", "mcnamara"),
        *("--norms-enlargement", "mcnamara"),
    )
    assert wrong.code == 2


def test_norms_for_lengths_need_a_scale_of_natural_size(table: Path, tmp_path: Path, cephstd: Any) -> None:
    table.write_text(POINTS)
    said, scale = tmp_path / "said.jsonl", tmp_path / "scale.toml"
    scale.write_text('basis = "fiducial"\nrow_mm = 0.1\ncolumn_mm = 0.1\n')
    own = tmp_path / "own.toml"
    own.write_text(
        'id = "own"\nversion = "1.0.0"\nname = ""\npopulation = "x"\ncitation = ["y"]\nsize = "natural"\n'
        '[[entry]]\nid = "a"\nmeasure = "S_N"\nkind = "mean_sd"\nvalue = 68.0\nspread = 2.0\n'
    )
    asked = ("measure", table, "--out", tmp_path / "v.csv", "--interpretation", said, "--norms", own)
    for how, z in ((("--mm-per-px", "0.1"), None), (("--calibration", scale), 1.0)):
        assert cephstd(*asked, *how).code == 0
        assert json.loads(said.read_text().splitlines()[0])["comparisons"][0]["z"] == z
    assert cephstd("measure", table, "--out", tmp_path / "v.parquet", "--calibration", scale).code == 2
