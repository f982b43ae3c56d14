"""What only a server can do to a state: refuse it, lose its session, be set up badly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import databases
import psycopg
import pytest
from databases import PASSWORD
from psycopg import errors
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from reconcile.errors import ConfigError, LockBusy, StateError
from reconcile.store import migrate, tables
from reconcile.store.engine import located
from reconcile.store.ledger import Ledger
from reconcile.store.lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from databases import Cluster


@pytest.fixture
def kind() -> str:
    """Nothing here is of a file."""
    return "postgresql"


def refusal(state) -> StateError:
    """The error with which a state refuses to open; it names the state, and a next step."""
    with pytest.raises(StateError) as refused:
        state.open()
    assert refused.value.exit_code == 8
    assert state.name in refused.value.message
    assert refused.value.hint
    return refused.value


def lock(state, command: str = "reconcile plan") -> RunLock:
    return RunLock(state.url, base=state.base, command=command, now=state.now)


LOCKING = "application_name = 'reconcile' AND query LIKE '%pg_%lock%' AND state = 'idle'"


def end_the_session_of_the_lock(state) -> None:
    """As a failover does, an administrator, or a cable."""
    mine = f"{LOCKING} AND query LIKE '%/*%'"
    assert state.cluster.end_sessions("states", which=mine) == 1


# ---------------------------------------------------------------------------- the URL


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("postgresql://user:canary-pw-1234@host/db", "must hold no password"),
        ("postgresql+psycopg://user:@host/db", "must hold no password"),
        ("postgresql://user@host/db?password=canary-pw-1234", "must hold no password"),
        ("postgresql://user@host/db?sslpassword=canary-pw-1234", "must hold no password"),
        ("postgresql://user@host", "names no database"),
        ("postgresql://user@host/", "names no database"),
        ("postgresql://user@host/db?options=-cfsync%3Doff", "not known here: options"),
        ("postgresql://user@host/db?schema=Mixed", "small letters"),
        ("postgresql://user@host/db?schema=pg_mine", "small letters"),
        ("postgresql://user@host/db?schema=a;b", "small letters"),
        ("postgresql://host/db?sslmode=require&sslmode=disable", "a setting twice"),
    ],
)
def test_a_url_that_can_not_be_used_says_why_and_is_not_repeated(url, fault, tmp_path) -> None:
    with pytest.raises(ConfigError) as refused:
        located(url, base=tmp_path)
    assert fault in refused.value.message
    assert "canary" not in refused.value.message + refused.value.hint
    assert "docs/postgresql.md" in refused.value.hint


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql+psycopg://reconcile@db:5433/crm", "postgresql://reconcile@db:5433/crm"),
        ("postgres://db/crm?sslmode=verify-full", "postgresql://db/crm"),
        ("postgresql://db/crm?schema=customer1", "postgresql://db/crm?schema=customer1"),
        ("postgresql:///crm?schema=public", "postgresql:///crm"),
    ],
)
def test_a_state_is_called_by_its_place(url, name, tmp_path) -> None:
    found = located(url, base=tmp_path)
    assert str(found) == name
    assert found.mark.parent == tmp_path / "state"
    assert found.mark.suffix == ".serial"


def test_states_of_different_places_have_different_marks(tmp_path) -> None:
    urls = ["///a", "//h/a", "//h/b", "//h/a?schema=x", "//h/a?schema=y"]
    assert len({located(f"postgresql:{url}", base=tmp_path).mark for url in urls}) == len(urls)


def test_without_the_driver_the_extra_is_named() -> None:
    """In a process of its own, in which psycopg can't be imported."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.modules['psycopg'] = None\n"
        "from reconcile.errors import MissingExtra\n"
        "from reconcile.store.engine import located\n"
        "try:\n"
        "    located('postgresql://host/db', base=Path())\n"
        "except MissingExtra as error:\n"
        "    print(error.message, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "`postgres`, which is not installed" in done.stdout
    assert "pip install 'reconcile-3cx[postgres]'" in done.stdout


def test_a_file_needs_no_driver_of_a_server() -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import reconcile.session\n"
        "from reconcile.store.engine import located\n"
        "located('sqlite:///x.db', base=Path())\n"
        "print('psycopg' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---------------------------------------------------------------------------- a session


