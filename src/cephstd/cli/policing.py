"""Commands on policy: check records against a pack, show packs, find the earliest day of disposal."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.options import now
from cephstd.cli.records import record_of
from cephstd.cli.rendering import error_facts, exit_code_of, make_table, people, say, say_error, show, write_json
from cephstd.cli.signing import Attested, RootKey, TrustDigest, TrustFile
from cephstd.errors import CephError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from cephstd.audit.policies import PolicyCheck, RuleResult
    from cephstd.audit.retention import Retention
    from cephstd.knowledge.policies import PolicyPack

Day = Annotated[
    str | None,
    typer.Option(
        "--day", metavar="DATE", help="Day of the check, e.g. 2025-04-16; default: today.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Check records against a policy pack.", epilog=CHECK_EXAMPLES)(check)
    app.command(short_help="List policy packs, or show one.", epilog=POLICIES_EXAMPLES)(policies)
    app.command(short_help="Find the earliest day of disposal.", epilog=RETENTION_EXAMPLES)(retention)


CHECK_EXAMPLES = """\b
Examples:
  cephstd check results/*.record.json --policy baseline
  cephstd check film.record.json --policy payer.toml --case film.case.toml --trust trust.toml --day 2025-04-16
"""


def check(
    records: Annotated[
        list[Path],
        typer.Argument(metavar="RECORD", help="Record files, or - for one from stdin.", show_default=False),
    ],
    *,
    policy: Annotated[
        str, typer.Option("--policy", metavar="PACK", help="Id of a pack that ships, or a TOML file of your own.")
    ],
    case: Annotated[
        Path | None,
        typer.Option(
            "--case",
            metavar="FILE",
            help="TOML file with attached references, statements and waivers; for one record.",
            show_default=False,
        ),
    ] = None,
    trust: TrustFile = None,
    trust_digest: TrustDigest = None,
    root: RootKey = None,
    day: Day = None,
) -> None:
    """Check records against a policy pack: pass, fail or waived, rule by rule.

    Each record is verified first; signatures count with --trust alone. A waiver names one record, who gave it, why and
    until when. stdout has one JSON object for each record: record, status (pass, fail or failed), record_digest,
    policy, day, rules, error. Exit code 1 when a required rule fails.
    """
    from cephstd.audit.case import load_case
    from cephstd.audit.policies import check_policy
    from cephstd.audit.verifier import verify
    from cephstd.knowledge.policies import load_policy

    if case is not None and len(records) > 1:
        raise InputError("Expected one record with --case, found several.", hint="A case belongs to one record.")
    pack, beside, today = load_policy(policy), load_case(case) if case else None, read_day(day)
    given = Attested(trust=trust, trust_digest=trust_digest, root=root, signatures=None, proof=None, require="intact")
    codes = set()
    for path in records:
        try:
            found = verify(record_of(path), **given.read(path))
            done = check_policy(found.record, pack, day=today, level=found.level, case=beside)
        except CephError as error:
            say_error(error, about=str(path))
            write_json({"record": str(path), "status": "failed", "error": error_facts(error)})
            codes.add(exit_code_of(error))
            continue
        show_check(path, done)
        write_json({"record": str(path), **check_facts(done), "error": None})
        codes.add(0 if done.passed else 1)
    raise typer.Exit(max(codes))


def check_facts(done: PolicyCheck) -> dict[str, Any]:
    """A check as data."""
    pack = done.policy.definition
    return {
        "status": "pass" if done.passed else "fail",
        "record_digest": done.record_digest,
        "policy": {"id": pack.id, "version": pack.version, "kind": pack.kind, "sha256": done.policy.sha256},
        "day": done.day.isoformat(),
        "rules": [_result_facts(item) for item in done.results],
    }


def _result_facts(item: RuleResult) -> dict[str, Any]:
    waiver = item.waiver and {
        "by": item.waiver.by,
        "reason": item.waiver.reason,
        "until": item.waiver.until.isoformat(),
    }
    return {
        "rule": item.rule.id,
        "status": item.status,
        "severity": item.rule.severity,
        "faults": list(item.faults),
        "waiver": waiver,
        "citation": item.rule.citation,
        "verified_by": item.rule.verified_by,
    }


def show_check(path: Path, done: PolicyCheck) -> None:
    """A check for people: every rule, and what is missing."""
    from rich.text import Text

    pack = done.policy.definition
    table = make_table("rule", "status", "severity", "what is missing", title=f"{path}: {pack.name} {pack.version}")
    for item in done.results:
        said = " ".join(item.faults)
        if item.waiver:
            said += f" Waived by {item.waiver.by} until {item.waiver.until}: {item.waiver.reason}"
        table.add_row(*map(Text, (item.rule.id, item.status, item.rule.severity, said)))
    people().print(table)
    if pack.kind != "own":
        say(f"{pack.id} is {'an example' if pack.kind == 'example' else 'a starting point'}, in force nowhere.")
    if any(not item.rule.verified_by for item in done.results):
        say("Rules that no person has compared with their source are among them.")


POLICIES_EXAMPLES = """\b
Examples:
  cephstd policies
  cephstd policies baseline
  cephstd policies payer.toml | jq -r '.rule[].text'
"""


def policies(
    name: Annotated[
        str | None,
        typer.Argument(metavar="PACK", help="Pack to show: its id, or a TOML file of your own.", show_default=False),
    ] = None,
) -> None:
    """List the policy packs that ship, or show one with every rule; a file of your own is checked.

    A table in a terminal, JSON when stdout is a pipe or a file.
    """
    import msgspec

    from cephstd.knowledge.policies import load_policies, load_policy

    chosen = load_policies() if name is None else {name: load_policy(name)}
    facts = [{**msgspec.to_builtins(one.definition), "sha256": one.sha256} for one in chosen.values()]
    if name is not None:
        definition = next(iter(chosen.values())).definition
        show(facts[0], lambda console: _show_pack(console, definition))
        return
    brief = [{**fact, "rule": len(fact["rule"])} for fact in facts]

    def view(console: Console) -> None:
        table = make_table("pack", "kind", "rules", "name", right=("rules",))
        for fact in brief:
            table.add_row(fact["id"], fact["kind"], str(fact["rule"]), fact["name"])
        console.print(table)

    show(brief, view)


def _show_pack(console: Console, pack: PolicyPack) -> None:
    table = make_table("rule", "severity", "text", "citation", title=f"{pack.name} {pack.version} ({pack.kind})")
    for rule in pack.rule:
        table.add_row(rule.id, rule.severity, rule.text, rule.citation or "-")
    console.print(table)
    console.print(pack.note, markup=False)


RETENTION_EXAMPLES = """\b
Example:
  cephstd retention --rule new_hampshire --rule hipaa_documentation --created 2020-03-01 --last-effect 2021-06-30
    --last-treatment 2021-06-30 --born 2007-05-17
"""


def retention(
    *,
    rule: Annotated[list[str], typer.Option("--rule", metavar="ID", help="Rule that you found to apply; repeatable.")],
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", metavar="FILE", help="TOML file of your own rules; default: those that ship.", show_default=False
        ),
    ] = None,
    created: Annotated[str | None, typer.Option("--created", metavar="DATE", help="When it was made.")] = None,
    last_effect: Annotated[
        str | None, typer.Option("--last-effect", metavar="DATE", help="When it was last in effect.")
    ] = None,
    last_treatment: Annotated[
        str | None, typer.Option("--last-treatment", metavar="DATE", help="When the person was last treated.")
    ] = None,
    born: Annotated[str | None, typer.Option("--born", metavar="DATE", help="Date of birth; not kept.")] = None,
    hold: Annotated[
        list[str] | None,
        typer.Option("--hold", metavar="TEXT", help="Legal hold in force: who ordered it and why; repeatable."),
    ] = None,
) -> None:
    """Find the earliest day on which a record may be disposed of, by the clock of clinical records and by that of
    required documentation. Nothing is deleted.

    stdout has one JSON object: earliest_disposal (null with reasons), clocks, reasons. Exit code 1 when there is no
    such day.
    """
    from cephstd.audit.retention import WARNING, RetentionFacts, find_disposal
    from cephstd.knowledge.retention import load_retention

    known = {item.id: item for item in load_retention(rules).rule}
    unknown = [id for id in rule if id not in known]
    if unknown:
        raise InputError(f"Expected rules among {', '.join(known)}; found {', '.join(unknown)}.")
    days = {"created": created, "last_effect": last_effect, "last_treatment": last_treatment, "born": born}
    facts = RetentionFacts(
        **{name: read_day(text) for name, text in days.items() if text is not None}, holds=tuple(hold or ())
    )
    found = find_disposal([known[id] for id in dict.fromkeys(rule)], facts)
    say(WARNING)
    write_json(retention_facts(found))
    raise typer.Exit(0 if found.earliest_disposal else 1)


def retention_facts(found: Retention) -> dict[str, Any]:
    """Earliest disposal as data."""
    return {
        "earliest_disposal": found.earliest_disposal and found.earliest_disposal.isoformat(),
        "clocks": [
            {
                "rule": clock.rule.id,
                "clock": clock.rule.clock,
                "keep_through": clock.keep_through and clock.keep_through.isoformat(),
                "reason": clock.reason,
                "citation": clock.rule.citation,
                "verified_by": clock.rule.verified_by,
            }
            for clock in found.clocks
        ],
        "reasons": list(found.reasons),
    }


def read_day(text: str | None) -> date:
    """A day as ``2025-04-16``; None is today by this machine's clock."""
    if text is None:
        return now().date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"Expected a day such as 2025-04-16, found {text!r}.") from error
