"""What a report says in words: standing, scale, trail, model."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from report_records import changed, doubtful, released

import cephstd as cs
from cephstd.export.report_facts import (
    calibration_rows,
    is_provisional,
    model_facts,
    quality_facts,
    standing_row,
    subject_rows,
    summary_rows,
    trail_facts,
)

READER = {
    "reviewer": "17",
    "name": "A. Reader",
    "role": "orthodontist",
    "meaning": "review",
    "at": "2026-02-01T00:00:00Z",
}


def said(rows, label):
    return next(row["value"] for row in rows if row["label"] == label)


@pytest.fixture(scope="module")
def amended() -> cs.Record:
    return cs.amend(changed(released("model")), {"N": (900, 700)}, reason="unsharp", **READER)


def test_standing_follows_the_review(amended):
    first = changed(released("model"))
    cases = {
        "nobody has reviewed": first,
        "no person has accepted": amended,
        "amended and accepted by A. Reader (orthodontist)": cs.review(amended, "accept", **READER),
        "rejected by A. Reader (orthodontist), 2026-02-01T00:00:00Z: blurred": cs.review(
            first, "reject", reason="blurred", **READER
        ),
    }
    for words, record in cases.items():
        assert words in standing_row(record.content)["value"]


def test_trail_tells_old_and_new_place_and_how_far(amended):
    (event,) = trail_facts(amended.content)
    (change,) = event["changes"]
    before = next(mark for mark in released("model").content.landmarks if mark.id == "N")
    assert change["point"] == "N"
    assert f"({before.x_px:.1f}, {before.y_px:.1f})" in change["before"]
    assert "(900.0, 700.0) px, moved" in change["after"]
    far = ((900 - before.x_px) ** 2 + (700 - before.y_px) ** 2) ** 0.5 * 0.15
    assert change["shift"] == f"moved {far:.1f} mm"
    assert (event["reason"], event["meaning"]) == ("unsharp", "review")


def test_a_film_without_scale_says_what_follows():
    content = released("without_scale_or_model").content
    rows = calibration_rows(content.calibration)
    assert said(rows, "Scale") == "none"
    assert "No length in millimetres" in said(rows, "Consequence")
    assert "absent" in said(summary_rows(released("without_scale_or_model")), "Scale")


def test_a_scale_has_its_basis_and_uncertainty():
    content = released("model").content
    assert said(calibration_rows(content.calibration), "Scale") == "0.15 mm per pixel, ± 1 % (fiducial)"
    exact = calibration_rows(replace(content.calibration, relative_sd=0.0))
    assert "not stated" in said(exact, "Uncertainty")


def test_provisional_values_are_counted_on_the_first_page():
    record = doubtful()
    present = [measure for measure in record.content.measures if measure.is_present]
    unsure = sum(measure.provisional for measure in present)
    assert said(summary_rows(record), "Provisional").startswith(f"{unsure} of {len(present)} values")
    assert is_provisional(record.content)
    assert not is_provisional(released("model").content)


def test_nothing_is_said_of_a_person_that_the_record_lacks():
    rows = subject_rows(released("without_scale_or_model"))
    assert said(rows, "Subject") == "no pseudonym was given"
    assert said(rows, "Age, sex") == "not stated, not stated"


def test_the_card_of_the_model_is_quoted_only_for_the_same_weights():
    model = released("model").content.model
    assert "not at hand" in said(model_facts(replace(model, weights_sha256="sha256:" + "0" * 64))["rows"], "Card")
    from cephstd.inference.catalog import load_catalog

    entry = load_catalog().entries[0]
    facts = model_facts(replace(model, weights_sha256=entry.sha256))
    assert said(facts["rows"], "Trained on") == entry.trained_on
    assert len(facts["limits"]) > 2
    assert not any("`" in limit or "*" in limit for limit in facts["limits"])
    assert model_facts(None) is None


def test_a_finding_that_is_not_acceptable_is_shown_so():
    facts = quality_facts(released("without_scale_or_model").content.normalized.quality, None)
    sharp = next(finding for finding in facts["findings"] if finding["name"] == "sharpness")
    assert (sharp["ok"], sharp["note"]) == (False, "Outlines are blurred.")
