"""Exports by SQL: real SQLite files, a real MariaDB, a real PostgreSQL."""

from __future__ import annotations

import csv
import io
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest
from databases import PASSWORD, mariadb, postgresql

from reconcile import crm
from reconcile.core.statements import fault_of
from reconcile.crm.sources import Place, fetch
from reconcile.errors import ConfigError, ExportRejected, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from databases import Database


@pytest.fixture(scope="module")
def maria() -> Iterator[Database]:
    with mariadb() as made:
        yield made


@pytest.fixture(scope="module")
def postgres() -> Iterator[Database]:
    with postgresql() as made:
        yield made


def queried(database: Database, sql: str, now: datetime, *, secret: str = PASSWORD) -> list[Any]:
    """The rows that the export has, the header first."""
    place = Place(url=database.url, sql=sql, secret=secret, timeout=10)
    (original,) = fetch(place, now=now)
    return list(csv.reader(io.StringIO(original.content.decode(), newline="")))


def refused(place: Place, now: datetime) -> ExportRejected:
    with pytest.raises(ExportRejected) as caught:
        fetch(place, now=now)
    error = caught.value
    assert PASSWORD not in f"{error}{error.problems}{error.hint}{place!r}"
    return error


# ---------------------------------------------------------------------------- SQLite


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "my crm.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE people (id INTEGER, name TEXT, phone TEXT);"
            "INSERT INTO people VALUES (2, 'Mo Roe', '+49301234568'), (1, 'Jo; Doe', NULL);"
        )
    connection.close()
    return path


def test_the_same_data_are_the_same_export_in_whatever_order(book: Path, now: datetime) -> None:
    places = [
        Place(url="sqlite:///my crm.db", base=book.parent, sql=sql)
        for sql in ("SELECT * FROM people ORDER BY 1", "SELECT * FROM people ORDER BY 2 DESC")
    ]
    asked = [fetch(place, now=now)[0] for place in places]
    assert asked[0].sha256 == asked[1].sha256
    assert asked[0].content == (
        b'"id","name","phone"\r\n"1","Jo; Doe",""\r\n"2","Mo Roe","+49301234568"\r\n'
    )
    assert (asked[0].name, asked[0].origin) == ("my crm.db", "sqlite:///my crm.db")
    assert asked[0].modified_at == now


def test_a_query_is_read_as_any_export(book: Path, now: datetime) -> None:
    place = Place(url=f"sqlite:///{book}", sql="SELECT * FROM people")
    snapshot = crm.read(place, mapping={}, now=now, max_age_hours=26)
    assert snapshot.source.records == 2
    assert snapshot.source.name == "my crm.db"


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, now: datetime) -> None:
    error = refused(Place(url="sqlite:///none.db", base=tmp_path, sql="SELECT 1"), now)
    assert error.problems[0].code == "export_missing"
    assert list(tmp_path.iterdir()) == []


def test_a_database_file_is_opened_for_reading_only(book: Path, now: datetime) -> None:
    before = book.read_bytes()
    error = refused(Place(url=f"sqlite:///{book}", sql="DELETE FROM people"), now)
    assert "readonly" in error.message
    assert book.read_bytes() == before
    assert list(book.parent.iterdir()) == [book]


def test_a_cell_that_is_no_text_names_its_place(book: Path, now: datetime) -> None:
    place = Place(url=f"sqlite:///{book}", sql="SELECT 7 AS id, x'ff00' AS name")
    error = refused(place, now)
    assert error.problems[0].code == "export_malformed"
    assert "row 1 of the query, column 'name', is no UTF-8 text" in error.message


def test_a_query_without_rows_is_an_empty_export(book: Path, now: datetime) -> None:
    place = Place(url=f"sqlite:///{book}", sql="SELECT * FROM people WHERE id > 9")
    with pytest.raises(ExportRejected) as caught:
        crm.read(place, mapping={}, now=now, max_age_hours=26)
    assert caught.value.problems[0].code == "export_empty"


