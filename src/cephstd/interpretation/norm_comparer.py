"""Compares values with a norm set that a person chose; what may not be compared is withheld with its reason.

The order of resolution is fixed: an entry for this sex and age; for this sex; for this age; pooled. Taking a less
specific entry than the set offers for the measure is flagged. No entry of another population is ever taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from cephstd.core.image import CalibrationBasis
from cephstd.core.interpretation import NormComparison, NormSetUse, Resolution, Sex
from cephstd.core.measures import Measure
from cephstd.knowledge.loader import load_measures
from cephstd.knowledge.norms import NormEntry, Norms, NormSet

ORDER: tuple[Resolution, ...] = ("sex and age", "sex", "age", "pooled")
UNVERIFIED = "unverified"
DECIMALS = 6
"""Comparisons are rounded to this many decimals: more say nothing, and stored ones must not differ by a last bit."""

SIZE_OF_BASIS: Mapping[CalibrationBasis, str] = MappingProxyType(
    {
        "fiducial": "natural",
        "geometry": "natural",
        "ermf_applied": "natural",
        "user_ruler": "natural",
        "detector_plane": "film",
        "scanned_nominal": "film",
        "user_stated": "unstated",
    }
)
"""Size of the lengths that a scale of each basis gives: a fiducial lies in the patient's plane, a detector does not."""


class Withheld(Exception):
    """Why nothing is compared: an outcome inside this module, not a fault; it never leaves it."""


class _Patient(NamedTuple):
    """What a reference may depend on, and the enlargement that a person states for the set, in percent."""

    values: Mapping[str, float | None]
    age_years: float | None
    sex: Sex | None
    basis: CalibrationBasis
    enlargement: float | None


class _Reference(NamedTuple):
    value: float | None
    spread: float | None
    low: float | None
    high: float | None


def describe_norms(norms: Norms, enlargement_percent: float | None = None) -> NormSetUse:
    """What a record says of a norm set that was used, and of the enlargement that a person stated for it."""
    definition = norms.definition
    return NormSetUse(
        set=definition.id,
        version=definition.version,
        sha256=norms.sha256,
        population=definition.population,
        verified=bool(definition.checked_by),
        enlargement_percent=enlargement_percent,
    )


def compare_with_norms(
    measures: Iterable[Measure],
    norms: Norms,
    *,
    age_years: float | None = None,
    sex: Sex | None = None,
    basis: CalibrationBasis = "undetermined",
    enlargement_percent: float | None = None,
) -> tuple[NormComparison, ...]:
    """Values beside the references of one norm set.

    Parameters
    ----------
    measures : iterable of Measure
        Of one film; a measure for which the set has no entry is left out.
    norms : Norms
        The set that a person chose for this patient.
    age_years, sex : float, str, optional
        Of the patient, as stated; without them only entries for all ages or both sexes apply.
    basis : str
        Where the film's scale comes from: lengths are compared at natural size only.
    enlargement_percent : float, optional
        Of the films that the set's lengths were measured on, stated by a person where print leaves it open.

    Returns
    -------
    tuple of NormComparison
        In the order of `measures`. Only ``mean_sd`` gives a z score.
    """
    found = tuple(measures)
    patient = _Patient({measure.id: measure.value for measure in found}, age_years, sex, basis, enlargement_percent)
    entries: dict[str, list[NormEntry]] = {}
    for entry in norms.definition.entry:
        entries.setdefault(entry.measure, []).append(entry)
    return tuple(
        _compare(measure, entries[measure.id], norms.definition, patient) for measure in found if measure.id in entries
    )


