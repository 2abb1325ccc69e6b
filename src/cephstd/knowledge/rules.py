"""Rules as data: which value belongs to which class, with closed ends, and which rules speak of the same thing."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import msgspec

from cephstd.core.digest import digest_bytes
from cephstd.core.interpretation import Sex
from cephstd.errors import DefinitionError
from cephstd.knowledge.definitions import Confidence, Id
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import MAX_FILE_BYTES, load_measures
from cephstd.knowledge.norms import Version

TEXT_FIELDS = frozenset({"measure", "value", "unit", "label"})
"""What a rule's text may hold between braces."""


class RuleClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One class of a rule: an interval of values.

    Attributes
    ----------
    low, high : float, optional
        Ends, in the measure's unit; None = open to that side.
    low_closed, high_closed : bool
        Whether the end itself belongs to the class.
    """

    number: int
    label: str
    low: float | None = None
    low_closed: bool = False
    high: float | None = None
    high_closed: bool = False

    def holds(self, value: float) -> bool:
        """True when `value` lies in the class."""
        above = self.low is None or value > self.low or (self.low_closed and value == self.low)
        below = self.high is None or value < self.high or (self.high_closed and value == self.high)
        return above and below


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Classes of one measure.

    Attributes
    ----------
    measure : str
        Input.
    sex : str, optional
        ``F`` or ``M`` for a rule whose limits hold for one sex.
    subject : str
        What the class says something about; rules of one subject are expected to agree.
    text : str
        Template of a sentence, with the fields of `TEXT_FIELDS`.
    gap : str
        What the source says of values in no class; empty when the classes cover every value.
    """

    id: Id
    name: str
    measure: Id
    measure_version: Annotated[int, msgspec.Meta(ge=1)] = 1
    sex: Sex | None = None
    subject: str = ""
    text: str
    source: str = ""
    confidence: Confidence = ""
    note: str = ""
    gap: str = ""
    classes: tuple[RuleClass, ...]


class RuleSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that are kept and versioned together.

    Attributes
    ----------
    checked_by : str
        Person who compared the limits with their sources; empty = unverified.
    """

    id: Id
    version: Version
    name: str
    note: str = ""
    checked_by: str = ""
    rule: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A rule set with the digest of the file that it was read from."""

    definition: RuleSet
    sha256: str


@cache
def load_rule_sets() -> Mapping[str, Rules]:
    """Every rule set that ships: id -> rules.

    >>> [rule.measure for rule in load_rule_sets()["isbi2015"].definition.rule][:3]
    ['ANB', 'SNB', 'SNA']
    """
    place = resources.files("cephstd.knowledge").joinpath("rules")
    files = sorted((item for item in place.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return MappingProxyType({item.name.removesuffix(".toml"): _read(item.read_bytes(), item.name) for item in files})


def load_rules(which: str | Path) -> Rules:
    """A rule set by id, or by path of a TOML file of one's own.

    Raises
    ------
    DefinitionError
        When no set has this id, or the file cannot be read or says what it may not.
    """
    if isinstance(which, Path) or which.endswith(".toml"):
        path = Path(which)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DefinitionError(f"{path.name}: expected at most {MAX_FILE_BYTES} bytes of rules.")
            return _read(path.read_bytes(), path.name)
        except OSError as error:
            raise DefinitionError(f"{path.name}: expected a readable TOML file of rules.") from error
    known = load_rule_sets()
    if which not in known:
        raise DefinitionError(
            f"Expected one of the rule sets {', '.join(known)}, or a path that ends in .toml; found {which!r}.",
            hint=suggest(which, known),
        )
    return known[which]


def _read(data: bytes, name: str) -> Rules:
    try:
        rules = msgspec.toml.decode(data, type=RuleSet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(f"{name}: no rule set: {error}.") from error
    seen: set[str] = set()
    for rule in rules.rule:
        for fault in (*_faults(rule), *(["occurs twice"] if rule.id in seen else [])):
            raise DefinitionError(f"{name}: rule {rule.id!r} {fault}.")
        seen.add(rule.id)
    return Rules(rules, digest_bytes(data))


def _faults(rule: Rule) -> Iterator[str]:
    measures = load_measures()
    if rule.measure not in measures:
        yield f"is for the unknown measure {rule.measure!r}. {suggest(rule.measure, measures)}"
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(rule.text) if field is not None}
    except ValueError as error:
        yield f"has no usable text: {error}"
        return
    if not fields <= TEXT_FIELDS:
        yield f"has a text with unknown fields {', '.join(sorted(fields - TEXT_FIELDS))}"
    ends = sorted({end for one in rule.classes for end in (one.low, one.high) if end is not None})
    if not ends:
        yield "needs classes with ends"
        return
    probes = [ends[0] - 1.0, *ends, *((low + high) / 2 for low, high in pairwise(ends)), ends[-1] + 1.0]
    counts = [sum(one.holds(probe) for one in rule.classes) for probe in probes]
    if max(counts) > 1:
        yield "has classes that overlap"
    if min(counts) == 0 and not rule.gap:
        yield "leaves values in no class and says nothing about it under 'gap'"
