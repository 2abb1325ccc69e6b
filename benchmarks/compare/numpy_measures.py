"""Measures and their standard deviations in NumPy: no compiler, the same formulas, vectorised over films.

Two ways. `measure_blocked` walks films in blocks that stay in the cache, computes the local derivatives of every
shared expression once, and carries them back to the points by hand-derived chain rules. `measure_differenced` runs
whole arrays and takes central differences, per measure, by the coordinates of the landmarks that it rests on and of no
others.

Both leave out what the kernel does besides: reasons of absence, tests for degenerate films, the scale's uncertainty.
Points are complex numbers x + i y; a derivative by a point is gx + i gy.
"""

# ruff: noqa: PLR0911, PLR0912, PLR0915, PLR0917 (one branch per instruction is long by nature)

from __future__ import annotations

import numpy as np

from cephstd.geometry import program as op
from cephstd.geometry.program import ANTERIOR_PAIRS, FRAME_LANDMARKS, SUPERIOR_PAIRS

DEG = 180.0 / np.pi
BLOCK = 1024
STEP_MM = 1e-4
TILT = np.exp(-1j * np.radians(7.0))


def _square(u):
    return u.real * u.real + u.imag * u.imag


def find_frames(z, found):
    """Hand (+1 or -1), anterior and superior of each film; `found` maps frame landmarks to rows of `z`."""
    anterior = np.full(z.shape[1], np.nan + 0j)
    sn = np.zeros(z.shape[1], dtype=bool)
    for p, q in ANTERIOR_PAIRS:
        if p in found and q in found:
            fresh = np.isnan(anterior)
            anterior = np.where(fresh, z[found[q]] - z[found[p]], anterior)
            sn = np.where(fresh, (p, q) == ("S", "N"), sn)
    above = np.full(z.shape[1], np.nan + 0j)
    for p, q in SUPERIOR_PAIRS:
        if p in found and q in found:
            above = np.where(np.isnan(above), z[found[p]] - z[found[q]], above)
    anterior = anterior / np.abs(anterior)
    hand = np.sign((anterior.conj() * above).imag)
    anterior = np.where(sn, anterior * np.where(hand > 0, TILT, TILT.conj()), anterior)
    return hand, anterior, 1j * hand * anterior


def forward(program, instructions, r, frame):
    """Run `instructions` (indices), reading and writing the list of registers `r`."""
    hand, anterior, superior = frame
    n = len(program.inputs)
    for i in instructions:
        code = program.opcodes[i]
        a, b, c, d = program.operands[i]
        if code == op.DANG:
            w = (r[b] - r[a]).conj() * (r[d] - r[c])
            out = np.arctan2(np.abs(w.imag), w.real) * DEG
        elif code == op.SANG:
            w = (r[b] - r[a]).conj() * (r[d] - r[c])
            out = np.arctan2(w.imag, w.real) * hand * DEG
        elif code == op.DIST:
            out = np.sqrt(_square(r[b] - r[a]))
        elif code == op.COMP:
            along = r[d] - r[c]
            out = ((r[b] - r[a]).conj() * along).real / np.sqrt(_square(along))
        elif code in (op.PLA, op.PLS):
            along = (r[c] - r[b]).conj()
            side = np.sign((along * (anterior if code == op.PLA else superior)).imag)
            out = (along * (r[a] - r[b])).imag * side / np.sqrt(_square(along))
        elif code == op.SUB:
            out = r[a] - r[b]
        elif code == op.ADD:
            out = r[a] + r[b]
        elif code == op.MUL:
            out = r[a] * r[b]
        elif code == op.DIV:
            out = r[a] / r[b]
        elif code == op.NEG:
            out = -r[a]
        elif code == op.ABS:
            out = np.abs(r[a])
        elif code == op.SGN:
            out = np.sign(r[a])
        elif code == op.MIN:
            out = np.minimum(r[a], r[b])
        elif code == op.MAX:
            out = np.maximum(r[a], r[b])
        elif code == op.CONST:
            out = np.float64(program.constants[i, 0])
        elif code == op.MID:
            out = 0.5 * (r[a] + r[b])
        elif code == op.CHOOSE:
            out = r[b] if np.isnan(r[a]).all() else np.where(np.isnan(r[a]), r[b], r[a])
        elif code == op.XS:
            first, second = r[b] - r[a], r[d] - r[c]
            t = ((r[c] - r[a]).conj() * second).imag / (first.conj() * second).imag
            out = r[a] + t * first
        elif code == op.FOOT:
            along = r[c] - r[b]
            out = r[b] + ((r[a] - r[b]).conj() * along).real / _square(along) * along
        elif code == op.PARA:
            out = r[a] + r[c] - r[b]
        elif code == op.PERP:
            out = r[a] + 1j * hand * (r[c] - r[b])
        else:  # ROTP
            cosine, sine = program.constants[i]
            out = r[a] + (cosine + 1j * (hand * sine)) * (r[b] - r[a])
        r[n + i] = out


