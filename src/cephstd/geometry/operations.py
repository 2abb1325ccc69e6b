"""What each instruction does to a block of films, and its derivative. Compiled into `cephstd.geometry.kernels`.

An absent value is NaN here. A register is a row of 2 * `LANES`: the numbers or the x of as many films, then their y; of
a number that is divided by a length the second half keeps the inverse, from which its derivatives follow. `frame` holds
per film the turn of the picture (+1 when the axes run anticlockwise seen with the face to the right, else -1) and the
anterior and superior unit vectors.

Both halves lie in one row, at a distance that the compiler knows, and derivatives go through a small buffer: so it
needs few checks for overlap, and turns the loops into vector instructions.
"""

# ruff: noqa: PLR0124, PLR0912, PLR0915, PLR0917, PLR1714, SIM109
# (one loop over opcodes is long by nature, compiled code takes its arrays one by one, and asks for NaN by x != x)

from __future__ import annotations

import math

import numpy as np

from cephstd.geometry import program as op
from cephstd.geometry.compiler import inlined, spliced

LANES = 64
PITCH = 2 * LANES + 8  # of a row, so that rows do not all fall on the same few places of the cache

_DEG = 180.0 / math.pi
_NAN = math.nan
_FLAT2 = 1e-18  # squared sine below which lines are parallel
_QUARTER, _HALF, _WHOLE = math.pi / 4.0, math.pi / 2.0, math.pi
_STEEP = math.sqrt(2.0) - 1.0  # tan 22.5 deg

_MID, _XS, _FOOT, _PARA, _PERP, _ROTP, _CHOOSE = op.MID, op.XS, op.FOOT, op.PARA, op.PERP, op.ROTP, op.CHOOSE
_CONST, _DANG, _SANG, _DIST, _COMP, _PLA, _PLS = op.CONST, op.DANG, op.SANG, op.DIST, op.COMP, op.PLA, op.PLS
_ADD, _SUB, _MUL, _DIV, _NEG, _ABS = op.ADD, op.SUB, op.MUL, op.DIV, op.NEG, op.ABS
_SGN, _MIN, _MAX = op.SGN, op.MIN, op.MAX


@inlined
def _angle(y, x):  # type: ignore[no-untyped-def]
    """As `math.atan2`, in operations that the compiler turns into vector instructions; NaN for (0, 0).

    Within the octant, and turned by 45 deg when steeper than 22.5 deg, atan t = t + t^3 Q(t^2). Q is the Chebyshev
    approximation of degree 10 of (atan(t) / t - 1) / t^2 over t^2 in [0, tan^2 22.5 deg], computed for this place with
    40 digits. It errs by 6e-18 of the angle; with the rounding of double precision, by less than 5e-16 (a test asks).
    """
    ax, ay = abs(x), abs(y)
    upright = not (ax > ay)
    large, small = (ay, ax) if upright else (ax, ay)
    steep = small > _STEEP * large
    t = (small - large if steep else small) / (small + large if steep else large)
    s = t * t
    q = -0.01917688711906226
    q = q * s + 0.03923165829558719
    q = q * s - 0.0508544973794026
    q = q * s + 0.0585814891280221
    q = q * s - 0.06664511447381948
    q = q * s + 0.07692183190826087
    q = q * s - 0.09090904578123903
    q = q * s + 0.11111111015256361
    q = q * s - 0.14285714284666542
    q = q * s + 0.1999999999999552
    q = q * s - 0.3333333333333333
    angle = t + t * s * q
    angle = _QUARTER + angle if steep else angle
    angle = _HALF - angle if upright else angle
    angle = _WHOLE - angle if x < 0.0 else angle
    return math.copysign(angle, y)


