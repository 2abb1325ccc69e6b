"""What stands beside a record in a file for a payer or a court: attached references, statements, waivers."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cephstd.errors import InputError

Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]
MAX_FILE_BYTES = 2**20


class Attachment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reference to something that belongs to the record, never its content.

    Attributes
    ----------
    kind : str
        E.g. ``panoramic``, ``tracing``, ``intraoral_photograph``; packs and cases share the words.
    sha256 : str
        Digest of its file.
    made_on : date, optional
        When it was made.
    """

    kind: Text
    sha256: Digest
    made_on: date | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person vouches for and no file shows, such as that a package is labelled."""

    about: Text
    by: Text
    on: date


class Waiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's decision that a rule need not hold.

    Attributes
    ----------
    policy, rule : str
        Ids of the pack and of its rule.
    record : str
        ``record_digest`` that it is for.
    by, reason : str
        Who decided it, and why.
    until : date
        Last day on which it counts.
    """

    policy: Text
    rule: Text
    record: Digest
    by: Text
    reason: Text
    until: date


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything beside a record that a policy may ask for.

    Attributes
    ----------
    view, acquisition_date : str, date, optional
        Of the film, as a person states them; they count only where the record has none.
    stated_by : str
        Who states them; never empty when they are given.
    attachments, statements, waivers : tuple
        In the file: ``[[attachment]]``, ``[[statement]]``, ``[[waiver]]``.
    """

    schema: Literal["cephstd.case/1"] = "cephstd.case/1"
    view: str = ""
    acquisition_date: date | None = None
    stated_by: str = ""
    attachments: tuple[Attachment, ...] = msgspec.field(default=(), name="attachment")
    statements: tuple[Statement, ...] = msgspec.field(default=(), name="statement")
    waivers: tuple[Waiver, ...] = msgspec.field(default=(), name="waiver")


def load_case(path: str | Path) -> Case:
    """Read a case from TOML.

    Raises
    ------
    InputError
        When the file cannot be read, or says what it may not.
    """
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"The case {name} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"Expected a case of at most {MAX_FILE_BYTES} bytes, found more in {name}.")
    try:
        case = msgspec.toml.decode(data, type=Case)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name} does not fit cephstd.case/1: {error}.") from error
    if (case.view or case.acquisition_date) and not case.stated_by:
        raise InputError(f"{name} states a view or a date without stated_by.", hint="Say whose word it is.")
    return case
