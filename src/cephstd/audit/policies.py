"""Checks a record, and what is attached to it, against a policy pack: pass, fail or waived, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import singledispatch
from typing import Any, Literal

from cephstd.audit.case import Attachment, Case, Waiver
from cephstd.core.record import Content, Record
from cephstd.errors import DefinitionError
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import load_analyses
from cephstd.knowledge.policies import (
    AgeFact,
    AttachmentFact,
    CalibrationFact,
    DateFact,
    DeviceFact,
    Level,
    MeasuresFact,
    Policy,
    PolicyRule,
    ProvisionalFact,
    QualityFact,
    ReviewFact,
    SignatureFact,
    StatementFact,
    SubjectFact,
    ViewFact,
)

Status = Literal["pass", "fail", "waived", "not in force"]
LEVELS: tuple[Level, ...] = ("intact", "signed", "logged")
STATED = "stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """Outcome of one rule.

    Attributes
    ----------
    rule : PolicyRule
    status : str
        ``not in force`` on days outside the rule's dates.
    faults : tuple of str
        What is missing, in sentences; kept where the rule is waived.
    waiver : Waiver or None
        Whose decision it was, why, and until when.
    """

    rule: PolicyRule
    status: Status
    faults: tuple[str, ...] = ()
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCheck:
    """Outcome of a whole pack for one record.

    Attributes
    ----------
    policy : Policy
    record_digest : str
    day : date
        For which the rules and waivers were read.
    results : tuple of RuleResult
        In the order of the pack.
    """

    policy: Policy
    record_digest: str
    day: date
    results: tuple[RuleResult, ...]

    @property
    def passed(self) -> bool:
        """True when no required rule fails."""
        return not any(item.status == "fail" and item.rule.severity == "required" for item in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    record: Record
    level: Level
    case: Case
    day: date

    @property
    def content(self) -> Content:
        return self.record.content

    @property
    def film_date(self) -> tuple[date | None, str]:
        """Date of the film and its source; the file's own word first."""
        device = self.content.device
        if not device.acquisition_date:
            return self.case.acquisition_date, STATED
        try:
            return date.fromisoformat(device.acquisition_date), device.acquisition_date_source
        except ValueError:  # what is no date is not made one
            return None, device.acquisition_date_source


def check_policy(
    record: Record, policy: Policy, *, day: date, level: Level = "intact", case: Case | None = None
) -> PolicyCheck:
    """Check a record against every rule of a pack.

    Parameters
    ----------
    record : Record
        As `verify` read it.
    policy : Policy
    day : date
        For which rules and waivers are read, and to which a film's age is counted.
    level : str
        What `verify` found.
    case : Case, optional
        What stands beside the record.

    Returns
    -------
    PolicyCheck

    Raises
    ------
    DefinitionError
        When a waiver names a rule that the pack lacks or does not let anybody waive.
    """
    evidence = _Evidence(record=record, level=level, case=case or Case(), day=day)
    waivers = {item.rule: item for item in _waivers(evidence, policy)}
    return PolicyCheck(
        policy=policy,
        record_digest=record.record_digest,
        day=day,
        results=tuple(_judge(rule, evidence, waivers.get(rule.id)) for rule in policy.definition.rule),
    )


def _judge(rule: PolicyRule, evidence: _Evidence, waiver: Waiver | None) -> RuleResult:
    if not rule.in_force(evidence.day):
        return RuleResult(rule=rule, status="not in force")
    faults = tuple(_faults(rule.requires, evidence))
    if faults and waiver:
        return RuleResult(rule=rule, status="waived", faults=faults, waiver=waiver)
    return RuleResult(rule=rule, status="fail" if faults else "pass", faults=faults)


def _waivers(evidence: _Evidence, policy: Policy) -> Iterator[Waiver]:
    rules = {rule.id: rule for rule in policy.definition.rule}
    for waiver in evidence.case.waivers:
        if waiver.policy != policy.definition.id:
            continue
        if waiver.rule not in rules:
            raise DefinitionError(
                f"A waiver is for the rule {waiver.rule!r}, which {waiver.policy} lacks.",
                hint=suggest(waiver.rule, rules),
            )
        if not rules[waiver.rule].waivable:
            raise DefinitionError(f"A waiver is for the rule {waiver.rule!r} of {waiver.policy}, which allows none.")
        if waiver.record == evidence.record.record_digest and evidence.day <= waiver.until:
            yield waiver


@singledispatch
def _faults(fact: Any, evidence: _Evidence) -> Iterator[str]:
    raise TypeError(f"{type(fact).__name__} is no fact of a policy")


@_faults.register
def _(fact: ViewFact, evidence: _Evidence) -> Iterator[str]:
    view = evidence.content.device.view or evidence.case.view
    if view not in fact.allowed:
        yield f"Expected the view {_either(fact.allowed)}, found {view or 'none stated'}."


