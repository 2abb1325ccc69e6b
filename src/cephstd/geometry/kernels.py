"""The one compiled kernel: runs any program over any number of films, with derivatives, and explains absences.

Films go through in blocks of `LANES`, so that each instruction is decoded once per block. An absent value travels as
NaN inside the kernel and leaves it with a status; no NaN is a result. The caller has validated the program
(`cephstd.geometry.program.validate`): nothing here tests a bound. Threads are the caller's (the kernel holds no lock on
the interpreter), which keeps it safe under forks and under several calling threads, as Numba's own pool is not.
"""

# ruff: noqa: PLR0124, PLR0911, PLR0912, PLR0917, PLR1714, SIM109
# (one loop over opcodes is long by nature, compiled code takes its arrays one by one, and asks for NaN by x != x)

from __future__ import annotations

import math

import numpy as np

from cephstd.geometry import program as op
from cephstd.geometry.compiler import compiled, inlined, spliced
from cephstd.geometry.operations import LANES, PITCH, backward, forward

# Digest of what is compiled into this file from others. Numba renews its cache when this file changes and watches no
# other, so this line must change with them; a test compares.
COMPILED_IN = "39ac206f"

_NAN = math.nan
_COS7, _SIN7 = math.cos(math.radians(7.0)), math.sin(math.radians(7.0))
_LINE = 8  # float64 in a line of the cache
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
    frame[:5, lane] = _NAN
    ax = ay = ux = uy = _NAN
    source = -1
    for k in range(len(_ANTERIOR)):
        p, q = columns[_ANTERIOR[k, 0]], columns[_ANTERIOR[k, 1]]
        if source < 0 and p >= 0 and q >= 0:
            dx = (points[case, q, 0] - points[case, p, 0]) * scale_x
            dy = (points[case, q, 1] - points[case, p, 1]) * scale_y
            length = math.sqrt(dx * dx + dy * dy)
            if length > 0.0:
                ax, ay, source = dx / length, dy / length, k
    for k in range(len(_SUPERIOR)):
        p, q = columns[_SUPERIOR[k, 0]], columns[_SUPERIOR[k, 1]]
        if ux != ux and p >= 0 and q >= 0:
            dx = (points[case, p, 0] - points[case, q, 0]) * scale_x
            dy = (points[case, p, 1] - points[case, q, 1]) * scale_y
            if dx * dx + dy * dy > 0.0:
                ux, uy = dx, dy
    if source < 0 or ux != ux:
        return _NO_ORIENTATION
    side = ax * uy - ay * ux
    if abs(side) <= 1e-9 * math.sqrt(ux * ux + uy * uy):
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
        return int(oriented)
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
def _load_covariances(covariances, scales, case, lane, columns, z, spread):  # type: ignore[no-untyped-def]
    """Variances and twice the covariance of one film's points in mm^2 (or px^2); return False when one is none.

    NaN where unknown, 0 where there is no point. xx and 2 xy share the row of the point, yy stands `n_inputs` below.
    """
    row = case if len(scales) > 1 else 0
    scale_x, scale_y = scales[row, 0], scales[row, 1]
    if not (scale_x == scale_x and scale_y == scale_y):
        scale_x = scale_y = 1.0
    film = case if len(covariances) > 1 else 0
    for r in range(len(columns)):
        xx = xy = yy = 0.0
        if columns[r] >= 0:
            one = covariances[film, columns[r]]
            a, b, c = one[0, 0], one[0, 1] + one[1, 0], one[1, 1]
            if a < 0.0 or c < 0.0 or 0.25 * b * b > a * c * (1.0 + 1e-6) + 1e-12:
                return False
            if z[r, lane] == z[r, lane]:
                xx, xy, yy = a * scale_x * scale_x, b * scale_x * scale_y, c * scale_y * scale_y
        spread[r, lane], spread[r, LANES + lane], spread[len(columns) + r, lane] = xx, xy, yy
    return True


@spliced
def _state(  # type: ignore[no-untyped-def]
    root, in_mm, opcodes, operands, n_inputs, z, oriented, calibrated, tiny, out, status
):
    """Values and statuses of one measure over a block; return whether none is absent."""
    whole = True
    for lane in range(len(out)):
        value = z[root, lane]
        out[lane] = value
        whole &= math.isfinite(value) & (calibrated[lane] > 0.0 or not in_mm)
    for lane in range(0 if whole else len(out)):
        why = _OK
        if not math.isfinite(out[lane]):
            why = _explain(root, opcodes, operands, n_inputs, z, oriented[lane], tiny[lane], lane)
        elif in_mm and calibrated[lane] == 0.0:
            why = _NOT_CALIBRATED
        status[lane] = why
        if why != _OK:
            out[lane] = _NAN
    return whole


@spliced
def _add_variances(listed, n_inputs, g, spread, variance):  # type: ignore[no-untyped-def]
    """Variance of one measure over a block. What does not follow a point does not ask whether its place is known."""
    for lane in range(LANES):
        variance[lane] = 0.0
    for s in range(len(listed)):
        r = listed[s]
        if r < n_inputs:
            for lane in range(LANES):
                p, q = g[s, lane], g[s, LANES + lane]
                part = p * (p * spread[r, lane] + q * spread[r, LANES + lane]) + q * q * spread[n_inputs + r, lane]
                variance[lane] += 0.0 if (p == 0.0) & (q == 0.0) else part


