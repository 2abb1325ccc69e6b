"""What the tests of killed batches share: an archive of small films in three sites, and their tables to compare."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from film_files import encode
from tiny_model import write_tiny_model

FILMS = 24
COMMAND = "batch films --site-from folder --recipe recipe.toml --models models --workers 2 --quiet --out"
RECIPE = (
    'model = "tiny"\nanalysis = "steiner"\nmm_per_px = 0.5\nview_gate = "report"\naccepted_licences = ["Apache-2.0"]\n'
)
FACTS_OF_A_RUN = ("created", "record_digest")
KEYS = {"films": ["image_id"], "landmarks": ["image_id", "landmark"], "measurements": ["image_id", "measure"]}


def write_archive(top: Path) -> Path:
    """Films, one of them cut short, with the tiny model and a recipe beside them."""
    (top / "models").mkdir()
    write_tiny_model(top / "models")
    for number in range(FILMS):
        y, x = np.mgrid[0:60, 0:48]
        pixels = (100 + 40 * np.sin(x / 11 + number) + 40 * np.cos(y / 9)).astype(np.uint8)
        pixels[20 + number % 20, 10 + number % 30] = 255
        folder = top / "films" / f"site{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encode(".png", pixels))
    (top / "films" / "site0" / "cut.png").write_bytes(encode(".png", pixels)[:200])
    (top / "recipe.toml").write_text(RECIPE)
    return top


def read_table(out: Path, name: str) -> pl.DataFrame:
    """A table without what differs from run to run, in an order of its own."""
    found = pl.scan_parquet(out / "tables" / name / "**" / "*.parquet", hive_partitioning=True).collect()
    return found.drop(FACTS_OF_A_RUN, strict=False).sort(KEYS.get(name, ["image_id"]))
