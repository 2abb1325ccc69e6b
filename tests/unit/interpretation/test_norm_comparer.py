"""A norm is compared only as its kind, its population and its size allow; everything else is withheld and says why."""

from __future__ import annotations

import pytest

from cephstd.core.measures import Measure
from cephstd.interpretation.norm_comparer import compare_with_norms, describe_norms
from cephstd.knowledge.norms import LinearModel, NormEntry, Norms, NormSet, TableRow, load_norms


def angle(id="SNA", value=85.0, **more):
    return Measure(id=id, definition_version=1, unit="deg", value=value, **more)


def length(id="Co_A", value=90.0):
    return Measure(id=id, definition_version=1, unit="mm", value=value)


def norms(*entries, **more):
    fields = {"id": "own", "version": "1.0.0", "name": "", "population": "x", "citation": ()} | more
    return Norms(NormSet(entry=entries, **fields), "sha256:0")


def entry(id="e", measure="SNA", **more):
    fields = {"kind": "mean_sd", "value": 80.0, "spread": 2.0} | more
    return NormEntry(id=id, measure=measure, **fields)


def one(measure, *entries, age=None, sex=None, basis="fiducial", **more):
    (found,) = compare_with_norms([measure], norms(*entries, **more), age_years=age, sex=sex, basis=basis)
    return found


def test_mean_with_deviation_gives_z():
    said = one(angle(), entry())
    assert (said.difference, said.z, said.clinical_deviations) == (5.0, 2.5, None)


@pytest.mark.parametrize(
    ("more", "z", "clinical", "position"),
    [
        ({"spread": None}, None, None, ""),
        ({"kind": "author_ideal"}, None, None, "above"),
        ({"kind": "author_ideal", "spread": None}, None, None, ""),
        ({"kind": "clinical_deviation"}, None, 2.5, ""),
        ({"kind": "range", "low": 78.0, "high": 85.0}, None, None, "within"),
        ({"kind": "customary_band", "low": 86.0}, None, None, "below"),
    ],
)
def test_only_a_mean_with_deviation_gives_z(more, z, clinical, position):
    said = one(angle(), entry(**more))
    assert (said.z, said.clinical_deviations, said.position) == (z, clinical, position)


def test_order_of_resolution():
    entries = (
        entry("both", sex="F", age_min_years=10.0, age_max_years=12.0),
        entry("sex", sex="F"),
        entry("age", age_min_years=10.0, age_max_years=12.0),
        entry("pooled"),
    )
    cases = {("F", 11.0): "both", ("F", 30.0): "sex", ("M", 11.0): "age", ("M", 30.0): "pooled", (None, None): "pooled"}
    found = {key: one(angle(), *entries, sex=key[0], age=key[1]) for key in cases}
    assert {key: said.entry for key, said in found.items()} == cases
    assert found["F", 11.0].flags == ("unverified",)
    assert found["F", 11.0].resolved == "sex and age"
    for key in (("F", 30.0), ("M", 11.0), ("M", 30.0)):
        assert any(flag.startswith("fallback: no entry for this sex and age") for flag in found[key].flags), key


def test_pooled_entry_is_no_fallback_where_the_set_has_no_other():
    assert one(angle(), entry()).flags == ("unverified",)


@pytest.mark.parametrize(
    ("more", "sex", "age", "says"),
    [
        ({"sex": "M"}, None, None, "depends on sex"),
        ({"sex": "M"}, "F", None, "no entry for this sex"),
        ({"age_min_years": 6.0, "age_max_years": 9.0}, None, None, "depends on age"),
        ({"age_min_years": 6.0, "age_max_years": 9.0}, None, 10.0, "no entry for this sex and age"),
        ({"linear": LinearModel(base_age_years=9.0, per_year=1.0)}, None, None, "depends on age"),
    ],
)
def test_without_an_entry_that_fits_nothing_is_compared(more, sex, age, says):
    said = one(angle(), entry(**more), sex=sex, age=age)
    assert says in said.reason
    assert (said.value, said.z, said.difference) == (None, None, None)


def test_two_entries_that_fit_are_withheld():
    assert "more than one entry" in one(angle(), entry("a"), entry("b")).reason


@pytest.mark.parametrize(
    ("age", "sex", "reference"), [(9.0, None, 80.0), (12.0, "F", 81.0), (40.0, "F", 80.0 + 5 / 3), (40.0, "M", 83.0)]
)
def test_age_model_stops_at_the_end_of_growth(age, sex, reference):
    model = LinearModel(base_age_years=9.0, per_year=1 / 3)
    said = one(angle(), entry(linear=model), age=age, sex=sex, growth_ends_f_years=14.0, growth_ends_m_years=18.0)
    assert said.reference == pytest.approx(reference, abs=1e-6)
    assert any("stopped" in flag for flag in said.flags) == (age == 40.0)


def test_end_of_growth_needs_sex():
    model = LinearModel(base_age_years=9.0, per_year=1.0)
    ends = {"growth_ends_f_years": 14.0, "growth_ends_m_years": 18.0}
    assert "end of growth depends on sex" in one(angle(), entry(linear=model), age=16.0, **ends).reason
    assert "below the model's base age of 9 y" in one(angle(), entry(linear=model), age=8.0, **ends).flags


def test_table_is_interpolated_and_never_extended():
    table = (TableRow(at=6.0, value=80.0, spread=3.0), TableRow(at=9.0, value=86.0, spread=4.5))
    by_age = entry(value=None, spread=None, table_of="age", table=table)
    said = one(angle(value=90.0), by_age, age=8.0)
    assert (said.reference, said.spread, said.z) == (84.0, 4.0, 1.5)
    assert "interpolated between age 6 and 9" in said.flags
    assert one(angle(), by_age, age=9.0).flags == ("unverified",)
    assert "outside the table, 6 to 9" in one(angle(), by_age, age=20.0).reason