@_faults.register
def _(fact: DateFact, evidence: _Evidence) -> Iterator[str]:
    day, source = evidence.film_date
    if day is None:
        yield "No acquisition date is known."
    elif source not in fact.sources:
        yield f"Expected the acquisition date from {_either(fact.sources)}, found it from {source or 'nowhere named'}."


@_faults.register
def _(fact: AgeFact, evidence: _Evidence) -> Iterator[str]:
    day, _ = evidence.film_date
    if day is None:
        yield "The film's age is unknown: no acquisition date is known."
    elif not 0 <= (evidence.day - day).days <= fact.max_days:
        yield f"Expected a film of at most {fact.max_days} days, found {(evidence.day - day).days}."


@_faults.register
def _(fact: QualityFact, evidence: _Evidence) -> Iterator[str]:
    quality = evidence.content.normalized.quality
    if quality.verdict not in fact.allowed:
        causes = ", ".join(item.name for item in quality.findings if not item.ok)
        yield f"Expected quality {_either(fact.allowed)}, found {quality.verdict} ({causes or 'no cause named'})."


@_faults.register
def _(fact: CalibrationFact, evidence: _Evidence) -> Iterator[str]:
    found = evidence.content.calibration
    if found.basis not in fact.allowed:
        yield f"Expected a scale of basis {_either(fact.allowed)}, found {found.basis}."
    elif fact.max_relative_sd is not None and found.relative_sd > fact.max_relative_sd:
        yield f"Expected a scale sure to {fact.max_relative_sd:.1%}, found {found.relative_sd:.1%}."


@_faults.register
def _(fact: MeasuresFact, evidence: _Evidence) -> Iterator[str]:
    present = {item.id for item in evidence.content.measures if item.is_present}
    missing = [id for id in fact.measures if id not in present]
    if missing:
        yield f"Without a value: {', '.join(missing)}."
    for analysis in fact.analyses:
        asked = load_analyses()[analysis].measures
        share = len(present & set(asked)) / len(asked)
        if share < fact.min_share:
            yield f"Expected {fact.min_share:.0%} of the analysis {analysis}, found {share:.0%}."


@_faults.register
def _(fact: ProvisionalFact, evidence: _Evidence) -> Iterator[str]:
    doubtful = [item.id for item in evidence.content.measures if item.is_present and item.provisional]
    if doubtful:
        yield f"Provisional: {', '.join(doubtful)}."


@_faults.register
def _(fact: ReviewFact, evidence: _Evidence) -> Iterator[str]:
    trail = evidence.content.trail
    accepted = [at for at, event in enumerate(trail) if event.whole and event.decision == "accept"]
    if not accepted:
        yield "Nobody has accepted the whole record."
        return
    event = trail[accepted[-1]]
    if any(later.decision != "accept" for later in trail[accepted[-1] + 1 :]):
        yield "The record was changed or rejected after it was accepted."
    if fact.meanings and event.meaning not in fact.meanings:
        yield f"Expected an acceptance that means {_either(fact.meanings)}, found {event.meaning}."
    if fact.roles and event.role not in fact.roles:
        yield f"Expected an acceptance by {_either(fact.roles)}, found {event.role}."


@_faults.register
def _(fact: SignatureFact, evidence: _Evidence) -> Iterator[str]:
    if LEVELS.index(evidence.level) < LEVELS.index(fact.level):
        yield f"Expected a record that is {fact.level}, found it {evidence.level}."


@_faults.register
def _(fact: AttachmentFact, evidence: _Evidence) -> Iterator[str]:
    film, _ = evidence.film_date
    attached = {item.sha256: item for item in evidence.case.attachments if item.kind in fact.kinds}
    near = [item for item in attached.values() if fact.within_days is None or _near(item, film, fact.within_days)]
    if len(near) < fact.count:
        limit = "" if fact.within_days is None else f" within {fact.within_days} days of the film"
        yield f"Expected {fact.count} attached of {_either(fact.kinds)}{limit}, found {len(near)}."


@_faults.register
def _(fact: StatementFact, evidence: _Evidence) -> Iterator[str]:
    said = {item.about for item in evidence.case.statements if item.on <= evidence.day}
    missing = [about for about in fact.about if about not in said]
    if missing:
        yield f"Nobody states: {'; '.join(missing)}."


@_faults.register
def _(fact: SubjectFact, evidence: _Evidence) -> Iterator[str]:
    missing = [name for name in fact.fields if getattr(evidence.content.subject, name) is None]
    if missing:
        yield f"The record lacks of the person: {', '.join(missing)}."


@_faults.register
def _(fact: DeviceFact, evidence: _Evidence) -> Iterator[str]:
    missing = [name for name in fact.fields if not getattr(evidence.content.device, name)]
    if missing:
        yield f"The file does not state of the device: {', '.join(missing)}."


def _near(item: Attachment, film: date | None, days: int) -> bool:
    return film is not None and item.made_on is not None and abs((item.made_on - film).days) <= days


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(words)
