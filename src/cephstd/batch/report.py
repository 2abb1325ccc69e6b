"""The report of a run: one HTML file that opens without a network and names no path."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from cephstd import __version__
from cephstd.audit.recorder import format_time
from cephstd.batch.outcomes import STATUSES, Summary
from cephstd.batch.results import TABLES, open_register
from cephstd.core.record import NOTICES
from cephstd.core.tables import SITE_COLUMN
from cephstd.io.store import write_bytes

REPORT = "report.html"
LISTED_FAILURES = 1000
LISTED_DUPLICATES = 200
Rows = Iterable[Sequence[object]]

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
p.note { color: #555 } code { font-size: .9em }
"""


def write_report(folder: str | Path, summary: Summary, *, created: datetime | str) -> None:
    """Write the report of a run into its output folder.

    Parameters
    ----------
    folder : str or Path
    summary : Summary
    created : datetime or str
        When, from the caller's clock, with its time zone.

    Raises
    ------
    RecordError
        When the file cannot be written.
    """
    write_bytes(Path(folder) / REPORT, render_report(folder, summary, created=created).encode())


def render_report(folder: str | Path, summary: Summary, *, created: datetime | str) -> str:
    """HTML text of a run's report; every text that came from outside is escaped."""
    with open_register(folder) as register:
        failures = list(register.failures())
    statuses = [status for status in STATUSES if summary.counts[status]]
    rate = summary.counts["done"] / summary.seconds if summary.seconds else 0.0
    codes: dict[tuple[str, str], int] = {}
    for failure in failures:
        codes[failure.status, failure.code] = codes.get((failure.status, failure.code), 0) + 1
    parts = [
        f"<h1>Batch of {summary.films} films</h1>",
        f"<p>{_text(format_time(created))} · cephstd {_text(__version__)} · {summary.seconds:.1f} s · "
        f"{rate:.2f} new records a second · {summary.records} records in the folder</p>",
        "<p class=note>" + " ".join(map(_text, NOTICES)) + "</p>",
        "<h2>Sites</h2>",
        _table(
            ("site", *statuses),
            ((site, *(found.get(status, 0) for status in statuses)) for site, found in sorted(summary.sites.items())),
        ),
        "<p class=note>done: a record was made; kept: it was there; duplicate: another file has the same bytes; "
        "refused: no lateral cephalogram; quarantined: the film ended the process that worked on it.</p>",
        "<h2>Scale</h2>",
        _table(("site", "basis", "films"), _count(Path(folder), "calibration_basis")),
        "<h2>Quality</h2>",
        _table(("site", "verdict", "films"), _count(Path(folder), "quality")),
        "<h2>Films without a record</h2>",
        _table(("status", "code", "films"), ((*key, count) for key, count in sorted(codes.items()))),
        _table(
            ("site", "image_id", "status", "code", "what", "attempts"),
            (
                (item.site, item.image_id, item.status, item.code, f"{item.message} {item.hint}", item.attempts)
                for item in failures[:LISTED_FAILURES]
            ),
        ),
        _more(len(failures) - LISTED_FAILURES, "the table failures has them all"),
        "<h2>Equal pixels in different files</h2>",
        _table(("films",), ((", ".join(ids),) for ids in summary.duplicates[:LISTED_DUPLICATES])),
        _more(len(summary.duplicates) - LISTED_DUPLICATES, "equal pixel_sha256 in the table films tells them"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>cephstd batch</title>'
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(filter(None, parts)) + "\n</body></html>\n"
    )


def _count(folder: Path, column: str) -> Rows:
    """Films by site and value of a column."""
    films = folder / TABLES / "films"
    if not any(films.glob("*/*.parquet")):
        return []
    found = pl.scan_parquet(films / "**" / "*.parquet", hive_partitioning=True, hive_schema={SITE_COLUMN: pl.String})
    return found.group_by(SITE_COLUMN, column).len().sort(SITE_COLUMN, column).collect().rows()


def _table(columns: Sequence[str], rows: Rows) -> str:
    listed = list(rows)
    if not listed:
        return "<p>None.</p>"
    numeric = [all(isinstance(row[place], int) for row in listed) for place in range(len(columns))]
    head = "".join(_cell("th", name, number) for name, number in zip(columns, numeric, strict=True))
    body = "\n".join(
        "<tr>" + "".join(_cell("td", cell, number) for cell, number in zip(row, numeric, strict=True)) + "</tr>"
        for row in listed
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(tag: str, value: object, number: bool) -> str:
    return f"<{tag}{' class=number' if number else ''}>{_text(value)}</{tag}>"


def _more(count: int, where: str) -> str:
    return f"<p class=note>And {count} more; {where}.</p>" if count > 0 else ""


def _text(value: object) -> str:
    return html.escape("" if value is None else str(value))