def test_more_than_any_contact_list_is_refused(book: Path, now: datetime) -> None:
    sql = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
        " SELECT x, hex(zeroblob(100000)) AS y FROM n"
    )
    error = refused(Place(url=f"sqlite:///{book}", sql=sql), now)
    assert error.problems[0].code == "export_too_large"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is no address of a database"),
        ("mysql://jo@h:port/d", "is no address of a database"),
        ("oracle+cx://x@h/d", "needs the driver 'oracle+cx', which is not installed"),
        ("mysql+mysqldb://x@h/d", "needs the driver 'MySQLdb', which is not installed"),
        ("mysql://x@h/d?nonsense=1", "its driver does not know"),
    ],
)
def test_an_address_of_no_database_is_a_mistake_of_the_configuration(
    url: str, words: str, now: datetime
) -> None:
    with pytest.raises(ConfigError) as caught:
        fetch(Place(url=url, sql="SELECT 1", secret=PASSWORD), now=now)
    assert words in caught.value.problems[0].message
    assert caught.value.problems[0].column == "crm.url"


@pytest.mark.parametrize(
    ("scheme", "extra"),
    [("mysql", "mysql"), ("mariadb", "mysql"), ("postgresql", "postgres")],
)
def test_a_missing_driver_of_ours_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, now: datetime, scheme: str, extra: str
) -> None:
    for driver in ("pymysql", "psycopg"):
        monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingExtra) as caught:
        fetch(Place(url=f"{scheme}://jo@h/d", sql="SELECT 1"), now=now)
    assert f"reconcile-3cx[{extra}]" in caught.value.hint


# ---------------------------------------------------------------------------- statements


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " select * from t; ",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "-- all\nSELECT 'a; DELETE FROM t' AS `update`, \"into\" /* drop */ FROM t",
        "SELECT deleted, updated_at, REPLACE(a, 'x', '') FROM t",
        r"SELECT 'it\'s', '\\' FROM t",
        "SELECT GROUP_CONCAT(a SEPARATOR ';') FROM t WHERE b = 'it''s'",
    ],
)
def test_one_reading_statement_is_allowed(sql: str) -> None:
    assert fault_of(sql) == ""


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("", "one SELECT"),
        ("DELETE FROM t", "one SELECT"),
        ("SHOW TABLES", "one SELECT"),
        ("SELECTED", "one SELECT"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT id FROM c # it's\n INTO OUTFILE '/tmp/x'", "INTO a file"),
        ("SELECT 1; DROP TABLE t", "one statement"),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "DELETE"),
        ("SELECT * INTO OUTFILE '/x' FROM t", "INTO"),
        ("SELECT * FROM t FOR UPDATE", "UPDATE"),
        ("/*!50000 DELETE */ SELECT 1", "MySQL executes"),
        ("SELECT 1 /*M! , 2 */", "MySQL executes"),
        ("SELECT '\\'; COMMIT; DELETE FROM t; --'", "one statement"),
        ("SELECT 'a\\'' ; DELETE FROM t; -- '", "one statement"),
    ],
)
def test_anything_else_is_refused(sql: str, words: str) -> None:
    assert words in fault_of(sql)


# ---------------------------------------------------------------------------- servers


def test_postgresql_values_are_written_as_an_export_would(postgres: Any, now: datetime) -> None:
    sql = (
        "SELECT NULL AS a, true AS b, 1.50::numeric AS c, 3::bigint AS d, 2.0::float8 AS e,"
        " date '2026-11-03' AS f, timestamptz '2026-11-03 02:30+00' AS g, 'Köln'::bytea AS h,"
        " array['+49 30 1', '+49 30 2'] AS i, '{\"k\": 1}'::jsonb AS j, 1e22::float8 AS k,"
        " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS l, time '09:30' AS m, '50%' AS n,"
        " 12345678901234567890::numeric AS o, 0.25::float8 AS p"
    )
    header, row = queried(postgres, sql, now)
    assert dict(zip(header, row, strict=True)) == {
        "a": "",
        "b": "true",
        "c": "1.50",
        "d": "3",
        "e": "2",
        "f": "2026-11-03",
        "g": "2026-11-03T02:30:00+00:00",
        "h": "Köln",
        "i": '["+49 30 1", "+49 30 2"]',
        "j": '{"k": 1}',
        "k": "10000000000000000000000",
        "l": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "m": "09:30:00",
        "n": "50%",
        "o": "12345678901234567890",
        "p": "0.25",
    }


