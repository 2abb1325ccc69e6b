"""One call says everything about a film's values, with the identity of the sets it used."""

from __future__ import annotations

import pytest

from cephstd.core.digest import canonical_bytes
from cephstd.core.image import Calibration
from cephstd.core.interpretation import Interpretation
from cephstd.core.recipe import DEFAULT_RULES
from cephstd.errors import DefinitionError, InputError
from cephstd.geometry.measurer import measure
from cephstd.interpretation.interpreter import Interpreter, interpret
from cephstd.knowledge.norms import load_norm_sets
from cephstd.plot.face import face_marks

SCALE = Calibration(basis="fiducial", row_mm=1.0, column_mm=1.0)


@pytest.fixture(scope="module")
def values():
    return measure(face_marks(), "all", SCALE)


def test_sets_stand_side_by_side(values):
    said = interpret(values, ["steiner", "eastman"], age_years=20.0, sex="F", basis="fiducial")
    assert [use.set for use in said.norm_sets] == ["steiner", "eastman"]
    assert {c.z is None for c in said.comparisons if c.set == "steiner"} == {True}
    assert {c.set for c in said.comparisons if c.measure == "SNA"} == {"steiner", "eastman"}
    assert [use.set for use in said.rule_sets] == list(DEFAULT_RULES)
    assert (said.age_years, said.sex) == (20.0, "F")


def test_without_a_choice_nothing_is_compared(values):
    said = interpret(values)
    assert (said.norm_sets, said.comparisons) == ((), ())
    assert said.outcomes


def test_every_shipped_set_works_on_a_face(values):
    for id in load_norm_sets():
        for sex in ("F", "M"):
            said = interpret(values, [id], age_years=14.0, sex=sex, basis="fiducial")
            assert canonical_bytes(said)
            for comparison in said.comparisons:
                assert "unverified" in comparison.flags or comparison.reason
                assert (comparison.value is None) == bool(comparison.reason), comparison
                assert comparison.z is None or comparison.kind == "mean_sd"


def test_no_length_is_compared_with_a_shipped_set(values):
    for id in load_norm_sets():
        said = interpret(values, [id], age_years=14.0, sex="M", basis="fiducial")
        for comparison in said.comparisons:
            if values[comparison.measure].unit == "mm":
                assert comparison.value is None, comparison


@pytest.mark.parametrize(("age", "sex"), [(-1.0, None), (131.0, None), (float("nan"), None), (10.0, "X")])
def test_impossible_patients_are_refused(values, age, sex):
    with pytest.raises(InputError):
        interpret(values, ["steiner"], age_years=age, sex=sex)


def test_unknown_and_doubled_sets_are_refused():
    with pytest.raises(DefinitionError):
        Interpreter(["nobody"])
    with pytest.raises(InputError, match="each set once"):
        Interpreter(["steiner", "steiner"])


def test_nothing_said_is_the_default():
    assert interpret([], (), rules=()) == Interpretation()


def test_who_chose_the_norms_and_in_which_order_entries_were_looked_for(values):
    said = interpret(values, ["eastman"], norms_by="A. Reader")
    assert said.norms_by == "A. Reader"
    assert said.resolution == ("sex and age", "sex", "age", "pooled")
    assert interpret(values, ["eastman"]).norms_by == ""
    assert interpret(values).resolution == ()
    with pytest.raises(InputError, match="none are named"):
        Interpreter(norms_by="A. Reader")


def test_a_stated_enlargement_is_stored_and_compares_lengths(values):
    said = interpret(values, ["mcnamara"], age_years=25.0, sex="F", basis="fiducial", enlargements={"mcnamara": 8.0})
    assert said.norm_sets[0].enlargement_percent == 8.0
    lengths = [one for one in said.comparisons if one.measure in ("Co_A", "Co_Gn", "A_Nperp", "LAFH")]
    assert len(lengths) == 4
    assert all(one.z is not None for one in lengths)


@pytest.mark.parametrize(
    ("stated", "says"),
    [({"steiner": 8.0}, "not chosen"), ({"mcnamara": 31.0}, "0 to 30"), ({"mcnamara": float("nan")}, "0 to 30")],
)
def test_impossible_enlargements_are_refused(stated, says):
    with pytest.raises(InputError, match=says):
        Interpreter(["mcnamara"], enlargements=stated)


def test_a_set_that_settles_its_size_takes_no_enlargement(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('id = "own"\nversion = "1.0.0"\nname = ""\npopulation = "x"\ncitation = ["y"]\nsize = "natural"\n')
    with pytest.raises(InputError, match="settles its own size"):
        Interpreter([own], enlargements={"own": 8.0})
