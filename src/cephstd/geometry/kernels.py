"""The one compiled kernel: runs any program over any number of films, with derivatives, and explains absences.

Films go through in blocks of `LANES`, so that each instruction is decoded once per block. An absent value travels as
NaN inside the kernel and leaves it with a status; no NaN is a result. The caller has validated the program
(`cephstd.geometry.program.validate`): nothing here tests a bound. Threads are the caller's (the kernel holds no lock on
the interpreter), which keeps it safe under forks and under several calling threads, as Numba's own pool is not.
"""

# ruff: noqa: PLR0124, PLR0911, PLR0912, PLR0915, PLR0917, PLR1714, SIM109
# (one loop over opcodes is long by nature, compiled code takes its arrays one by one, and asks for NaN by x != x)

from __future__ import annotations

import math

import numpy as np

from cephstd.geometry import program as op
from cephstd.geometry.compiler import compiled, inlined
from cephstd.geometry.operations import LANES, backward, forward

# Digest of what is compiled into this file from others. Numba renews its cache when this file changes and watches no
# other, so this line must change with them; a test compares.
COMPILED_IN = "fb34c1f3"

_NAN = math.nan
_COS7, _SIN7 = math.cos(math.radians(7.0)), math.sin(math.radians(7.0))
_SHORT = 1e-9  # of the face's extent: closer points are one point

_XS, _FOOT, _PERP, _ROTP, _CHOOSE = op.XS, op.FOOT, op.PERP, op.ROTP, op.CHOOSE
_DANG, _SANG, _DIST, _COMP, _PLA, _PLS, _DIV = op.DANG, op.SANG, op.DIST, op.COMP, op.PLA, op.PLS, op.DIV
_OK, _NOT_CALIBRATED, _COINCIDENT, _PARALLEL, _NO_SIGN = (
    op.OK,
    op.NOT_CALIBRATED,
    op.COINCIDENT,
    op.PARALLEL,
    op.NO_SIGN,
)
_ZERO_DIVISION, _NO_ORIENTATION, _CONTRADICTORY = op.ZERO_DIVISION, op.NO_ORIENTATION, op.CONTRADICTORY
_NOT_FINITE, _FIRST_MISSING = op.NOT_FINITE, op.FIRST_MISSING
_ANTERIOR = np.array([[op.FRAME_LANDMARKS.index(id) for id in pair] for pair in op.ANTERIOR_PAIRS])
_SUPERIOR = np.array([[op.FRAME_LANDMARKS.index(id) for id in pair] for pair in op.SUPERIOR_PAIRS])
_SN = op.ANTERIOR_PAIRS.index(("S", "N"))

FINE, BAD_POINT, BAD_COVARIANCE = 0, 1, 2


