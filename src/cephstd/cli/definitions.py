"""Commands that look definitions up: analyses, explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.rendering import make_table, show

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="List the analyses.", epilog=ANALYSES_EXAMPLES)(analyses)
    app.command(short_help="Explain a measure, landmark or analysis.", epilog=EXPLAIN_EXAMPLES)(explain)


ANALYSES_EXAMPLES = """\b
Examples:
  cephstd analyses
  cephstd analyses | jq -r '.[].id'
"""


def analyses() -> None:
    """List the analyses: id, name, source and the measures of each sheet in its order.

    A table in a terminal, JSON when stdout is a pipe or a file.
    """
    from cephstd.knowledge.loader import load_analyses

    known = load_analyses()
    facts = [
        {"id": item.id, "name": item.name, "source": item.source, "version": item.version, "measures": item.measures}
        for item in known.values()
    ]

    def view(console: Console) -> None:
        table = make_table("analysis", "name", "measures", right=("measures",))
        for item in known.values():
            table.add_row(item.id, _plain(item.name), str(len(item.measures)))
        console.print(table)

    show(facts, view)


EXPLAIN_EXAMPLES = """\b
Examples:
  cephstd explain SNA
  cephstd explain U1_APog_mm --drawing u1_apog.png
  cephstd explain Gn_c | jq .construction
"""


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of a measure, a landmark or an analysis, e.g. SNA.")],
    drawing: Annotated[
        Path | None,
        typer.Option(
            "--drawing", metavar="PNG", help="Picture to write of a measure on a schematic face.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain a measure, a landmark or an analysis: definition, formula, sign, unit, source.

    For a measure also what the norm sets have for it, whether a person has checked that, the rules that class it, and
    what stored sources print. A readable view in a terminal, JSON when stdout is a pipe or a file.
    """
    facts = find_definition(name)
    if drawing is not None:
        if facts["what"] != "measure":
            raise typer.BadParameter(f"Only a measure can be drawn, {name} is of kind {facts['what']}.")
        from cephstd.io.store import write_bytes
        from cephstd.plot.drawings import draw_measure
        from cephstd.plot.overlays import draw_png

        write_bytes(drawing, draw_png(draw_measure(name)))

    def view(console: Console) -> None:
        from rich.text import Text

        for key, value in facts.items():
            if value not in ("", (), [], None):
                for text in _lines(key, value):
                    console.print(Text.assemble((f"{key:>15}  ", "bold"), text))

    show(facts, view)


def find_definition(name: str) -> dict[str, Any]:
    """Facts of whatever is called `name`: a measure first, then a landmark, then an analysis.

    Raises
    ------
    UnknownAnalysisError
        When nothing is called so.
    """
    import msgspec

    from cephstd.errors import UnknownAnalysisError
    from cephstd.knowledge.formula import suggest
    from cephstd.knowledge.loader import load_analyses, load_landmarks, load_measures

    places = {"measure": load_measures(), "landmark": load_landmarks(), "analysis": load_analyses()}
    for kind, known in places.items():
        if name in known:
            facts = {"what": kind, **msgspec.to_builtins(known[name])}
            return {**facts, **_find_judgements(name)} if kind == "measure" else facts
    every = {id for known in places.values() for id in known}
    raise UnknownAnalysisError(
        f"Expected the id of a measure, landmark or analysis, found {name!r}.", hint=suggest(name, every)
    )


def _find_judgements(measure: str) -> dict[str, Any]:
    """What norms, rules and stored sources say of a measure."""
    import msgspec

    from cephstd.knowledge.norms import load_evidence, load_norm_sets
    from cephstd.knowledge.rules import load_rule_sets

    norms = [
        {
            "set": id,
            "population": one.definition.population,
            **msgspec.to_builtins(entry),
            "checked_by": entry.checked_by or one.definition.checked_by or "unverified",
        }
        for id, one in load_norm_sets().items()
        for entry in one.definition.entry
        if entry.measure == measure
    ]
    rules = [
        {"set": id, "version": one.definition.version, **msgspec.to_builtins(rule)}
        for id, one in load_rule_sets().items()
        for rule in one.definition.rule
        if rule.measure == measure
    ]
    evidence = [msgspec.to_builtins(row) for row in load_evidence().get(measure, ())]
    return {"norms": norms, "rules": rules, "evidence": evidence}


def _lines(key: str, value: Any) -> list[str]:
    """A fact for people, in one line or several."""
    if key == "norms":
        return [_norm_line(norm) for norm in value]
    if key == "rules":
        return [
            f"{rule['set']}.{rule['id']}: " + "; ".join(_class_line(one) for one in rule["classes"]) for rule in value
        ]
    if key == "evidence":
        counts: dict[str, int] = {}
        for row in value:
            counts[row["agreement"]] = counts.get(row["agreement"], 0) + 1
        return [", ".join(f"{count} {agreement}" for agreement, count in counts.items()) + " (JSON has them)"]
    return [", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]


def _norm_line(norm: dict[str, Any]) -> str:
    number = "" if norm["value"] is None else f"{norm['value']:g}"
    number += "" if norm["spread"] is None else f" ± {norm['spread']:g}"
    band = "" if norm["low"] is None and norm["high"] is None else f" [{norm['low']}..{norm['high']}]"
    by = f" by {norm['table_of']}" if norm["table"] else " at base age" if norm["linear"] else ""
    sex = f" {norm['sex']}" if norm["sex"] else ""
    return f"{norm['set']}{sex}: {number}{band}{by} ({norm['kind']}, {norm['checked_by']}; {norm['population']})"


def _class_line(one: dict[str, Any]) -> str:
    low = "" if one["low"] is None else f"{one['low']:g} {'<=' if one['low_closed'] else '<'} "
    high = "" if one["high"] is None else f" {'<=' if one['high_closed'] else '<'} {one['high']:g}"
    return f"{low}x{high} {one['label']}"


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
