"""What another device changes: landmarks and angles of the same films as twelve simulated devices would give them.

Usage: track_invariance.py [--dataset FILE] [--skip N] [--films N] [--devices FILE] [--write FILE] [--check]

Every film is read and analysed plain, then once more as each device of the TOML file would have stored it; the points
of the second are carried back to the first. Drift is the distance between the two, in mm. The dataset is one that the
model was not trained on, and its first 36 films are left out, because tone and levelling were chosen on them. --write
keeps the figures as JSON; --check exits 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from cephstd.core.image import Normalized, Radiograph, state_calibration
from cephstd.core.landmarks import LandmarkSet
from cephstd.errors import CephError
from cephstd.evaluation.dataset import Dataset, PointsPx, load_dataset
from cephstd.geometry.measurer import Measurer
from cephstd.imaging.effects import SimulatedDevice, load_devices
from cephstd.imaging.simulator import Simulated, simulate
from cephstd.inference.detector import Detector
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer

HERE = Path(__file__).resolve().parent
DEVICES = HERE / "simulated_devices.toml"
DATASET = HERE / "datasets" / "isbi2015.toml"
PROTOCOL_MODEL = "isbi19-unet-a"
"""Has learned from the training films alone, so that the test films are new to it."""
SKIPPED = 36
FILMS = 60
ANALYSIS = "all"
LIMITS = {"drift_median_mm": 0.25, "drift_95_mm": 0.8, "angle_median_deg": 0.3, "mre_rise_mm": 0.15, "invented": 0}
MARGIN_MM = 2.0
"""A point this far outside a film is there by no reading of its edge."""


def open_films(dataset: Dataset, films: Iterable[str] | None = None) -> Iterator[tuple[str, Radiograph]]:
    """The named films, or all, with the dataset's scale stated."""
    scale = state_calibration(dataset.spec.films.mm_per_px or 0.1, source="stated for the dataset")
    for image_id in dataset.film_paths if films is None else films:
        yield image_id, read(dataset.film_paths[image_id], calibration=scale)


def simulate_film(film: Radiograph, device: SimulatedDevice, number: int) -> Simulated:
    """The film from another device; the same one whenever it is asked for."""
    return simulate(film, device, np.random.default_rng([2015, number]))


def points_of(marks: LandmarkSet, made: Simulated | None = None) -> PointsPx:
    """Points that were found, in px of the plain film."""
    found = marks.points_px
    if made is None or not found:
        return found
    back = made.chain.inverse(list(found.values()))
    return {id: (float(x), float(y)) for id, (x, y) in zip(found, back, strict=True)}


def distances(first: PointsPx, second: PointsPx, mm_per_px: float) -> list[float]:
    """Distances in mm between the points that both have."""
    return [float(np.hypot(*np.subtract(first[id], second[id]))) * mm_per_px for id in first if id in second]


def outside(points: PointsPx, made: Simulated, mm_per_px: float) -> set[str]:
    """Ids of the points that lie outside the device's film by more than the margin."""
    if not points:
        return set()
    x, y = made.chain.forward(list(points.values())).T
    scale = float(np.sqrt(abs(np.linalg.det(made.chain.matrix))))
    margin = MARGIN_MM / mm_per_px * scale
    width, height = made.film.size
    gone = (x < -margin) | (y < -margin) | (x > width - 1 + margin) | (y > height - 1 + margin)
    return {id for id, out in zip(points, gone, strict=True) if out}


class Tally:
    """What one device did to all films."""

    def __init__(self) -> None:
        self.drift: list[float] = []
        self.angle: list[float] = []
        self.error: list[float] = []
        self.plain_error: list[float] = []
        self.outside = self.invented = self.lost = self.failed = 0

    def row(self) -> dict[str, float | int]:
        def quantile(values: list[float], share: float) -> float:
            return round(float(np.quantile(values, share)), 4) if values else float("inf")

        rise = np.mean(self.error) - np.mean(self.plain_error) if self.error else np.inf
        return {
            "points": len(self.drift),
            "drift_median_mm": quantile(self.drift, 0.5),
            "drift_95_mm": quantile(self.drift, 0.95),
            "angle_median_deg": quantile(self.angle, 0.5),
            "mre_mm": round(float(np.mean(self.error)), 4) if self.error else float("inf"),
            "mre_rise_mm": round(float(rise), 4),
            "outside": self.outside,
            "invented": self.invented,
            "lost": self.lost,
            "failed": self.failed,
        }


