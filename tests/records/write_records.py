"""Write the records that a release leaves behind: ``python tests/records/write_records.py`` in a checkout of it.

They go to ``tests/records/<version>/`` once and are never written again: what a release sealed must verify for ever.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cephstd as cs
from cephstd.core.digest import digest_bytes, pseudonym
from cephstd.core.record import Record

RECORDS = Path(__file__).parent
SAMPLES = RECORDS.parents[1] / "data" / "samples"
DIGESTS = RECORDS / "digests.txt"
CREATED = "2025-04-16T09:30:00Z"
REVIEWED = "2025-04-17T08:00:00+02:00"


def make_records() -> dict[str, Record]:
    """A film found and measured by the model, its successor by a person's hand, and one without scale or model."""
    recipe = cs.Recipe()
    subject = pseudonym(b"a key that only tests know", "nobody")
    done = cs.Analyzer(recipe)(SAMPLES / "composite_a.dcm", created=CREATED, subject=subject)
    moved = cs.place_landmark("S", done.marks["S"].x_px + 3, done.marks["S"].y_px, state="moved", review="accepted")
    doubted = cs.absent_landmark("Go", "both borders are doubled")
    exchange = {"S": moved, "Go": doubted}
    marks = done.marks.replace(exchange.get(mark.id, mark) for mark in done.marks)
    values = cs.measure(marks, recipe.analysis, done.normal.calibration)
    successor = cs.record(
        done.film,
        done.normal,
        marks,
        values,
        recipe=recipe,
        created=REVIEWED,
        subject=subject,
        previous=done.record,
    )
    plain = cs.Recipe(analysis="steiner", keep_age=False, keep_sex=False, value_decimals=2)
    film = cs.read(SAMPLES / "phantom_a.png")
    points = {"S": (300.5, 400), "N": (900, 420), "A": (880, 800)}
    by_hand = cs.landmark_set(points)
    own = cs.record(film, cs.normalize(film), by_hand, cs.measure(by_hand, "steiner"), recipe=plain, created=CREATED)
    return {"model": done.record, "moved_by_hand": successor, "without_scale_or_model": own}


def main() -> int:
    """Write the records of this version and note their digests; 1 when the version has them already."""
    folder = RECORDS / cs.__version__
    if folder.exists():
        sys.stderr.write(f"The records of {cs.__version__} are written; they are not written again.\n")
        return 1
    records = make_records()
    folder.mkdir()
    with DIGESTS.open("a") as digests:
        for name, record in records.items():
            path = folder / f"{name}.record.json"
            path.write_bytes(record.to_bytes())
            digests.write(f"{digest_bytes(record.to_bytes())}  {path.relative_to(RECORDS).as_posix()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
