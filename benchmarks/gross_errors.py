"""Gross errors: how many of them are withheld, and what withholding costs on films that are as they should be.

Usage: gross_errors.py [--model NAME] [--dataset FILE] [--altered N] [--films N] [--raw FILE] [--write STEM] [--sweep]

Films are altered at or beside landmarks (patches, cuts, head-holders, text, copies; see planting.py). A planted gross
error is a point that lay within 3 mm of its label on the plain film and lies more than 6 mm off on the altered one; it
is withheld when the detector makes it absent for low confidence. A point that the detector puts outside the picture is
absent for that and counts on neither side. Plain films give the cost, and every error over 6 mm that is left where the
two doctors lie less than 3 mm apart. The view head, which refuses many of the altered films, is told to report only.

--raw keeps what the network said, film by film, so that a run goes on where it was stopped; --sweep prints what other
thresholds would do. Thresholds are chosen on films that the test does not hold: --dataset datasets/isbi2015_train.toml.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from planting import KINDS, plant

from cephstd.core.image import Radiograph, state_calibration
from cephstd.core.recipe import Recipe
from cephstd.evaluation.dataset import Dataset, load_dataset
from cephstd.inference.detector import Detector
from cephstd.inference.gate import Gate
from cephstd.inference.shape import ShapeJudge
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer

HERE = Path(__file__).resolve().parent
DATASET = HERE / "datasets" / "isbi2015.toml"
PLAIN = "plain"
GROSS_MM, SOUND_MM, NEAR_MM = 6.0, 3.0, 2.0
DOCTORS_MM = 3.0
LIMITS = {"withheld_of_planted_least": 90.0, "withheld_within_2mm_most": 2.0, "withheld_of_all_most": 3.0}
SCORES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
DISTANCES = (9.0, 10.5, 12.0, 14.0, 16.0, 20.0, np.inf)
Row = dict[str, Any]


class Looker:
    """Shows films to a model and keeps what it said before anything was withheld."""

    def __init__(self, dataset: Dataset, detector: Detector) -> None:
        self.dataset = dataset
        self.detector = detector
        self.landmarks = detector.entry.landmarks
        self.normalize = Normalizer()
        self.recipe = Recipe(view_gate="report")

    def rows(self, image_id: str, kinds: tuple[str, ...]) -> Iterator[Row]:
        """One row for each way of altering the film."""
        mm = self.dataset.spacing_mm(image_id)
        assert mm is not None  # the films of this benchmark have a scale
        film = read(self.dataset.film_paths[image_id], calibration=state_calibration(mm, source="stated"))
        truth = self.dataset.truth_px[image_id]
        moved = self.dataset.spec.labels.to_image.forward([truth[id] for id in self.landmarks])
        points = {id: (float(x), float(y)) for id, (x, y) in zip(self.landmarks, moved, strict=True)}
        for kind in kinds:
            # The kind's name decides with the film, so that a kind more changes nothing about the others.
            rng = np.random.default_rng([2015, *image_id.encode(), *kind.encode()])
            altered, shift, targets = film, (0, 0), ()
            if kind != PLAIN:
                pixels, shift, targets = plant(film.pixels, points, kind, mm, rng)
                altered = _with_pixels(film, pixels)
            decoded, chain = self.detector.look(self.normalize(altered, self.recipe))
            source = chain.inverse(decoded.points_px[0])
            score = None if decoded.score is None else decoded.score[0].round(5).tolist()
            yield {
                "film": image_id,
                "kind": kind,
                "targets": targets,
                "canvas_px": decoded.points_px[0].round(3).tolist(),
                "score": score,
                "inside": np.all((source >= -0.5) & (source <= np.array(chain.source_size) - 0.5), axis=1).tolist(),
                "error_mm": (np.linalg.norm(source + shift - moved, axis=1) * mm).round(3).tolist(),
            }


def _with_pixels(film: Radiograph, pixels: np.ndarray) -> Radiograph:
    height, width = pixels.shape
    about = msgspec.structs.replace(film.source, width_px=width, height_px=height, file_sha256="", pixel_sha256="")
    return dataclasses.replace(film, pixels=pixels, source=about)


def look_at_all(looker: Looker, altered: int, films: int, raw: Path | None) -> list[Row]:
    """Rows of all films, those that `raw` holds taken from there."""
    rows = [json.loads(line) for line in raw.read_text().splitlines()] if raw and raw.exists() else []
    done = {(row["film"], row["kind"]) for row in rows}
    for number, image_id in enumerate(sorted(looker.dataset.truth_px)[:films]):
        wanted = (PLAIN, *KINDS) if number < altered else (PLAIN,)
        for row in looker.rows(image_id, tuple(kind for kind in wanted if (image_id, kind) not in done)):
            rows.append(row)
            if raw:
                with raw.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(row) + "\n")
        print(f"\r{number + 1} films", end="", file=sys.stderr)
    print(file=sys.stderr)
    return rows


class Tally:
    """What a gate does to rows."""

    def __init__(self, rows: list[Row], gate: Gate) -> None:
        sound = {row["film"]: np.array(row["error_mm"]) <= SOUND_MM for row in rows if row["kind"] == PLAIN}
        self.planted = {kind: np.zeros(4, dtype=int) for kind in KINDS}
        self.plain = np.zeros(4, dtype=int)
        self.left: list[tuple[str, str, float]] = []
        for row in rows:
            error, inside = np.array(row["error_mm"]), np.array(row["inside"])
            score = None if row["score"] is None else np.array(row["score"])
            verdict = gate(np.array(row["canvas_px"]), score, inside)
            withheld = verdict.low_score | verdict.no_face
            if row["kind"] == PLAIN:
                near = error <= NEAR_MM
                self.plain += [error.size, withheld.sum(), near.sum(), (near & withheld).sum()]
                over = np.flatnonzero((error > GROSS_MM) & inside & ~withheld)
                self.left += [(row["film"], gate.landmarks[place], float(error[place])) for place in over]
            else:
                gross = sound[row["film"]] & (error > GROSS_MM) & inside
                parts = (gross, gross & withheld, gross & verdict.low_score, gross & verdict.no_face)
                self.planted[row["kind"]] += [part.sum() for part in parts]

    @property
    def facts(self) -> dict[str, Any]:
        every = sum(self.planted.values())
        points, withheld, near, near_withheld = (int(count) for count in self.plain)
        return {
            "planted": int(every[0]),
            "withheld_of_planted": _percent(every[1], every[0]),
            "plain_points": points,
            "withheld_of_all": _percent(withheld, points),
            "plain_points_within_2mm": near,
            "withheld_within_2mm": _percent(near_withheld, near),
            "kinds": {
                kind: {
                    "planted": int(count[0]),
                    "withheld": _percent(count[1], count[0]),
                    "for_score": _percent(count[2], count[0]),
                    "for_shape": _percent(count[3], count[0]),
                }
                for kind, count in self.planted.items()
            },
        }


def _percent(part: float, whole: float) -> float | None:
    return round(100.0 * float(part) / float(whole), 2) if whole else None


def sweep(rows: list[Row], detector: Detector) -> str:
    """What other thresholds would do, %: planted errors / all plain points / plain ones within 2 mm withheld."""
    landmarks, prior = detector.entry.landmarks, detector.prior
    assert prior is not None  # there is nothing to sweep without one
    lines = ["score \\ distance2 " + " ".join(f"{most:>16g}" for most in DISTANCES)]
    for least in SCORES:
        cells = []
        for most in DISTANCES:
            judge = ShapeJudge(prior, landmarks, most_distance2=most)
            facts = Tally(rows, Gate(landmarks, min_score=least, judge=judge)).facts
            names = ("withheld_of_planted", "withheld_of_all", "withheld_within_2mm")
            cells.append("/".join(f"{facts[name]:.2f}" for name in names))
        lines.append(f"{least:<17g} " + " ".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def doctors_apart(dataset: Dataset, senior: Dataset, image_id: str, id: str) -> float:
    """Distance in mm of the two doctors, of whom the labels hold the mean and the senior."""
    apart = np.subtract(dataset.truth_px[image_id][id], senior.truth_px[image_id][id])
    return float(2.0 * np.hypot(*apart) * dataset.spec.labels.mm_per_px)


def table(facts: dict[str, Any], command: str) -> str:
    """The figures as Markdown."""
    lines = [
        f"Gross errors of {facts['model']}: planted on {facts['altered']} altered films of {facts['dataset']}",
        f"({facts['split']}), cost on {facts['films']} plain ones. Made by `{command}`.",
        "",
        f"A planted gross error lay within {SOUND_MM:g} mm on the plain film and lies over {GROSS_MM:g} mm off on the",
        f"altered one. Thresholds: score {facts['min_score']:g}, squared distance {facts['most_distance2']:g}.",
        "",
        "| alteration | planted | withheld, % | by score, % | by shape, % |",
        "|---|---|---|---|---|",
    ]
    for kind, row in facts["kinds"].items():
        cells = ("-" if row[name] is None else f"{row[name]:.1f}" for name in ("withheld", "for_score", "for_shape"))
        lines.append(f"| {kind} | {row['planted']} | " + " | ".join(cells) + " |")
    lines += [
        f"| **all** | **{facts['planted']}** | **{facts['withheld_of_planted']:.1f}** | | |",
        "",
        f"Plain films: {facts['withheld_of_all']:.2f} % of {facts['plain_points']} points are withheld, and of the",
        f"{facts['plain_points_within_2mm']} within {NEAR_MM:g} mm of the label {facts['withheld_within_2mm']:.2f} %.",
        "",
        f"Errors over {GROSS_MM:g} mm left on plain films where the doctors lie under {DOCTORS_MM:g} mm apart:",
        "",
        "| film | landmark | error, mm | doctors apart, mm |",
        "|---|---|---|---|",
        *(f"| {e['film']} | {e['landmark']} | {e['error_mm']:.1f} | {e['doctors_mm']:.1f} |" for e in facts["left"]),
    ]
    return "\n".join(lines if facts["left"] else [*lines[:-2], "none."]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="isbi19-unet-a")
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--altered", type=int, default=30, help="films to alter, in every way")
    parser.add_argument("--films", type=int, help="films to look at plain; default: all")
    parser.add_argument("--raw", type=Path, metavar="FILE", help="JSON lines: what the network said")
    parser.add_argument("--write", type=Path, metavar="STEM", help="writes STEM.json and STEM.md")
    parser.add_argument("--sweep", action="store_true")
    given = parser.parse_args()
    dataset, senior = load_dataset(given.dataset), load_dataset(given.dataset, annotator="senior")
    detector = Detector(given.model, threads=1)
    films = min(given.films or len(dataset.truth_px), len(dataset.truth_px))
    rows = look_at_all(Looker(dataset, detector), given.altered, films, given.raw)
    if given.sweep:
        print(sweep(rows, detector))
        return
    tally = Tally(rows, detector.gate)
    left = [
        {
            "film": film,
            "landmark": id,
            "error_mm": error,
            "doctors_mm": round(doctors_apart(dataset, senior, film, id), 2),
        }
        for film, id, error in tally.left
    ]
    facts = {
        "model": f"{detector.entry.name} {detector.entry.version}",
        "weights": detector.entry.sha256,
        "dataset": dataset.spec.name,
        "split": dataset.spec.labels.split,
        "altered": given.altered,
        "films": films,
        "min_score": detector.gate.min_score,
        "most_distance2": detector.gate.judge.most_distance2 if detector.gate.judge else None,
        "limits": LIMITS,
        **tally.facts,
        "left": [error for error in left if error["doctors_mm"] < DOCTORS_MM],
        "left_where_doctors_differ": len([error for error in left if error["doctors_mm"] >= DOCTORS_MM]),
    }
    print(json.dumps(facts, indent=2))
    if given.write:
        command = f"python benchmarks/gross_errors.py --model {given.model} --altered {given.altered} --films {films}"
        given.write.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        given.write.with_suffix(".md").write_text(table(facts, command), encoding="utf-8")


if __name__ == "__main__":
    main()
