"""Films are shared among threads without changing a bit, and the caller's arrays stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.geometry.executor import SHARE
from cephstd.geometry.measurer import measure_many

IDS = ["S", "N", "A", "B", "Po", "Or", "Me"]
ONE = np.array([[18, -9], [90, -30], [90, 30], [80, 70], [0, 0], [80, 0], [82, 95]], dtype=np.float64)


def test_threads_do_not_change_a_bit(rng):
    films = ONE + rng.normal(size=(3 * SHARE + 7, 7, 2))
    identity = np.tile(np.eye(2), (7, 1, 1))
    one, four = (
        measure_many(films, IDS, spacing_mm=0.1, covariances_px2=identity, threads=threads) for threads in (1, 4)
    )
    assert np.array_equal(one.results.values, four.results.values, equal_nan=True)
    assert np.array_equal(one.results.sds, four.results.sds, equal_nan=True)
    assert np.array_equal(one.results.status, four.results.status)


def test_fault_in_any_share_is_named(rng):
    films = ONE + rng.normal(size=(3 * SHARE, 7, 2))
    films[2 * SHARE + 5, 3, 0] = -np.inf
    with pytest.raises(InputError, match=f"film {2 * SHARE + 5} has an infinite"):
        measure_many(films, IDS, spacing_mm=0.1, threads=3)


def test_inputs_are_left_alone(rng):
    films = ONE + rng.normal(size=(4, 7, 2))
    before = films.copy()
    measure_many(films, IDS, spacing_mm=0.1)
    assert films.flags.writeable
    assert np.array_equal(films, before)


@pytest.mark.parametrize("change", ["float32", "fortran", "strided", "read-only", "list"])
def test_any_array_will_do(change):
    films = np.tile(ONE, (3, 1, 1))
    expected = measure_many(films, IDS, ["SNA"])["SNA"].tolist()
    films = {
        "float32": films.astype(np.float32),
        "fortran": np.asfortranarray(films),
        "strided": np.repeat(films, 2, axis=1)[:, ::2],
        "read-only": films,
        "list": films.tolist(),
    }[change]
    if change == "read-only":
        films.setflags(write=False)
    assert measure_many(films, IDS, ["SNA"])["SNA"].tolist() == pytest.approx(expected, rel=1e-12)