@inlined
def _orient(points, case, columns, scale_x, scale_y, frame, lane):  # type: ignore[no-untyped-def]
    """Write turn (+1 or -1), anterior and superior unit vectors of one film into `frame`; return a status."""
    frame[:, lane] = _NAN
    ax = ay = ux = uy = _NAN
    source = -1
    for k in range(len(_ANTERIOR)):
        p, q = columns[_ANTERIOR[k, 0]], columns[_ANTERIOR[k, 1]]
        if source < 0 and p >= 0 and q >= 0:
            dx = (points[case, q, 0] - points[case, p, 0]) * scale_x
            dy = (points[case, q, 1] - points[case, p, 1]) * scale_y
            length = math.hypot(dx, dy)
            if length > 0.0:
                ax, ay, source = dx / length, dy / length, k
    for k in range(len(_SUPERIOR)):
        p, q = columns[_SUPERIOR[k, 0]], columns[_SUPERIOR[k, 1]]
        if ux != ux and p >= 0 and q >= 0:
            dx = (points[case, p, 0] - points[case, q, 0]) * scale_x
            dy = (points[case, p, 1] - points[case, q, 1]) * scale_y
            if math.hypot(dx, dy) > 0.0:
                ux, uy = dx, dy
    if source < 0 or ux != ux:
        return _NO_ORIENTATION
    side = ax * uy - ay * ux
    if abs(side) <= 1e-9 * math.hypot(ux, uy):
        return _NO_ORIENTATION
    turn = 1.0 if side > 0.0 else -1.0
    sx, sy = -turn * ay, turn * ax
    if source == _SN:  # the horizontal lies 7 degrees below S-N in front
        ax, ay, sx, sy = (
            _COS7 * ax - _SIN7 * sx,
            _COS7 * ay - _SIN7 * sy,
            _SIN7 * ax + _COS7 * sx,
            _SIN7 * ay + _COS7 * sy,
        )
    for k in range(len(_ANTERIOR)):
        p, q = columns[_ANTERIOR[k, 0]], columns[_ANTERIOR[k, 1]]
        if p >= 0 and q >= 0:
            dx = (points[case, q, 0] - points[case, p, 0]) * scale_x
            dy = (points[case, q, 1] - points[case, p, 1]) * scale_y
            if dx * ax + dy * ay < 0.0:
                return _CONTRADICTORY
    for k in range(len(_SUPERIOR)):
        p, q = columns[_SUPERIOR[k, 0]], columns[_SUPERIOR[k, 1]]
        if p >= 0 and q >= 0:
            dx = (points[case, p, 0] - points[case, q, 0]) * scale_x
            dy = (points[case, p, 1] - points[case, q, 1]) * scale_y
            if dx * sx + dy * sy < 0.0:
                return _CONTRADICTORY
    frame[0, lane], frame[1, lane], frame[2, lane], frame[3, lane], frame[4, lane] = turn, ax, ay, sx, sy
    return _OK


@inlined
def _explain(root, opcodes, operands, n_inputs, z, oriented, tiny, lane):  # type: ignore[no-untyped-def]
    """Status of a value that is not a number: the first cause on the way from the measure down to its points."""
    r = root
    while r >= n_inputs:
        i = r - n_inputs
        below = -1
        for k in range(3, -1, -1):
            operand = operands[i, k]
            if operand >= 0 and not math.isfinite(z[operand, lane]):
                below = operand
        if opcodes[i] == _CHOOSE:
            below = operands[i, 1]
        if below < 0:
            break
        r = below
    if r < n_inputs:
        return _FIRST_MISSING + r
    code, a, b, c, d = opcodes[r - n_inputs], operands[i, 0], operands[i, 1], operands[i, 2], operands[i, 3]
    if (code == _SANG or code == _PLA or code == _PLS or code == _PERP or code == _ROTP) and oriented != _OK:
        return oriented
    if code == _DIV:
        return _COINCIDENT if b >= n_inputs and opcodes[b - n_inputs] == _DIST else _ZERO_DIVISION
    if code == _DANG or code == _SANG or code == _XS:
        first = (z[b, lane] - z[a, lane]) ** 2 + (z[b, LANES + lane] - z[a, LANES + lane]) ** 2
        second = (z[d, lane] - z[c, lane]) ** 2 + (z[d, LANES + lane] - z[c, LANES + lane]) ** 2
        if first <= tiny or second <= tiny:
            return _COINCIDENT
        return _PARALLEL if code == _XS else _NOT_FINITE
    if code == _COMP:
        return (
            _COINCIDENT
            if (z[d, lane] - z[c, lane]) ** 2 + (z[d, LANES + lane] - z[c, LANES + lane]) ** 2 <= tiny
            else _NOT_FINITE
        )
    if code == _FOOT or code == _PLA or code == _PLS:
        if (z[c, lane] - z[b, lane]) ** 2 + (z[c, LANES + lane] - z[b, LANES + lane]) ** 2 <= tiny:
            return _COINCIDENT
        return _NOT_FINITE if code == _FOOT else _NO_SIGN
    return _NOT_FINITE


