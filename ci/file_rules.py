"""Rules for every committed file: size, hosts, paths of one machine, secrets; and for source: length and names.

Prints each breach and exits 1. The words to look for are put together from pieces, so that this file passes itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 25 * 2**20
MAX_LINES = 400
VAGUE_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
# Files that may be longer, each with its reason.
LONG_FILES = {
    "tests/integration/test_faults.py": "one short test for each fault of a file; a reader looks faults up in one list"
}

# Where a picture may lie: drawn or averaged films with their maker beside them, figures of the manual.
PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".dcm", ".npy", ".npz"}
PICTURE_FOLDERS = ("data/samples/", "docs/images/", "tests/golden/pictures/")

FORBIDDEN = {
    "a package registry's host": re.compile(r"(?:pypi|pythonhosted|npmjs|anaconda)\.(?:org|com)|registry\.npm", re.I),
    "a path of one machine": re.compile(r"(?<![\w.~/-])/(?:work|root|home|tmp|opt|Users)/[\w.-]"),
    "a private key": re.compile("-----BEGIN (?:[A-Z]+ )?" + "PRIVATE KEY-----"),
    "a token": re.compile(r"\b(?:gh[pousr]_\w{30,}|AKIA[0-9A-Z]{16}|sk-[A-Za-z0-9]{30,})"),
}
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|X" + r"XX|NotImplemented" + r"Error)\b")


def committed_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def breaches(name: str, data: bytes) -> list[str]:
    """What is wrong with the committed file `name`."""
    found = []
    if len(data) > MAX_BYTES:
        found.append(f"{name}: {len(data) / 2**20:.0f} MiB, at most 25 MiB")
    if Path(name).suffix.lower() in PICTURES and not name.startswith(PICTURE_FOLDERS):
        found.append(f"{name}: pictures lie in {', '.join(PICTURE_FOLDERS)} alone")
    if b"\0" in data[:8192]:
        return found
    text = data.decode("utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        found += [f"{name}:{number}: {what}" for what, pattern in FORBIDDEN.items() if pattern.search(line)]
        if name.startswith("src/") and UNFINISHED.search(line):
            found.append(f"{name}:{number}: unfinished work")
    if name.endswith(".py"):
        lines = text.count("\n")
        if lines > MAX_LINES and name not in LONG_FILES:
            found.append(f"{name}: {lines} lines, at most {MAX_LINES}")
        if Path(name).name in VAGUE_NAMES:
            found.append(f"{name}: a module is named after what it holds")
    return found


def main() -> int:
    found = [breach for name in committed_files() for breach in breaches(name, (ROOT / name).read_bytes())]
    print("\n".join(found) or f"file rules hold for {len(committed_files())} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
