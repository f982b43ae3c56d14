"""Upgrades are whole or not at all, and never without a copy of what was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path
from textwrap import dedent

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from kinds import SQLITE
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from reconcile.errors import StateError
from reconcile.model import Acceptance, EtagKind, IfMatch, Probe
from reconcile.store import files, tables


@pytest.fixture
def revision(tmp_path):
    """Makes a folder with one more revision, whose upgrade does what is said."""

    def make(body: str, number: int = 5) -> Path:
        folder = tmp_path / f"more 100% {number}"
        folder.mkdir()
        lines = [f"    {line}" for line in dedent(body).strip().splitlines()]
        head = [
            "import sqlalchemy as sa",
            "from alembic import op",
            f"revision = '{number:04d}'",
            f"down_revision = '{number - 1:04d}'",
            "def upgrade():",
        ]
        (folder / f"{number:04d}_more.py").write_text("\n".join(head + lines))
        return folder

    return make


STATES = Path(__file__).parent / "states"
FILES = ["reconcile.db", "reconcile.db.serial"]


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def script() -> ScriptDirectory:
    return ScriptDirectory(str(resources.files("reconcile.migrations")))


# ---------------------------------------------------------------------------- the revisions


def test_the_revisions_are_one_line_of_numbers_up_to_the_tables() -> None:
    found = [revision.revision for revision in script().walk_revisions()][::-1]
    assert found == [f"{n:04d}" for n in range(1, len(found) + 1)]
    assert script().get_current_head() == tables.REVISION


def test_the_migrated_state_has_exactly_the_tables_of_the_program(state, tmp_path: Path) -> None:
    with state.database.transaction(writing=False) as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    fresh = state.elsewhere(tmp_path / "fresh")
    fresh.database.make()
    with fresh.database.transaction(writing=True) as connection:
        tables.metadata.create_all(connection)
    assert shape(state) == shape(fresh)


def shape(state) -> dict[object, list[str]]:
    """Every table and index as SQL; a table's lines in any order, as they have no meaning.

    Neither have the quotes that SQLite puts around a table's name once it was renamed.
    """
    return {
        name: sorted(line.strip().rstrip(",").replace('"', "") for line in sql.splitlines())
        for _, name, sql in state.shape()
        if sql and "alembic_version" not in name
    }


def test_alembic_on_its_own_is_told_the_way(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(resources.files("reconcile.migrations")))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(CommandError, match="only by: reconcile db upgrade"):
        command.upgrade(config, "head")
    assert not (tmp_path / "x.db").exists()


# ---------------------------------------------------------------------------- upgrade


def test_an_upgrade_creates_the_state_and_says_so(bare) -> None:
    result = bare.upgrade()
    assert (result.from_revision, result.to_revision, result.backup) == ("", "0004", None)
    assert result.changed
    assert str(result) == f"{bare.name} was created, empty, with schema 0004."
    [(pbx_url, created_at)] = bare.sql("SELECT pbx_url, created_at FROM state")
    assert (pbx_url, str(created_at)[:19]) == ("", "2026-03-01 02:30:00")


def test_a_second_upgrade_has_nothing_to_do_and_says_so(state) -> None:
    before = state.content()
    result = state.upgrade()
    assert not result.changed
    assert str(result) == f"{state.name} has schema 0004 already: nothing to do."
    assert result.backup is None
    assert state.content() == before


@SQLITE
def test_an_empty_file_becomes_a_state(bare) -> None:
    files.make_folder(bare.path)
    files.make_file(bare.path)
    assert bare.upgrade().changed
    bare.open().close()


@SQLITE
def test_a_state_of_the_first_schema_keeps_everything_but_its_proof(bare) -> None:
    """As version 0.1.0 left it: two claims, a delete, an intent of a run that died, a proof."""
    files.make_folder(bare.path)
    files.make_file(bare.path)
    with closing(sqlite3.connect(bare.path)) as connection:
        connection.executescript((STATES / "0001.sql").read_text("utf-8"))
    with pytest.raises(StateError, match="older") as caught:
        bare.open()
    assert "reconcile db upgrade" in caught.value.hint
    result = bare.upgrade()
    assert (result.from_revision, result.to_revision) == ("0001", "0004")
    assert [line for line in content(result.backup) if '"probe" VALUES' in line]
    assert bare.check().ok
    with bare.open() as ledger:
        view = ledger.view(now=bare.now)
        assert {c: claim.name for c, claim in view.claims.items()} == {5: "Ann Bell", 6: "Bo Dee"}
        assert [action.contact_id for action in view.unresolved] == [8]
        assert [t.entity for t in ledger.tombstones()] == [
            {"Id": 7, "FirstName": "Gone"},
            {"Id": 8},
        ]
        assert ledger.probe(pbx_url=bare.pbx_url, pbx_version="20.0.9.995") is None
        proof = Probe(
            pbx_url=bare.pbx_url,
            pbx_version="20.0.9.995",
            probed_at=bare.now,
            etags=EtagKind.STRONG,
            etags_in="list, entity",
            if_match=IfMatch.ENFORCED,
            right_etag=Acceptance.ACCEPTED,
            without_etag=Acceptance.REFUSED,
            paging="key",
            page_cap=50,
            missing="404, empty",
            detail="An old ETag was refused.",
        )
        ledger.save_probe(proof)
        assert ledger.probe(pbx_url=bare.pbx_url, pbx_version="20.0.9.995") == proof


@SQLITE
def test_a_state_of_the_second_schema_keeps_everything(bare) -> None:
    """As the version before left it: a plan that was applied, a delete, an intent, a protection."""
    files.make_folder(bare.path)
    files.make_file(bare.path)
    with closing(sqlite3.connect(bare.path)) as connection:
        connection.executescript((STATES / "0002.sql").read_text("utf-8"))
    before = content(bare.path)
    result = bare.upgrade()
    assert (result.from_revision, result.to_revision) == ("0002", "0004")
    assert content(result.backup) == before
    assert bare.check().ok
    with bare.open() as ledger:
        view = ledger.view(now=bare.now)
        assert {c: claim.absent_exports for c, claim in view.claims.items()} == {5: 0, 6: 1, 8: 0}
        assert (view.last_accepted.manifest, view.last_accepted.policy) == ("", "")
        assert [action.contact_id for action in view.unresolved] == [8]
        assert [plan.used_by_run for plan in ledger.plan("44136fa3")] == [2]
        assert ledger.probe(pbx_url=bare.pbx_url, pbx_version="20.0.9.995").page_cap == 50
        assert [(p.kind, p.value) for p in view.protections] == [("tag", "vip")]
        assert view.freeze is None
        assert ledger.begin_run(command="plan", mode="review", now=bare.now) == 3
    assert bare.sql("SELECT serial FROM state") == [(1,)]
    assert bare.check().ok


def test_an_upgrade_keeps_the_data_and_a_copy_of_what_was(state, revision) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
    before = state.content()
    more = revision("op.add_column('claim', sa.Column('note', sa.Text))")
    result = state.upgrade(more)
    assert (result.from_revision, result.to_revision) == ("0004", "0005")
    named = f"{state.database.mark.stem}.0004-20260301T023000Z.bak"
    assert result.backup == state.database.mark.with_name(named)
    assert result.backup.stat().st_mode & 0o777 == 0o600
    assert str(result.backup) in str(result)
    assert state.sql("SELECT contact_id, name, note FROM claim") == [(1, "Person 1", None)]
    state.put_back(result.backup)
    assert state.content() == before


def test_the_copy_of_an_upgrade_can_be_put_back(state, revision) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        name = ledger.state_id
    copy = state.upgrade(revision("op.add_column('claim', sa.Column('x', sa.Text))")).backup
    state.put_back(copy)
    with state.open() as ledger:
        assert ledger.state_id == name
        assert ledger.view(now=state.now).claims == {1: state.claim(1)}
    assert state.check().ok


def test_a_table_that_others_point_to_can_be_altered(state, revision) -> None:
    with state.open() as ledger:
        run_id = ledger.begin_run(command="apply", mode="review", now=state.now)
        ledger.use_approval(run_id, run_id=run_id, approved_by="anna", now=state.now)
    more = revision(
        """
        with op.batch_alter_table("run") as batch:
            batch.alter_column("mode", type_=sa.String(32), existing_nullable=False)
        """
    )
    state.upgrade(more)
    assert state.sql("SELECT command, mode FROM run") == [("apply", "review")]
    assert state.sql("SELECT plan_run_id FROM approval") == [(run_id,)]
    with state.database.transaction(writing=False) as connection:
        assert state.database.dangling(connection) == ()


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("op.execute('INSERT INTO nowhere VALUES (1)')", StateError),
        ("raise ZeroDivisionError", ZeroDivisionError),
        ("op.execute('DELETE FROM run')", (StateError, IntegrityError)),
    ],
)
def test_a_revision_that_fails_leaves_the_old_schema_its_number_and_its_data(
    state, revision, failure: str, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        run_id = ledger.begin_run(command="apply", mode="review", now=state.now)
        ledger.use_approval(run_id, run_id=run_id, approved_by="anna", now=state.now)
    before = state.content()
    first = revision("op.create_table('half', sa.Column('a', sa.Integer))")
    done = """
        op.add_column("claim", sa.Column("note", sa.Text))
        op.execute("DELETE FROM claim")
        with op.batch_alter_table("export") as batch:
            batch.drop_column("rules")
        """
    second = revision(f"{dedent(done)}\n{failure}", number=6)
    with pytest.raises(error):
        state.upgrade(first, second)
    assert state.content() == before
    [copy] = state.database.mark.parent.glob("*.bak")
    state.put_back(copy)
    assert state.content() == before
    state.open().close()
    assert state.upgrade(first).to_revision == "0005"


def test_a_first_revision_that_fails_leaves_an_empty_file_that_can_be_upgraded(
    bare, revision
) -> None:
    with pytest.raises(StateError, match=r"no such table: nowhere|\"nowhere\" does not exist"):
        bare.upgrade(revision("op.execute('INSERT INTO nowhere VALUES (1)')"))
    assert bare.content() == ([[]] if bare.cluster else ["BEGIN TRANSACTION;", "COMMIT;"])
    assert list(bare.database.mark.parent.glob("*.bak")) == []
    bare.upgrade()
    bare.open().close()


def test_stock_settings_would_have_left_half_a_schema(tmp_path: Path) -> None:
    """Why sqlite.py owns the transactions: without them DDL stays behind."""
    stock = create_engine(f"sqlite:///{tmp_path}/stock.db")
    with stock.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE half (a INTEGER)")
        connection.rollback()
    stock.dispose()
    assert "CREATE TABLE half (a INTEGER);" in content(tmp_path / "stock.db")


def test_a_newer_schema_is_neither_opened_nor_upgraded(state, revision) -> None:
    state.upgrade(revision("op.create_table('later', sa.Column('a', sa.Integer))"))
    before = state.content()
    for act in (state.open, state.upgrade, state.check):
        with pytest.raises(StateError) as refused:
            act()
        assert refused.value.code == "state_newer"
    assert state.content() == before


@SQLITE
def test_a_damaged_state_is_not_upgraded(state, revision) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(2000)])
    whole = state.path.read_bytes()
    state.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StateError, match="is damaged"):
        state.upgrade(revision("op.add_column('claim', sa.Column('note', sa.Text))"))
    assert list(state.path.parent.glob("*.bak")) == []


@SQLITE
def test_a_damaged_state_is_not_called_up_to_date(state) -> None:
    with state.open() as ledger:
        ledger.begin_run(command="run", mode="auto", now=state.now)
    state.sql("PRAGMA ignore_check_constraints = ON", "UPDATE run SET status = 'nonsense'")
    with pytest.raises(StateError, match="CHECK constraint failed"):
        state.upgrade()


@SQLITE
def test_a_full_disk_stops_an_upgrade_before_it_begins(state, revision, full_disk) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(5000)])
    before = content(state.path)
    more = revision("op.add_column('claim', sa.Column('note', sa.Text))")
    with full_disk(200_000), pytest.raises(StateError) as refused:
        state.upgrade(more)
    assert refused.value.code == "state_disk"
    assert content(state.path) == before
    assert sorted(file.name for file in state.path.parent.iterdir()) == FILES


# ---------------------------------------------------------------------------- backup


def test_a_backup_stands_beside_the_state_and_never_overwrites(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        copies = [state.backup(), state.backup()]
        assert [copy.name for copy in copies] == [
            f"{state.database.mark.stem}.0004-20260301T023000Z.bak",
            f"{state.database.mark.stem}.0004-20260301T023000Z-1.bak",
        ]
        assert {copy.stat().st_mode & 0o777 for copy in copies} == {0o600}
    assert content(copies[0]) == content(copies[1])
    before = state.content()
    state.put_back(copies[0])
    assert state.content() == before


@SQLITE
def test_a_backup_is_one_file_and_whole_while_the_state_is_being_written(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(1000)])
        with state.database.transaction(writing=True) as connection:
            connection.exec_driver_sql("DELETE FROM claim")
            copy = state.backup()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM claim").fetchone() == (1000,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    names = {file.name for file in state.path.parent.iterdir()}
    assert names == {*FILES, copy.name}


def test_a_backup_goes_where_it_is_told_but_onto_no_other_file(state, tmp_path: Path) -> None:
    target = tmp_path / "mine.db"
    assert state.backup(target) == target
    kept = target.read_bytes()
    with pytest.raises(StateError, match="never overwrites"):
        state.backup(target)
    assert target.read_bytes() == kept
    with pytest.raises(StateError, match="No such file"):
        state.backup(tmp_path / "nowhere" / "mine.db")


@SQLITE
def test_a_backup_of_a_damaged_state_is_refused_and_leaves_nothing(state) -> None:
    with state.open() as ledger:
        ledger.begin_run(command="run", mode="auto", now=state.now)
    state.sql("PRAGMA ignore_check_constraints = ON", "UPDATE run SET status = 'nonsense'")
    with pytest.raises(StateError, match="CHECK constraint failed"):
        state.backup()
    assert sorted(file.name for file in state.path.parent.iterdir()) == FILES


@SQLITE
def test_a_backup_of_no_state_and_of_an_empty_file(bare) -> None:
    with pytest.raises(StateError, match="does not exist"):
        bare.backup()
    files.make_folder(bare.path)
    files.make_file(bare.path)
    assert bare.backup().name == "reconcile.db.empty-20260301T023000Z.bak"


# ---------------------------------------------------------------------------- check


def test_a_check_tells_what_the_state_is_and_changes_nothing(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1), state.claim(2)])
        ledger.begin_run(command="run", mode="auto", now=state.now)
        name = ledger.state_id
    before = state.content()
    result = state.check()
    assert result.ok
    assert (result.state, result.state_id, result.pbx_url) == (state.name, name, state.pbx_url)
    assert (result.revision, result.journal.split(",")[0]) == ("0004", "wal")
    assert (result.claims, result.runs, result.unresolved) == (2, 1, 0)
    assert state.content() == before


def test_a_check_counts_the_intents_that_stand_alone(state, intend) -> None:
    intend(5)
    result = state.check()
    assert result.unresolved == 1
    assert result.ok


@SQLITE
def test_a_check_finds_all_that_is_wrong_at_once(state) -> None:
    with state.open() as ledger:
        ledger.begin_run(command="run", mode="auto", now=state.now)
    state.sql(
        "PRAGMA ignore_check_constraints = ON",
        "UPDATE run SET status = 'nonsense'",
        "INSERT INTO approval VALUES (1, 99, 'anna', '2026-01-01 00:00:00.000000')",
    )
    state.path.chmod(0o644)
    state.path.parent.chmod(0o770)
    result = state.check()
    assert not result.ok
    found = [(problem.code, problem.file) for problem in result.problems]
    assert found == [
        ("state_corrupt", "reconcile.db"),
        ("state_corrupt", "reconcile.db"),
        ("state_permission", "reconcile.db"),
        ("state_permission", "reconcile.db"),
    ]
    assert "CHECK constraint failed" in result.problems[0].message
    assert "approval 1 → run" in result.problems[1].message
    assert "chmod 600" in result.problems[2].message
    assert "chmod go-w" in result.problems[3].message


@pytest.mark.parametrize("content", [None, b"", b"not a database, but long enough to look at"])
@SQLITE
def test_a_check_of_nothing_is_refused(bare, content: bytes | None) -> None:
    if content is not None:
        files.make_folder(bare.path)
        bare.path.write_bytes(content)
    with pytest.raises(StateError):
        bare.check()
