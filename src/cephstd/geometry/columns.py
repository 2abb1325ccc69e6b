"""Measures of many films as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cephstd.core.measures import Measure, MeasureSet
from cephstd.errors import UnknownAnalysisError
from cephstd.geometry import program as op
from cephstd.geometry.executor import Results
from cephstd.geometry.plan import Plan, Rests
from cephstd.geometry.program import FRAME_LANDMARKS
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
    marked_provisional : ndarray of bool, shape (films, landmarks), optional
        Which points are provisional; None when nothing was said of that.
    """

    analysis: Analysis
    plan: Plan
    ids: tuple[str, ...]
    results: Results
    present: npt.NDArray[np.bool_]
    calibrated: npt.NDArray[np.bool_]
    marked_provisional: npt.NDArray[np.bool_] | None = None

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
        lacks = np.flatnonzero((status >= op.FIRST_MISSING) | self._lacks_column(row))
        for rests, films in self._by_presence(row, lacks):
            out[films] = "missing: " + ", ".join(rests.lacking)
        if self.plan.program.by_scale[row]:
            also = lacks[~self.calibrated[lacks]]
            out[also] = out[also] + "; " + op.REASONS[op.NOT_CALIBRATED]
        return out

    def provisional(self, id: str) -> npt.NDArray[np.bool_]:
        """Which values of a measure rest on a provisional point, shape (films,)."""
        out = np.zeros(len(self), dtype=np.bool_)
        marked = self.marked_provisional
        if marked is None or not self._define(id).formula or not marked.any():
            return out
        row = self._row(id)
        at = {name: column for column, name in enumerate(self.ids)}
        present = np.flatnonzero(~np.isnan(self.results.values[row]) & marked.any(axis=1))
        for rests, films in self._by_presence(row, present, FRAME_LANDMARKS):
            columns = np.array([at[name] for name in {*rests.used, *rests.orienting}], dtype=np.intp)
            out[films] = marked[np.ix_(films, columns)].any(axis=1)
        return out

    def film(self, number: int) -> MeasureSet:
        """Measures of one film, as `Measurer` gives them."""
        measures = []
        for measure in self.analysis.measures:
            value, sd, rests = None, None, None
            if measure.formula:
                row = self._row(measure.id)
                found, spread = self.results.values[row, number], self.results.sds[row, number]
                value = None if np.isnan(found) else float(found)
                sd = None if value is None or np.isnan(spread) else float(spread)
                present = frozenset(np.array(self.ids, dtype=object)[self.present[number]].tolist())
                rests = self.plan.find_rests(row, present)
            measures.append(
                Measure(
                    id=measure.id,
                    definition_version=measure.version,
                    unit=measure.unit,
                    value=value,
                    sd=sd,
                    reason="" if value is not None else str(self.only(number).reasons(measure.id)[0]),
                    provisional=bool(self.only(number).provisional(measure.id)[0]),
                    decimals=measure.decimals,
                    inputs=rests.used if rests else (),
                )
            )
        return MeasureSet(analysis=self.analysis.definition.id, measures=tuple(measures))

    def only(self, number: int) -> MeasureColumns:
        """The columns of one film alone."""
        films = slice(number, number + 1)
        results = Results(
            values=self.results.values[:, films],
            sds=self.results.sds[:, films],
            status=self.results.status[:, films],
            gradients=self.results.gradients,
        )
        marked = None if self.marked_provisional is None else self.marked_provisional[films]
        return dataclasses.replace(
            self,
            results=results,
            present=self.present[films],
            calibrated=self.calibrated[films],
            marked_provisional=marked,
        )

    def columns(self) -> dict[str, Masked | npt.NDArray[Any]]:
        """Every column: ``id``, ``id_sd``, ``id_reason`` for each measure in order.

        Where points were marked as provisional or not, ``id_provisional`` follows.
        """
        out: dict[str, Masked | npt.NDArray[Any]] = {}
        for measure in self.analysis.measures:
            out[measure.id] = self[measure.id]
            out[f"{measure.id}_sd"] = self.sd(measure.id)
            out[f"{measure.id}_reason"] = self.reasons(measure.id)
            if self.marked_provisional is not None:
                out[f"{measure.id}_provisional"] = self.provisional(measure.id)
        return out

    def _by_presence(
        self, row: int, films: npt.NDArray[np.intp], also: tuple[str, ...] = ()
    ) -> Iterator[tuple[Rests, npt.NDArray[np.intp]]]:
        """What a measure rests on, once for all `films` that have the same of its landmarks."""
        names = {*self.plan.find_names(row), *also}
        columns = [column for column, name in enumerate(self.ids) if name in names]
        patterns, which = np.unique(self.present[films][:, columns], axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            found = frozenset(self.ids[column] for column, there in zip(columns, pattern, strict=True) if there)
            yield self.plan.find_rests(row, found), films[which.reshape(-1) == number]

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
