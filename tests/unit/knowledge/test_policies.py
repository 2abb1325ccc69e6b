"""Policy packs that ship are marked for what they are; a file that says something unknown is refused."""

from __future__ import annotations

from datetime import date

import pytest

from cephstd.errors import DefinitionError
from cephstd.knowledge.loader import MAX_FILE_BYTES
from cephstd.knowledge.policies import load_policies, load_policy

OWN = """
id = "clinic"
version = "1.0.0"
name = "Clinic"
kind = "own"
[[rule]]
id = "sharp"
text = "The image is sharp."
{more}
requires = {{ {requires} }}
"""
QUALITY = 'fact = "quality", allowed = ["diagnostic"]'


def write(path, *, requires=QUALITY, more=""):
    path.write_text(OWN.format(requires=requires, more=more), encoding="utf-8")
    return path


def test_shipped_packs_are_marked_and_unverified():
    known = load_policies()
    assert {id: policy.definition.kind for id, policy in known.items()} == {
        "baseline": "baseline",
        "example_d0340_completeness": "example",
        "example_oklahoma_orthodontics": "example",
    }
    for id, policy in known.items():
        assert policy.definition.id == id
        assert all(rule.verified_by == "" for rule in policy.definition.rule)
        if policy.definition.kind == "example":
            assert policy.definition.name.startswith("EXAMPLE")
            assert all(rule.citation for rule in policy.definition.rule if rule.severity == "required")


def test_own_pack_is_read_with_its_digest(tmp_path):
    policy = load_policy(write(tmp_path / "own.toml", more="effective_from = 2025-01-01\neffective_until = 2025-12-31"))
    assert policy.sha256.startswith("sha256:")
    (rule,) = policy.definition.rule
    days = [date(2024, 12, 31), date(2025, 1, 1), date(2025, 12, 31), date(2026, 1, 1)]
    assert [rule.in_force(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requires": 'fact = "height"'}, "height"),
        ({"requires": 'fact = "quality", allowed = ["good"]'}, "good"),
        ({"requires": 'fact = "quality", allowed = []'}, "length"),
        ({"requires": 'fact = "quality", allowed = ["diagnostic"], also = 1'}, "also"),
        ({"requires": 'fact = "measures", measures = ["ANBB"]'}, "ANBB"),
        ({"requires": 'fact = "measures", analyses = ["stiener"]'}, "steiner"),
        ({"requires": 'fact = "measures"'}, "no measure"),
        ({"more": "effective_from = 2025-02-01\neffective_until = 2025-01-01"}, "ends before"),
        ({"more": 'verified_by = "A. Reader"'}, "verified_on"),
    ],
)
def test_what_a_pack_may_not_say_is_refused(tmp_path, changes, said):
    with pytest.raises(DefinitionError, match=said):
        load_policy(write(tmp_path / "own.toml", **changes))


def test_rules_are_named_once(tmp_path):
    path = write(tmp_path / "own.toml")
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "[[rule]]" + text.partition("[[rule]]")[2], encoding="utf-8")
    with pytest.raises(DefinitionError, match="twice"):
        load_policy(path)


def test_unknown_absent_and_huge(tmp_path):
    with pytest.raises(DefinitionError, match="baseline"):
        load_policy("basline")
    with pytest.raises(DefinitionError, match="readable"):
        load_policy(tmp_path / "none.toml")
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(DefinitionError, match="at most"):
        load_policy(huge)
