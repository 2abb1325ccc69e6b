"""Norms and classes on the command line: the command norms, and how an interpretation is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.rendering import make_table, people, show

if TYPE_CHECKING:
    from rich.console import Console

    from cephstd.core.interpretation import Interpretation, NormComparison, RuleOutcome


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="List norm sets, or show one.", epilog=NORMS_EXAMPLES)(norms)


NORMS_EXAMPLES = """\b
Examples:
  cephstd norms
  cephstd norms downs
  cephstd norms clinic.toml | jq -r '.entry[].measure'
"""


def norms(
    name: Annotated[
        str | None,
        typer.Argument(metavar="SET", help="Norm set to show: its id, or a TOML file of your own.", show_default=False),
    ] = None,
) -> None:
    """List the norm sets with their populations, or show one with every entry; a file of your own is checked.

    A table in a terminal, JSON when stdout is a pipe or a file. Numbers are unverified until a person has signed the
    file.
    """
    from cephstd.knowledge.norms import load_norm_sets, load_norms

    chosen = load_norm_sets() if name is None else {name: load_norms(name)}
    facts = [_facts(one.definition, one.sha256) for one in chosen.values()]
    if name is not None:
        definition = next(iter(chosen.values())).definition
        show(facts[0], lambda console: _show_set(console, definition))
        return
    brief = [{key: value for key, value in fact.items() if key != "entry"} for fact in facts]

    def view(console: Console) -> None:
        table = make_table("set", "entries", "checked by", "population", right=("entries",))
        for one in chosen.values():
            definition = one.definition
            table.add_row(
                definition.id,
                str(len(definition.entry)),
                _plain(definition.checked_by or "unverified"),
                _plain(definition.population),
            )
        console.print(table)

    show(brief, view)


def _facts(definition: Any, sha256: str) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(definition), "sha256": sha256, "entries": len(definition.entry)}


def _show_set(console: Console, definition: Any) -> None:
    console.print(_plain(f"{definition.name} {definition.version}: {definition.population}"))
    console.print(_plain("; ".join(definition.citation)))
    for text in (definition.findings, definition.note):
        if text:
            console.print(_plain(text))
    table = make_table("entry", "kind", "value", "±", "range", "for", "checked by", right=("value", "±"))
    for entry in definition.entry:
        ages = "" if entry.age_min_years is None else f"from {entry.age_min_years:g} y"
        changing = "by " + entry.table_of if entry.table else "by age" if entry.linear else ""
        table.add_row(
            _plain(entry.id),
            entry.kind,
            _number(entry.value),
            _number(entry.spread),
            _plain(_band(entry.low, entry.high)),
            " ".join(filter(None, (entry.sex, ages, changing))),
            _plain(entry.checked_by or definition.checked_by or "unverified"),
        )
    if definition.entry:
        console.print(table)


def show_interpretation(said: Interpretation) -> None:
    """Classes, comparisons and findings for people."""
    console = people()
    classes = [outcome for outcome in said.outcomes if outcome.label is not None]
    if classes:
        table = make_table("rule", "value", "class", "probability", right=("value", "probability"))
        for outcome in classes:
            table.add_row(*map(_plain, _class_cells(outcome)))
        console.print(table)
    if said.comparisons:
        table = make_table("norm", "value", "reference", "said", "", right=("value", "reference"))
        for comparison in said.comparisons:
            table.add_row(*map(_plain, _norm_cells(comparison)))
        console.print(table)
        people().print(_plain(f"norms chosen by: {said.norms_by or 'not stated (--norms-by)'}"))
        unverified = [use.set for use in said.norm_sets if not use.verified]
        if unverified:
            console.print(_plain(f"Unverified norms: {', '.join(unverified)}. No person has signed the numbers."))
    for finding in said.findings:
        console.print(_plain(f"finding: {finding.text}"), style="yellow")


def _class_cells(outcome: RuleOutcome) -> tuple[str, str, str, str]:
    probability = "" if outcome.probability is None else f"{outcome.probability:.2f}"
    return outcome.rule, _number(outcome.value), f"{outcome.label}", probability


def _norm_cells(comparison: NormComparison) -> tuple[str, str, str, str, str]:
    reference = _number(comparison.reference) or _band(comparison.low, comparison.high)
    said = [
        "" if comparison.z is None else f"z {comparison.z:+.2f}",
        "" if comparison.clinical_deviations is None else f"{comparison.clinical_deviations:+.2f} clinical deviations",
        comparison.position,
        f"withheld: {comparison.reason}" if comparison.reason else "",
    ]
    return (
        f"{comparison.set}.{comparison.entry or comparison.measure}",
        _number(comparison.value),
        reference,
        ", ".join(filter(None, said)),
        "; ".join(flag for flag in comparison.flags if flag != "unverified"),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _band(low: float | None, high: float | None) -> str:
    return "" if low is None and high is None else f"{_number(low)}..{_number(high)}"


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
