"""Formulas to a program: shared subexpressions are computed once over a whole analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cephstd.geometry import program as op
from cephstd.geometry.program import ANTERIOR_PAIRS, FRAME_LANDMARKS, SUPERIOR_PAIRS, Program
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rests:
    """Landmarks behind one measure.

    Attributes
    ----------
    used, lacking : tuple of str
        Marked landmarks that its value comes from, and those that it would need.
    orienting : tuple of str
        Landmarks that decide its sign by showing anterior and superior; empty when it has no need of them.
    """

    used: tuple[str, ...]
    lacking: tuple[str, ...]
    orienting: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binding:
    """Where a program finds its landmarks in a table of points, and which measures it then computes.

    Attributes
    ----------
    columns, frame_columns : ndarray of int32
        Columns of the program's inputs and of the landmarks of orientation; -1 = not there.
    active, idle : ndarray of int32
        Measures for which every landmark has a column, and the others.
    rests : tuple of Rests
        For each measure, what it rests on when every column is filled.
    """

    columns: npt.NDArray[np.int32]
    frame_columns: npt.NDArray[np.int32]
    active: npt.NDArray[np.int32]
    idle: npt.NDArray[np.int32]
    rests: tuple[Rests, ...]


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
        self.bind = lru_cache(maxsize=256)(self._bind)

    def _bind(self, ids: tuple[str, ...]) -> Binding:
        """Find the program's landmarks among the columns `ids` of a table of points; remembered."""
        at = {id: column for column, id in enumerate(ids)}
        present = frozenset(ids)
        rests = tuple(self.find_rests(measure, present) for measure in range(len(self.formulas)))
        return Binding(
            columns=_freeze([at.get(id, -1) for id in self.program.inputs]),
            frame_columns=_freeze([at.get(id, -1) for id in FRAME_LANDMARKS]),
            active=_freeze([row for row, rest in enumerate(rests) if not rest.lacking]),
            idle=_freeze([row for row, rest in enumerate(rests) if rest.lacking]),
            rests=rests,
        )

    def find_names(self, measure: int) -> frozenset[str]:
        """Every landmark that a measure may use, constructions followed."""
        program = self.program
        steps = program.steps[program.starts[measure] : program.starts[measure + 1]].tolist()
        return frozenset(program.inputs[step] for step in steps if step < len(program.inputs))

    def find_rests(self, measure: int, present: frozenset[str]) -> Rests:
        """What a measure rests on and what it lacks, given the landmarks that are `present`.

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
        orienting: tuple[str, ...] = ()
        if self._is_oriented(measure):
            for pairs in (ANTERIOR_PAIRS, SUPERIOR_PAIRS):
                orienting += next((pair for pair in pairs if present.issuperset(pair)), ())
        return Rests(used=tuple(used), lacking=tuple(lacking), orienting=orienting)

    def _is_oriented(self, measure: int) -> bool:
        program = self.program
        first = len(program.inputs)
        steps = program.steps[program.starts[measure] : program.starts[measure + 1]].tolist()
        return any(int(program.opcodes[step - first]) in op.NEEDS_ORIENTATION for step in steps if step >= first)


def _freeze(numbers: list[int]) -> npt.NDArray[np.int32]:
    array = np.array(numbers, dtype=np.int32)
    array.setflags(write=False)
    return array


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