@inlined
def _load(points, scales, case, lane, columns, z):  # type: ignore[no-untyped-def]
    """Input points of one film, in mm (or px without a scale) from its first point; return the face's extent or -1."""
    row = case if len(scales) > 1 else 0
    scale_x, scale_y = scales[row, 0], scales[row, 1]
    if not (scale_x == scale_x and scale_y == scale_y):
        scale_x = scale_y = 1.0
    origin_x = origin_y = _NAN
    extent = 0.0
    for r in range(len(columns)):
        z[r, lane] = z[r, LANES + lane] = _NAN
        if columns[r] >= 0:
            px, py = points[case, columns[r], 0], points[case, columns[r], 1]
            if math.isinf(px) or math.isinf(py):
                return -1.0
            if px == px and py == py:
                if origin_x != origin_x:
                    origin_x, origin_y = px, py
                z[r, lane], z[r, LANES + lane] = (px - origin_x) * scale_x, (py - origin_y) * scale_y
                extent = max(extent, abs(z[r, lane]), abs(z[r, LANES + lane]))
    return extent


@inlined
def _load_covariances(covariances, scales, case, lane, columns, spread):  # type: ignore[no-untyped-def]
    """Covariances of one film in mm^2 (or px^2); NaN where unknown. Return False when one is no covariance."""
    row = case if len(scales) > 1 else 0
    scale_x, scale_y = scales[row, 0], scales[row, 1]
    if not (scale_x == scale_x and scale_y == scale_y):
        scale_x = scale_y = 1.0
    film = case if len(covariances) > 1 else 0
    for r in range(len(columns)):
        spread[r, lane] = spread[r, LANES + lane] = spread[r, 2 * LANES + lane] = _NAN
        if columns[r] >= 0:
            one = covariances[film, columns[r]]
            a, b, c = one[0, 0], 0.5 * (one[0, 1] + one[1, 0]), one[1, 1]
            if a < 0.0 or c < 0.0 or b * b > a * c * (1.0 + 1e-6) + 1e-12:
                return False
            spread[r, lane] = a * scale_x * scale_x
            spread[r, LANES + lane] = b * scale_x * scale_y
            spread[r, 2 * LANES + lane] = c * scale_y * scale_y
    return True


