"""A state goes from one database to another whole, or not at all."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kinds import KINDS, POSTGRESQL, SQLITE
from sqlalchemy import text

from reconcile.errors import LockBusy, StateError, UsageError
from reconcile.model import Freeze, Outcome, ProtectionKind, ProtectionRecord, Status
from reconcile.store import copying
from reconcile.store.lock import RunLock

STATES = Path(__file__).parent / "states"


@pytest.fixture(params=KINDS)
def target(request, place):
    """An empty place of each kind."""
    return place(request.param, "target")


def copy(source, target) -> copying.CopyResult:
    return copying.copy(source.address, target.address, base=source.base, now=source.now)


@pytest.fixture
def full(*, state, ledger, run_id, plan, intend):
    """A state with something in every table, and numbers that were used and purged."""
    protection = ProtectionRecord(
        kind=ProtectionKind.NAME,
        value="Ünal \U0001f600",
        created_by="anna",
        created_at=state.now,
        reason="a ' \" %s \\ \n\t",
    )
    ledger.record(
        run_id,
        accepted=state.accepted(),
        claims=[state.claim(n, first_absent=state.now if n % 2 else None) for n in range(1200)],
        released=(),
        plan=plan,
    )
    ledger.protect(protection)
    ledger.protect(replace(protection, value="Zoe"))
    ledger.protect(replace(protection, value="apple", kind=ProtectionKind.TAG))
    ledger.freeze(Freeze(until=state.now, frozen_by="anna", why="moving"))
    ledger.use_approval(run_id, run_id=run_id, approved_by="anna", now=state.now)
    ledger.settle(intend(5), outcome=Outcome.DELETED, detail="204", now=state.now)
    intend(6)
    for _ in range(3):
        last = ledger.begin_run(command="plan", mode="review", now=state.now)
        ledger.finish_run(
            last, status=Status.CLEAN, exit_code=0, digest="", headline="", now=state.now
        )
    state.sql("DELETE FROM run WHERE id > 2")
    ledger.close()
    return state


def test_every_row_arrives_and_the_copy_is_the_same_state(full, target) -> None:
    with full.open() as ledger:
        was = ledger.view(now=full.now), ledger.runs(), ledger.tombstones(), ledger.actions()
        name = ledger.state_id
    result = copy(full, target)
    assert result.rows["claim"] == 1199  # one was deleted
    assert (result.rows["action"], result.rows["run"], result.rows["probe"]) == (2, 2, 0)
    with target.open(full.reports) as ledger:
        assert ledger.state_id == name
        is_ = ledger.view(now=full.now), ledger.runs(), ledger.tombstones(), ledger.actions()
        assert is_ == was
        following = ledger.begin_run(command="plan", mode="review", now=full.now)
    assert following > 4  # as the numbers of the purged runs were used


def test_it_says_what_was_copied_and_what_comes_next(full, target) -> None:
    said = str(copy(full, target))
    assert f"{full.name} was copied to {target.name}" in said
    assert "1,199 in claim" in said
    assert "in probe" not in said
    assert "one of them only" in said
    assert "reconcile db check" in said


def test_there_and_back_nothing_has_changed(full, target) -> None:
    before = full.content()
    copy(full, target)
    back = full.elsewhere(full.base / "back")
    copy(target, back)
    assert back.content() == before


def test_what_goes_on_after_a_copy_makes_the_other_one_the_older(full, target) -> None:
    copy(full, target)
    with target.open(full.reports) as ledger:
        ledger.begin_run(command="plan", mode="review", now=full.now)
    with pytest.raises(StateError) as refused:
        full.open()
    assert refused.value.code == "state_restored"


def test_a_place_with_a_state_in_it_is_left_as_it_is(full, target) -> None:
    target.upgrade()
    before = target.content()
    with pytest.raises(StateError, match="is not empty; nothing was copied") as refused:
        copy(full, target)
    assert refused.value.code == "state_not_empty"
    assert target.content() == before


def test_a_place_of_another_program_is_left_as_it_is(state, target) -> None:
    target.database.make()
    target.sql("CREATE TABLE songs (title TEXT)")
    with pytest.raises(StateError, match="another program"):
        copy(state, target)
    assert target.sql("SELECT * FROM songs") == []


def test_no_state_can_be_copied_onto_itself(state) -> None:
    with pytest.raises(UsageError, match="onto itself"):
        copying.copy(state.url, state.url, base=state.base, now=state.now)


def test_what_is_no_state_is_not_copied(bare, target) -> None:
    with pytest.raises(StateError) as refused:
        copy(bare, target)
    assert refused.value.code == "state_missing"
    bare.database.make()
    with pytest.raises(StateError) as refused:
        copy(bare, target)
    assert refused.value.code == "state_older"


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_run_at_either_end_is_waited_for(state, target, end) -> None:
    busy = {"source": state, "target": target}[end]
    lock = RunLock(busy.url, base=busy.base, command="reconcile run", now=state.now)
    with lock, pytest.raises(LockBusy, match="reconcile run, process"):
        copy(state, target)


def test_a_newer_schema_is_not_copied(state, target) -> None:
    state.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateError) as refused:
        copy(state, target)
    assert refused.value.code == "state_newer"


@pytest.mark.parametrize("revision", ["0001", "0002"])
@SQLITE
def test_an_older_schema_is_copied_as_it_is_and_upgraded_there(bare, target, revision) -> None:
    """A backup from before an upgrade; on a server, too, each revision must run."""
    bare.database.make()
    with closing(sqlite3.connect(bare.path)) as connection:
        connection.executescript((STATES / f"{revision}.sql").read_text("utf-8"))
    copied = copy(bare, target)
    assert copied.rows["claim"] == len(bare.sql("SELECT * FROM claim"))
    upgraded = target.upgrade()
    assert (upgraded.from_revision, upgraded.to_revision) == (revision, "0004")
    assert target.check().problems == ()
    target.lose()
    target.put_back(upgraded.backup)
    assert target.sql("SELECT version_num FROM alembic_version") == [(revision,)]


def test_a_place_that_can_not_hold_every_name_is_left_empty(state, cluster) -> None:
    with cluster.session() as session:
        session.execute("DROP DATABASE IF EXISTS ascii_too")
        session.execute(
            "CREATE DATABASE ascii_too OWNER reconcile TEMPLATE template0"
            " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    with pytest.raises(StateError, match="encoded in SQL_ASCII"):
        copying.copy(state.address, cluster.url("ascii_too"), base=state.base, now=state.now)


@pytest.mark.parametrize("copied", [[], [(1, "a")], [(1, "a"), (2, "c")], [(1, "a")] * 2])
def test_rows_that_are_not_the_same_are_noticed_and_not_shown(copied) -> None:
    were = [(1, "a"), (2, "Person")]
    assert copying.compared(iter(were), iter(list(were))) == 2
    with pytest.raises(StateError, match="of a table is not the same") as refused:
        copying.compared(iter(were), iter(copied))
    assert "Person" not in refused.value.message
    with pytest.raises(StateError, match="Row 3"):
        copying.compared(iter(were), iter([*were, (3, "more")]))


@POSTGRESQL
def test_a_source_that_is_written_meanwhile_is_not_half_copied(state) -> None:
    target = state.elsewhere(state.base)
    target.database.make()
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as pool, state.open() as ledger:
        with target.database.transaction(writing=True) as connection:
            connection.execute(text("SELECT 1"))
            copied = pool.submit(copy, state, target)
            while not state.cluster.sql(waiting, database="states"):
                pass
            ledger.adopt([state.claim(1)])
        with pytest.raises(StateError, match="was written while it was copied") as refused:
            copied.result(timeout=30)
    assert refused.value.hint == "the same command again"
    assert target.content() == [[]]
    assert copy(state, target).rows["claim"] == 1
