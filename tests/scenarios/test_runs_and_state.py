"""Scenarios 50 to 66: runs that meet, die or sleep, and a state that is not as it was."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from contextlib import contextmanager
from datetime import timedelta
from pathlib import PurePosixPath

import pytest
from scenarios.scene import LEAVERS, SIZE, Scene, cases

from reconcile import byhand
from reconcile.errors import StateError
from reconcile.model import Exit, Outcome, Status, Verdict
from reconcile.store import files, migrate
from reconcile.store.disks import Mount

FIFTH, SIXTH = "/xapi/v1/Contacts(5)", "/xapi/v1/Contacts(6)"


def state_of(company):
    return company.folder / "state" / "reconcile.db"


def another_office(company, folder, *, with_state_of=None) -> Scene:
    """A second configuration for the same PBX, with a state of its own."""
    office = Scene(server=company.server, folder=folder, now=company.now, settings={"mode": "auto"})
    folder.mkdir()
    if with_state_of is None:
        office.create_state()
    else:
        shutil.copytree(with_state_of / "state", folder / "state")
        office.sql("UPDATE state SET pbx_url = ?", company.server.url)
        office.sql("UPDATE probe SET pbx_url = ?", company.server.url)
    office.exported(company.tonight())
    return office


# ------------------------------------------------------------------ two at once


def test_50_of_two_runs_at_once_one_proceeds(company):
    company.exported()
    met = []
    company.server.hook(
        lambda: met.append(company.ends(company.run)), method="DELETE", path_prefix=FIFTH
    )
    ended = company.ends(company.run)
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))
    assert (met[0].code, met[0].findings) == (Exit.LOCKED, {"lock_busy"})
    assert len(company.deletes()) == 2


def test_50_two_configurations_of_one_pbx_exclude_each_other(company, begun, tmp_path):
    other = another_office(company, tmp_path / "other", with_state_of=begun)
    company.exported()
    met = []
    company.server.hook(
        lambda: met.append(other.ends(other.run)), method="DELETE", path_prefix=FIFTH
    )
    ended = company.ends(company.run)
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))
    assert (met[0].code, met[0].findings) == (Exit.LOCKED, {"lock_busy"})


def test_51_another_host_deletes_only_what_its_own_state_claims(company, tmp_path):
    other = another_office(company, tmp_path / "other")
    ended = other.ends(other.run)
    assert ended.code == Exit.CONVERGED
    assert {ended.contact(i).verdict for i in LEAVERS} == {Verdict.UNMANAGED}
    assert company.untouched()


def test_51_what_another_host_deletes_meanwhile_is_not_deleted_twice(company, begun, tmp_path):
    other = another_office(company, tmp_path / "other", with_state_of=begun)
    company.server.hook(lambda: company.book.remove(6), method="DELETE", path_prefix=FIFTH)
    assert company.night().outcomes() == {5: Outcome.DELETED, 6: Outcome.ALREADY_GONE}
    ended = other.ends(other.run)
    assert (ended.code, ended.outcomes()) == (Exit.CONVERGED, {})
    assert company.left() == set(LEAVERS)


# ------------------------------------------------------------------ a run that dies


@pytest.fixture
def child(company):
    """Begins tonight's run in a process of its own; gives how that ended, -9 if it was killed."""
    company.exported()

    def run(*, killed_at: tuple[str, str, int]) -> int:
        process = os.fork()
        if process == 0:
            try:
                company.ends(company.run)
            finally:
                os._exit(0)
        method, path, nth = killed_at
        company.server.hook(
            lambda: os.kill(process, signal.SIGKILL), method=method, path_prefix=path, nth=nth
        )
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    return run


@pytest.mark.parametrize(
    ("moment", "died_with"),
    cases(
        (("DELETE", FIFTH, 1), {5}),
        (("GET", FIFTH, 2), {5}),  # the canary is confirmed
        (("GET", FIFTH, 1), set()),
        (("DELETE", SIXTH, 1), {5, 6}),
        (("GET", "/xapi/v1/Contacts?", 4), {5, 6}),  # the listing after the deletes
        check=2,
    ),
    ids=str,
)
def test_52_a_run_that_is_killed_leaves_what_the_next_one_needs(company, child, moment, died_with):
    assert child(killed_at=moment) == -signal.SIGKILL
    assert company.left() <= died_with
    graves = {i for (i,) in company.sql("SELECT contact_id FROM tombstone WHERE run_id > 3")}
    assert company.left() <= graves
    company.tomorrow()
    assert company.night().code == Exit.CONVERGED
    assert company.left() == set(LEAVERS)
    assert company.sql("SELECT count(*) FROM action WHERE outcome IS NULL") == [(0,)]


