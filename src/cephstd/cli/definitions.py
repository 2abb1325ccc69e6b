"""Commands that look definitions up: analyses, explain."""

from __future__ import annotations

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
  cephstd explain Gn_c | jq .construction
"""


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of a measure, a landmark or an analysis, e.g. SNA.")],
) -> None:
    """Explain a measure, a landmark or an analysis: definition, formula, sign, unit, source.

    A readable view in a terminal, JSON when stdout is a pipe or a file.
    """
    facts = find_definition(name)

    def view(console: Console) -> None:
        from rich.text import Text

        for key, value in facts.items():
            if value not in ("", (), [], None):
                text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
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
            return {"what": kind, **msgspec.to_builtins(known[name])}
    every = {id for known in places.values() for id in known}
    raise UnknownAnalysisError(
        f"Expected the id of a measure, landmark or analysis, found {name!r}.", hint=suggest(name, every)
    )


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