@inlined
def forward(opcodes, operands, constants, n_inputs, z, frame, tiny):  # type: ignore[no-untyped-def]
    """Run every instruction on one block."""
    for i in range(len(opcodes)):
        code = opcodes[i]
        r = n_inputs + i
        a, b, c, d = operands[i, 0], operands[i, 1], operands[i, 2], operands[i, 3]
        if code == _DANG:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                vx, vy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                uu, vv = ux * ux + uy * uy, vx * vx + vy * vy
                angle = _angle(abs(ux * vy - uy * vx), ux * vx + uy * vy)
                z[r, k] = _NAN if (uu <= tiny[k]) | (vv <= tiny[k]) else angle * _DEG
                z[r, LANES + k] = 1.0 / (uu * vv)
        elif code == _SANG:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                vx, vy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                uu, vv = ux * ux + uy * uy, vx * vx + vy * vy
                angle = frame[0, k] * _angle(ux * vy - uy * vx, ux * vx + uy * vy)
                z[r, k] = _NAN if (uu <= tiny[k]) | (vv <= tiny[k]) else angle * _DEG
                z[r, LANES + k] = 1.0 / (uu * vv)
        elif code == _DIST:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                length = math.sqrt(ux * ux + uy * uy)
                z[r, k] = length
                z[r, LANES + k] = 1.0 / length
        elif code == _COMP:
            for k in range(LANES):
                dx, dy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                square = dx * dx + dy * dy
                along = (z[b, k] - z[a, k]) * dx + (z[b, LANES + k] - z[a, LANES + k]) * dy
                inverse = 1.0 / math.sqrt(square)
                z[r, k] = _NAN if square <= tiny[k] else along * inverse
                z[r, LANES + k] = inverse
        elif code == _PLA or code == _PLS:
            anterior = code == _PLA
            for k in range(LANES):
                fx = frame[1, k] if anterior else frame[3, k]
                fy = frame[2, k] if anterior else frame[4, k]
                dx, dy = z[c, k] - z[b, k], z[c, LANES + k] - z[b, LANES + k]
                square = dx * dx + dy * dy
                cross = dx * (z[a, LANES + k] - z[b, LANES + k]) - dy * (z[a, k] - z[b, k])
                side = dx * fy - dy * fx
                lost = (square <= tiny[k]) | (side * side <= _FLAT2 * square) | (side != side)
                inverse = (1.0 if side > 0.0 else -1.0) / math.sqrt(square)
                z[r, k] = _NAN if lost else cross * inverse
                z[r, LANES + k] = inverse
        elif code == _SUB:
            for k in range(LANES):
                z[r, k] = z[a, k] - z[b, k]
        elif code == _ADD:
            for k in range(LANES):
                z[r, k] = z[a, k] + z[b, k]
        elif code == _MUL:
            for k in range(LANES):
                z[r, k] = z[a, k] * z[b, k]
        elif code == _DIV:
            for k in range(LANES):
                lost = abs(z[b, k]) <= 1e-12 * abs(z[a, k])
                z[r, k] = _NAN if lost else z[a, k] / z[b, k]
        elif code == _NEG:
            for k in range(LANES):
                z[r, k] = -z[a, k]
        elif code == _ABS:
            for k in range(LANES):
                z[r, k] = abs(z[a, k])
        elif code == _SGN:
            for k in range(LANES):
                v = z[a, k]
                up = 1.0 if v > 0.0 else 0.0
                down = 1.0 if v < 0.0 else 0.0
                z[r, k] = _NAN if v != v else up - down
        elif code == _MIN or code == _MAX:
            for k in range(LANES):
                v, w = z[a, k], z[b, k]
                first = v <= w if code == _MIN else v >= w
                z[r, k] = v if first | (v != v) else w
        elif code == _CONST:
            for k in range(LANES):
                z[r, k] = constants[i, 0]
        elif code == _MID:
            for k in range(LANES):
                z[r, k] = 0.5 * (z[a, k] + z[b, k])
                z[r, LANES + k] = 0.5 * (z[a, LANES + k] + z[b, LANES + k])
        elif code == _CHOOSE:
            for k in range(LANES):
                marked = z[a, k] == z[a, k]
                z[r, k] = z[a, k] if marked else z[b, k]
                z[r, LANES + k] = z[a, LANES + k] if marked else z[b, LANES + k]
        elif code == _XS:
            for k in range(LANES):
                dx, dy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                ex, ey = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                dd, ee, cross = dx * dx + dy * dy, ex * ex + ey * ey, dx * ey - dy * ex
                lost = (dd <= tiny[k]) | (ee <= tiny[k]) | (cross * cross <= _FLAT2 * dd * ee)
                t = ((z[c, k] - z[a, k]) * ey - (z[c, LANES + k] - z[a, LANES + k]) * ex) / cross
                z[r, k] = _NAN if lost else z[a, k] + t * dx
                z[r, LANES + k] = _NAN if lost else z[a, LANES + k] + t * dy
        elif code == _FOOT:
            for k in range(LANES):
                dx, dy = z[c, k] - z[b, k], z[c, LANES + k] - z[b, LANES + k]
                square = dx * dx + dy * dy
                t = ((z[a, k] - z[b, k]) * dx + (z[a, LANES + k] - z[b, LANES + k]) * dy) / square
                z[r, k] = _NAN if square <= tiny[k] else z[b, k] + t * dx
                z[r, LANES + k] = _NAN if square <= tiny[k] else z[b, LANES + k] + t * dy
        elif code == _PARA:
            for k in range(LANES):
                z[r, k] = z[a, k] + z[c, k] - z[b, k]
                z[r, LANES + k] = z[a, LANES + k] + z[c, LANES + k] - z[b, LANES + k]
        elif code == _PERP:
            for k in range(LANES):
                z[r, k] = z[a, k] - frame[0, k] * (z[c, LANES + k] - z[b, LANES + k])
                z[r, LANES + k] = z[a, LANES + k] + frame[0, k] * (z[c, k] - z[b, k])
        else:  # ROTP
            cosine, sine = constants[i, 0], constants[i, 1]
            for k in range(LANES):
                ux, uy, turned = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k], frame[0, k] * sine
                z[r, k] = z[a, k] + cosine * ux - turned * uy
                z[r, LANES + k] = z[a, LANES + k] + turned * ux + cosine * uy


