"""Policy packs as data: what a payer, a site or a study asks of a record, rule by rule, with dates and citations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from cephstd.core.digest import digest_bytes
from cephstd.core.image import CalibrationBasis
from cephstd.core.trail import Meaning
from cephstd.errors import DefinitionError
from cephstd.knowledge.definitions import Id
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import MAX_FILE_BYTES, load_analyses, load_measures
from cephstd.knowledge.norms import Version

Severity = Literal["required", "advised"]
Verdict = Literal["diagnostic", "limited", "non-diagnostic"]
Level = Literal["intact", "signed", "logged"]
Days = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class _Requirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fact"):
    """One fact that a rule asks for; its kind is the key ``fact``."""


class ViewFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="view"):
    """The film is stated to be of one of these views."""

    allowed: Words


class DateFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="acquisition_date"):
    """The film has a date from one of these sources (as records name them, or ``stated`` in the case)."""

    sources: Words


class AgeFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="film_age"):
    """The film is not older than this many days on the day of the check, and not from after it."""

    max_days: Days


class QualityFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="quality"):
    """The image has one of these verdicts."""

    allowed: Annotated[tuple[Verdict, ...], msgspec.Meta(min_length=1)]


class CalibrationFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="calibration"):
    """The scale is of one of these bases and, with `max_relative_sd`, not less sure than that."""

    allowed: Annotated[tuple[CalibrationBasis, ...], msgspec.Meta(min_length=1)]
    max_relative_sd: Share | None = None


class MeasuresFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="measures"):
    """These measures, and `min_share` of the measures of each of these analyses, have a value."""

    measures: tuple[Id, ...] = ()
    analyses: tuple[Id, ...] = ()
    min_share: Share = 1.0


class ProvisionalFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="nothing_provisional"):
    """No value rests on a point that a person has yet to accept."""


class ReviewFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="review"):
    """The last decision on the whole record is an acceptance, with one of these meanings, by one of these roles."""

    meanings: tuple[Meaning, ...] = ()
    roles: tuple[str, ...] = ()


class SignatureFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="signature"):
    """The record was verified up to this level."""

    level: Level = "signed"


class AttachmentFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="attachment"):
    """`count` references of any of these kinds are attached, none further than `within_days` from the film."""

    kinds: Words
    count: Count = 1
    within_days: Days | None = None


class StatementFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="statements"):
    """A person states that each of these stands on or in the package, e.g. the patient's name."""

    about: Words


class SubjectFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="subject"):
    """The record holds these facts of the person."""

    fields: Annotated[tuple[Literal["pseudonym", "age_years", "sex"], ...], msgspec.Meta(min_length=1)]


class DeviceFact(_Requirement, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="device"):
    """The file states these facts of the device."""

    fields: Annotated[tuple[Literal["manufacturer", "model", "software", "modality"], ...], msgspec.Meta(min_length=1)]


Fact = (
    ViewFact
    | DateFact
    | AgeFact
    | QualityFact
    | CalibrationFact
    | MeasuresFact
    | ProvisionalFact
    | ReviewFact
    | SignatureFact
    | AttachmentFact
    | StatementFact
    | SubjectFact
    | DeviceFact
)


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of a pack.

    Attributes
    ----------
    id, text : str
        Name of the rule in its pack, and the rule in a sentence.
    severity : str
        A failed ``required`` rule fails the check; a failed ``advised`` one is shown.
    effective_from, effective_until : date, optional
        The rule is in force from the first day through the last.
    waivable : bool
        Whether a person may waive it.
    citation : str
        Where the rule stands; empty for a choice of the pack's author.
    verified_by, verified_on : str, date, optional
        Person who compared this rule with its citation, and when; empty = unverified.
    requires : Fact
        What is asked for.
    """

    id: Id
    text: str
    severity: Severity = "required"
    effective_from: date | None = None
    effective_until: date | None = None
    waivable: bool = True
    citation: str = ""
    verified_by: str = ""
    verified_on: date | None = None
    requires: Fact

    def in_force(self, day: date) -> bool:
        """True on the days between both ends, the ends among them."""
        return (self.effective_from is None or day >= self.effective_from) and (
            self.effective_until is None or day <= self.effective_until
        )


class PolicyPack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that are kept and versioned together.

    Attributes
    ----------
    kind : str
        ``baseline`` and ``example`` ship and nobody has put them into force; ``own`` is a site's own.
    """

    id: Id
    version: Version
    name: str
    kind: Literal["baseline", "example", "own"]
    note: str = ""
    rule: Annotated[tuple[PolicyRule, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy pack with the digest of the file that it was read from."""

    definition: PolicyPack
    sha256: str


@cache
def load_policies() -> Mapping[str, Policy]:
    """Every policy pack that ships: id -> pack.

    >>> load_policies()["baseline"].definition.kind
    'baseline'
    """
    place = resources.files("cephstd.knowledge").joinpath("policies")
    files = sorted((item for item in place.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return MappingProxyType({item.name.removesuffix(".toml"): _read(item.read_bytes(), item.name) for item in files})


def load_policy(which: str | Path) -> Policy:
    """A policy pack by id, or by path of a TOML file of one's own.

    Raises
    ------
    DefinitionError
        When no pack has this id, or the file cannot be read or says what it may not.
    """
    if isinstance(which, Path) or which.endswith(".toml"):
        path = Path(which)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DefinitionError(f"{path.name}: expected at most {MAX_FILE_BYTES} bytes of policy.")
            return _read(path.read_bytes(), path.name)
        except OSError as error:
            raise DefinitionError(f"{path.name}: expected a readable TOML file of policy.") from error
    known = load_policies()
    if which not in known:
        raise DefinitionError(
            f"Expected one of the policy packs {', '.join(known)}, or a path that ends in .toml; found {which!r}.",
            hint=suggest(which, known),
        )
    return known[which]


def _read(data: bytes, name: str) -> Policy:
    try:
        pack = msgspec.toml.decode(data, type=PolicyPack)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(f"{name}: no policy pack: {error}.") from error
    seen: set[str] = set()
    for rule in pack.rule:
        for fault in (*_faults(rule), *(["occurs twice"] if rule.id in seen else [])):
            raise DefinitionError(f"{name}: rule {rule.id!r} {fault}.")
        seen.add(rule.id)
    return Policy(pack, digest_bytes(data))


def _faults(rule: PolicyRule) -> Iterator[str]:
    if rule.effective_from and rule.effective_until and rule.effective_from > rule.effective_until:
        yield "ends before it begins"
    if bool(rule.verified_by) != bool(rule.verified_on):
        yield "needs both verified_by and verified_on, or neither"
    if isinstance(rule.requires, MeasuresFact):
        if not (rule.requires.measures or rule.requires.analyses):
            yield "names no measure and no analysis"
        for word, known in (
            *((id, load_measures()) for id in rule.requires.measures),
            *((id, load_analyses()) for id in rule.requires.analyses),
        ):
            if word not in known:
                yield f"asks for the unknown {word!r}. {suggest(word, known)}"
