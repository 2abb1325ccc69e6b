"""Formulas to a program: shared subexpressions are computed once over a whole analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from cephstd.geometry import program as op
from cephstd.geometry.program import FRAME_LANDMARKS, Program
from cephstd.knowledge.formula import Call, Formula, Name, Node, Number

_OPCODES = {
    "mid": op.MID,
    "xs": op.XS,
    "foot": op.FOOT,
    "para": op.PARA,
    "perp": op.PERP,
    "dang": op.DANG,
    "sang": op.SANG,
    "dist": op.DIST,
    "comp": op.COMP,
    "pla": op.PLA,
    "pls": op.PLS,
    "add": op.ADD,
    "sub": op.SUB,
    "mul": op.MUL,
    "div": op.DIV,
    "neg": op.NEG,
    "absv": op.ABS,
    "sgn": op.SGN,
    "minv": op.MIN,
    "maxv": op.MAX,
}
_Key = tuple[int, tuple[int, ...], tuple[float, float]]


class Plan:
    """How the measures of an analysis are computed.

    Parameters
    ----------
    formulas : sequence of Formula
        One per measure.
    constructions : mapping of str to Formula
        Constructed landmarks. A landmark that has been marked itself is taken as marked; only where it has not does
        its construction step in, film by film.

    Attributes
    ----------
    program : Program
        Ready for the kernel.

    Examples
    --------
    >>> from cephstd.knowledge.loader import load_analysis, load_constructions
    >>> plan = Plan(list(load_analysis("isbi2015").formulas.values()), load_constructions())
    >>> plan.program.inputs[:3]
    ('S', 'N', 'A')
    """

    def __init__(self, formulas: Sequence[Formula], constructions: Mapping[str, Formula]) -> None:
        self.formulas = tuple(formulas)
        self.constructions = constructions
        self.program = _Lowering(self.formulas, constructions).build()

    @cached_property
    def needs_orientation(self) -> tuple[bool, ...]:
        """For each measure, whether it rests on knowing anterior and superior."""
        program = self.program
        n = len(program.inputs)
        return tuple(
            any(int(program.opcodes[step - n]) in op.NEEDS_ORIENTATION for step in self._steps(k) if step >= n)
            for k in range(len(program.roots))
        )

    def _steps(self, measure: int) -> list[int]:
        starts = self.program.starts
        listed: list[int] = self.program.steps[starts[measure] : starts[measure + 1]].tolist()
        return listed

    def resting_on(self, measure: int, present: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Marked landmarks that a measure uses and those that it lacks, given which are `present`.

        A construction is followed only where its landmark has not been marked.
        """
        used: dict[str, None] = {}
        lacking: dict[str, None] = {}
        waiting = list(reversed(self.formulas[measure].names))
        while waiting:
            id = waiting.pop()
            if id in present:
                used[id] = None
            elif id in self.constructions:
                waiting.extend(reversed(self.constructions[id].names))
            else:
                lacking[id] = None
        return tuple(used), tuple(lacking)


class _Lowering:
    """Builds one program; equal subexpressions get one register."""

    def __init__(self, formulas: Sequence[Formula], constructions: Mapping[str, Formula]) -> None:
        self.formulas = formulas
        self.constructions = constructions
        self.inputs: dict[str, int] = {}
        for formula in formulas:
            for id in formula.names:
                self.collect(id)
        self.known: dict[_Key, int] = {}
        self.instructions: list[_Key] = []
        self.points: dict[str, int] = {}

    def collect(self, id: str) -> None:
        if id not in self.inputs:
            self.inputs[id] = len(self.inputs)
            if id in self.constructions:
                for part in self.constructions[id].names:
                    self.collect(part)

    def emit(self, opcode: int, operands: Sequence[int], constants: tuple[float, float] = (0.0, 0.0)) -> int:
        key = (opcode, tuple(operands), constants)
        if key not in self.known:
            self.known[key] = len(self.inputs) + len(self.instructions)
            self.instructions.append(key)
        return self.known[key]

    def lower(self, node: Node) -> int:
        if isinstance(node, Number):
            return self.emit(op.CONST, (), (node.value, 0.0))
        if isinstance(node, Name):
            return self.point(node.id)
        return self.call(node)

    def point(self, id: str) -> int:
        if id not in self.points:
            register = self.inputs[id]
            if id in self.constructions:
                register = self.emit(op.CHOOSE, (register, self.lower(self.constructions[id].root)))
            self.points[id] = register
        return self.points[id]

    def call(self, node: Call) -> int:
        if node.function == "rotp":
            centre, point, turn = node.arguments
            assert isinstance(turn, Number)  # the grammar takes nothing else
            angle = math.radians(turn.value)
            return self.emit(op.ROTP, (self.lower(centre), self.lower(point)), (math.cos(angle), math.sin(angle)))
        registers = [self.lower(argument) for argument in node.arguments]
        if node.function == "ang":  # the angle at V of P-V-Q is that between the rays V->P and V->Q
            p, v, q = registers
            return self.emit(op.DANG, (v, p, v, q))
        if node.function == "down":  # how far Q lies below P: both heights over the line R-T
            p, q, r, t = registers
            return self.emit(op.SUB, (self.emit(op.PLS, (p, r, t)), self.emit(op.PLS, (q, r, t))))
        return self.emit(_OPCODES[node.function], registers)

    def build(self) -> Program:
        roots = [self.lower(formula.root) for formula in self.formulas]
        count = len(self.instructions)
        opcodes = np.array([key[0] for key in self.instructions], dtype=np.int32)
        operands = np.full((count, 4), -1, dtype=np.int32)
        constants = np.array([key[2] for key in self.instructions], dtype=np.float64).reshape(count, 2)
        for row, (_, registers, _) in enumerate(self.instructions):
            operands[row, : len(registers)] = registers
        listed = [op.reachable(root, operands, len(self.inputs)) for root in roots]
        return Program(
            inputs=tuple(self.inputs),
            opcodes=opcodes,
            operands=operands,
            constants=constants,
            roots=np.array(roots, dtype=np.int32),
            starts=np.cumsum([0, *map(len, listed)]).astype(np.int32),
            steps=np.array([step for steps in listed for step in steps], dtype=np.int32),
            by_scale=np.array([formula.needs_scale for formula in self.formulas], dtype=np.bool_),
        )


def find_columns(program: Program, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of a point table for a program's inputs and for the landmarks that show orientation; -1 = not there."""
    at = {id: column for column, id in enumerate(ids)}
    inputs = np.array([at.get(id, -1) for id in program.inputs], dtype=np.int32)
    frame = np.array([at.get(id, -1) for id in FRAME_LANDMARKS], dtype=np.int32)
    return inputs, frame
