"""Tables of a report: numbers as they are worth showing, absences with reasons, nothing compared that was not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from report_records import changed, doubtful, released

from cephstd.core.interpretation import Interpretation, NormComparison, RuleOutcome
from cephstd.errors import UnknownAnalysisError
from cephstd.export.report_tables import absence_facts, class_rows, key_rows, number, sheet_rows


def compared(**fields: object) -> NormComparison:
    return NormComparison(measure="SNA", set="own", **{"entry": "SNA", "value": 80.0, **fields})  # type: ignore[arg-type]


def with_norms(*comparisons: NormComparison, outcomes: tuple[RuleOutcome, ...] = ()):
    said = Interpretation(comparisons=comparisons, outcomes=outcomes)
    return changed(released("model"), interpretation=said).content


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "text"),
    [(-0.04, 1, False, "0.0"), (-1.25, 1, False, "−1.2"), (1.0, 1, True, "+1.0"), (0.0, 1, True, "0.0")],
)
def test_numbers_have_a_real_minus_and_no_negative_zero(value, decimals, signed, text):
    assert number(value, decimals, signed=signed) == text


def test_a_sheet_shows_values_and_says_why_the_others_are_absent():
    content = released("model").content
    (sheet,) = sheet_rows(content, ["steiner"])
    sna = next(row for row in sheet["rows"] if row["id"] == "SNA")
    measure = next(measure for measure in content.measures if measure.id == "SNA")
    assert (sna["value"], sna["unit"], sna["sd"]) == (f"{measure.value:.1f}", "°", f"{measure.sd:.1f}")
    absent = {name: item["reason"] for item in sheet["absent"] for name in item["names"]}
    assert absent["SND"] == "missing: D"
    assert len(sheet["rows"]) + len([name for item in sheet["absent"] for name in item["names"]]) == sheet["total"]


def test_all_measures_come_by_analysis_and_none_is_lost():
    content = released("model").content
    sheets = sheet_rows(content)
    shown = {row["id"] for sheet in sheets for row in sheet["rows"]}
    assert shown == {measure.id for measure in content.measures if measure.is_present}
    assert all(sheet["rows"] for sheet in sheets)


def test_a_record_of_one_analysis_has_one_sheet():
    content = released("without_scale_or_model").content
    assert [sheet["name"] for sheet in sheet_rows(content)] == ["Steiner"]


def test_unknown_sheet_is_refused():
    with pytest.raises(UnknownAnalysisError, match="stainer"):
        sheet_rows(released("model").content, ["stainer"])


@pytest.mark.parametrize(
    ("comparison", "reference", "deviation", "place"),
    [
        (compared(kind="mean_sd", reference=82.0, spread=4.0, difference=-2.0, z=-0.5), "82.0 ± 4.0", "z = −0.5", -0.5),
        (
            compared(kind="clinical_deviation", reference=90.0, spread=2.0, difference=-10.0, clinical_deviations=-5.0),
            "90.0 ± 2.0",
            "−5.0 CD",
            -3.0,
        ),
        (compared(kind="author_ideal", reference=82.0, difference=-2.0), "82.0", "−2.0°", None),
        (compared(kind="range", low=70.0, high=90.0, position="within"), "70.0 to 90.0", "within", 0.0),
    ],
)
def test_each_kind_of_norm_is_shown_as_what_it_is(comparison, reference, deviation, place):
    (sheet,) = sheet_rows(with_norms(comparison), ["steiner"])
    (norm,) = next(row for row in sheet["rows"] if row["id"] == "SNA")["norms"]
    assert (norm["reference"], norm["deviation"], norm["place"]) == (reference, deviation, place)
    assert norm["beyond"] is (place == -3.0)


def test_what_was_not_compared_is_absent_with_its_reason():
    content = with_norms(compared(value=None, reason="the norm depends on age, which is not stated"))
    (sheet,) = sheet_rows(content, ["steiner"])
    assert next(row for row in sheet["rows"] if row["id"] == "SNA")["norms"] == []
    reason = "the norm depends on age, which is not stated"
    assert absence_facts(content)["comparisons"] == [{"reason": reason, "names": ["SNA (own)"]}]


def test_a_probability_is_never_certainty():
    rule = RuleOutcome(rule="r.a", version="1", measure="ANB", value=4.6, sd=1.0, label="Class II", probability=1.0)
    rows = class_rows(
        with_norms(outcomes=(rule, replace(rule, probability=None), replace(rule, label=None, reason="gap")))
    )
    assert [row["percent"] for row in rows] == ["> 99 %", "unknown"]


def test_absent_rejected_and_provisional_points_are_told_apart():
    facts = absence_facts(doubtful().content)
    assert facts["points"] == [
        {"reason": "low_confidence", "names": ["Or", "Po"]},
        {"reason": "rejected by a person: on the wrong side", "names": ["Pog"]},
    ]
    assert [item["names"] for item in facts["provisional"]] == [["Go", "Pog'"]]


def test_provisional_values_are_marked_in_every_table():
    content = doubtful().content
    rows = [row for sheet in sheet_rows(content) for row in sheet["rows"]]
    marked = {row["id"] for row in [*rows, *key_rows(content)] if row["provisional"]}
    assert marked >= {measure.id for measure in content.measures if measure.provisional}
    assert marked
