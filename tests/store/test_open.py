"""The gates between a state file and a ledger: each refuses with its mend."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kinds import SQLITE

from reconcile.errors import ReconcileError, StateError
from reconcile.store.ledger import Ledger


def refusal(state) -> ReconcileError:
    """The error with which a state refuses to open; it must name the file."""
    with pytest.raises(StateError) as refused:
        state.open()
    assert refused.value.exit_code == 8
    assert state.name in refused.value.message
    assert refused.value.hint
    return refused.value


def test_a_state_that_was_just_created_opens_empty(state) -> None:
    with state.open() as ledger:
        view = ledger.view(now=state.now)
        assert (view.claims, view.last_accepted, view.newest_generated_at) == ({}, None, None)
        assert (view.deleted_last_week, view.unresolved) == (0, ())
        assert len(ledger.state_id) == 32


def test_every_state_has_a_name_of_its_own_and_keeps_it(state, tmp_path: Path) -> None:
    other = state.elsewhere(tmp_path / "other")
    other.upgrade()
    with state.open() as one, other.open() as two:
        names = one.state_id, two.state_id
    assert names[0] != names[1]
    state.upgrade()
    with state.open() as again:
        assert again.state_id == names[0]


def test_a_missing_state_is_never_made_in_passing(bare) -> None:
    error = refusal(bare)
    assert error.code == "state_missing"
    assert "reconcile db upgrade" in error.hint
    assert "nothing can be deleted until claims are made again" in error.hint
    assert list(bare.base.iterdir()) == []


@SQLITE
def test_a_folder_in_its_place_is_refused(bare) -> None:
    bare.path.mkdir(parents=True)
    assert "is not a file" in refusal(bare).message


@pytest.mark.parametrize("size", [17, 100, 5000, 200_000])
@SQLITE
def test_random_bytes_are_no_state(bare, size: int) -> None:
    bare.path.parent.mkdir()
    bare.path.write_bytes(os.urandom(size))
    bare.path.chmod(0o600)
    assert refusal(bare).code == "state_corrupt"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@SQLITE
def test_a_state_that_was_cut_short_is_refused(state, share: float) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(5000)])
    whole = state.path.read_bytes()
    state.path.write_bytes(whole[: int(len(whole) * share)])
    error = refusal(state)
    assert error.code == "state_corrupt"
    assert "backup" in error.hint


@SQLITE
def test_a_state_with_a_damaged_page_is_refused(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(n) for n in range(5000)])
    content = bytearray(state.path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = os.urandom(8192)
    state.path.write_bytes(content)
    assert refusal(state).code == "state_corrupt"


@SQLITE
def test_a_value_that_breaks_a_rule_of_its_table_is_damage(state) -> None:
    with state.open() as ledger:
        ledger.begin_run(command="run", mode="auto", now=state.now)
    state.sql("PRAGMA ignore_check_constraints = ON", "UPDATE run SET status = 'nonsense'")
    assert "CHECK constraint failed" in refusal(state).message


def test_a_state_that_lost_its_name_is_refused(state) -> None:
    state.sql("DELETE FROM state")
    assert refusal(state).code == "state_corrupt"


@pytest.mark.parametrize("forget", ["DELETE FROM alembic_version", "SELECT 1"])
def test_an_older_schema_asks_for_the_upgrade(state, forget: str) -> None:
    state.sql(forget, "UPDATE alembic_version SET version_num = '0000'")
    error = refusal(state)
    assert error.code == "state_older"
    assert "reconcile db upgrade" in error.hint


@SQLITE
def test_an_empty_file_is_an_older_schema(bare) -> None:
    bare.path.parent.mkdir()
    bare.path.touch(0o600)
    assert refusal(bare).code == "state_older"


def test_a_newer_schema_asks_for_the_newer_version(state) -> None:
    state.sql("UPDATE alembic_version SET version_num = '9999'")
    error = refusal(state)
    assert error.code == "state_newer"
    assert "install the newer version" in error.hint


@SQLITE
def test_another_programs_database_is_refused_and_left_alone(bare) -> None:
    bare.path.parent.mkdir()
    with closing(sqlite3.connect(bare.path)) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    bare.path.chmod(0o600)
    before = bare.path.read_bytes()
    assert refusal(bare).code == "state_foreign"
    with pytest.raises(StateError, match="another program"):
        bare.upgrade()
    assert bare.path.read_bytes() == before


def test_another_pbx_is_refused_once_a_run_has_bound_the_state(state) -> None:
    other = replace(state, pbx_url="https://other.example.com")
    other.open().close()
    with state.open() as ledger:
        ledger.begin_run(command="plan", mode="review", now=state.now)
    error = refusal(other)
    assert error.code == "state_other_pbx"
    assert state.pbx_url in error.message
    state.open().close()


def test_a_state_bound_by_another_meanwhile_refuses_to_begin_a_run(state) -> None:
    other = replace(state, pbx_url="https://other.example.com")
    with state.open() as mine, other.open() as theirs:
        mine.begin_run(command="plan", mode="review", now=state.now)
        with pytest.raises(StateError, match="belongs to the PBX"):
            theirs.begin_run(command="plan", mode="review", now=state.now)
        assert len(mine.runs()) == 1


def test_a_ledger_without_a_pbx_is_refused(state) -> None:
    with pytest.raises(StateError, match="No PBX was named"):
        replace(state, pbx_url="").open()


@SQLITE
def test_the_file_is_private_from_its_first_byte(state) -> None:
    with state.open() as ledger:
        ledger.begin_run(command="plan", mode="review", now=state.now)
        files = sorted(file.name for file in state.path.parent.iterdir())
        assert files == [f"reconcile.db{end}" for end in ("", "-shm", "-wal", ".serial")]
        modes = {file.stat().st_mode & 0o777 for file in state.path.parent.iterdir()}
    assert modes == {0o600}
    assert state.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
@SQLITE
def test_a_state_that_others_can_open_is_refused(state, mode: int) -> None:
    state.path.chmod(mode)
    error = refusal(state)
    assert error.code == "state_permission"
    assert error.hint == f"chmod 600 {state.path}"


def test_a_state_that_this_user_may_not_write_is_refused(open_place, without_power) -> None:
    open_place.upgrade()
    open_place.path.parent.chmod(0o755)
    open_place.path.chmod(0o400)
    with without_power():
        error = refusal(open_place)
    assert error.code == "state_permission"
    assert "not writable" in error.message


def test_a_state_in_a_folder_that_is_closed_to_this_user_is_refused(
    open_place, without_power
) -> None:
    open_place.upgrade()
    open_place.path.parent.chmod(0o000)
    with without_power():
        assert "Permission denied" in refusal(open_place).message
    open_place.path.parent.chmod(0o700)


@SQLITE
def test_a_folder_that_can_not_be_made_is_a_state_error(bare) -> None:
    bare.path.parent.write_text("a file where the folder should be")
    with pytest.raises(StateError, match="File exists"):
        bare.upgrade()


@SQLITE
def test_a_url_of_the_config_is_enough(state) -> None:
    url = f"sqlite:///{state.path}"
    Ledger.open(url, base=Path("/"), pbx_url=state.pbx_url).close()


@SQLITE
def test_a_state_that_moved_with_its_folder_still_opens(state, tmp_path: Path) -> None:
    shutil.move(state.base / "state", tmp_path / "elsewhere")
    url = f"sqlite:///{tmp_path}/elsewhere/reconcile.db"
    Ledger.open(url, base=tmp_path, pbx_url=state.pbx_url).close()