def test_mariadb_values_are_written_as_an_export_would(maria: Any, now: datetime) -> None:
    sql = (
        "SELECT NULL AS a, TRUE AS b, CAST(1.5 AS DECIMAL(9,2)) AS c, DATE '2026-11-03' AS d,"
        " TIMESTAMP '2026-11-03 02:30:00' AS e, CAST('Köln ☎' AS BINARY) AS f, '100 %s :x' AS g"
    )
    header, row = queried(maria, sql, now)
    assert header == list("abcdefg")
    assert row == ["", "1", "1.50", "2026-11-03", "2026-11-03T02:30:00", "Köln ☎", "100 %s :x"]


def test_a_kind_of_value_that_no_export_has_is_refused(postgres: Any, now: datetime) -> None:
    place = Place(url=postgres.url, sql="SELECT interval '1 day' AS x", secret=PASSWORD)
    assert "column 'x', is a timedelta" in refused(place, now).message


def test_a_query_cannot_write_even_if_the_login_may(
    maria: Any, postgres: Any, now: datetime
) -> None:
    maria.run("CREATE SEQUENCE IF NOT EXISTS s")
    postgres.run("CREATE SEQUENCE s", "ALTER SEQUENCE s OWNER TO reader")
    for database in (maria, postgres):
        place = Place(url=database.url, sql="SELECT nextval('s') AS x", secret=PASSWORD)
        if database is maria:
            place = Place(url=database.url, sql="SELECT NEXTVAL(s) AS x", secret=PASSWORD)
        error = refused(place, now)
        assert error.problems[0].code == "export_unreachable"
        said = error.message.lower().replace(" ", "").replace("-", "")
        assert "readonly" in said


@pytest.mark.parametrize("server", ["maria", "postgres"])
@pytest.mark.parametrize(
    "case",
    [("SELECT x FROM none", "none"), ("SELECT nobody", "nobody"), ("SELECT 1 FROM", "syntax")],
)
def test_a_wrong_query_is_explained_by_the_database(
    request: Any, now: datetime, server: str, case: tuple[str, str]
) -> None:
    sql, words = case
    database = request.getfixturevalue(server)
    error = refused(Place(url=database.url, sql=sql, secret=PASSWORD), now)
    assert error.problems[0].code == "export_unreachable"
    assert words in error.message
    assert "\n" not in error.message
    assert "crm.sql" in error.hint


def test_a_value_of_a_row_is_not_repeated(postgres: Any, now: datetime) -> None:
    sql = "SELECT x::int FROM (VALUES ('Jo Doe')) AS t(x)"
    error = refused(Place(url=postgres.url, sql=sql, secret=PASSWORD), now)
    assert error.message.endswith("says: InvalidTextRepresentation")
    assert "Jo Doe" not in f"{error}{error.problems}"


@pytest.mark.parametrize("secret", ["", "wrong-" + PASSWORD])
def test_a_wrong_password_is_said_and_not_shown(
    maria: Any, postgres: Any, now: datetime, secret: str
) -> None:
    for database in (maria, postgres):
        error = refused(Place(url=database.url, sql="SELECT 1", secret=secret), now)
        assert error.problems[0].code == "export_unreachable"
        assert "reader" in error.message or "password" in error.message


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_a_server_that_is_not_there_is_said(now: datetime, scheme: str) -> None:
    place = Place(url=f"{scheme}://reader@127.0.0.1:9/crm", sql="SELECT 1", secret=PASSWORD)
    error = refused(place, now)
    assert error.message.startswith(f"{scheme}://127.0.0.1:9/crm says: ")
    assert "refused" in error.message


def test_rows_by_the_thousand_are_all_there(postgres: Any, now: datetime) -> None:
    rows = queried(postgres, "SELECT n AS id FROM generate_series(1, 4321) AS n", now)
    assert sorted(int(row[0]) for row in rows[1:]) == list(range(1, 4322))
