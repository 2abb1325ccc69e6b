from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from simulated_fleet import write_table

from cephstd.errors import InputError
from cephstd.fleet.census import read_census

FILMS = pl.DataFrame(
    {
        "image_id": ["a", "b"],
        "manufacturer": ["Acme", None],
        "device": ["X", None],
        "date": ["2024-02-03", "20240204"],
        "row_mm": [0.1, 0.1],
        "column_mm": [0.2, 0.2],
        "flipped": [False, True],
    }
)
VALUES = pl.DataFrame(
    {
        "image_id": ["b", "a", "a"],
        "measure": ["SNA", "S_N", "SNA"],
        "value": [80.0, 70.0, None],
        "unit": ["deg", "mm", "deg"],
    }
)
MOVED = pl.DataFrame(
    {
        "image_id": ["a", "b"],
        "landmark": ["A", "A"],
        "x_px": [12.0, 12.0],
        "y_px": [5.0, 7.0],
        "original_x_px": [10.0, 10.0],
        "original_y_px": [5.0, 5.0],
    }
)


@pytest.fixture
def folder(tmp_path):
    for name, rows in (("films", FILMS), ("measurements", VALUES), ("landmarks", MOVED)):
        write_table(tmp_path / "out" / "tables", name, "a/b =ü", rows)
    return tmp_path / "out"


def test_values_lie_where_film_and_measure_say(folder):
    census = read_census(folder)
    assert census.measures == ("SNA", "S_N")
    assert census.units == ("deg", "mm")
    np.testing.assert_array_equal(census.values, np.array([[np.nan, 80.0], [70.0, np.nan]], dtype=np.float32))
    assert census.films["site"].to_list() == ["a/b =ü"] * 2
    assert census.films["device"].to_list() == ["Acme X", "unstated device"]
    assert census.films["day"].to_list() == [date(2024, 2, 3), date(2024, 2, 4)]


def test_a_correction_is_forward_where_the_face_looks_and_in_the_millimetres_of_its_axis(folder):
    moved = read_census(folder).corrections.sort("film")
    assert moved["forward_mm"].to_list() == pytest.approx([0.4, -0.4])
    assert moved["down_mm"].to_list() == pytest.approx([0.0, 0.2])


def test_tables_themselves_do_and_other_folders_do_not(folder, tmp_path):
    assert len(read_census(folder / "tables").films) == 2
    with pytest.raises(InputError, match="found none"):
        read_census(tmp_path)


def test_an_older_table_without_a_column_reads_as_null(folder):
    (path,) = (folder / "tables" / "films").rglob("*.parquet")
    pl.read_parquet(path).drop("norm_sets", "reviewer").write_parquet(path)
    assert read_census(folder).films["norm_sets"].to_list() == [None, None]


def test_a_film_that_is_listed_twice_is_refused(folder):
    write_table(folder / "tables", "films", "a/b =ü", pl.concat([FILMS, FILMS]))
    with pytest.raises(InputError, match="twice"):
        read_census(folder)


def test_a_damaged_table_is_an_input_error(folder):
    (path,) = (folder / "tables" / "films").rglob("*.parquet")
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match="cannot be read"):
        read_census(folder)