def _compare(measure: Measure, entries: list[NormEntry], norms: NormSet, patient: _Patient) -> NormComparison:
    said = NormComparison(measure=measure.id, set=norms.id)
    flags: list[str] = []
    try:
        entry, resolved = _resolve(entries, patient.age_years, patient.sex, flags)
        said = msgspec.structs.replace(said, entry=entry.id, kind=entry.kind, resolved=resolved)
        if not (entry.checked_by or norms.checked_by):
            flags.insert(0, UNVERIFIED)
        if measure.provisional:
            flags.append("the value is provisional")
        reference = _refer(entry, norms, patient, flags)
        flags.extend(_ages(norms, patient.age_years))
        said = msgspec.structs.replace(said, **_rounded(reference))
        factor = _admit(measure, entry, norms, patient)
    except Withheld as why:
        return msgspec.structs.replace(said, flags=tuple(flags), reason=str(why))
    if factor != 1.0:
        stated = "" if patient.enlargement is None else f", from a stated enlargement of {patient.enlargement:g} %"
        flags.append(f"converted to natural size with {factor:.6g}{stated}")
        reference = _Reference(*(None if part is None else part * factor for part in reference))
    return msgspec.structs.replace(
        said,
        flags=tuple(flags),
        value=measure.value,
        **_rounded(reference),
        **_judge(entry, reference, measure),
    )


def _resolve(
    entries: list[NormEntry], age_years: float | None, sex: Sex | None, flags: list[str]
) -> tuple[NormEntry, Resolution]:
    """The most specific entry that fits, and how specific it is; flagged when the set has a more specific one."""
    offered = {_specificity(entry) for entry in entries}
    fitting = [entry for entry in entries if _fits(entry, age_years, sex)]
    for number, level in enumerate(ORDER):
        at_level = [entry for entry in fitting if _specificity(entry) == level]
        if not at_level:
            continue
        passed = [better for better in ORDER[:number] if better in offered]
        if passed:
            flags.append(f"fallback: no entry for this {passed[0]}, taken the {level} one")
        if len(at_level) > 1:
            raise Withheld("the set has more than one entry that fits: " + ", ".join(entry.id for entry in at_level))
        return at_level[0], level
    if sex is None and any(entry.sex for entry in entries):
        raise Withheld("the norm depends on sex, which is not stated")
    if age_years is None and any(_has_ages(entry) for entry in entries):
        raise Withheld("the norm depends on age, which is not stated")
    raise Withheld("the set has no entry for this sex and age")


def _has_ages(entry: NormEntry) -> bool:
    return entry.age_min_years is not None or entry.age_max_years is not None or entry.table_of == "age"


def _specificity(entry: NormEntry) -> Resolution:
    by_age = _has_ages(entry) or entry.linear is not None
    return ORDER[(0 if by_age else 1) if entry.sex else (2 if by_age else 3)]


def _fits(entry: NormEntry, age_years: float | None, sex: Sex | None) -> bool:
    if entry.sex is not None and entry.sex != sex:
        return False
    if not _has_ages(entry):
        return True
    if age_years is None:
        return False
    low = -float("inf") if entry.age_min_years is None else entry.age_min_years
    high = float("inf") if entry.age_max_years is None else entry.age_max_years
    return low <= age_years <= high


def _refer(entry: NormEntry, norms: NormSet, patient: _Patient, flags: list[str]) -> _Reference:
    """The numbers of an entry for this patient."""
    if entry.table:
        return _look_up(entry, norms, patient, flags)
    if entry.linear is None:
        return _Reference(entry.value, entry.spread, entry.low, entry.high)
    if patient.age_years is None:
        raise Withheld("the norm depends on age, which is not stated")
    age_years = _grown(norms, patient.age_years, patient.sex, flags)
    years = age_years - entry.linear.base_age_years
    if years < 0.0:
        flags.append(f"below the model's base age of {entry.linear.base_age_years:g} y")
    shift = entry.linear.per_year * years
    return _Reference(None if entry.value is None else entry.value + shift, entry.spread, entry.low, entry.high)


def _grown(norms: NormSet, age_years: float, sex: Sex | None, flags: list[str]) -> float:
    """Age up to the one at which the linear models of a set stop."""
    ends = {"F": norms.growth_ends_f_years, "M": norms.growth_ends_m_years}
    known = [end for end in ends.values() if end is not None]
    if not known or age_years <= min(known):
        return age_years
    if sex is None:
        raise Withheld("the end of growth depends on sex, which is not stated")
    end = ends[sex]
    if end is None or age_years <= end:
        return age_years
    flags.append(f"age model stopped at {end:g} y")
    return end


