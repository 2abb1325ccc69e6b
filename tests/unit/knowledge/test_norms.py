"""Norm sets that ship are whole and unverified; a file of one's own is read with the same care."""

from __future__ import annotations

import hashlib

import pytest

from cephstd.errors import DefinitionError
from cephstd.knowledge.loader import MAX_FILE_BYTES, load_measures
from cephstd.knowledge.norms import load_evidence, load_norm_sets, load_norms

OWN = """
id = "clinic"
version = "1.0.0"
name = "Clinic"
population = "our own controls, 20-30 y"
size = "natural"
citation = ["unpublished"]
{head}
[[entry]]
id = "SNA"
measure = "SNA"
{entry}
"""


def write(path, *, head="", entry='kind = "mean_sd"\nvalue = 80.0\nspread = 3.0'):
    path.write_text(OWN.format(head=head, entry=entry), encoding="utf-8")
    return path


def test_every_shipped_set_is_named_cited_and_unverified():
    for id, norms in load_norm_sets().items():
        definition = norms.definition
        assert definition.id == id
        assert definition.population, id
        assert definition.citation, id
        assert definition.checked_by == "", id
        assert all(entry.checked_by == "" for entry in definition.entry), id
        assert bool(definition.entry) != bool(definition.findings), id


def test_no_shipped_length_claims_natural_size():
    assert {norms.definition.size for norms in load_norm_sets().values()} <= {"film", "unstated"}
    assert all(norms.definition.natural_factor is None for norms in load_norm_sets().values())


@pytest.mark.parametrize(
    ("set_id", "kinds"),
    [
        ("steiner", {"author_ideal"}),
        ("downs", {"mean_sd"}),
        ("ricketts", {"clinical_deviation"}),
        ("jarabak", {"customary_band"}),
        ("isbi2015", {"customary_band"}),
        ("mcnamara_composite", {"range"}),
    ],
)
def test_kind_of_statistic(set_id, kinds):
    assert {entry.kind for entry in load_norms(set_id).definition.entry} == kinds


def test_tables_are_whole():
    for entry in load_norms("harvold").definition.entry:
        assert [row.at for row in entry.table] == [6, 9, 12, 14, 16]
    assert all(len(entry.table) == 26 for entry in load_norms("mcnamara_composite").definition.entry)


def test_digest_is_that_of_the_file(tmp_path):
    path = write(tmp_path / "clinic.toml")
    assert load_norms(path).sha256 == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_norms(str(path)) == load_norms(path)


def test_evidence_is_kept_with_its_disagreements():
    rows = load_evidence()
    assert sum(map(len, rows.values())) == 269
    assert rows.keys() <= load_measures().keys()
    assert {"agrees", "differs", "not_found"} <= {row.agreement for found in rows.values() for row in found}


@pytest.mark.parametrize(
    ("head", "entry", "says"),
    [
        ("mood = 1", 'kind = "mean_sd"\nvalue = 80.0', "unknown field `mood`"),
        ("", 'kind = "percentile"\nvalue = 80.0', "Invalid enum value 'percentile'"),
        ("", 'kind = "mean_sd"', "kind mean_sd needs a value"),
        ("", 'kind = "mean_sd"\nvalue = 80.0\nspread = 0.0', "`float` > 0"),
        ("", 'kind = "range"\nvalue = 80.0', "kind range needs low or high"),
        ("", 'kind = "range"\nlow = 90.0\nhigh = 80.0', "low end lies above"),
        ("", 'kind = "range"\nlow = 90.0', "one end of a range"),
        ("", 'kind = "clinical_deviation"\nvalue = 80.0', "needs the deviation"),
        ("", 'kind = "mean_sd"\ntable_of = "age"\nvalue = 1.0', "needs both table and table_of"),
        ("", 'kind = "mean_sd"\ntable_of = "SNX"\ntable = [{ at = 1.0, value = 2.0 }]', "unknown measure 'SNX'"),
        (
            "",
            'kind = "mean_sd"\ntable_of = "age"\ntable = [{ at = 9.0, value = 1.0 }, { at = 6.0, value = 2.0 }]',
            "rising 'at'",
        ),
        ("", 'kind = "mean_sd"\nvalue = 1.0\n[[entry]]\nid = "SNA"\nmeasure = "SNB"\nkind = "mean_sd"\nvalue = 1.0',
         "occurs twice"),
        ("", 'kind = "mean_sd"\nvalue = 1.0\n[[entry]]\nid = "b"\nmeasure = "SNb"\nkind = "mean_sd"\nvalue = 1.0',
         "unknown measure 'SNb'"),
    ],
)  # fmt: skip
def test_fault_of_a_file_is_named(tmp_path, head, entry, says):
    path = write(tmp_path / "clinic.toml", head=head, entry=entry)
    with pytest.raises(DefinitionError, match=says) as caught:
        load_norms(path)
    assert "clinic.toml" in str(caught.value)


def test_unknown_set_names_the_known_ones():
    with pytest.raises(DefinitionError, match="steiner") as caught:
        load_norms("stiener")
    assert "steiner" in caught.value.hint


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(DefinitionError, match=r"none\.toml: expected a readable"):
        load_norms(tmp_path / "none.toml")
    (tmp_path / "text.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="no norm set"):
        load_norms(tmp_path / "text.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(DefinitionError, match="at most"):
        load_norms(tmp_path / "large.toml")
