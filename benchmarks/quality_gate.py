"""What the quality gate says of sound films and of films that were spoilt by known amounts, as a table.

Usage: quality_gate.py [--dataset FILE] [--films N] [--write FILE]

The dataset is not the one that thresholds were chosen on, and apart from the plain films no grade here was: thresholds
saw Gaussian noise and blur, smears of 1.6 and 2.8 mm, and JPEG of quality 20 to 75. Families that they never saw
are marked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cephstd.evaluation.dataset import load_dataset
from cephstd.imaging.assessor import assess
from cephstd.io.reader import read

DATASET = Path(__file__).resolve().parent / "datasets" / "isbi2015.toml"
Grey = np.ndarray
Spoil = Callable[[Grey, np.random.Generator], Grey]


def to_bytes(grey: Grey) -> Grey:
    return np.rint(np.clip(grey, 0, 255)).astype(np.uint8)


def smear(length_px: float) -> Spoil:
    def spoil(film: Grey, rng: np.random.Generator) -> Grey:
        angle, half = rng.uniform(0.0, np.pi), length_px / 2
        side = int(np.ceil(half)) + 1
        rows, columns = np.mgrid[-side : side + 1, -side : side + 1]
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        kernel = np.clip(half + 0.5 - abs(along), 0, 1) * np.clip(1 - abs(across), 0, 1)
        return cv2.filter2D(film, -1, kernel / kernel.sum())

    return spoil


def jpeg(quality: int) -> Spoil:
    return lambda film, _: cv2.imdecode(cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def webp(quality: int) -> Spoil:
    return lambda film, _: cv2.imdecode(cv2.imencode(".webp", film, [cv2.IMWRITE_WEBP_QUALITY, quality])[1], 0)


def grain(sd: float, size_px: float = 0.0) -> Spoil:
    def spoil(film: Grey, rng: np.random.Generator) -> Grey:
        noise = rng.normal(0.0, 1.0, film.shape).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), size_px) if size_px else noise
        return to_bytes(film + noise / noise.std() * sd)

    return spoil


def defocus(radius: int) -> Spoil:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.float32)
    return lambda film, _: cv2.filter2D(film, -1, disc / disc.sum())


def shake(film: Grey, rng: np.random.Generator) -> Grey:
    """Two exposures of a head that moved by 2 mm."""
    moved = np.roll(film, (int(rng.integers(-10, 11)), 10), axis=(0, 1))
    return to_bytes((film.astype(float) + moved) / 2)


SPOILT: dict[str, tuple[str, Spoil]] = {
    "plain": ("sound", lambda film, _: film),
    "JPEG 90": ("sound", jpeg(90)),
    "JPEG 60": ("sound", jpeg(60)),
    "collimated, 5 % each side": ("sound", lambda film, _: np.pad(film, [(side // 18,) * 2 for side in film.shape])),
    "JPEG 30": ("limited", jpeg(30)),
    "JPEG 10": ("limited", jpeg(10)),
    "smear 3.6 mm": ("limited", smear(18)),
    "smear 2 mm": ("limited", smear(10)),
    "noise 10 %": ("limited", grain(25.0)),
    "blur 0.8 mm": ("limited", lambda film, _: cv2.GaussianBlur(film, (0, 0), 4.0)),
    "brightened, bone burnt": ("limited", lambda film, _: to_bytes(film * 2.2)),
    "WebP 10 (unseen)": ("limited", webp(10)),
    "coarse grain (unseen)": ("limited", grain(25.0, 1.2)),
    "defocus 2 mm (unseen)": ("limited", defocus(10)),
    "posterized, 6 greys": ("limited", lambda film, _: (film // 43 * 43).astype(np.uint8)),
    "moved by 2 mm, two exposures (unseen)": ("limited", shake),
    "one grey": ("non-diagnostic", lambda film, _: np.full_like(film, 90)),
    "blur 3 mm": ("non-diagnostic", lambda film, _: cv2.GaussianBlur(film, (0, 0), 15.0)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset = load_dataset(options.dataset).limit(options.films)
    lines = [
        f"Verdicts on {options.films} films of {dataset.spec.labels.split}, % of films; what was found most often.\n",
        "| film | should be | diagnostic | limited | non-diagnostic | found |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    films = [read(path).pixels for path in dataset.film_paths.values()]
    for name, (expected, spoil) in SPOILT.items():
        rng, verdicts, wrong = np.random.default_rng(5), [], []
        for film in films:
            quality = assess(spoil(film, rng))
            verdicts.append(quality.verdict)
            wrong += [finding.name for finding in quality.findings if not finding.ok]
        shares = [100 * verdicts.count(v) / len(films) for v in ("diagnostic", "limited", "non-diagnostic")]
        found = ", ".join(sorted(set(wrong), key=lambda name: -wrong.count(name))[:2])
        lines.append(f"| {name} | {expected} | {' | '.join(f'{share:.0f}' for share in shares)} | {found} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
