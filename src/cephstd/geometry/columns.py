"""Measures of many films as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.errors import UnknownAnalysisError
from cephstd.geometry import program as op
from cephstd.geometry.executor import Results
from cephstd.geometry.plan import Plan
from cephstd.knowledge.definitions import MeasureDefinition
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import Analysis

Masked = np.ma.MaskedArray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasureColumns:
    """Measures of many films: for each measure a column of values, one of standard deviations, one of reasons.

    Attributes
    ----------
    analysis : Analysis
        Definitions of the measures, in order.
    plan : Plan
        How they were computed.
    ids : tuple of str
        Landmarks that were given.
    results : Results
        What the kernel wrote; absent values are NaN in there, so read the columns instead.
    present : ndarray of bool, shape (films, landmarks)
        Which points have a position.
    calibrated : ndarray of bool, shape (films,)
        Which films have a scale.
    """

    analysis: Analysis
    plan: Plan
    ids: tuple[str, ...]
    results: Results
    present: npt.NDArray[np.bool_]
    calibrated: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.present)

    def __repr__(self) -> str:
        return (
            f"<MeasureColumns {self.analysis.definition.id}: {len(self.analysis.measures)} measures, {len(self)} films>"
        )

    def __getitem__(self, id: str) -> Masked:
        """Values of a measure, shape (films,), in its unit; masked = absent."""
        return self._mask(id, self.results.values)

    def sd(self, id: str) -> Masked:
        """Standard deviations of a measure, shape (films,), in its unit; masked = absent or unknown."""
        return self._mask(id, self.results.sds)

    def reasons(self, id: str) -> npt.NDArray[np.object_]:
        """Why each value is absent, shape (films,); empty where there is one."""
        measure = self._define(id)
        out = np.full(len(self), measure.undefined, dtype=object)
        if not measure.formula:
            return out
        row = self._row(id)
        status = self.results.status[row]
        for code in np.unique(status[(status > op.OK) & (status < op.FIRST_MISSING)]).tolist():
            out[status == code] = op.REASONS[code]
        names = self.plan.find_names(row)
        columns = [column for column, name in enumerate(self.ids) if name in names]
        lacks = np.flatnonzero((status >= op.FIRST_MISSING) | self._lacks_column(row))
        patterns, which = np.unique(self.present[lacks][:, columns], axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            found = frozenset(self.ids[column] for column, there in zip(columns, pattern, strict=True) if there)
            films = lacks[which.reshape(-1) == number]
            out[films] = "missing: " + ", ".join(self.plan.find_rests(row, found).lacking)
        if self.plan.program.by_scale[row]:
            also = lacks[~self.calibrated[lacks]]
            out[also] = out[also] + "; " + op.REASONS[op.NOT_CALIBRATED]
        return out

    def columns(self) -> dict[str, Masked | npt.NDArray[np.object_]]:
        """Every column: ``id``, ``id_sd``, ``id_reason`` for each measure in order."""
        out: dict[str, Masked | npt.NDArray[np.object_]] = {}
        for measure in self.analysis.measures:
            out[measure.id] = self[measure.id]
            out[f"{measure.id}_sd"] = self.sd(measure.id)
            out[f"{measure.id}_reason"] = self.reasons(measure.id)
        return out

    def _mask(self, id: str, source: npt.NDArray[np.float64]) -> Masked:
        if not self._define(id).formula:
            return np.ma.MaskedArray(np.full(len(self), np.nan), mask=True)
        column = source[self._row(id)]
        return np.ma.MaskedArray(column, mask=np.isnan(column))

    def _define(self, id: str) -> MeasureDefinition:
        for measure in self.analysis.measures:
            if measure.id == id:
                return measure
        known = [measure.id for measure in self.analysis.measures]
        raise UnknownAnalysisError(f"Expected a measure of this analysis, found {id!r}.", hint=suggest(id, known))

    def _row(self, id: str) -> int:
        return list(self.analysis.formulas).index(id)

    def _lacks_column(self, row: int) -> bool:
        return bool(self.plan.find_rests(row, frozenset(self.ids)).lacking)
