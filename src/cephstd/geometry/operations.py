"""What each instruction does to a block of films, and its derivative. Compiled into `cephstd.geometry.kernels`.

An absent value is NaN here; a register holds `LANES` films side by side in `x` and, for points, `y`. `frame` holds per
film the turn of the picture (+1 when the axes run anticlockwise seen with the face to the right, else -1) and the
anterior and superior unit vectors.
"""

# ruff: noqa: PLR0124, PLR0912, PLR0915, PLR0917, PLR1714, SIM109
# (one loop over opcodes is long by nature, compiled code takes its arrays one by one, and asks for NaN by x != x)

from __future__ import annotations

import math

from cephstd.geometry import program as op
from cephstd.geometry.compiler import inlined

LANES = 16

_DEG = 180.0 / math.pi
_NAN = math.nan
_FLAT2 = 1e-18  # squared sine below which lines are parallel

_MID, _XS, _FOOT, _PARA, _PERP, _ROTP, _CHOOSE = op.MID, op.XS, op.FOOT, op.PARA, op.PERP, op.ROTP, op.CHOOSE
_CONST, _DANG, _SANG, _DIST, _COMP, _PLA, _PLS = op.CONST, op.DANG, op.SANG, op.DIST, op.COMP, op.PLA, op.PLS
_ADD, _SUB, _MUL, _DIV, _NEG, _ABS = op.ADD, op.SUB, op.MUL, op.DIV, op.NEG, op.ABS
_SGN, _MIN, _MAX = op.SGN, op.MIN, op.MAX


