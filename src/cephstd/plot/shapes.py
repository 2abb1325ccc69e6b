"""What a formula looks like: its structure turned into lines, arcs, dimension lines and feet of perpendiculars.

Works in any picture frame with y down; only constructions that turn a point need to know which way the face looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cephstd.core.arrays import FloatArray
from cephstd.errors import InputError
from cephstd.knowledge.formula import Call, Name, Node, Number
from cephstd.knowledge.loader import load_constructions

TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stroke:
    """A straight line from `start` to `end`; `helper` lines only explain a construction."""

    start: FloatArray
    end: FloatArray
    helper: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Angle:
    """The angle at `corner` between two directions, taken the short way round."""

    corner: FloatArray
    first: FloatArray
    second: FloatArray

    @property
    def degrees(self) -> float:
        """0..180."""
        cross = self.first[0] * self.second[1] - self.first[1] * self.second[0]
        return float(np.degrees(np.arctan2(abs(cross), self.first @ self.second)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Length:
    """A measured distance."""

    start: FloatArray
    end: FloatArray

    @property
    def extent(self) -> float:
        """In the unit of the frame."""
        return float(np.linalg.norm(self.end - self.start))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foot:
    """Where a perpendicular from `source` meets a line of direction `along`."""

    at: FloatArray
    source: FloatArray
    along: FloatArray


Shape = Stroke | Angle | Length | Foot
Window = tuple[float, float, float, float]


class Drafter:
    """Draws formulas on one set of points.

    Parameters
    ----------
    points : mapping of str to (x, y)
        Landmarks, y down.
    window : tuple of float
        Left, top, right, bottom of what can be seen.
    looks_right : bool
        Which way the face looks; decides the sense of turned points.
    """

    def __init__(self, points: Mapping[str, tuple[float, float]], window: Window, looks_right: bool = True) -> None:
        self.points = {id: np.asarray(place, dtype=np.float64) for id, place in points.items()}
        self.window = window
        self.turn = 1.0 if looks_right else -1.0

    def locate(self, node: Node) -> FloatArray:
        """Place of a point of a formula.

        Raises
        ------
        InputError
            When a landmark is not there or a construction is undefined: coincident points, parallel lines.
        """
        if isinstance(node, Name):
            if node.id in self.points:
                return self.points[node.id]
            construction = load_constructions().get(node.id)
            if construction is None:
                raise InputError(f"Expected the landmark {node.id} among the points, found it missing.")
            return self.locate(construction.root)
        if not isinstance(node, Call) or node.function not in _CONSTRUCTIONS:
            raise InputError("Expected a point in the formula, found a number.")
        places = [self.locate(part) for part in node.arguments if not isinstance(part, Number)]
        degrees = [part.value for part in node.arguments if isinstance(part, Number)]
        return _CONSTRUCTIONS[node.function](self.turn, *places, *degrees)

    def explain(self, node: Node) -> Iterator[Shape]:
        """Helper lines of a constructed point, and of the points it is constructed from."""
        if isinstance(node, Name):
            construction = load_constructions().get(node.id)
            if node.id not in self.points and construction is not None:
                yield from self.explain(construction.root)
            return
        if not isinstance(node, Call):
            return
        for part in node.arguments:
            yield from self.explain(part)
        p = [self.locate(part) for part in node.arguments if not isinstance(part, Number)]
        at = self.locate(node)
        if node.function == "xs":
            yield _through(p[0], p[1], at, helper=True)
            yield _through(p[2], p[3], at, helper=True)
        elif node.function == "foot":
            yield _through(p[1], p[2], at, helper=True)
            yield Stroke(start=p[0], end=at, helper=True, dashed=True)
            yield Foot(at=at, source=p[0], along=p[2] - p[1])
        elif node.function in ("mid", "para", "perp", "rotp"):
            yield Stroke(start=p[0], end=p[1] if node.function == "mid" else at, helper=True, dashed=True)

    def draft(self, node: Node) -> Iterator[tuple[int, Shape]]:
        """Shapes of a formula, each with the number of the term it belongs to, first = 0."""
        for term, call in enumerate(_find_terms(node)):
            for part in call.arguments:
                for shape in self.explain(part):
                    yield term, shape
            for shape in _TERMS[call.function](self, *(self.locate(part) for part in call.arguments)):
                yield term, shape

    def sees(self, point: FloatArray, margin: float = 0.04) -> bool:
        """True when `point` lies well inside the window."""
        left, top, right, bottom = self.window
        keep = margin * min(right - left, bottom - top)
        return bool(left + keep < point[0] < right - keep and top + keep < point[1] < bottom - keep)

    def _corner(self, p: FloatArray, v: FloatArray, q: FloatArray) -> Iterator[Shape]:
        _expect_direction(p - v, q - v)
        yield Stroke(start=v, end=p)
        yield Stroke(start=v, end=q)
        yield Angle(corner=v, first=p - v, second=q - v)

    def _lines(self, p: FloatArray, q: FloatArray, r: FloatArray, t: FloatArray) -> Iterator[Shape]:
        """Angle between directed lines: where they meet, or else at a parallel through the second line's start."""
        first, second = q - p, t - r
        _expect_direction(first, second)
        meeting = _cross(p, q, r, t)
        if meeting is not None and self.sees(meeting):
            yield _through(p, q, meeting)
            yield _through(r, t, meeting)
            yield Angle(corner=meeting, first=first, second=second)
            return
        yield _through(p, q, p)
        yield _through(r, t, r)
        yield Stroke(start=r, end=r + first * (np.linalg.norm(second) / np.linalg.norm(first)), dashed=True)
        yield Angle(corner=r, first=first, second=second)

    def _distance(self, p: FloatArray, q: FloatArray) -> Iterator[Shape]:
        yield Length(start=p, end=q)

    def _projection(self, p: FloatArray, q: FloatArray, r: FloatArray, t: FloatArray) -> Iterator[Shape]:
        feet = _drop(p, r, t), _drop(q, r, t)
        yield _through(r, t, *feet)
        for point, foot in zip((p, q), feet, strict=True):
            if np.linalg.norm(point - foot) > TINY:
                yield Stroke(start=point, end=foot, dashed=True)
                yield Foot(at=foot, source=point, along=t - r)
        yield Length(start=feet[0], end=feet[1])

    def _offset(self, x: FloatArray, p: FloatArray, q: FloatArray) -> Iterator[Shape]:
        foot = _drop(x, p, q)
        yield _through(p, q, foot)
        yield Foot(at=foot, source=x, along=q - p)
        yield Length(start=x, end=foot)

    def _drop_below(self, p: FloatArray, q: FloatArray, r: FloatArray, t: FloatArray) -> Iterator[Shape]:
        level = _drop(q, p, p + (t - r))
        yield _through(r, t, r)
        yield Stroke(start=p, end=level, dashed=True)
        yield Foot(at=level, source=q, along=t - r)
        yield Length(start=level, end=q)


