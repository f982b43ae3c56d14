"""How the state file is opened, and all the SQL that only SQLite understands.

Owns the connection's settings, the transactions' beginnings, and the translation of a database's
failures into words. Must never create a state in passing: a connection opens what is there.

Two settings decide whether a failed upgrade leaves half a schema behind: the driver must not begin
transactions by itself (`isolation_level=None`), because it doesn't for DDL, and every transaction
must be begun in so many words. A write begins IMMEDIATE: a deferred transaction that has read first
fails at once with SQLITE_BUSY_SNAPSHOT when another has written, whatever the timeout.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing, contextmanager
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import ArgumentError, DBAPIError

from reconcile.errors import ConfigError, StateError
from reconcile.model import Claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Column, Table
    from sqlalchemy.engine import Dialect

    _Value = Callable[[Any], Any]
    """What takes a value out of a record."""

BUSY_SECONDS: Final = 5.0
"""How long a transaction waits for another process's."""

BATCH: Final = 500
"""Rows handed to the driver at once: so few that Python's cyclic garbage collector (which looks
after 700 new containers) has no reason to go through all claims again and again meanwhile."""

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
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def state_file(url: str, *, base: Path) -> Path:
    """The file that a state URL names; a relative one is seen from `base`, the config's folder.

    Links are followed, so that two names of one state share its lock. Raises ConfigError.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("unreadable")
    driver_fits = parsed.drivername in {"sqlite", "sqlite+pysqlite"}
    database = parsed.database or ":memory:"
    if not driver_fits or parsed.host or parsed.query or database.startswith((":memory:", "file:")):
        raise ConfigError(
            "The state must be an SQLite file.",
            hint='set state.url to "sqlite:///state/reconcile.db"',
        )
    return (base / database).resolve()


def make_folder(path: Path) -> None:
    """Make the folder that `path` stands in, 0700, unless it is there. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file, 0600, that must not be there yet. Raises OSError."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def give_name(partial: Path, name: Path) -> None:
    """Give a finished file its name, in place of what had it; durable when this returns.

    Raises OSError.
    """
    partial.replace(name)
    folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_engine(path: Path, *, writing: bool, foreign_keys: bool = True) -> Engine:
    """An engine on an existing state file; without `writing`, one that can't write.

    Foreign keys are off only for an upgrade: SQLite alters a table by replacing it, and with the
    keys on that fails for a table that others point to.
    """
    pragmas = [f"foreign_keys = {'ON' if foreign_keys else 'OFF'}"]
    if writing:
        # WAL with synchronous = NORMAL may lose the last commits with the power: FULL it is.
        # A purged name must leave the file too, not only its table: secure_delete.
        pragmas += ["journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"]
    else:
        pragmas += ["query_only = ON"]
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: _connect(path, pragmas),
        hide_parameters=True,
    )
    begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def transaction(path: Path, *, writing: bool, foreign_keys: bool = True) -> Iterator[Connection]:
    """One transaction on an existing state file, opened for it and closed behind it."""
    engine = open_engine(path, writing=writing, foreign_keys=foreign_keys)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


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


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn every failure of the database, its file or its disk into a StateError with its mend.

    What only a wrong program can cause passes through: it is a bug and wants its traceback.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
        if code in _BUGS:
            raise
        raise _in_words(path, code, str(cause)) from error
    except UnicodeEncodeError as error:
        raise StateError(
            f"{path} can't hold a text with the character {error.object[error.start]!a}.",
            hint="mend that character in the CRM or in 3CX, then run again",
        ) from error
    except OSError as error:
        place, detail = error.filename or path, error.strerror or str(error)
        if error.errno in _NO_ROOM:
            raise _no_room(place, detail) from error
        raise StateError(
            f"{place} can't be used: {detail}.",
            hint="see that this user may write in that folder, and that the disk has room",
            code="state_permission",
        ) from error


