"""A program: formulas as flat arrays of instructions that one kernel runs over any number of films.

Every value of a program is a register that holds two floats (a point uses both, a number the first). The first
registers are the input landmarks; instruction ``i`` writes register ``n_inputs + i`` and reads only earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cephstd.errors import DefinitionError

POINT, SCALAR = 0, 1

# Points.
MID, XS, FOOT, PARA, PERP, ROTP, CHOOSE = range(1, 8)
# Scalars.
CONST, DANG, SANG, DIST, COMP, PLA, PLS, ADD, SUB, MUL, DIV, NEG, ABS, SGN, MIN, MAX = range(20, 36)

KINDS: dict[int, tuple[int, tuple[int, ...]]] = {
    # opcode: (kind of the result, kinds of the operands)
    MID: (POINT, (POINT,) * 2),
    XS: (POINT, (POINT,) * 4),
    FOOT: (POINT, (POINT,) * 3),
    PARA: (POINT, (POINT,) * 3),
    PERP: (POINT, (POINT,) * 3),
    ROTP: (POINT, (POINT,) * 2),
    CHOOSE: (POINT, (POINT,) * 2),
    CONST: (SCALAR, ()),
    DANG: (SCALAR, (POINT,) * 4),
    SANG: (SCALAR, (POINT,) * 4),
    DIST: (SCALAR, (POINT,) * 2),
    COMP: (SCALAR, (POINT,) * 4),
    PLA: (SCALAR, (POINT,) * 3),
    PLS: (SCALAR, (POINT,) * 3),
    ADD: (SCALAR, (SCALAR,) * 2),
    SUB: (SCALAR, (SCALAR,) * 2),
    MUL: (SCALAR, (SCALAR,) * 2),
    DIV: (SCALAR, (SCALAR,) * 2),
    NEG: (SCALAR, (SCALAR,)),
    ABS: (SCALAR, (SCALAR,)),
    SGN: (SCALAR, (SCALAR,)),
    MIN: (SCALAR, (SCALAR,) * 2),
    MAX: (SCALAR, (SCALAR,) * 2),
}
NEEDS_ORIENTATION = frozenset({SANG, PLA, PLS, PERP, ROTP})

# Status of one value; FIRST_MISSING + k says that input k is missing.
OK = 0
NOT_CALIBRATED, COINCIDENT, PARALLEL, NO_SIGN, ZERO_DIVISION, NO_ORIENTATION, CONTRADICTORY, NOT_FINITE = range(1, 9)
UNDEFINED = 9
FIRST_MISSING = 32
REASONS: dict[int, str] = {
    NOT_CALIBRATED: "not calibrated",
    COINCIDENT: "coincident points",
    PARALLEL: "parallel lines",
    NO_SIGN: "no side: the line runs along the direction that would give the sign",
    ZERO_DIVISION: "division by zero",
    NO_ORIENTATION: "no orientation: no landmarks that show anterior and superior",
    CONTRADICTORY: "contradictory orientation: landmarks disagree about anterior or superior",
    NOT_FINITE: "not finite",
}

# Landmarks that show where anterior and superior are, in the order in which they are tried.
ANTERIOR_PAIRS = (("Po", "Or"), ("S", "N"), ("THp", "THa"))
SUPERIOR_PAIRS = (("N", "Me"), ("N", "Pog"), ("N", "B"), ("N", "A"), ("S", "Go"), ("N_s", "Pog_s"), ("G_s", "Sn"))
FRAME_LANDMARKS = tuple(dict.fromkeys(id for pair in (*ANTERIOR_PAIRS, *SUPERIOR_PAIRS) for id in pair))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """Instructions for a list of measures; arrays are read-only.

    Attributes
    ----------
    inputs : tuple of str
        Landmark ids of the first registers.
    opcodes : ndarray of int32, shape (n,)
    operands : ndarray of int32, shape (n, 4)
        Registers; -1 where the opcode takes fewer.
    constants : ndarray of float64, shape (n, 2)
        Value of a constant; cosine and sine of a turn.
    roots : ndarray of int32, shape (m,)
        Register that holds each measure.
    starts : ndarray of int32, shape (m + 1,)
    steps : ndarray of int32
        ``steps[starts[k]:starts[k + 1]]`` are the registers that measure k rests on, itself first, in descending order.
    by_scale : ndarray of bool, shape (m,)
        Measures that need millimetres.
    places : ndarray of int32, shape (len(steps), 4)
        Made from the others: where among the steps of its measure each operand of a step stands; negative for the step
        that meets the operand first, 0 where there is none.
    longest : int
        Made from the others: the largest number of steps of a measure.
    """

    inputs: tuple[str, ...]
    opcodes: npt.NDArray[np.int32]
    operands: npt.NDArray[np.int32]
    constants: npt.NDArray[np.float64]
    roots: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int32]
    by_scale: npt.NDArray[np.bool_]
    places: npt.NDArray[np.int32] = field(init=False)
    longest: int = field(init=False)

    def __post_init__(self) -> None:
        validate(self)
        object.__setattr__(self, "places", find_places(self.steps, self.starts, self.operands, len(self.inputs)))
        object.__setattr__(self, "longest", int(np.diff(self.starts).max(initial=0)))
        for array in (self.opcodes, self.operands, self.constants, self.roots, self.starts, self.steps, self.by_scale):
            array.setflags(write=False)
        self.places.setflags(write=False)


def validate(program: Program) -> None:
    """Check all that the kernel takes for granted: it tests no bounds and no kinds.

    Raises
    ------
    DefinitionError
        When an opcode is unknown, an operand is of the wrong kind or not yet written, or a list of steps is incomplete.
    """
    kinds = [POINT] * len(program.inputs)
    count = len(program.opcodes)
    _expect(program.operands.shape == (count, 4) and program.constants.shape == (count, 2), "arrays differ in length")
    for opcode, operands in zip(program.opcodes.tolist(), program.operands.tolist(), strict=True):
        _expect(opcode in KINDS, f"opcode {opcode} is unknown")
        kind, wanted = KINDS[opcode]
        for operand, expected in zip(operands, wanted, strict=False):
            _expect(0 <= operand < len(kinds), f"register {operand} is read before it is written")
            _expect(kinds[operand] == expected, f"register {operand} is of the wrong kind")
        kinds.append(kind)
    _expect(bool(np.isfinite(program.constants).all()), "a constant is not finite")
    _expect(len(program.starts) == len(program.roots) + 1, "a measure has no steps")
    _expect(len(program.by_scale) == len(program.roots), "a measure has no scale flag")
    for number, root in enumerate(program.roots.tolist()):
        _expect(0 <= root < len(kinds) and kinds[root] == SCALAR, f"register {root} is no number")
        listed = program.steps[program.starts[number] : program.starts[number + 1]].tolist()
        _expect(
            listed == reachable(root, program.operands, len(program.inputs)), f"steps of measure {number} are wrong"
        )


def reachable(root: int, operands: npt.NDArray[np.int32], n_inputs: int) -> list[int]:
    """Registers that `root` rests on, itself included, in descending order."""
    seen = {root}
    waiting = [root]
    while waiting:
        register = waiting.pop()
        if register >= n_inputs:
            fresh = {int(operand) for operand in operands[register - n_inputs] if operand >= 0} - seen
            seen |= fresh
            waiting.extend(fresh)
    return sorted(seen, reverse=True)


def find_places(
    steps: npt.NDArray[np.int32], starts: npt.NDArray[np.int32], operands: npt.NDArray[np.int32], n_inputs: int
) -> npt.NDArray[np.int32]:
    """`places` of a program, from its other arrays."""
    places = np.zeros((len(steps), 4), dtype=np.int32)
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        listed = steps[first:last].tolist()
        rows = {register: row for row, register in enumerate(listed)}
        met: set[int] = set()
        for row, register in enumerate(listed):
            if register >= n_inputs:
                for k, operand in enumerate(operands[register - n_inputs].tolist()):
                    if operand >= 0:
                        places[first + row, k] = rows[operand] if operand in met else -rows[operand]
                        met.add(operand)
    return places


def _expect(holds: bool, fault: str) -> None:
    if not holds:
        raise DefinitionError(f"Program refused before it runs: {fault}.")