@compiled
def run(  # type: ignore[no-untyped-def]
    first,
    last,
    points,
    covariances,
    scales,
    scale_sds,
    columns,
    frame_columns,
    opcodes,
    operands,
    constants,
    roots,
    starts,
    steps,
    by_scale,
    active,
    values,
    sds,
    status,
    gradients,
):
    """Run a program over the films ``first .. last - 1`` and write into the outputs.

    Parameters
    ----------
    points : float64 (films, landmarks, 2)
        px; NaN = absent.
    covariances : float64 (films or 1, landmarks, 2, 2), or (0, 0, 2, 2) when no standard deviation is wanted
        px^2; NaN = unknown.
    scales : float64 (films or 1, 2)
        mm per px along x and y; NaN = not calibrated, lengths are then absent.
    scale_sds : float64 (films or 1,)
        Relative standard uncertainty of the scale.
    columns, frame_columns : int32
        Where the program's inputs and the landmarks of orientation stand among the landmarks; -1 = nowhere.
    active : int32
        Measures to compute; the rest is left as it is.
    values, sds : float64 (measures, films); status : int16 (measures, films)
        Results: NaN with a status other than 0 = absent. A NaN among `sds` = unknown.
    gradients : float64 (measures, films, inputs, 2), or (0, 0, 0, 2) when not wanted
        Derivatives by mm (or px) of the inputs.

    Returns
    -------
    (int, int)
        FINE, BAD_POINT or BAD_COVARIANCE, and the film that has it.
    """
    n_inputs = len(columns)
    registers = n_inputs + len(opcodes)
    with_sd = len(covariances) > 0
    with_gradients = len(gradients) > 0
    z, g, parts = np.zeros((registers, 2 * LANES)), np.empty((registers, 2 * LANES)), np.empty(8 * LANES)
    spread = np.zeros((n_inputs, 3 * LANES))
    frame, tiny = np.zeros((5, LANES)), np.zeros(LANES)
    total = np.empty(2 * LANES)  # variance, and how far the value follows the scale
    oriented = np.empty(LANES, dtype=np.int16)
    calibrated = np.empty(LANES, dtype=np.bool_)
    for block in range(first, last, LANES):
        filled = min(LANES, last - block)
        calibrated_all = True
        for lane in range(filled):  # what stands in the lanes beyond is run and never read
            case = block + lane
            extent = _load(points, scales, case, lane, columns, z)
            if extent < 0.0:
                return BAD_POINT, case
            tiny[lane] = (extent * _SHORT) ** 2
            row = case if len(scales) > 1 else 0
            calibrated[lane] = scales[row, 0] == scales[row, 0] and scales[row, 1] == scales[row, 1]
            calibrated_all &= calibrated[lane]
            scale_x, scale_y = (scales[row, 0], scales[row, 1]) if calibrated[lane] else (1.0, 1.0)
            oriented[lane] = _orient(points, case, frame_columns, scale_x, scale_y, frame, lane)
            if with_sd and not _load_covariances(covariances, scales, case, lane, columns, spread):
                return BAD_COVARIANCE, case
        forward(opcodes, operands, constants, n_inputs, z, frame, tiny)
        for position in range(len(active)):
            m = active[position]
            root = roots[m]
            whole = calibrated_all or not by_scale[m]
            for lane in range(filled):
                whole &= math.isfinite(z[root, lane])
            for lane in range(filled if whole else 0):
                values[m, block + lane] = z[root, lane]
            for lane in range(0 if whole else filled):
                value = z[root, lane]
                case = block + lane
                if not math.isfinite(value):
                    status[m, case] = _explain(root, opcodes, operands, n_inputs, z, oriented[lane], tiny[lane], lane)
                    value = _NAN
                elif by_scale[m] and not calibrated[lane]:
                    status[m, case] = _NOT_CALIBRATED
                    value = _NAN
                else:
                    status[m, case] = _OK
                values[m, case] = value
            if not (with_sd or with_gradients):
                continue
            listed = steps[starts[m] : starts[m + 1]]
            backward(listed, opcodes, operands, constants, n_inputs, z, frame, g, parts)
            if with_sd:
                for lane in range(LANES):
                    total[lane] = 0.0
                    total[LANES + lane] = 0.0
                for s in range(len(listed)):
                    r = listed[s]
                    if r >= n_inputs:
                        break
                    for lane in range(LANES):
                        p, q = g[r, lane], g[r, LANES + lane]
                        xx, xy, yy = spread[r, lane], spread[r, LANES + lane], spread[r, 2 * LANES + lane]
                        part = p * p * xx + 2.0 * p * q * xy + q * q * yy
                        pull = p * z[r, lane] + q * z[r, LANES + lane]
                        idle = (p == 0.0) & (q == 0.0)
                        total[lane] += 0.0 if idle else part
                        total[LANES + lane] += 0.0 if idle else pull
                if by_scale[m]:
                    for lane in range(filled):
                        total[lane] += (total[LANES + lane] * scale_sds[block + lane if len(scale_sds) > 1 else 0]) ** 2
                for lane in range(filled):
                    variance = total[lane]
                    sds[m, block + lane] = math.sqrt(0.0 if variance < 0.0 else variance)
                for lane in range(0 if whole else filled):
                    if status[m, block + lane] != _OK:
                        sds[m, block + lane] = _NAN
            if with_gradients:
                for lane in range(filled):
                    for s in range(len(listed)):
                        r = listed[s]
                        if r >= n_inputs:
                            break
                        gradients[m, block + lane, r, 0] = g[r, lane]
                        gradients[m, block + lane, r, 1] = g[r, LANES + lane]
    return FINE, -1
