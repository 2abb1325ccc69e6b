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

from cephstd.geometry import program as op
from cephstd.geometry.compiler import inlined

LANES = 32

_DEG = 180.0 / math.pi
_NAN = math.nan
_FLAT2 = 1e-18  # squared sine below which lines are parallel

_MID, _XS, _FOOT, _PARA, _PERP, _ROTP, _CHOOSE = op.MID, op.XS, op.FOOT, op.PARA, op.PERP, op.ROTP, op.CHOOSE
_CONST, _DANG, _SANG, _DIST, _COMP, _PLA, _PLS = op.CONST, op.DANG, op.SANG, op.DIST, op.COMP, op.PLA, op.PLS
_ADD, _SUB, _MUL, _DIV, _NEG, _ABS = op.ADD, op.SUB, op.MUL, op.DIV, op.NEG, op.ABS
_SGN, _MIN, _MAX = op.SGN, op.MIN, op.MAX


@inlined
def forward(opcodes, operands, constants, n_inputs, z, frame, tiny):  # type: ignore[no-untyped-def]
    """Run every instruction on one block."""
    for i in range(len(opcodes)):
        code = opcodes[i]
        r = n_inputs + i
        a, b, c, d = operands[i, 0], operands[i, 1], operands[i, 2], operands[i, 3]
        if code == _DANG or code == _SANG:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                vx, vy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                short = (ux * ux + uy * uy <= tiny[k]) | (vx * vx + vy * vy <= tiny[k])
                z[r, k] = _NAN if short else ux * vy - uy * vx
                z[r, LANES + k] = ux * vx + uy * vy
            if code == _DANG:
                for k in range(LANES):
                    z[r, k] = math.atan2(abs(z[r, k]), z[r, LANES + k]) * _DEG
            else:
                for k in range(LANES):
                    z[r, k] = frame[0, k] * math.atan2(z[r, k], z[r, LANES + k]) * _DEG
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                vx, vy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                z[r, LANES + k] = 1.0 / ((ux * ux + uy * uy) * (vx * vx + vy * vy))
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


@inlined
def _pass_on(g, to, parts, row):  # type: ignore[no-untyped-def]
    """Add the point that `parts` holds from `row` on to the derivative by register `to`."""
    for k in range(LANES):
        g[to, k] += parts[row + k]
    for k in range(LANES):
        g[to, LANES + k] += parts[row + LANES + k]


@inlined
def _pass_difference(g, head, tail, parts, row):  # type: ignore[no-untyped-def]
    """Add the point that `parts` holds from `row` on to register `head` and take it from `tail`."""
    for k in range(LANES):
        g[head, k] += parts[row + k]
        g[head, LANES + k] += parts[row + LANES + k]
    for k in range(LANES):
        g[tail, k] -= parts[row + k]
        g[tail, LANES + k] -= parts[row + LANES + k]


