"""A card says what is known and, in so many words, what is not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")

from cephstd.errors import InputError
from cephstd.evaluation.sources import LabelledFilm, LabelledSet
from cephstd.inference.catalog import load_catalog
from cephstd.knowledge.layouts import load_layout
from cephstd.training.card import CardFacts, RunFacts, write_card
from cephstd.training.config import DataConfig, OptimizerConfig, RunConfig, TrainConfig, load_config
from cephstd.training.release import _check_same, name_scheme, release_model

pytestmark = pytest.mark.torch


@pytest.fixture
def facts():
    films = [
        LabelledFilm(image_id=str(n), path=Path(), place=None, points_px={"S": (1.0, 2.0)}, spacing_mm=0.1)
        for n in range(3)
    ]
    films[0] = LabelledFilm(image_id="0", path=Path(), place=None, points_px={"S": (1, 2), "N": (3, 4)}, spacing_mm=0.2)
    found = LabelledSet(
        layout=load_layout("cl-detection-2023"), splits=(), annotators=(), films=tuple(films),
        left_out={"U6": "mapping on hold: no definition"}, differences={"N": "somewhere else"}, provisional={},
        labels_sha256="sha256:0",
    )  # fmt: skip
    config = TrainConfig(
        data=DataConfig(landmarks=["S", "N"], spacing_mm=0.1, folds=5),
        optimizer=OptimizerConfig(epochs=9),
        run=RunConfig(folder="run"),
    )
    entry = msgspec.structs.replace(load_catalog().entries[0], landmarks=("S", "N"), covariance_how="")
    return CardFacts(
        entry=entry, config=config, sets=[found], runs=[RunFacts(epochs=4, held_out_fold=-1, held_out_mre_mm=None)],
        parameters=123, patients="", evaluation=None, how="", validation=None,
    )  # fmt: skip


def replaced(facts, **changes):
    return CardFacts(**{name: changes.get(name, getattr(facts, name)) for name in CardFacts.__slots__})


def test_data_terms_and_what_was_left_out(facts):
    card = write_card(facts)
    for words in (
        "**3 films**, CL-Detection 2023", "CC BY-NC 4.0", "Scale 0.1 to 0.2 mm", "U6 is left out: mapping on hold",
        "N differs from the dictionary: somewhere else", "fewer than half of the 3 films: N (1)",
        "4 of 9 epochs, all films",
    ):  # fmt: skip
        assert words in card, words


def test_what_was_not_measured_is_said(facts):
    card = write_card(facts)
    assert "**not measured**" in card
    assert "How large its errors are: no film was held out" in card
    assert "covariances are the graph's own" in card
    assert "for whom it works less well is not known" in card
    assert "mean error" not in card


def test_a_held_out_fold_and_a_calibration_are_told_instead(facts):
    entry = msgspec.structs.replace(facts.entry, covariance_how="Fitted on 9 films.")
    runs = [RunFacts(epochs=9, held_out_fold=2, held_out_mre_mm=1.234)]
    card = write_card(replaced(facts, entry=entry, runs=runs, patients="Adults."))
    assert "Fold 2, which its network had not seen: mean error 1.23 mm." in card
    assert "fold 2 of 5 held out" in card
    assert "no film was held out" not in card
    assert "the graph's own" not in card
    assert "Patients and devices: Adults." in card


def test_a_scheme_is_named_after_its_points():
    assert name_scheme(load_catalog().entries[0].landmarks, "mine") == "isbi19"
    assert name_scheme(("S", "N"), "mine") == "mine2"


def test_a_training_without_terms_becomes_no_model(tmp_path, training_set):
    with pytest.raises(InputError, match=r"a table \[model\]"):
        release_model(load_config(training_set()), [tmp_path / "checkpoint.pt"], tmp_path / "models")


def test_a_training_that_moved_is_the_same_and_one_of_other_points_is_not(facts):
    config = facts.config
    moved = msgspec.structs.replace(
        config,
        data=msgspec.structs.replace(config.data, held_out_fold=3, images="/a/{image_id}.png", labels="/a/l.csv"),
        run=msgspec.structs.replace(config.run, folder="elsewhere/fold-3", device="cuda"),
    )
    _check_same([{"config": msgspec.json.encode(moved)}], config)
    other = msgspec.structs.replace(config, data=msgspec.structs.replace(config.data, landmarks=["N", "S"]))
    with pytest.raises(InputError, match="another configuration"):
        _check_same([{"config": msgspec.json.encode(other)}], config)
