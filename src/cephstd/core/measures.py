"""Measured values of one film: each a number with its unit and uncertainty, or an absence with its reason."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

Unit = Literal["deg", "mm", "%", "ratio"]
SdMethod = Literal["first-order", "monte-carlo"]

FIRST_ORDER_FAILS = "first order fails"
"""What tables say beside a value whose standard deviation by derivatives is not to be relied on."""


class Uncertainty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How standard deviations of measures are obtained, and whether first order is checked.

    Attributes
    ----------
    method : {"first-order", "monte-carlo"}
        By derivatives, or by drawing points and scale from normal distributions.
    draws : int
        Number of draws, 100 to 1,000,000.
    seed : int
        Of the draws, 0 or more; the same seed gives the same standard deviations.
    """

    method: SdMethod = "first-order"
    draws: int = 10_000
    seed: int = 0


class Measure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measurement.

    Attributes
    ----------
    id : str
        Measurement id of the dictionary, e.g. ``"ANB"``.
    definition_version : int
        Version of the definition that was computed.
    value : float or None
        In `unit`; None when absent.
    sd : float or None
        Standard deviation from the landmarks' covariances and the scale's uncertainty, in `unit`; None when a
        covariance that it needs is unknown.
    reason : str
        Why the value is absent, e.g. ``"not calibrated"`` or ``"missing: Cc"``; empty otherwise.
    provisional : bool
        True when a point that the value rests on is provisional.
    decimals : int
        Decimals that are worth showing; the value itself is not rounded.
    inputs : tuple of str
        Landmarks that the value rests on.
    sd_method : {"first-order", "monte-carlo"}
        How `sd` was obtained.
    linear : bool or None
        Whether first order may be relied on here: False where curvature, a kink or a missing value within the points'
        uncertainty moves the standard deviation by more than a tenth; None where that was not examined.
    """

    id: str
    definition_version: int
    unit: Unit
    value: float | None = None
    sd: float | None = None
    reason: str = ""
    provisional: bool = False
    decimals: int = 1
    inputs: tuple[str, ...] = ()
    sd_method: SdMethod = "first-order"
    linear: bool | None = None

    @property
    def remark(self) -> str:
        """What a table says beside a value: ``provisional``, ``first order fails``, both or nothing."""
        said = ["provisional"] if self.provisional else []
        if self.linear is False:
            said.append(FIRST_ORDER_FAILS)
        return "; ".join(said)

    @property
    def trusted_sd(self) -> float | None:
        """`sd`, unless it is of first order and that fails: no probability and no verdict may rest on it then."""
        return None if self.linear is False and self.sd_method == "first-order" else self.sd

    @property
    def is_present(self) -> bool:
        """True when there is a value."""
        return self.value is not None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.id}: absent ({self.reason})"
        spread = "" if self.sd is None else f" ± {self.sd:.{self.decimals}f}"
        mark = f" ({self.remark})" if self.remark else ""
        return f"{self.id} {self.value:.{self.decimals}f}{spread} {self.unit}{mark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSet:
    """Measures of one film in the order of the analysis.

    Attributes
    ----------
    analysis : str
        Id of the analysis.
    measures : tuple of Measure
        Each id once, the absent ones among them.
    """

    analysis: str
    measures: tuple[Measure, ...]

    def __iter__(self) -> Iterator[Measure]:
        return iter(self.measures)

    def __len__(self) -> int:
        return len(self.measures)

    def __contains__(self, id: object) -> bool:
        return any(measure.id == id for measure in self.measures)

    def __getitem__(self, id: str) -> Measure:
        for measure in self.measures:
            if measure.id == id:
                return measure
        raise KeyError(id)

    @property
    def present(self) -> tuple[Measure, ...]:
        """The measures that have a value."""
        return tuple(measure for measure in self.measures if measure.is_present)

    def __repr__(self) -> str:
        return f"<MeasureSet {self.analysis}: {len(self.present)} values, {len(self) - len(self.present)} absent>"

    def __str__(self) -> str:
        return "\n".join(map(str, self.measures))

    def _repr_html_(self) -> str:
        head = "<tr><th>measure</th><th>value</th><th>± sd</th><th>unit</th><th>reason</th></tr>"
        rows = []
        for measure in self.measures:
            value = "" if measure.value is None else f"{measure.value:.{measure.decimals}f}"
            sd = "" if measure.sd is None else f"{measure.sd:.{measure.decimals}f}"
            cells = (measure.id, value, sd, measure.unit, measure.reason or measure.remark)
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        return f"<table>{head}{''.join(rows)}</table>"
