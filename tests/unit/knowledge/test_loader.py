"""Definitions that ship are complete and consistent; a user's file is read with the same care and names its faults."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from cephstd.errors import DefinitionError, FormulaError, UnknownAnalysisError, UnknownLandmarkError
from cephstd.knowledge.definitions import MeasureDefinition
from cephstd.knowledge.loader import (
    MAX_FILE_BYTES,
    check_measure,
    load_analyses,
    load_analysis,
    load_constructions,
    load_landmarks,
    load_measures,
    load_scheme,
    load_schemes,
)

COVERAGE = Path(__file__).parents[2] / "data" / "coverage.csv"


def test_counts():
    assert len(load_landmarks()) == 87
    assert len(load_measures()) == 167
    assert len(load_analysis("all").formulas) == 164


def test_every_measure_is_fully_described():
    for measure in load_measures().values():
        said = (measure.symbol, measure.name, measure.definition, measure.sign, measure.source, measure.confidence)
        assert all(said), measure.id
        assert measure.analyses, measure.id
        assert measure.definition.endswith("."), measure.id
        assert bool(measure.formula) != bool(measure.undefined), measure.id


def test_every_formula_has_the_declared_unit():
    for measure in load_measures().values():
        if measure.formula:
            check_measure(measure)


def test_unit_and_dimension_are_compared():
    wrong = MeasureDefinition(id="x", unit="mm", formula="ang(S,N,A)")
    with pytest.raises(FormulaError, match=r"unit 'mm' declared, but 'ang.S,N,A.' gives deg"):
        check_measure(wrong)
    with pytest.raises(FormulaError, match="gives point"):
        check_measure(MeasureDefinition(id="x", unit="mm", formula="mid(S,N)"))


def test_arcs_of_sassouni_are_declared_and_undefined():
    undefined = {measure.id: measure.undefined for measure in load_measures().values() if not measure.formula}
    assert undefined == dict.fromkeys(("sas_ANS_arc", "sas_Pog_arc", "sas_Go_arc"), "undefined construction")


def test_constructions_are_points():
    constructions = load_constructions()
    assert {formula.dimension for formula in constructions.values()} == {"point"}
    assert constructions.keys() == {
        *("Go_c", "Gn_c", "Xi", "CC", "CF", "OPa_b", "OPp_b", "OPa_f", "OPp_f", "HPa", "MS"),
    }


@pytest.mark.parametrize("id", [id for id in load_analyses() if id != "all"])
def test_analysis_holds_the_measures_that_name_its_author(id):
    analysis = load_analyses()[id]
    named = {measure.id for measure in load_measures().values() if set(measure.analyses) & set(analysis.authors)}
    assert set(analysis.measures) == named
    assert len(analysis.measures) == len(named)


def test_file_names_are_ids():
    assert all(id == analysis.id for id, analysis in load_analyses().items())
    assert all(id == scheme.id for id, scheme in load_schemes().items())


def test_all_is_all():
    assert set(load_analyses()["all"].measures) == set(load_measures())


def test_order_is_that_of_the_sheet():
    assert load_analyses()["steiner"].measures[:8] == (
        *("SNA", "SNB", "ANB", "SND", "U1_NA_mm", "U1_NA_deg", "L1_NB_mm", "L1_NB_deg"),
    )
    assert load_analyses()["isbi2015"].measures[:8] == (
        *("ANB", "SNB", "SNA", "ODI", "APDI", "ISBI_FHI", "SN_GoGn", "ISBI_MW"),
    )


@pytest.mark.parametrize(("id", "count"), [("isbi19", 19), ("cephstd33", 33), ("cl38", 38), ("aariz29", 29)])
def test_scheme(id, count):
    scheme = load_scheme(id)
    assert [point.index for point in scheme.landmark] == list(range(1, count + 1))
    assert len(set(scheme.ids)) == count
    assert set(scheme.ids) <= load_landmarks().keys()


def test_scheme_order_and_doubts():
    assert load_scheme("isbi19").ids == (
        *("S", "N", "Or", "Po", "A", "B", "Pog", "Me", "Gn", "Go", "L1", "U1", "Ls", "Li", "Sn", "Pog_s", "PNS"),
        *("ANS", "Ar"),
    )
    assert load_scheme("cephstd33").ids[:19] == load_scheme("isbi19").ids
    assert all(point.provisional for point in load_scheme("cephstd33").landmark[19:])
    assert [point.index for point in load_scheme("cl38").landmark if point.hold] == [30, 31, 37, 38]


@pytest.mark.parametrize("scheme", ["isbi19", "aariz29", "cl38"])
def test_scheme_feeds_the_measures_that_it_should(scheme):
    from cephstd.geometry.plan import Plan

    analysis = load_analysis("all")
    plan = Plan(tuple(analysis.formulas.values()), load_constructions())
    present = frozenset(load_scheme(scheme).ids)
    lacking = {id: plan.find_rests(row, present).lacking for row, id in enumerate(analysis.formulas)}
    with COVERAGE.open() as file:
        expected = {row["measure"]: row[scheme] for row in csv.DictReader(file) if row["measure"] in lacking}
    assert {id: " ".join(sorted(names)) or "yes" for id, names in lacking.items()} == expected


def test_isbi19_feeds_74_measures():
    with COVERAGE.open() as file:
        assert sum(row["isbi19"] == "yes" for row in csv.DictReader(file)) == 74


def test_unknown_keys_are_refused():
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.toml.decode(b'id = "x"\nunit = "deg"\nnorm = 3', type=MeasureDefinition)


def test_selection_of_measures():
    assert [measure.id for measure in load_analysis(["ANB", "SNA"]).measures] == ["ANB", "SNA"]


@pytest.mark.parametrize(
    ("which", "fault", "error"),
    [
        ("stiener", "Did you mean 'steiner'", UnknownAnalysisError),
        (["SNX"], "'SNX'", UnknownAnalysisError),
        (["SNA", "SNA"], "twice", DefinitionError),
        ([], "at least one", DefinitionError),
        ("absent.toml", "absent.toml: expected a readable", DefinitionError),
    ],
)
def test_unknown_analysis(which, fault, error):
    with pytest.raises(error) as caught:
        load_analysis(which)
    assert fault in str(caught.value)


def test_unknown_scheme():
    with pytest.raises(UnknownLandmarkError, match="isbi19"):
        load_scheme("isbi")


OWN = """id = "clinic"
name = "Own sheet"
measures = ["SNA", "own_ratio"]