@inlined
def backward(steps, opcodes, operands, constants, n_inputs, z, frame, g, parts):  # type: ignore[no-untyped-def]
    """Derivatives of one measure (the last of its `steps`) by every register that it rests on, into `g`.

    Signs that come from the anatomical frame are constant: they change only where the value is undefined. A point that
    a construction did not use has derivative 0 and may be NaN, so points pass on nothing where their derivative is 0.
    `parts` is a buffer for four points, (8 * LANES,).
    """
    for s in range(len(steps)):
        r = steps[s]
        for k in range(LANES):
            g[r, k] = 0.0
            g[r, LANES + k] = 0.0
    r = steps[-1]
    for k in range(LANES):
        g[r, k] = 1.0
    for s in range(len(steps) - 1, -1, -1):
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
                slope = g[r, k] * z[r, LANES + k] * _DEG * (frame[0, k] if signed else opens)
                gu, gv = slope * (vx * vx + vy * vy), slope * (ux * ux + uy * uy)
                parts[k], parts[LANES + k] = gu * uy, -gu * ux
                parts[2 * LANES + k], parts[3 * LANES + k] = -gv * vy, gv * vx
            _pass_difference(g, b, a, parts, 0)
            _pass_difference(g, d, c, parts, 2 * LANES)
        elif code == _DIST:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                slope = g[r, k] * z[r, LANES + k]
                parts[k], parts[LANES + k] = slope * ux, slope * uy
            _pass_difference(g, b, a, parts, 0)
        elif code == _COMP:
            for k in range(LANES):
                ux, uy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                dx, dy = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                slope = g[r, k] * z[r, LANES + k]
                share = (ux * dx + uy * dy) * (z[r, LANES + k] * z[r, LANES + k])
                parts[k], parts[LANES + k] = slope * dx, slope * dy
                parts[2 * LANES + k], parts[3 * LANES + k] = slope * (ux - share * dx), slope * (uy - share * dy)
            _pass_difference(g, b, a, parts, 0)
            _pass_difference(g, d, c, parts, 2 * LANES)
        elif code == _PLA or code == _PLS:
            for k in range(LANES):
                dx, dy = z[c, k] - z[b, k], z[c, LANES + k] - z[b, LANES + k]
                wx, wy = z[a, k] - z[b, k], z[a, LANES + k] - z[b, LANES + k]
                slope = g[r, k] * z[r, LANES + k]
                share = (dx * wy - dy * wx) * (z[r, LANES + k] * z[r, LANES + k])
                parts[k], parts[LANES + k] = -slope * dy, slope * dx
                parts[2 * LANES + k], parts[3 * LANES + k] = slope * (wy - share * dx), -slope * (wx + share * dy)
            _pass_difference(g, a, b, parts, 0)
            _pass_difference(g, c, b, parts, 2 * LANES)
        elif code == _SUB or code == _ADD:
            sign = 1.0 if code == _ADD else -1.0
            for k in range(LANES):
                g[a, k] += g[r, k]
            for k in range(LANES):
                g[b, k] += sign * g[r, k]
        elif code == _MUL:
            for k in range(LANES):
                g[a, k] += g[r, k] * z[b, k]
            for k in range(LANES):
                g[b, k] += g[r, k] * z[a, k]
        elif code == _DIV:
            for k in range(LANES):
                parts[k] = g[r, k] / z[b, k]
            for k in range(LANES):
                g[a, k] += parts[k]
            for k in range(LANES):
                g[b, k] -= parts[k] * z[r, k]
        elif code == _NEG:
            for k in range(LANES):
                g[a, k] -= g[r, k]
        elif code == _ABS:
            for k in range(LANES):
                g[a, k] += g[r, k] if z[a, k] >= 0.0 else -g[r, k]
        elif code == _MIN or code == _MAX:
            for k in range(LANES):
                first = z[a, k] <= z[b, k] if code == _MIN else z[a, k] >= z[b, k]
                g[a, k] += g[r, k] if first else 0.0
                g[b, k] += 0.0 if first else g[r, k]
        elif code == _MID:
            for k in range(LANES):
                parts[k], parts[LANES + k] = 0.5 * g[r, k], 0.5 * g[r, LANES + k]
            _pass_on(g, a, parts, 0)
            _pass_on(g, b, parts, 0)
        elif code == _CHOOSE:
            for k in range(LANES):
                marked = z[a, k] == z[a, k]
                parts[k] = g[r, k] if marked else 0.0
                parts[LANES + k] = g[r, LANES + k] if marked else 0.0
                parts[2 * LANES + k] = 0.0 if marked else g[r, k]
                parts[3 * LANES + k] = 0.0 if marked else g[r, LANES + k]
            _pass_on(g, a, parts, 0)
            _pass_on(g, b, parts, 2 * LANES)
        elif code == _XS:
            for k in range(LANES):
                used = (g[r, k] != 0.0) | (g[r, LANES + k] != 0.0)
                dx, dy = z[b, k] - z[a, k], z[b, LANES + k] - z[a, LANES + k]
                ex, ey = z[d, k] - z[c, k], z[d, LANES + k] - z[c, LANES + k]
                wx, wy = z[c, k] - z[a, k], z[c, LANES + k] - z[a, LANES + k]
                cross = dx * ey - dy * ex
                t, u = (wx * ey - wy * ex) / cross, (wx * dy - wy * dx) / cross
                p = (g[r, k] * ex + g[r, LANES + k] * ey) / cross
                q = -(g[r, k] * dx + g[r, LANES + k] * dy) / cross
                pt, qu = p * t, q * u
                parts[k] = -(p - pt) * dy if used else 0.0
                parts[LANES + k] = (p - pt) * dx if used else 0.0
                parts[2 * LANES + k] = -pt * dy if used else 0.0
                parts[3 * LANES + k] = pt * dx if used else 0.0
                parts[4 * LANES + k] = -(q - qu) * ey if used else 0.0
                parts[5 * LANES + k] = (q - qu) * ex if used else 0.0
                parts[6 * LANES + k] = -qu * ey if used else 0.0
                parts[7 * LANES + k] = qu * ex if used else 0.0
            _pass_on(g, a, parts, 0)
            _pass_on(g, b, parts, 2 * LANES)
            _pass_on(g, c, parts, 4 * LANES)
            _pass_on(g, d, parts, 6 * LANES)
        elif code == _FOOT:
            for k in range(LANES):
                used = (g[r, k] != 0.0) | (g[r, LANES + k] != 0.0)
                dx, dy = z[c, k] - z[b, k], z[c, LANES + k] - z[b, LANES + k]
                wx, wy = z[a, k] - z[b, k], z[a, LANES + k] - z[b, LANES + k]
                square = dx * dx + dy * dy
                t = (wx * dx + wy * dy) / square
                q = (g[r, k] * dx + g[r, LANES + k] * dy) / square
                parts[k] = q * dx if used else 0.0
                parts[LANES + k] = q * dy if used else 0.0
                parts[2 * LANES + k] = t * g[r, k] + q * (wx - 2.0 * t * dx) if used else 0.0
                parts[3 * LANES + k] = t * g[r, LANES + k] + q * (wy - 2.0 * t * dy) if used else 0.0
                parts[4 * LANES + k], parts[5 * LANES + k] = g[r, k], g[r, LANES + k]
            _pass_difference(g, a, b, parts, 0)
            _pass_difference(g, c, b, parts, 2 * LANES)
            _pass_on(g, b, parts, 4 * LANES)
        elif code == _PARA:
            for k in range(LANES):
                parts[k], parts[LANES + k] = g[r, k], g[r, LANES + k]
            _pass_on(g, a, parts, 0)
            _pass_difference(g, c, b, parts, 0)
        elif code == _PERP or code == _ROTP:
            pivot, tail, head = a, b if code == _PERP else a, c if code == _PERP else b
            cosine, sine = (0.0, 1.0) if code == _PERP else (constants[i, 0], constants[i, 1])
            for k in range(LANES):
                used = (g[r, k] != 0.0) | (g[r, LANES + k] != 0.0)
                turned = frame[0, k] * sine if used else 0.0
                parts[k] = cosine * g[r, k] + turned * g[r, LANES + k]
                parts[LANES + k] = cosine * g[r, LANES + k] - turned * g[r, k]
                parts[2 * LANES + k], parts[3 * LANES + k] = g[r, k], g[r, LANES + k]
            _pass_difference(g, head, tail, parts, 0)
            _pass_on(g, pivot, parts, 2 * LANES)