def differentiate(program, i, r, frame):
    """Local derivatives of the number that instruction `i` gives: (register, derivative) pairs."""
    hand, anterior, superior = frame
    code = program.opcodes[i]
    a, b, c, d = program.operands[i]
    if code in (op.DANG, op.SANG):
        u, v = r[b] - r[a], r[d] - r[c]
        sign = DEG * hand if code == op.SANG else np.where((u.conj() * v).imag >= 0, DEG, -DEG)
        gu, gv = u * (-1j * (sign / _square(u))), v * (1j * (sign / _square(v)))
        return ((b, gu), (a, -gu), (d, gv), (c, -gv))
    if code == op.DIST:
        u = r[b] - r[a]
        g = u / np.sqrt(_square(u))
        return ((b, g), (a, -g))
    if code == op.COMP:
        u, along = r[b] - r[a], r[d] - r[c]
        square = _square(along)
        length = np.sqrt(square)
        g = along / length
        p = (u - (u.conj() * along).real / square * along) / length
        return ((b, g), (a, -g), (d, p), (c, -p))
    if code in (op.PLA, op.PLS):
        along, w = r[c] - r[b], r[a] - r[b]
        square = _square(along)
        side = np.sign((along.conj() * (anterior if code == op.PLA else superior)).imag) / np.sqrt(square)
        g = along * (1j * side)
        q = (-1j * w - (along.conj() * w).imag / square * along) * side
        return ((a, g), (c, q), (b, -g - q))
    if code == op.SUB:
        return ((a, 1.0), (b, -1.0))
    if code == op.ADD:
        return ((a, 1.0), (b, 1.0))
    if code == op.MUL:
        return ((a, r[b]), (b, r[a]))
    if code == op.DIV:
        one = 1.0 / r[b]
        return ((a, one), (b, -r[a] * one * one))
    if code == op.NEG:
        return ((a, -1.0),)
    if code == op.ABS:
        return ((a, np.sign(r[a])),)
    if code in (op.MIN, op.MAX):
        first = (r[a] <= r[b]) if code == op.MIN else (r[a] >= r[b])
        return ((a, first.astype(float)), (b, (~first).astype(float)))
    return ()


def carry_point(program, i, r, frame, g):
    """Derivatives by the points behind the point that instruction `i` constructs, `g` being that by itself."""
    hand = frame[0]
    code = program.opcodes[i]
    a, b, c, d = program.operands[i]
    if code == op.MID:
        return ((a, 0.5 * g), (b, 0.5 * g))
    if code == op.CHOOSE:
        marked = ~np.isnan(r[a])
        if marked.all():
            return ((a, g),)
        return ((a, np.where(marked, g, 0.0)), (b, np.where(marked, 0.0, g))) if marked.any() else ((b, g),)
    if code == op.XS:
        first, second, w = r[b] - r[a], r[d] - r[c], r[c] - r[a]
        cross = (first.conj() * second).imag
        t, u = (w.conj() * second).imag / cross, (w.conj() * first).imag / cross
        p, q = (g.conj() * second).real / cross, -(g.conj() * first).real / cross
        m, k = 1j * first, 1j * second
        return ((a, (p - p * t) * m), (b, p * t * m), (c, (q - q * u) * k), (d, q * u * k))
    if code == op.FOOT:
        along, w = r[c] - r[b], r[a] - r[b]
        square = _square(along)
        t, q = (w.conj() * along).real / square, (g.conj() * along).real / square
        p = q * along
        by_end = t * g + q * (w - 2.0 * t * along)
        return ((a, p), (c, by_end), (b, g - p - by_end))
    if code == op.PARA:
        return ((a, g), (c, g), (b, -g))
    if code == op.PERP:
        turned = -1j * hand * g
        return ((a, g), (c, turned), (b, -turned))
    cosine, sine = program.constants[i]  # ROTP
    turned = (cosine - 1j * (hand * sine)) * g
    return ((a, g - turned), (b, turned))


