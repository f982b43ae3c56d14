"""A state in an SQLite file: how it is opened, and all that only SQLite understands.

Owns the connection's settings, the transactions' beginnings, the lock file, and the translation of
SQLite's failures into words. Must never create a state in passing: what is opened is there.

Two settings decide whether a failed upgrade leaves half a schema behind: the driver must not begin
transactions by itself (`isolation_level=None`), because it doesn't for DDL, and every transaction
must be begun in so many words. A write begins IMMEDIATE: a deferred transaction that has read first
fails at once with SQLITE_BUSY_SNAPSHOT when another has written, whatever the timeout.

The run lock is flock(2) on a file of its own, `<state>.lock`. Never POSIX record locks, which are
lost as soon as the same process opens and closes the file elsewhere. The file must never be
unlinked: a second process would lock a new one of that name while the first still holds the old.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import ExitStack, closing
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import portalocker
from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from reconcile.errors import StateError
from reconcile.store import disks, files
from reconcile.store.database import Database, busy, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import IO

    from sqlalchemy import Table
    from sqlalchemy.engine import Dialect

    from reconcile.errors import LockBusy

BUSY_SECONDS: Final = 5.0
"""How long a transaction waits for another process's."""

_BUGS: Final = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    }
)
"""What SQLite says of a wrong program, not of a wrong file."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SqliteFile(Database):
    """A state in a file of this machine; links are followed, so that two names share one lock."""

    failure = sqlite3.Error
    another = "set state.url to a file of its own"

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        super().__init__(str(self.path), mark=self._beside("serial"))

    def _beside(self, end: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{end}")

    # ------------------------------------------------------------------------ opening

    def engine(self, *, writing: bool, upgrading: bool = False) -> Engine:
        """See Database.

        Foreign keys are off only for an upgrade: SQLite alters a table by replacing it, and with
        the keys on that fails for a table that others point to.
        """
        pragmas = [f"foreign_keys = {'OFF' if upgrading else 'ON'}"]
        if writing:
            # WAL with synchronous = NORMAL may lose the last commits with the power: FULL it is.
            # A purged name must leave the file too, not only its table: secure_delete.
            pragmas += ["journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"]
        else:
            pragmas += ["query_only = ON"]
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            creator=lambda: _connect(self.path, pragmas),
            hide_parameters=True,
        )
        begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def take_lock(self, holder: Mapping[str, object]) -> LockedFile:
        """See Database."""
        path = self._beside("lock")
        with files.explained(path), ExitStack() as undone:
            files.make_folder(path)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            file = undone.enter_context(os.fdopen(handle, "r+b", buffering=0))
            locked = LockedFile(file, path)
            locked.lock(holder)
            undone.pop_all()
        return locked

    # ------------------------------------------------------------------------ gates

    def make(self) -> None:
        """See Database."""
        files.is_local(self.path, disks.mounts())
        if not self.path.exists():
            files.make_folder(self.path)
            files.make_file(self.path)

    def is_there(self) -> None:
        """See Database."""
        files.is_there(self.path)

    def admit(self) -> None:
        """See Database."""
        self.is_there()
        files.is_local(self.path, disks.mounts())
        files.is_private(self.path)

    def faults(self, connection: Connection) -> Iterator[StateError]:  # noqa: ARG002 - a file is seen from outside
        """See Database."""
        yield from refusals(
            lambda: files.is_private(self.path),
            lambda: files.is_local(self.path, disks.mounts()),
            lambda: files.is_in_a_closed_folder(self.path),
        )

    def owner(self) -> os.stat_result:
        """See Database."""
        return self.path.stat()

    # ------------------------------------------------------------------------ in a transaction

    def integrity(self, connection: Connection, *, thorough: bool) -> tuple[str, ...]:
        """See Database; `thorough` compares the indexes with their tables, too."""
        pragma = "integrity_check" if thorough else "quick_check"
        answers = connection.exec_driver_sql(f"PRAGMA {pragma}").scalars()
        return tuple(found for found in answers if found != "ok")

    def dangling(self, connection: Connection) -> tuple[str, ...]:
        """See Database."""
        rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return tuple(f"{child} {row} → {parent}" for child, row, parent, _ in rows)

    def journal(self, connection: Connection) -> str:
        """See Database: `wal`, as it should be, or else what the disk allowed."""
        return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())

    def last_number(self, connection: Connection, table: Table) -> int:
        """See Database."""
        last = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return connection.scalar(last, {"name": table.name}) or 0

    def number_after(self, connection: Connection, table: Table, last: int) -> None:
        """See Database; such a table has AUTOINCREMENT."""
        raise_it = "UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name"
        begin_it = (
            "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :last"
            " WHERE :name NOT IN (SELECT name FROM sqlite_sequence)"
        )
        for statement in (raise_it, begin_it):
            connection.execute(text(statement), {"name": table.name, "last": last})

    # ------------------------------------------------------------------------ whole

    def erase(self, engine: Engine) -> None:
        """See Database: bring the write-ahead log into the file and cut it to nothing."""
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy_file(self, connection: Connection, target: Path) -> None:
        """Copy the live state into the existing empty file `target`, and check the copy.

        It stands alone, without a write-ahead log beside it. Raises StateError or sqlite3.Error.
        """
        source: Any = connection.connection.driver_connection  # sqlite3's, as `_connect` made it
        with closing(_connect(target, ["synchronous = FULL"])) as copy:
            source.backup(copy)
        if problems := SqliteFile(target).settled():
            raise self.damaged(problems[0])

    def settled(self) -> tuple[str, ...]:
        """Make the file stand alone, without a write-ahead log; what a quick look finds wrong."""
        with closing(_connect(self.path, ["synchronous = FULL"])) as alone:
            alone.execute("PRAGMA journal_mode = DELETE")
            answers = [str(found) for (found,) in alone.execute("PRAGMA quick_check")]
        return tuple(found for found in answers if found != "ok")

    # ------------------------------------------------------------------------ failures

    def in_words(self, cause: BaseException) -> StateError | None:
        """See Database."""
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
        if code in _BUGS:
            return None
        if code in _DAMAGED:
            return self.damaged(str(cause))
        if code in _FULL:
            return files.no_room(self, str(cause))
        if code in _BUSY:
            return StateError(
                f"{self} is in use by another program, for more than {BUSY_SECONDS:.0f} seconds.",
                hint="close whatever else has the state open, then run again",
                code="state_busy",
            )
        return StateError(
            f"{self} could not be used: {cause}.",
            hint="see that this user may write the file and its folder, and that the disk has "
            "room, then: reconcile db check",
        )

    def damaged(self, detail: str) -> StateError:
        """The error for a file that is no sound SQLite database."""
        return StateError(
            f"{self} is damaged, or is no SQLite database: {detail}.",
            hint=f"put the newest backup back in its place ({self.path.name}.*.bak in the same "
            "folder), then: reconcile db check",
            code="state_corrupt",
        )


def _connect(path: Path, pragmas: Iterable[str]) -> sqlite3.Connection:
    # mode=rw: a file that is gone is an error, never an empty state.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # SQLAlchemy's pool hands a connection to one thread at a time
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


# ---------------------------------------------------------------------------- the lock file


class LockedFile:
    """A file that flock(2) holds for this process, and for no program that it starts."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path

    def close(self) -> None:
        """Closing the only descriptor releases the lock."""
        self._file.close()

    def is_held(self) -> bool:
        """Whether the locked file is still the one of that name: False once it was replaced."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def lock(self, holder: Mapping[str, object]) -> None:
        """Lock it and say who holds it. Raises LockBusy or OSError."""
        try:
            portalocker.lock(
                self._file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
        except portalocker.LockException as error:
            raise self._busy(self._file.read().decode("utf-8", "replace")) from error
        if not self.is_held():
            raise self._busy("")
        self._file.truncate(0)
        self._file.write(json.dumps(holder).encode())

    def _busy(self, signature: str) -> LockBusy:
        return busy(f"the lock {self._path}", signature, look=f"fuser -v {self._path}")


# ---------------------------------------------------------------------------- many rows at once

VARIABLES: Final = 999
"""So many values a statement takes in every SQLite; those since 3.32 take more."""


def rows(
    table: Table, dialect: Dialect, columns: list[list[object]]
) -> tuple[str, tuple[object, ...]]:
    """Rows for one INSERT; and their values. Of rows with the same key the last one counts.

    A statement for each row takes twice as long.
    """
    del dialect
    row = f"({', '.join('?' * len(table.columns))})"
    words = f"VALUES {', '.join([row] * len(columns[0]))}"
    return words, tuple(chain.from_iterable(zip(*columns, strict=True)))
