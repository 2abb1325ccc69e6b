from __future__ import annotations

import pytest

from cephstd.errors import DefinitionError
from cephstd.knowledge.retention import load_retention

ROW = '[[rule]]\nid = "own"\nclock = "documentation"\ntext = "x"\nyears = 5\nafter = ["created"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('version = "1.0.0"\n' + ROW + ROW, "twice"),
        ('version = "1.0.0"\n' + ROW + "minor_years = 3\n", "both"),
        ('version = "1.0.0"\n' + ROW + "minor_years = 3\nmajority_age = 18\n", "last_treatment"),
        ('version = "1.0.0"\n' + ROW + "days = 3\n", "days"),
        ('version = "1.0.0"\n' + ROW.replace("5", "0"), "years"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, said):
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=said):
        load_retention(path)


def test_own_table(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('version = "1.0.0"\n' + ROW, encoding="utf-8")
    assert load_retention(path).rule[0].years == 5
    with pytest.raises(DefinitionError, match="readable"):
        load_retention(tmp_path / "none.toml")


def test_every_shipped_rule_is_cited_and_unverified():
    assert all(rule.citation and not rule.verified_by for rule in load_retention().rule)
