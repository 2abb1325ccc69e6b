"""How many pictures that are no lateral cephalogram pass, and how many films do: counts per family, and a curve.

Usage: view_gate.py [--dataset FILE] [--each N] [--write FILE]

Real pictures come from packages that are installed anyway, the others are made of the dataset's films or drawn.
`report` families were seen by no training and no threshold, though looked at while the view head was made; `new`
families were first looked at after it was finished.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from cephstd.core.recipe import Recipe
from cephstd.errors import CephError
from cephstd.evaluation.dataset import load_dataset
from cephstd.io.reader import read
from cephstd.pipeline.intake import read_film
from cephstd.pipeline.normalizer import Normalizer
from cephstd.training.viewer_archive import collect_pictures
from cephstd.training.viewer_fit import view_film
from cephstd.training.viewer_negatives import FAMILIES
from cephstd.training.viewer_samples import ViewFilm

DATASET = Path(__file__).resolve().parent / "datasets" / "isbi2015.toml"
Grey = np.ndarray
SHARES = (0.5, 0.8, 0.9, 0.95, 0.9581550438935065, 0.98, 0.99, 0.995)


def on_a_page(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film printed small on a page with lines of text."""
    page = np.full((420, 300), 245, np.uint8)
    for y in range(20, 410, 12):
        cv2.line(page, (20, y), (int(rng.integers(150, 280)), y), 60, 2)
    film = films[int(rng.integers(len(films)))].pixels
    width = int(rng.integers(80, 150))
    small = cv2.resize(film, (width, int(width * 1.2)), interpolation=cv2.INTER_AREA)
    x, y = int(rng.integers(10, 290 - width)), int(rng.integers(10, 400 - len(small)))
    page[y : y + len(small), x : x + width] = small
    return page


def scrambled(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film cut into nine pieces in another order."""
    film = cv2.resize(films[int(rng.integers(len(films)))].pixels, (300, 360), interpolation=cv2.INTER_AREA)
    tiles = [film[r : r + 120, c : c + 100] for r in range(0, 360, 120) for c in range(0, 300, 100)]
    order = rng.permutation(9)
    return np.vstack([np.hstack([tiles[order[3 * row + column]] for column in range(3)]) for row in range(3)])


def blanked(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film whose face is covered by one grey."""
    film = films[int(rng.integers(len(films)))]
    picture = film.pixels.copy()
    height, width = picture.shape
    left, top, right, bottom = (share * side for share, side in zip(film.face, (width, height) * 2, strict=True))
    picture[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = rng.integers(0, 256)
    return picture


def stretched(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A strip of a film, as wide as a panoramic one."""
    film = films[int(rng.integers(len(films)))].pixels
    start = int(rng.integers(0, len(film) // 2))
    return np.ascontiguousarray(film[start : start + len(film) // 3])


NEW: dict[str, Callable[[Sequence[ViewFilm], np.random.Generator], Grey]] = {
    "film on a page": on_a_page,
    "scrambled pieces": scrambled,
    "face covered": blanked,
    "strips": stretched,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--each", type=int, default=40, help="made pictures per family")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset, normalizer, recipe = load_dataset(options.dataset), Normalizer(), Recipe()
    to_image = dataset.spec.labels.to_image
    pixels = {image_id: read(path).pixels for image_id, path in dataset.film_paths.items()}
    films = [view_film(pixels[id], to_image.forward(list(dataset.truth_px[id].values()))) for id in pixels]

    def look(picture: Grey) -> tuple[bool, float]:
        """Whether the whole gate lets it pass, and the view head's score."""
        film = read_film(np.ascontiguousarray(picture), recipe)
        try:
            normalizer(film, recipe)
        except CephError:
            return False, normalizer.see(film).score
        return True, normalizer.see(film).score

    rng = np.random.default_rng(77)
    real = collect_pictures("report")
    shown = [picture for pictures in real.values() for picture in pictures]
    groups: dict[str, tuple[str, list[Grey]]] = {name: ("real", pictures) for name, pictures in real.items()}
    for name, draw in FAMILIES["report"].items():
        groups[name] = ("report", [draw(films, shown, rng) for _ in range(options.each)])
    for name, make in NEW.items():
        groups[name] = ("new", [make(films, rng) for _ in range(options.each)])
    groups["**films**"] = ("test1", list(pixels.values()))
    lines = ["| pictures | kind | number | accepted |", "| --- | --- | ---: | ---: |"]
    scores: dict[bool, list[float]] = {True: [], False: []}
    for name, (kind, pictures) in groups.items():
        seen = [look(picture) for picture in pictures]
        scores[kind == "test1"] += [score for _, score in seen]
        lines.append(f"| {name} | {kind} | {len(seen)} | {sum(passed for passed, _ in seen)} |")
    lines += [
        "",
        "The view head alone, by its threshold:",
        "",
        "| threshold | films accepted, % | others accepted, % |",
    ]
    lines.append("| ---: | ---: | ---: |")
    for share in SHARES:
        found = [100 * float(np.mean(np.array(scores[wanted]) >= share)) for wanted in (True, False)]
        lines.append(f"| {share:.4f} | {found[0]:.1f} | {found[1]:.2f} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
