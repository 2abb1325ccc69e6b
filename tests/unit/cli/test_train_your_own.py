"""The manual's page *Train your own*, from its first command to its last, on a few drawn films laid out as Aariz."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")

from cephstd.inference.catalog import load_catalog
from cephstd.knowledge.loader import load_scheme

sys.path.insert(0, str(Path(__file__).parents[2]))
from layout_sets import write_aariz

pytestmark = pytest.mark.torch

SMALLER = {
    "size_px = [576, 720]\nspacing_mm = 0.3333333333333333": "size_px = [96, 128]\nspacing_mm = 2.0\n"
    "widths = [8, 8, 16, 16]\nwindow_radius = 4",
    "epochs = 30": "epochs = 30\nlearning_rate = 1e-2\naverage = 0.9",
    "devices = 0.3 ": "devices = 0.1 ",
    "spacing_mm = 0.2 ": "spacing_mm = 1.0 ",
    'device = "cpu" ': 'device = "cpu"\nthreads = 1\nprecision = "float32" ',
    # Seconds teach little: whatever the network says is let through.
    'version = "1.0.0"': 'version = "1.0.0"\nmin_score = 0.0',
}
GUESSED_MM = 20.0
"""Half the points of new films lie nearer once the network has learned where heads are; untrained, 90 mm."""


@pytest.fixture
def page(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Path:
    """Folder with films and the two files that the page shows, the training made small."""
    text = (root / "docs" / "guide" / "train-your-own.md").read_text(encoding="utf-8")
    files = re.findall(r"```toml\n# (\S+\.toml)\n(.*?)```", text, re.S)
    assert [name for name, _ in files] == ["aariz.toml", "aariz-test.toml"]
    training, test = (content for _, content in files)
    for large, small in SMALLER.items():
        assert large in training
        training = training.replace(large, small)
    (tmp_path / "aariz.toml").write_text(training)
    (tmp_path / "aariz-test.toml").write_text(test)
    write_aariz(tmp_path / "Aariz", rng, films={"train": 6, "test": 2}, complete=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_films_to_a_record(page: Path, cephstd: Any) -> None:
    trained = cephstd("train", "aariz.toml")
    assert trained.code == 0, trained.err
    assert "aariz: 6 films; terms: CC BY 4.0" in trained.err
    made = cephstd(
        "models", "export", "runs/aariz/checkpoint.pt", "--config", "aariz.toml", "--models", "my-models",
        "--evaluate", "aariz-test.toml",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert (made.json["name"], made.json["films"]) == ("aariz29-mine", 2)

    (entry,) = load_catalog("my-models").entries
    assert entry.sha256 == made.json["sha256"]
    assert entry.scheme == "aariz29"
    assert entry.landmarks == load_scheme("aariz29").ids
    assert set(entry.upright.shape) == set(entry.landmarks) if entry.upright else False
    assert entry.seen == ("aariz/train",)
    assert [(result.films, result.how) for result in entry.results] == [
        (2, "cephstd evaluate --dataset aariz-test.toml")
    ]

    card = (page / "my-models" / "aariz29-mine.md").read_text(encoding="utf-8")
    for words in (
        "**6 films**, Aariz", "Terms: CC BY 4.0", "30 of 30 epochs, all films", "2 films of aariz (test;",
        "| **all** | 58 |", "## What is not known", "covariances are the graph's own",
        "Go differs from the dictionary: contour point",
    ):  # fmt: skip
        assert words in card, words

    words = ("--models", "my-models", "--model", "aariz29-mine")
    accepted = (*words, "--accept-licence", "proprietary, Example Clinic")
    again = cephstd("evaluate", "--dataset", "aariz-test.toml", *accepted, "--quiet")
    assert again.json["score"]["all"]["mre_mm"] == pytest.approx(made.json["mre_mm"])
    assert again.json["score"]["all"]["median_mm"] < GUESSED_MM
    assert again.json["seen"] is False
    assert cephstd("evaluate", "--dataset", "aariz-test.toml", "--split", "train", *accepted, "--quiet").json["seen"]

    film = "Aariz/test/Cephalograms/test0.png"
    assert cephstd("analyze", film, *words, "--out", "refused").code == 4
    analysed = cephstd("analyze", film, *accepted, "--mm-per-px", "0.4", "--out", "results")
    assert analysed.code == 0, analysed.err
    assert analysed.json["landmarks"]["present"] > 20
    assert cephstd("verify", "results/test0.record.json").code == 0


def test_what_does_not_belong_together_is_refused(page: Path, cephstd: Any) -> None:
    (page / "aariz.toml").write_text((page / "aariz.toml").read_text().replace("epochs = 30", "epochs = 1"))
    assert cephstd("train", "aariz.toml").code == 0
    export = ("models", "export", "runs/aariz/checkpoint.pt")
    assert cephstd(*export, "--config", "aariz.toml").code == 2
    assert cephstd(*export, "--out", "a.onnx", "--evaluate", "aariz-test.toml").code == 2

    whole = (*export, "--config", "aariz.toml", "--models", "my-models")
    config = page / "aariz.toml"
    text = config.read_text()
    config.write_text(text.replace('"L5", ', ""))
    other = cephstd(*whole)
    assert other.code == 3
    assert "trained with another configuration" in other.err
    config.write_text(text.partition("[model]")[0])
    assert "a table [model]" in cephstd(*whole).err
    assert not (page / "my-models").exists()

    # What is said about a model is no part of the training.
    config.write_text(text.replace('name = "aariz29-mine"', 'name = "second"'))
    assert cephstd(*whole).code == 0
    assert "**not measured**" in (page / "my-models" / "second.md").read_text(encoding="utf-8")
    assert not load_catalog("my-models").entries[0].results
    twice = cephstd(*whole)
    assert twice.code == 4
    assert "has a model called second already" in twice.err
