"""Runs a program over arrays of points: gives the kernel what it expects, shares films among threads, names faults."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import InputError
from cephstd.geometry import kernels
from cephstd.geometry.operations import LANES
from cephstd.geometry.plan import Binding
from cephstd.geometry.program import Program

SHARE = 32 * LANES  # films handed to a thread at once

_run: Callable[..., tuple[int, int]] = kernels.run

NO_COVARIANCES: FloatArray = np.zeros((0, 0, 2, 2))
NO_GRADIENTS: FloatArray = np.zeros((0, 0, 0, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the kernel wrote, measures by films; NaN where `status` says that there is no value.

    Attributes
    ----------
    values, sds : ndarray of float64, shape (measures, films)
    status : ndarray of int16, shape (measures, films)
    gradients : ndarray of float64, shape (measures, films, inputs, 2)
        By mm (px without a scale) of the program's inputs; empty when not asked for.
    """

    values: FloatArray
    sds: FloatArray
    status: npt.NDArray[np.int16]
    gradients: FloatArray


def execute(
    program: Program,
    binding: Binding,
    points_px: FloatArray,
    *,
    scales_mm: FloatArray,
    scale_sds: FloatArray,
    covariances_px2: FloatArray = NO_COVARIANCES,
    with_gradients: bool = False,
    threads: int | None = None,
) -> Results:
    """Run `program` over films.

    Parameters
    ----------
    binding : Binding
        Columns and measures; measures that it leaves out stay NaN with status 0.
    points_px : ndarray, shape (films, landmarks, 2)
        NaN = absent.
    scales_mm : ndarray, shape (films or 1, 2)
        mm per px along x and y; NaN = not calibrated.
    scale_sds : ndarray, shape (films or 1,)
        Relative.
    covariances_px2 : ndarray, shape (films or 1, landmarks, 2, 2), optional
    threads : int, optional
        Default: the cores that this process may use. The results do not depend on it.

    Raises
    ------
    InputError
        When a coordinate is infinite or a covariance is not positive semi-definite.
    """
    films, measures = points_px.shape[0], len(program.roots)
    shape = (measures, films)
    results = Results(
        values=np.empty(shape),
        sds=np.empty(shape),
        status=np.zeros(shape, dtype=np.int16),
        gradients=np.zeros((*shape, len(program.inputs), 2)) if with_gradients else NO_GRADIENTS,
    )
    results.values[binding.idle] = np.nan
    results.sds[binding.idle if len(covariances_px2) else slice(None)] = np.nan
    given = (points_px, covariances_px2, scales_mm, scale_sds)
    read = (*(_as_read(array, np.float64) for array in given), binding.columns, binding.frame_columns)
    instructions = (
        program.opcodes,
        program.operands,
        program.constants,
        program.roots,
        program.starts,
        program.steps,
        program.places,
        program.by_scale,
        binding.active,
    )
    inputs = len(program.inputs)
    length = kernels.measure_workspace(inputs, inputs + len(program.opcodes), program.longest)
    written = (results.values, results.sds, results.status, results.gradients)

    def run(first: int) -> tuple[int, int]:
        last = min(first + share, films)
        fault, film = _run(first, last, *read, *instructions, *written, np.empty(length))
        return int(fault), int(film)

    workers = threads or _cores()
    share = films if workers == 1 or films <= SHARE else SHARE
    firsts = range(0, films, max(share, 1))
    if len(firsts) <= 1:
        faults = [run(first) for first in firsts]
    else:
        with ThreadPoolExecutor(min(workers, len(firsts))) as pool:
            faults = list(pool.map(run, firsts))
    for fault, film in faults:
        if fault == kernels.BAD_POINT:
            raise InputError(
                f"Expected finite coordinates or NaN for an absent point; film {film} has an infinite one."
            )
        if fault == kernels.BAD_COVARIANCE:
            raise InputError(
                f"Expected positive semi-definite 2 x 2 covariances or NaN for an unknown one; film {film} has another."
            )
    return results


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _as_read(array: npt.NDArray[Any], kind: type[np.generic]) -> npt.NDArray[Any]:
    """A read-only contiguous view, copied only when it must be: one array type means one compiled kernel."""
    view = np.ascontiguousarray(array, dtype=kind).view()
    view.setflags(write=False)
    return view
