"""The manual's page of codes, from the data: public ones with their source, and the published table of 99CEPHSTD.

Usage: terminology_page.py OUT.md    (the manual's build calls `render_terminology`)
"""

from __future__ import annotations

import sys
from pathlib import Path

from cephstd.knowledge.terminology import load_terminology, published_codes


def render_terminology() -> str:
    """The page as Markdown."""
    table = load_terminology()
    rows = list(published_codes())
    public = [row for row in rows if row[1].scheme != table.scheme]
    own = [row for row in rows if row[1].scheme == table.scheme]
    return "\n".join(
        [
            "# Codes",
            "",
            f"`{table.scheme}` is this library's own coding scheme: {table.name}, version {table.version},",
            f"UID `{table.uid}` (in FHIR `urn:oid:{table.uid}`).",
            "This page is its published table. A code never changes its meaning: when a measure's definition changes,",
            "its code gets the new version as a suffix, e.g. `M-ANB.2`. Codes that begin with `XL-` or `XM-` stand for",
            "landmarks and measures that a site has defined itself; only that site knows what they mean.",
            "",
            "A code of a public vocabulary is used only where somebody has read it in the source named here. What has",
            "no such code has one of the scheme.",
            "",
            "LOINC codes and names are copyright Regenstrief Institute, Inc. and the LOINC Committee.",
            "",
            "## Codes of public vocabularies",
            "",
            "| for | scheme | code | meaning | read in |",
            "|---|---|---|---|---|",
            *(
                f"| {concept} | {code.scheme} | `{code.value}` | {code.display} | {source} |"
                for concept, code, source in public
            ),
            "",
            f"## {table.scheme}",
            "",
            "| for | code | meaning |",
            "|---|---|---|",
            *(f"| {concept} | `{code.value}` | {code.display} |" for concept, code, _ in own),
            "",
        ]
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_terminology(), encoding="utf-8")
