"""A backup of the state that was put back: every command says so, and one goes on with it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

from reconcile.store.lock import RunLock


def restore_backup(office) -> None:
    """Everybody is claimed and a leaver is absent; then the state of before is put back."""
    office.ready(grace=True)
    assert office("db", "backup", "saved.db").code == 0
    office.export(without=office.managed[3:4])
    assert office("plan").code == 0
    shutil.copy(office.folder / "saved.db", office.folder / "state" / "reconcile.db")


def test_a_restored_state_stops_every_command_that_uses_it(office):
    restore_backup(office)
    asked = len(office.server.requests)
    for command in (["plan"], ["run"], ["apply", "0" * 12], ["history"], ["contact", "list"]):
        said = office(*command)
        assert said.code == 8, command
        assert "was put back from a backup, or lost its last writes" in said.err
        assert "reconcile db rebind" in said.err
    assert len(office.server.requests) == asked
    check = office("db", "check")
    assert check.code == 8
    assert "was put back from a backup" in check.out
    assert "The mend: put the newest state in its place; if there is none:" in check.out


def test_a_rebind_says_what_it_did_and_the_nights_go_on(office):
    restore_backup(office)
    said = office("db", "rebind")
    assert said.code == 0
    assert "is the state to go on with" in said.out
    assert "The next run has at least the number 3" in said.out
    assert "reconcile protect" in said.out
    assert office("db", "check").code == 0
    assert office("plan").code == 0
    assert (office.folder / "reports" / "run-000003").is_dir()
    assert "nothing to do" in office("db", "rebind").out


def test_a_rebind_beside_a_run_is_refused(office):
    restore_backup(office)
    state = office.folder / "state" / "reconcile.db"
    before = state.read_bytes()
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with RunLock(f"sqlite:///{state}", base=office.folder, command="run", now=now):
        assert office("db", "rebind").code == 7
    assert state.read_bytes() == before