def test_a_session_is_as_it_must_be_whatever_the_role_is_set_to(state) -> None:
    weak = ("synchronous_commit = off", "TimeZone = 'Asia/Tokyo'", "search_path = pg_catalog")
    weak += ("idle_session_timeout = 1000", "default_transaction_isolation = 'serializable'")
    weak += ("default_transaction_read_only = on", "DateStyle = 'SQL, DMY'")
    state.cluster.sql(*(f"ALTER ROLE reconcile SET {setting}" for setting in weak))
    try:
        shown = ("synchronous_commit", "TimeZone", "search_path", "idle_session_timeout")
        for writing in (True, False):
            with state.database.transaction(writing=writing) as connection:
                found = [connection.scalar(text(f"SHOW {name}")) for name in shown]
                level = connection.scalar(text("SHOW transaction_isolation"))
            assert found == ["on", "UTC", state.schema, "0"]
            assert level == ("read committed" if writing else "repeatable read")
        with state.open() as ledger:
            ledger.adopt([state.claim(1, first_absent=state.now)])
            assert ledger.view(now=state.now).claims[1].first_absent == state.now
    finally:
        state.cluster.sql("ALTER ROLE reconcile RESET ALL")


def test_a_reading_session_can_not_write(state) -> None:
    with (
        pytest.raises(StateError, match="is a standby"),
        state.database.explained(),
        state.database.transaction(writing=False) as connection,
    ):
        connection.execute(text("DELETE FROM state"))


def test_a_write_keeps_other_writers_out_from_its_beginning_and_no_reader(state) -> None:
    with state.database.transaction(writing=True):
        with state.database.transaction(writing=False) as connection:
            assert connection.scalar(text("SELECT serial FROM state")) == 0
        with pytest.raises(StateError, match="is in use") as refused, state.open() as ledger:
            ledger.adopt([state.claim(1)])
    assert refused.value.code == "state_busy"


def test_writers_in_other_schemas_are_no_hindrance(state) -> None:
    other = state.elsewhere(state.base)
    other.upgrade()
    with state.database.transaction(writing=True), other.open() as ledger:
        ledger.adopt([state.claim(1)])


def test_two_first_runs_of_different_pbxs_bind_the_state_to_one(state) -> None:
    """Both read that it belongs to nobody, if nothing keeps them apart."""
    origins = [f"https://pbx{n}.example.com" for n in range(4)]
    ready, bound = threading.Barrier(len(origins)), []

    def begin(origin: str) -> None:
        with replace(state, pbx_url=origin).open() as ledger:
            ready.wait()
            try:
                ledger.begin_run(command="run", mode="auto", now=state.now)
            except StateError:
                return
            bound.append(origin)

    threads = [threading.Thread(target=begin, args=[origin]) for origin in origins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(origin,) for origin in bound] == state.sql("SELECT pbx_url FROM state")


# ---------------------------------------------------------------------------- gates


def test_a_schema_that_is_not_there_is_no_state(bare) -> None:
    error = refusal(bare)
    assert error.code == "state_missing"
    assert "reconcile db upgrade" in error.hint


def test_an_empty_schema_asks_for_the_upgrade(bare) -> None:
    bare.database.make()
    assert refusal(bare).code == "state_older"


def test_another_programs_schema_is_refused_and_left_alone(bare) -> None:
    bare.database.make()
    bare.sql("CREATE TABLE songs (title TEXT)")
    error = refusal(bare)
    assert (error.code, "schema of its own" in error.hint) == ("state_foreign", True)
    with pytest.raises(StateError, match="another program"):
        bare.upgrade()
    assert [table for table, *_ in bare.content()[0]] == ["songs"]


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE"])
def test_a_state_that_every_role_can_get_at_is_refused(state, right) -> None:
    state.sql(f"GRANT {right} ON claim TO PUBLIC")
    error = refusal(state)
    assert error.code == "state_permission"
    assert "REVOKE ALL ON ALL TABLES" in error.hint
    [problem] = state.check().problems
    assert "claim is open to every role" in problem.message
    state.sql(error.hint.removeprefix("in psql: "))
    state.open().close()


def test_a_schema_in_which_every_role_can_make_tables_is_a_problem(state) -> None:
    state.sql(f"GRANT CREATE ON SCHEMA {state.schema} TO PUBLIC")
    state.open().close()
    [problem] = state.check().problems
    assert f"REVOKE CREATE ON SCHEMA {state.schema} FROM PUBLIC" in problem.message


