"""Bring README.md up to date with the program: its help blocks, the output of the sample analysis, and the picture.

Usage: readme.py    (after a change of the command line or the model)
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cli_help import COLUMNS, refresh
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "overlay.png"
WIDTH_PX = 900
COMMAND = "cephstd analyze data/samples/composite_a.dcm --analysis steiner --out out"
OUTPUT = re.compile(r"(```console\n\$ " + re.escape(COMMAND) + r"\n).*?(```)", re.S)


def analyze_sample(folder: Path) -> str:
    """Run the sample analysis; what it says to a person."""
    arguments = [*COMMAND.split()[1:-1], str(folder)]
    environment = os.environ | {"COLUMNS": COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "cephstd", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    lines = [line.rstrip() for line in done.stderr.replace(str(folder), "out").splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def shrink(data: bytes) -> bytes:
    """The picture at a width for reading on a screen, in full colour: the planes are told apart by it."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    height = round(picture.height * WIDTH_PX / picture.width)
    small = picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        said = analyze_sample(Path(folder))
        PICTURE.write_bytes(shrink((Path(folder) / "composite_a.overlay.png").read_bytes()))
    text = refresh(README.read_text(encoding="utf-8"))
    README.write_text(OUTPUT.sub(lambda match: match[1] + said + match[2], text), encoding="utf-8")
    print(f"{README.name} and {PICTURE.name} ({PICTURE.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    main()
