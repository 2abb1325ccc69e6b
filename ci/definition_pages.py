"""Pages of the manual on every definition, from the data: one per analysis, with a drawing of each measure on a face.

Usage: definition_pages.py OUT    (the manual's build calls `write_definitions`)
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from cephstd import __version__
from cephstd.knowledge.definitions import MeasureDefinition
from cephstd.knowledge.loader import load_analyses, load_analysis, load_landmarks, load_measures, load_schemes
from cephstd.knowledge.norms import load_norm_sets
from cephstd.knowledge.rules import load_rule_sets
from cephstd.plot.drawings import draw_measure
from cephstd.plot.overlays import draw_png

STAMP = "stamp.txt"


def write_definitions(folder: Path) -> None:
    """Write the pages and pictures to ``folder/definitions``; pictures that are up to date are kept."""
    out = folder / "definitions"
    (out / "drawings").mkdir(parents=True, exist_ok=True)
    for measure in load_measures().values():
        if measure.formula:
            draw(measure, out / "drawings" / f"{measure.id}.png")
    pages = {"landmarks": landmarks(), "norms": norms(), "rules": rules()}
    homes = assign_homes()
    for id, analysis in load_analyses().items():
        if id != "all":
            pages[id] = sheet(id, analysis.name, homes)
    pages["others"] = others(homes)
    order = [id for id in load_analyses() if id != "all"]
    pages["index"] = index(order)
    for name, lines in pages.items():
        (out / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(measure: MeasureDefinition, path: Path) -> None:
    """Draw one measure, unless the picture of this definition and this drawing code is there."""
    stamp = path.with_suffix(".txt")
    wanted = hashlib.sha256(f"{measure!r}{drawing_code()}".encode()).hexdigest()
    if path.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    path.write_bytes(draw_png(draw_measure(measure.id)))
    stamp.write_text(wanted)


def drawing_code() -> str:
    """Digest of what draws: a change of it makes every picture anew."""
    if not hasattr(drawing_code, "known"):
        state = hashlib.sha256(__version__.encode())
        for item in sorted(resources.files("cephstd.plot").iterdir(), key=lambda item: item.name):
            if item.name.endswith(".py"):
                state.update(item.read_bytes())
        drawing_code.known = state.hexdigest()
    return drawing_code.known


def assign_homes() -> dict[str, str]:
    """Measure -> the analysis on whose page it stands: the first sheet that holds it."""
    homes: dict[str, str] = {}
    for id in load_analyses():
        if id != "all":
            for measure in load_analysis(id).measures:
                homes.setdefault(measure.id, id)
    return homes


def index(order: list[str]) -> Iterator[str]:
    measures = load_measures()
    yield "# Definitions"
    yield ""
    yield (
        f"{len(load_landmarks())} landmarks and {len(measures)} measurements, from the data that the program reads. "
        f"{sum(not m.formula for m in measures.values())} measurements are declared and have no formula."
    )
    yield ""
    yield "```{toctree}\n:maxdepth: 1\n"
    yield from ("landmarks", *order, "others", "norms", "rules")
    yield "```"


def sheet(id: str, name: str, homes: dict[str, str]) -> Iterator[str]:
    analysis = load_analysis(id)
    yield f"# {name or id}"
    yield ""
    yield f"`--analysis {id}`, version {analysis.definition.version}. {analysis.definition.source}"
    for measure in analysis.measures:
        if homes[measure.id] == id:
            yield from section(measure)
        else:
            yield from (
                "",
                f"## {title(measure)}",
                "",
                f"Defined on the page of [{homes[measure.id]}]({homes[measure.id]}.md).",
            )


def others(homes: dict[str, str]) -> Iterator[str]:
    yield "# Measurements on no sheet"
    for measure in load_measures().values():
        if measure.id not in homes:
            yield from section(measure)


def title(measure: MeasureDefinition) -> str:
    return f"{measure.id}: {measure.name}"


def section(measure: MeasureDefinition) -> Iterator[str]:
    yield from ("", f"## {title(measure)}", "", measure.definition, "")
    facts = {
        "formula": f"`{measure.formula}`" if measure.formula else f"none: {measure.undefined}",
        "sign": measure.sign,
        "unit": measure.unit,
        "above": measure.high,
        "below": measure.low,
        "source": measure.source,
        "note": measure.note,
        "confidence": measure.confidence,
        "version": str(measure.version),
    }
    yield from ("| | |", "| --- | --- |")
    for key, text in facts.items():
        if text:
            yield f"| {key} | {cell(text)} |"
    if measure.formula:
        yield from ("", f"![Drawing of {measure.id} on a schematic face](drawings/{measure.id}.png)")


def landmarks() -> Iterator[str]:
    yield "# Landmarks"
    yield ""
    yield "| id | name | kind | definition | construction |"
    yield "| --- | --- | --- | --- | --- |"
    for mark in load_landmarks().values():
        construction = f"`{mark.construction}`" if mark.construction else ""
        yield f"| `{mark.id}` | {cell(mark.name)} | {mark.kind} | {cell(mark.definition)} | {construction} |"
    for scheme in load_schemes().values():
        yield from ("", f"## Scheme {scheme.id}", "", scheme.name + ". " + scheme.note, "")
        yield from ("| index | label | id | difference or hold |", "| --- | --- | --- | --- |")
        for point in scheme.landmark:
            said = "; ".join(filter(None, (point.difference, f"on hold: {point.hold}" if point.hold else "")))
            yield f"| {point.index} | {cell(point.label)} | `{point.id}` | {cell(said or point.provisional)} |"


def norms() -> Iterator[str]:
    yield "# Norm sets"
    yield ""
    yield "How they are used: {doc}`/guide/norms`. Where it says `unverified`, no person has signed the number."
    for id, one in load_norm_sets().items():
        definition = one.definition
        yield from ("", f"## {id}", "")
        yield f"{definition.name}, version {definition.version}: {definition.population}."
        yield f"{'; '.join(definition.citation)}."
        for text in (definition.note, definition.findings):
            if text:
                yield from ("", text)
        if not definition.entry:
            continue
        yield from (
            "",
            "| entry | kind | value | ± | range | sex | checked by |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        )
        for entry in definition.entry:
            band = "" if entry.low is None and entry.high is None else f"{number(entry.low)}..{number(entry.high)}"
            value = (
                f"by {entry.table_of}"
                if entry.table
                else number(entry.value) + (" at base age" if entry.linear else "")
            )
            checked = entry.checked_by or definition.checked_by or "unverified"
            cells = (f"`{entry.id}`", entry.kind, value, number(entry.spread), band, entry.sex or "", checked)
            yield f"| {' | '.join(cells)} |"


def rules() -> Iterator[str]:
    yield "# Rules"
    for id, one in load_rule_sets().items():
        yield from (
            "",
            f"## {id}",
            "",
            f"{one.definition.name}, version {one.definition.version}. {one.definition.note}",
            "",
        )
        yield from ("| rule | measure | class | values | source |", "| --- | --- | --- | --- | --- |")
        for rule in one.definition.rule:
            for part in rule.classes:
                low = "" if part.low is None else f"{part.low:g} {'≤' if part.low_closed else '<'} "
                high = "" if part.high is None else f" {'≤' if part.high_closed else '<'} {part.high:g}"
                yield f"| `{rule.id}` | `{rule.measure}` | {cell(part.label)} | {low}x{high} | {cell(rule.source)} |"
            if rule.gap:
                yield f"| `{rule.id}` | `{rule.measure}` | none | {cell(rule.gap)} | |"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", r"\|").replace("<", r"\<").replace("*", r"\*").replace("\n", " ")


if __name__ == "__main__":
    write_definitions(Path(sys.argv[1]))
