"""Do greys at a film's borders tell that anatomy is cut off? The trial behind "cropped_anatomy: not assessed".

Usage: border_tissue.py [--dataset FILE] [--films N] [--write FILE]

Films stand whole, cut through the front-most landmark, and cut through the lowest one. Two numbers are taken: the share
of the front border that is brighter than a threshold, and how far the front lies before the neck on the lowest rows, in
widths of the film. A number that serves is small for whole films and large for cut ones, or the reverse.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from cephstd.evaluation.dataset import load_dataset
from cephstd.imaging.preview import shrink_film
from cephstd.io.reader import read

DATASET = Path(__file__).resolve().parent / "datasets" / "isbi2015.toml"
THRESHOLDS = (0.08, 0.15, 0.25)


def look(pixels: np.ndarray, threshold: float) -> tuple[float, float]:
    """Share of the front border that is no air, and the front before the neck."""
    preview = shrink_film(np.ascontiguousarray(pixels))
    left, top, right, bottom = preview.tone.field.rectangle
    height, width = preview.image.shape
    field = preview.image[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    tissue = cv2.GaussianBlur(field, (0, 0), 2) > threshold
    height, width = tissue.shape
    share = float(tissue[int(0.2 * height) : int(0.9 * height), width - max(4, width // 50) :].all(axis=1).mean())
    _, labels, stats, _ = cv2.connectedComponentsWithStats(tissue.astype(np.uint8))
    head = labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    fronts = np.where(head.any(axis=1), width - 1 - np.argmax(head[:, ::-1], axis=1), 0)
    face = fronts[height // 2 : int(0.9 * height)].max()
    return share, float(face - np.median(fronts[-max(3, height // 60) :])) / width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--films", type=int, default=30)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset = load_dataset(options.dataset).limit(options.films)
    to_image = dataset.spec.labels.to_image
    found: dict[tuple[str, float], list[tuple[float, float]]] = {}
    for image_id, path in dataset.film_paths.items():
        pixels = read(path).pixels
        front, low = to_image.forward(list(dataset.truth_px[image_id].values())).max(axis=0).astype(int)
        for name, part in {"whole": pixels, "front cut": pixels[:, :front], "chin cut": pixels[:low]}.items():
            for threshold in THRESHOLDS:
                found.setdefault((name, threshold), []).append(look(part, threshold))
    lines = [
        f"{options.films} films of {dataset.spec.labels.split}: 10 %, 50 % and 90 % quantiles.\n",
        "| film | threshold | front border that is no air | front before the neck |",
        "| --- | ---: | --- | --- |",
    ]
    for (name, threshold), values in found.items():
        cells = [
            ", ".join(f"{q:.2f}" for q in np.quantile(column, (0.1, 0.5, 0.9))) for column in zip(*values, strict=True)
        ]
        lines.append(f"| {name} | {threshold} | {cells[0]} | {cells[1]} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
