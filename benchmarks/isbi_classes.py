"""Agreement on the eight ISBI 2015 classes: what two doctors and a model say, against the senior doctor.

Usage: isbi_classes.py LABELS.csv [--points POINTS.csv] [--factor 2 --offset 0.5]

LABELS.csv: image_id, split, same_film_as, annotator, landmark, x_px, y_px in the published films' pixels (0.1 mm each).
POINTS.csv: as `cephstd detect` writes it; x_px * factor + offset are the published films' pixels, so that 2 and 0.5 are
right for films of half the size. Films of test1 that occur twice are left out.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import defaultdict
from pathlib import Path

from cephstd.core.image import state_calibration
from cephstd.core.landmarks import landmark_set
from cephstd.geometry.measurer import Measurer
from cephstd.interpretation.classifier import classify
from cephstd.knowledge.rules import load_rules

IDS = {"UL": "Ls", "LL": "Li", "PogS": "Pog_s"}  # the challenge's name -> the dictionary's, where they differ
SCALE = state_calibration(0.1, source="official scale of the challenge")
Points = dict[str, tuple[float, float]]
Classes = dict[str, int | None]


def read_doctors(path: Path, split: str) -> dict[str, dict[str, Points]]:
    """Doctor -> film -> points; the junior is twice the mean less the senior."""
    found: dict[str, dict[str, Points]] = defaultdict(lambda: defaultdict(dict))
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == split and not row["same_film_as"]:
                id = IDS.get(row["landmark"], row["landmark"])
                found[row["annotator"]][row["image_id"]][id] = (float(row["x_px"]), float(row["y_px"]))
    for film, points in found["mean"].items():
        senior = found["senior"][film]
        found["junior"][film] = {
            id: (2 * x - senior[id][0], 2 * y - senior[id][1]) for id, (x, y) in points.items() if id in senior
        }
    return found


def read_points(path: Path, factor: float, offset: float) -> dict[str, Points]:
    found: dict[str, Points] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["x_px"]:
                x, y = (float(row[name]) * factor + offset for name in ("x_px", "y_px"))
                found[row["image_id"]][row["landmark"]] = (x, y)
    return found


def classes_of(films: dict[str, Points]) -> dict[str, Classes]:
    """Film -> rule -> number of the class; None where the rule gives none (the gap of MW, a missing point)."""
    measurer, rules = Measurer("isbi2015"), load_rules("isbi2015")
    return {
        film: {
            outcome.rule.partition(".")[2]: outcome.number
            for outcome in classify(measurer(landmark_set(points), SCALE), rules)
        }
        for film, points in films.items()
    }


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not count:
        return (0.0, 1.0)
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


def compare(name: str, found: dict[str, Classes], truth: dict[str, Classes]) -> str:
    """One row of the table; a film in no class of a rule counts as agreement when the senior's is in none, too."""
    cells = []
    every_hit = every_count = 0
    for rule in (rule.id for rule in load_rules("isbi2015").definition.rule):
        films = truth.keys() & found.keys()
        hits = sum(found[film].get(rule) == truth[film].get(rule) for film in films)
        low, high = interval(hits, len(films))
        cells.append(f"{100 * hits / len(films):.1f} ({100 * low:.0f}-{100 * high:.0f})" if films else "")
        every_hit, every_count = every_hit + hits, every_count + len(films)
    overall = f"{100 * every_hit / every_count:.1f}" if every_count else ""
    return f"| {name} | {' | '.join(cells)} | {overall} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--split", default="test1")
    parser.add_argument("--points", type=Path)
    parser.add_argument("--factor", type=float, default=1.0)
    parser.add_argument("--offset", type=float, default=0.0)
    options = parser.parse_args()
    doctors = {name: classes_of(films) for name, films in read_doctors(options.labels, options.split).items()}
    truth = doctors["senior"]
    names = [rule.id for rule in load_rules("isbi2015").definition.rule]
    print(
        f"Agreement with the senior doctor, % (95 % interval), {len(truth)} films of {options.split} without twins.\n"
    )
    print(f"| points | {' | '.join(names)} | all |")
    print("| --- " * (len(names) + 2) + "|")
    print(compare("mean of both doctors", doctors["mean"], truth))
    print(compare("junior doctor (2 mean - senior)", doctors["junior"], truth))
    if options.points:
        print(compare("model", classes_of(read_points(options.points, options.factor, options.offset)), truth))
    gap = sum(classes["MW"] is None for classes in truth.values())
    print(f"\nMW: {gap} films of the senior lie between 0 and 2 mm, where the challenge assigns no class.")


if __name__ == "__main__":
    main()
