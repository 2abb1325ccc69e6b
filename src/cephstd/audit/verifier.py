"""Checks a record: nothing but the record itself, and its film when that is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cephstd.audit.consistency import contradictions
from cephstd.core.digest import PREFIX, digest_bytes, digest_value
from cephstd.core.image import Source
from cephstd.core.record import Record, decode_record
from cephstd.errors import (
    DigestMismatch,
    InputError,
    LogInconsistent,
    RecordError,
    SchemaError,
    SignatureInvalid,
    VerificationError,
)

if TYPE_CHECKING:
    from cephstd.audit.attestation import Attestation, SignedBy
    from cephstd.audit.checkpoints import InclusionProof, Logged
    from cephstd.audit.signer import Signatures
    from cephstd.audit.trust import Trust

Level = Literal["intact", "signed", "logged"]
LEVELS: tuple[Level, ...] = ("intact", "signed", "logged")

MAX_RECORD_BYTES = 16 * 2**20
"""A record has some ten thousand bytes; what is far larger is not read into memory."""

NO_SIGNATURE = "No signature was checked: anybody can make a record that is intact."
NO_LOG = "The record was not looked up in a log: a replaced or withdrawn record looks the same."
CLAIMED_TIME = "When it was signed is the signer's own word: no timestamp or checkpoint shows it."
TRUST_AS_GIVEN = "The trust file was taken as given: it is neither pinned nor signed by a root."
LATER_ENTRIES = "What the log says after that checkpoint was not seen: a successor, or a tombstone."
NO_SOURCE = "The source file was not given: its hashes were not compared."
NO_FILE_HASH = "The film was given as an array: there is no file hash to compare."
NO_PIXELS = "The film was not decoded: its pixel hash was not compared."
NO_REPLAY = "The landmarks and values were not computed again; replay does that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked and holds."""

    name: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked and holds, and what was not checked.

    Attributes
    ----------
    level : str
        ``intact``: the bytes are those that the digests were taken from; anybody can compute those. ``signed``:
        also by as many trusted keys as the trust file asks for. ``logged``: also in the log of a trusted checkpoint.
    record : Record
        The record that was checked.
    checks : tuple of Check
        In the order in which they were made; all hold, else there would be an error and no `Verification`.
    not_checked : tuple of str
        Sentences; what a reader must not conclude from `level`.
    notes : tuple of str
        Findings that are no fault, e.g. another decoder giving other pixels.
    signers : tuple of SignedBy
        Whose signatures count, when they signed, and what shows that.
    logged : Logged or None
        Where the record stands in a log, by which checkpoint.
    """

    level: Level
    record: Record
    checks: tuple[Check, ...]
    not_checked: tuple[str, ...]
    notes: tuple[str, ...] = ()
    signers: tuple[SignedBy, ...] = ()
    logged: Logged | None = None

    def __str__(self) -> str:
        done = [f"checked: {check.name}: {check.detail}" for check in self.checks]
        notes = [f"note: {note}" for note in self.notes]
        missing = [f"not checked: {sentence}" for sentence in self.not_checked]
        return "\n".join([f"{self.level} {self.record.record_digest}", *done, *notes, *missing])


def verify(
    record: Record | bytes | str | Path,
    *,
    source: str | Path | bytes | None = None,
    pixel_sha256: str | None = None,
    decoder: str | None = None,
    trust: Trust | None = None,
    signatures: Signatures | bytes | None = None,
    proof: InclusionProof | bytes | None = None,
    require: Level | None = None,
) -> Verification:
    """Check that a record is whole and does not contradict itself, by whom it is signed, and that its film is this one.

    Parameters
    ----------
    record : Record, bytes or path
        A record, its bytes, or the file that holds them.
    source : path or bytes, optional
        The film's file; its SHA-256 is compared.
    pixel_sha256, decoder : str, optional
        Digest of the film's decoded pixels and what decoded them, as a `Radiograph` states them in its source;
        ``cephstd.pipeline.replayer.verify_source`` reads the film and fills both.
    trust : Trust, optional
        Whom you trust (`cephstd.audit.trust.load_trust`); extra ``sign``.
    signatures : Signatures or bytes, optional
        Of the record, from its ``.signatures.json``.
    proof : InclusionProof or bytes, optional
        That the record is in a log, from its ``.proof.json``.
    require : str, optional
        Level to insist on: ``intact``, ``signed`` or ``logged``; default: ``signed`` with `trust`, else ``intact``.

    Returns
    -------
    Verification
        What holds and what was not checked; never False.

    Raises
    ------
    InputError
        When `record` is of another type, or the film's file cannot be read.
    RecordError
        When the record's file cannot be read.
    SchemaError, NotCanonicalError
        When the bytes are no record, or not its canonical form.
    DigestMismatch
        When a digest does not fit what it covers, or the film is another than the recorded one.
    VerificationError
        When two statements of the record exclude each other.
    SignatureInvalid
        When a signature is not over these bytes, or fewer count than are required.
    LogInconsistent
        When the proof does not hold, or is required and absent.
    """
    if require not in (None, *LEVELS):
        raise InputError(f"Expected a level of {', '.join(LEVELS)}, found {require!r:.40}.")
    if trust is None and (signatures is not None or proof is not None or require in ("signed", "logged")):
        raise InputError("Signatures and proofs count to a reader who trusts keys.", hint="Give a trust file.")
    sealed = _decode(record)
    content = sealed.content
    _check_recipe(sealed)
    faults = contradictions(content, sealed.run)
    if faults:
        raise VerificationError("The record contradicts itself: " + " ".join(faults))
    checks = [
        Check(name="schema", detail="every field is known and of its type"),
        Check(name="canonical form", detail="the bytes are RFC 8785 JSON"),
        Check(name="digests", detail="record, result and recipe digests fit what they cover"),
        Check(name="consistency", detail="no statement excludes another"),
    ]
    not_checked = []
    notes: list[str] = []
    shown = None
    if trust is None:
        not_checked += [NO_SIGNATURE, NO_LOG]
    else:
        from cephstd.audit.attestation import attest

        shown = attest(sealed, trust, signatures=signatures, proof=proof)
        _insist(shown, require or "signed", signed=signatures is not None, proven=proof is not None)
        notes.extend(shown.notes)
        checks += _attested(shown)
        not_checked += _unattested(shown, trust)
    not_checked.append(NO_REPLAY)
    if source is None:
        not_checked.append(NO_SOURCE)
    elif not content.source.file_sha256:
        not_checked.append(NO_FILE_HASH)
    else:
        check_source_file(content.source, source)
        checks.append(Check(name="source file", detail="its SHA-256 is the recorded one"))
    if pixel_sha256 is not None:
        differing = _compare_pixels(content.source, pixel_sha256, decoder)
        notes.extend(differing)
        if not differing:
            checks.append(Check(name="source pixels", detail="their SHA-256 is the recorded one"))
    elif source is not None:
        not_checked.append(NO_PIXELS)
    return Verification(
        level=shown.level if shown else "intact",
        record=sealed,
        checks=tuple(checks),
        not_checked=tuple(not_checked),
        notes=tuple(notes),
        signers=shown.signers if shown else (),
        logged=shown.logged if shown else None,
    )


def read_record(path: str | Path) -> Record:
    """Read a record from its file, as `decode_record` does from bytes.

    Raises
    ------
    RecordError
        When the file cannot be read.
    SchemaError, NotCanonicalError, DigestMismatch
        As for `decode_record`; also SchemaError when the file is far too large to be a record.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_RECORD_BYTES + 1)
    except OSError as error:
        raise RecordError(f"The record cannot be read: {error.strerror}.", hint="Give the record's file.") from error
    if len(data) > MAX_RECORD_BYTES:
        raise SchemaError(f"Expected a record of at most {MAX_RECORD_BYTES} bytes, found a larger file.")
    return decode_record(data)


