"""How long `cephstd fleet` takes on a million films of fifty sites with eighty measures each, and how much memory.

Usage: fleet_speed.py [--films N] [--sites N] [--measures N] [--folder DIR] [--write FILE] [--check]

The tables are made once (about 1 GB in a temporary folder, or in --folder, where they are kept and taken up again).
--check exits 1 beyond 60 s or 4 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from simulated_fleet import MEASURES, write_table

from cephstd.knowledge.loader import load_measures

LIMIT_S, LIMIT_GIB = 60.0, 4.0
DAYS = 3600


def choose_measures(count: int) -> dict[str, tuple[str, float, float]]:
    """Measures of the simulated fleet, then others that ship: unit, mean, spread."""
    chosen = {
        name: (unit, mean, spread if spread > 1 else mean * 0.05) for name, (unit, mean, spread, _) in MEASURES.items()
    }
    for name, measure in load_measures().items():
        if len(chosen) >= count:
            break
        if measure.unit in ("deg", "mm"):
            chosen.setdefault(name, (measure.unit, 20.0, 4.0))
    return dict(list(chosen.items())[:count])


def write_site(folder: Path, number: int, films: int, measures: dict[str, tuple[str, float, float]]) -> None:
    rng = np.random.default_rng(number)
    site = f"site {number:02d}"
    ids = pl.Series([f"{number:04x}{row:012x}" for row in range(films)])
    start = np.datetime64("2015-01-01")
    days = (start + np.sort(rng.integers(0, DAYS, films))).astype(str)
    table = pl.DataFrame(
        {
            "image_id": ids,
            "created": [f"{day}T08:00:00Z" for day in days],
            "manufacturer": ["Acme"] * films,
            "device": np.where(rng.random(films) < 0.5, f"Ceph {number % 6}", f"Ceph {(number + 1) % 6}"),
            "date": days,
            "age_years": np.clip(rng.gamma(3.0, 3.0, films) + 7.0, 7.0, 60.0).round(1),
            "sex": np.where(rng.random(films) < 0.55, "F", "M"),
            "calibration_basis": ["geometry"] * films,
            "row_mm": np.full(films, 0.1),
            "column_mm": np.full(films, 0.1),
            "quality": np.where(rng.random(films) < 0.03, "non-diagnostic", "diagnostic"),
            "flipped": rng.random(films) < 0.04,
            "norm_sets": ["steiner 1.0.0 sha256:111111111111"] * films,
        }
    )
    write_table(folder, "films", site, table)
    scale = 1.03 if number == 7 else 1.0
    long = [
        (rng.normal(mean, spread, films) * (scale if unit == "mm" else 1.0)).round(1)
        for unit, mean, spread in measures.values()
    ]
    # film by film, as a batch writes them
    rows = pl.DataFrame(
        {
            "image_id": ids.gather(np.repeat(np.arange(films), len(measures))),
            "measure": pl.Series(list(measures)).gather(np.tile(np.arange(len(measures)), films)),
            "value": np.stack(long, axis=1).reshape(-1),
            "unit": pl.Series([unit for unit, _, _ in measures.values()]).gather(
                np.tile(np.arange(len(measures)), films)
            ),
        }
    )
    write_table(folder, "measurements", site, rows)


def run(folder: Path) -> dict[str, object]:
    """Wall time and peak memory of the command in a process of its own."""
    report, facts = folder / "fleet.html", folder / "fleet.json"
    began = time.perf_counter()
    command = [sys.executable, "-m", "cephstd", "fleet", str(folder), "--out", str(report), "--json", str(facts), "-q"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    taken = time.perf_counter() - began
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(facts.read_text(encoding="utf-8"))
    return {
        "seconds": round(taken, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gib": round(used.ru_maxrss / 2**20, 2),
        "films": found["films"],
        "findings": [item["sentence"] for item in found["findings"]],
        "report_mib": round(report.stat().st_size / 2**20, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=1_000_000)
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--measures", type=int, default=80)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = wanted.folder or Path(temporary)
        if not (folder / "films").is_dir():
            measures = choose_measures(wanted.measures)
            for number in range(wanted.sites):
                write_site(folder, number, wanted.films // wanted.sites, measures)
        result = {
            "sites": wanted.sites,
            "measures": wanted.measures,
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "polars": pl.__version__,
            **run(folder),
        }
    print(json.dumps(result, indent=1))
    if wanted.write:
        wanted.write.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    slow = float(str(result["seconds"])) > LIMIT_S or float(str(result["peak_gib"])) > LIMIT_GIB
    sys.exit(1 if wanted.check and slow else 0)


if __name__ == "__main__":
    main()
