"""Rules that ship cover every value or say where they do not; their ends are closed as their sources say."""

from __future__ import annotations

import pytest

from cephstd.errors import DefinitionError
from cephstd.knowledge.loader import MAX_FILE_BYTES
from cephstd.knowledge.rules import load_rule_sets, load_rules

OWN = """
id = "clinic"
version = "1.0.0"
name = "Clinic"
[[rule]]
id = "anb"
name = "ANB"
measure = "{measure}"
text = "{text}"
{gap}
classes = [{classes}]
"""
GOOD = '{ number = 1, label = "low", high = 3.0, high_closed = true }, { number = 2, label = "high", low = 3.0 }'


def write(path, *, measure="ANB", text="{label}", gap="", classes=GOOD):
    path.write_text(
        OWN.replace("{measure}", measure).replace("{text}", text).replace("{gap}", gap).replace("{classes}", classes),
        encoding="utf-8",
    )
    return path


def test_shipped_sets():
    known = load_rule_sets()
    assert set(known) == {"skeletal_class", "vertical_pattern", "incisor_inclination", "profile", "isbi2015"}
    for id, rules in known.items():
        assert rules.definition.id == id
        assert rules.definition.checked_by == ""


def test_boundaries_of_the_challenge_are_closed_on_the_normal_side():
    rules = {rule.id: rule for rule in load_rules("isbi2015").definition.rule}
    assert len(rules) == 8
    ends = {
        "ANB": (3.2, 5.7), "SNB": (74.6, 78.7), "SNA": (79.4, 83.2), "ODI": (68.4, 80.5), "APDI": (77.6, 85.2),
        "FHI": (0.65, 0.75), "FHA": (26.8, 31.4), "MW": (2.0, 4.5),
    }  # fmt: skip
    for id, (low, high) in ends.items():
        for end in (low, high):
            assert [one.number for one in rules[id].classes if one.holds(end)] == [1], id
        assert [one.number for one in rules[id].classes if one.holds((low + high) / 2)] == [1], id
        assert [one.number for one in rules[id].classes if one.holds(high + 1e-9)] != [1], id


@pytest.mark.parametrize(("value", "number"), [(0.0, 2), (-0.1, 3), (1.0, None), (1.999, None), (2.0, 1), (4.6, 4)])
def test_modified_wits_has_four_classes_and_a_gap(value, number):
    rule = next(rule for rule in load_rules("isbi2015").definition.rule if rule.id == "MW")
    assert [one.number for one in rule.classes if one.holds(value)] == ([] if number is None else [number])
    assert "between 0 and 2 mm" in rule.gap


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"measure": "ANb"}, "unknown measure 'ANb'"),
        ({"text": "{mood}"}, "unknown fields mood"),
        ({"text": "{label"}, "no usable text"),
        ({"classes": GOOD.replace("low = 3.0", "low = 2.0")}, "overlap"),
        ({"classes": GOOD.replace(", high_closed = true", "")}, "in no class"),
        ({"classes": '{ number = 1, label = "all" }'}, "needs classes with ends"),
        ({"gap": "mood = 1"}, "unknown field `mood`"),
    ],
)
def test_fault_of_a_file_is_named(tmp_path, change, says):
    with pytest.raises(DefinitionError, match=says):
        load_rules(write(tmp_path / "clinic.toml", **change))


def test_gap_that_is_stated_is_allowed(tmp_path):
    classes = GOOD.replace(", high_closed = true", "")
    rules = load_rules(write(tmp_path / "clinic.toml", gap='gap = "3.0 itself"', classes=classes))
    assert rules.sha256.startswith("sha256:")


def test_rule_occurs_once(tmp_path):
    path = write(tmp_path / "clinic.toml")
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text[text.index("[[rule]]") :], encoding="utf-8")
    with pytest.raises(DefinitionError, match="occurs twice"):
        load_rules(path)


def test_unknown_and_unreadable_sets_are_refused(tmp_path):
    with pytest.raises(DefinitionError, match="isbi2015"):
        load_rules("isbi")
    with pytest.raises(DefinitionError, match="readable"):
        load_rules(tmp_path / "none.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(DefinitionError, match="at most"):
        load_rules(tmp_path / "large.toml")
