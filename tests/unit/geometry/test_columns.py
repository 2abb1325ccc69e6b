"""Columns hold one value or one reason per film."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import UnknownAnalysisError
from cephstd.geometry.columns import MeasureColumns
from cephstd.geometry.measurer import measure_many

IDS = ["S", "N", "A", "Go", "Me", "Po", "Or"]
ONE = np.array([[18, -9], [90, -30], [90, 30], [10, 74], [82, 95], [0, 0], [80, 0]], dtype=np.float64)


@pytest.fixture
def table() -> MeasureColumns:
    films = np.tile(ONE, (5, 1, 1))
    films[1, IDS.index("A")] = np.nan
    films[2, IDS.index("Po")] = np.nan
    films[2, IDS.index("Me"), 1] = np.nan  # half a point is none
    films[4, IDS.index("A")] = films[4, IDS.index("N")]
    spacing = np.full((5, 2), 0.1)
    spacing[3] = np.nan
    return measure_many(films, IDS, "all", spacing_mm=spacing)


def test_values_and_reasons(table):
    assert table["SNA"].mask.tolist() == [False, True, False, False, True]
    assert table.reasons("SNA").tolist() == ["", "missing: A", "", "", "coincident points"]
    assert table.reasons("FMA").tolist() == ["", "", "missing: Po, Me", "", ""]
    assert table.reasons("S_N").tolist() == ["", "", "", "not calibrated", ""]
    assert table.reasons("N_Me").tolist() == ["", "", "missing: Me", "not calibrated", ""]
    assert table.reasons("A_Nperp").tolist() == ["", "missing: A", "missing: Po", "not calibrated", ""]


def test_columns_that_no_film_has(table):
    expected = ["missing: L6, U6, L4, U4"] * 5
    found = table.reasons("overjet").tolist()
    assert sorted(found[0].removeprefix("missing: ").split(", ")) == ["L1", "L4", "L6", "U1", "U4", "U6"]
    assert found[3].endswith("; not calibrated")
    assert len(expected) == len(found)
    assert table["overjet"].mask.all()


def test_undefined_measures(table):
    assert table["sas_Go_arc"].mask.all()
    assert table.sd("sas_Go_arc").mask.all()
    assert set(table.reasons("sas_Go_arc")) == {"undefined construction"}


def test_every_cell_has_a_value_or_a_reason(table):
    for id, column in table.columns().items():
        if id.endswith("_reason"):
            values = table[id.removesuffix("_reason")]
            assert [bool(reason) for reason in column] == values.mask.tolist()
            assert np.isfinite(values.compressed()).all()


def test_names_of_columns(table):
    assert list(table.columns())[:4] == ["SNA", "SNA_sd", "SNA_reason", "SNB"]
    assert len(table.columns()) == 3 * 167
    assert len(table) == 5


def test_unknown_measure(table):
    with pytest.raises(UnknownAnalysisError, match="Did you mean 'SNA'"):
        table["SNa"]


def test_no_films():
    table = measure_many(np.empty((0, 7, 2)), IDS, "all", spacing_mm=0.1)
    assert len(table) == 0
    assert table["SNA"].shape == (0,)
    assert table.reasons("Wits").shape == (0,)