def test_53_a_signal_finishes_the_contact_in_hand(company):
    def terminate():
        company.stop = Exit.TERMINATED

    company.server.hook(terminate, method="DELETE", path_prefix=FIFTH)
    ended = company.night()
    assert (ended.code, ended.status) == (Exit.TERMINATED, Status.INTERRUPTED)
    assert ended.outcomes() == {5: Outcome.DELETED, 6: Outcome.NOT_ATTEMPTED}
    assert company.left() == {5}


# ------------------------------------------------------------------ a disk that is full


@contextmanager
def full_disk_at(company, method, path):
    """From this request on no file grows any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    company.server.hook(
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard)),
        method=method,
        path_prefix=path,
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_54_no_delete_is_sent_without_its_intent(company):
    with full_disk_at(company, "GET", FIFTH):
        ended = company.night()
    assert (ended.code, ended.findings) == (Exit.STATE, {"state_disk"})
    assert company.untouched()


def test_55_a_delete_whose_outcome_was_not_written_is_found_by_looking(company):
    with full_disk_at(company, "DELETE", FIFTH):
        ended = company.night()
    assert (ended.code, ended.findings) == (Exit.STATE, {"state_disk"})
    assert company.left() == {5}
    assert company.ends(company.run).code == Exit.CONVERGED
    assert company.left() == set(LEAVERS)
    assert company.sql("SELECT outcome FROM action WHERE contact_id = 5") == [("deleted",)]


# ------------------------------------------------------------------ a state that is not as it was


def cut(state):
    with state.open("r+b") as file:
        file.truncate(state.stat().st_size // 2)


def garbled(state):
    state.write_bytes(b"no database at all" * 1000)


def opened_to_others(state):
    state.chmod(0o644)


def gone(state):
    state.unlink()


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (cut, "state_corrupt"),
        (garbled, "state_corrupt"),
        (opened_to_others, "state_permission"),
        (gone, "state_missing"),
    ],
)
def test_56_a_state_that_is_damaged_is_refused(company, harm, code):
    company.exported()
    harm(state_of(company))
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.STATE, {code})
    assert company.server.requests == ()


def test_56_a_state_of_a_newer_version_is_refused(company):
    company.sql("UPDATE alembic_version SET version_num = '9999'")
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.STATE, {"state_newer"})
    assert company.server.requests == ()


def test_57_without_its_state_nothing_is_ours(company):
    shutil.rmtree(company.folder / "state")
    company.create_state()
    ended = company.night()
    assert (ended.code, company.left()) == (Exit.CONVERGED, set())
    assert {ended.contact(i).verdict for i in LEAVERS} == {Verdict.UNMANAGED}
    company.tomorrow()
    assert company.night(company.tonight(without=(*LEAVERS, 30))).code == Exit.CONVERGED
    assert company.untouched()


def test_58_a_state_from_a_backup_is_noticed(company):
    saved = company.folder / "saved.db"
    found = company.config
    migrate.backup(found.state.url, base=found.base, target=saved, now=company.now)
    assert company.night().code == Exit.CONVERGED
    shutil.copyfile(saved, state_of(company))
    company.server.clear_requests()
    company.tomorrow()
    ended = company.night(company.tonight(without=(*LEAVERS, 30)))
    assert (ended.code, ended.findings) == (Exit.STATE, {"state_restored"})
    assert "reconcile db rebind" in ended.error.hint
    assert company.server.requests == ()


# ------------------------------------------------------------------ clocks and approvals


def test_59_a_clock_that_jumps_ahead_makes_nobody_due_at_once(company):
    company.now += timedelta(days=730)
    ended = company.night(company.tonight(without=(*LEAVERS, 20, 21)))
    assert {ended.contact(i).verdict for i in (20, 21)} == {Verdict.WAITING}
    assert company.left() <= set(LEAVERS)


def test_59_a_clock_that_jumps_back_counts_for_nobody(company):
    company.now -= timedelta(days=2)
    for path in (company.folder / "exports").iterdir():
        path.unlink()
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.APPROVAL, {"clock_moved"})
    assert company.untouched()


@pytest.fixture
def approved(company):
    """The digest of tonight's plan, which a person has read."""
    company.settings["mode"] = "review"
    return company.night().report.digest


