from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cephstd.batch.manifest import ManifestRow, read_manifest
from cephstd.errors import InputError

HEAD = "path,site,pseudonym,age,sex,date,attributes\n"
KEY = "0123456789abcdef" * 2


def write(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_say_what_is_known(tmp_path: Path) -> None:
    path = write(tmp_path, f'{HEAD}a.png,north,{KEY},12.5,F,2019-02-28,"{{""arm"": 1}}"\n{tmp_path}/b.png,,,,,,\n')
    assert list(read_manifest(path)) == [
        ManifestRow(
            path=tmp_path / "a.png",
            site="north",
            pseudonym=KEY,
            age=12.5,
            sex="F",
            date="2019-02-28",
            attributes='{"arm": 1}',
        ),
        ManifestRow(path=tmp_path / "b.png"),
    ]


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    rows = {"path": ["a.png", "b.png"], "site": ["north", None], "age": [12.5, None], "sex": ["M", None]}
    pq.write_table(pa.table(rows), tmp_path / "manifest.parquet")
    csv = write(tmp_path, "path,site,age,sex\na.png,north,12.5,M\nb.png,,,\n")
    assert list(read_manifest(tmp_path / "manifest.parquet")) == list(read_manifest(csv))


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (",north,,,,,", "path"),
        ("a.png,north,Jane Roe,,,,", "pseudonym"),
        ("a.png,north,,abc,,,", "age"),
        ("a.png,north,,-1,,,", "age"),
        ("a.png,north,,nan,,,", "age"),
        ("a.png,north,,,female,,", "sex"),
        ("a.png,north,,,,28.2.2019,", "date"),
    ],
)
def test_wrong_cell_is_named_and_not_shown(tmp_path: Path, line: str, column: str) -> None:
    with pytest.raises(InputError, match=f"Row 2 of the manifest: {column} is") as caught:
        list(read_manifest(write(tmp_path, f"{HEAD}a.png,,,,,,\n{line}\n")))
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize("head", ["path,patient_name", "file,site", ""])
def test_column_that_could_name_a_person_is_refused_unnamed(tmp_path: Path, head: str) -> None:
    with pytest.raises(InputError, match="Expected a manifest with the column path") as caught:
        list(read_manifest(write(tmp_path, f"{head}\na.png,Roe\n")))
    assert "patient_name" not in str(caught.value)


def test_more_cells_than_columns_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Row 1 of the manifest has more cells"):
        list(read_manifest(write(tmp_path, "path\na.png,Roe\n")))


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_another_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00 no table")
    with pytest.raises(InputError):
        list(read_manifest(tmp_path / name))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_manifest(tmp_path / f"absent-{name}"))
