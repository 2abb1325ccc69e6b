from __future__ import annotations

import json

import msgspec
import pytest

from cephstd.batch.comparison import FLIPS, SUMMARY, read_changes, summarize_changes, write_changes
from cephstd.batch.reanalysis import CHANGES, FilmChanges
from cephstd.pipeline.changes import Attribution, Flip
from cephstd.pipeline.reanalyzer import Shift


def film(id: str, device: str, change: float, **parts: float) -> FilmChanges:
    value = Attribution(measure="SNA", unit="deg", before=80.0, after=80.0 + change, parts=parts, cause="model")
    shift = Shift(landmark="S", x_px=change, y_px=0.0, x_mm=None, y_mm=None)
    flip = Flip(
        rule="skeletal.class",
        measure="ANB",
        before="Class I",
        after="Class II",
        before_value=3.9,
        after_value=4.2,
        probability=0.6,
        cause="model",
    )
    return FilmChanges(
        image_id=id,
        site="north",
        device=device,
        previous=None,
        attributions=(value,),
        flips=(flip,) if change > 1 else (),
        shifts=(shift,),
        notes=("a note",),
    )


FILMS = [
    film("a", "X", 1.0, model=1.0),
    film("b", "X", 3.0, model=2.0, calibration=1.0),
    film("c", "Y", -1.0, model=-1.0),
]


def test_bias_and_spread_by_device_and_for_all():
    summary, flips = summarize_changes(FILMS)
    rows = {row["device"]: row for row in summary["measures"]}
    assert (rows["X"]["n"], rows["X"]["bias"], rows["X"]["spread"]) == (2, 2.0, pytest.approx(2**0.5))
    assert (rows["Y"]["n"], rows["Y"]["bias"], rows["Y"]["spread"]) == (1, -1.0, None)
    assert (rows["all"]["n"], rows["all"]["bias"]) == (3, 1.0)
    assert (rows["X"]["model"], rows["X"]["calibration"], rows["X"]["norms"]) == (1.5, 0.5, 0.0)
    landmarks = {row["device"]: row for row in summary["landmarks"]}
    assert (landmarks["all"]["bias_x_px"], landmarks["all"]["bias_x_mm"]) == (1.0, None)
    assert summary["causes"] == {"model": 3}
    assert summary["notes"] == {"a note": 3}
    assert flips["image_id"].to_list() == ["b"]


def test_angle_goes_the_short_way_round():
    turned = msgspec.structs.replace(
        FILMS[0],
        attributions=(Attribution(measure="SNA", unit="deg", before=179.0, after=-179.0, parts={}, cause="model"),),
    )
    summary, _ = summarize_changes([turned])
    assert summary["measures"][0]["bias"] == pytest.approx(2.0)


def test_value_that_came_or_went_is_counted_and_has_no_bias():
    gone = msgspec.structs.replace(
        FILMS[0],
        attributions=(Attribution(measure="SNA", unit="deg", before=80.0, after=None, parts={}, cause="calibration"),),
    )
    row = summarize_changes([gone])[0]["measures"][0]
    assert (row["n"], row["bias"], row["came"], row["went"]) == (0, None, 0, 1)


def test_summary_is_written_as_strict_json(tmp_path):
    (tmp_path / CHANGES).mkdir()
    assert write_changes(tmp_path)["films"] == 0
    for item in FILMS:
        (tmp_path / CHANGES / f"{item.image_id}.json").write_bytes(msgspec.json.encode(item))
    assert list(read_changes(tmp_path)) == FILMS
    summary = write_changes(tmp_path)
    assert json.loads((tmp_path / SUMMARY).read_bytes()) == summary
    assert (tmp_path / FLIPS).read_text().splitlines()[1].startswith("b,skeletal.class,ANB,Class I,Class II,3.9,4.2")
