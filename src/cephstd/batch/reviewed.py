"""Takes what people decided on and signed back into the output folder of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cephstd.audit.signer import decode_signatures
from cephstd.audit.verifier import verify
from cephstd.batch.outcomes import Outcome
from cephstd.batch.register import RunLock, image_id
from cephstd.batch.results import LOCAL, Results, open_register, signatures_path, time_signed
from cephstd.batch.tables import write_stale_tables
from cephstd.core.record import Record
from cephstd.errors import CephError, InputError
from cephstd.io.store import write_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A record that comes back, with its signatures where it has any.

    Attributes
    ----------
    record : bytes
        Canonical bytes.
    signatures : bytes
        Of its ``.signatures.json``; empty without.
    """

    record: bytes
    signatures: bytes = b""


def add_reviewed(
    out: str | Path, given: Iterable[Reviewed], *, tell: Callable[[Outcome], None] = lambda outcome: None
) -> None:
    """Add successors of an output folder's records, and signatures, and bring its tables up to date.

    Parameters
    ----------
    out : str or Path
        Output folder of a batch or of a re-analysis.
    given : iterable of Reviewed
        In any order. Each record succeeds the current record of its film, or is in the folder already and only its
        signatures are new. No key is checked: a signature's time enters the tables as the signers' word.
    tell : callable
        Is called with the `Outcome` of each: ``done``, ``kept`` when nothing of it was new, or ``failed``.

    Raises
    ------
    InputError
        When `out` is no output folder of a batch, or another run is at work in it.
    RecordError
        When the folder cannot be written.
    """
    open_register(out).close()
    folder = Path(out)
    with closing(RunLock(folder / LOCAL)), closing(Results(folder)) as results:
        read: list[tuple[Record, bytes]] = []
        for item in given:
            try:
                read.append((verify(item.record).record, item.signatures))
            except CephError as error:
                tell(_outcome("", "failed", "", error=error))
        # a review of a review comes after it
        for record, signatures in sorted(read, key=lambda pair: pair[0].run.created):
            tell(_add(results, record, signatures))
        results.commit()
        write_stale_tables(folder, results.register)


def _add(results: Results, record: Record, signatures: bytes) -> Outcome:
    register, source = results.register, record.content.source
    current = register.current(source.file_sha256)
    site = current.site if current else ""
    try:
        if signatures:
            time_signed(record, decode_signatures(signatures))
        place = register.holding(record.record_digest)
        is_new = place is None
        if place is None:
            if current is None or record.content.previous != current.record_digest or not record.content.trail:
                raise InputError(
                    "Expected a decision on the film's current record in this folder, found another record.",
                    hint="'cephstd records get OUT ID' gives the record to decide on.",
                )
            place = results.append(record, site=site, date=current.date, attributes=current.attributes)
    except CephError as error:
        return _outcome(image_id(source.file_sha256), "failed", site, error=error)
    if signatures:
        path = signatures_path(results.folder, record.record_digest)
        is_new |= not (path.is_file() and path.read_bytes() == signatures)
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, signatures)
        # also where they lay there: a crash may have come between them and the tables
        register.mark_signed(place)
    return _outcome(place.image_id, "done" if is_new else "kept", place.site, digest=record.record_digest)


def _outcome(
    id: str,
    status: Literal["done", "kept", "failed"],
    site: str,
    *,
    digest: str = "",
    error: CephError | None = None,
) -> Outcome:
    if error is None:
        return Outcome(image_id=id, site=site, status=status, record_digest=digest)
    message = str(error.args[0]) if error.args else ""
    return Outcome(image_id=id, site=site, status=status, code=error.code, message=message, hint=error.hint)