@pytest.fixture
def stranger(state) -> Iterator[tuple[str, str]]:
    """Another role, and the state's URL for it."""
    cluster = state.cluster
    role = f"stranger_{state.schema}"
    cluster.sql(f"CREATE ROLE {role} LOGIN")
    yield role, state.url.replace("reconcile@", f"{role}@")
    cluster.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}", database="states")


def test_a_role_without_rights_is_told_so(state, stranger) -> None:
    role, url = stranger
    theirs = replace(state, url=url)
    assert refusal(theirs).code == "state_missing"  # it may not even see the schema
    with pytest.raises(StateError, match="can't be used by this role: permission denied"):
        theirs.upgrade()
    state.sql(f"GRANT USAGE ON SCHEMA {state.schema} TO {role}")
    state.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {state.schema} TO {role}")
    error = refusal(theirs)
    assert error.code == "state_permission"
    assert "another role's" in error.message


def test_a_database_that_can_not_hold_every_name_is_refused(cluster, bare) -> None:
    with cluster.session() as session:
        session.execute("DROP DATABASE IF EXISTS ascii")
        session.execute(
            "CREATE DATABASE ascii OWNER reconcile TEMPLATE template0"
            " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    with pytest.raises(StateError, match="encoded in SQL_ASCII") as refused:
        replace(bare, url=cluster.url("ascii")).upgrade()
    assert refused.value.code == "state_encoding"


def test_a_standby_is_refused(bare) -> None:
    with databases.cluster() as own:
        own.create("states")
        state = replace(bare, cluster=own, url=own.url("states", schema=bare.schema))
        state.upgrade()
        own.process.send_signal(signal.SIGINT)
        own.process.wait(30)
        (own.folder / "data" / "standby.signal").touch()
        with own.again():
            error = refusal(state)
            assert (error.code, "primary" in error.hint) == ("state_permission", True)
            with pytest.raises(StateError, match="is a standby"):
                state.upgrade()


def test_a_server_that_does_not_keep_what_it_is_given_is_a_problem(state) -> None:
    state.cluster.sql("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    try:
        wait_for(state, "off")
        result = state.check()
    finally:
        state.cluster.sql("ALTER SYSTEM RESET fsync", "SELECT pg_reload_conf()")
        wait_for(state, "on")
    assert result.journal == "wal, fsync off"
    assert ["fsync = off" in problem.message for problem in result.problems] == [True]


def wait_for(state, setting: str) -> None:
    """A server takes up its settings a moment later."""
    while state.cluster.sql("SHOW fsync") != [(setting,)]:
        pass


# ---------------------------------------------------------------------------- soundness


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("ALTER TABLE claim DROP COLUMN crm_id", "claim.crm_id"),
        ("ALTER TABLE approval DROP CONSTRAINT pk_approval", "pk_approval"),
        ("ALTER TABLE action DROP CONSTRAINT uq_action_tombstone_id", "uq_action_tombstone_id"),
        ("ALTER TABLE run DROP CONSTRAINT ck_run_status", "ck_run_status"),
        ("ALTER TABLE action DROP CONSTRAINT fk_action_run_id_run", "fk_action_run_id_run"),
        ("DROP TABLE probe", "pk_probe"),
    ],
)
def test_what_keeps_the_rows_right_must_be_there(state, damage, missing) -> None:
    state.sql(damage)
    error = refusal(state)
    assert error.code == "state_corrupt"
    assert "is missing" in error.message
    found = [problem.message for problem in state.check().problems]
    assert f"{missing} is missing" in found
    with pytest.raises(StateError, match="is damaged"):
        state.upgrade()


def test_a_row_whose_key_points_nowhere_is_found(state) -> None:
    """Only a superuser can make one."""
    with state.cluster.session("states") as session:
        session.execute(f"SET search_path = {state.schema}")
        session.execute("SET session_replication_role = replica")
        session.execute("INSERT INTO approval VALUES (1, 99, 'anna', now())")
    found = [problem.message for problem in state.check().problems]
    assert found == ["approval 1 → run", "approval 1 → run"]


def test_a_page_that_was_damaged_is_found_by_the_check(cluster, bare) -> None:
    """In a copy of the database, of which the server has no page in memory yet."""
    cluster.create("rotten")
    state = replace(bare, url=cluster.url("rotten"), cluster=None)
    state.upgrade()
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(2000)])
    cluster.create("other", template="rotten")
    [(path,)] = cluster.sql("SELECT pg_relation_filepath('claim')", database="other")
    file = Path(cluster.folder, "data", path)
    content = bytearray(file.read_bytes())
    content[8192 + 16 : 8192 + 2000] = b"\xff" * 1984
    file.write_bytes(content)
    rotten = replace(state, url=cluster.url("other"))
    with pytest.raises(StateError) as refused:
        rotten.check()
    assert refused.value.code == "state_corrupt"
    assert "copy a backup into an empty one" in refused.value.hint