@inlined
def forward(opcodes, operands, constants, n_inputs, x, y, frame, tiny):  # type: ignore[no-untyped-def]
    """Run every instruction on one block."""
    for i in range(len(opcodes)):
        code = opcodes[i]
        r = n_inputs + i
        a, b, c, d = operands[i, 0], operands[i, 1], operands[i, 2], operands[i, 3]
        if code == _DANG or code == _SANG:
            for k in range(LANES):
                ux, uy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                vx, vy = x[d, k] - x[c, k], y[d, k] - y[c, k]
                short = (ux * ux + uy * uy <= tiny[k]) | (vx * vx + vy * vy <= tiny[k])
                x[r, k] = _NAN if short else ux * vy - uy * vx
                y[r, k] = ux * vx + uy * vy
            if code == _DANG:
                for k in range(LANES):
                    x[r, k] = math.atan2(abs(x[r, k]), y[r, k]) * _DEG
            else:
                for k in range(LANES):
                    x[r, k] = frame[0, k] * math.atan2(x[r, k], y[r, k]) * _DEG
        elif code == _DIST:
            for k in range(LANES):
                ux, uy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                x[r, k] = math.sqrt(ux * ux + uy * uy)
        elif code == _COMP:
            for k in range(LANES):
                dx, dy = x[d, k] - x[c, k], y[d, k] - y[c, k]
                square = dx * dx + dy * dy
                along = (x[b, k] - x[a, k]) * dx + (y[b, k] - y[a, k]) * dy
                x[r, k] = _NAN if square <= tiny[k] else along / math.sqrt(square)
        elif code == _PLA or code == _PLS:
            axis = 1 if code == _PLA else 3
            for k in range(LANES):
                dx, dy = x[c, k] - x[b, k], y[c, k] - y[b, k]
                square = dx * dx + dy * dy
                height = (dx * (y[a, k] - y[b, k]) - dy * (x[a, k] - x[b, k])) / math.sqrt(square)
                side = dx * frame[axis + 1, k] - dy * frame[axis, k]
                lost = (square <= tiny[k]) | (side * side <= _FLAT2 * square) | (side != side)
                signed = height if side > 0.0 else -height
                x[r, k] = _NAN if lost else signed
        elif code == _SUB:
            for k in range(LANES):
                x[r, k] = x[a, k] - x[b, k]
        elif code == _ADD:
            for k in range(LANES):
                x[r, k] = x[a, k] + x[b, k]
        elif code == _MUL:
            for k in range(LANES):
                x[r, k] = x[a, k] * x[b, k]
        elif code == _DIV:
            for k in range(LANES):
                lost = abs(x[b, k]) <= 1e-12 * abs(x[a, k])
                x[r, k] = _NAN if lost else x[a, k] / x[b, k]
        elif code == _NEG:
            for k in range(LANES):
                x[r, k] = -x[a, k]
        elif code == _ABS:
            for k in range(LANES):
                x[r, k] = abs(x[a, k])
        elif code == _SGN:
            for k in range(LANES):
                v = x[a, k]
                up = 1.0 if v > 0.0 else 0.0
                down = 1.0 if v < 0.0 else 0.0
                x[r, k] = _NAN if v != v else up - down
        elif code == _MIN or code == _MAX:
            for k in range(LANES):
                v, w = x[a, k], x[b, k]
                first = v <= w if code == _MIN else v >= w
                x[r, k] = v if first | (v != v) else w
        elif code == _CONST:
            for k in range(LANES):
                x[r, k] = constants[i, 0]
        elif code == _MID:
            for k in range(LANES):
                x[r, k] = 0.5 * (x[a, k] + x[b, k])
                y[r, k] = 0.5 * (y[a, k] + y[b, k])
        elif code == _CHOOSE:
            for k in range(LANES):
                marked = x[a, k] == x[a, k]
                x[r, k] = x[a, k] if marked else x[b, k]
                y[r, k] = y[a, k] if marked else y[b, k]
        elif code == _XS:
            for k in range(LANES):
                dx, dy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                ex, ey = x[d, k] - x[c, k], y[d, k] - y[c, k]
                dd, ee, cross = dx * dx + dy * dy, ex * ex + ey * ey, dx * ey - dy * ex
                lost = (dd <= tiny[k]) | (ee <= tiny[k]) | (cross * cross <= _FLAT2 * dd * ee)
                t = ((x[c, k] - x[a, k]) * ey - (y[c, k] - y[a, k]) * ex) / cross
                x[r, k] = _NAN if lost else x[a, k] + t * dx
                y[r, k] = _NAN if lost else y[a, k] + t * dy
        elif code == _FOOT:
            for k in range(LANES):
                dx, dy = x[c, k] - x[b, k], y[c, k] - y[b, k]
                square = dx * dx + dy * dy
                t = ((x[a, k] - x[b, k]) * dx + (y[a, k] - y[b, k]) * dy) / square
                x[r, k] = _NAN if square <= tiny[k] else x[b, k] + t * dx
                y[r, k] = _NAN if square <= tiny[k] else y[b, k] + t * dy
        elif code == _PARA:
            for k in range(LANES):
                x[r, k] = x[a, k] + x[c, k] - x[b, k]
                y[r, k] = y[a, k] + y[c, k] - y[b, k]
        elif code == _PERP:
            for k in range(LANES):
                x[r, k] = x[a, k] - frame[0, k] * (y[c, k] - y[b, k])
                y[r, k] = y[a, k] + frame[0, k] * (x[c, k] - x[b, k])
        else:  # ROTP
            cosine, sine = constants[i, 0], constants[i, 1]
            for k in range(LANES):
                ux, uy, turned = x[b, k] - x[a, k], y[b, k] - y[a, k], frame[0, k] * sine
                x[r, k] = x[a, k] + cosine * ux - turned * uy
                y[r, k] = y[a, k] + turned * ux + cosine * uy


