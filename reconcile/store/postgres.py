"""A state in a schema of a PostgreSQL database: all that only PostgreSQL understands.

Owns the session's settings, the run lock, and the translation of the server's failures into words.
Must never take or show a password: libpq finds it in PGPASSWORD, PGPASSFILE or ~/.pgpass.

Nothing is left to how the server or the role is set up: each commit is flushed to the disk before
it returns (`synchronous_commit`), times are UTC, names are looked up in the state's schema alone,
and no session is ended for being idle. Writers exclude each other from their first statement on, as
SQLite's do: by an advisory lock of the transaction, as there may be no table yet to lock.

The run lock is an advisory lock of a session of its own. A process that dies ends its session, and
the server gives the lock up; that a machine died or was cut off it notices within a minute, by TCP
keepalives. So the holder asks the server before each delete: a session that was lost has no lock.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select, text

from reconcile.errors import ConfigError, StateError
from reconcile.store import files, tables
from reconcile.store.database import Database, busy, refusals

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import ForeignKey, Table
    from sqlalchemy.engine import Dialect, ExceptionContext

    from reconcile.errors import LockBusy

BUSY_SECONDS: Final = 5
"""How long a transaction waits for another's."""

_SESSION: Final = {
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",  # a write sees all that it waited for
    "default_transaction_read_only": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "lock_timeout": f"{BUSY_SECONDS}s",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "client_min_messages": "error",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""What holds in each of our sessions, whatever the server and the role are set to."""

_LIBPQ: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",  # milliseconds, for an answer that never comes
}
"""What holds on our side of the connection, unless the URL says otherwise."""

_KNOWN: Final = frozenset(
    {
        *("host", "hostaddr", "port", "connect_timeout", "passfile", "require_auth"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding"),
        *("krbsrvname", "gssencmode", "tcp_user_timeout", "keepalives_idle"),
    }
)
"""The parameters of libpq that a URL may have, besides our own `schema`."""

_SCHEMA: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
_DOCS: Final = "docs/postgresql.md"

_BUSY: Final = frozenset({"55P03", "40001", "40P01", "57014"})
"""lock_not_available, serialization_failure, deadlock_detected, query_canceled"""
_GONE: Final = frozenset({"42P01", "42703", "3F000"})
"""undefined_table, undefined_column, invalid_schema_name: somebody took it away."""
_READ_ONLY: Final = "25006"
_FORBIDDEN: Final = "42501"
_BUGS: Final = ("0A", "21", "22", "23", "26", "42")
"""The classes of SQLSTATE that a wrong program causes, not a wrong server."""
_LOST: Final = ("08", "57P")
_DISK: Final = ("53100", "58")
_DAMAGED: Final = "XX"


def of_url(url: URL, base: Path) -> PostgresSchema:
    """The schema that a URL names: `public`, unless it has a query key `schema`.

    Raises ConfigError, in which the URL is not repeated: it may hold a password.
    """
    query = dict(url.query)
    schema = str(query.pop("schema", "public"))
    if fault := _fault(url, query, schema):
        raise ConfigError(
            f"The state's PostgreSQL database can't be used: state.url {fault}.",
            hint=f'write it as "postgresql+psycopg://user@host/database", without a password: '
            f"{_DOCS}",
        )
    named = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    given = {key: value for key, value in (named | query).items() if value is not None}
    shown = URL.create(
        "postgresql",
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query={} if schema == "public" else {"schema": schema},
    )
    return PostgresSchema(given, schema, base=base, name=shown.render_as_string())


def _fault(url: URL, query: Mapping[str, object], schema: str) -> str:
    if url.password is not None or any("password" in key.lower() for key in query):
        return "must hold no password: libpq takes it from PGPASSWORD, PGPASSFILE or ~/.pgpass"
    if not url.database:
        return "names no database"
    if unknown := sorted(query.keys() - _KNOWN):
        return f"has a setting that is not known here: {unknown[0]}"
    if not all(isinstance(value, str) for value in query.values()):
        return "has a setting twice"
    if not _SCHEMA.fullmatch(schema):
        return "must name the schema with small letters, digits and _, not beginning with pg_"
    return ""


class PostgresSchema(Database):
    """A state in one schema, which is all its own."""

    failure = psycopg.Error
    another = "give it a schema of its own: add ?schema=reconcile to state.url"

    def __init__(
        self, address: Mapping[str, object], schema: str, *, base: Path, name: str
    ) -> None:
        host = str(address.get("host", "local")).strip("/")
        plain = re.sub(r"[^\w.]+", "-", f"{host}-{address['dbname']}-{schema}")
        super().__init__(name, mark=base / "state" / f"{plain}.serial")
        self.schema = schema
        self._engines: dict[bool, Engine] = {}
        self._base = base
        settings = _SESSION | {"search_path": schema}
        self._address: dict[str, Any] = {
            **_LIBPQ,
            **address,
            "application_name": "reconcile",
            "client_encoding": "UTF8",
            "options": " ".join(f"-c {key}={_escaped(value)}" for key, value in settings.items()),
        }

    def _key(self, purpose: str) -> int:
        """The number of an advisory lock; the server keeps those of each database apart."""
        digest = hashlib.sha256(f"reconcile {purpose} {self.schema}".encode()).digest()
        return int.from_bytes(digest[:8], signed=True)

    # ------------------------------------------------------------------------ opening

    def _session(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(**self._address)
        except psycopg.OperationalError as error:
            raise self._unreachable(error) from error

    def _reading_session(self) -> psycopg.Connection[Any]:
        session = self._session()
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        return session

    def engine(self, *, writing: bool, upgrading: bool = False) -> Engine:  # noqa: ARG002 - a change of the schema needs nothing here
        """See Database: one for reading and one for writing, as a session takes time to begin."""
        if writing not in self._engines:
            self._engines[writing] = self._engine(writing=writing)
        return self._engines[writing]

    def _engine(self, *, writing: bool) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._session if writing else self._reading_session,
            hide_parameters=True,
            paramstyle="format",
            use_native_hstore=False,
        )
        event.listen(engine, "handle_error", _without_values)
        if writing:
            alone = f"SELECT pg_advisory_xact_lock({self._key('write')})"

            @event.listens_for(engine, "begin")
            def _begin(connection: Connection) -> None:
                connection.exec_driver_sql(alone)

        return engine

    @contextmanager
    def transaction(self, *, writing: bool, upgrading: bool = False) -> Iterator[Connection]:
        """See Database; its session is kept until `close`."""
        with self.engine(writing=writing, upgrading=upgrading).begin() as connection:
            yield connection

    def close(self) -> None:
        """See Database."""
        while self._engines:
            self._engines.popitem()[1].dispose()

    def take_lock(self, holder: Mapping[str, object]) -> LockedSession:
        """See Database."""
        with self.explained(), ExitStack() as undone:
            session = undone.enter_context(closing(self._session()))
            session.autocommit = True
            locked = LockedSession(session, self._key("run"), holder)
            if (found := locked.take()) is not None:
                raise self._busy(*found)
            undone.pop_all()
        return locked

    def _busy(self, backend: int, said: str) -> LockBusy:
        look = f"in psql, TABLE pg_stat_activity; it is the one with the pid {backend}"
        signature = re.match(r"/\* (.*?) \*/", said)
        return busy(f"the lock of {self}", signature[1] if signature else "", look=look)

    # ------------------------------------------------------------------------ gates

    def make(self) -> None:
        """See Database."""
        with closing(self._session()) as session, session.transaction():
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")

    def look(self, connection: Connection) -> None:
        """See Database."""
        self._is_there(connection)
        self._is_reliable(connection)
        self._is_private(connection)

    def _is_there(self, connection: Connection) -> None:
        # Also if a pooler has dropped what we asked the session to be.
        if connection.scalar(text("SELECT current_schema()")) != self.schema:
            raise StateError(
                f"{self} does not exist: there is no schema {self.schema} that this role may use.",
                hint=f"{files.UPGRADE} creates an empty one; nothing can be deleted until claims "
                "are made again. If the state was lost, restore the database instead",
                code="state_missing",
            )

    def _is_reliable(self, connection: Connection) -> None:
        """Pass a server that can be written, in UTF-8."""
        if connection.scalar(text("SELECT pg_is_in_recovery()")):
            raise self._read_only()
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StateError(
                f"{self} is encoded in {encoding}, which can't hold every name.",
                hint=f"create a database with ENCODING 'UTF8': {_DOCS}",
                code="state_encoding",
            )

    def _is_private(self, connection: Connection) -> None:
        """Pass tables that this role can write and not everybody can read, if there are any.

        They hold personal data, and whoever can write claims can have contacts deleted.
        """
        if table := connection.scalar(_OPEN_TO_ALL):
            raise StateError(
                f"{self}: the table {table} is open to every role; it holds personal data.",
                hint=f"in psql: REVOKE ALL ON ALL TABLES IN SCHEMA {self.schema} FROM PUBLIC",
                code="state_permission",
            )
        if table := connection.scalar(_CLOSED_TO_US):
            raise self._forbidden(f"the table {table} is another role's")

    def faults(self, connection: Connection) -> Iterator[StateError]:
        """See Database."""
        yield from refusals(
            lambda: self._is_reliable(connection),
            lambda: self._is_private(connection),
            lambda: self._is_closed(connection),
            lambda: self._is_durable(connection),
        )

    def _is_closed(self, connection: Connection) -> None:
        if connection.scalar(_ANYBODY_CREATES):
            raise StateError(
                f"every role can make tables in the schema {self.schema}.",
                hint=f"in psql: REVOKE CREATE ON SCHEMA {self.schema} FROM PUBLIC",
                code="state_permission",
            )

    def _is_durable(self, connection: Connection) -> None:
        if off := connection.scalar(_NOT_DURABLE):
            raise StateError(
                f"the server runs with {off} = off: a power cut may destroy the state.",
                hint=f"set {off} = on in postgresql.conf and reload the server",
                code="state_disk",
            )

    def owner(self) -> os.stat_result:
        """See Database: to whom the configuration's folder belongs."""
        return self._base.stat()

    # ------------------------------------------------------------------------ in a transaction

    def integrity(self, connection: Connection, *, thorough: bool) -> tuple[str, ...]:
        """See Database: whether what keeps the rows right is there; `thorough` reads all of them.

        A state of another schema revision is not looked at: what it must have is not known here.
        """
        found = text("SELECT to_regclass('alembic_version') IS NOT NULL")
        if not connection.scalar(found):
            return ()
        revision = connection.scalar(select(tables.alembic_version.c.version_num))
        if revision != tables.REVISION:
            return ()
        missing = tuple(_missing(connection))
        if thorough and not missing:
            for table in tables.metadata.sorted_tables:
                # The server looks at every page and every value, and says so if one is broken.
                connection.exec_driver_sql(f"SELECT max(length(r::text)) FROM {table.name} r")  # noqa: S608 - our tables
        return missing

    def dangling(self, connection: Connection) -> tuple[str, ...]:
        """See Database; only a superuser could have made one. An older state has fewer tables."""
        there = (t for t in tables.metadata.sorted_tables if connection.scalar(_is_there(t)))
        return tuple(
            f"{key.parent.table.name} {row} → {key.column.table.name}"
            for table in there
            for key in table.foreign_keys
            for row in connection.scalars(_without_parent(key))
        )

    def journal(self, connection: Connection) -> str:
        """See Database."""
        return f"wal, fsync {connection.scalar(text('SHOW fsync'))}"

    def last_number(self, connection: Connection, table: Table) -> int:
        """See Database."""
        last = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id')::regclass)")
        return connection.scalar(last, {"name": table.name}) or 0

    def number_after(self, connection: Connection, table: Table, last: int) -> None:
        """See Database; such a table has a sequence."""
        if last > self.last_number(connection, table):
            raise_it = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
            connection.execute(raise_it, {"name": table.name, "last": last})

    # ------------------------------------------------------------------------ whole

    def copy_file(self, connection: Connection, target: Path) -> None:
        """See Database: row by row."""
        from reconcile.store import copying

        copying.into_file(self, connection, target)

    def erase(self, engine: Engine) -> None:  # noqa: ARG002 - this can't be done in its transactions
        """See Database: write the tables anew; the old files are given back to the disk."""
        names = ", ".join(table.name for table in tables.metadata.sorted_tables)
        with closing(self._session()) as session:
            session.autocommit = True
            session.execute(f"VACUUM (FULL, ANALYZE) {names}")

    # ------------------------------------------------------------------------ failures

    def in_words(self, cause: BaseException) -> StateError | None:
        """See Database."""
        code = getattr(cause, "sqlstate", None) or ""
        said = _said(cause)
        kinds: tuple[tuple[bool, Callable[[str], StateError]], ...] = (
            (code in _BUSY, self._in_use),
            (code == _READ_ONLY, lambda _: self._read_only()),
            (code == _FORBIDDEN, self._forbidden),
            (code.startswith(_DISK), lambda said: files.no_room(f"{self}, on its server,", said)),
            (code.startswith(_DAMAGED), self.damaged),
            (_is_lost(cause, code), self._lost),
            # The one thing that the driver itself refuses:
            (isinstance(cause, psycopg.DataError) and not code, lambda _: self.unfit("\0")),
            (code in _GONE or bool(code and not code.startswith(_BUGS)), self._unusable),
        )
        return next((words(said) for fits, words in kinds if fits), None)

    def _in_use(self, said: str) -> StateError:
        return StateError(
            f"{self} is in use, for more than {BUSY_SECONDS} seconds: {said}.",
            hint="see what else works in the database (pg_stat_activity), then run again",
            code="state_busy",
        )

    def _unusable(self, said: str) -> StateError:
        return StateError(
            f"{self} could not be used: {said}.",
            hint="see the server's log, then: reconcile db check",
        )

    def damaged(self, detail: str) -> StateError:
        """The error for a state whose database is not sound."""
        return StateError(
            f"{self} is damaged: {detail}.",
            hint=f"restore the database, or copy a backup into an empty one: {_DOCS}",
            code="state_corrupt",
        )

    def _lost(self, said: str) -> StateError:
        return StateError(
            f"The connection to {self} was lost: {said}. "
            "What was being written may be in it or not; the next run looks first.",
            hint="see that the server runs and can be reached, then run again",
            code="state_lost",
        )

    def _unreachable(self, error: psycopg.OperationalError) -> StateError:
        said, login = _said(error), error.pgconn
        if re.search(r'database ".*" does not exist', said):
            hint = f"create it, as a superuser: createdb --owner … --encoding UTF8 …; {_DOCS}"
            return StateError(f"{self} does not exist: {said}.", hint=hint, code="state_missing")
        if login is not None and (login.needs_password or login.used_password):
            hint = "put the password into ~/.pgpass (chmod 600), or name that file in PGPASSFILE"
            return StateError(f"{self} refused the login: {said}.", hint=hint, code="state_login")
        hint = f"see that the server runs, and that role and host are those of state.url: {_DOCS}"
        return StateError(f"{self} can't be reached: {said}.", hint=hint, code="state_unreachable")

    def _read_only(self) -> StateError:
        return StateError(
            f"{self} is a standby, which can't be written.",
            hint="name the primary server in state.url",
            code="state_permission",
        )

    def _forbidden(self, said: str) -> StateError:
        return StateError(
            f"{self} can't be used by this role: {said}.",
            hint=f"use the role that owns the schema {self.schema}: {_DOCS}",
            code="state_permission",
        )


# ---------------------------------------------------------------------------- the run lock


class LockedSession:
    """A session that holds the run lock; it signs its statements for whoever asks.

    The server shows the last one to the same role and to superusers.
    """

    def __init__(
        self, session: psycopg.Connection[Any], key: int, holder: Mapping[str, object]
    ) -> None:
        self._session = session
        self._key = key
        self._backend = session.info.backend_pid
        # A comment ends with */, and in JSON / may be written as \/.
        signature = json.dumps(dict(holder)).replace("/", r"\/")
        self._signature = f"/* {signature} */"

    def take(self) -> tuple[int, str] | None:
        """Take it: None; or who has it, by the number of its backend and its last statement."""
        if self._ask(f"SELECT pg_try_advisory_lock({self._key})") == (True,):
            return None
        return self._ask(f"{_HOLDER} AND {_lock(self._key)}") or (0, "")

    def close(self) -> None:
        """Release it in so many words: the server notices the end of a session a moment later."""
        with suppress(psycopg.Error):
            self._ask(f"SELECT pg_advisory_unlock({self._key})")
        self._session.close()

    def is_held(self) -> bool:
        """Whether the server says, in this very session, that the session has the lock."""
        held = f"{_HOLDER} AND {_lock(self._key)} AND pid = pg_backend_pid()"
        try:
            found = self._ask(held)
        except psycopg.Error:
            return False
        return found is not None and found[0] == self._backend

    def _ask(self, statement: str) -> tuple[Any, ...] | None:
        return self._session.execute(f"{self._signature} {statement}").fetchone()


_HOLDER: Final = (
    "SELECT pid, coalesce(query, '') FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _lock(key: int) -> str:
    """How pg_locks shows an advisory lock with a key of 64 bits."""
    high, low = divmod(key % 2**64, 2**32)
    return f"classid = {high}::oid AND objid = {low}::oid AND objsubid = 1"


# ---------------------------------------------------------------------------- the catalogue

_TABLES: Final = (
    " FROM pg_class t WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace"
)
_OPEN_TO_ALL: Final = text(
    f"SELECT relname{_TABLES}"  # noqa: S608 - both parts stand here
    " AND EXISTS (SELECT FROM aclexplode(t.relacl) WHERE grantee = 0) ORDER BY relname"
)
_CLOSED_TO_US: Final = text(
    f"SELECT relname{_TABLES} AND NOT (has_table_privilege(t.oid, 'SELECT')"
    " AND has_table_privilege(t.oid, 'INSERT') AND has_table_privilege(t.oid, 'UPDATE')"
    " AND has_table_privilege(t.oid, 'DELETE')) ORDER BY relname"
)
_ANYBODY_CREATES: Final = text(
    "SELECT 1 FROM pg_namespace, aclexplode(nspacl) WHERE nspname = current_schema()"
    " AND grantee = 0 AND privilege_type = 'CREATE'"
)
_NOT_DURABLE: Final = text(
    "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'"
)
_RULES: Final = text(
    "SELECT conname FROM pg_constraint"
    " WHERE connamespace = current_schema()::regnamespace AND convalidated"
)
_COLUMNS: Final = text(
    "SELECT relname || '.' || attname FROM pg_attribute JOIN pg_class t ON t.oid = attrelid"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    " AND attnum > 0 AND NOT attisdropped"
)


def _missing(connection: Connection) -> Iterator[str]:
    """Columns and constraints that the tables of this version have and the schema has not."""
    name = connection.dialect.identifier_preparer.format_constraint
    metadata = tables.metadata.sorted_tables
    columns = {f"{table.name}.{column.name}" for table in metadata for column in table.columns}
    rules = {str(name(rule)) for table in metadata for rule in table.constraints}
    for wanted, there in ((columns, _COLUMNS), (rules, _RULES)):
        for lacking in sorted(wanted - set(connection.scalars(there))):
            yield f"{lacking} is missing"


def _is_there(table: Table) -> Any:  # noqa: ANN401 - a statement
    return select(func.to_regclass(table.name).is_not(None))


def _without_parent(key: ForeignKey) -> Any:  # noqa: ANN401 - a statement
    child, parent = key.parent.table, key.column.table.alias()
    there = select(parent.c[key.column.name]).where(parent.c[key.column.name] == key.parent)
    return select(next(iter(child.primary_key))).where(key.parent.is_not(None), ~there.exists())


def _escaped(value: str) -> str:
    return value.replace(" ", r"\ ")


# ---------------------------------------------------------------------------- many rows at once


def rows(
    table: Table, dialect: Dialect, columns: list[list[object]]
) -> tuple[str, tuple[object, ...]]:
    """Rows for one INSERT, from one array for each column; and the arrays.

    A row at a time takes half as long again. Of rows with the same key the last one counts: the
    server refuses to replace a row twice.
    """
    quote = dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in table.columns)
    key = ", ".join(quote(c.name) for c in table.primary_key)
    arrays = ", ".join(f"%s::{c.type.compile(dialect=dialect)}[]" for c in table.columns)
    return (
        f"SELECT DISTINCT ON ({key}) {names}"  # noqa: S608 - names and types of our tables
        f" FROM unnest({arrays}) WITH ORDINALITY AS r ({names}, nth) ORDER BY {key}, nth DESC"
    ), tuple(columns)


# ---------------------------------------------------------------------------- what the server says


def _without_values(context: ExceptionContext) -> None:
    """Leave out what the server adds to its message: it quotes rows there, with names in them."""
    cause, shown = context.original_exception, context.sqlalchemy_exception
    if isinstance(cause, psycopg.Error) and shown is not None:
        cause.args = (_said(cause),)
        shown.args = (f"({type(cause).__name__}) {_said(cause)}",)


def _said(cause: BaseException) -> str:
    """The message alone, in one line."""
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return " ".join((primary or str(cause)).split()).rstrip(".")


def _is_lost(cause: BaseException, code: str) -> bool:
    return code.startswith(_LOST) or (isinstance(cause, psycopg.OperationalError) and not code)
