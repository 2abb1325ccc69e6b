"""Which tone makes films of different devices alike without harm: drift and error under five of them, as a table.

Usage: tones.py [--dataset FILE] [--films N] [--write FILE]

Every film is analysed plain and as the devices whose grey scale or field differs would have stored it, once with each
tone after the same window: none, a gamma or the odds curve that brings the median to the standard, CLAHE, and histogram
matching to the mean quantile curve of the training split.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cephstd.core.image import Normalized, Radiograph
from cephstd.core.steps import Chain, Tone
from cephstd.evaluation.dataset import load_dataset
from cephstd.imaging.effects import load_devices
from cephstd.imaging.operations import apply_chain
from cephstd.imaging.tone import STANDARD_MEDIAN
from cephstd.inference.detector import Detector
from cephstd.pipeline.normalizer import Normalizer

sys.path.insert(0, str(Path(__file__).resolve().parent))
from track_invariance import DATASET, DEVICES, PROTOCOL_MODEL, Comparison, Tally, open_films, truths

LOOKS = ("soft_8bit", "hard_10bit", "sigmoid_12bit", "faces_left", "face_only", "messenger_picture")
SHARES = np.linspace(0.0, 1.0, 65)
Change = Callable[[np.ndarray], np.ndarray]


def curve_of(levels: np.ndarray) -> np.ndarray:
    return np.quantile(levels[::8, ::8], SHARES)


def bend_by_gamma(levels: np.ndarray) -> np.ndarray:
    middle = float(np.clip(np.median(levels[::8, ::8]), 0.02, 0.98))
    return levels ** np.clip(np.log(STANDARD_MEDIAN) / np.log(middle), 1 / 3, 3.0)


def equalize_locally(levels: np.ndarray) -> np.ndarray:
    grey = np.rint(levels * 65535.0).astype(np.uint16)
    return cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(grey) / 65535.0


def match_to(reference: np.ndarray) -> Change:
    # A small slope keeps the curve monotone where a film is clipped.
    slope = np.arange(len(SHARES)) * 1e-7
    return lambda levels: np.interp(levels, curve_of(levels) + slope, reference)


class Standardizer:
    """Standard images with another tone after the window; None keeps the library's own."""

    def __init__(self, normalizer: Normalizer, change: Change | None) -> None:
        self.normalizer, self.change = normalizer, change

    def __call__(self, film: Radiograph) -> Normalized:
        normal = self.normalizer(film)
        if self.change is None:
            return normal
        steps = tuple(step for step in normal.chain.steps if not isinstance(step, Tone))
        levels = apply_chain(film.pixels, Chain(source_size=film.size, steps=steps)) / 65535.0
        toned = np.rint(np.clip(self.change(levels), 0.0, 1.0) * 65535.0).astype(np.uint16)
        return dataclasses.replace(normal, pixels=toned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--films", type=int, default=12)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset, normalizer, detector = load_dataset(options.dataset), Normalizer(), Detector(PROTOCOL_MODEL, threads=1)
    plain = Standardizer(normalizer, lambda levels: levels)
    training = load_dataset(options.dataset, split="train").limit(40)
    reference = np.mean([curve_of(plain(film).pixels / 65535.0) for _, film in open_films(training)], axis=0)
    dataset = dataset.limit(options.films)
    devices, truth = {name: load_devices(DEVICES)[name] for name in LOOKS}, truths(dataset)
    candidates: dict[str, Change | None] = {
        "window alone": lambda levels: levels,
        "odds curve (chosen)": None,
        "gamma": bend_by_gamma,
        "histogram matching": match_to(reference),
        "CLAHE": equalize_locally,
    }
    head = f"| tone | plain MRE | {' | '.join(LOOKS)} |"
    lines = [
        f"Drift median / 95 %, mm, of {len(truth)} films of {dataset.spec.labels.split}; MRE against the labels, mm.\n",
        head,
        "| --- " * (len(LOOKS) + 2) + "|",
    ]
    for name, change in candidates.items():
        comparison = Comparison(detector, Standardizer(normalizer, change))
        tallies = {device: Tally() for device in devices}
        for number, (image_id, film) in enumerate(open_films(dataset)):
            comparison.add(tallies, devices, number, film, truth[image_id])
        rows = {device: tally.row() for device, tally in tallies.items()}
        error = float(np.mean(tallies["soft_8bit"].plain_error))
        cells = [f"{row['drift_median_mm']:.2f} / {row['drift_95_mm']:.2f}" for row in rows.values()]
        lines.append(f"| {name} | {error:.3f} | {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
