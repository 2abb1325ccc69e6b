from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.evaluation.dataset import Dataset, load_dataset

sys.path.insert(0, str(Path(__file__).parents[2]))
from layout_sets import write_aariz

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
    assert dataset.to_label_px("1", {"S": (0.0, 10.0)}) == {"S": (0.5, 20.5)}
    forward = dataset.spec.labels.to_image.forward([[0.5, 20.5]])
    assert forward.tolist() == [[0.0, 10.0]]
    assert dataset.to_label_px("1", {}) == {}


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


SOURCE = """
name = "drawn"
[source]
layout = "aariz"
folder = "Aariz"
splits = ["train"]
"""


@pytest.fixture
def aariz(tmp_path: Path, rng: np.random.Generator) -> Path:
    write_aariz(tmp_path / "Aariz", rng, films={"train": 2, "test": 1}, spacings_mm=(0.8, 1.0))
    (tmp_path / "data.toml").write_text(SOURCE)
    return tmp_path


def test_films_of_a_layout_are_scored_each_at_its_own_scale(aariz: Path) -> None:
    dataset = load(aariz)
    assert [dataset.spacing_mm(film) for film in ("train0", "train1")] == [0.8, 1.0]
    assert dataset.spec.licence.startswith("CC BY 4.0")
    for film in ("train0", "train1"):
        (x, y), scale = dataset.truth_px[film]["S"], dataset.spacing_mm(film)
        assert scale is not None
        here = {"S": (x * 0.1 / scale + 3.0, y * 0.1 / scale)}
        moved = dataset.to_label_px(film, here)["S"]
        # 3 film px to the right, in label px of 0.1 mm
        assert moved == pytest.approx((x + 30.0 * scale, y))


def test_split_and_annotator_of_a_layout_can_be_chosen(aariz: Path) -> None:
    assert set(load(aariz, split="test").truth_px) == {"test0"}
    assert load(aariz, split="test").keys == ("aariz/test",)
    senior = load(aariz, annotator="Senior Orthodontists")
    assert senior.spec.labels.annotator == "Senior Orthodontists"
    assert senior.truth_px["train0"]["S"][0] == pytest.approx(load(aariz).truth_px["train0"]["S"][0] - 8.0)


def test_a_stack_is_not_scored(tmp_path: Path) -> None:
    (tmp_path / "train_stack.mha").write_bytes(b"")
    (tmp_path / "train-gt.json").write_text('{"points": [{"name": "1", "scale": "0.1", "point": [1, 1, 1]}]}')
    (tmp_path / "data.toml").write_text('name = "cl"\n[source]\nlayout = "cl-detection-2023"\n')
    with pytest.raises(InputError, match="unpack it"):
        load(tmp_path)


@pytest.mark.films
def test_isbi2015_has_127_clean_test_films(root: Path, shared_data: Path) -> None:
    dataset = load_dataset(root / "benchmarks" / "datasets" / "isbi2015.toml")
    assert len(dataset.truth_px) == 127
    assert len(dataset.twins_left_out) == 23
    assert len(dataset.landmarks) == 19
    assert {"Ls", "Li", "Pog_s"} <= set(dataset.landmarks)
    assert all(path.is_file() for path in dataset.film_paths.values())
    assert all(len(points) == 19 for points in dataset.truth_px.values())
