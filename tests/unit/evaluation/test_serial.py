from __future__ import annotations

import math

import pytest

import cephstd as cs
from cephstd.core.measures import Measure, MeasureSet
from cephstd.evaluation.serial import compare_series, compare_values


def film(*measures: Measure, analysis: str = "own") -> MeasureSet:
    return MeasureSet(analysis=analysis, measures=measures)


def anb(value=5.0, sd=0.5, **facts) -> Measure:
    return Measure(**{"id": "ANB", "definition_version": 1, "unit": "deg", "value": value, "sd": sd, **facts})


@pytest.mark.parametrize(
    ("later", "verdict"), [(6.38, "within noise"), (3.62, "within noise"), (6.39, "changed"), (3.61, "changed")]
)
def test_verdict_turns_at_the_smallest_detectable_change(later, verdict):
    """1.96 sqrt(0.5^2 + 0.5^2) = 1.386."""
    (found,) = compare_values(film(anb()), film(anb(later)))
    assert found.smallest_detectable == pytest.approx(1.385929291)
    assert found.change == pytest.approx(later - 5.0)
    assert (found.verdict, found.basis, found.reason) == (verdict, "propagated", "")


def test_errors_of_both_films_count():
    (found,) = compare_values(film(anb(sd=0.3)), film(anb(sd=0.4)))
    assert found.sd == pytest.approx(0.5)


def test_duplicates_of_ones_own_take_the_place_of_the_propagated_error():
    (found,) = compare_values(film(anb(sd=None)), film(anb(6.5)), method_errors={"ANB": 0.5})
    assert found.sd == pytest.approx(math.sqrt(2) * 0.5)
    assert (found.basis, found.verdict) == ("duplicates", "changed")


def test_unknown_is_said_with_its_reason():
    absent = anb(None, None, reason="missing: B")
    (found,) = compare_values(film(anb()), film(absent))
    assert (found.change, found.verdict, found.reason) == (None, "unknown", "absent on the later: missing: B")
    (found,) = compare_values(film(anb(sd=None)), film(anb(9.0)))
    assert (found.change, found.verdict, found.reason) == (4.0, "unknown", "unknown error of a value")
    (found,) = compare_values(film(anb()), film(anb(9.0, definition_version=2)), method_errors={"ANB": 1.0})
    assert (found.change, found.verdict) == (None, "unknown")
    assert "versions 1 and 2" in found.reason


def test_no_verdict_rests_on_first_order_where_that_fails():
    failing = anb(9.0, linear=False)
    (found,) = compare_values(film(anb()), film(failing))
    assert (found.change, found.verdict, found.reason) == (4.0, "unknown", "first order fails")
    (drawn,) = compare_values(film(anb()), film(anb(9.0, linear=False, sd_method="monte-carlo")))
    assert drawn.verdict == "changed"
    (own,) = compare_values(film(anb()), film(failing), method_errors={"ANB": 0.5})
    assert own.verdict == "changed"


def test_provisional_values_make_provisional_changes():
    assert compare_values(film(anb()), film(anb(provisional=True)))[0].provisional


def test_every_later_film_is_compared_with_the_first():
    first, second = compare_series([film(anb(1.0)), film(anb(2.0)), film(anb(4.0))])
    assert (first[0].change, second[0].change) == (1.0, 3.0)


def test_films_that_cannot_be_compared_are_refused():
    with pytest.raises(cs.InputError, match="one analysis"):
        compare_values(film(anb()), film(anb(), analysis="other"))
    with pytest.raises(cs.InputError, match="ANB"):
        compare_values(film(anb()), film(anb()), method_errors={"ANB": 0.0})
    with pytest.raises(cs.InputError):
        compare_series([film(anb())])
