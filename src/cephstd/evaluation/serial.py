"""Change between serial films: which measures changed by more than their error, and which did not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec

from cephstd.core.measures import FIRST_ORDER_FAILS, Measure, MeasureSet, Unit
from cephstd.errors import InputError

Z95 = 1.96  # two-sided 95 % of a normal, rounded as in the papers whose formulas these are
NO_ERRORS: Mapping[str, float] = MappingProxyType({})

Verdict = Literal["changed", "within noise", "unknown"]
Basis = Literal["propagated", "duplicates", ""]


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change of one measure from the first film to a later one.

    Attributes
    ----------
    measure : str
    unit : str
        Of every number below.
    first, later, change : float or None
        `change` is later minus first; None when one of them is absent.
    sd : float or None
        Standard deviation of the change.
    smallest_detectable : float or None
        1.96 `sd`: no smaller change can be told from error with 95 % confidence.
    basis : str
        Where `sd` comes from: ``propagated`` from landmarks and scale of both films, or ``duplicates``: a method
        error (Dahlberg) of one reading, which gives sqrt(2) of it.
    verdict : str
        ``changed``, ``within noise`` or ``unknown``.
    provisional : bool
        True when one of the values is.
    reason : str
        Why the verdict is unknown.
    """

    measure: str
    unit: Unit
    first: float | None = None
    later: float | None = None
    change: float | None = None
    sd: float | None = None
    smallest_detectable: float | None = None
    basis: Basis = ""
    verdict: Verdict = "unknown"
    provisional: bool = False
    reason: str = ""


def compare_values(
    first: MeasureSet, later: MeasureSet, *, method_errors: Mapping[str, float] = NO_ERRORS
) -> tuple[Change, ...]:
    """Change of every measure between two films of one person.

    Parameters
    ----------
    first, later : MeasureSet
        Of the same analysis.
    method_errors : mapping of str to float
        Measure id -> Dahlberg's error of a single reading, in the measure's unit, from duplicate readings of one's own
        (see `assess_agreement`). It takes the place of the propagated error of that measure.

    Returns
    -------
    tuple of Change
        In the order of `first`. The errors of both films count as independent: what they share, such as an observer
        who places a point wrongly in the same way, cancels in truth, so the noise is rather over- than understated.

    Raises
    ------
    InputError
        When the films were measured by different analyses, or a method error is not a positive number.

    Examples
    --------
    >>> from cephstd.core.measures import Measure, MeasureSet
    >>> films = [Measure(id="ANB", definition_version=1, unit="deg", value=value, sd=0.5) for value in (6.0, 3.0)]
    >>> (anb,) = compare_values(*(MeasureSet(analysis="own", measures=(film,)) for film in films))
    >>> anb.change, round(anb.smallest_detectable, 2), anb.verdict
    (-3.0, 1.39, 'changed')
    """
    if first.analysis != later.analysis:
        raise InputError(
            f"Expected films measured by one analysis, found {first.analysis} and {later.analysis}.",
            hint="Measure both again with the same analysis.",
        )
    wrong = [id for id, error in method_errors.items() if not (math.isfinite(error) and error > 0)]
    if wrong:
        raise InputError(f"Expected positive method errors, found another for {', '.join(wrong)}.")
    return tuple(
        _compare(measure, later[measure.id], method_errors.get(measure.id)) for measure in first if measure.id in later
    )


def compare_series(
    films: Sequence[MeasureSet], *, method_errors: Mapping[str, float] = NO_ERRORS
) -> tuple[tuple[Change, ...], ...]:
    """Change from the first film to each later one; parameters and errors are those of `compare_values`."""
    if len(films) < 2:
        raise InputError(f"Expected two or more films, found {len(films)}.")
    return tuple(compare_values(films[0], film, method_errors=method_errors) for film in films[1:])


def _compare(first: Measure, later: Measure, method_error: float | None) -> Change:
    plain = Change(
        measure=first.id,
        unit=first.unit,
        first=first.value,
        later=later.value,
        provisional=first.provisional or later.provisional,
    )
    if first.definition_version != later.definition_version:
        versions = f"{first.definition_version} and {later.definition_version}"
        return msgspec.structs.replace(plain, reason=f"measured by different definitions: versions {versions}")
    if first.value is None or later.value is None:
        absent = [f"{name}: {m.reason}" for name, m in (("first", first), ("later", later)) if m.value is None]
        return msgspec.structs.replace(plain, reason="absent on the " + "; on the ".join(absent))
    change = later.value - first.value
    sd, basis = _find_sd(first, later, method_error)
    if sd is None:
        failing = any(m.sd is not None and m.trusted_sd is None for m in (first, later))
        reason = FIRST_ORDER_FAILS if failing else "unknown error of a value"
        return msgspec.structs.replace(plain, change=change, reason=reason)
    smallest = Z95 * sd
    verdict: Verdict = "changed" if abs(change) > smallest else "within noise"
    return msgspec.structs.replace(
        plain, change=change, sd=sd, smallest_detectable=smallest, basis=basis, verdict=verdict
    )


def _find_sd(first: Measure, later: Measure, method_error: float | None) -> tuple[float | None, Basis]:
    if method_error is not None:
        return math.sqrt(2.0) * method_error, "duplicates"
    if first.trusted_sd is None or later.trusted_sd is None:
        return None, ""
    return math.hypot(first.trusted_sd, later.trusted_sd), "propagated"
