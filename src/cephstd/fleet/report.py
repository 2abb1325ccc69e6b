"""The report on a fleet: one HTML file that opens from disk, loads nothing, and escapes every text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from cephstd import __version__
from cephstd.audit.recorder import format_time
from cephstd.core.record import NOTICES
from cephstd.core.tables import SITE_COLUMN
from cephstd.fleet.comparison import Comparison
from cephstd.fleet.corrections import mean_vectors
from cephstd.fleet.effects import Effects
from cephstd.fleet.facts import count_bases, count_places
from cephstd.fleet.figures import draw_funnels, draw_series, draw_shifts, draw_sizes, draw_vectors, draw_volume
from cephstd.fleet.findings import FleetFinding
from cephstd.fleet.norm_use import count_norms
from cephstd.fleet.observations import SIZE
from cephstd.fleet.share_findings import CHANCE
from cephstd.fleet.shares import LATE_DAYS, MIN_OF, Shares
from cephstd.fleet.timelines import follow

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
SHOWN_FILMS = 24
MOST_FUNNELS = 9
SITE_INDICATORS = (
    ("failed", "failed"),
    ("refused", "refused"),
    ("non_diagnostic", "non-diagnostic"),
    ("uncalibrated", "no scale"),
    ("outside_use", "outside use"),
    ("undated", "no date"),
    ("flipped", "mirrored"),
    ("unreviewed", "not reviewed"),
    ("unsigned", "unsigned"),
    ("late", "late review"),
)
METHOD = (
    "Places are sites and their devices. Values are compared within one sex and age band (a year wide up to 18), so "
    "that a practice with younger patients is not called different for it: medians of sex and age are fitted together "
    "with what each place adds, weighted by films.",
    "A shift is said when it is at least 0.3 of the spread within one age band and sex, and both its test and a "
    "two-sample Kolmogorov-Smirnov test are discoveries at a false-discovery rate of 0.1 % (Benjamini and Yekutieli). "
    "A scale is said from 1.5 % on when lengths change and angles do not. Spread that many places share is natural.",
    f"Control limits of shares are those of chance at p = {CHANCE} around the middle place, for as many films. Changes "
    "over time come from a cumulative sum; the day is that of its peak. The stability index compares values before and "
    "after.",
)


def render_report(comparison: Comparison, *, created: datetime | str) -> str:
    """HTML text of the report.

    Parameters
    ----------
    comparison : Comparison
    created : datetime or str
        When, from the caller's clock, with its time zone.
    """
    style = resources.files("cephstd.fleet").joinpath("report.css").read_text(encoding="utf-8")
    sites = comparison.census.films[SITE_COLUMN].n_unique()
    title = f"{sites} {'site' if sites == 1 else 'sites'} in one view"
    parts = [
        f"<header><h1>{title}</h1><p>{_text(format_time(created))} · cephstd {_text(__version__)}</p></header>",
        _tiles(comparison),
        "<main>",
        *_findings(comparison),
        *_sites(comparison),
        *_funnels(comparison),
        *_measures(comparison),
        *_reviews(comparison),
        *_norms(comparison),
        *_policies(comparison),
        *_notes(comparison),
        "</main>",
        "<footer>" + "".join(f"<p>{_text(notice)}</p>" for notice in NOTICES) + "</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head><body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body></html>\n"
    )


def _tiles(comparison: Comparison) -> str:
    films = comparison.census.films
    act = sum(item.level == "act" for item in comparison.findings)
    first, last = films["day"].min(), films["day"].max()
    tiles = [
        (f"{len(films):,}", "films"),
        (str(films["place"].n_unique()), "devices at sites"),
        (" – ".join((_text(first), _text(last))) if first else "no dates", "dates of films"),
        (str(act), "to act on"),
        (str(len(comparison.findings) - act), "to look at"),
    ]
    cells = "".join(
        f"<div class='tile{' alarm' if label == 'to act on' and act else ''}'><b>{_text(value)}</b>{label}</div>"
        for value, label in tiles
    )
    return f"<section class=tiles>{cells}</section>"


def _findings(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    if not comparison.findings:
        yield "<p class=calm>No site, device or reviewer differs from the others by more than chance and by enough to "
        yield "matter.</p>"
    for place, finding in enumerate(comparison.findings, 1):
        yield _card(comparison, place, finding)


def _card(comparison: Comparison, place: int, finding: FleetFinding) -> str:
    timeline = follow(comparison, finding)
    figure = ""
    if timeline is not None:
        drawn = draw_series(timeline.title, timeline.days, timeline.series, timeline.unit, finding.since)
        figure = f"<figure>{drawn}</figure>"
    more = ""
    if finding.evidence:
        items = "".join(f"<li>{_text(said)}</li>" for said in finding.evidence)
        more += f"<details><summary>What this explains ({len(finding.evidence)})</summary><ul>{items}</ul></details>"
    if finding.films:
        shown = ", ".join(map(_text, finding.films[:SHOWN_FILMS]))
        rest = finding.film_count - min(SHOWN_FILMS, len(finding.films))
        tail = f" and {rest} more" if rest > 0 else ""
        more += f"<details><summary>Films ({finding.film_count})</summary><p class=ids>{shown}{tail}</p></details>"
    level = "Act" if finding.level == "act" else "Look"
    return (
        f"<article class={finding.level}><div class=rank>{place}</div><div><p class=said>"
        f"<span class=pill>{level}</span> {_text(finding.sentence)}</p>"
        f"<p class=advice>{_text(finding.advice)}</p>{figure}{more}</div></article>"
    )


def _sites(comparison: Comparison) -> Iterator[str]:
    films = comparison.census.films
    yield "<h2>Sites and devices</h2>"
    shares = {(part.key, part.by): part for part in comparison.shares}
    columns = [(key, label) for key, label in SITE_INDICATORS if (key, SITE_COLUMN) in shares]
    head = ("site", "device", "films", "from", "to", *(label for _, label in columns))
    rows: list[list[str]] = []
    for site, group in count_places(films).group_by(SITE_COLUMN, maintain_order=True):
        total = [_text(site[0]), "all" if len(group) > 1 else _text(group["device"][0])]
        total += [f"{group['films'].sum():,}", _month(group["first"].min()), _month(group["last"].max())]
        rows.append([*total, *(_percent(shares[key, SITE_COLUMN], site[0]) for key, _ in columns)])
        if len(group) == 1:
            continue
        for name, device, count, first, last in group.iter_rows():
            cells = ["", _text(device), f"{count:,}", _month(first), _month(last)]
            each = [_percent(shares.get((key, "place")), f"{name} · {device}") for key, _ in columns]
            rows.append([*cells, *each])
    yield _table(head, rows, numbers=range(2, len(head)))
    yield (
        "<p class=note>Percent of films. <span class=high>Red</span> is more than chance allows beside the middle one. "
        f"A review is late after {LATE_DAYS} days.</p>"
    )
    volume = draw_volume(films)
    yield f"<h3>Films a month</h3><figure>{volume}</figure>" if volume else ""
    bases = count_bases(films).pivot(on="calibration_basis", index=SITE_COLUMN, values="films").fill_null(0)
    yield "<h3>Where the scale comes from</h3>"
    yield _table(
        [name.replace("_", " ") for name in bases.columns],
        [[_text(cell) for cell in row] for row in bases.sort(SITE_COLUMN).iter_rows()],
        numbers=range(1, len(bases.columns)),
    )


def _percent(part: Shares | None, group: Any) -> str:
    if part is None or group not in part.groups:
        return ""
    place = part.groups.index(group)
    of, share = part.of[place], part.shares[place]
    if not of:
        return ""
    text = f"{100 * share:.1f}"
    if of < MIN_OF:
        return text
    low, high = part.limits(part.of[place : place + 1], CHANCE)
    odd = share > high[0] + 0.005 or (part.either_way and share < low[0] - 0.005)
    return f"<span class=high>{text}</span>" if odd else text


def _funnels(comparison: Comparison) -> Iterator[str]:
    marked = _marked(comparison)
    keys = {key for key, _ in marked}
    parts: dict[str, Shares] = {}
    for part in comparison.shares:
        # devices where a finding is about one of them, else sites
        judged = part.hits[part.of >= MIN_OF].any()
        if judged and (part.by == SITE_COLUMN or any((part.key, group) in marked for group in part.groups)):
            parts[part.key] = part
    ordered = sorted(parts.values(), key=lambda part: part.key not in keys)[:MOST_FUNNELS]
    if ordered:
        yield "<h2>Shares and what chance allows</h2>"
        yield f"<figure>{draw_funnels(ordered, marked)}</figure>"
        yield "<p class=note>Each dot is a site or a device; the band is what chance allows for as many films.</p>"


def _marked(comparison: Comparison) -> set[tuple[str, str]]:
    """Indicator and group of every finding on a share: the site where it is about one, else its devices."""
    sites = set(comparison.census.films[SITE_COLUMN].unique().to_list())
    return {
        (finding.about, group)
        for finding in comparison.findings
        if finding.kind == "share"
        for group in ([finding.subject] if finding.subject in sites else finding.places)
    }


def _measures(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Values for the same age and sex</h2>"
    if not comparison.effects:
        yield "<p>Nothing could be compared.</p>"
        return
    if SIZE in comparison.effects:
        wrong = {place for item in comparison.findings if item.kind == "scale" for place in item.places}
        yield "<h3>Lengths: does the scale agree?</h3>"
        yield f"<figure>{draw_sizes(comparison.effects[SIZE], comparison.layout, wrong)}</figure>"
    yield "<h3>All measures</h3>"
    shown = {name: effect for name, effect in comparison.effects.items() if name != SIZE}
    if shown:
        yield f"<figure>{draw_shifts(shown, comparison.layout)}</figure>"
        yield f"<details><summary>Medians and robust spreads</summary>{_medians(comparison, shown)}</details>"


def _medians(comparison: Comparison, effects: Mapping[str, Effects]) -> str:
    """Median and robust spread of each measure at each place, with the number of films; ages and sexes mixed."""
    units = dict(zip(comparison.census.measures, comparison.census.units, strict=True))
    head = ["", *effects]
    rows = [
        [_text(place), *(_located(effect, row, units[name]) for name, effect in effects.items())]
        for row, place in enumerate(comparison.layout.places.labels)
    ]
    return _table(head, rows, numbers=range(1, len(head)))


def _located(effect: Effects, row: int, unit: str) -> str:
    if effect.counts[row] < MIN_OF:
        return ""
    return f"{effect.medians[row]:.1f} ± {effect.spreads[row]:.1f} {_text(unit)} ({effect.counts[row]})"


def _reviews(comparison: Comparison) -> Iterator[str]:
    if not comparison.habits:
        return
    marked = {
        (finding.subject.partition(" at ")[2], finding.about)
        for finding in comparison.findings
        if finding.kind == "correction"
    }
    yield "<h2>How reviewers move landmarks</h2>"
    figure = draw_vectors(comparison.census, marked)
    if figure:
        yield f"<figure>{figure}</figure>"
        yield "<p class=note>One arrow per site: the mean of its corrections. The circle is 1 mm; forward is right.</p>"
    rates = [part for part in comparison.shares if part.key.startswith("correction:")]
    if rates:
        sites = rates[0].groups
        head = ["corrected, % of reviewed films", *(part.key.partition(":")[2] for part in rates)]
        rows = [[_text(site), *(_percent(part, site) for part in rates)] for site in sites]
        yield _table(head, rows, numbers=range(1, len(head)))
    moved = mean_vectors(comparison.census).sort("landmark", SITE_COLUMN)
    if len(moved):
        rows = [
            [_text(site), _text(mark), f"{n:,}", *(f"{value:+.2f}" for value in vector)]
            for site, mark, *vector, n in moved.iter_rows()
        ]
        table = _table((SITE_COLUMN, "landmark", "corrected", "forward, mm", "down, mm"), rows, numbers=(2, 3, 4))
        yield f"<details><summary>Mean correction of each landmark</summary>{table}</details>"


def _norms(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Norm sets in use</h2>"
    rows = [
        [_text(site), _text(", ".join(sets.splitlines())), f"{films:,}", _text(first), _text(last)]
        for site, sets, films, first, last in count_norms(comparison.census).iter_rows()
    ]
    yield _table(("site", "norm sets", "films", "from", "to"), rows, numbers=(2,))


def _policies(comparison: Comparison) -> Iterator[str]:
    rules = [part for part in comparison.shares if part.key.startswith("policy:")]
    if not rules:
        return
    yield "<h2>Policy rules that fail</h2>"
    groups = sorted({group for part in rules for group in part.groups})
    head = ["% of films", *(part.key.partition(":")[2] for part in rules)]
    rows = [[_text(group), *(_percent(part, group) for part in rules)] for group in groups]
    yield _table(head, rows, numbers=range(1, len(head)))


def _notes(comparison: Comparison) -> Iterator[str]:
    if comparison.notes:
        yield "<h2>What was not compared</h2><ul>"
        yield "".join(f"<li>{_text(note)}</li>" for note in comparison.notes) + "</ul>"
    yield "<h2>How it was compared</h2>" + "".join(f"<p class=note>{_text(said)}</p>" for said in METHOD)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> str:
    """A table of cells that are HTML already; the columns `numbers` are aligned to the right."""
    right = set(numbers)

    def line(tag: str, cells: Sequence[str]) -> str:
        marks = (" class=number" if place in right else "" for place in range(len(cells)))
        return "".join(f"<{tag}{mark}>{cell}</{tag}>" for mark, cell in zip(marks, cells, strict=True))

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    top = line("th", [_text(cell) for cell in head])
    return f"<div class=wide><table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def _month(day: object) -> str:
    return _text(day)[:7]


def _text(value: object) -> str:
    return html.escape("" if value is None else str(value))
