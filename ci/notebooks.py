"""Run every notebook in its own folder, top to bottom; the first cell that fails ends the run with its traceback."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
SECONDS_PER_CELL = 180


def main() -> int:
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not paths:
        print("no notebook found in notebooks/")
        return 1
    for path in paths:
        began = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        folder = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", resources=folder).execute()
        print(f"{path.name}: {len(notebook.cells)} cells in {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
