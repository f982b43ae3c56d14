"""Which database a URL names, and rows written at its driver's own speed."""

from __future__ import annotations

from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import ArgumentError

from reconcile.errors import ConfigError, MissingExtra
from reconcile.model import Claims
from reconcile.store.sqlite import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Column, Connection, Table
    from sqlalchemy.engine import Dialect

    from reconcile.store.database import Database

    _Value = Callable[[Any], Any]
    """What takes a value out of a record."""

_POSTGRES: Final = frozenset({"postgresql", "postgres", "postgresql+psycopg"})

BATCH: Final = 500
"""Rows handed to the driver at once: so few that Python's cyclic garbage collector (which looks
after 700 new containers) has no reason to go through all claims again and again meanwhile."""


def located(url: str, *, base: Path) -> Database:
    """The place that a state URL names; a relative file is seen from `base`, the config's folder.

    Raises ConfigError.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = URL.create("unreadable")
    if parsed.drivername in _POSTGRES:
        return _postgres(parsed, base)
    return _sqlite(parsed, base)


def _postgres(url: URL, base: Path) -> Database:
    try:
        from reconcile.store import postgres
    except ImportError as error:
        raise MissingExtra("A state in PostgreSQL", "postgres") from error
    return postgres.of_url(url, base)


def _sqlite(url: URL, base: Path) -> Database:
    driver_fits = url.drivername in {"sqlite", "sqlite+pysqlite"}
    database = url.database or ":memory:"
    if not driver_fits or url.host or url.query or database.startswith((":memory:", "file:")):
        raise ConfigError(
            "The state must be an SQLite file or a PostgreSQL database.",
            hint='set state.url to "sqlite:///state/reconcile.db", '
            'or to "postgresql+psycopg://user@host/database"',
        )
    return SqliteFile(base / database)


def upsert(connection: Connection, table: Table, records: Iterable[object]) -> None:
    """Insert records, or replace those with the same primary key, at the driver's own speed.

    A record has an attribute for each column; `Claims` are rows already. SQLAlchemy composes the
    statement and converts the values; going row by row through its `execute` would take four times
    as long.
    """
    value: Callable[[str], _Value] = attrgetter
    if isinstance(records, Claims):
        value, records = Claims.value, records.rows
    readers = [_reader(value(c.name), c, connection.dialect) for c in table.columns]
    write = _writer(connection, table)
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        write([list(read(batch)) for read in readers])


def _writer(connection: Connection, table: Table) -> Callable[[list[list[object]]], object]:
    """What writes a batch, which comes as its columns."""
    if connection.dialect.name == "postgresql":
        from reconcile.store.postgres import upserting

        command = upserting(table, connection.dialect)
        return lambda columns: connection.exec_driver_sql(command, tuple(columns))
    statement = insert(table)
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    statement = statement.on_conflict_do_update(index_elements=table.primary_key, set_=values)
    names = [c.name for c in table.columns]
    command = str(statement.compile(dialect=connection.dialect, column_keys=names))
    return lambda columns: connection.exec_driver_sql(command, list(zip(*columns, strict=True)))


def _reader(
    value: _Value, column: Column[Any], dialect: Dialect
) -> Callable[[Sequence[object]], Iterator[object]]:
    """What takes one column out of many records, as the driver wants it."""
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return lambda records: map(value, records)
    return lambda records: map(convert, map(value, records))
