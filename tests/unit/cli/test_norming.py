from __future__ import annotations

from typing import Any

import pytest
import typer

from cephstd.cli.analysis import name_sets, read_sex
from cephstd.cli.norming import show_interpretation
from cephstd.core.measures import Measure
from cephstd.interpretation.interpreter import interpret


def test_norms_lists_sets_with_their_populations(cephstd: Any) -> None:
    listed = {item["id"]: item for item in cephstd("norms").json}
    assert listed["downs"]["population"].startswith("n=20")
    assert listed["downs"]["checked_by"] == ""
    assert listed["ioi_2007"]["entries"] == 0


def test_one_set_is_shown_whole(cephstd: Any) -> None:
    shown = cephstd("norms", "steiner").json
    assert shown["sha256"].startswith("sha256:")
    assert {entry["kind"] for entry in shown["entry"]} == {"author_ideal"}
    assert cephstd("norms", "stiener").code == 5


def test_choices_on_the_command_line() -> None:
    assert (name_sets(None), name_sets([]), name_sets(["none"])) == (None, None, ())
    assert name_sets(["eastman", "downs"]) == ("eastman", "downs")
    assert (read_sex(None), read_sex("F")) == (None, "F")
    with pytest.raises(typer.BadParameter):
        read_sex("female")


def test_interpretation_is_shown_with_its_doubts(capsys: pytest.CaptureFixture[str]) -> None:
    anb = Measure(id="ANB", definition_version=1, unit="deg", value=6.0, sd=1.0)
    apdi = Measure(id="APDI", definition_version=1, unit="deg", value=86.0)
    show_interpretation(interpret([anb, apdi], ["eastman", "ricketts", "jarabak"]))
    said = capsys.readouterr().err
    assert "z +1.50" in said
    assert "Class II" in said
    assert "0.98" in said
    assert "Unverified norms: eastman, ricketts, jarabak" in said
    assert "finding: Indicators of the sagittal jaw relation contradict each other" in said
