"""The output folder of a batch: record files that only grow, and what is found in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cephstd.audit.ledger import Ledger
from cephstd.audit.recorder import format_time
from cephstd.audit.signer import RECORD, Signatures, check_subject, decode_signatures, read_statement
from cephstd.batch.register import Place, Register, image_id, record_key
from cephstd.core.record import Record, decode_record
from cephstd.errors import CephError, InputError, RecordError

RECORDS = "records"
TABLES = "tables"
SIGNATURES = "signatures"
LOCAL = "local"
REGISTER = "register.sqlite"
LOG = "log.sqlite"
LOG_NAME = "cephstd batch"
PART_RECORDS = 128
"""Records in one file: so many are held as rows in memory when its tables are written."""
MIN_NAME = 6
"""Characters of a digest or image_id that may stand for the whole."""


class Results:
    """Appends records to the files of an output folder, one a line, and takes up after a crash.

    A record counts from the moment that its line is whole. What a crash left half-written is cut off; a whole line that
    the register lacks is registered.

    Parameters
    ----------
    folder : Path
        The output folder; made when absent.
    part_records : int
        Records in one file.

    Attributes
    ----------
    register : Register
    recovered : int
        Records that a crash had left out of the register.

    Raises
    ------
    RecordError
        When the folder or its log cannot be written, or record files are shorter than the register says.
    """

    def __init__(self, folder: Path, *, part_records: int = PART_RECORDS) -> None:
        self.folder = folder
        self._part_records = part_records
        try:
            (folder / RECORDS).mkdir(parents=True, exist_ok=True)
            self.register = Register(folder / REGISTER)
            self.recovered = self._recover()
            self._part, self._count = self.register.last_part()
            self._file: BinaryIO | None = None
            self._log = Ledger(folder / LOG, name=LOG_NAME)
            self._enter_in_log()
        except OSError as error:
            raise RecordError(f"The output folder cannot be written: {error.strerror}.") from error

    def close(self) -> None:
        """Close files; what was not committed will be found again by the next run."""
        if self._file is not None:
            self._file.close()
        self._log.close()
        self.register.close()

    def append(self, record: Record, *, site: str, date: str, attributes: str) -> Place:
        """Write one record; it is safe after the next `commit`.

        Raises
        ------
        RecordError
            When the file cannot be written.
        """
        try:
            file = self._open_part()
            start = file.tell()
            file.write(record.to_bytes() + b"\n")
        except OSError as error:
            raise RecordError(f"The records cannot be written: {error.strerror}.") from error
        self._count += 1
        place = _place(record, part=self._part, start=start, site=site, date=date, attributes=attributes)
        self.register.add(place)
        return place

    def commit(self) -> None:
        """Bring records to the disk first, then what the register says of them, then their digests into the log.

        Raises
        ------
        RecordError
            When the disk is full or gone.
        """
        try:
            if self._file is not None:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise RecordError(f"The records cannot be written: {error.strerror}.") from error
        self.register.commit()
        self._enter_in_log()

    def _enter_in_log(self) -> None:
        """The log takes no record twice, so that a crash between it and the register does no harm."""
        records = [decode_record(read_place(self.folder, place)) for place in self.register.unlogged()]
        if records:
            self._log.append(records, at=records[-1].run.created)
            self.register.note_logged()
            self.register.commit()

    @property
    def part(self) -> int:
        """Number of the record file that is being written."""
        return self._part

    def _open_part(self) -> BinaryIO:
        if self._file is None or self._count >= self._part_records:
            if self._file is not None:
                self.commit()
                self._file.close()
            if self._part == 0 or self._count >= self._part_records:
                self._part, self._count = self._part + 1, 0
            self._file = part_path(self.folder, self._part).open("ab")
        return self._file

    def _recover(self) -> int:
        found = 0
        for path in sorted((self.folder / RECORDS).glob("*.jsonl")):
            found += self._recover_part(path)
        self.register.commit()
        return found

    def _recover_part(self, path: Path) -> int:
        part, size = int(path.stem), path.stat().st_size
        known = self.register.end_of(part)
        if size < known:
            raise RecordError(
                f"{RECORDS}/{path.name} has {size} bytes, the register knows {known}: records are missing.",
                hint="Bring the file back from a copy, or start in a new folder.",
            )
        if size == known:
            return 0
        found, end = 0, known
        with path.open("rb+") as file:
            file.seek(known)
            for line in file:
                record = _whole_record(line)
                if record is None:
                    break
                self.register.add(self._recovered(record, part=part, start=end))
                end += len(line)
                found += 1
            file.truncate(end)
        return found

    def _recovered(self, record: Record, *, part: int, start: int) -> Place:
        """A record that a crash left out of the register; what its lines do not say is as for the film's last one."""
        last = self.register.current(record.content.source.file_sha256)
        said = {name: getattr(last, name) if last else "" for name in ("site", "date", "attributes")}
        return _place(record, part=part, start=start, **said)


