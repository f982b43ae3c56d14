"""How the file is opened, and how its failures read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinds import SQLITE
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.schema import CreateIndex, CreateTable

from reconcile.errors import ConfigError, StateError
from reconcile.store import engine, files, sqlite, tables


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///state/reconcile.db",
        "sqlite+pysqlite:///state/reconcile.db",
        "sqlite:///./state/../state/reconcile.db",
    ],
)
def test_a_relative_url_is_seen_from_the_folder_of_the_config(url: str, tmp_path: Path) -> None:
    assert str(engine.located(url, base=tmp_path)) == str(tmp_path / "state" / "reconcile.db")


def test_an_absolute_url_names_its_file_wherever_the_config_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/there.db"
    assert str(engine.located(url, base=Path("/elsewhere"))) == str(tmp_path / "there.db")


def test_two_names_of_one_file_are_one_state(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    names = [str(engine.located(f"sqlite:///{n}/x.db", base=tmp_path)) for n in ("real", "link")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:x.db",
        "sqlite:///x.db?mode=memory",
        "sqlite://host/x.db",
        "sqlite+pysqlcipher:///x.db",
        "mysql://user@host/db",
        "postgresql://user@host:port/db",
        "postgresql+asyncpg://user@host/db",
    ],
)
def test_a_url_that_names_no_state_is_a_config_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="must be an SQLite file or a PostgreSQL database"
    ) as refused:
        engine.located(url, base=tmp_path)
    assert "state.url" in refused.value.hint


@SQLITE
def test_the_writing_engine_is_durable_and_the_reading_one_can_not_write(state) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
    with state.database.transaction(writing=True) as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert found == ["wal", 2, 1, 1, 5000]
    with (
        pytest.raises(OperationalError, match="readonly"),
        state.database.transaction(writing=False) as connection,
    ):
        connection.execute(text("DELETE FROM state"))


@SQLITE
def test_a_write_takes_the_lock_when_it_begins_and_a_read_takes_none(state) -> None:
    with (
        closing(sqlite3.connect(state.path, timeout=0)) as other,
        state.database.transaction(writing=False),
    ):
        other.execute("BEGIN IMMEDIATE")
        other.rollback()
    with (
        closing(sqlite3.connect(state.path, timeout=0)) as other,
        state.database.transaction(writing=True),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_ddl_is_rolled_back_with_its_transaction(state) -> None:
    before = state.shape()
    with state.database.transaction(writing=True) as connection:
        connection.execute(text("CREATE TABLE half (a INTEGER)"))
        connection.rollback()
    assert state.shape() == before


def test_a_connection_never_creates_a_file(tmp_path: Path) -> None:
    path = tmp_path / "gone.db"
    with (
        pytest.raises(StateError, match="unable to open"),
        sqlite.SqliteFile(path).explained(),
        sqlite.SqliteFile(path).transaction(writing=True),
    ):
        pass
    assert not path.exists()


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(b"noise" * 1000)
    with (
        pytest.raises(StateError, match="file is not a database") as refused,
        sqlite.SqliteFile(path).explained(),
        sqlite.SqliteFile(path).transaction(writing=True),
    ):
        pass
    assert refused.value.code == "state_corrupt"
    assert path.read_bytes() == b"noise" * 1000


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a b%20#c?d=e&f:g" / "ä.db"
    files.make_folder(path)
    files.make_file(path)
    with sqlite.SqliteFile(path).transaction(writing=True) as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    assert {file.name for file in path.parent.iterdir()} == {"ä.db"}


@SQLITE
def test_a_busy_file_is_named_as_busy(state) -> None:
    with (
        closing(sqlite3.connect(state.path, timeout=0, isolation_level=None)) as one,
        closing(sqlite3.connect(state.path, timeout=0, isolation_level=None)) as other,
    ):
        one.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(StateError, match="in use by another program") as refused,
            state.database.explained(),
        ):
            other.execute("BEGIN IMMEDIATE")
    assert refused.value.code == "state_busy"


@SQLITE
def test_a_failure_of_any_other_kind_names_the_file_and_what_sqlite_says(state) -> None:
    with (
        pytest.raises(StateError, match=r"reconcile\.db could not be used: no such table: nil"),
        state.database.explained(),
        state.database.transaction(writing=False) as connection,
    ):
        connection.execute(text("SELECT * FROM nil"))


def test_a_wrong_program_is_a_bug_and_keeps_its_traceback(state) -> None:
    row = {"contact_id": 1, "crm_id": None, "name": "", "fingerprint": "", "origin": "match"}
    row |= {"claimed_by": "", "first_absent": state.now, "absent_exports": 0}
    with (
        pytest.raises(IntegrityError),
        state.database.explained(),
        state.database.transaction(writing=True) as connection,
    ):
        connection.execute(insert(tables.claim).values(row))


@SQLITE
def test_a_connection_that_was_closed_is_a_bug(state) -> None:
    closed = sqlite3.connect(state.path)
    closed.close()
    with pytest.raises(sqlite3.ProgrammingError), state.database.explained():
        closed.execute("SELECT 1")


def test_an_error_of_the_database_never_quotes_the_values(state) -> None:
    with (
        pytest.raises(IntegrityError) as bug,
        state.database.transaction(writing=True) as connection,
    ):
        connection.execute(insert(tables.state).values(id="x", pbx_url="private name"))
    assert "private name" not in str(bug.value)


@SQLITE
def test_a_statement_has_no_more_values_than_every_sqlite_takes(state) -> None:
    column = tables.claim.c
    with state.database.transaction(writing=True) as connection:
        driver = connection.connection.dbapi_connection
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # as before 3.32
        engine.upsert(connection, tables.claim, [state.claim(n) for n in range(300)])
        engine.upsert(connection, tables.claim, [state.claim(n, name="Ann") for n in (299, 300)])
        rows = connection.execute(select(column.contact_id, column.name))
        found = {row.contact_id: row.name for row in rows}
    assert list(found) == list(range(301))
    assert (found[299], found[298] == "Ann") == ("Ann", False)


def test_a_time_without_a_zone_is_refused(state) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is refused
    with (
        pytest.raises(StatementError, match="without a time zone"),
        state.database.transaction(writing=True) as connection,
    ):
        connection.execute(insert(tables.state).values(id="x", pbx_url="", created_at=naive))


def test_a_time_comes_back_aware_and_in_utc(state) -> None:
    summer = datetime(2026, 7, 1, 4, 0, tzinfo=timezone(timedelta(hours=2)))
    with state.database.transaction(writing=True) as connection:
        connection.execute(insert(tables.state).values(id="x", pbx_url="", created_at=summer))
        statement = select(tables.state.c.created_at).where(tables.state.c.id == "x")
        found = connection.scalar(statement)
    assert (found, found.tzinfo) == (summer, UTC)


def test_an_aware_time_from_another_database_is_turned_to_utc() -> None:
    summer = datetime(2026, 7, 1, 4, 0, tzinfo=timezone(timedelta(hours=2)))
    found = tables.Moment().process_result_value(summer, postgresql.dialect())
    assert (found, found.tzinfo) == (summer, UTC)


@given(st.text(st.characters(), max_size=30))
def test_prose_is_stored_as_it_is_except_what_no_database_takes(words: str) -> None:
    stored = tables.Prose().process_bind_param(words, postgresql.dialect())
    assert len(stored) == len(words)
    for was, is_ in zip(words, stored, strict=True):
        assert is_ == (was if was != "\0" and not "\ud800" <= was <= "\udfff" else "?")


def test_postgresql_can_run_the_same_tables() -> None:
    dialect = postgresql.dialect()
    for table in tables.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (("PRAGMA", "import sqlite3", "sqlite_sequence"), "sqlite.py"),
        (("import psycopg", "pg_"), "postgres.py"),
    ],
)
def test_what_only_one_database_understands_stands_in_its_module_alone(words, module) -> None:
    folder = Path(engine.__file__).parent
    others = [file for file in folder.glob("*.py") if file.name != module]
    assert len(others) > 5
    for file in others:
        source = file.read_text(encoding="utf-8")
        assert not {word for word in words if word in source}, file
