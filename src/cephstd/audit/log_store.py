"""Tables of the log in a database: SQLite (write-ahead log, full sync) by path, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cephstd.audit.merkle import Node
from cephstd.errors import CephError, InputError, LogInconsistent, MissingExtraError, RecordError

try:
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
except ImportError as error:
    raise MissingExtraError("A log needs SQLAlchemy.", hint="pip install 'cephstd[ledger,sign]'") from error

WAIT_S = 60
"""How long a writer of SQLite waits for another."""

CREATION_LOCK = 0x63657068
"""Key of the advisory lock under which PostgreSQL's tables are made once."""

_tables = sa.MetaData()
# One row; whoever holds it may append, one after another.
_head = sa.Table(
    "head",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
_entries = sa.Table(
    "entries",
    _tables,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record_digest", sa.Text, nullable=False),
    sa.Column("envelope", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("statement", sa.LargeBinary),
    # a record and its signatures enter once
    sa.UniqueConstraint("record_digest", "kind", "envelope"),
)
_nodes = sa.Table(
    "nodes",
    _tables,
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry as stored: `data` are the leaf's bytes, the others serve look-up; `statement` is a tombstone's."""

    position: int
    kind: str
    record_digest: str
    envelope: str
    data: bytes
    statement: bytes | None = None


class LogStore:
    """The database of one log.

    Parameters
    ----------
    where : str or path
        Path of an SQLite file, or a URL of SQLAlchemy, e.g. ``postgresql+psycopg://user@host/name``.
    name : str, optional
        Name of the log; with it, an absent log is made.

    Raises
    ------
    InputError
        When the URL is none, or the log has another name.
    RecordError
        When there is no log and no name for a new one, or the database cannot be reached.
    """

    def __init__(self, where: str | Path, *, name: str | None = None) -> None:
        text = str(where)
        if "://" not in text:
            if name is None and not Path(text).is_file():
                raise RecordError(f"Expected a log, found no file {text}.", hint="Name the log to make a new one.")
            text = f"sqlite:///{text}"
        try:
            url = sa.make_url(text)
            lite = url.get_backend_name() == "sqlite"
            self._engine = sa.create_engine(url, connect_args={"timeout": WAIT_S} if lite else {})
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            # A URL holds a user and a password: no message repeats it.
            raise InputError(
                "Expected a path or a database URL, found another text, or a database whose driver is not installed.",
                hint="Give a file, or e.g. postgresql+psycopg://HOST/NAME.",
            ) from error
        self._lite = lite
        if lite:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        try:
            self.name = self._open(name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One unchanging view of the log."""
        options = {} if self._lite else {"isolation_level": "REPEATABLE READ"}
        with _translated(), self._engine.connect() as found:
            connection = found.execution_options(**options)
            with connection.begin():
                yield Session(connection)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """The right to append; all of it reaches the disk at the end, or nothing does."""
        with _translated(), self._engine.connect() as found:
            connection = found.execution_options(writes=True)
            with connection.begin():
                if not self._lite:
                    connection.execute(sa.select(_head.c.size).with_for_update())
                yield Session(connection)

    def _open(self, name: str | None) -> str:
        if name is not None:
            self._create(name)
        with self.reading() as session:
            found = session.head()[0]
        if name not in (None, found):
            raise InputError(f"Expected the log {name!r}, found {found!r}.")
        return found

    def _create(self, name: str) -> None:
        with _translated(), self._engine.connect() as found:
            connection = found.execution_options(writes=True)
            with connection.begin():
                if not self._lite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
                _tables.create_all(connection)
                if connection.execute(sa.select(_head.c.id)).first() is None:
                    connection.execute(_head.insert().values(id=1, name=name, size=0))


class Session:
    """What can be asked and done inside one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def head(self) -> tuple[str, int]:
        """The log's name and number of entries."""
        row = self._connection.execute(sa.select(_head.c.name, _head.c.size)).one()
        return str(row.name), int(row.size)

    def nodes(self, wanted: Iterable[Node]) -> dict[Node, bytes]:
        """Hashes of the wanted nodes that are there."""
        pairs = list(wanted)
        if not pairs:
            return {}
        where = sa.or_(*(sa.and_(_nodes.c.level == level, _nodes.c.position == place) for level, place in pairs))
        return {(row.level, row.position): row.hash for row in self._connection.execute(sa.select(_nodes).where(where))}

    def node_span(self, level: int, first: int, end: int) -> dict[Node, bytes]:
        """Hashes of the nodes of `level` from `first` up to `end`."""
        where = (_nodes.c.level == level) & (_nodes.c.position >= first) & (_nodes.c.position < end)
        return {(row.level, row.position): row.hash for row in self._connection.execute(sa.select(_nodes).where(where))}

    def rows(self, first: int, end: int) -> list[Row]:
        """Entries from `first` up to `end`, in order."""
        where = (_entries.c.position >= first) & (_entries.c.position < end)
        return self._rows(sa.select(_entries).where(where))

    def find(self, record_digests: Iterable[str]) -> list[Row]:
        """Entries of these records, in order."""
        return self._rows(sa.select(_entries).where(_entries.c.record_digest.in_(list(record_digests))))

    def counts(self) -> tuple[int, int]:
        """Number of stored entries and nodes."""
        entries, nodes = (sa.select(sa.func.count()).select_from(table) for table in (_entries, _nodes))
        return self._connection.execute(entries).scalar_one(), self._connection.execute(nodes).scalar_one()

    def add(self, rows: Sequence[Row], nodes: Mapping[Node, bytes], size: int) -> None:
        """Append `rows` with the nodes that became complete; the log had `size` entries."""
        plain = [{name: getattr(row, name) for name in Row.__slots__} for row in rows]
        self._connection.execute(_entries.insert(), plain)
        placed = [{"level": level, "position": place, "hash": digest} for (level, place), digest in nodes.items()]
        self._connection.execute(_nodes.insert(), placed)
        moved = _head.update().where(_head.c.size == size).values(size=size + len(rows))
        if self._connection.execute(moved).rowcount != 1:
            raise LogInconsistent("The log grew while it was locked.")

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        found = self._connection.execute(query.order_by(_entries.c.position))
        return [Row(**row._mapping) for row in found]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CephError:
        raise
    except OperationalError as error:
        # What a server says repeats host and user.
        reason = str(error.orig) if isinstance(error.orig, sqlite3.Error) else type(error.orig).__name__
        raise RecordError(f"The log's database cannot be used: {reason}.", hint="Is it there, and yours?") from error
    except SQLAlchemyError as error:
        raise LogInconsistent(f"The log's database is damaged or no log: {str(error).splitlines()[0]}.") from error
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        # a value of another type than its column's: SQLite keeps what it is told to keep
        raise LogInconsistent(f"The log holds something that was never written: {error}.") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # the driver would begin transactions of its own, too late for a writer's lock
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