def _whole_record(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return decode_record(line[:-1])
    except CephError:
        return None


def _place(record: Record, *, part: int, start: int, site: str, date: str, attributes: str) -> Place:
    source = record.content.source
    return Place(
        key=record_key(record),
        image_id=image_id(source.file_sha256),
        file_sha256=source.file_sha256,
        pixel_sha256=source.pixel_sha256,
        record_digest=record.record_digest,
        created=record.run.created,
        site=site,
        date=date,
        attributes=attributes,
        part=part,
        start=start,
        length=len(record.to_bytes()),
        current=True,
    )


def part_path(folder: Path, part: int) -> Path:
    """The record file of a number."""
    return folder / RECORDS / f"{part:05d}.jsonl"


def signatures_path(folder: Path, record_digest: str) -> Path:
    """Where an output folder keeps the signatures of a record."""
    return folder / SIGNATURES / f"{record_digest.rpartition(':')[2]}.signatures.json"


def find_signatures(folder: Path, name: str) -> Path:
    """`signatures_path` of the record that `name` stands for, as in `get_record`."""
    return signatures_path(folder, find_place(folder, name).record_digest)


def signing_time(folder: Path, record: Record) -> str | None:
    """When a record was signed, by the word of its first signers; None where the folder has no signatures of it.

    No key is checked here: that needs a reader's trust file and is what `cephstd verify --trust` does.

    Raises
    ------
    RecordError
        When its file of signatures cannot be read, or is none of this record.
    """
    path = signatures_path(folder, record.record_digest)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"{SIGNATURES}/{path.name} cannot be read: {error.strerror}.") from error
    return time_signed(record, decode_signatures(data))


def time_signed(record: Record, signatures: Signatures) -> str:
    """When these bytes of a record were signed, RFC 3339 in UTC, by the word of the first signers.

    Raises
    ------
    SignatureInvalid
        When the signatures are over other bytes.
    SchemaError
        When they hold no statement.
    """
    statement = read_statement(signatures.envelope)
    check_subject(statement, RECORD, record.to_bytes())
    return format_time(statement.signed_at)


def read_place(folder: Path, place: Place) -> bytes:
    """Canonical bytes of the record at `place`.

    Raises
    ------
    RecordError
        When the file cannot be read or is too short.
    """
    try:
        with part_path(folder, place.part).open("rb") as file:
            file.seek(place.start)
            data = file.read(place.length)
    except OSError as error:
        raise RecordError(f"A record file cannot be read: {error.strerror}.") from error
    if len(data) != place.length:
        raise RecordError(f"Record {place.record_digest} is cut off.", hint="Bring the file back from a copy.")
    return data


def open_register(folder: str | Path) -> Register:
    """Register of a batch's output folder.

    Raises
    ------
    InputError
        When `folder` is none.
    """
    path = Path(folder) / REGISTER
    if not path.is_file():
        raise InputError("Expected the output folder of a batch, found another place.", hint="Name its --out folder.")
    return Register(path)


def list_records(folder: str | Path, *, superseded: bool = False) -> Iterator[Place]:
    """Records of an output folder, oldest first.

    Parameters
    ----------
    folder : str or Path
    superseded : bool
        Whether to list those too that a later record of the same film has replaced.

    Raises
    ------
    InputError
        When `folder` is no output folder of a batch.
    """
    with open_register(folder) as register:
        yield from register.places(superseded=superseded)


def get_record(folder: str | Path, name: str) -> bytes:
    """Canonical bytes of one record of an output folder.

    Parameters
    ----------
    folder, name
        As for `find_place`.

    Raises
    ------
    InputError
        When `folder` is no output folder of a batch, or `name` fits no record or several.
    RecordError
        When the record's file cannot be read.
    """
    return read_place(Path(folder), find_place(folder, name))


def find_place(folder: str | Path, name: str) -> Place:
    """Where one record of an output folder lies.

    Parameters
    ----------
    folder : str or Path
    name : str
        record_digest, or image_id of the film (then its current record); the first 6 or more characters are enough.

    Raises
    ------
    InputError
        When `folder` is no output folder of a batch, or `name` fits no record or several.
    """
    if len(name.removeprefix("sha256:")) < MIN_NAME:
        raise InputError(f"Expected {MIN_NAME} or more characters of a digest or image_id, found {name!r}.")
    with open_register(folder) as register:
        found = register.match(name)
    if len(found) != 1:
        raise InputError(
            f"Expected one record that {name!r} stands for, found {len(found)}.",
            hint="'cephstd records ls' lists them.",
        )
    return found[0]