def check_source_file(recorded: Source, source: str | Path | bytes) -> None:
    """Check that `source` is the file that the record was made from, by its SHA-256.

    Raises
    ------
    InputError
        When the file cannot be read.
    DigestMismatch
        When it is another file, or the same one altered.
    """
    found = _digest_file(source)
    if found != recorded.file_sha256:
        raise DigestMismatch(
            f"The record was made from the file {recorded.file_sha256}, the given file is {found}: "
            "another file, or the same one altered.",
            hint="Give the file that was analysed, as it was then.",
        )


def _insist(shown: Attestation, required: Level, *, signed: bool, proven: bool) -> None:
    reached = LEVELS.index(shown.level)
    if reached >= LEVELS.index(required):
        return
    if reached == 0 and required != "intact":
        why = " ".join(shown.notes) or "It has no signature." if signed else "No signatures were given."
        raise SignatureInvalid(f"The record is {shown.level} and not signed as required. {why}")
    why = "The proof does not cover it." if proven else "No proof was given."
    raise LogInconsistent(f"The record is {shown.level} and not logged as required. {why}")


def _attested(shown: Attestation) -> Iterator[Check]:
    for signer in shown.signers:
        time = signer.existed or signer.claimed
        yield Check(name="signature", detail=f"{signer.name}, {time.isoformat()} ({signer.basis})")
    if shown.logged:
        place, point = shown.logged.index, shown.logged.checkpoint
        yield Check(name="log", detail=f"entry {place} of {point.size} in {point.log} at {point.at}")


def _unattested(shown: Attestation, trust: Trust) -> Iterator[str]:
    if not shown.signers:
        yield NO_SIGNATURE
    elif any(signer.existed is None for signer in shown.signers):
        yield CLAIMED_TIME
    yield LATER_ENTRIES if shown.logged else NO_LOG
    if not trust.basis:
        yield TRUST_AS_GIVEN


def _decode(record: Record | bytes | str | Path) -> Record:
    if isinstance(record, (str, Path)):
        return read_record(record)
    if isinstance(record, bytes):
        return decode_record(record)
    if not isinstance(record, Record):
        raise InputError(f"Expected a Record, its bytes or its file, found {type(record).__name__}.")
    sealed = decode_record(record.data)
    said = (record.content, record.run, record.result_digest, record.record_digest)
    if said != (sealed.content, sealed.run, sealed.result_digest, sealed.record_digest):
        raise VerificationError("The record's fields are not those of its own bytes: it was changed after sealing.")
    return sealed


def _check_recipe(record: Record) -> None:
    # as stored, not as decoded: an older recipe lacks the fields that were added since
    found = digest_value(json.loads(record.data)["content"]["recipe"])
    if found != record.content.recipe_digest:
        raise DigestMismatch(f"The recipe_digest is {record.content.recipe_digest}, the recipe gives {found}.")


def _digest_file(source: str | Path | bytes) -> str:
    if isinstance(source, bytes):
        return digest_bytes(source)
    try:
        with Path(source).open("rb") as file:
            return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"The film cannot be read: {error.strerror}.", hint="Give the film's file.") from error


def _compare_pixels(recorded: Source, pixel_sha256: str, decoder: str | None) -> list[str]:
    if pixel_sha256 == recorded.pixel_sha256:
        return []
    if decoder is None or decoder == recorded.decoder:
        raise DigestMismatch(
            f"The recorded pixels are {recorded.pixel_sha256}, the film's are {pixel_sha256}, by the same decoder."
        )
    return [f"The decoder differs ({recorded.decoder} then, {decoder} now) and gives other pixels of the film."]