def measure_blocked(program, columns, points_px, covariances_px2, mm_per_px, block=BLOCK):
    """Values and standard deviations, (measures, films) each.

    Parameters
    ----------
    columns : dict of str to int
        Landmark -> column of `points_px`.
    points_px : (films, landmarks, 2)
    covariances_px2 : (films, landmarks, 2, 2)
    """
    films, measures, inputs = len(points_px), len(program.roots), len(program.inputs)
    values, sds = np.empty((measures, films)), np.empty((measures, films))
    at = np.array([columns.get(id, -1) for id in program.inputs])
    found = {id: k for k, id in enumerate(program.inputs) if at[k] >= 0 and id in FRAME_LANDMARKS}
    walks = [sorted(program.steps[program.starts[m] : program.starts[m + 1]].tolist()) for m in range(measures)]
    for start in range(0, films, block):
        stop = min(start + block, films)
        z = np.full((inputs, stop - start), np.nan + 0j)
        cov = np.zeros((3, inputs, stop - start))
        present = at >= 0
        taken = points_px[start:stop, at[present]].transpose(1, 0, 2)
        z[present] = (taken[..., 0] + 1j * taken[..., 1]) * mm_per_px
        spread = covariances_px2[start:stop, at[present]].transpose(2, 3, 1, 0) * mm_per_px**2
        cov[0, present], cov[1, present], cov[2, present] = spread[0, 0], spread[0, 1] + spread[1, 0], spread[1, 1]
        frame = find_frames(z, found)
        r = [*z, *[None] * len(program.opcodes)]
        forward(program, range(len(program.opcodes)), r, frame)
        local = {}
        for m, walk in enumerate(walks):
            root = int(program.roots[m])
            values[m, start:stop] = r[root]
            g = {root: 1.0}
            for register in reversed(walk):
                if register < inputs:
                    break
                if register not in g:
                    continue
                i, own = register - inputs, g.pop(register)
                if program.opcodes[i] < op.CONST:
                    parts = carry_point(program, i, r, frame, own)
                else:
                    if i not in local:
                        local[i] = differentiate(program, i, r, frame)
                    parts = local[i]
                    if not (isinstance(own, float) and own == 1.0):
                        parts = [(to, own * part) for to, part in parts]
                for to, part in parts:
                    g[to] = g[to] + part if to in g else part
            rests = sorted(g)
            slopes = np.stack([np.broadcast_to(g[k], stop - start) for k in rests])
            p, q = slopes.real, slopes.imag
            variance = (p * (p * cov[0, rests] + q * cov[1, rests]) + q * q * cov[2, rests]).sum(axis=0)
            np.sqrt(variance, out=sds[m, start:stop])
    return values, sds


def measure_differenced(program, columns, points_px, covariances_px2, mm_per_px):
    """The same by central differences over whole arrays."""
    films, measures, inputs = len(points_px), len(program.roots), len(program.inputs)
    values, sds = np.empty((measures, films)), np.empty((measures, films))
    at = [columns.get(id, -1) for id in program.inputs]
    none = np.full(films, np.nan + 0j)
    z = [none if k < 0 else (points_px[:, k, 0] + 1j * points_px[:, k, 1]) * mm_per_px for k in at]
    found = {id: k for k, id in enumerate(program.inputs) if at[k] >= 0 and id in FRAME_LANDMARKS}
    frame = find_frames(np.stack(z), found)
    r = [*z, *[None] * len(program.opcodes)]
    forward(program, range(len(program.opcodes)), r, frame)
    for m in range(measures):
        walk = sorted(program.steps[program.starts[m] : program.starts[m + 1]].tolist())
        root = int(program.roots[m])
        values[m] = r[root]
        variance = np.zeros(films)
        for k in walk:
            if k >= inputs:
                break
            if at[k] < 0:
                continue
            reached = _reached(program, walk, k, inputs)
            slopes = []
            for step in (STEP_MM, 1j * STEP_MM):
                sides = []
                for nudge in (step, -step):
                    moved = list(r)
                    moved[k] = z[k] + nudge
                    forward(program, reached, moved, frame)
                    sides.append(moved[root])
                slopes.append((sides[0] - sides[1]) / (2 * STEP_MM) * mm_per_px)
            p, q = slopes
            one = covariances_px2[:, at[k]]
            variance += p * p * one[:, 0, 0] + p * q * (one[:, 0, 1] + one[:, 1, 0]) + q * q * one[:, 1, 1]
        sds[m] = np.sqrt(variance)
    return values, sds


def _reached(program, walk, k, inputs):
    """Instructions of `walk` that change when input `k` does."""
    changed, out = {k}, []
    for register in walk:
        if register >= inputs and changed.intersection(program.operands[register - inputs].tolist()):
            changed.add(register)
            out.append(register - inputs)
    return out
