"""Norm sets as data: what an author or a study printed, for whom, and how it may be used; read and checked whole.

A norm never belongs to a measurement: a set is chosen by a person and names its population in the authors' words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from cephstd.core.digest import digest_bytes
from cephstd.core.interpretation import NormKind, Sex
from cephstd.errors import DefinitionError
from cephstd.knowledge.definitions import Confidence, Id
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import MAX_FILE_BYTES, load_measures

Positive = Annotated[float, msgspec.Meta(gt=0)]
Version = Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+$")]


class LinearModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reference that changes with age at a constant rate until growth ends.

    Attributes
    ----------
    base_age_years : float
        Age at which the entry's value holds.
    per_year : float
        Change of the value per year, in the measure's unit.
    """

    base_age_years: float
    per_year: float


class TableRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of a table: the reference at `at`, a mean with its spread or the two ends of a range."""

    at: float
    value: float | None = None
    spread: Positive | None = None
    low: float | None = None
    high: float | None = None


class NormEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reference of one measure.

    Attributes
    ----------
    id : str
        Name within the set; stored with every comparison.
    measure : str
        Measure that it is for.
    measure_version : int
        Version of the definition that it was made with.
    kind : str
        ``mean_sd`` (mean and standard deviation of a sample), ``author_ideal`` (a goal), ``range`` (found extremes),
        ``customary_band`` (limits in common use) or ``clinical_deviation`` (Ricketts' own, no standard deviation).
    value, spread : float, optional
        Mean, ideal or base value, and standard deviation, customary deviation or clinical deviation.
    low, high : float, optional
        Ends of a range or band.
    sex : str, optional
        ``F`` or ``M``; None = both.
    age_min_years, age_max_years : float, optional
        Ages that it is for.
    linear : LinearModel, optional
        Change with age.
    table_of : str
        ``age`` or the id of a measure whose value selects the row of `table`; empty without a table.
    table : tuple of TableRow
        By rising `at`; between two rows the reference is interpolated.
    note : str
        What else is printed, and disagreements.
    confidence : str
        How sure value and definition are together.
    checked_by : str
        Person who compared the number with the paper; empty = unverified.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,79}$")]
    measure: Id
    measure_version: Annotated[int, msgspec.Meta(ge=1)] = 1
    kind: NormKind
    value: float | None = None
    spread: Positive | None = None
    low: float | None = None
    high: float | None = None
    sex: Sex | None = None
    age_min_years: float | None = None
    age_max_years: float | None = None
    linear: LinearModel | None = None
    table_of: str = ""
    table: tuple[TableRow, ...] = ()
    note: str = ""
    confidence: Confidence = ""
    checked_by: str = ""


class NormSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One author's or study's references.

    Attributes
    ----------
    population : str
        In the authors' words.
    sample_age_min_years, sample_age_max_years : float, optional
        Ages of the sample; a comparison outside of them is flagged.
    growth_ends_f_years, growth_ends_m_years : float, optional
        Where linear models stop.
    size : str
        Whether lengths are ``natural``, at ``film`` size (enlarged by an unsettled or stated factor), or ``unstated``.
    natural_factor : float, optional
        Factor from the printed lengths to natural size, where it is settled.
    enlargement : str
        What is known of the enlargement.
    citation : tuple of str
        Where the numbers were printed.
    findings : str
        What was found where the numbers themselves have not been read; such a set has no entries.
    entered_by, checked_by : str
        Who typed and who signed the whole set off; `checked_by` empty = unverified.
    """

    id: Id
    version: Version
    name: str
    population: str
    sample_age_min_years: float | None = None
    sample_age_max_years: float | None = None
    growth_ends_f_years: float | None = None
    growth_ends_m_years: float | None = None
    size: Literal["natural", "film", "unstated"] = "unstated"
    natural_factor: Positive | None = None
    enlargement: str = ""
    citation: tuple[str, ...]
    findings: str = ""
    note: str = ""
    entered_by: str = ""
    checked_by: str = ""
    entry: tuple[NormEntry, ...] = ()


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one stored source prints for a norm, beside what the sets have.

    Attributes
    ----------
    recalled, recalled_spread : str
        Number as first written down, from memory of the literature.
    found, found_spread, spread_kind : str
        What the source prints.
    population, variant, source, source_kind : str
        For whom, by which definition, where, and of what kind the source is (a primary paper weighs more than a
        program).
    agreement : str
        ``agrees``, ``differs``, ``variant_differs``, ``sign_differs`` or ``not_found``.
    """

    measure: Id
    recalled: str = ""
    recalled_spread: str = ""
    found: str = ""
    found_spread: str = ""
    spread_kind: str = ""
    population: str = ""
    variant: str = ""
    source: str = ""
    source_kind: str = ""
    agreement: str = ""
    comment: str = ""


class EvidenceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The evidence for all sets."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Norms:
    """A norm set with the digest of the file that it was read from.

    Attributes
    ----------
    definition : NormSet
    sha256 : str
        ``sha256:...`` of the file's bytes.
    """

    definition: NormSet
    sha256: str


@cache
def load_norm_sets() -> Mapping[str, Norms]:
    """Every norm set that ships: id -> norms.

    >>> load_norm_sets()["steiner"].definition.entry[0].kind
    'author_ideal'
    """
    place = resources.files("cephstd.knowledge").joinpath("norms")
    files = sorted((item for item in place.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return MappingProxyType({item.name.removesuffix(".toml"): _read(item.read_bytes(), item.name) for item in files})


@cache
def load_evidence() -> Mapping[str, tuple[Evidence, ...]]:
    """What stored sources print for the norms of each measure: measure id -> rows."""
    text = resources.files("cephstd.knowledge").joinpath("norm_evidence.toml").read_bytes()
    found: dict[str, tuple[Evidence, ...]] = {}
    for row in msgspec.toml.decode(text, type=EvidenceFile).evidence:
        found[row.measure] = (*found.get(row.measure, ()), row)
    return MappingProxyType(found)


def load_norms(which: str | Path) -> Norms:
    """A norm set by id, or by path of a TOML file of one's own.

    Parameters
    ----------
    which : str or Path
        ``"steiner"``; ``"clinic.toml"`` (any text that ends in ``.toml``) or a Path.

    Raises
    ------
    DefinitionError
        When no set has this id, or the file cannot be read or says what it may not.

    Examples
    --------
    >>> load_norms("downs").definition.population
    'n=20, 12-17 y, white US, excellent occlusion (M+F)'
    """
    if isinstance(which, Path) or which.endswith(".toml"):
        path = Path(which)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DefinitionError(f"{path.name}: expected at most {MAX_FILE_BYTES} bytes of norms.")
            return _read(path.read_bytes(), path.name)
        except OSError as error:
            raise DefinitionError(f"{path.name}: expected a readable TOML file of norms.") from error
    known = load_norm_sets()
    if which not in known:
        raise DefinitionError(
            f"Expected one of the norm sets {', '.join(known)}, or a path that ends in .toml; found {which!r}.",
            hint=suggest(which, known),
        )
    return known[which]


def _read(data: bytes, name: str) -> Norms:
    try:
        norms = msgspec.toml.decode(data, type=NormSet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(f"{name}: no norm set: {error}.") from error
    for fault in _faults(norms):
        raise DefinitionError(f"{name}: {fault}")
    return Norms(norms, digest_bytes(data))


def _faults(norms: NormSet) -> Iterator[str]:
    measures = load_measures()
    seen: set[str] = set()
    for entry in norms.entry:
        where = f"entry {entry.id!r}"
        if entry.id in seen:
            yield f"{where} occurs twice."
        seen.add(entry.id)
        if entry.measure not in measures:
            yield f"{where} is for the unknown measure {entry.measure!r}. {suggest(entry.measure, measures)}"
        if entry.table_of not in ("", "age", *measures):
            yield f"{where} has a table by the unknown measure {entry.table_of!r}."
        if bool(entry.table) != bool(entry.table_of):
            yield f"{where} needs both table and table_of, or neither."
        at = [row.at for row in entry.table]
        if at != sorted(set(at)):
            yield f"{where} needs the rows of its table by rising 'at'."
        for place in entry.table or (entry,):
            yield from _faults_of_numbers(entry.kind, place, where)


def _faults_of_numbers(kind: NormKind, place: NormEntry | TableRow, where: str) -> Iterator[str]:
    banded = place.low is not None and place.high is not None
    if (place.low is None) != (place.high is None) and kind != "customary_band":
        yield f"{where} has one end of a range."
    if banded and place.low is not None and place.high is not None and place.low > place.high:
        yield f"{where} has a range whose low end lies above its high end."
    if kind in ("range", "customary_band"):
        if place.low is None and place.high is None:
            yield f"{where} of kind {kind} needs low or high."
    elif place.value is None:
        yield f"{where} of kind {kind} needs a value."
    if kind == "clinical_deviation" and place.spread is None:
        yield f"{where} of kind clinical_deviation needs the deviation under 'spread'."
