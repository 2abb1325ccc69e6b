"""Retention rules as data: how long what is kept, from which day on, by which clock."""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cephstd.errors import DefinitionError
from cephstd.knowledge.definitions import Id
from cephstd.knowledge.loader import MAX_FILE_BYTES
from cephstd.knowledge.norms import Version

Clock = Literal["clinical record", "documentation"]
Start = Literal["created", "last_effect", "last_treatment"]
Years = Annotated[int, msgspec.Meta(ge=1, le=200)]


class RetentionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of retention.

    Attributes
    ----------
    clock : str
        Of the ``clinical record`` or of required ``documentation``: both must run out.
    years : int
        Years to keep after the latest of the days under `after`.
    after : tuple of str
        ``created``, ``last_effect``, ``last_treatment``.
    minor_years, majority_age : int, optional
        For a person who was a minor at the last treatment: years to keep past the birthday of majority.
    citation, verified_by, verified_on : str, date
        Where the rule stands, who compared it with that, and when; empty = unverified.
    """

    id: Id
    clock: Clock
    text: str
    years: Years
    after: Annotated[tuple[Start, ...], msgspec.Meta(min_length=1)]
    minor_years: Years | None = None
    majority_age: Years | None = None
    citation: str = ""
    verified_by: str = ""
    verified_on: date | None = None


class RetentionTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that are kept and versioned together."""

    version: Version
    rule: Annotated[tuple[RetentionRule, ...], msgspec.Meta(min_length=1)]


def load_retention(path: str | Path | None = None) -> RetentionTable:
    """The table that ships, or one's own.

    Raises
    ------
    DefinitionError
        When the file cannot be read or says what it may not.

    Examples
    --------
    >>> [rule.clock for rule in load_retention().rule]
    ['documentation', 'clinical record']
    """
    if path is None:
        return _decode(resources.files("cephstd.knowledge").joinpath("retention.toml").read_bytes(), "retention.toml")
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DefinitionError(f"{name}: expected a readable TOML file of retention rules.") from error
    if len(data) > MAX_FILE_BYTES:
        raise DefinitionError(f"{name}: expected at most {MAX_FILE_BYTES} bytes of retention rules.")
    return _decode(data, name)


def _decode(data: bytes, name: str) -> RetentionTable:
    try:
        table = msgspec.toml.decode(data, type=RetentionTable)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(f"{name}: no table of retention rules: {error}.") from error
    ids = [rule.id for rule in table.rule]
    if len(set(ids)) < len(ids):
        raise DefinitionError(f"{name}: expected each rule once, found one twice.")
    for rule in table.rule:
        if (rule.minor_years is None) != (rule.majority_age is None):
            raise DefinitionError(f"{name}: rule {rule.id!r} needs both minor_years and majority_age, or neither.")
        if rule.minor_years is not None and "last_treatment" not in rule.after:
            raise DefinitionError(f"{name}: rule {rule.id!r} is for minors and does not run from last_treatment.")
    return table
