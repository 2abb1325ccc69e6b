"""Commands on the life of a record: amend, review, history, diff."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.options import At, now
from cephstd.cli.records import RecordFile, fail, record_of
from cephstd.cli.rendering import make_table, people, say, write_json
from cephstd.errors import CephError, InputError

if TYPE_CHECKING:
    from cephstd.core.record import Record
    from cephstd.core.trail import ReviewEvent

Reviewer = Annotated[str, typer.Option("--reviewer", metavar="ID", help="The person's identifier at your site.")]
Name = Annotated[str, typer.Option("--name", metavar="N", help="The person's printed name; it enters the record.")]
Role = Annotated[str, typer.Option("--role", metavar="R", help="The person's role, e.g. orthodontist.")]
Meaning = Annotated[str, typer.Option("--meaning", metavar="M", help="review, approval, responsibility or authorship.")]
Out = Annotated[Path, typer.Option("--out", metavar="NEW", help="File of the successor; it must not exist yet.")]
SourceFile = Annotated[
    Path | None,
    typer.Option("--source", metavar="FILE", help="The film; its hash is compared first.", show_default=False),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; printed in the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Move or place points of a record.", epilog=AMEND_EXAMPLES)(amend)
    app.command(short_help="Accept or reject a record or its points.", epilog=REVIEW_EXAMPLES)(review)
    app.command(short_help="Who decided what on a film's records.", epilog=HISTORY_EXAMPLES)(history)
    app.command(short_help="What differs between two records.", epilog=DIFF_EXAMPLES)(diff)


AMEND_EXAMPLES = """\b
Example:
  cephstd amend film.record.json --move S=832,994 --reason "on the floor" --reviewer 17 --name "A. Reader"
    --role orthodontist --meaning review --out film-2.record.json
"""


def amend(
    record: RecordFile,
    *,
    reason: Reason,
    reviewer: Reviewer,
    name: Name,
    role: Role,
    meaning: Meaning,
    out: Out,
    move: Annotated[
        list[str] | None,
        typer.Option("--move", metavar="ID=X,Y", help="New place of a point, source pixels; repeatable."),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option("--place", metavar="ID=X,Y", help="Place of a point that the record lacks; repeatable."),
    ] = None,
    at: At = None,
    source: SourceFile = None,
) -> None:
    """Move or place points; what depends on them is computed again, in a new record that names this one.

    Nothing is edited: the successor keeps old place, new place, reason, name, role, time and meaning. stdout has one
    JSON object: record, status, record_digest, previous, outcome, changed, error.
    """
    from cephstd.pipeline.reviewer import amend as decide

    try:
        said: dict[str, Any] = {"reviewer": reviewer, "name": name, "role": role, "meaning": meaning}
        made = decide(
            record_of(record),
            parse_points(move),
            parse_points(place),
            reason=reason,
            at=at or now(),
            source=source,
            **said,
        )
        write_successor(out, made)
    except CephError as error:
        fail(record, error)


REVIEW_EXAMPLES = """\b
Examples:
  cephstd review film.record.json --accept --reviewer 17 --name "A. Reader" --role orthodontist
    --meaning approval --out film-2.record.json
  cephstd review film.record.json --reject --points Go,Ar --reason "both borders doubled" --reviewer 17
    --name "A. Reader" --role orthodontist --meaning review --out film-2.record.json
