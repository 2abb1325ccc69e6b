"""What has been done: which film under which recipe is in which record file, and why another one is in none.

The record files are the truth. The register says where in them a record lies; what it lacks is read from them, so that
a crash between the two loses nothing and doubles nothing. Paths are kept apart from it, in `PathRegister`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from cephstd.core.record import Record
from cephstd.errors import InputError, RecordError

IMAGE_ID_DIGITS = 16
BUSY_S = 30.0

RECORDS_SQL = """
CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, image_id TEXT NOT NULL, file_sha256 TEXT NOT NULL,
    pixel_sha256 TEXT NOT NULL, record_digest TEXT UNIQUE NOT NULL, created TEXT NOT NULL, site TEXT NOT NULL,
    date TEXT NOT NULL, attributes TEXT NOT NULL, part INTEGER NOT NULL, start INTEGER NOT NULL,
    length INTEGER NOT NULL, current INTEGER NOT NULL, logged INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS records_by_file ON records (file_sha256);
CREATE INDEX IF NOT EXISTS records_by_part ON records (part);
CREATE INDEX IF NOT EXISTS records_unlogged ON records (logged) WHERE logged = 0;
CREATE TABLE IF NOT EXISTS failures (
    key TEXT PRIMARY KEY, image_id TEXT NOT NULL, file_sha256 TEXT NOT NULL, site TEXT NOT NULL,
    recipe_digest TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, hint TEXT NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS stale_parts (part INTEGER PRIMARY KEY);
"""
PATHS_SQL = """
CREATE TABLE IF NOT EXISTS paths (
    number INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    file_sha256 TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS paths_by_file ON paths (file_sha256);
"""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a record lies and what a table says of its film beside the record.

    Attributes
    ----------
    key : str
        What was done: file, recipe and weights.
    part, start, length : int
        Number of the record file, and the line's first byte and number of bytes in it.
    current : bool
        False when a later record of the same film has taken its place.
    """

    key: str
    image_id: str
    file_sha256: str
    pixel_sha256: str
    record_digest: str
    created: str
    site: str
    date: str
    attributes: str
    part: int
    start: int
    length: int
    current: bool


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a film has no record; the attributes are the columns of the table of failures."""

    key: str
    image_id: str
    file_sha256: str
    site: str
    recipe_digest: str
    status: str
    code: str
    message: str
    hint: str = ""
    attempts: int = 1


def work_key(file_sha256: str, recipe_digest: str, weights_sha256: str) -> str:
    """Key of one piece of work: the same film, recipe and weights are worked on once.

    >>> work_key("sha256:" + "ab" * 32, "sha256:" + "c" * 64, "sha256:" + "d" * 64)[-35:]
    'b:cccccccccccccccc:dddddddddddddddd'
    """
    file, recipe, weights = (digest.rpartition(":")[2] for digest in (file_sha256, recipe_digest, weights_sha256))
    return f"{file}:{recipe[:16]}:{weights[:16]}"


def image_id(file_sha256: str) -> str:
    """Name of a film in all tables: the first 16 hex digits of its file's digest.

    >>> image_id("sha256:e3b0c44298fc1c149afbf4c8996fb924")
    'e3b0c44298fc1c14'
    """
    return file_sha256.rpartition(":")[2][:IMAGE_ID_DIGITS]


def record_key(record: Record) -> str:
    """`work_key` of a finished record; with its own digest behind where a person's decision made it of another."""
    content = record.content
    weights = content.model.weights_sha256 if content.model else ""
    key = work_key(content.source.file_sha256, content.recipe_digest, weights)
    return f"{key}:{image_id(record.record_digest)}" if content.trail else key


class Register:
    """The register of one output folder.

    Parameters
    ----------
    path : Path
        Its SQLite file; made when absent.

    Raises
    ------
    RecordError
        When the file is no register, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._base = _open(path, RECORDS_SQL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        self._base.close()

    def commit(self) -> None:
        """Keep what was added."""
        self._base.commit()

    def add(self, place: Place) -> None:
        """Add a record as the current one of its film; an earlier one of the film is superseded."""
        self._supersede(place.file_sha256)
        row = msgspec.structs.asdict(place)
        names = ", ".join(row)
        self._base.execute(
            f"INSERT INTO records ({names}) VALUES ({', '.join(f':{name}' for name in row)})",
            row,
        )
        self._mark_stale(place.part)
        self._base.execute("DELETE FROM failures WHERE file_sha256 = ?", (place.file_sha256,))

    def restore(self, key: str) -> None:
        """Make an earlier record the current one again, as when a former recipe is run anew."""
        place = self.find(key)
        if place is not None and not place.current:
            self._supersede(place.file_sha256)
            self._base.execute("UPDATE records SET current = 1 WHERE key = ?", (place.key,))
            self._mark_stale(place.part)

    def settle(self, key: str, *, site: str, date: str, attributes: str) -> None:
        """Say of which site a record is that was found without this, after a crash."""
        place = self.find(key)
        if place is not None and not place.site:
            self._base.execute(
                "UPDATE records SET site = ?, date = ?, attributes = ? WHERE key = ?",
                (site, date, attributes, place.key),
            )
            self._mark_stale(place.part)

    def _supersede(self, file_sha256: str) -> None:
        for (part,) in self._base.execute(
            "SELECT DISTINCT part FROM records WHERE file_sha256 = ? AND current = 1", (file_sha256,)
        ).fetchall():
            self._mark_stale(part)
        self._base.execute("UPDATE records SET current = 0 WHERE file_sha256 = ?", (file_sha256,))

    def _mark_stale(self, part: int) -> None:
        self._base.execute("INSERT OR IGNORE INTO stale_parts VALUES (?)", (part,))

    def fail(self, failure: Failure) -> None:
        """Keep why a film has no record, in place of an earlier reason."""
        if failure.file_sha256:
            self._base.execute("DELETE FROM failures WHERE file_sha256 = ?", (failure.file_sha256,))
        row = msgspec.structs.asdict(failure)
        names = ", ".join(row)
        self._base.execute(
            f"INSERT OR REPLACE INTO failures ({names}) VALUES ({', '.join(f':{name}' for name in row)})",
            row,
        )

    def forget(self, key: str) -> None:
        """Take back a failure."""
        self._base.execute("DELETE FROM failures WHERE key = ?", (key,))

    def find(self, key: str) -> Place | None:
        """The record of a piece of work, or None; the last one where people have decided on it."""
        # behind the colon stands what a decision made: the character after it ends the range
        found = list(self._places("WHERE key = ? OR (key > ? AND key < ?)", key, f"{key}:", f"{key};"))
        return found[-1] if found else None

    def holding(self, record_digest: str) -> Place | None:
        """Where the record of a digest lies, or None."""
        return next(self._places("WHERE record_digest = ?", record_digest), None)

    def mark_signed(self, place: Place) -> None:
        """Say that the tables of a record lack its signatures."""
        self._mark_stale(place.part)

    def current(self, file_sha256: str) -> Place | None:
        """The record of a film that counts now, or None."""
        return next(self._places("WHERE file_sha256 = ? AND current = 1", file_sha256), None)

    def failure(self, key: str) -> Failure | None:
        """Why a piece of work gave no record, or None."""
        return next(self._failures("WHERE key = ?", key), None)

    def places(self, *, superseded: bool = False) -> Iterator[Place]:
        """Current records, or all of them, in the order in which they were made."""
        yield from self._places("" if superseded else "WHERE current = 1")

    def unlogged(self) -> Iterator[Place]:
        """Records that are not known to be in the log, in the order in which they were made."""
        yield from self._places("WHERE logged = 0")

    def note_logged(self) -> None:
        """Say that every record is in the log."""
        self._base.execute("UPDATE records SET logged = 1 WHERE logged = 0")

    def in_part(self, part: int) -> list[Place]:
        """Current records of one record file, in the order of their bytes."""
        return list(self._places("WHERE part = ? AND current = 1", part))

    def match(self, name: str) -> list[Place]:
        """Records whose digest, or whose film's image_id, starts with `name`; of a film only the current one."""
        digest = name if name.startswith("sha256:") else f"sha256:{name}"
        pattern = "WHERE substr(record_digest, 1, ?) = ? OR (substr(image_id, 1, ?) = ? AND current = 1)"
        return list(self._places(pattern, len(digest), digest, len(name), name))

    def failures(self) -> Iterator[Failure]:
        """All of them, by site and film."""
        yield from self._failures("ORDER BY site, image_id, key")

    def stale_parts(self) -> list[int]:
        """Record files whose tables have to be written anew."""
        return [part for (part,) in self._base.execute("SELECT part FROM stale_parts ORDER BY part").fetchall()]

    def refresh(self, part: int) -> None:
        """Say that the tables of a record file have been written."""
        self._base.execute("DELETE FROM stale_parts WHERE part = ?", (part,))

    def end_of(self, part: int) -> int:
        """Bytes of a record file that the register knows."""
        (end,) = self._base.execute("SELECT max(start + length + 1) FROM records WHERE part = ?", (part,)).fetchone()
        return int(end or 0)

    def count(self) -> int:
        """Records, the superseded ones among them."""
        return int(self._base.execute("SELECT count(*) FROM records").fetchone()[0])

    def last_part(self) -> tuple[int, int]:
        """Number of the last record file and how many records it has; (0, 0) when there is none."""
        row = self._base.execute("SELECT part, count(*) FROM records GROUP BY part ORDER BY part DESC LIMIT 1")
        return row.fetchone() or (0, 0)

    def duplicates(self) -> list[tuple[str, ...]]:
        """Films with equal pixels in different files: their image_ids, group by group."""
        rows = self._base.execute(
            "SELECT group_concat(image_id, ' ') FROM (SELECT * FROM records WHERE current = 1 ORDER BY image_id) "
            "GROUP BY pixel_sha256 HAVING count(*) > 1 ORDER BY min(image_id)"
        )
        return [tuple(ids.split()) for (ids,) in rows.fetchall()]

    def _places(self, clause: str, *values: str | int) -> Iterator[Place]:
        names = Place.__struct_fields__
        rows = self._base.execute(f"SELECT {', '.join(names)} FROM records {clause} ORDER BY sequence", values)
        for row in rows:
            yield Place(**{**dict(zip(names, row, strict=True)), "current": bool(row[-1])})

    def _failures(self, clause: str, *values: str) -> Iterator[Failure]:
        names = Failure.__struct_fields__
        for row in self._base.execute(f"SELECT {', '.join(names)} FROM failures {clause}", values):
            yield Failure(**dict(zip(names, row, strict=True)))


class RunLock:
    """Keeps other runs out of an output folder for as long as it is open.

    Parameters
    ----------
    folder : Path
        Made when absent.

    Raises
    ------
    InputError
        When another run is at work in the folder.
    RecordError
        When the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = sqlite3.connect(folder / "lock.sqlite", timeout=0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise RecordError(f"The output folder cannot be written: {error}.", hint="Name another --out.") from error
        try:
            # a lock that the system takes back when the process ends, however it ends
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._lock.close()
            raise InputError(
                "Another run is at work in this output folder.", hint="Wait for it, or name another --out."
            ) from error

    def close(self) -> None:
        """Let other runs into the folder."""
        self._lock.close()


class PathRegister:
    """Which file lies where: the one place that knows paths, to be kept at the site.

    Parameters
    ----------
    folder : Path
        Must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._base = _open(folder / "paths.sqlite", PATHS_SQL)

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        self._base.close()

    def commit(self) -> None:
        """Keep what was added."""
        self._base.commit()

    def known_digest(self, path: str, byte_count: int, changed_ns: int) -> str:
        """Digest of a file that has not changed since it was read; empty when it is not known."""
        row = self._base.execute(
            "SELECT file_sha256 FROM paths WHERE path = ? AND bytes = ? AND changed_ns = ?",
            (path, byte_count, changed_ns),
        ).fetchone()
        return str(row[0]) if row else ""

    def keep(self, path: str, byte_count: int, changed_ns: int, file_sha256: str) -> int:
        """Keep what a file is; returns the number that stands for its path where its content is not known."""
        (number,) = self._base.execute(
            "INSERT INTO paths (path, bytes, changed_ns, file_sha256) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE "
            "SET bytes = excluded.bytes, changed_ns = excluded.changed_ns, file_sha256 = excluded.file_sha256 "
            "RETURNING number",
            (path, byte_count, changed_ns, file_sha256),
        ).fetchone()
        return int(number)

    def paths_of(self, file_sha256: str) -> list[str]:
        """Where copies of a file lie."""
        rows = self._base.execute("SELECT path FROM paths WHERE file_sha256 = ? ORDER BY path", (file_sha256,))
        return [path for (path,) in rows.fetchall()]


def _open(path: Path, sql: str) -> sqlite3.Connection:
    try:
        base = sqlite3.connect(path, timeout=BUSY_S)
        try:
            base.executescript(sql)
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                base.close()
            raise
    except sqlite3.Error as error:
        raise RecordError(
            f"The register of the output folder cannot be opened: {error}.", hint="Name a folder of a batch."
        ) from error
    return base