@inlined
def backward(steps, opcodes, operands, constants, n_inputs, x, y, frame, gx, gy):  # type: ignore[no-untyped-def]
    """Derivatives of one measure (the last of its `steps`) by every register that it rests on, into `gx`, `gy`.

    Signs that come from the anatomical frame are constant: they change only where the value is undefined. A point that
    a construction did not use has derivative 0 and may be NaN, so points pass on nothing where their derivative is 0.
    """
    for s in range(len(steps)):
        for k in range(LANES):
            gx[steps[s], k] = 0.0
            gy[steps[s], k] = 0.0
    for k in range(LANES):
        gx[steps[-1], k] = 1.0
    for s in range(len(steps) - 1, -1, -1):
        r = steps[s]
        if r < n_inputs:
            break
        i = r - n_inputs
        code = opcodes[i]
        a, b, c, d = operands[i, 0], operands[i, 1], operands[i, 2], operands[i, 3]
        if code == _DANG or code == _SANG:
            for k in range(LANES):
                ux, uy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                vx, vy = x[d, k] - x[c, k], y[d, k] - y[c, k]
                opens = 1.0 if ux * vy - uy * vx >= 0.0 else -1.0
                g = gx[r, k] * _DEG * (opens if code == _DANG else frame[0, k])
                gu, gv = g / (ux * ux + uy * uy), g / (vx * vx + vy * vy)
                gx[b, k] += gu * uy
                gy[b, k] -= gu * ux
                gx[a, k] -= gu * uy
                gy[a, k] += gu * ux
                gx[d, k] -= gv * vy
                gy[d, k] += gv * vx
                gx[c, k] += gv * vy
                gy[c, k] -= gv * vx
        elif code == _DIST:
            for k in range(LANES):
                ux, uy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                g = gx[r, k] / math.sqrt(ux * ux + uy * uy)
                gx[b, k] += g * ux
                gy[b, k] += g * uy
                gx[a, k] -= g * ux
                gy[a, k] -= g * uy
        elif code == _COMP:
            for k in range(LANES):
                ux, uy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                dx, dy = x[d, k] - x[c, k], y[d, k] - y[c, k]
                square = dx * dx + dy * dy
                g = gx[r, k] / math.sqrt(square)
                part = (ux * dx + uy * dy) / square
                px, py = g * (ux - part * dx), g * (uy - part * dy)
                gx[b, k] += g * dx
                gy[b, k] += g * dy
                gx[a, k] -= g * dx
                gy[a, k] -= g * dy
                gx[d, k] += px
                gy[d, k] += py
                gx[c, k] -= px
                gy[c, k] -= py
        elif code == _PLA or code == _PLS:
            axis = 1 if code == _PLA else 3
            for k in range(LANES):
                dx, dy = x[c, k] - x[b, k], y[c, k] - y[b, k]
                wx, wy = x[a, k] - x[b, k], y[a, k] - y[b, k]
                square = dx * dx + dy * dy
                sign = 1.0 if dx * frame[axis + 1, k] - dy * frame[axis, k] > 0.0 else -1.0
                g = gx[r, k] * sign / math.sqrt(square)
                part = (dx * wy - dy * wx) / square
                qx, qy = g * (wy - part * dx), -g * (wx + part * dy)
                gx[a, k] -= g * dy
                gy[a, k] += g * dx
                gx[c, k] += qx
                gy[c, k] += qy
                gx[b, k] += g * dy - qx
                gy[b, k] -= g * dx + qy
        elif code == _SUB or code == _ADD:
            sign = 1.0 if code == _ADD else -1.0
            for k in range(LANES):
                gx[a, k] += gx[r, k]
                gx[b, k] += sign * gx[r, k]
        elif code == _MUL:
            for k in range(LANES):
                gx[a, k] += gx[r, k] * x[b, k]
                gx[b, k] += gx[r, k] * x[a, k]
        elif code == _DIV:
            for k in range(LANES):
                g = gx[r, k] / x[b, k]
                gx[a, k] += g
                gx[b, k] -= g * x[r, k]
        elif code == _NEG:
            for k in range(LANES):
                gx[a, k] -= gx[r, k]
        elif code == _ABS:
            for k in range(LANES):
                gx[a, k] += gx[r, k] if x[a, k] >= 0.0 else -gx[r, k]
        elif code == _MIN or code == _MAX:
            for k in range(LANES):
                first = x[a, k] <= x[b, k] if code == _MIN else x[a, k] >= x[b, k]
                gx[a, k] += gx[r, k] if first else 0.0
                gx[b, k] += 0.0 if first else gx[r, k]
        elif code == _MID:
            for k in range(LANES):
                gx[a, k] += 0.5 * gx[r, k]
                gy[a, k] += 0.5 * gy[r, k]
                gx[b, k] += 0.5 * gx[r, k]
                gy[b, k] += 0.5 * gy[r, k]
        elif code == _CHOOSE:
            for k in range(LANES):
                marked = x[a, k] == x[a, k]
                gx[a, k] += gx[r, k] if marked else 0.0
                gy[a, k] += gy[r, k] if marked else 0.0
                gx[b, k] += 0.0 if marked else gx[r, k]
                gy[b, k] += 0.0 if marked else gy[r, k]
        elif code == _XS:
            for k in range(LANES):
                used = (gx[r, k] != 0.0) | (gy[r, k] != 0.0)
                dx, dy = x[b, k] - x[a, k], y[b, k] - y[a, k]
                ex, ey = x[d, k] - x[c, k], y[d, k] - y[c, k]
                wx, wy = x[c, k] - x[a, k], y[c, k] - y[a, k]
                cross = dx * ey - dy * ex
                t, u = (wx * ey - wy * ex) / cross, (wx * dy - wy * dx) / cross
                p = (gx[r, k] * ex + gy[r, k] * ey) / cross if used else 0.0
                q = -(gx[r, k] * dx + gy[r, k] * dy) / cross if used else 0.0
                pt, qu = p * t if used else 0.0, q * u if used else 0.0
                dx, dy, ex, ey = dx if used else 0.0, dy if used else 0.0, ex if used else 0.0, ey if used else 0.0
                gx[a, k] -= (p - pt) * dy
                gy[a, k] += (p - pt) * dx
                gx[b, k] -= pt * dy
                gy[b, k] += pt * dx
                gx[c, k] -= (q - qu) * ey
                gy[c, k] += (q - qu) * ex
                gx[d, k] -= qu * ey
                gy[d, k] += qu * ex
        elif code == _FOOT:
            for k in range(LANES):
                used = (gx[r, k] != 0.0) | (gy[r, k] != 0.0)
                dx, dy = x[c, k] - x[b, k], y[c, k] - y[b, k]
                wx, wy = x[a, k] - x[b, k], y[a, k] - y[b, k]
                square = dx * dx + dy * dy
                t = (wx * dx + wy * dy) / square
                q = (gx[r, k] * dx + gy[r, k] * dy) / square
                px, py = q * dx if used else 0.0, q * dy if used else 0.0
                qx = t * gx[r, k] + q * (wx - 2.0 * t * dx) if used else 0.0
                qy = t * gy[r, k] + q * (wy - 2.0 * t * dy) if used else 0.0
                gx[a, k] += px
                gy[a, k] += py
                gx[c, k] += qx
                gy[c, k] += qy
                gx[b, k] += gx[r, k] - px - qx
                gy[b, k] += gy[r, k] - py - qy
        elif code == _PARA:
            for k in range(LANES):
                gx[a, k] += gx[r, k]
                gy[a, k] += gy[r, k]
                gx[c, k] += gx[r, k]
                gy[c, k] += gy[r, k]
                gx[b, k] -= gx[r, k]
                gy[b, k] -= gy[r, k]
        elif code == _PERP or code == _ROTP:
            pivot, tail, head = a, b if code == _PERP else a, c if code == _PERP else b
            cosine, sine = (0.0, 1.0) if code == _PERP else (constants[i, 0], constants[i, 1])
            for k in range(LANES):
                used = (gx[r, k] != 0.0) | (gy[r, k] != 0.0)
                turned = frame[0, k] * sine if used else 0.0
                qx, qy = cosine * gx[r, k] + turned * gy[r, k], cosine * gy[r, k] - turned * gx[r, k]
                gx[pivot, k] += gx[r, k]
                gy[pivot, k] += gy[r, k]
                gx[head, k] += qx
                gy[head, k] += qy
                gx[tail, k] -= qx
                gy[tail, k] -= qy