# ---------------------------------------------------------------------------- failures


def at(state, cluster: Cluster, **more: str) -> str:
    """The state's URL by TCP, where a password is asked for."""
    host = more.get("host", "127.0.0.1")
    port = more.get("port", str(cluster.port))
    user, database = more.get("user", "reconcile"), more.get("database", "states")
    return f"postgresql://{user}@{host}:{port}/{database}?schema={state.schema}"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"port": "1"}, "state_unreachable"),
        ({"host": "nowhere.invalid"}, "state_unreachable"),
        ({}, "state_login"),
    ],
)
def test_a_server_that_does_not_let_us_in_says_why(state, cluster, more, code) -> None:
    assert refusal(replace(state, url=at(state, cluster, **more))).code == code


def test_a_database_that_is_not_there_is_named(state, cluster) -> None:
    error = refusal(replace(state, url=cluster.url("nil")))
    assert error.code == "state_missing"
    assert "createdb" in error.hint


@pytest.mark.parametrize("right", [True, False])
def test_the_password_comes_from_where_libpq_looks(state, cluster, monkeypatch, right) -> None:
    theirs = replace(state, url=at(state, cluster))
    monkeypatch.setenv("PGPASSWORD", PASSWORD if right else "canary-secret-wrong")
    if right:
        theirs.open().close()
    else:
        error = refusal(theirs)
        assert error.code == "state_login"
        assert "canary" not in error.message + error.hint


def lose_a_session_that_writes(state) -> None:
    with state.database.explained(), state.database.transaction(writing=True) as connection:
        connection.execute(text("DELETE FROM claim"))
        state.cluster.end_sessions("states", which="state LIKE 'idle in%'")
        connection.execute(text("DELETE FROM run"))


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (errors.DiskFull, "state_disk"),
        (errors.IoError, "state_disk"),
        (errors.DataCorrupted, "state_corrupt"),
        (errors.IndexCorrupted, "state_corrupt"),
        (errors.LockNotAvailable, "state_busy"),
        (errors.DeadlockDetected, "state_busy"),
        (errors.SerializationFailure, "state_busy"),
        (errors.QueryCanceled, "state_busy"),
        (errors.AdminShutdown, "state_lost"),
        (errors.CrashShutdown, "state_lost"),
        (errors.ConnectionFailure, "state_lost"),
        (errors.InsufficientPrivilege, "state_permission"),
        (errors.ReadOnlySqlTransaction, "state_permission"),
        (errors.UndefinedTable, "state"),
        (errors.OutOfMemory, "state"),
        (errors.SyntaxError, ""),
        (errors.UniqueViolation, ""),
        (errors.StringDataRightTruncation, ""),
        (psycopg.InterfaceError, ""),
    ],
)
def test_what_the_server_says_has_a_meaning_and_a_bug_has_none(bare, cause, code) -> None:
    found = bare.database.in_words(cause("what it said."))
    assert (found.code if found else "") == code
    if found:
        assert bare.name in found.message
        assert found.hint


