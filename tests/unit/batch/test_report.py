from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from batch_values import failure

from cephstd.batch.outcomes import STATUSES, Summary
from cephstd.batch.report import REPORT, render_report, write_report
from cephstd.batch.results import Results
from cephstd.batch.tables import write_stale_tables
from cephstd.pipeline.analyzer import Analyzer

NOW = "2025-04-16T09:30:00Z"
EVIL = "<script>alert('x')</script>"


@pytest.fixture
def out(tmp_path, archive, models, recipe, clock):
    folder = tmp_path / "out"
    results = Results(folder)
    record = Analyzer(recipe, models=models, threads=1)(archive / "north" / "film0.png", created=clock()).record
    results.append(record, site=EVIL, date="", attributes="")
    results.register.fail(failure(site=EVIL, message=EVIL))
    results.commit()
    write_stale_tables(folder, results.register)
    results.close()
    return folder


@pytest.fixture
def summary():
    counts = {**dict.fromkeys(STATUSES, 0), "done": 1, "failed": 1}
    sites = {EVIL: {"done": 1, "failed": 1}}
    return Summary(films=2, counts=counts, sites=sites, seconds=2.0, recovered=0, duplicates=(("a", "b"),), records=1)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attributes}


def test_report_says_the_counts_and_escapes_every_text(out, summary):
    text = render_report(out, summary, created=NOW)
    tags = Tags()
    tags.feed(text)
    assert "script" not in tags.names
    assert text.count("&lt;script&gt;") >= 5
    plain = re.sub("<[^>]+>", " ", text)
    for said in ("Batch of 2 films", "0.50 new records a second", "corrupt_image", "user_stated", "a, b"):
        assert said in plain


def test_report_needs_no_network_and_names_no_path(out, summary, archive):
    write_report(out, summary, created=NOW)
    text = (out / REPORT).read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.attributes & {"src", "href", "onload"} == set()
    assert "http" not in text
    assert str(archive) not in text


def test_empty_folder_has_a_report_too(tmp_path, summary):
    Results(tmp_path / "new").close()
    assert "None." in render_report(tmp_path / "new", summary, created=NOW)
