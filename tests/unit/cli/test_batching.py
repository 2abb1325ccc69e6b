from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cephstd.cli.batching import needing_extra
from cephstd.errors import MissingExtraError

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import encode

TRUST = """schema = "cephstd.trust/1"
[[keys]]
name = "clinic"
public_key = "{public}"
uses = ["records"]
valid_from = 2025-01-01T00:00:00Z
"""
COMMAND = ("batch", "films", "--recipe", "recipe.toml", "--models", "models", "--out", "run", "--workers", "1")


def test_batch_tells_each_film_and_leaves_records_tables_and_report(cephstd, place):
    done = cephstd(*COMMAND, "--site-from", "folder")
    assert done.code == 0, done.err
    assert [line["status"] for line in done.lines] == ["done"] * 4
    assert {line["site"] for line in done.lines} == {"north", "south"}
    assert "films/" not in done.out
    assert done.err.count("Not a medical device") == 1
    assert "4 records, tables and report.html in run" in done.err
    assert "<h1>Batch of 4 films</h1>" in (place / "run" / "report.html").read_text()
    again = cephstd(*COMMAND, "--site-from", "folder", "--quiet")
    assert [line["status"] for line in again.lines] == ["kept"] * 4
    assert again.err == ""


def test_record_of_a_batch_stands_wherever_a_record_does(cephstd, place):
    digests = [line["record_digest"] for line in cephstd(*COMMAND, "-q").lines]
    listed = cephstd("records", "ls", "run").lines
    assert [row["record_digest"] for row in listed] == digests
    assert cephstd("verify", f"run#{digests[0]}").json["record_digest"] == digests[0]
    assert cephstd("verify", f"run#{listed[1]['image_id']}").json["record_digest"] == digests[1]
    assert cephstd("diff", f"run#{digests[0]}", f"run#{digests[1]}").json["records"] == digests[:2]
    assert cephstd("verify", "run#0000000000").code == 3
    assert cephstd("records", "ls", "films").code == 3


def test_record_is_given_byte_for_byte(place, cephstd):
    digest = cephstd(*COMMAND, "-q").lines[2]["record_digest"]
    lines = (place / "run" / "records" / "00001.jsonl").read_text().splitlines()
    assert cephstd("records", "get", "run", digest).out == lines[2]


def test_reviewed_and_signed_records_come_back(cephstd, place):
    id = cephstd(*COMMAND, "-q").lines[0]["image_id"]
    (place / "film.record.json").write_bytes(cephstd("records", "get", "run", id).out.encode())
    (place / "pass.txt").write_text("a long passphrase\n")
    secret = ("--passphrase-file", "pass.txt")
    said = ("--reviewer", "17", "--name", "A. Reader", "--role", "orthodontist", "--meaning", "review")
    assert cephstd("review", "film.record.json", "--accept", *said, "--out", "film-2.record.json").code == 0
    public = cephstd("keygen", "clinic.key", *secret).json["public_key"]
    assert cephstd("sign", "film-2.record.json", "--key", "clinic.key", *secret).code == 0
    added = cephstd("records", "add", "run", "film-2.record.json")
    assert (added.code, [line["status"] for line in added.lines]) == (0, ["done"])
    (place / "trust.toml").write_text(TRUST.format(public=public))
    shown = cephstd("verify", f"run#{id}", "--trust", "trust.toml").json
    assert [signer["name"] for signer in shown["signers"]] == ["clinic"]
    (signed,) = (place / "run" / "signatures").iterdir()
    assert signed.read_bytes() == (place / "film-2.signatures.json").read_bytes()
    assert cephstd("records", "add", "run", "film.record.json").lines[0]["status"] == "kept"


def test_dry_run_writes_nothing(cephstd, place):
    (place / "sites.toml").write_text("[sites.north]\nmm_per_px = 0.2\n[sites.nowhere]\n")
    told = cephstd(*COMMAND, "--site-from", "folder", "--site-config", "sites.toml", "--dry-run")
    assert told.code == 0
    assert (told.json["films"], told.json["skipped"]) == (4, 0)
    north, south = (told.json["sites"][site] for site in ("north", "south"))
    assert (north["films"], north["done_before"]) == (2, 0)
    assert north["recipe"] != south["recipe"]
    assert "nowhere" in told.err
    assert not (place / "run").exists()


def test_refused_is_not_failed(cephstd, place):
    colour = np.zeros((40, 40, 3), np.uint8)
    colour[:, :20, 2] = 200
    (place / "films" / "photo.png").write_bytes(encode(".png", colour))
    done = cephstd(*COMMAND, "-q")
    assert (done.code, {line["status"] for line in done.lines}) == (0, {"done", "refused"})
    assert cephstd(*COMMAND, "-q", "--strict").code == 1
    (place / "films" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    failed = cephstd(*COMMAND, "-q")
    assert failed.code == 1
    (line,) = [line for line in failed.lines if line["status"] == "failed"]
    assert (line["code"], line["record_digest"]) == ("corrupt_image", "")
    assert json.dumps(line).find("cut.png") < 0


def test_missing_library_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"cephstd\[batch\]"), needing_extra():
        raise ModuleNotFoundError("No module named 'polars'", name="polars")
