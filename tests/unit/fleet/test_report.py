from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import polars as pl
import pytest
from simulated_fleet import write_fleet

from cephstd.fleet.census import read_census
from cephstd.fleet.comparison import compare_sites
from cephstd.fleet.facts import list_facts
from cephstd.fleet.figures import draw_volume
from cephstd.fleet.report import render_report
from cephstd.fleet.timelines import follow

NOW = "2026-01-31T10:00:00Z"
EVIL = "<script>alert('$x$')</script>&"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href", "onload")]


@pytest.fixture(scope="module")
def report(comparison):
    return render_report(comparison, created=NOW)


def read_tags(text):
    tags = Tags()
    tags.feed(text)
    return tags


def test_report_says_every_finding_with_advice(report, comparison):
    plain = html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", report)))
    for finding in comparison.findings:
        assert finding.sentence in plain
        assert finding.advice in plain
    assert f"{len(comparison.census.films):,}" in plain


def test_report_loads_nothing(report):
    tags = read_tags(report)
    # within the file: marks of the figures, and pictures that are in it
    assert [one for one in tags.addresses if not one.startswith(("#", "data:image/png;base64,"))] == []
    assert tags.names & {"script", "link", "iframe", "img", "object"} == set()
    assert "default-src 'none'" in report
    assert "url(http" not in report


def test_every_text_is_escaped(comparison):
    named = pl.col("site").replace({"Elm": EVIL})
    films = comparison.census.films.with_columns(
        site=named, place=pl.col("place").str.replace("Elm", EVIL, literal=True), norm_sets=pl.lit(EVIL)
    )
    text = render_report(compare_sites(dataclasses.replace(comparison.census, films=films)), created=NOW)
    assert "script" not in read_tags(text).names
    assert "&lt;script&gt;" in text


def test_the_same_comparison_gives_the_same_bytes(report, comparison):
    assert render_report(comparison, created=NOW) == report


def test_series_behind_a_dated_finding_changes_on_its_day(comparison):
    found = {item.kind: item for item in comparison.findings}
    timeline = follow(comparison, found["correction"])
    after = timeline.days >= timeline.days.dtype.type(found["correction"].since)
    assert timeline.series[after].mean() - timeline.series[~after].mean() > 1.0
    assert follow(comparison, found["norms"]) is None


def test_volume_without_dates_is_no_figure(comparison):
    films = comparison.census.films.with_columns(day=pl.lit(None, pl.Date))
    assert draw_volume(films) == ""


def test_a_fleet_that_cannot_be_compared_says_so(tmp_path):
    write_fleet(tmp_path, seed=0, faulty=False, films=5)
    comparison = compare_sites(read_census(tmp_path))
    assert comparison.findings == ()
    text = render_report(comparison, created=NOW)
    assert "Nothing could be compared" in text
    assert "No site, device or reviewer differs" in text


def test_facts_are_plain_json_with_every_part(comparison):
    facts = json.loads(json.dumps(list_facts(comparison), allow_nan=False))
    assert facts["schema"] == "cephstd.fleet/1"
    assert [one["rank"] for one in facts["findings"]] == [1, 2, 3, 4, 5]
    assert sum(row["films"] for row in facts["places"]) == facts["films"] == sum(row["films"] for row in facts["bases"])
    row = next(row for row in facts["measures"] if row["measure"] == "SNA")
    assert row["unit"] == "deg"
    assert row["median"] == pytest.approx(82.0, abs=1.5)
    assert all(row["low"] <= row["expected"] <= row["high"] for row in facts["shares"] if row["of"])


@pytest.mark.servers
def test_a_browser_opens_the_report(report, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs Debian's chromium")
    page, picture = tmp_path / "fleet.html", tmp_path / "fleet.png"
    page.write_text(report, encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1200,2000"]
    done = subprocess.run(
        [browser, *arguments, f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", page.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert picture.stat().st_size > 50_000
    assert "Refused to" not in done.stderr  # nothing that the page's own policy forbids
