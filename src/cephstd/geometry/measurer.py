"""Landmarks to measures: one film, or a table of films."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration
from cephstd.core.landmarks import LandmarkSet
from cephstd.core.measures import Measure, MeasureSet, Uncertainty
from cephstd.errors import InputError
from cephstd.geometry import program as op
from cephstd.geometry.columns import MeasureColumns
from cephstd.geometry.executor import NO_COVARIANCES, Results, execute
from cephstd.geometry.inputs import check_ids, spread_scales
from cephstd.geometry.plan import Plan, Rests
from cephstd.geometry.propagator import spread_measures
from cephstd.knowledge.loader import Analysis, load_analysis, load_constructions

_NOT_CALIBRATED = op.REASONS[op.NOT_CALIBRATED]


class Measurer:
    """Computes the measures of one analysis; reusable and safe under threads.

    Parameters
    ----------
    analysis : str, Path or sequence of str
        Name of an analysis (``"steiner"``, ``"all"``), path of a TOML file of one's own, or measure ids.

    Raises
    ------
    UnknownAnalysisError, DefinitionError, FormulaError
        When the analysis is unknown or wrong.

    Examples
    --------
    >>> from cephstd.core.landmarks import landmark_set
    >>> marks = landmark_set({"S": (0, 0), "N": (70, 0), "A": (70, 60), "B": (62, 95)})
    >>> print(Measurer(["SNA", "SNB", "S_N"])(marks))
    SNA 90.0 deg
    SNB 85.2 deg
    S_N: absent (not calibrated)
    """

    def __init__(self, analysis: str | Path | Sequence[str] = "steiner") -> None:
        self.analysis, self.plan = _plan_named(analysis) if isinstance(analysis, str) else _plan(analysis)
        self._computed = {id: row for row, id in enumerate(self.analysis.formulas)}

    def __repr__(self) -> str:
        return f"<Measurer {self.analysis.definition.id}: {len(self.analysis.measures)} measures>"

    def __call__(
        self,
        landmarks: LandmarkSet,
        calibration: Calibration | None = None,
        *,
        covariance_px2: npt.ArrayLike | None = None,
        uncertainty: Uncertainty | None = None,
    ) -> MeasureSet:
        """Measures of one film, in the order of the analysis.

        Parameters
        ----------
        landmarks : LandmarkSet
            In source pixels. Absent and rejected points are not used; what rests on a provisional point is
            provisional.
        calibration : Calibration, optional
            Without one that allows millimetres, every length is absent; angles and ratios take square pixels.
        covariance_px2 : array, shape (2 n, 2 n), optional
            Covariance of x1, y1, x2, y2, ... in the order of the n `landmarks`, px^2, for points that err together; in
            place of the points' own.
        uncertainty : Uncertainty, optional
            How standard deviations are obtained. With one, every value says whether first order may be relied on;
            without one they are of first order, unchecked.

        Returns
        -------
        MeasureSet
            Values unrounded, in deg, mm, % or as a ratio, with a standard deviation where every covariance that it
            needs is known; it covers the landmarks and, for lengths, the scale. A value that could not be obtained
            is absent with its reason.

        Raises
        ------
        UnknownLandmarkError
            When a landmark is not in the dictionary.
        CalibrationError
            When the scale is not positive.
        InputError
            When the matrix is no covariance of these points, or draws or seed are out of range.
        """
        values = self._measure(landmarks, calibration)
        if covariance_px2 is None and uncertainty is None:
            return values
        return spread_measures(
            self, landmarks, values, calibration, covariance_px2=covariance_px2, uncertainty=uncertainty
        )

    def _measure(self, landmarks: LandmarkSet, calibration: Calibration | None) -> MeasureSet:
        marks = [mark for mark in landmarks if mark.is_present and mark.review != "rejected"]
        ids = tuple(mark.id for mark in marks)
        points = np.array([(mark.x_px, mark.y_px) for mark in marks], dtype=np.float64).reshape(1, len(ids), 2)
        covariances = [(mark.cov_xx, mark.cov_xy, mark.cov_xy, mark.cov_yy) for mark in marks]
        known = np.array(covariances, dtype=np.float64).reshape(1, len(ids), 2, 2)  # None becomes NaN
        spacing = None if calibration is None else calibration.spacing_mm
        results, rests = self._execute(
            points,
            ids,
            spread_scales(spacing, 1),
            np.array([0.0 if calibration is None else calibration.relative_sd]),
            known if any(row[0] is not None for row in covariances) else NO_COVARIANCES,
        )
        values, sds, status = results.values[:, 0].tolist(), results.sds[:, 0].tolist(), results.status[:, 0].tolist()
        provisional = frozenset(mark.id for mark in marks if mark.review == "provisional")
        measures = []
        for definition in self.analysis.measures:
            row = self._computed.get(definition.id, -1)
            value, sd, reason, rest = None, None, definition.undefined, _NOTHING
            if row >= 0:
                rest = rests[row]
                reason = _state_reason(
                    rest.lacking, status[row], bool(self.plan.program.by_scale[row]), spacing is None
                )
                value = None if reason else values[row]
                sd = None if value is None or sds[row] != sds[row] else sds[row]
            measures.append(
                Measure(
                    id=definition.id,
                    definition_version=definition.version,
                    unit=definition.unit,
                    value=value,
                    sd=sd,
                    reason=reason,
                    provisional=bool(provisional)
                    and value is not None
                    and not provisional.isdisjoint(rest.orienting + rest.used),
                    decimals=definition.decimals,
                    inputs=rest.used,
                )
            )
        return MeasureSet(analysis=self.analysis.definition.id, measures=tuple(measures))

    def over(
        self,
        points_px: npt.ArrayLike,
        ids: Sequence[str],
        *,
        spacing_mm: npt.ArrayLike | None = None,
        spacing_sd: npt.ArrayLike = 0.0,
        covariances_px2: npt.ArrayLike | None = None,
        provisional: npt.ArrayLike | None = None,
        threads: int | None = None,
    ) -> MeasureColumns:
        """Measures of many films; parameters, result and errors are those of `measure_many`."""
        points = np.asarray(points_px, dtype=np.float64)
        names = tuple(ids)
        if points.ndim != 3 or points.shape[1:] != (len(names), 2):
            raise InputError(f"Expected points of shape (films, {len(names)}, 2), found {points.shape}.")
        films = len(points)
        covariances = NO_COVARIANCES
        if covariances_px2 is not None:
            covariances = np.asarray(covariances_px2, dtype=np.float64)
            covariances = covariances[np.newaxis] if covariances.ndim == 3 else covariances
            if covariances.shape[1:] != (len(names), 2, 2) or covariances.shape[0] not in (1, films):
                raise InputError(
                    f"Expected covariances of shape ({films} or 1, {len(names)}, 2, 2), found {covariances.shape}."
                )
        scales = spread_scales(spacing_mm, films)
        sds = np.atleast_1d(np.asarray(spacing_sd, dtype=np.float64))
        if sds.shape not in ((1,), (films,)) or not (sds >= 0.0).all():
            raise InputError(f"Expected one relative uncertainty of the scale, or {films}, zero or more.")
        marked = None if provisional is None else np.asarray(provisional, dtype=np.bool_)
        if marked is not None and marked.shape != points.shape[:2]:
            raise InputError(f"Expected provisional marks of shape {points.shape[:2]}, found {marked.shape}.")
        results, _ = self._execute(points, names, scales, sds, covariances, threads=threads)
        return MeasureColumns(
            analysis=self.analysis,
            plan=self.plan,
            ids=names,
            results=results,
            present=~(np.isnan(points[..., 0]) | np.isnan(points[..., 1])),
            calibrated=np.broadcast_to(~np.isnan(scales).any(axis=1), (films,)),
            marked_provisional=marked,
        )

    def _execute(
        self,
        points_px: FloatArray,
        ids: tuple[str, ...],
        scales_mm: FloatArray,
        scale_sds: FloatArray,
        covariances_px2: FloatArray,
        *,
        threads: int | None = None,
    ) -> tuple[Results, tuple[Rests, ...]]:
        """Run all measures for which `ids` hold every landmark."""
        check_ids(ids)
        binding = self.plan.bind(ids)
        results = execute(
            self.plan.program,
            binding,
            points_px,
            scales_mm=scales_mm,
            scale_sds=scale_sds,
            covariances_px2=covariances_px2,
            threads=threads,
        )
        return results, binding.rests


_NOTHING = Rests(used=(), lacking=(), orienting=())


def measure(
    landmarks: LandmarkSet,
    analysis: str | Path | Sequence[str] = "steiner",
    calibration: Calibration | None = None,
    *,
    covariance_px2: npt.ArrayLike | None = None,
    uncertainty: Uncertainty | None = None,
) -> MeasureSet:
    """Measures of one film: exactly ``Measurer(analysis)(landmarks, calibration, ...)``.

    Parameters
    ----------
    landmarks : LandmarkSet
        In source px, from a model or from a person.
    analysis : str, Path or sequence of str
        As for `Measurer`.
    calibration : Calibration, optional
        Without one that allows millimetres, every length is absent.
    covariance_px2 : array, shape (2 n, 2 n), optional
        One covariance over all points, for points that err together, as for a call of a `Measurer`.
    uncertainty : Uncertainty, optional
        First order with a check, or Monte Carlo with its seed, as for a call of a `Measurer`.

    Returns
    -------
    MeasureSet
        Values with standard deviations, or the reasons of their absence.

    Raises
    ------
    UnknownAnalysisError, DefinitionError, FormulaError
        When the analysis is unknown or wrong.
    UnknownLandmarkError
        When a landmark is not in the dictionary.
    CalibrationError
        When the scale is not positive.
    InputError
        When the matrix is no covariance of these points, or draws or seed are out of range.

    Examples
    --------
    >>> from cephstd.core.landmarks import landmark_set
    >>> marks = landmark_set({"S": (0, 0), "N": (70, 0), "A": (70, 60), "B": (62, 95)})
    >>> round(measure(marks, "steiner")["ANB"].value, 2)
    4.81
    """
    return Measurer(analysis)(landmarks, calibration, covariance_px2=covariance_px2, uncertainty=uncertainty)


@overload
def measure_many(
    points_px: npt.ArrayLike,
    ids: Sequence[str],
    analysis: str | Path | Sequence[str] = "all",
    *,
    spacing_mm: npt.ArrayLike | None = None,
    spacing_sd: npt.ArrayLike = 0.0,
    covariances_px2: npt.ArrayLike | None = None,
    provisional: npt.ArrayLike | None = None,
    threads: int | None = None,
) -> MeasureColumns: ...


@overload
def measure_many(
    points_px: Any,
    ids: None = None,
    analysis: str | Path | Sequence[str] = "all",
    *,
    spacing_mm: float | None = None,
    spacing_sd: float = 0.0,
    threads: int | None = None,
) -> Any: ...


def measure_many(
    points_px: Any,
    ids: Sequence[str] | None = None,
    analysis: str | Path | Sequence[str] = "all",
    *,
    spacing_mm: Any = None,
    spacing_sd: npt.ArrayLike = 0.0,
    covariances_px2: npt.ArrayLike | None = None,
    provisional: npt.ArrayLike | None = None,
    threads: int | None = None,
) -> Any:
    """Measures of many films at once.

    Parameters
    ----------
    points_px : array, shape (films, n, 2), or DataFrame
        Source pixels as x, y; NaN = absent. Or a frame of pandas, polars or Arrow with one row per point: image_id,
        landmark, x_px, y_px, and, where known, mm_per_px, state, review, cov_xx, cov_xy, cov_yy.
    ids : sequence of str, length n
        Landmark of each column; left out for a frame.
    analysis : str, Path or sequence of str
        As in `Measurer`.
    spacing_mm : float, array of shape (2,) or (films, 2), optional
        mm per px: one value; row and column spacing; or these for each film, NaN = not calibrated. With a frame one
        value, for the films that state none.
    spacing_sd : float or array of shape (films,)
        Relative standard uncertainty of the scale.
    covariances_px2 : array, shape (n, 2, 2) or (films, n, 2, 2), optional
        px^2; NaN = unknown. Without it no standard deviation is given.
    provisional : array of bool, shape (films, n), optional
        Points that are provisional: what rests on them is, too.
    threads : int, optional
        Default: every core that this process may use. Results do not depend on it.

    Returns
    -------
    MeasureColumns or DataFrame
        Masked columns of values and standard deviations, and the reason of every absence. For a frame one of the same
        library with a row per film: image_id, then ``id``, ``id_sd``, ``id_reason``, ``id_provisional`` for each
        measure; absent numbers are null.

    Raises
    ------
    InputError
        When shapes do not fit, a coordinate is infinite, a covariance is none, or a frame contradicts itself.
    CalibrationError
        When a spacing is not positive.
    UnknownLandmarkError, UnknownAnalysisError, DefinitionError, FormulaError
        When an id or the analysis is unknown or wrong.

    Examples
    --------
    >>> films = np.array([[[0, 0], [70, 0], [70, 60]], [[0, 0], [70, 0], [np.nan, np.nan]]])
    >>> table = measure_many(films, ["S", "N", "A"], ["SNA"])
    >>> table["SNA"].tolist(), table.reasons("SNA").tolist()
    ([90.0, None], ['', 'missing: A'])
    """
    measurer = Measurer(analysis)
    if ids is None:
        # narwhals is read only by who hands in a frame
        from cephstd.geometry.frames import measure_table, read_frame, write_frame

        if covariances_px2 is not None or provisional is not None:
            raise InputError("A frame holds covariances and reviews in its own columns.")
        points = read_frame(points_px, mm_per_px=spacing_mm)
        found = measure_table(measurer, points, spacing_sd=spacing_sd, threads=threads)
        return write_frame(points.image_ids, found, points_px)
    return measurer.over(
        points_px,
        ids,
        spacing_mm=spacing_mm,
        spacing_sd=spacing_sd,
        covariances_px2=covariances_px2,
        provisional=provisional,
        threads=threads,
    )


def _plan(which: str | Path | Sequence[str]) -> tuple[Analysis, Plan]:
    analysis = load_analysis(which)
    return analysis, Plan(tuple(analysis.formulas.values()), load_constructions())


@cache
def _plan_shipped(id: str) -> tuple[Analysis, Plan]:
    return _plan(id)


def _plan_named(which: str) -> tuple[Analysis, Plan]:
    """A shipped analysis is planned once per process; a file is read each time."""
    return _plan(which) if which.endswith(".toml") else _plan_shipped(which)


def _state_reason(lacking: tuple[str, ...], status: int, by_scale: bool, uncalibrated: bool) -> str:
    """The sentence for an absence, empty when there is a value."""
    if lacking:
        missing = "missing: " + ", ".join(lacking)
        return f"{missing}; {_NOT_CALIBRATED}" if by_scale and uncalibrated else missing
    return op.REASONS[status] if status else ""
