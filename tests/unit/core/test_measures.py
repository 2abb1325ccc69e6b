from __future__ import annotations

import msgspec
import pytest

from cephstd.core.measures import Measure, MeasureSet

ANB = Measure(id="ANB", definition_version=1, unit="deg", value=2.04, sd=1.06)
LENGTH = Measure(id="S_N", definition_version=1, unit="mm", reason="not calibrated")
SET = MeasureSet(analysis="steiner", measures=(ANB, LENGTH))


def test_value_is_shown_with_its_deviation_and_unit():
    assert str(ANB) == "ANB 2.0 ± 1.1 deg"


def test_absence_is_shown_with_its_reason():
    assert str(LENGTH) == "S_N: absent (not calibrated)"


def test_provisional_value_says_so():
    assert str(Measure(id="X", definition_version=1, unit="mm", value=1.0, provisional=True)).endswith("(provisional)")


def test_zero_is_a_value():
    assert Measure(id="X", definition_version=1, unit="mm", value=0.0).is_present


def test_set_finds_measures_by_id_and_lists_the_present():
    assert SET["S_N"] is LENGTH
    assert SET.present == (ANB,)
    assert "ANB" in SET
    assert len(SET) == len(list(SET)) == 2
    with pytest.raises(KeyError):
        SET["SNA"]


def test_set_is_shown_as_text_and_escaped_html():
    odd = MeasureSet(analysis="x", measures=(Measure(id="<i>", definition_version=1, unit="mm", reason="<b>"),))
    assert str(SET).splitlines() == [str(ANB), str(LENGTH)]
    assert repr(SET) == "<MeasureSet steiner: 1 values, 1 absent>"
    assert "<b>" not in odd._repr_html_()


def test_remarks_and_the_deviation_that_may_be_relied_on():
    plain = Measure(id="ANB", definition_version=1, unit="deg", value=5.0, sd=1.1)
    assert (plain.remark, plain.trusted_sd) == ("", 1.1)
    failing = msgspec.structs.replace(plain, linear=False, provisional=True)
    assert (failing.remark, failing.trusted_sd) == ("provisional; first order fails", None)
    assert str(failing) == "ANB 5.0 ± 1.1 deg (provisional; first order fails)"
    assert "first order fails" in MeasureSet(analysis="own", measures=(failing,))._repr_html_()
    assert msgspec.structs.replace(failing, sd_method="monte-carlo").trusted_sd == 1.1
