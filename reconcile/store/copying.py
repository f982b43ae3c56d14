"""The whole state from one database into another of any kind: each row is copied, then compared.

Works on the tables as they stand in the source's schema revision, so that a backup can be made
before an upgrade. Must never write into a place that has anything in it, nor leave half a copy
there: tables, rows and the comparison are one transaction.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import DateTime, Integer, MetaData, String, insert, select

from reconcile.errors import StateError, UsageError
from reconcile.store import gates, migrate, rows, tables
from reconcile.store.engine import BATCH, located
from reconcile.store.lock import RunLock
from reconcile.store.sqlite import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Column, ColumnElement, Connection, CursorResult, Row, Table

    from reconcile.store.database import Database

_COUNTED: Final = "0003"
"""The first schema revision in which writes are counted."""
_BYTES: Final = {"sqlite": "BINARY", "postgresql": "C"}
"""The collation that sorts texts by their bytes, so that both sides come in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """What was copied."""

    source: str
    target: str
    rows: Mapping[str, int]
    """Table → rows."""

    def __str__(self) -> str:
        """What was done, and what it takes to go on with the copy."""
        counted = ", ".join(f"{count:,} in {table}" for table, count in self.rows.items() if count)
        return (
            f"{self.source} was copied to {self.target}, row by row, and each row was compared: "
            f"{counted}.\n"
            "The two are one state from now on: go on with one of them only.\n"
            "Next: set state.url to the one that you go on with, then: reconcile db check"
        )


def copy(source_url: str, target_url: str, *, base: Path, now: datetime) -> CopyResult:
    """Copy a state into an empty place, under the run locks of both.

    Raises LockBusy, UsageError if both are one, StateError for a source that is not sound, a target
    that is not empty, or a source that was written meanwhile; then the target is as it was.
    """
    source, target = located(source_url, base=base), located(target_url, base=base)
    if source.name == target.name:
        raise UsageError(f"{source} can't be copied onto itself.", hint="reconcile db copy --help")
    with ExitStack() as held:
        held.callback(source.close)
        held.callback(target.close)
        for url in (source_url, target_url):
            held.enter_context(RunLock(url, base=base, command="db copy", now=now))
        held.enter_context(source.explained())
        source.admit()
        reading = held.enter_context(source.transaction(writing=False))
        gates.is_sound(reading, source)
        with target.explained():
            return _into(target, source, reading)


def into_file(source: Database, reading: Connection, target: Path) -> None:
    """Copy what a transaction reads into an existing empty file, which stands alone after.

    Raises StateError, or what the file's driver raises.
    """
    file = SqliteFile(target)
    with file.transaction(writing=True, upgrading=True) as writing:
        _copied(source, reading, file, writing)
    if problems := file.settled():
        raise file.damaged(problems[0])


def _into(target: Database, source: Database, reading: Connection) -> CopyResult:
    target.make()
    target.admit()
    with target.transaction(writing=True, upgrading=True) as writing:
        target.look(writing)
        if gates.revision(writing, target):
            raise StateError(
                f"{target} is not empty; nothing was copied.",
                hint="name a place where no state is, or move that one away",
                code="state_not_empty",
            )
        counts = _copied(source, reading, target, writing)
        with source.transaction(writing=False) as later:
            if _serial(later, source) != _serial(reading, source):
                raise StateError(
                    f"{source} was written while it was copied; nothing was copied.",
                    hint="the same command again",
                    code="state_busy",
                )
    return CopyResult(source=str(source), target=str(target), rows=counts)


def _serial(connection: Connection, state: Database) -> int:
    """How often the state was written; 0 in a schema that didn't count yet."""
    return rows.serial(connection) if gates.revision(connection, state) >= _COUNTED else 0


def _copied(
    source: Database, reading: Connection, target: Database, writing: Connection
) -> dict[str, int]:
    """Make the tables of the source's revision and fill them; table → rows."""
    revision = gates.revision(reading, source)
    if not revision:
        raise gates.older(revision, source)
    with migrate.configured(()) as config:
        if not migrate.knows(config, revision):
            raise gates.newer(revision, source)
        migrate.migrated(writing, config, revision)
    theirs, ours = _tables(reading), _tables(writing)
    counts = {}
    for table in ours.sorted_tables:
        known = theirs.tables[table.name]
        for batch in _read(reading, known, table).partitions(BATCH):
            writing.execute(insert(table), [dict(row._mapping) for row in batch])  # noqa: SLF001 - its public name
        counts[table.name] = compared(_read(reading, known, table), _read(writing, table, table))
        if _is_numbered(table):
            target.number_after(writing, table, source.last_number(reading, known))
    if broken := target.dangling(writing):
        raise target.damaged(f"{broken[0]} points nowhere")
    return counts


def _tables(connection: Connection) -> MetaData:
    """The tables as they are there; a time is read as the program reads it."""
    found = MetaData()
    found.reflect(connection)
    found.remove(found.tables[tables.alembic_version.name])
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, DateTime):
                column.type = tables.Moment()
    return found


def _read(connection: Connection, table: Table, like: Table) -> CursorResult[Any]:
    """All rows in an order that is the same everywhere, their columns in that of `like`."""
    columns = [table.columns[column.name] for column in like.columns]
    order = [_by_bytes(column, connection.dialect.name) for column in table.primary_key]
    statement = select(*columns).order_by(*order)
    return connection.execute(statement, execution_options={"yield_per": BATCH})


def _is_numbered(table: Table) -> bool:
    """Whether the database gives its rows their numbers."""
    number = table.columns.get("id")
    return number is not None and isinstance(number.type, Integer)


def _by_bytes(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    return column.collate(_BYTES[dialect]) if isinstance(column.type, String) else column


def compared(were: Iterator[Row[Any]], are: Iterator[Row[Any]]) -> int:
    """How many rows there are; raises StateError unless they are the same on both sides."""
    count = 0
    for was, is_ in zip_longest(were, are):
        if was is None or is_ is None or tuple(was) != tuple(is_):
            raise StateError(
                f"Row {count + 1:,} of a table is not the same in the copy; nothing was copied.",
                hint="reconcile db check",
            )
        count += 1
    return count