_TERMS: dict[str, Callable[..., Iterator[Shape]]] = {
    "ang": Drafter._corner,
    "dang": Drafter._lines,
    "sang": Drafter._lines,
    "dist": Drafter._distance,
    "comp": Drafter._projection,
    "pla": Drafter._offset,
    "pls": Drafter._offset,
    "down": Drafter._drop_below,
}


def _find_terms(node: Node) -> Iterator[Call]:
    """Angles and lengths of a formula, from left to right; a term that occurs twice is drawn once."""
    seen: dict[Call, None] = {}

    def walk(part: Node) -> None:
        if isinstance(part, Call):
            if part.function in _TERMS:
                seen[part] = None
                return
            for inner in part.arguments:
                walk(inner)

    walk(node)
    yield from seen


def _expect_direction(*vectors: FloatArray) -> None:
    if not all(vector.any() for vector in vectors):
        raise InputError("Expected a line through two points, found both at one place.")


def _cross(p: FloatArray, q: FloatArray, r: FloatArray, t: FloatArray) -> FloatArray | None:
    d, e, w = q - p, t - r, r - p
    across = d[0] * e[1] - d[1] * e[0]
    if abs(across) < TINY * np.linalg.norm(d) * np.linalg.norm(e) or not d.any() or not e.any():
        return None
    return np.asarray(p + (w[0] * e[1] - w[1] * e[0]) / across * d, dtype=np.float64)


def _meet(turn: float, p: FloatArray, q: FloatArray, r: FloatArray, t: FloatArray) -> FloatArray:
    at = _cross(p, q, r, t)
    if at is None:
        raise InputError("Expected two lines that cross, found them parallel or without direction.")
    return at


def _drop(x: FloatArray, p: FloatArray, q: FloatArray) -> FloatArray:
    """Foot of the perpendicular from `x` on the line through `p` and `q`."""
    along = q - p
    _expect_direction(along)
    return np.asarray(p + ((x - p) @ along) / (along @ along) * along, dtype=np.float64)


def _rotate(turn: float, centre: FloatArray, point: FloatArray, degrees: float) -> FloatArray:
    # anticlockwise seen with the face to the right and y up; here y is down
    angle = -np.radians(degrees) * turn
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(centre + np.array([[cos, -sin], [sin, cos]]) @ (point - centre), dtype=np.float64)


_CONSTRUCTIONS: dict[str, Callable[..., FloatArray]] = {
    "xs": _meet,
    "mid": lambda turn, p, q: (p + q) / 2,
    "foot": lambda turn, x, p, q: _drop(x, p, q),
    "para": lambda turn, x, p, q: x + (q - p),
    "perp": lambda turn, x, p, q: _rotate(turn, x, x + (q - p), 90.0),
    "rotp": _rotate,
}


def _through(p: FloatArray, q: FloatArray, *others: FloatArray, helper: bool = False) -> Stroke:
    """Line through `p` and `q`, as long as it takes to hold `others` and a little more."""
    along = q - p
    _expect_direction(along)
    at = [0.0, 1.0, *(float((other - p) @ along / (along @ along)) for other in others)]
    more = 0.0 if helper else 0.1
    span = max(at) - min(at)
    return Stroke(start=p + (min(at) - more * span) * along, end=p + (max(at) + more * span) * along, helper=helper)
