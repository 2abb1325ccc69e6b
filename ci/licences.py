"""Check the licences of what a user installs: every package must be under one that the table allows, none under GPL.

Usage: licences.py LICENCES.json    (as pip-licenses writes it)
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python[ -]Software[ -]Foundation|PSFL|MPL[- ]2\.0|Mozilla Public License 2\.0|Unlicense"
    r"|0BSD|Zlib|HPND|CC0|LGPL|Matplotlib|BSL-1\.0)",
    re.I,
)
# GPL and AGPL as words of their own; LGPL is another licence (a library that is used, not copied).
FORBIDDEN = re.compile(r"(?<!L)\bA?GPL|(?<!Lesser )(?<!Library or )\bGeneral Public License", re.I)
# Packages whose metadata says less or more than their licence, with what was read in their own files.
READ_BY_HAND: dict[str, str] = {}
OWN = "cephstd"


def breach(name: str, licence: str) -> str | None:
    """What is wrong with `licence`, or None."""
    licence = READ_BY_HAND.get(name.lower(), licence)
    if FORBIDDEN.search(licence):
        return f"{name}: {licence}: copyleft that reaches the whole program"
    if not ALLOWED.search(licence):
        return f"{name}: {licence!r} is not in the table of allowed licences; read it and decide"
    return None


def main(path: str) -> int:
    packages = json.loads(Path(path).read_text(encoding="utf-8"))
    found = [text for entry in packages if entry["Name"] != OWN and (text := breach(entry["Name"], entry["License"]))]
    print("\n".join(found) or f"licences of {len(packages)} packages are allowed, none is GPL")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