[[measure]]
id = "own_ratio"
unit = "ratio"
formula = "dist(S,N)/dist(N,Me)"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clinic.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_own_file(tmp_path):
    path = write(tmp_path, OWN)
    for which in (path, str(path)):
        analysis = load_analysis(which)
        assert analysis.definition.id == "clinic"
        assert list(analysis.formulas) == ["SNA", "own_ratio"]


def test_own_measures_without_a_list_come_in_their_order(tmp_path):
    analysis = load_analysis(write(tmp_path, OWN.replace('measures = ["SNA", "own_ratio"]\n', "")))
    assert [measure.id for measure in analysis.measures] == ["own_ratio"]


@pytest.mark.parametrize(
    ("old", "new", "fault", "error"),
    [
        ("dist(N,Me)", "dist(N,Mee)", "clinic.toml, line 8: measure 'own_ratio': unknown landmark 'Mee'", FormulaError),
        ("dist(N,Me)", "dist(N,Mee)", "position 18", FormulaError),
        ("dist(N,Me)", "dist(N,Mee)", "Did you mean 'Me'", FormulaError),
        ("/dist", "+ang(S,N,A)/dist", "clinic.toml, line 8", FormulaError),
        ('"ratio"', '"mm"', "gives ratio", FormulaError),
        ('"ratio"', '"inch"', "clinic.toml, line 7", DefinitionError),
        ('unit = "ratio"', 'units = "ratio"', "clinic.toml, line 7", DefinitionError),
        ('id = "own_ratio"', 'id = "SNA"', "clinic.toml, line 5: measure 'SNA' is already defined", DefinitionError),
        ('"own_ratio"\nunit', '"own ratio"\nunit', "clinic.toml, line 6", DefinitionError),
        ('formula = "dist(S,N)/dist(N,Me)"', "", "needs a formula", DefinitionError),
        ('"SNA", ', '"SNAA", ', "Did you mean 'SNA'", UnknownAnalysisError),
        ("[[measure]]", "[[measure]", "not TOML", DefinitionError),
        ('name = "Own sheet"', "eval = 1", "eval", DefinitionError),
    ],
)
def test_own_file_refused(tmp_path, old, new, fault, error):
    assert old in OWN
    with pytest.raises(error) as caught:
        load_analysis(write(tmp_path, OWN.replace(old, new, 1)))
    assert fault in str(caught.value)


def test_own_file_has_a_size_limit(tmp_path):
    with pytest.raises(DefinitionError, match="at most"):
        load_analysis(write(tmp_path, OWN + "#" * MAX_FILE_BYTES))


def test_own_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DefinitionError, match="UTF-8"):
        load_analysis(path)


def test_too_many_own_measures_are_refused(tmp_path):
    with pytest.raises(DefinitionError, match="at most 2000 measures"):
        load_analysis(write(tmp_path, "measures = [" + '"SNA",' * 2001 + "]"))
