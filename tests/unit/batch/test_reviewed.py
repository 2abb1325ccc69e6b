from __future__ import annotations

import msgspec
import polars as pl
import pytest

from cephstd.audit.keys import load_signer, make_key
from cephstd.audit.signer import sign
from cephstd.batch.planner import plan_batch
from cephstd.batch.results import get_record, list_records
from cephstd.batch.reviewed import Reviewed, add_reviewed
from cephstd.batch.runner import run_batch
from cephstd.core.record import decode_record
from cephstd.errors import InputError
from cephstd.pipeline.reviewer import amend, review

SAID = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review"}
REVIEWED, SIGNED = "2025-05-01T00:00:00Z", "2025-05-02T00:00:00Z"


@pytest.fixture
def run(archive, tmp_path, models, clock, recipe):
    def run(**changes):
        changed = msgspec.structs.replace(recipe, **changes)
        plan = plan_batch([archive / "north"], recipe=changed, site_from="one")
        return run_batch(plan, tmp_path / "out", clock=clock, models=models, workers=1).counts

    run()
    return run


@pytest.fixture
def signer(tmp_path):
    make_key(tmp_path / "clinic.key", b"a long passphrase")
    return load_signer(tmp_path / "clinic.key", b"a long passphrase")


def add(out, *given):
    told: list = []
    add_reviewed(
        out, [Reviewed(record=record.to_bytes(), signatures=signed) for record, signed in given], tell=told.append
    )
    return [outcome.status for outcome in told], [outcome.message for outcome in told if outcome.message]


def films(out):
    found = pl.scan_parquet(out / "tables" / "films" / "**" / "*.parquet", hive_partitioning=True).collect()
    return {row["image_id"]: row for row in found.iter_rows(named=True)}


def test_decisions_and_signatures_come_back(run, tmp_path, signer):
    out = tmp_path / "out"
    id, other, _ = (place.image_id for place in list_records(out))
    first = decode_record(get_record(out, id))
    moved = amend(first, {"S": (20.0, 21.0)}, reason="on the floor", at=REVIEWED, **SAID)
    accepted = review(moved, "accept", at=REVIEWED, **SAID)
    signed = sign(accepted, [signer], at=SIGNED).to_bytes()
    assert add(out, (moved, b""), (accepted, signed)) == (["done", "done"], [])
    assert decode_record(get_record(out, id)).record_digest == accepted.record_digest
    row = films(out)[id]
    assert (row["review"], row["reviewer"], row["signed_at"]) == ("accepted", "17", SIGNED)
    assert (films(out)[other]["review"], films(out)[other]["signed_at"]) == (None, None)
    assert add(out, (accepted, signed)) == (["kept"], [])
    machine = decode_record(get_record(out, other))
    assert add(out, (machine, sign(machine, [signer], at=SIGNED).to_bytes())) == (["done"], [])
    assert films(out)[other]["signed_at"] == SIGNED
    assert run()["kept"] == 3
    assert films(out)[id]["review"] == "accepted"


def test_what_succeeds_nothing_here_is_not_taken(run, tmp_path, signer):
    out = tmp_path / "out"
    first, second = (decode_record(get_record(out, place.image_id)) for place in list(list_records(out))[:2])
    accepted, rival = (review(first, "accept", at=at, **SAID) for at in (REVIEWED, SIGNED))
    add(out, (accepted, b""))
    statuses, (said,) = add(out, (rival, b""))
    assert (statuses, "current record" in said) == (["failed"], True)
    mine = review(second, "accept", at=REVIEWED, **SAID)
    statuses, (said,) = add(out, (mine, sign(accepted, [signer], at=SIGNED).to_bytes()))
    assert (statuses, "another record" in said) == (["failed"], True)
    with pytest.raises(InputError):
        add(tmp_path, (accepted, b""))


def test_points_that_people_set_outlive_another_recipe(run, tmp_path):
    out = tmp_path / "out"
    place = next(iter(list_records(out)))
    first = decode_record(get_record(out, place.image_id))
    add(out, (amend(first, {"S": (20.0, 21.0)}, reason="on the floor", at="2025-04-16T09:30:00Z", **SAID), b""))
    for changes in ({"mm_per_px": 0.25}, {"analysis": "wits"}):
        assert run(**changes)["done"] == 3
        content = decode_record(get_record(out, place.image_id)).content
        mark = next(mark for mark in content.landmarks if mark.id == "S")
        assert (mark.x_px, mark.y_px, mark.state) == (20.0, 21.0, "moved")
        assert (content.trail, len(content.earlier_reviews)) == ((), 1)
    assert run()["kept"] == 3
    assert decode_record(get_record(out, place.image_id)).content.trail  # the former recipe's reviewed record again