class Comparison:
    """Compares films from other devices with the plain ones.

    Parameters
    ----------
    detector : callable
        Standard image -> landmarks.
    standardize : callable
        Film -> standard image.
    """

    def __init__(self, detector=None, standardize=None) -> None:
        self.detector = detector or Detector(PROTOCOL_MODEL, threads=1)
        self.standardize = standardize or Normalizer()
        self.measurer = Measurer(ANALYSIS)

    def look(self, film: Radiograph) -> tuple[Normalized, LandmarkSet, dict[str, float]]:
        normal = self.standardize(film)
        marks = self.detector(normal)
        values = self.measurer(marks, film.calibration)
        angles = {value.id: value.value for value in values if value.unit == "deg" and value.value is not None}
        return normal, marks, angles

    def add(
        self, tallies: Mapping[str, Tally], devices: Mapping[str, SimulatedDevice], number: int, film: Radiograph,
        truth: PointsPx,
    ) -> None:  # fmt: skip
        """Compare one film; `truth` is in px of the film."""
        assert film.calibration.spacing_mm is not None
        mm_per_px = film.calibration.spacing_mm[0]
        _, marks, values = self.look(film)
        plain = points_of(marks)
        for name, device in devices.items():
            tally, made = tallies[name], simulate_film(film, device, number)
            try:
                _, found_marks, found_values = self.look(made.film)
            except CephError:
                tally.failed += 1
                continue
            found = points_of(found_marks, made)
            gone = outside(truth, made, mm_per_px)
            tally.outside += len(gone)
            tally.invented += len(gone & found.keys())
            tally.lost += len(plain.keys() - found.keys() - gone)
            seen = {id: plain[id] for id in plain if id in found and id not in gone}
            tally.drift += distances(seen, found, mm_per_px)
            tally.error += distances({id: truth[id] for id in seen if id in truth}, found, mm_per_px)
            tally.plain_error += distances({id: truth[id] for id in seen if id in truth}, plain, mm_per_px)
            for id in values.keys() & found_values.keys():
                # The short way round: 179.9 and -179.9 degrees differ by 0.2.
                tally.angle.append(abs((found_values[id] - values[id] + 180.0) % 360.0 - 180.0))


def truths(dataset: Dataset) -> dict[str, PointsPx]:
    """Labels in px of the films."""
    moved = {}
    for image_id, points in dataset.truth_px.items():
        there = dataset.spec.labels.to_image.forward(list(points.values()))
        moved[image_id] = {id: (float(x), float(y)) for id, (x, y) in zip(points, there, strict=True)}
    return moved


def exceeded(row: Mapping[str, float | int]) -> list[str]:
    """Names of the limits that a device's row passes, and failed films."""
    return [name for name, limit in LIMITS.items() if row[name] > limit] + (["failed"] if row["failed"] else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--skip", type=int, default=SKIPPED, help="films to leave out at the start")
    parser.add_argument("--films", type=int, default=FILMS)
    parser.add_argument("--devices", type=Path, default=DEVICES)
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    dataset = load_dataset(options.dataset).limit(options.skip + options.films)
    devices, truth = load_devices(options.devices), truths(dataset)
    comparison, tallies = Comparison(), {name: Tally() for name in devices}
    films = sorted(truth)[options.skip :]
    for number, (image_id, film) in enumerate(open_films(dataset, films)):
        comparison.add(tallies, devices, number, film, truth[image_id])
        print(f"\r{number + 1} of {len(films)} films", end="", file=sys.stderr)
    print(file=sys.stderr)
    rows = {name: tally.row() for name, tally in tallies.items()}
    found = {
        "dataset": dataset.spec.name,
        "split": dataset.spec.labels.split,
        "films": len(films),
        "films_left_out": options.skip,
        "analysis": ANALYSIS,
        "model": f"{comparison.detector.entry.name} {comparison.detector.entry.version}",
        "limits": LIMITS,
        "devices": {name: {**row, "exceeded": exceeded(row)} for name, row in rows.items()},
    }
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if options.check and any(map(exceeded, rows.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