def test_table_by_another_measure():
    rows = (TableRow(at=80.0, low=97.0, high=100.0), TableRow(at=90.0, low=113.0, high=116.0))
    by_size = entry(measure="Co_Gn", kind="range", value=None, spread=None, table_of="Co_A", table=rows)
    mandible = length("Co_Gn", 104.0)
    both = compare_with_norms([length("Co_A", 85.0), mandible], norms(by_size, size="natural"), basis="fiducial")
    assert (both[0].low, both[0].high, both[0].position) == (105.0, 108.0, "below")
    assert "depends on Co_A" in one(mandible, by_size, size="natural").reason


@pytest.mark.parametrize(
    ("size", "factor", "basis", "says", "difference"),
    [
        ("natural", None, "fiducial", "", 10.0),
        ("natural", None, "user_ruler", "", 10.0),
        ("film", 0.9, "geometry", "", 18.0),
        ("film", None, "fiducial", "at natural size, the norm is not", None),
        ("unstated", None, "fiducial", "at natural size, the norm is not", None),
        ("natural", None, "detector_plane", "at film size", None),
        ("film", 0.9, "scanned_nominal", "at film size", None),
        ("natural", None, "user_stated", "size of the value is not known", None),
    ],
)
def test_lengths_are_compared_at_natural_size_only(size, factor, basis, says, difference):
    said = one(length(), entry(measure="Co_A"), size=size, natural_factor=factor, basis=basis)
    assert says in said.reason
    assert bool(said.reason) == bool(says)
    assert said.difference == difference
    assert any("converted" in flag for flag in said.flags) == (factor is not None and not says)


def test_shipped_film_size_lengths_meet_no_natural_size_value():
    (said,) = compare_with_norms([length("Co_A")], load_norms("mcnamara"), sex="F", basis="fiducial")
    assert (said.reference, said.z, said.value) == (91.0, None, None)
    assert "12.9 %" in said.reason


def test_value_of_another_version_of_the_definition_is_withheld():
    assert "version 2" in one(angle(), entry(measure_version=2)).reason


def test_absent_value_stays_absent():
    said = one(angle(value=None, reason="missing: S"), entry())
    assert (said.reason, said.reference, said.z) == ("no value: missing: S", 80.0, None)


def test_flags_say_what_to_doubt():
    said = one(angle(provisional=True), entry(), age=30.0, sample_age_min_years=12.0, sample_age_max_years=17.0)
    assert said.flags == ("unverified", "the value is provisional", "age 30 lies outside the sample's, 12..17 y")
    assert one(angle(), entry(checked_by="A. Reader")).flags == ()
    assert one(angle(), entry(), checked_by="A. Reader").flags == ()
    assert one(angle(), entry(), age=17.5, sample_age_min_years=12.0, sample_age_max_years=17.0).flags == (
        "unverified",
    )


def test_ricketts_at_twelve():
    marks = [angle("FMA", 26.0), angle("facial_angle", 88.0)]
    found = {said.measure: said for said in compare_with_norms(marks, load_norms("ricketts"), age_years=12.0)}
    assert (found["FMA"].reference, found["FMA"].clinical_deviations, found["FMA"].z) == (25.0, 0.25, None)
    assert found["facial_angle"].reference == 88.0


def test_measure_without_entry_is_left_out():
    assert compare_with_norms([angle("SNB")], norms(entry())) == ()


def test_use_names_version_and_digest():
    use = describe_norms(load_norms("downs"))
    assert (use.set, use.version, use.verified) == ("downs", "1.0.0", False)
    assert use.sha256 == load_norms("downs").sha256


def test_a_stated_enlargement_takes_film_lengths_to_natural_size():
    def compared(percent):
        measures = [length("Co_A", 90.0)]
        film = norms(entry(measure="Co_A", value=108.0, spread=5.4), size="film")
        (said,) = compare_with_norms(measures, film, basis="fiducial", enlargement_percent=percent)
        return said

    assert "the norm is not" in compared(None).reason
    said = compared(8.0)
    assert (said.reference, said.spread, said.difference, said.z) == (100.0, 5.0, -10.0, -2.0)
    assert any("from a stated enlargement of 8 %" in flag for flag in said.flags)


def test_a_table_by_a_length_is_read_at_the_size_of_its_own_films():
    """McNamara: a natural midface of 90 mm is 97.2 mm on films enlarged by 8 %, and so is the mandible read there."""
    mcnamara = load_norms("mcnamara_composite")
    measures = [length("Co_A", 90.0), length("Co_Gn", 116.0)]
    (withheld,) = (c for c in compare_with_norms(measures, mcnamara, basis="fiducial") if c.measure == "Co_Gn")
    assert (withheld.low, withheld.high) == (None, None)
    assert "at natural size, the norm is not" in withheld.reason
    found = compare_with_norms(measures, mcnamara, basis="fiducial", enlargement_percent=8.0)
    (said,) = (c for c in found if c.measure == "Co_Gn")
    # between the rows at 97 (126..129) and 98 (128..131), 0.2 of the way
    assert said.low == pytest.approx(126.4 / 1.08, abs=1e-6)
    assert said.high == pytest.approx(129.4 / 1.08, abs=1e-6)
    assert said.position == "below"
    assert any(flag.startswith("interpolated between Co_A 97 and 98") for flag in said.flags)
