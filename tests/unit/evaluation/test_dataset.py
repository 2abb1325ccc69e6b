from __future__ import annotations

from pathlib import Path

import pytest

from cephstd.errors import InputError
from cephstd.evaluation.dataset import Dataset, load_dataset

TOML = """
name = "tiny"
licence = "test"
unreliable = ["Pog_s"]
[films]
folder = "films"
pattern = "{image_id}.png"
mm_per_px = 0.2
[labels]
file = "labels.csv"
mm_per_px = 0.1
split = "test1"
annotator = "mean"
ids = { UL = "Ls" }
[labels.to_image]
scale = 0.5
offset_px = -0.25
[labels.columns]
split = "split"
annotator = "annotator"
same_film_as = "same_film_as"
"""
CSV = """image_id,split,same_film_as,annotator,landmark,x_px,y_px
2,test1,,mean,S,10,20
2,test1,,mean,UL,30,40
2,test1,,senior,S,11,21
1,test1,,mean,S,1,2
3,test1,9,mean,S,5,6
9,train,,mean,S,5,6
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.toml").write_text(TOML)
    (tmp_path / "labels.csv").write_text(CSV)
    return tmp_path


def load(folder: Path, **choices: str) -> Dataset:
    return load_dataset(folder / "data.toml", **choices)


def test_one_split_one_annotator_dictionary_ids(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.truth_px == {"2": {"S": (10.0, 20.0), "Ls": (30.0, 40.0)}, "1": {"S": (1.0, 2.0)}}
    assert dataset.landmarks == ("S", "Ls")
    assert dataset.film_paths["2"] == folder / "films" / "2.png"


def test_twins_are_left_out_unless_kept(folder: Path) -> None:
    assert load(folder).twins_left_out == ("3",)
    (folder / "data.toml").write_text('twins = "keep"\n' + TOML)
    assert set(load(folder).truth_px) == {"1", "2", "3"}


def test_split_and_annotator_can_be_chosen(folder: Path) -> None:
    assert set(load(folder, split="train").truth_px) == {"9"}
    assert load(folder, annotator="senior").truth_px == {"2": {"S": (11.0, 21.0)}}


def test_transform_direction(folder: Path) -> None:
    # the area mean of label pixels 0 and 1 is image pixel 0, whose centre lies at label 0.5
    dataset = load(folder)
    assert dataset.to_label_px({"S": (0.0, 10.0)}) == {"S": (0.5, 20.5)}
    forward = dataset.spec.labels.to_image.forward([[0.5, 20.5]])
    assert forward.tolist() == [[0.0, 10.0]]
    assert dataset.to_label_px({}) == {}


def test_limit_takes_the_first_films_by_id(folder: Path) -> None:
    assert list(load(folder).limit(1).truth_px) == ["1"]
    assert list(load(folder).limit(1).film_paths) == ["1"]
    assert len(load(folder).limit(None).truth_px) == 2
    with pytest.raises(InputError, match="at least one film"):
        load(folder).limit(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("scale = 0.5", "scale = 0"), "positive label-to-image scale"),
        (("{image_id}.png", "film.png"), "image_id"),
        (('name = "tiny"', 'name = "tiny"\nnmae = 1'), "unknown field"),
        (('name = "tiny"', "name = "), "not valid"),
        (('split = "split"', 'split = "part"'), "missing: part"),
        (('split = "split"', ""), "names no split column"),
        (('"labels.csv"', '"nothing.csv"'), "nothing.csv cannot be read"),
        (('split = "test1"', 'split = "test9"'), "found none"),
        (('annotator = "mean"', ""), "labelled twice"),
    ],
)
def test_a_wrong_dataset_file_is_one_clear_error(folder: Path, change: tuple[str, str], message: str) -> None:
    (folder / "data.toml").write_text(TOML.replace(*change, 1))
    with pytest.raises(InputError, match=message):
        load(folder)


@pytest.mark.parametrize("value", ["x", "", "nan", "inf"])
def test_a_coordinate_must_be_a_finite_number(folder: Path, value: str) -> None:
    (folder / "labels.csv").write_text(CSV.replace("S,10,20", f"S,{value},20"))
    with pytest.raises(InputError, match="number"):
        load(folder)


def test_absent_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_dataset(tmp_path / "none.toml")


@pytest.mark.films
def test_isbi2015_has_127_clean_test_films(root: Path, shared_data: Path) -> None:
    dataset = load_dataset(root / "benchmarks" / "datasets" / "isbi2015.toml")
    assert len(dataset.truth_px) == 127
    assert len(dataset.twins_left_out) == 23
    assert len(dataset.landmarks) == 19
    assert {"Ls", "Li", "Pog_s"} <= set(dataset.landmarks)
    assert all(path.is_file() for path in dataset.film_paths.values())
    assert all(len(points) == 19 for points in dataset.truth_px.values())
