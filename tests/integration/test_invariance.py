"""A sample film as other devices would have given it: the same landmarks, mapped back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest

from cephstd.core.image import state_calibration
from cephstd.core.recipe import Recipe
from cephstd.evaluation.dataset import load_dataset
from cephstd.imaging.effects import Cut, load_devices
from cephstd.inference.detector import Detector
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from track_invariance import Comparison, Tally, open_films, simulate_film, truths

ROOT = Path(__file__).parents[2]
# One of each kind; the benchmark looks at all twelve on real films.
NAMES = ("monochrome1", "hard_10bit", "lies_on_its_side", "tilted_head")
DEVICES = {name: load_devices(ROOT / "benchmarks" / "simulated_devices.toml")[name] for name in NAMES}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return Comparison(Detector(threads=1))


@pytest.fixture(scope="module")
def sample():
    about = json.loads((ROOT / "data" / "samples" / "composite_b.landmarks.json").read_text(encoding="utf-8"))
    path = ROOT / "data" / "samples" / about["file"]
    points = {id: tuple(point) for id, point in about["landmarks_px"].items()}
    return read(path, calibration=state_calibration(about["spacing_mm"])), points


def test_a_sample_gives_the_same_landmarks_on_other_devices(comparison, sample) -> None:
    film, points = sample
    tallies = {name: Tally() for name in DEVICES}
    comparison.add(tallies, DEVICES, 0, film, points)
    rows = {name: tally.row() for name, tally in tallies.items()}
    assert not {name: row for name, row in rows.items() if row["failed"] or row["invented"]}
    assert all(row["points"] >= 15 for row in rows.values())
    assert {name: row["drift_median_mm"] for name, row in rows.items() if row["drift_median_mm"] > 0.4} == {}
    assert {name: row["angle_median_deg"] for name, row in rows.items() if row["angle_median_deg"] > 0.5} == {}


def test_a_tilted_head_is_levelled_before_it_counts(comparison, sample) -> None:
    film, _ = sample
    made = simulate_film(film, DEVICES["tilted_head"], 0)
    normal = comparison.standardize(made.film)
    levelled = comparison.detector(normal).points_px
    entry = comparison.detector.entry
    assert entry.upright is not None
    once = Detector(threads=1)
    once.entry = msgspec.structs.replace(entry, upright=None)
    plain = comparison.detector(comparison.standardize(film)).points_px
    drift = {}
    for name, found in (("levelled", levelled), ("once", once(normal).points_px)):
        back = dict(zip(found, made.chain.inverse(list(found.values())), strict=True))
        both = sorted(plain.keys() & back.keys())
        drift[name] = sum(abs(complex(*(back[id] - plain[id]))) for id in both) / len(both)
    assert drift["levelled"] < drift["once"]


BACK_AND_CHIN_CUT = Cut(left=0.4, top=0.0, right=1.0, bottom=0.8)
"""Takes porion, articulare, gonion and menton off most films."""


@pytest.mark.films
def test_points_outside_a_crop_are_absent_on_every_device(comparison, shared_data, counts) -> None:
    if not (shared_data / "isbi2015" / "images").is_dir():
        pytest.skip("the challenge's films are not there")
    dataset = load_dataset(ROOT / "benchmarks" / "datasets" / "isbi2015.toml")
    truth = truths(dataset)
    devices = {
        name: msgspec.structs.replace(device, effects=(BACK_AND_CHIN_CUT, *device.effects))
        for name, device in load_devices(ROOT / "benchmarks" / "simulated_devices.toml").items()
    }
    tallies = {name: Tally() for name in devices}
    # The gate is another question: what is no whole face may be refused, and is looked at here all the same.
    normalizer, report = Normalizer(), Recipe(view_gate="report")
    looking = Comparison(comparison.detector, lambda film: normalizer(film, report))
    chosen = sorted(truth)[40 :: counts(80, 10)]
    for number, (image_id, film) in enumerate(open_films(dataset, chosen)):
        looking.add(tallies, devices, number, film, truth[image_id])
    rows = {name: tally.row() for name, tally in tallies.items()}
    assert len(rows) == 12
    assert all(row["outside"] >= 2 * len(chosen) for row in rows.values())
    assert {name: row["invented"] for name, row in rows.items() if row["invented"]} == {}
    assert {name: row["failed"] for name, row in rows.items() if row["failed"]} == {}