def _in_words(path: Path, code: int, detail: str) -> StateError:
    if code in _DAMAGED:
        return damaged(path, detail)
    if code in _FULL:
        return _no_room(path, detail)
    if code in _BUSY:
        return StateError(
            f"{path} is in use by another program, for more than {BUSY_SECONDS:.0f} seconds.",
            hint="close whatever else has the state open, then run again",
            code="state_busy",
        )
    return StateError(
        f"{path} could not be used: {detail}.",
        hint="see that this user may write the file and its folder, and that the disk has room, "
        "then: reconcile db check",
    )


def _no_room(path: Path, detail: str) -> StateError:
    return StateError(
        f"{path} could not be read or written: {detail}.",
        hint="make room on the disk (df -h), then: reconcile db check",
        code="state_disk",
    )


def damaged(path: Path, detail: str) -> StateError:
    """The error for a file that is no sound SQLite database."""
    return StateError(
        f"{path} is damaged, or is no SQLite database: {detail}.",
        hint=f"put the newest backup back in its place ({path.name}.*.bak in the same folder), "
        "then: reconcile db check",
        code="state_corrupt",
    )


# ---------------------------------------------------------------------------- SQLite only


def integrity(connection: Connection, *, thorough: bool) -> tuple[str, ...]:
    """What SQLite finds wrong with the whole file; empty if all is well.

    `thorough` compares the indexes with their tables too, and takes several times as long.
    """
    pragma = "integrity_check" if thorough else "quick_check"
    answers = connection.exec_driver_sql(f"PRAGMA {pragma}").scalars()
    return tuple(found for found in answers if found != "ok")


def dangling(connection: Connection) -> tuple[str, ...]:
    """The rows whose foreign key points nowhere, as `table row → table`."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return tuple(f"{child} {row} → {parent}" for child, row, parent, _ in rows)


def journal_mode(connection: Connection) -> str:
    """How SQLite journals this file: `wal`, as it should, or else what the disk allowed."""
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


def empty_log(engine: Engine) -> None:
    """Bring the write-ahead log into the file and cut it to nothing, with what it remembered."""
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def number_after(connection: Connection, table: Table, last: int) -> None:
    """Let the next row of a table with AUTOINCREMENT have a number after `last`, or a later one."""
    raise_it = "UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name"
    begin_it = (
        "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :last"
        " WHERE :name NOT IN (SELECT name FROM sqlite_sequence)"
    )
    for statement in (raise_it, begin_it):
        connection.execute(text(statement), {"name": table.name, "last": last})


def copy_file(connection: Connection, target: Path) -> tuple[str, ...]:
    """Copy a live state into the existing empty file `target`; what is wrong with the copy.

    The copy stands alone, without a write-ahead log beside it. Raises sqlite3.Error.
    """
    source: Any = connection.connection.driver_connection  # sqlite3's own, as `_connect` made it
    with closing(_connect(target, ["synchronous = FULL"])) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        answers = [str(found) for (found,) in copy.execute("PRAGMA quick_check")]
    return tuple(found for found in answers if found != "ok")


def upsert(connection: Connection, table: Table, records: Iterable[object]) -> None:
    """Insert records, or replace those with the same primary key, at the driver's own speed.

    A record has an attribute for each column; `Claims` are rows already. SQLAlchemy composes the
    statement and converts the values; going row by row through its `execute` would take four times
    as long.
    """
    statement = insert(table)
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    statement = statement.on_conflict_do_update(index_elements=table.primary_key, set_=values)
    names = [c.name for c in table.columns]
    command = str(statement.compile(dialect=connection.dialect, column_keys=names))
    value: Callable[[str], _Value] = attrgetter
    if isinstance(records, Claims):
        value, records = Claims.value, records.rows
    readers = [_reader(value(c.name), c, connection.dialect) for c in table.columns]
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        rows = list(zip(*(read(batch) for read in readers), strict=True))
        connection.exec_driver_sql(command, rows)


def _reader(
    value: _Value, column: Column[Any], dialect: Dialect
) -> Callable[[Sequence[object]], Iterator[object]]:
    """What takes one column out of many records, as the driver wants it."""
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return lambda records: map(value, records)
    return lambda records: map(convert, map(value, records))
