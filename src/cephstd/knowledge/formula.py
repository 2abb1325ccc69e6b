"""The language of measurement formulas: landmark ids, numbers, ``+ - * /`` and a closed list of geometric calls.

A formula is read by the grammar below and by nothing else; no text of a definition file is ever run as code::

    expression = term { ("+" | "-") term }
    term       = factor { ("*" | "/") factor }
    factor     = ("+" | "-") factor | number | name | name "(" expression { "," expression } ")" | "(" expression ")"

Every part has a dimension (point, deg, mm, ratio, or a bare number), so that an angle plus a length is refused.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from cephstd.errors import FormulaError

Dimension = Literal["point", "deg", "mm", "ratio", "number"]

MAX_LENGTH = 1000
MAX_DEPTH = 24
MAX_POINTS = 48
MAX_PARTS = 400

_P, _S = "point", "scalar"
SIGNATURES: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (result, arguments); "scalar" = deg, mm, ratio or number
    "ang": ("deg", (_P, _P, _P)),
    "dang": ("deg", (_P, _P, _P, _P)),
    "sang": ("deg", (_P, _P, _P, _P)),
    "dist": ("mm", (_P, _P)),
    "comp": ("mm", (_P, _P, _P, _P)),
    "pla": ("mm", (_P, _P, _P)),
    "pls": ("mm", (_P, _P, _P)),
    "down": ("mm", (_P, _P, _P, _P)),
    "xs": (_P, (_P, _P, _P, _P)),
    "mid": (_P, (_P, _P)),
    "foot": (_P, (_P, _P, _P)),
    "para": (_P, (_P, _P, _P)),
    "perp": (_P, (_P, _P, _P)),
    "rotp": (_P, (_P, _P, "constant")),
    "minv": ("same", (_S, _S)),
    "maxv": ("same", (_S, _S)),
    "absv": ("same", (_S,)),
    "sgn": ("ratio", (_S,)),
}

_TOKEN = re.compile(
    r"""[ \t]*(?:
    (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>[-+*/(),]))""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A landmark id."""

    id: str


@dataclass(frozen=True, slots=True)
class Call:
    """A geometric function or an operator (``add sub mul div neg``) applied to its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Name | Call


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula.

    Attributes
    ----------
    text : str
        As written.
    root : Number or Name or Call
        The parsed tree; ``+ - * /`` are calls named add, sub, mul, div, neg.
    dimension : str
        ``point`` for a construction; ``deg``, ``mm`` or ``ratio`` for a measure.
    names : tuple of str
        Landmark ids in order of first use.
    needs_scale : bool
        True when the value has no meaning without millimetres: a length, or a length compared with a number.
    """

    text: str
    root: Node
    dimension: Dimension
    names: tuple[str, ...]
    needs_scale: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """What the parser knows of a piece of the formula."""

    node: Node
    dimension: Dimension
    at: int


def parse_formula(text: str, landmarks: Collection[str], *, subject: str = "formula") -> Formula:
    """Read and check one formula.

    Parameters
    ----------
    text : str
        E.g. ``"ang(S,N,A)-ang(S,N,B)"``.
    landmarks : collection of str
        Ids that may be named.
    subject : str
        Whose formula it is, for messages: ``"measure 'ANB'"``.

    Raises
    ------
    FormulaError
        With the position (first character = 1) of what is wrong: an unknown name, a wrong number of arguments, mixed
        dimensions, or a formula past the limits of length, depth and number of points.

    Examples
    --------
    >>> parse_formula("ang(S,N,A)-ang(S,N,B)", {"S", "N", "A", "B"}).dimension
    'deg'
    """
    return _Parser(text, landmarks, subject).parse()


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str, landmarks: Collection[str], subject: str) -> None:
        self.text = text
        self.landmarks = landmarks
        self.subject = subject
        self.names: dict[str, None] = {}
        self.needs_scale = False
        self.parts = 0
        self.index = 0
        if len(text) > MAX_LENGTH:
            raise self.fault(f"{len(text)} characters long, the limit is {MAX_LENGTH}", MAX_LENGTH)
        self.tokens = list(self.tokenize())

    def fault(self, what: str, at: int, *, hint: str = "") -> FormulaError:
        shown = self.text if len(self.text) <= 120 else self.text[:117] + "..."
        return FormulaError(f"{self.subject}: {what}, at position {at + 1} of {shown!r}.", hint=hint)

    def tokenize(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        end = len(self.text.rstrip(" \t"))
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip(" \t"))
                raise self.fault(f"unexpected character {self.text[at]!r}", at)
            kind = str(match.lastgroup)
            yield kind, match[kind], match.start(kind)
            at = match.end()
        yield "end", "", end

    def peek(self) -> tuple[str, str, int]:
        return self.tokens[self.index]

    def take(self) -> tuple[str, str, int]:
        token = self.tokens[self.index]
        if token[0] != "end":
            self.index += 1
        return token

    def expect(self, sign: str) -> None:
        kind, value, at = self.take()
        if value != sign:
            raise self.fault(
                f"expected {sign!r}, found {value!r}" if kind != "end" else f"expected {sign!r}, found the end", at
            )

    def count(self, at: int, depth: int) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise self.fault(f"more than {MAX_PARTS} parts", at)
        if depth > MAX_DEPTH:
            raise self.fault(f"nested deeper than {MAX_DEPTH}", at)

    def parse(self) -> Formula:
        part = self.expression(0)
        kind, value, at = self.peek()
        if kind != "end":
            raise self.fault(f"expected an operator or the end, found {value!r}", at)
        if not self.names:
            raise self.fault("names no landmark", 0)
        if part.dimension == "mm":
            self.needs_scale = True
        dimension: Dimension = "ratio" if part.dimension == "number" else part.dimension
        return Formula(self.text, part.node, dimension, tuple(self.names), self.needs_scale)

    def expression(self, depth: int) -> _Part:
        left = self.term(depth)
        while self.peek()[1] in ("+", "-"):
            _, sign, at = self.take()
            right = self.term(depth)
            dimension = self.unify(left, right, "add" if sign == "+" else "subtract", at)
            self.count(at, depth)
            left = _Part(Call("add" if sign == "+" else "sub", (left.node, right.node)), dimension, left.at)
        return left

    def term(self, depth: int) -> _Part:
        left = self.factor(depth)
        while self.peek()[1] in ("*", "/"):
            _, sign, at = self.take()
            right = self.factor(depth)
            dimension = self.scale(left, right, sign, at)
            self.count(at, depth)
            left = _Part(Call("mul" if sign == "*" else "div", (left.node, right.node)), dimension, left.at)
        return left

    def factor(self, depth: int) -> _Part:
        kind, value, at = self.take()
        self.count(at, depth)
        if value in ("+", "-"):
            part = self.factor(depth + 1)
            self.scalar(part)
            if value == "+":
                return part
            if isinstance(part.node, Number):
                return _Part(Number(-part.node.value), part.dimension, at)
            return _Part(Call("neg", (part.node,)), part.dimension, at)
        if kind == "number":
            if not math.isfinite(float(value)):
                raise self.fault(f"number {value} is out of range", at)
            return _Part(Number(float(value)), "number", at)
        if kind == "name":
            return self.call(value, at, depth) if self.peek()[1] == "(" else self.landmark(value, at)
        if value == "(":
            part = self.expression(depth + 1)
            self.expect(")")
            return part
        raise self.fault(
            f"expected a landmark, a number or a call, found {value!r}" if kind != "end" else "unexpected end", at
        )

    def landmark(self, id: str, at: int) -> _Part:
        if id not in self.landmarks:
            if id in SIGNATURES:
                raise self.fault(f"function {id!r} needs its arguments in parentheses", at)
            raise self.fault(f"unknown landmark {id!r}", at, hint=suggest(id, self.landmarks))
        self.names[id] = None
        if len(self.names) > MAX_POINTS:
            raise self.fault(f"more than {MAX_POINTS} landmarks", at)
        return _Part(Name(id), "point", at)

    def call(self, function: str, at: int, depth: int) -> _Part:
        if function not in SIGNATURES:
            raise self.fault(f"unknown function {function!r}", at, hint=suggest(function, SIGNATURES))
        result, wanted = SIGNATURES[function]
        self.expect("(")
        arguments = [self.expression(depth + 1)]
        while self.peek()[1] == ",":
            self.take()
            arguments.append(self.expression(depth + 1))
        self.expect(")")
        if len(arguments) != len(wanted):
            raise self.fault(f"{function} takes {len(wanted)} arguments, found {len(arguments)}", at)
        for argument, kind in zip(arguments, wanted, strict=True):
            self.match(function, argument, kind)
        dimension: Dimension
        if result == "same":
            dimension = arguments[0].dimension
            if len(arguments) == 2:
                dimension = self.unify(arguments[0], arguments[1], "compare", at)
        else:
            dimension = "point" if result == _P else "deg" if result == "deg" else "mm" if result == "mm" else "ratio"
        return _Part(Call(function, tuple(part.node for part in arguments)), dimension, at)

    def match(self, function: str, argument: _Part, kind: str) -> None:
        if kind == _P and argument.dimension != "point":
            raise self.fault(f"{function} expects a point here, found {_named(argument.dimension)}", argument.at)
        if kind == _S:
            self.scalar(argument)
        if kind == "constant" and not isinstance(argument.node, Number):
            raise self.fault(f"{function} expects a number of degrees here", argument.at)

    def scalar(self, part: _Part) -> None:
        if part.dimension == "point":
            raise self.fault("expected a number, an angle or a length, found a point", part.at)

    def unify(self, left: _Part, right: _Part, verb: str, at: int) -> Dimension:
        """Dimension of a sum or a comparison: both alike, or one of them a bare number."""
        self.scalar(left)
        self.scalar(right)
        if left.dimension == right.dimension:
            return left.dimension
        bare = "number" in (left.dimension, right.dimension)
        if not bare:
            raise self.fault(f"cannot {verb} {_named(left.dimension)} and {_named(right.dimension)}", at)
        if "mm" in (left.dimension, right.dimension):
            self.needs_scale = True
        return right.dimension if left.dimension == "number" else left.dimension

    def scale(self, left: _Part, right: _Part, sign: str, at: int) -> Dimension:
        """Dimension of a product or a quotient; one of the two must be without unit, or a quotient have like units."""
        self.scalar(left)
        self.scalar(right)
        plain = ("number", "ratio")
        if left.dimension in plain and right.dimension in plain:
            return "number" if left.dimension == right.dimension == "number" else "ratio"
        if right.dimension in plain:
            return left.dimension
        if sign == "*" and left.dimension in plain:
            return right.dimension
        if sign == "/" and left.dimension == right.dimension:
            return "ratio"
        verb = "multiply" if sign == "*" else "divide"
        raise self.fault(f"cannot {verb} {_named(left.dimension)} by {_named(right.dimension)}", at)


def _named(dimension: Dimension) -> str:
    return {"point": "a point", "deg": "an angle", "mm": "a length", "ratio": "a ratio", "number": "a number"}[
        dimension
    ]


def suggest(word: str, known: Collection[str]) -> str:
    """``"Did you mean 'Pog'?"`` when a known word is close to `word`, else an empty string."""
    folded = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), folded, n=3, cutoff=0.6)
    if not close:
        return ""
    return "Did you mean " + " or ".join(repr(folded[name]) for name in close) + "?"
