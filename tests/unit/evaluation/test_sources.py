"""Labelled sets in any layout become films with points of the dictionary, in film pixels, each at its own scale."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cephstd.errors import DefinitionError, InputError
from cephstd.evaluation.sources import SourceConfig, read_source
from cephstd.knowledge.layouts import load_layout, load_layouts

sys.path.insert(0, str(Path(__file__).parents[2]))
from layout_sets import write_aariz

SENIOR = "Senior Orthodontists"


@pytest.fixture
def aariz(tmp_path, rng):
    return write_aariz(tmp_path / "Aariz", rng, films={"train": 2, "test": 1}, spacings_mm=(0.8, 1.0))


def read(tmp_path, layout="aariz", folder="Aariz", **choices):
    return read_source(SourceConfig(layout=layout, folder=folder, **choices), tmp_path)


def test_aariz_takes_the_mean_of_two_annotators_and_each_films_scale(aariz, tmp_path):
    found = read(tmp_path, splits=["train"])
    assert [(film.image_id, film.path.suffix, film.spacing_mm) for film in found.films] == [
        ("train0", ".png", 0.8),
        ("train1", ".jpg", 1.0),
    ]
    for film in found.films:
        drawn = aariz[film.image_id].landmarks_px
        assert film.points_px.keys() == drawn.keys()
        for id, point in film.points_px.items():
            assert point == pytest.approx(drawn[id])
    senior = read(tmp_path, splits=["train"], annotators=[SENIOR]).films[0]
    assert senior.points_px["S"][0] == pytest.approx(aariz["train0"].landmarks_px["S"][0] - 1.0)
    assert "contour point" in found.differences["Go"]


def test_splits_and_digest_follow_the_choice(aariz, tmp_path):
    both, test = read(tmp_path, splits=["train", "test"]), read(tmp_path, splits=["test"])
    assert [film.image_id for film in both.films] == ["train0", "train1", "test0"]
    assert [film.image_id for film in test.films] == ["test0"]
    assert both.labels_sha256 != test.labels_sha256


def test_a_point_that_one_annotator_left_out_is_the_others(aariz, tmp_path):
    path = tmp_path / "Aariz/train/Annotations/Cephalometric Landmarks" / SENIOR / "train0.json"
    content = json.loads(path.read_text())
    content["landmarks"] = [mark for mark in content["landmarks"] if mark["symbol"] != "S"]
    path.write_text(json.dumps(content))
    film = read(tmp_path, splits=["train"]).films[0]
    assert film.points_px["S"][0] == pytest.approx(aariz["train0"].landmarks_px["S"][0] + 1.0)


def test_what_is_left_out_says_why(aariz, tmp_path):
    found = read(tmp_path, splits=["train"], leave_out=["Pog_s"])
    assert "Pog_s" not in found.films[0].points_px
    assert found.left_out == {"Pog_s": "left out by the configuration"}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "Expected splits of aariz among train, valid, test"),
        ({"splits": ["Train"]}, "split of aariz"),
        ({"splits": ["train"], "annotators": ["Dr No"]}, "annotator of aariz"),
        ({"splits": ["train"], "leave_out": ["Nose"]}, "Nose"),
        ({"splits": ["valid"]}, "found no such file or folder"),
    ],
)
def test_a_wrong_choice_is_named(aariz, tmp_path, choices, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, **choices)


def test_a_film_that_is_missing_twice_or_without_scale_is_named(aariz, tmp_path):
    folder = tmp_path / "Aariz/train/Cephalograms"
    (tmp_path / "Aariz/cephalogram_machine_mappings.csv").unlink()
    with pytest.raises(InputError, match="train0 of aariz has no scale"):
        read(tmp_path, splits=["train"])
    assert read(tmp_path, splits=["train"], spacing_mm=0.25).films[1].spacing_mm == 0.25
    (folder / "train0.bmp").write_bytes(b"")
    with pytest.raises(InputError, match=r"train0 is there twice: train0\.bmp, train0\.png"):
        read(tmp_path, splits=["train"], spacing_mm=0.25)
    (folder / "train0.bmp").unlink()
    (folder / "train0.png").unlink()
    with pytest.raises(InputError, match=r"train0\.\* is missing"):
        read(tmp_path, splits=["train"], spacing_mm=0.25)


def test_a_scale_of_zero_is_refused(aariz, tmp_path):
    table = tmp_path / "Aariz/cephalogram_machine_mappings.csv"
    table.write_text(table.read_text().replace(",0.8,", ",0,"))
    with pytest.raises(InputError, match="above 0, found another for test0, train0"):
        read(tmp_path, splits=["train"])


def test_isbi_films_of_a_split_are_those_in_its_folder(tmp_path):
    for annotator, off in (("400_senior", 0), ("400_junior", 4)):
        folder = tmp_path / "isbi/AnnotationsByMD" / annotator
        folder.mkdir(parents=True)
        for film in ("001", "151"):
            (folder / f"{film}.txt").write_text("".join(f"{10 * n + off},{n}\n" for n in range(1, 20)))
    for split, film in (("TrainingData", "001"), ("Test1Data", "151")):
        (tmp_path / "isbi/RawImage" / split).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "isbi/RawImage" / split / f"{film}.bmp"), np.zeros((8, 8), np.uint8))
    (film,) = read(tmp_path, "isbi2015", "isbi", splits=["Test1Data"]).films
    assert (film.image_id, film.spacing_mm, film.points_px["S"]) == ("151", 0.1, (12.0, 1.0))


def test_cl_detection_gives_places_in_the_stack_and_holds_what_is_not_defined(tmp_path):
    (tmp_path / "train_stack.mha").write_bytes(b"")
    marks = [
        {"name": str(n), "point": [10 * n + film, n, film], "scale": scale}
        for n in range(1, 39)
        for film, scale in ((2, "0.125"), (1, "0.1"))
    ]
    (tmp_path / "train-gt.json").write_text(json.dumps({"points": marks}))
    found = read(tmp_path, "cl-detection-2023", ".")
    assert [(film.image_id, film.place, film.spacing_mm) for film in found.films] == [("1", 0, 0.1), ("2", 1, 0.125)]
    assert found.films[1].points_px["N"] == (22.0, 2.0)
    assert set(found.left_out) == {"UL2", "LL2", "U6", "L6"}
    assert not set(found.left_out) & found.films[0].points_px.keys()


def test_a_layout_of_ones_own(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'id = "mine"\nname = "Mine"\nlicence = "mine"\nform = "points"\nfilms = "{image_id}.png"\nlabels = "l.csv"\n'
        'label_scale = 0.5\nlabel_offset_px = -0.25\nids = { UL = "Ls" }\nspacing_mm = 0.3\n'
    )
    (tmp_path / "l.csv").write_text("image_id,landmark,x_px,y_px\na,UL,3,5\n")
    (tmp_path / "a.png").write_bytes(b"")
    (film,) = read(tmp_path, "mine.toml", ".").films
    assert (film.points_px, film.spacing_mm) == ({"Ls": (1.25, 2.25)}, 0.3)
    (tmp_path / "mine.toml").write_text('id = "mine"\nfilm = "x"')
    with pytest.raises(DefinitionError, match=r"mine\.toml: no layout"):
        read(tmp_path, "mine.toml", ".")
    with pytest.raises(DefinitionError, match="aariz"):
        load_layout("ariz")


def test_every_layout_states_its_terms():
    assert {"aariz", "cl-detection-2023", "cl-detection-csv", "isbi2015", "points-csv", "wide-csv"} == set(
        load_layouts()
    )
    assert all(layout.licence for layout in load_layouts().values())
    assert load_layout("aariz").licence.startswith("CC BY 4.0")
    assert "no commercial use" in load_layout("cl-detection-2023").licence
