"""Which database a URL names, and rows written at its driver's own speed."""

from __future__ import annotations

from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from reconcile.errors import ConfigError, MissingExtra
from reconcile.model import Claims
from reconcile.store import sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from sqlalchemy import Column, Connection, Table
    from sqlalchemy.engine import Dialect

    from reconcile.store.database import Database

    _Value = Callable[[Any], Any]
    """What takes a value out of a record, or converts one."""
    _Written = Callable[[Table, Dialect, list[list[object]]], tuple[str, tuple[object, ...]]]
    """What puts rows, which come as columns, into a statement: its words, and their values."""

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
    return sqlite.SqliteFile(base / database)


def upsert(connection: Connection, table: Table, records: Iterable[object]) -> None:
    """Insert records, or replace those with the same primary key, at the driver's own speed.

    A record has an attribute for each column; `Claims` are rows already. SQLAlchemy converts the
    values; going row by row through its `execute` would take eight times as long.
    """
    value: Callable[[str], _Value] = attrgetter
    if isinstance(records, Claims):
        value, records = Claims.value, records.rows
    readers = [_reader(value(c.name), c, connection.dialect) for c in table.columns]
    dialect = connection.dialect
    written, at_once = _written(table, dialect)
    insert, replace = _around(table, dialect)
    remaining = iter(records)
    while batch := list(islice(remaining, at_once)):
        rows, values = written(table, dialect, [read(batch) for read in readers])
        connection.exec_driver_sql(f"{insert} {rows} {replace}", values)


def _written(table: Table, dialect: Dialect) -> tuple[_Written, int]:
    """And how many rows a statement takes."""
    if dialect.name == "postgresql":
        from reconcile.store import postgres

        return postgres.rows, BATCH
    return sqlite.rows, sqlite.VARIABLES // len(table.columns)


def _around(table: Table, dialect: Dialect) -> tuple[str, str]:
    """What stands before the rows, and what happens to those whose primary key is there."""
    quote = dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in table.columns)
    key = ", ".join(quote(c.name) for c in table.primary_key)
    others = [quote(c.name) for c in table.columns if not c.primary_key]
    new = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"INSERT INTO {quote(table.name)} ({names})",
        f"ON CONFLICT ({key}) DO UPDATE SET {new}",
    )


def _reader(
    value: _Value, column: Column[Any], dialect: Dialect
) -> Callable[[Sequence[object]], list[object]]:
    """What takes one column out of many records, as the driver wants it."""
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return lambda records: list(map(value, records))
    return lambda records: _converted(convert, list(map(value, records)))


def _converted(convert: _Value, values: list[object]) -> list[object]:
    """Each value converted; equal ones once."""
    known = {each: convert(each) for each in set(values)}
    return list(map(known.__getitem__, values))
