from __future__ import annotations

import json

import pytest

from cephstd.cli.rendering import (
    MISSING_POINTS,
    error_facts,
    exit_code_of,
    group_absences,
    show,
    show_measures,
    write_json,
)
from cephstd.core.measures import Measure, MeasureSet
from cephstd.errors import UnknownModelError

VALUES = MeasureSet(
    analysis="own",
    measures=(
        Measure(id="SNA", definition_version=1, unit="deg", value=81.26, sd=0.84, decimals=1),
        Measure(id="L1_MP", definition_version=1, unit="deg", value=93.0, provisional=True),
        Measure(id="Wits", definition_version=1, unit="mm", reason="not calibrated"),
        Measure(id="S_N", definition_version=1, unit="mm", reason="not calibrated"),
        Measure(id="Y", definition_version=1, unit="deg", reason="missing: Po"),
    ),
)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def test_table_shows_values_and_groups_absences_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    show_measures(VALUES)
    captured = capsys.readouterr()
    assert captured.out == ""
    shown = rows(captured.err)
    assert ["SNA", "81.3", "0.8", "deg"] in shown
    assert ["L1_MP", "93.0", "deg", "provisional"] in shown
    assert ["not", "calibrated", "2", "Wits,", "S_N"] in shown
    assert ["missing:", "Po", "1", "Y"] in shown


def test_many_reasons_become_few() -> None:
    marks = [Measure(id=f"m{n}", definition_version=1, unit="deg", reason=f"missing: P{n}") for n in range(20)]
    values = MeasureSet(analysis="own", measures=(*VALUES.measures, *marks))
    grouped = group_absences(values)
    assert list(grouped) == ["not calibrated", MISSING_POINTS]
    assert grouped[MISSING_POINTS] == ["Y", *(f"m{n}" for n in range(20))]


def test_errors_as_data() -> None:
    facts = error_facts(UnknownModelError("No such model.", hint="See the list."))
    assert facts == {"code": "unknown_model", "message": "No such model.", "hint": "See the list."}
    assert exit_code_of(UnknownModelError("")) == 4
    assert error_facts(KeyError("x"))["code"] == "internal"
    assert exit_code_of(KeyError("x")) == 70


def test_json_refuses_what_json_has_no_form_for(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"sd": "± 1"})
    assert json.loads(capsys.readouterr().out) == {"sd": "± 1"}
    with pytest.raises(ValueError, match="JSON"):
        write_json(float("nan"))


def test_lookups_are_json_in_a_pipe_and_a_view_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show([1], lambda console: console.print("seen"))
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [1]
    assert captured.err == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show([1], lambda console: console.print("seen"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "seen\n"