"""


def review(
    record: RecordFile,
    *,
    accept: Annotated[
        bool, typer.Option("--accept/--reject", help="Accept or reject the record, or its named points.")
    ],
    reviewer: Reviewer,
    name: Name,
    role: Role,
    meaning: Meaning,
    out: Out,
    points: Annotated[
        str | None,
        typer.Option(
            "--points", metavar="IDS", help="Landmarks, e.g. S,N; default: the whole record.", show_default=False
        ),
    ] = None,
    reason: Reason = "",
    at: At = None,
    source: SourceFile = None,
) -> None:
    """Accept or reject a record, or some of its points, in a new record that names this one.

    An accepted point is no longer provisional, nor is what rests on it; nothing rests on a rejected point. stdout has
    one JSON object: record, status, record_digest, previous, outcome, changed, error.
    """
    from cephstd.pipeline.reviewer import review as decide

    try:
        said: dict[str, Any] = {"reviewer": reviewer, "name": name, "role": role, "meaning": meaning}
        ids = None if points is None else [id for id in points.split(",") if id]
        decision: Any = "accept" if accept else "reject"
        made = decide(record_of(record), decision, points=ids, reason=reason, at=at or now(), source=source, **said)
        write_successor(out, made)
    except CephError as error:
        fail(record, error)


def parse_points(texts: list[str] | None) -> dict[str, tuple[float, float]]:
    """``ID=X,Y`` as landmark id -> (x, y) in source px."""
    points = {}
    for text in texts or []:
        id, _, place = text.partition("=")
        try:
            x, y = (float(number) for number in place.split(","))
        except ValueError as error:
            raise InputError(f"Expected a point as ID=X,Y, found {text!r}.", hint="Write e.g. S=832,994.") from error
        points[id] = (x, y)
    return points


def write_successor(out: Path, made: Record) -> None:
    """Write a new record beside the one that it succeeds, and say what it is."""
    from cephstd.io.store import write_bytes

    if out.exists():
        raise InputError(f"{out} exists; a record is never overwritten.", hint="Name another --out.")
    write_bytes(out, made.to_bytes())
    event = made.content.trail[-1]
    say(event_text(event))
    write_json(
        {
            "record": str(out),
            "status": "written",
            "record_digest": made.record_digest,
            "previous": made.content.previous,
            "outcome": event.outcome,
            "changed": [change.after.id for change in event.changes],
            "error": None,
        }
    )


def event_text(event: ReviewEvent) -> str:
    """One decision as a line for people."""
    points = "the whole record" if event.whole else ", ".join(change.after.id for change in event.changes) or "no point"
    reason = f': "{event.reason}"' if event.reason else ""
    return f"{event.at}  {event.name} ({event.role}, {event.meaning})  {event.outcome} {points}{reason}"


HISTORY_EXAMPLES = """\b
Examples:
  cephstd history film-2.record.json
  cephstd history film*.record.json
"""


def history(
    records: Annotated[
        list[Path], typer.Argument(metavar="RECORD", help="Records of one film, in any order.", show_default=False)
    ],
) -> None:
    """Who decided what on a film, and which records are superseded.

    One record is enough: it holds the decisions of all its predecessors. stdout has one JSON object: records (each
    with record, record_digest, created, status, events, earlier_events: those on records before the film was analysed
    anew), missing, forks. Exit code 1 when one record has two successors, 7 when one does not hold.
    """
    import msgspec

    from cephstd.audit.verifier import verify
    from cephstd.pipeline.historian import trace

    read = {verify(record_of(path)).record: path for path in records}
    found = trace(read)
    rows = []
    for sealed in found.records:
        status = "superseded" if sealed.record_digest in found.superseded else "current"
        say(f"{sealed.run.created}  {sealed.record_digest[:19]}  {status}  {read[sealed]}")
        content = sealed.content
        events, earlier = (
            [msgspec.to_builtins(event) | {"outcome": event.outcome} for event in part]
            for part in (content.trail, content.earlier_reviews)
        )
        rows.append(
            {
                "record": str(read[sealed]),
                "record_digest": sealed.record_digest,
                "created": sealed.run.created,
                "status": status,
                "events": events,
                "earlier_events": earlier,
            }
        )
    last = found.records[-1].content
    for event in last.earlier_reviews:
        say(f"{event_text(event)} (on an earlier record, before the film was analysed anew)")
    for event in last.trail:
        say(event_text(event))
    for digest in found.missing:
        say(f"not given: {digest}", style="dim")
    for digest in found.forks:
        say(f"two records succeed {digest}", style="bold red")
    write_json({"records": rows, "missing": list(found.missing), "forks": list(found.forks)})
    if found.forks:
        raise typer.Exit(1)


DIFF_EXAMPLES = """\b
Example:
  cephstd diff film.record.json film-2.record.json
"""


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Record file.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Record file.", show_default=False)],
) -> None:
    """What differs between two records: which points moved, which values and classes changed, and by how much.

    stdout has one JSON object: records, differences (each with subject, quantity, unit, before, after, amount).
    """
    from rich.text import Text

    from cephstd.audit.verifier import verify
    from cephstd.pipeline.comparer import Tolerances, compare_classes, compare_contents

    pair = [verify(record_of(path)).record for path in (first, second)]
    before, after = (sealed.content for sealed in pair)
    found = (
        *compare_contents(before, after, Tolerances()),
        *compare_classes(before.interpretation, after.interpretation),
    )
    rows = [
        {
            "subject": item.subject,
            "quantity": item.quantity,
            "unit": item.unit,
            "before": item.recorded,
            "after": item.found,
            "amount": item.size,
        }
        for item in found
    ]
    table = make_table("what", "quantity", "before", "after", "by", right=("by",))
    for item in found:
        amount = "" if item.size is None else f"{item.size:.4g} {item.unit}"
        table.add_row(*map(Text, (item.subject, item.quantity, item.recorded, item.found, amount)))
    if rows:
        people().print(table)
    else:
        say("no difference")
    write_json({"records": [sealed.record_digest for sealed in pair], "differences": rows})
