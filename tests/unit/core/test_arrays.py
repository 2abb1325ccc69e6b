from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.arrays import check_pixels, check_points, freeze
from cephstd.errors import InputError


def test_frozen_array_does_not_follow_its_maker():
    mine = np.zeros((2, 3), dtype=np.uint8)
    frozen = freeze(mine)
    mine[0, 0] = 9
    assert frozen[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        frozen[0, 0] = 1


def test_read_only_array_is_not_copied():
    array = np.zeros((2, 3), dtype=np.uint8)
    array.setflags(write=False)
    assert freeze(array) is array


def test_frozen_array_is_row_by_row():
    array = np.asfortranarray(np.zeros((2, 3), dtype=np.uint8))
    array.setflags(write=False)
    assert freeze(array).flags.c_contiguous


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 2)), np.zeros((2, 2), np.int16), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8), [[1, 2]]],
    ids=["float", "signed", "flat", "empty", "list"],
)
def test_what_is_no_grey_image_is_refused(pixels):
    with pytest.raises(InputError, match="Expected"):
        check_pixels(pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_image_is_taken(dtype):
    assert check_pixels(np.ones((2, 3), dtype)).dtype == dtype


def test_points_become_read_only_floats():
    points = check_points([(1, 2), (3, 4)])
    assert points.dtype == np.float64
    assert not points.flags.writeable
