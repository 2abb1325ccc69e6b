from __future__ import annotations

import pytest

from cephstd.errors import InputError
from cephstd.evaluation.labels import digest_files, read_label_file
from cephstd.knowledge.layouts import load_layout

CSV = """image_id,split,annotator,same_film_as,mm_per_px,landmark,x_px,y_px
b,train,one,,0.2,S,10,20
b,train,two,,0.2,S,20,40
b,train,one,,0.2,N,30,40
a,train,one,,,S,1,2
c,train,one,b,,S,1,2
d,test,one,,,S,5,6
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "labels.csv").write_text(CSV)
    return tmp_path / "labels.csv"


def read(path, splits=(), annotators=()):
    return read_label_file(path, load_layout("points-csv"), splits=splits, annotators=annotators)


def test_splits_annotators_and_copies_are_told_apart(path):
    everything = read(path)
    assert list(everything) == ["b", "a", "d"]
    assert everything["b"].mean() == {"S": (15.0, 30.0), "N": (30.0, 40.0)}
    assert (everything["b"].mm_per_px, everything["a"].mm_per_px) == (0.2, None)
    assert list(read(path, splits=["test"])) == ["d"]
    assert read(path, annotators=["two"])["b"].mean() == {"S": (20.0, 40.0)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((",S,10", ",Nose,10"), "Nose"),
        (("10,20", "ten,20"), "ten"),
        (("x_px", "x"), "x_px"),
        (("10,20", "inf,20"), "inf"),
    ],
)
def test_a_wrong_file_is_an_input_error(path, change, message):
    path.write_text(CSV.replace(*change))
    with pytest.raises(InputError, match=message):
        read(path)


def test_the_digest_covers_names_and_bytes(path, tmp_path):
    first = digest_files([path], tmp_path)
    path.write_text(CSV + "e,test,one,,,S,5,6\n")
    second = digest_files([path], tmp_path)
    path.rename(tmp_path / "other.csv")
    # labels may lie anywhere, as an absolute path in a configuration says
    assert digest_files([tmp_path / "other.csv"], tmp_path / "elsewhere") not in (first, second)
    assert len({first, second, digest_files([tmp_path / "other.csv"], tmp_path)}) == 3
    with pytest.raises(InputError, match="cannot read"):
        digest_files([path], tmp_path)
