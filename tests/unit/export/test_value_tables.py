from __future__ import annotations

import io

import pytest

import cephstd as cs
from cephstd.export.tables import MeasureWriter
from cephstd.export.value_tables import read_values


def test_reads_what_is_written():
    values = cs.measure(cs.landmark_set({"S": (0, 0), "N": (70, 0), "A": (70, 60)}), ["SNA", "SNB"])
    stream = io.StringIO()
    MeasureWriter(stream).write("a", values)
    found = read_values(stream.getvalue())
    assert found["SNA"].values == {"a": values["SNA"].value}
    assert (found["SNB"].values, found["SNB"].unit) == ({}, "deg")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,SNA,nan,deg", "Line 2"),
        ("a,SNA,x,deg", "finite"),
        ("a,SNA,1,deg\na,SNA,2,deg", "twice"),
        ("a,SNA,1,deg\nb,SNA,2,mm", "two units"),
        ("a,,1,deg", "empty cell"),
    ],
)
def test_faults_name_their_line(rows, said):
    with pytest.raises(cs.InputError, match=said):
        read_values("image_id,measure,value,unit\n" + rows)


def test_a_table_without_values_is_refused():
    with pytest.raises(cs.InputError, match="missing: value"):
        read_values("image_id,measure\n")
