from __future__ import annotations

import typing

import numpy as np
import pytest

from cephstd.core.image import (
    METRIC_BASES,
    UNDETERMINED,
    Calibration,
    CalibrationBasis,
    Normalized,
    Quality,
    Radiograph,
    Source,
    state_calibration,
)
from cephstd.core.steps import Chain
from cephstd.errors import CalibrationError, InputError

SOURCE = Source(format="array", file_sha256="", pixel_sha256="", decoder="", width_px=4, height_px=3, bits=8)
PIXELS = np.zeros((3, 4), dtype=np.uint8)


@pytest.mark.parametrize("basis", typing.get_args(CalibrationBasis))
def test_only_a_metric_basis_gives_millimetres(basis):
    calibration = Calibration(basis=basis, row_mm=0.1, column_mm=0.2)
    assert calibration.spacing_mm == ((0.1, 0.2) if basis in METRIC_BASES else None)


def test_untrusted_resolution_and_no_finding_are_not_metric():
    assert {"file_dpi_untrusted", "undetermined"} == set(typing.get_args(CalibrationBasis)) - METRIC_BASES
    assert UNDETERMINED.spacing_mm is None


def test_half_a_spacing_is_none():
    assert Calibration(basis="geometry", row_mm=0.1).spacing_mm is None


def test_stated_scale_holds_in_both_directions():
    stated = state_calibration(np.float32(0.5), relative_sd=0.01)
    assert (stated.basis, stated.spacing_mm, stated.relative_sd) == ("user_stated", (0.5, 0.5), 0.01)
    assert type(stated.row_mm) is float


@pytest.mark.parametrize("mm_per_px", [0, -0.1, 0.001, 3, float("nan"), float("inf")])
def test_impossible_scale_is_refused(mm_per_px):
    with pytest.raises(CalibrationError, match="mm per pixel"):
        state_calibration(mm_per_px)


def test_film_keeps_its_own_pixels():
    mine = PIXELS.copy()
    film = Radiograph(pixels=mine, source=SOURCE)
    mine[0, 0] = 9
    assert film.pixels[0, 0] == 0
    assert film.size == (4, 3)
    assert "no scale" in repr(film)


def test_film_of_another_kind_is_refused():
    with pytest.raises(InputError):
        Radiograph(pixels=np.zeros((3, 4)), source=SOURCE)


def test_standard_image_says_its_size_scale_and_verdict():
    normal = Normalized(
        pixels=PIXELS.astype(np.uint16),
        chain=Chain(source_size=(4, 3)),
        spacing_mm=0.1,
        source=SOURCE,
        calibration=UNDETERMINED,
        quality=Quality(verdict="limited"),
    )
    assert repr(normal) == "<Normalized 4 x 3 px, 0.1 mm/px, limited>"
    assert not normal.pixels.flags.writeable
