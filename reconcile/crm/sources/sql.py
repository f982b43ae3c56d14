"""An export straight from a CRM's database: one SELECT → the CSV text that it would export.

Reads in a transaction that can't write where the database knows such, and rolls it back. Must
never repeat a password, an address with one, or a value of a row in what it says.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc

from reconcile.crm.problems import rejected
from reconcile.crm.sources.original import (
    SIZE_LIMIT,
    Original,
    missing,
    too_large,
    unreachable,
)
from reconcile.errors import ConfigError, MissingExtra, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconcile.crm.sources.place import Place
    from reconcile.errors import ExportRejected

_EXTRAS: Final = {"pymysql": "mysql", "psycopg": "postgres"}
_DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
"""The drivers of our extras, for an address that names none."""
_PATIENCE: Final = 10
"""The query may take this many timeouts as a whole."""
_BATCH: Final = 100
_DOCTOR: Final = "then: reconcile doctor"


def fetch(place: Place, *, now: datetime) -> tuple[Original, ...]:
    """What the query gives at this moment, as RFC 4180 text with its columns' names above.

    The rows are sorted, so that the same data are the same export. Raises ExportRejected
    (`export_unreachable`, `export_malformed`, …), MissingExtra for a driver that is not installed,
    and ConfigError for an address that names no database.
    """
    engine = _engine(place)
    try:
        with _connected(engine) as connection:
            _only_read(connection)
            content = _queried(connection, place.sql)
            connection.rollback()
    except exc.SQLAlchemyError as error:
        raise _failure(error, place) from None
    finally:
        engine.dispose()
    original = Original(name=place.name, origin=place.origin, content=content, modified_at=now)
    return (original,)


def _queried(connection: sa.Connection, statement: str) -> bytes:
    # As it stands: neither a colon nor a percent sign is a parameter here.
    options = {"no_parameters": True, "stream_results": True, "max_row_buffer": _BATCH}
    result = connection.execution_options(**options).exec_driver_sql(statement)
    header = list(result.keys())
    return _text(header, sorted(_rows(header, result))).encode()


def _rows(header: Sequence[str], result: sa.CursorResult[Any]) -> Iterator[tuple[str, ...]]:
    size = 0
    for number, row in enumerate(_batched(result), start=1):
        cells = tuple(
            _cell(value, number=number, column=column)
            for value, column in zip(row, header, strict=True)
        )
        size += sum(map(len, cells))
        if size > SIZE_LIMIT:
            raise too_large()
        yield cells


def _batched(result: sa.CursorResult[Any]) -> Iterator[Sequence[Any]]:
    while batch := result.fetchmany(_BATCH):
        yield from batch


def _text(header: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    # Quoted throughout: a cell full of semicolons must not be taken for the delimiter.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _cell(value: object, *, number: int, column: str) -> str:
    """A value as an export would write it."""
    if isinstance(value, (bytes, memoryview)):
        return _decoded(bytes(value), number=number, column=column)
    for kind, write in _WRITTEN:
        if isinstance(value, kind):
            return write(value)
    kind_of_it = type(value).__name__
    raise _malformed(f"is a {kind_of_it}: make it a text in crm.sql", number, column)


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


_WRITTEN: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (NoneType, lambda _: ""),
    (str, str),
    (bool, lambda value: "true" if value else "false"),
    (int, str),
    (Decimal, lambda value: format(value, "f")),
    (float, _plain),
    (UUID, str),
    (datetime, datetime.isoformat),
    (date, date.isoformat),
    (time, time.isoformat),
    (list, _json),
    (dict, _json),
)
"""How a value of a type is written; a bool is an int, and a datetime a date, so order counts."""


def _decoded(value: bytes, *, number: int, column: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _malformed("is no UTF-8 text: convert it in crm.sql", number, column) from None


def _malformed(what: str, number: int, column: str) -> ExportRejected:
    message = f"row {number:,} of the query, column {column!r}, {what}"
    return rejected("export_malformed", message, hint=f"change crm.sql, {_DOCTOR}")


# ---------------------------------------------------------------------------- connecting


def _engine(place: Place) -> sa.Engine:
    try:
        url = sa.make_url(place.url)
    except (exc.ArgumentError, ValueError):
        raise _no_database("is no address of a database") from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if place.secret:
        url = url.set(password=place.secret)
    if url.get_backend_name() == "sqlite":
        return _sqlite(place, url)
    try:
        return sa.create_engine(url, connect_args=_patience(url, place.timeout))
    except ModuleNotFoundError as error:
        raise _not_installed(error.name or url.drivername) from None
    except exc.NoSuchModuleError:
        raise _not_installed(url.drivername) from None


def _connected(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except TypeError:
        raise _no_database("has settings that its driver does not know") from None


def _sqlite(place: Place, url: sa.URL) -> sa.Engine:
    """A file that is there, opened so that it can't be written to nor made."""
    import sqlite3

    path = place.base / Path(url.database or "")
    if not path.is_file():
        raise missing("there is no such database file")
    address = f"file:{quote(str(path))}?mode=ro"
    return sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, timeout=place.timeout),
        poolclass=sa.NullPool,
    )


def _patience(url: sa.URL, timeout: float) -> dict[str, object]:
    """What makes a driver give up; drivers that are not ours keep their own."""
    wait, whole = max(1, round(timeout)), max(1, round(timeout * _PATIENCE))
    if url.drivername.endswith("+pymysql"):
        return {"connect_timeout": wait, "read_timeout": whole, "charset": "utf8mb4"}
    if url.drivername.endswith("+psycopg"):
        return {"connect_timeout": wait, "options": f"-c statement_timeout={whole}s"}
    return {}


def _only_read(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
    elif connection.dialect.name in {"mysql", "mariadb"}:
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")


def _not_installed(name: str) -> MissingExtra | ConfigError:
    extra = _EXTRAS.get(name.partition(".")[0])
    if extra:
        return MissingExtra("Reading the export from this database", extra)
    return _no_database(f"needs the driver {name!r}, which is not installed")


def _no_database(what: str) -> ConfigError:
    return ConfigError(
        "The CRM's database can't be opened.",
        problems=[Problem(code="config", column="crm.url", message=what)],
        hint="write it as driver://user@host/database, without a password: docs/sources.md",
    )


# ---------------------------------------------------------------------------- refusals


def _failure(error: exc.SQLAlchemyError, place: Place) -> ExportRejected:
    """The database's own words where they can't hold a value of a row; its code otherwise."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else None
    told = isinstance(error, (exc.OperationalError, exc.ProgrammingError, exc.InterfaceError))
    words = _words(cause) if told and cause is not None else type(cause or error).__name__
    if place.secret:
        words = words.replace(place.secret, "(hidden)")
    return unreachable(
        f"{place.origin} says: {words}",
        hint="check crm.url, crm.sql, the secret, and that this login may read the tables,"
        f" {_DOCTOR}",
    )


def _words(cause: BaseException) -> str:
    """The last argument, as PyMySQL puts a number before its words; the first line only."""
    said = str(cause.args[-1] if cause.args else cause).strip().splitlines()
    return said[0][:300] if said else type(cause).__name__