def _look_up(entry: NormEntry, norms: NormSet, patient: _Patient, flags: list[str]) -> _Reference:
    """Row of a table, interpolated between two rows; nothing beyond its ends."""
    by_age = entry.table_of == "age"
    at = patient.age_years if by_age else patient.values.get(entry.table_of)
    name = "age" if by_age else entry.table_of
    if at is None:
        raise Withheld(f"the norm depends on {name}, which has no value")
    if not by_age and load_measures()[name].unit == "mm":
        at /= _natural(norms, patient)  # rows are at the size of the set's own films
    first, last = entry.table[0], entry.table[-1]
    if not first.at <= at <= last.at:
        raise Withheld(f"{name} {at:g} lies outside the table, {first.at:g} to {last.at:g}")
    after = next(row for row in entry.table if row.at >= at)
    before = entry.table[max(entry.table.index(after) - 1, 0)]
    if after.at == at:
        return _Reference(after.value, after.spread, after.low, after.high)
    flags.append(f"interpolated between {name} {before.at:g} and {after.at:g}")
    share = (at - before.at) / (after.at - before.at)

    def between(low: float | None, high: float | None) -> float | None:
        return None if low is None or high is None else low + share * (high - low)

    return _Reference(
        between(before.value, after.value),
        between(before.spread, after.spread),
        between(before.low, after.low),
        between(before.high, after.high),
    )


def _ages(norms: NormSet, age_years: float | None) -> list[str]:
    low, high = norms.sample_age_min_years, norms.sample_age_max_years
    if age_years is None or (low is None and high is None):
        return []
    inside = (low is None or age_years >= low) and (high is None or age_years < high + 1.0)
    ages = f"{'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}"
    return [] if inside else [f"age {age_years:g} lies outside the sample's, {ages} y"]


def _admit(measure: Measure, entry: NormEntry, norms: NormSet, patient: _Patient) -> float:
    """Factor from what is printed to what is compared; withheld where the two are not the same thing."""
    if measure.value is None:
        raise Withheld(f"no value: {measure.reason}")
    if entry.measure_version != measure.definition_version:
        raise Withheld(
            f"the norm is for version {entry.measure_version} of the definition, "
            f"the value of version {measure.definition_version}"
        )
    return _natural(norms, patient) if measure.unit == "mm" else 1.0


def _natural(norms: NormSet, patient: _Patient) -> float:
    """Factor from the lengths of a set to natural size, once those of the film are known to have it."""
    size = SIZE_OF_BASIS.get(patient.basis, "")
    if size == "film":
        raise Withheld(f"the value is at film size ({patient.basis}), of unknown enlargement")
    if size != "natural":
        raise Withheld(f"the size of the value is not known (scale: {patient.basis})")
    if norms.size == "natural":
        return 1.0
    if norms.natural_factor is not None:
        return norms.natural_factor
    if patient.enlargement is not None:
        return 1.0 / (1.0 + patient.enlargement / 100.0)
    known = norms.enlargement or "not stated"
    raise Withheld(f"the value is at natural size, the norm is not (enlargement: {known})")


def _judge(entry: NormEntry, reference: _Reference, measure: Measure) -> dict[str, float | str]:
    """What may be said of a value by the kind of the statistic."""
    said: dict[str, float | str] = {}
    value = measure.value
    if value is None:
        return said
    if reference.value is not None:
        difference = value - reference.value
        said["difference"] = round(difference, DECIMALS)
        if reference.spread is not None and entry.kind == "mean_sd":
            said["z"] = round(difference / reference.spread, DECIMALS)
        if reference.spread is not None and entry.kind == "clinical_deviation":
            said["clinical_deviations"] = round(difference / reference.spread, DECIMALS)
    low, high = reference.low, reference.high
    customary = entry.kind == "author_ideal" and low is None and high is None
    if customary and reference.value is not None and reference.spread is not None:
        low, high = reference.value - reference.spread, reference.value + reference.spread
    if low is not None or high is not None:
        below, above = low is not None and value < low, high is not None and value > high
        said["position"] = "below" if below else "above" if above else "within"
    return said


def _rounded(reference: _Reference) -> dict[str, float | None]:
    named = {"reference": reference.value, "spread": reference.spread, "low": reference.low, "high": reference.high}
    return {name: None if part is None else round(part, DECIMALS) for name, part in named.items()}
