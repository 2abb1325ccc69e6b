"""How often a fleet with five planted faults has exactly these found, and how often a clean one has none.

Usage: fleet_faults.py [--first SEED] [--seeds N] [--write FILE]

Each seed makes eight sites of 400 to 600 films that differ in age and sex mix, once with a device that is off by 3 %, a
site that mirrors its films, a reviewer who moves point A by 1.5 mm from a day on, a site with other norms and a site
without dates, and once with none of them. Exits 1 where fewer than 95 of 100 come out right.

Limits of the comparison were chosen while looking at seeds below 1000. The count is of seeds from 1000 on, at which
nobody looked while choosing, and on which nothing is to be tuned.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from simulated_fleet import write_fleet

from cephstd.fleet.census import read_census
from cephstd.fleet.comparison import compare_sites

WANTED = 0.95
HELD_OUT = 1000
"""First seed that no limit was chosen by."""


def judge(seed: int, *, faulty: bool) -> dict[str, list[str]]:
    """What was planted and not found, and what was found and not planted."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = write_fleet(Path(folder), seed=seed, faulty=faulty)
        findings = compare_sites(read_census(folder)).findings
    found = {(item.kind, item.subject, item.about): item.sentence for item in findings}
    return {
        "missed": sorted(map(str, fleet.planted - found.keys())),
        "besides": sorted(sentence for key, sentence in found.items() if key not in fleet.planted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=HELD_OUT, help="first seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--write", type=Path)
    wanted = parser.parse_args()
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    result: dict[str, object] = {
        "first_seed": wanted.first,
        "seeds": wanted.seeds,
        "held_out": wanted.first >= HELD_OUT,
    }
    enough = True
    for name, faulty in (("faulty", True), ("clean", False)):
        told = {}
        for seed in seeds:
            judged = judge(seed, faulty=faulty)
            if judged["missed"] or judged["besides"]:
                told[str(seed)] = judged
        right = wanted.seeds - len(told)
        enough &= right >= WANTED * wanted.seeds
        result[name] = {"right": right, "of": wanted.seeds, "others": told}
        print(f"{name}: {right} of {wanted.seeds} right", flush=True)
    if wanted.write:
        wanted.write.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(0 if enough else 1)


if __name__ == "__main__":
    main()