def test_a_connection_lost_in_the_middle_is_told_and_nothing_half_is_left(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        with pytest.raises(StateError) as refused:
            lose_a_session_that_writes(state)
        assert refused.value.code == "state_lost"
        assert "may be in it or not" in refused.value.message
        assert list(ledger.view(now=state.now).claims) == [1]


def test_a_ledger_whose_session_was_ended_says_so_and_works_again_after(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        state.cluster.end_sessions("states", which="state = 'idle'")
        with pytest.raises(StateError) as refused:
            ledger.adopt([state.claim(2)])
        assert refused.value.code == "state_lost"
        ledger.adopt([state.claim(3)])
    with state.open() as again:
        assert sorted(again.view(now=state.now).claims) == [1, 3]


def test_a_bug_is_told_without_the_values_of_a_row(state) -> None:
    """PostgreSQL adds the row to its message, and a row has names in it."""
    row = {"contact_id": 1, "crm_id": "private id", "name": "Private Person", "origin": "match"}
    row |= {"fingerprint": "f", "claimed_by": "", "first_absent": None, "absent_exports": None}
    with (
        pytest.raises(IntegrityError) as bug,
        state.database.explained(),
        state.database.transaction(writing=True) as connection,
    ):
        connection.execute(insert(tables.claim).values(row))
    assert "absent_exports" in str(bug.value)
    assert "rivate" not in f"{bug.value}{bug.value.orig}"


def test_a_character_that_the_server_does_not_take_is_named(state) -> None:
    with state.open() as ledger:
        for text_, shown in (("a\0b", r"'\x00'"), ("a\ud83d", r"'\ud83d'")):
            with pytest.raises(StateError) as refused:
                ledger.adopt([state.claim(1, crm_id=text_)])
            assert shown in refused.value.message
        assert ledger.view(now=state.now).claims == {}


# ---------------------------------------------------------------------------- the run lock


def test_the_holder_is_told_even_if_another_statement_came_after(state) -> None:
    with lock(state, "reconcile run */ --odd") as held:
        assert held.still_held()
        with pytest.raises(LockBusy) as refused, lock(state):
            pass
    assert "reconcile run */ --odd, process " in refused.value.message
    assert f"holds the lock of {state.name}" in refused.value.message


def test_a_holder_that_is_another_program_is_still_a_holder(state) -> None:
    with lock(state):
        query = "SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks WHERE objsubid = 1"
        [(key,)] = state.cluster.sql(query, database="states")
    with state.cluster.session("states", user="reconcile") as session:
        session.execute(f"SELECT pg_advisory_lock({key})")
        with pytest.raises(LockBusy, match="did not say who it is") as refused, lock(state):
            pass
        assert f"pid {session.info.backend_pid}" in refused.value.hint


def test_states_in_two_schemas_have_two_locks(state) -> None:
    with lock(state), lock(state.elsewhere(state.base)):
        pass


def test_a_lock_whose_session_ended_is_noticed_and_free(state) -> None:
    with lock(state) as first:
        assert first.still_held()
        end_the_session_of_the_lock(state)
        assert not first.still_held()
        with lock(state) as second:
            assert second.still_held()
            assert not first.still_held()


def test_a_pooler_that_gives_another_session_is_noticed(state) -> None:
    """What a pooler of transactions does; another session has another number."""
    with lock(state) as held:
        session = held._held._session  # noqa: SLF001 - what a pooler would exchange
        with closing(psycopg.connect(session.info.dsn, autocommit=True)) as other:
            held._held._session = other  # noqa: SLF001 - as above
            assert not held.still_held()
            held._held._session = session  # noqa: SLF001 - as above
        assert held.still_held()


def test_many_threads_can_ask_at_once(state) -> None:
    with lock(state) as held:
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda: answers.append(held.still_held())) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 8


def test_a_server_that_can_not_be_asked_is_a_state_error(state) -> None:
    theirs = replace(state, url="postgresql://reconcile@127.0.0.1:1/states")
    with pytest.raises(StateError, match="can't be reached"), lock(theirs):
        pass


# ---------------------------------------------------------------------------- backup


def test_a_backup_is_one_sqlite_file_while_the_state_is_being_written(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(1000)])
        with state.database.transaction(writing=True) as connection:
            connection.exec_driver_sql("DELETE FROM claim")
            copy = state.backup()
    assert [file.name for file in copy.parent.iterdir() if ".bak" in file.name] == [copy.name]
    found = migrate.check(f"sqlite:///{copy}", base=state.base, marks=state.reports)
    assert (found.claims, found.journal, found.problems) == (1000, "delete", ())


def test_a_purge_leaves_nothing_for_a_reader_of_the_disk_though_tables_are_read(state) -> None:
    with state.open() as ledger, state.open() as other:
        ledger.adopt([state.claim(5, name="Wilhelmina")])
        assert other.view(now=state.now).claims[5].name == "Wilhelmina"
        assert ledger.purge(contact_id=5).claims == 1
        assert other.view(now=state.now).claims[5].name == ""


def test_a_ledger_of_another_machine_without_marks_is_refused(state, tmp_path) -> None:
    """It can't know whether the server was set back; a rebind there says so."""
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
    with pytest.raises(StateError, match="no mark of that") as refused:
        Ledger.open(state.url, base=tmp_path / "other", pbx_url=state.pbx_url)
    assert refused.value.code == "state_restored"


def test_the_check_as_json_names_the_state(state) -> None:
    from reconcile.cli import show

    assert json.loads(show.as_json(state.check()))["state"] == state.name
