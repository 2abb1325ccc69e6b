"""Doubt and error on simulated devices, each film judged by the fold that saw neither the film nor the device.

Usage: held_out_devices.py CONFIG --model NAME [--films N] [--write FILE]

CONFIG is a training whose folds are done (`cephstd train CONFIG --fold K`). Each fold becomes a model of its own with
the contract of the catalog's NAME and a calibration fitted on the other folds; N of the films that it did not see are
analysed plain and as each of the twelve devices would have stored them, the whole way from file to points. Training
draws devices at random and never these twelve. Reported per device: mean error, its rise over the plain films, and how
many points lie in their 95 % ellipse, beside the same on the plain films.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from cephstd.core.image import Radiograph
from cephstd.core.landmarks import LandmarkSet
from cephstd.errors import CephError
from cephstd.evaluation.dataset import PointsPx, load_dataset
from cephstd.imaging.effects import load_devices
from cephstd.imaging.simulator import Simulated
from cephstd.inference.catalog import load_catalog
from cephstd.inference.detector import Detector
from cephstd.pipeline.normalizer import Normalizer
from cephstd.training.calibration import CHI2_95, fit_calibration
from cephstd.training.config import LoadedConfig, load_config, select_fold
from cephstd.training.cross_validation import HeldOut, predict_folds
from cephstd.training.dataset import load_films
from cephstd.training.export import export_onnx
from cephstd.training.fit import CHECKPOINT
from cephstd.training.manifest import entry_text

sys.path.insert(0, str(Path(__file__).resolve().parent))
from track_invariance import DATASET, DEVICES, open_films, simulate_film, truths

SPLITS = ("train", "test1")
PLAIN = "plain"


def write_folds(loaded: LoadedConfig, held: HeldOut, name: str, folder: Path) -> None:
    """A models folder with one model per fold, called ``fold-K``."""
    catalog = load_catalog()
    entry, entries = catalog.entry(name), []
    for fold in range(loaded.config.data.folds):
        chosen = select_fold(loaded, fold)
        made = export_onnx(chosen.path(chosen.config.run.folder) / CHECKPOINT, folder / f"fold-{fold}.onnx")
        out = held.fold == fold
        scale, floor = fit_calibration(held.residual_px[~out], held.covariance_px2[~out]).named(held.landmarks)
        entries.append(
            msgspec.structs.replace(
                entry,
                name=f"fold-{fold}",
                file=made.path.name,
                sha256=made.sha256,
                bytes=made.size_bytes,
                card="",
                covariance_scale=scale,
                covariance_floor_px2=floor,
            )
        )
    (folder / "manifest.toml").write_text("\n".join(map(entry_text, entries)), encoding="utf-8")
    if entry.shape is not None:
        shutil.copyfile(catalog.folder / entry.shape.file, folder / entry.shape.file)


class Tally:
    """Errors and coverage under one device."""

    def __init__(self) -> None:
        self.errors: dict[tuple[str, str], float] = {}
        self.inside: list[bool] = []
        self.withheld = self.failed = 0

    def add(self, image_id: str, marks: LandmarkSet, truth: PointsPx, mm_per_px: float, made: Simulated | None) -> None:
        """Compare the points of one film; those that the device cut away do not count."""
        for mark in marks:
            if mark.id not in truth:
                continue
            if not mark.is_present:
                self.withheld += mark.reason == "low_confidence"
                continue
            point, doubt = np.array([[mark.x_px, mark.y_px]]), mark.covariance_px2
            if made is not None:
                point, doubt = made.chain.inverse(point), made.chain.inverse_covariance(doubt[None])[0]
            offset = point[0] - truth[mark.id]
            self.errors[image_id, mark.id] = float(np.hypot(*offset)) * mm_per_px
            self.inside.append(bool(offset @ np.linalg.solve(doubt, offset) <= CHI2_95))

    def row(self, plain: Tally) -> dict[str, float | int]:
        both = self.errors.keys() & plain.errors.keys()
        rise = np.mean([self.errors[key] - plain.errors[key] for key in both])
        return {
            "points": len(self.errors),
            "mre_mm": round(float(np.mean(list(self.errors.values()))), 4),
            "mre_rise_mm": round(float(rise), 4),
            "in_95_ellipse_percent": round(100.0 * float(np.mean(self.inside)), 2),
            "low_confidence": self.withheld,
            "failed": self.failed,
        }


def looks(film: Radiograph, number: int) -> Iterator[tuple[str, Radiograph, Simulated | None]]:
    """The film as it is and from every device."""
    yield PLAIN, film, None
    for name, device in load_devices(DEVICES).items():
        made = simulate_film(film, device, number)
        yield name, made.film, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--model", required=True, help="model of the catalog that the folds make up")
    parser.add_argument("--films", type=int, default=12, help="per fold")
    parser.add_argument("--write", type=Path, metavar="FILE")
    given = parser.parse_args()
    loaded = load_config(given.config)
    held = predict_folds(loaded, load_films(loaded))
    datasets = [load_dataset(DATASET, split=split) for split in SPLITS]
    truth = {id: points for dataset in datasets for id, points in truths(dataset).items()}
    normalize, tallies = Normalizer(), {PLAIN: Tally(), **{name: Tally() for name in load_devices(DEVICES)}}
    with tempfile.TemporaryDirectory() as folder:
        write_folds(loaded, held, given.model, Path(folder))
        for fold in range(loaded.config.data.folds):
            licence = load_catalog(folder).entry(f"fold-{fold}").licence_weights
            detector = Detector(f"fold-{fold}", models=folder, accepted_licences=(licence,), threads=1)
            films = [id for id, where in zip(held.films, held.fold, strict=True) if where == fold][: given.films]
            opened = (
                pair for data in datasets for pair in open_films(data, [id for id in films if id in data.truth_px])
            )
            for number, (image_id, film) in enumerate(opened):
                assert film.calibration.spacing_mm is not None
                for name, seen, made in looks(film, number):
                    try:
                        marks = detector(normalize(seen))
                    except CephError:
                        tallies[name].failed += 1
                        continue
                    tallies[name].add(image_id, marks, truth[image_id], film.calibration.spacing_mm[0], made)
                print(f"\rfold {fold}, film {number + 1} of {len(films)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    found = {
        "config": given.config.name,
        "films": given.films * loaded.config.data.folds,
        "devices": {name: tally.row(tallies[PLAIN]) for name, tally in tallies.items()},
    }
    text = json.dumps(found, indent=2)
    print(text)
    if given.write:
        given.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
