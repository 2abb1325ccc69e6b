"""The kernel tests no bounds, so a wrong program is refused before it runs."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import DefinitionError
from cephstd.geometry import program as op
from cephstd.geometry.program import Program, reachable


def build(**changes) -> Program:
    """dist(S,N) + 1 over the inputs S, N, with `changes`."""
    parts = {
        "inputs": ("S", "N"),
        "opcodes": np.array([op.DIST, op.CONST, op.ADD], dtype=np.int32),
        "operands": np.array([[0, 1, -1, -1], [-1, -1, -1, -1], [2, 3, -1, -1]], dtype=np.int32),
        "constants": np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),
        "roots": np.array([4], dtype=np.int32),
        "starts": np.array([0, 5], dtype=np.int32),
        "steps": np.array([4, 3, 2, 1, 0], dtype=np.int32),
        "by_scale": np.array([True]),
    }
    return Program(**parts | changes)


def operands(row: int, *registers: int) -> np.ndarray:
    array = build().operands.copy()
    array[row, : len(registers)] = registers
    return array


def test_sound_program_is_accepted_and_frozen():
    program = build()
    with pytest.raises(ValueError, match="read-only"):
        program.operands[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"opcodes": np.array([99, op.CONST, op.ADD], dtype=np.int32)}, "opcode 99"),
        ({"operands": operands(0, 0, 7)}, "register 7 is read before it is written"),
        ({"operands": operands(2, 4, 3)}, "register 4 is read before it is written"),
        ({"operands": operands(0, 0, -1)}, "register -1"),
        ({"operands": operands(2, 0, 3)}, "register 0 is of the wrong kind"),
        ({"opcodes": np.array([op.DIST, op.CONST, op.DIST], dtype=np.int32)}, "wrong kind"),
        ({"constants": np.full((3, 2), np.nan)}, "not finite"),
        ({"constants": np.zeros((2, 2))}, "differ in length"),
        ({"roots": np.array([9], dtype=np.int32)}, "register 9 is no number"),
        ({"roots": np.array([0], dtype=np.int32)}, "register 0 is no number"),
        ({"steps": np.array([4, 4, 2, 1, 0], dtype=np.int32)}, "steps of measure 0"),
        ({"steps": np.array([0, 1, 2, 3, 4], dtype=np.int32)}, "steps of measure 0"),
        ({"starts": np.array([0], dtype=np.int32)}, "no steps"),
        ({"by_scale": np.array([True, True])}, "scale flag"),
    ],
)
def test_wrong_program_is_refused(changes, fault):
    with pytest.raises(DefinitionError, match=fault):
        build(**changes)


def test_reachable_leaves_out_what_is_not_used():
    assert reachable(2, build().operands, 2) == [2, 1, 0]


def test_places_say_where_an_operand_stands_and_who_meets_it_first():
    none = [0, 0, 0, 0]
    assert build().places.tolist() == [[-2, -1, 0, 0], none, [-4, -3, 0, 0], none, none]
    steps, starts = np.array([4, 2, 1, 0], dtype=np.int32), np.array([0, 4], dtype=np.int32)
    twice = build(operands=operands(2, 2, 2), steps=steps, starts=starts)
    assert twice.places.tolist() == [[-1, 1, 0, 0], [-3, -2, 0, 0], none, none]
    assert (build().longest, twice.longest) == (5, 4)


def test_every_status_has_a_sentence():
    codes = [op.NOT_CALIBRATED, op.COINCIDENT, op.PARALLEL, op.NO_SIGN, op.ZERO_DIVISION, op.NO_ORIENTATION]
    assert set(op.REASONS) == {*codes, op.CONTRADICTORY, op.NOT_FINITE}
    assert max(op.REASONS) < op.FIRST_MISSING
