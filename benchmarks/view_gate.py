"""How many pictures that are no lateral cephalogram pass, and how many films do: counts per family, and a curve.

Usage: view_gate.py [--dataset FILE] [--each N] [--models DIR] [--write FILE]

Real pictures come from packages that are installed anyway, the others are made of the dataset's films or drawn. No
picture was trained on, but kinds differ: of `known` families a head by configs/viewer.toml learned near relatives;
`report` families were seen by no training and no threshold, though looked at while a view head was made; `new` families
were first looked at after that head was finished. Films stand as scanned and cropped to the face; the last line counts
the poses.
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
from cephstd.inference.viewer import Viewer
from cephstd.io.reader import read
from cephstd.pipeline.intake import read_film
from cephstd.pipeline.normalizer import Normalizer
from cephstd.training.viewer_archive import collect_pictures
from cephstd.training.viewer_fit import view_film
from cephstd.training.viewer_negatives import FAMILIES
from cephstd.training.viewer_samples import ViewFilm, crop_to_face, pose_view

DATASET = Path(__file__).resolve().parent / "datasets" / "isbi2015.toml"
Grey = np.ndarray
SHARES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


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
    picture, (x, y) = film.pixels.copy(), face_box(film)
    picture[y, x] = rng.integers(0, 256)
    return picture


def stretched(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A strip of a film, as wide as a panoramic one."""
    film = films[int(rng.integers(len(films)))].pixels
    start = int(rng.integers(0, len(film) // 2))
    return np.ascontiguousarray(film[start : start + len(film) // 3])


def inset(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film with a small whole film over its face."""
    outer, inner = (films[int(rng.integers(len(films)))] for _ in range(2))
    picture, (x, y) = outer.pixels.copy(), face_box(outer)
    picture[y, x] = cv2.resize(inner.pixels, (x.stop - x.start, y.stop - y.start), interpolation=cv2.INTER_AREA)
    return picture


def pixelated(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film whose face is shown in about forty squares."""
    film = films[int(rng.integers(len(films)))]
    picture, (x, y) = film.pixels.copy(), face_box(film)
    squares = cv2.resize(picture[y, x], (6, 7), interpolation=cv2.INTER_AREA)
    picture[y, x] = cv2.resize(squares, (x.stop - x.start, y.stop - y.start), interpolation=cv2.INTER_NEAREST)
    return picture


def half_upside_down(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film of which the right half, from the middle of the face, stands on its head."""
    film = films[int(rng.integers(len(films)))]
    picture, (x, _) = film.pixels.copy(), face_box(film)
    middle = (x.start + x.stop) // 2
    picture[:, middle:] = np.rot90(film.pixels[:, middle:], 2)
    return picture


def double_exposure(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """Two exposures on one film, the second of them mirrored."""
    picture = films[int(rng.integers(len(films)))].pixels
    return np.asarray(cv2.addWeighted(picture, 0.5, np.ascontiguousarray(picture[:, ::-1]), 0.5, 0.0))


def through_a_hole(films: Sequence[ViewFilm], rng: np.random.Generator) -> Grey:
    """A film of which a disc is left, smaller than the face."""
    film = films[int(rng.integers(len(films)))]
    x, y = face_box(film)
    seen = np.zeros(film.pixels.shape, np.uint8)
    centre = (int(rng.integers(x.start, x.stop)), int(rng.integers(y.start, y.stop)))
    cv2.circle(seen, centre, int(0.35 * (x.stop - x.start)), 1, -1)
    return film.pixels * seen


def face_box(film: ViewFilm) -> tuple[slice, slice]:
    """Columns and rows of the rectangle around the landmarks."""
    height, width = film.pixels.shape
    left, top, right, bottom = (share * side for share, side in zip(film.face, (width, height) * 2, strict=True))
    return slice(int(left), int(right) + 1), slice(int(top), int(bottom) + 1)


MADE: dict[str, tuple[str, Callable[[Sequence[ViewFilm], np.random.Generator], Grey]]] = {
    "film on a page": ("report", on_a_page),
    "scrambled pieces": ("report", scrambled),
    "strips": ("report", stretched),
    "face covered": ("known", blanked),
    "small film over the face": ("new", inset),
    "pixelated faces": ("new", pixelated),
    "half upside down": ("new", half_upside_down),
    "double exposures": ("new", double_exposure),
    "through a hole": ("new", through_a_hole),
}
KNOWN = {"diagonal halves", "windows over pictures"}
"""Of the families that are kept for the report, those that have near relatives among what the head learned."""


def count_poses(viewer: Viewer, films: Sequence[ViewFilm]) -> tuple[int, int, int]:
    """Of all films under eight poses and two grey senses: how many there are, are read right, are accepted."""
    right = accepted = 0
    for film in films:
        for pose in range(8):
            for inverted in (False, True):
                seen = viewer(pose_view(film.pixels, pose, inverted))
                found = (seen.facing == "left", seen.quarters, seen.inverted)
                right += found == (pose >= 4, pose % 4, inverted)
                accepted += seen.accepted
    return 16 * len(films), right, accepted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--each", type=int, default=40, help="made pictures per family")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder with another manifest.toml")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    dataset, recipe = load_dataset(options.dataset), Recipe()
    viewer = Viewer(models=options.models, device="cpu", threads=1)
    normalizer = Normalizer(models=options.models)
    to_image = dataset.spec.labels.to_image
    pixels = {image_id: read(path).pixels for image_id, path in dataset.film_paths.items()}
    films = [view_film(pixels[id], to_image.forward(list(dataset.truth_px[id].values()))) for id in pixels]

    def look(picture: Grey) -> tuple[bool, float]:
        """Whether the whole gate lets it pass, and the view head's score."""
        film = read_film(np.ascontiguousarray(picture), recipe)
        try:
            return True, normalizer(film, recipe).view.score
        except CephError:
            return False, normalizer.see(film).score

    rng = np.random.default_rng(77)
    real = collect_pictures("report")
    shown = [picture for pictures in real.values() for picture in pictures]
    groups: dict[str, tuple[str, list[Grey]]] = {name: ("real", pictures) for name, pictures in real.items()}
    for name, draw in FAMILIES["report"].items():
        kind = "known" if name in KNOWN else "report"
        groups[name] = (kind, [draw(films, shown, rng) for _ in range(options.each)])
    for name, (kind, make) in MADE.items():
        groups[name] = (kind, [make(films, rng) for _ in range(options.each)])
    groups["**films cropped to the face**"] = ("test1", [crop_to_face(film) for film in films])
    groups["**films**"] = ("test1", list(pixels.values()))
    entry = viewer.entry
    lines = [f"{entry.name} {entry.version}, threshold {entry.threshold:.4f}", ""]
    lines += ["| pictures | kind | number | accepted |", "| --- | --- | ---: | ---: |"]
    scores: dict[str, list[float]] = {"films": [], "others": []}
    for name, (kind, pictures) in groups.items():
        seen = [look(picture) for picture in pictures]
        if kind != "test1" or name == "**films**":
            scores["others" if kind != "test1" else "films"] += [score for _, score in seen]
        lines.append(f"| {name} | {kind} | {len(seen)} | {sum(passed for passed, _ in seen)} |")
    lines += ["", "The view head alone, by its threshold:", ""]
    lines += ["| threshold | films accepted, % | others accepted, % |", "| ---: | ---: | ---: |"]
    for share in sorted({*SHARES, entry.threshold}):
        found = [100 * float(np.mean(np.array(group) >= share)) for group in scores.values()]
        lines.append(f"| {share:.4f} | {found[0]:.1f} | {found[1]:.2f} |")
    total, right, accepted = count_poses(viewer, films)
    lines += ["", f"Films under all poses and grey senses: {total}; read right {right}, accepted {accepted}."]
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
