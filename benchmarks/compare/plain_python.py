"""The reference's way: plain Python, one film at a time, formulas as expressions over small functions."""

from __future__ import annotations

import math
import re

from cephstd.geometry.program import ANTERIOR_PAIRS, SUPERIOR_PAIRS

TILT = math.radians(-7.0)


class Evaluator:
    """Points of one film as complex numbers: x anterior, y superior, mm."""

    def __init__(self, points, mm_per_px, constructions):
        z = {id: complex(*point) * mm_per_px for id, point in points.items()}
        above = next(z[p] - z[q] for p, q in SUPERIOR_PAIRS if p in z and q in z)
        ends, along = next(((p, q), z[q] - z[p]) for p, q in ANTERIOR_PAIRS if p in z and q in z)
        mirrored = (along.conjugate() * above).imag < 0
        if mirrored:
            z, along = {id: point.conjugate() for id, point in z.items()}, along.conjugate()
        if ends == ("S", "N"):
            along *= complex(math.cos(TILT), math.sin(TILT))
        turn = along.conjugate() / abs(along)
        self.z = {id: point * turn for id, point in z.items()}
        self.constructions = constructions

    def point(self, id):
        if id not in self.z:
            self.z[id] = self.evaluate(self.constructions[id])
        return self.z[id]

    def evaluate(self, formula):
        names = set(re.findall(r"[A-Za-z_]\w*", formula)) - FUNCTIONS.keys()
        return eval(formula, {"__builtins__": {}}, FUNCTIONS | {name: self.point(name) for name in names})


def _turn(u, v):
    w = u.conjugate() * v
    return math.degrees(math.atan2(w.imag, w.real))


def _height(x, p, q, axis):
    normal = 1j * (q - p) / abs(q - p)
    sign = normal.real if axis == 0 else normal.imag
    height = ((x - p) * normal.conjugate()).real
    return height if sign > 0 else -height


def _cross(p, q, r, t):
    d, e = q - p, t - r
    return p + ((r - p).conjugate() * e).imag / (d.conjugate() * e).imag * d


FUNCTIONS = {
    "ang": lambda p, v, q: abs(_turn(p - v, q - v)),
    "dang": lambda p, q, r, t: abs(_turn(q - p, t - r)),
    "sang": lambda p, q, r, t: _turn(q - p, t - r),
    "dist": lambda p, q: abs(q - p),
    "comp": lambda p, q, r, t: ((q - p) * (t - r).conjugate()).real / abs(t - r),
    "pla": lambda x, p, q: _height(x, p, q, 0),
    "pls": lambda x, p, q: _height(x, p, q, 1),
    "down": lambda p, q, r, t: _height(p, r, t, 1) - _height(q, r, t, 1),
    "xs": _cross,
    "mid": lambda p, q: (p + q) / 2,
    "foot": lambda x, p, q: p + ((x - p) * (q - p).conjugate()).real / abs(q - p) ** 2 * (q - p),
    "para": lambda x, p, q: x + q - p,
    "perp": lambda x, p, q: x + 1j * (q - p),
    "rotp": lambda c, p, turn: c + (p - c) * complex(math.cos(math.radians(turn)), math.sin(math.radians(turn))),
    "minv": min,
    "maxv": max,
    "absv": abs,
    "sgn": lambda value: (value > 0) - (value < 0),
}