# What each operand of an instruction is handed: the first row of `parts`, of the two that a point has, and the sign.
_OWN = ((0, 1.0), (2, 1.0), (4, 1.0), (6, 1.0))
_ENDS = ((0, -1.0), (0, 1.0), (2, -1.0), (2, 1.0))  # of the differences b - a and d - c
_HANDED = {
    **dict.fromkeys((op.DANG, op.SANG, op.DIST, op.COMP), _ENDS),
    op.MID: ((0, 1.0), (0, 1.0), *_OWN[2:]),
    op.PARA: ((0, 1.0), (0, -1.0), (0, 1.0), _OWN[3]),
    op.PERP: ((0, 1.0), (2, -1.0), (2, 1.0), _OWN[3]),
}
_HANDED_BY_CODE = [_HANDED.get(code, _OWN) for code in range(max(op.KINDS) + 1)]
_ROWS = np.array([[row for row, _ in handed] for handed in _HANDED_BY_CODE])
_SIGNS = np.array([[sign for _, sign in handed] for handed in _HANDED_BY_CODE])


@spliced
def backward(steps, places, opcodes, operands, constants, n_inputs, z, frame, g, parts):  # type: ignore[no-untyped-def]
    """Derivatives of one measure by every register that it rests on, into the rows of `g`, in the order of `steps`.

    Signs that come from the anatomical frame are constant: they change only where the value is undefined. A point that
    a construction did not use has derivative 0 and may be NaN, so points pass on nothing where their derivative is 0.
    Every instruction writes into `parts`, a buffer for four points, (8 * LANES,), what is then handed to its operands:
    as the first thing that they get, or on top of what they have (`places`).
    """
    for k in range(LANES):
        g[0, k] = 1.0
    for s in range(len(steps)):
        r = steps[s]
        if r < n_inputs:
            break
        i = r - n_inputs
        code = opcodes[i]
        a, b, c, d = operands[i, 0], operands[i, 1], operands[i, 2], operands[i, 3]
        if code == _DANG or code == _SANG:
            signed = code == _SANG
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                vx, vy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                opens = 1.0 if ux * vy - uy * vx >= 0.0 else -1.0
                slope = g[s, k] * z[r, LANES + k] * _DEG * (frame[0, k] if signed else opens)
                gu, gv = slope * (vx * vx + vy * vy), slope * (ux * ux + uy * uy)
                parts[k], parts[LANES + k] = gu * uy, -gu * ux
                parts[2 * LANES + k], parts[3 * LANES + k] = -gv * vy, gv * vx
        elif code == _DIST:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                slope = g[s, k] * z[r, LANES + k]
                parts[k], parts[LANES + k] = slope * ux, slope * uy
        elif code == _COMP:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                dx, dy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                slope = g[s, k] * z[r, LANES + k]
                share = (ux * dx + uy * dy) * (z[r, LANES + k] * z[r, LANES + k])
                parts[k], parts[LANES + k] = slope * dx, slope * dy
                parts[2 * LANES + k], parts[3 * LANES + k] = slope * (ux - share * dx), slope * (uy - share * dy)
        elif code == _PLA or code == _PLS:
            for k in range(LANES):
                dx, dy = z[c, k] - z[b, k], z[c, LANES + k] - z[b, LANES + k]
                wx, wy = z[a, k] - z[b, k], z[a, LANES + k] - z[b, LANES + k]
                slope = g[s, k] * z[r, LANES + k]
                share = (dx * wy - dy * wx) * (z[r, LANES + k] * z[r, LANES + k])
                px, py = -slope * dy, slope * dx
                qx, qy = slope * (wy - share * dx), -slope * (wx + share * dy)
                parts[k], parts[LANES + k] = px, py
                parts[2 * LANES + k], parts[3 * LANES + k] = -px - qx, -py - qy
                parts[4 * LANES + k], parts[5 * LANES + k] = qx, qy
        elif code == _SUB or code == _ADD:
            sign = 1.0 if code == _ADD else -1.0
            for k in range(LANES):
                parts[k] = g[s, k]
                parts[2 * LANES + k] = sign * g[s, k]
        elif code == _MUL:
            for k in range(LANES):
                parts[k] = g[s, k] * z[b, k]
                parts[2 * LANES + k] = g[s, k] * z[a, k]
        elif code == _DIV:
            for k in range(LANES):
                slope = g[s, k] / z[b, k]
                parts[k] = slope
                parts[2 * LANES + k] = -slope * z[r, k]
        elif code == _NEG:
            for k in range(LANES):
                parts[k] = -g[s, k]
        elif code == _ABS:
            for k in range(LANES):
                parts[k] = g[s, k] if z[a, k] >= 0.0 else -g[s, k]
        elif code == _SGN:
            for k in range(LANES):
                parts[k] = 0.0
        elif code == _MIN or code == _MAX:
            for k in range(LANES):
                first = z[a, k] <= z[b, k] if code == _MIN else z[a, k] >= z[b, k]
                parts[k] = g[s, k] if first else 0.0
                parts[2 * LANES + k] = 0.0 if first else g[s, k]
        elif code == _MID:
            for k in range(LANES):
                parts[k], parts[LANES + k] = 0.5 * g[s, k], 0.5 * g[s, LANES + k]
        elif code == _CHOOSE:
            for k in range(LANES):
                marked = z[a, k] == z[a, k]
                parts[k] = g[s, k] if marked else 0.0
                parts[LANES + k] = g[s, LANES + k] if marked else 0.0
                parts[2 * LANES + k] = 0.0 if marked else g[s, k]
                parts[3 * LANES + k] = 0.0 if marked else g[s, LANES + k]
        elif code == _XS:
            for k in range(LANES):
                used = (g[s, k] != 0.0) | (g[s, LANES + k] != 0.0)
                dx, dy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                ex, ey = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                wx, wy = z[c, k] - z[a, k], z[c, LANES + k] - z[a, LANES + k]
                cross = dx * ey - dy * ex
                t, u = (wx * ey - wy * ex) / cross, (wx * dy - wy * dx) / cross
                p = (g[s, k] * ex + g[s, LANES + k] * ey) / cross
                q = -(g[s, k] * dx + g[s, LANES + k] * dy) / cross
                pt, qu = p * t, q * u
                parts[k] = -(p - pt) * dy if used else 0.0
                parts[LANES + k] = (p - pt) * dx if used else 0.0
                parts[2 * LANES + k] = -pt * dy if used else 0.0
                parts[3 * LANES + k] = pt * dx if used else 0.0
                parts[4 * LANES + k] = -(q - qu) * ey if used else 0.0
                parts[5 * LANES + k] = (q - qu) * ex if used else 0.0
                parts[6 * LANES + k] = -qu * ey if used else 0.0
                parts[7 * LANES + k] = qu * ex if used else 0.0
        elif code == _FOOT:
            for k in range(LANES):
                used = (g[s, k] != 0.0) | (g[s, LANES + k] != 0.0)
                dx, dy = z[c, k] - z[b, k], z[c, LANES + k] - z[b, LANES + k]
                wx, wy = z[a, k] - z[b, k], z[a, LANES + k] - z[b, LANES + k]
                square = dx * dx + dy * dy
                t = (wx * dx + wy * dy) / square
                q = (g[s, k] * dx + g[s, LANES + k] * dy) / square
                px, py = q * dx, q * dy
                qx, qy = t * g[s, k] + q * (wx - 2.0 * t * dx), t * g[s, LANES + k] + q * (wy - 2.0 * t * dy)
                parts[k], parts[LANES + k] = px if used else 0.0, py if used else 0.0
                parts[2 * LANES + k] = g[s, k] - px - qx if used else 0.0
                parts[3 * LANES + k] = g[s, LANES + k] - py - qy if used else 0.0
                parts[4 * LANES + k], parts[5 * LANES + k] = qx if used else 0.0, qy if used else 0.0
        elif code == _PARA:
            for k in range(LANES):
                parts[k], parts[LANES + k] = g[s, k], g[s, LANES + k]
        elif code == _PERP:
            for k in range(LANES):
                used = (g[s, k] != 0.0) | (g[s, LANES + k] != 0.0)
                turn = frame[0, k] if used else 0.0
                parts[k], parts[LANES + k] = g[s, k], g[s, LANES + k]
                parts[2 * LANES + k], parts[3 * LANES + k] = turn * g[s, LANES + k], -turn * g[s, k]
        elif code == _ROTP:
            cosine, sine = constants[i, 0], constants[i, 1]
            for k in range(LANES):
                used = (g[s, k] != 0.0) | (g[s, LANES + k] != 0.0)
                turned = frame[0, k] * sine if used else 0.0
                px, py = cosine * g[s, k] + turned * g[s, LANES + k], cosine * g[s, LANES + k] - turned * g[s, k]
                parts[k], parts[LANES + k] = g[s, k] - px, g[s, LANES + k] - py
                parts[2 * LANES + k], parts[3 * LANES + k] = px, py
        for q in range(4):
            to = places[s, q]
            if to == 0:
                break
            start, sign = _ROWS[code, q] * LANES, _SIGNS[code, q]
            part, row = parts[start : start + 2 * LANES], g[abs(to)]
            if to < 0:
                for k in range(2 * LANES):
                    row[k] = sign * part[k]
            else:
                for k in range(2 * LANES):
                    row[k] += sign * part[k]
