"""What the compiled kernel is built from: its cache is renewed with its parts, and no cache is needed."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from cephstd.geometry import compiler, kernels, operations, program


def test_digest_of_compiled_parts_is_current():
    """Numba renews its cache when kernels.py changes; COMPILED_IN makes it change with what is compiled into it."""
    parts = [Path(module.__file__).read_bytes() for module in (operations, compiler)]
    parts += [f"{name}={getattr(program, name)}".encode() for name in sorted(vars(program)) if name.isupper()]
    digest = hashlib.sha256(b"\n".join(parts).replace(b"\r\n", b"\n")).hexdigest()[:8]
    assert digest == kernels.COMPILED_IN, f'set COMPILED_IN = "{digest}" in kernels.py'


def test_compiles_where_no_cache_can_be_written(monkeypatch):
    asked = []

    def njit(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiler, "njit", njit)
    assert compiler.compiled(len) is len
    assert [options.get("cache", False) for options in asked] == [True, False]
    assert all(options["nogil"] for options in asked)


def test_angle_is_that_of_the_library_to_the_last_digits(rng):
    """Around the circle, near the places where its parts meet, and over all sizes that coordinates can have."""
    turns = np.concatenate(
        [
            rng.uniform(-np.pi, np.pi, 4000),
            np.repeat(np.arange(-8, 9) * np.pi / 8, 40) + rng.normal(scale=1e-9, size=17 * 40),
            10.0 ** rng.uniform(-12, -1, 400),
        ]
    )
    sizes = 10.0 ** rng.uniform(-6, 9, len(turns))
    for y, x in zip(sizes * np.sin(turns), sizes * np.cos(turns), strict=True):
        assert math.isclose(operations._angle.py_func(y, x), math.atan2(y, x), rel_tol=5e-16, abs_tol=0.0)
    for y, x in [(0.0, 1.0), (-0.0, 1.0), (0.0, -1.0), (-0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (-1.0, -1.0)]:
        assert operations._angle(y, x) == math.atan2(y, x)
    assert math.isnan(operations._angle(math.nan, 1.0))
    assert math.isnan(operations._angle(1.0, math.nan))


def test_workspace_is_divided_without_overlap():
    """Rows begin where a line of the cache does, wherever the array came to lie, and the last row fits."""
    for shift in range(8):
        length = kernels.measure_workspace(3, 8, 5)
        workspace = np.zeros(length + shift)[shift:]
        for number, part in enumerate(kernels._divide.py_func(workspace, 3, 8)):
            assert part.ctypes.data % 64 == 0
            assert not part.any()
            part[:] = number + 1
        registers, spread, films, derivatives, parts = kernels._divide.py_func(workspace, 3, 8)
        assert (len(registers), len(spread), len(films)) == (8, 6, 11)
        assert len(derivatives) >= 5
        assert len(parts) >= 8 * operations.LANES


@pytest.mark.parametrize("code", sorted(program.KINDS))
def test_every_instruction_has_the_derivative_of_its_value(code, rng):
    """In plain Python, against central differences; a point is read through its distance from one more input."""
    kind, operands = program.KINDS[code]
    lanes, n = operations.LANES, len(operands) + 1
    codes = [code] if kind == program.SCALAR else [code, program.DIST]
    registers = np.full((len(codes), 4), -1, dtype=np.int32)
    registers[0, : len(operands)] = range(len(operands))
    if kind == program.POINT:
        registers[1, :2] = n, n - 1
    constants = np.tile([np.cos(0.4), np.sin(0.4)], (len(codes), 1))
    frame = np.tile(np.array([[1.0], [0.8], [-0.6], [0.6], [0.8]]), (1, lanes))
    start = rng.normal(size=(n, 2, lanes)) * 10

    def forward(values: np.ndarray) -> np.ndarray:
        z = np.zeros((n + len(codes), 2 * lanes))
        z[:n] = values.reshape(n, 2 * lanes)
        operations.forward.py_func(codes, registers, constants, n, z, frame, np.zeros(lanes))
        return z

    z = forward(start)
    steps = program.reachable(len(z) - 1, registers, n)
    places = program.find_places(np.array(steps), np.array([0, len(steps)]), registers, n)
    rows, parts = np.full_like(z, np.nan), np.zeros(8 * lanes)
    operations.backward.py_func(np.array(steps), places, codes, registers, constants, n, z, frame, rows, parts)
    gradients = np.zeros_like(z)
    gradients[steps] = rows[: len(steps)]
    if kind == program.SCALAR and operands[:1] == (program.SCALAR,):
        gradients[:, lanes:] = 0.0  # a number has one half
    step = 1e-5
    for operand, axis in np.ndindex(n, 2):
        moved = np.zeros_like(start)
        moved[operand, axis] = step
        numeric = (forward(start + moved)[-1, :lanes] - forward(start - moved)[-1, :lanes]) / (2 * step)
        np.testing.assert_allclose(gradients.reshape(-1, 2, lanes)[operand, axis], numeric, rtol=1e-5, atol=1e-6)
