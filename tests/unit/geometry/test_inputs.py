"""Ids and scales are refused before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import CalibrationError, InputError, UnknownLandmarkError
from cephstd.geometry.inputs import check_ids, spread_scales


def test_unknown_and_repeated_ids_are_refused():
    check_ids(("S", "N"))
    with pytest.raises(UnknownLandmarkError, match="'Nn'"):
        check_ids(("S", "Nn"))
    with pytest.raises(InputError, match="once"):
        check_ids(("S", "S"))


def test_scales_run_along_x_and_y():
    assert spread_scales((0.2, 0.1), 3).tolist() == [[0.1, 0.2]]  # rows lie along y
    assert np.isnan(spread_scales(None, 3)).all()
    assert spread_scales(0.1, 3).tolist() == [[0.1, 0.1]]


def test_impossible_scales_are_refused():
    with pytest.raises(InputError, match="found shape"):
        spread_scales([[0.1, 0.1]] * 2, 3)
    for wrong in (0.0, -1.0, np.inf):
        with pytest.raises(CalibrationError):
            spread_scales(wrong, 1)