def test_60_a_digest_is_good_once(company, approved):
    assert company.ends(company.apply, approved).code == Exit.CONVERGED
    company.server.clear_requests()
    again = company.ends(company.apply, approved)
    assert (again.code, again.findings) == (Exit.APPROVAL, {"approval_refused"})
    assert "already applied" in again.error.message
    assert company.server.requests == ()


def test_60_and_not_after_a_weekend(company, approved):
    company.now += timedelta(hours=60)
    company.exported()
    ended = company.ends(company.apply, approved)
    assert (ended.code, ended.findings) == (Exit.APPROVAL, {"approval_refused"})
    assert company.untouched()


def test_60_who_came_back_since_is_kept(company, approved):
    company.exported(company.tonight(without=[6]))
    ended = company.ends(company.apply, approved)
    assert (ended.code, company.left()) == (Exit.CONVERGED, {6})
    assert "1 not attempted" in ended.report.headline


@pytest.mark.parametrize(
    ("key", "value"),
    cases(
        ("crm.region", "FR"),
        ("policy.grace_hours", 0.0),
        ("pbx.delete_guard", "compare"),
        check=2,
    ),
)
def test_61_an_approval_does_not_outlive_the_configuration(company, approved, key, value):
    company.settings[key] = value
    ended = company.ends(company.apply, approved)
    assert (ended.code, ended.status) == (Exit.APPROVAL, Status.BLOCKED)
    assert "plan_outdated" in ended.findings
    assert company.untouched()


# ------------------------------------------------------------------ what a run must still be


def test_62_a_process_that_slept_does_not_delete_by_old_reads(company):
    def sleep():
        company.now += timedelta(hours=2)

    company.server.hook(sleep, path_prefix=FIFTH)
    ended = company.night()
    assert ended.code == Exit.PARTIAL
    assert set(ended.outcomes().values()) == {Outcome.NOT_ATTEMPTED}
    assert company.untouched()


def test_62_nor_once_a_newer_run_has_begun(company):
    def newer():
        with company.ledger() as ledger:
            ledger.begin_run(command="run", mode="auto", now=company.now)

    company.server.hook(newer, path_prefix=FIFTH)
    ended = company.night()
    assert ended.code == Exit.LOCKED
    assert company.untouched()


def test_63_a_report_that_can_not_be_written_changes_no_delete(company):
    (company.folder / "reports" / "run-000004" / "report.json").mkdir(parents=True)
    ended = company.night()
    assert ended.code == Exit.STATE
    assert "only its report is missing" in ended.error.consequence
    assert company.left() == set(LEAVERS)
    assert company.sql("SELECT exit_code FROM run WHERE id = 4") == [(0,)]


def test_64_without_a_place_for_the_report_nothing_is_begun(company):
    (company.folder / "reports").write_text("in the way")
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.STATE, {"report_unwritable"})
    assert company.server.requests == ()


@pytest.mark.parametrize(
    ("path", "code", "left"), [(FIFTH, Exit.LOCKED, set()), (SIXTH, Exit.PARTIAL, {5})], ids=str
)
def test_65_a_lock_that_a_cleaner_took_away_stops_the_run(company, path, code, left):
    lock = state_of(company).with_name("reconcile.db.lock")
    company.server.hook(lock.unlink, path_prefix=path)
    ended = company.night()
    assert (ended.code, company.left()) == (code, left)
    assert ended.outcomes()[6] is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize("kind", ["nfs4", "cifs"])
def test_66_a_state_on_a_network_disk_is_refused(kind):
    home = Mount("server:/home", "/home", kind)
    with pytest.raises(StateError) as refused:
        files.is_local(PurePosixPath("/home/jo/state/reconcile.db"), [home])
    assert refused.value.exit_code == Exit.STATE


# ------------------------------------------------------------------ what a person may say meanwhile


def test_a_person_who_says_stop_is_heard_before_the_next_delete(company):
    company.server.hook((company.folder / "STOP").touch, path_prefix=SIXTH)
    ended = company.night()
    assert ended.outcomes() == {5: Outcome.DELETED, 6: Outcome.NOT_ATTEMPTED}
    assert company.left() == {5}
    assert len(company.book.all()) == SIZE - 2
    assert byhand.contact(company.config, company.world(), 6).id == 6