@spliced
def _add_scale(listed, n_inputs, g, z, pull, scale_sds, variance):  # type: ignore[no-untyped-def]
    """Add what the uncertainty of the scale does to one measure over a block."""
    for lane in range(LANES):
        pull[lane] = 0.0
    for s in range(len(listed)):
        r = listed[s]
        if r < n_inputs:
            for lane in range(LANES):
                p, q = g[s, lane], g[s, LANES + lane]
                pull[lane] += 0.0 if (p == 0.0) & (q == 0.0) else p * z[r, lane] + q * z[r, LANES + lane]
    for lane in range(LANES):
        variance[lane] += (pull[lane] * scale_sds[lane]) ** 2


_FILM_ROWS, _PART_ROWS = 11, 4


def measure_workspace(n_inputs: int, registers: int, longest: int) -> int:
    """Length of the float64 array that `run` works in; `longest` is the largest number of steps of a measure."""
    return _LINE + PITCH * (registers + 2 * n_inputs + _FILM_ROWS + _PART_ROWS + longest)


@inlined
def _divide(workspace, n_inputs, registers):  # type: ignore[no-untyped-def]
    """Rows for registers, for covariances, for facts of films and for derivatives, and a flat buffer for parts."""
    start = -(workspace.ctypes.data // 8) % _LINE  # vectors that lie across two lines of the cache are slow
    rows = workspace[start : start + (len(workspace) - start) // PITCH * PITCH].reshape((-1, PITCH))
    films = registers + 2 * n_inputs
    parts = films + _FILM_ROWS
    derivatives = parts + _PART_ROWS
    flat = workspace[start + parts * PITCH : start + derivatives * PITCH]
    return rows[:registers], rows[registers:films], rows[films:parts], rows[derivatives:], flat


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
    places,
    by_scale,
    active,
    values,
    sds,
    status,
    gradients,
    workspace,
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
    workspace : float64 (`measure_workspace`,)
        Of this call alone.

    Returns
    -------
    (int, int)
        FINE, BAD_POINT or BAD_COVARIANCE, and the film that has it.
    """
    n_inputs = len(columns)
    with_sd = len(covariances) > 0
    with_gradients = len(gradients) > 0
    z, spread, frame, g, parts = _divide(workspace, n_inputs, n_inputs + len(opcodes))
    tiny, calibrated, oriented, variance, pull, uncertain = frame[5], frame[6], frame[7], frame[8], frame[9], frame[10]
    for block in range(first, last, LANES):
        filled = min(LANES, last - block)
        vague = False
        for lane in range(filled):  # what stands in the lanes beyond is run and never read
            case = block + lane
            extent = _load(points, scales, case, lane, columns, z)
            if extent < 0.0:
                return BAD_POINT, case
            tiny[lane] = (extent * _SHORT) ** 2
            row = case if len(scales) > 1 else 0
            known = scales[row, 0] == scales[row, 0] and scales[row, 1] == scales[row, 1]
            scale_x, scale_y = (scales[row, 0], scales[row, 1]) if known else (1.0, 1.0)
            calibrated[lane] = known
            uncertain[lane] = scale_sds[case if len(scale_sds) > 1 else 0]
            vague |= uncertain[lane] > 0.0
            oriented[lane] = _orient(points, case, frame_columns, scale_x, scale_y, frame, lane)
            if with_sd and not _load_covariances(covariances, scales, case, lane, columns, z, spread):
                return BAD_COVARIANCE, case
        forward(opcodes, operands, constants, n_inputs, z, frame, tiny)
        for position in range(len(active)):
            m = active[position]
            out, out_sd = values[m, block : block + filled], sds[m, block : block + filled]
            said = status[m, block : block + filled]
            whole = _state(roots[m], by_scale[m], opcodes, operands, n_inputs, z, oriented, calibrated, tiny, out, said)
            if not (with_sd or with_gradients):
                continue
            listed, to = steps[starts[m] : starts[m + 1]], places[starts[m] : starts[m + 1]]
            backward(listed, to, opcodes, operands, constants, n_inputs, z, frame, g, parts)
            if with_sd:
                _add_variances(listed, n_inputs, g, spread, variance)
                if by_scale[m] and vague:
                    _add_scale(listed, n_inputs, g, z, pull, uncertain, variance)
                for lane in range(filled):
                    out_sd[lane] = math.sqrt(0.0 if variance[lane] < 0.0 else variance[lane])
                for lane in range(0 if whole else filled):
                    if said[lane] != _OK:
                        out_sd[lane] = _NAN
            if with_gradients:
                for s in range(len(listed)):
                    r = listed[s]
                    if r < n_inputs:
                        for lane in range(filled):
                            gradients[m, block + lane, r, 0] = g[s, lane]
                            gradients[m, block + lane, r, 1] = g[s, LANES + lane]
    return FINE, -1
