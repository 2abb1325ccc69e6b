"""Score the protocol model on the clean test films, once, and enter the figures in a ledger that only grows.

Usage: final_eval.py [--model NAME] [--limit N]

The protocol model has learned from the challenge's training films alone. Writes benchmarks/results/isbi2015.json
(against the mean of two doctors) and isbi2015_doctors.md (against each of them, beside their distance to each other),
and appends a line to benchmarks/results/final_eval.jsonl. No choice may rest on these figures: choices are made by
cross-validation on films that the test does not hold. With --limit nothing is written.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import subprocess
import sys
from pathlib import Path

import msgspec

from cephstd.evaluation.dataset import Dataset, PointsPx, load_dataset
from cephstd.evaluation.evaluator import Evaluation, evaluate_model
from cephstd.evaluation.scorer import Score, score_landmarks
from cephstd.inference.detector import Detector

sys.path.insert(0, str(Path(__file__).resolve().parent))
from track_invariance import DATASET, PROTOCOL_MODEL

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def junior_points(mean: PointsPx, senior: PointsPx) -> PointsPx:
    """The second doctor's points, which the labels hold only as half of the mean."""
    return {id: (2 * x - senior[id][0], 2 * y - senior[id][1]) for id, (x, y) in mean.items()}


def load_doctors(limit: int | None) -> dict[str, Dataset]:
    """The same films with the labels of the mean and of each doctor."""
    mean, senior = (load_dataset(DATASET, annotator=name).limit(limit) for name in ("mean", "senior"))
    junior = {id: junior_points(points, senior.truth_px[id]) for id, points in mean.truth_px.items()}
    return {"mean": mean, "senior": senior, "junior": dataclasses.replace(mean, truth_px=junior)}


def doctors_table(scores: dict[str, Score], model: str) -> str:
    """Mean radial errors, mm, per landmark: the model against mean and doctors, and the doctors against each other."""
    lines = [
        f"Mean radial error on clean test1, mm: {model} against the mean label and against each doctor, and the junior",
        "doctor against the senior. Made by `make final-eval`.",
        "",
        "| points | model - mean | model - senior | model - junior | junior - senior |",
        "|---|---|---|---|---|",
    ]
    columns = ("mean", "senior", "junior", "doctors")
    rows = {"**all**": [scores[name].all for name in columns]}
    rows |= {"without " + id: [scores[name].without[id] for name in columns] for id in scores["mean"].without}
    rows |= {id: [scores[name].per_landmark[id] for name in columns] for id in scores["mean"].per_landmark}
    lines += [f"| {name} | " + " | ".join(f"{part.mre_mm:.2f}" for part in row) + " |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def ledger_line(found: Evaluation, scores: dict[str, Score]) -> str:
    """What the ledger keeps of one evaluation."""
    assert found.model is not None  # a model was scored
    git = ("git", "-C", str(ROOT))
    commit = subprocess.run((*git, "rev-parse", "HEAD"), capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run((*git, "status", "--porcelain", "src", "models"), capture_output=True, check=False).stdout
    every, core = found.score.all, next(iter(found.score.without.values()))
    return json.dumps(
        {
            "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "commit": commit or None,
            "changed_since": bool(changed),
            "model": f"{found.model.name} {found.model.version}",
            "weights": found.model.weights_sha256,
            "films": found.films,
            "mre_mm": every.mre_mm,
            "mre_interval_mm": every.mre_interval_mm,
            "within_2mm_percent": every.sdr_percent["2"],
            "without_unreliable_mre_mm": core.mre_mm,
            "absent": every.absent,
            "to_senior_mm": scores["senior"].all.mre_mm,
            "to_junior_mm": scores["junior"].all.mre_mm,
            "doctors_mm": scores["doctors"].all.mre_mm,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=PROTOCOL_MODEL)
    parser.add_argument("--limit", type=int, help="first N films only, to try it out; nothing is written then")
    given = parser.parse_args()
    detector = Detector(given.model)
    doctors = load_doctors(given.limit)
    found = {name: evaluate_model(dataset, detector) for name, dataset in doctors.items()}
    scores = {name: evaluation.score for name, evaluation in found.items()}
    spec = doctors["mean"].spec
    scores["doctors"] = score_landmarks(
        doctors["senior"].truth_px,
        doctors["junior"].truth_px,
        mm_per_px=spec.labels.mm_per_px,
        unreliable=spec.unreliable,
    )
    table, line = doctors_table(scores, given.model), ledger_line(found["mean"], scores)
    print(table, line, sep="\n")
    if given.limit is None:
        text = msgspec.json.format(msgspec.json.encode(found["mean"]), indent=2).decode() + "\n"
        (RESULTS / "isbi2015.json").write_text(text, encoding="utf-8")
        (RESULTS / "isbi2015_doctors.md").write_text(table, encoding="utf-8")
        with (RESULTS / "final_eval.jsonl").open("a", encoding="utf-8") as ledger:
            ledger.write(line + "\n")


if __name__ == "__main__":
    main()
