"""What stops a run before a delete: a file, a date, a lock that is lost, a newer run, old reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from company import hired

from reconcile import byhand, config, hold, ownership, session
from reconcile.config import Protect
from reconcile.errors import ApprovalRefused, UsageError
from reconcile.model import Exit, Held, Outcome, Status

FIRST = "/xapi/v1/Contacts(5)"


@pytest.fixture
def due(company):
    """Contacts 5, 6 and 7 are due tonight."""
    company.until_due(5, 6, 7)
    return company


def stop(company):
    return company.folder / hold.STOP_FILE


def outcomes(report):
    return {c.id: c.outcome for c in report.contacts if c.outcome}


# ---------------------------------------------------------------------------- a person says stop


def test_a_stop_file_is_reported_and_nothing_is_applied(due):
    stop(due).touch()
    report = due.plan()
    assert [f.code for f in report.findings if f.code == "stop_file"] == ["stop_file"]
    with pytest.raises(ApprovalRefused, match="the file STOP is there") as caught:
        due.apply(report.digest)
    assert "remove the file STOP" in caught.value.hint
    assert due.has(5)
    stop(due).unlink()
    assert due.apply(report.digest).status is Status.APPLIED


def test_a_stop_file_of_a_job_is_its_own_and_one_beside_all_jobs_is_that_of_all(tmp_path):
    text = 'mode = "review"\ncrm = { source = "x", region = "DE" }\n[pbx]\nclient_id = "x"\n'
    (tmp_path / "defaults.toml").write_text(text)
    for name in ("acme", "beta"):
        (tmp_path / f"{name}.toml").write_text(f'[pbx]\nurl = "https://{name}.example.com"')

    def stops():
        return [hold.stop_file(config.load(tmp_path / f"{n}.toml")) for n in ("acme", "beta")]

    assert stops() == ["", ""]
    (tmp_path / "acme" / "STOP").touch()
    assert stops() == ["STOP", ""]
    (tmp_path / "STOP").touch()
    assert stops() == ["STOP", "STOP"]


def test_a_stop_file_that_appears_during_the_deletes_stops_before_the_next(due):
    digest = due.plan().digest
    due.server.hook(lambda: stop(due).touch(), method="DELETE", path_prefix=FIRST)
    report = due.apply(digest)
    assert (report.status, report.exit_code) == (Status.PARTIAL, Exit.PARTIAL)
    assert "the file STOP is there" in report.headline
    assert outcomes(report) == {
        5: Outcome.DELETED,
        6: Outcome.NOT_ATTEMPTED,
        7: Outcome.NOT_ATTEMPTED,
    }
    assert due.has(6)
    assert due.has(7)


def test_in_auto_a_stop_file_makes_a_night_that_waits(company):
    company.settings["mode"] = "auto"
    company.until_due(5, 6)
    stop(company).touch()
    report = company.run()
    assert (report.status, report.exit_code) == (Status.WAITING, Exit.WAITING)
    assert not company.deletes()
    stop(company).unlink()
    company.now += timedelta(hours=1)
    assert company.run().status is Status.APPLIED


def test_a_freeze_holds_until_its_moment_and_not_a_second_longer(due):
    until = due.now + timedelta(hours=2)
    said = hold.freeze_once(
        due.config, due.world(), until=until.isoformat(), why="moving to another CRM"
    )
    assert "2026-11-25 05:30 CET (by tester: moving to another CRM)" in said
    report = due.plan()
    (frozen,) = [f for f in report.findings if f.code == "frozen"]
    assert "moving to another CRM" in frozen.message
    assert (report.status, report.exit_code) == (Status.NEEDS_APPROVAL, Exit.APPROVAL)
    due.now = until - timedelta(seconds=1)
    with pytest.raises(ApprovalRefused, match="frozen until 2026-11-25 04:30 UTC by tester"):
        due.apply(report.digest)
    due.now = until
    assert due.apply(report.digest).status is Status.APPLIED


def test_a_freeze_reaches_a_run_that_is_deleting(due):
    digest = due.plan().digest
    config, world = due.config, due.world()
    due.server.hook(
        lambda: hold.freeze_once(config, world, until="2026-12-24", why=""),
        method="DELETE",
        path_prefix=FIRST,
    )
    report = due.apply(digest)
    assert outcomes(report)[6] is Outcome.NOT_ATTEMPTED
    assert due.has(6)


def test_a_freeze_is_lifted_by_a_word(due):
    hold.freeze_once(due.config, due.world(), until="2026-12-24", why="")
    assert hold.lift_once(due.config, due.world()) == "Deletes are not frozen."
    assert due.apply(due.plan().digest).status is Status.APPLIED


def test_a_date_lasts_to_its_end_where_the_schedule_is(due):
    said = hold.freeze_once(due.config, due.world(), until="2026-12-24", why="")
    assert "until 2026-12-25 00:00 CET" in said


def test_what_stands_between_a_plan_and_its_deletes_is_said_line_by_line(company):
    world = company.world()
    said = hold.freeze_once(company.config, world, until="2026-12-24T18:30+02:00", why="")
    frozen = "Deletes are frozen until 2026-12-24 17:30 CET (by tester)."
    lift = "To let them go on: reconcile freeze --lift"
    assert said == f"{frozen}\n{lift}"
    stop(company).touch()
    there = "The file STOP is there: nothing is deleted until it is removed."
    assert hold.said(company.config, world) == f"{frozen}\n{lift}\n{there}"
    assert hold.lift_once(company.config, world) == there


@pytest.mark.parametrize(
    ("until", "words", "hint"),
    [
        ("tomorrow", "'tomorrow' is no date.", "reconcile freeze --until 2026-12-24"),
        ("2026-13-01", "'2026-13-01' is no date.", "reconcile freeze --until 2026-12-24"),
        ("2026-11-22", "2026-11-22 is over already.", "reconcile freeze --until DATE"),
        ("2026-11-23T03:30", "2026-11-23T03:30 is over already.", "reconcile freeze --until DATE"),
    ],
)
def test_no_freeze_until_what_is_no_date_or_over(company, until, words, hint):
    with pytest.raises(UsageError) as caught:
        hold.freeze_once(company.config, company.world(), until=until, why="")
    assert (caught.value.message, caught.value.hint) == (words, hint)
    assert hold.said(company.config, company.world()) == "Deletes are not frozen."


def test_a_contact_is_not_deleted_by_hand_while_deletes_are_frozen(company):
    hold.freeze_once(company.config, company.world(), until="2026-12-24", why="")
    with pytest.raises(ApprovalRefused, match="frozen"):
        byhand.delete_by_hand(company.config, company.world(), 5, if_match=None)
    assert company.has(5)


# ---------------------------------------------------------------------------- the run itself


def test_a_run_that_lost_its_lock_deletes_nothing_more(due):
    digest = due.plan().digest
    lock = due.folder / "state" / "reconcile.db.lock"
    due.server.hook(lock.unlink, method="DELETE", path_prefix=FIRST)
    report = due.apply(digest)
    assert outcomes(report) == {
        5: Outcome.DELETED,
        6: Outcome.NOT_ATTEMPTED,
        7: Outcome.NOT_ATTEMPTED,
    }
    assert "the lock is no longer this run's" in report.headline


def test_a_run_that_was_overtaken_before_its_first_delete_says_that_another_holds_the_lock(due):
    digest = due.plan().digest

    def overtake():
        with due.ledger() as ledger:
            ledger.begin_run(command="run", mode="auto", now=due.now)

    due.server.hook(overtake, method="GET", path_prefix=FIRST)
    report = due.apply(digest)
    assert (report.status, report.exit_code) == (Status.PARTIAL, Exit.LOCKED)
    assert "has begun since" in report.headline
    assert due.has(5)


@pytest.mark.parametrize(("slept", "deleted"), [(3600, 3), (3601, 0), (-1, 0)])
def test_reads_older_than_an_hour_decide_no_delete(due, slept, deleted):
    digest = due.plan().digest

    def sleep():
        due.now += timedelta(seconds=slept)

    due.server.hook(sleep, method="GET", path_prefix=FIRST)
    report = due.apply(digest)
    assert [o for o in outcomes(report).values() if o is Outcome.DELETED] == [
        Outcome.DELETED
    ] * deleted
    if not deleted:
        assert report.exit_code is Exit.PARTIAL
        assert "not within the last hour" in report.headline


def test_what_is_held_can_be_applied_by_the_next_plan(due):
    digest = due.plan().digest
    due.server.hook(lambda: stop(due).touch(), method="DELETE", path_prefix=FIRST)
    due.apply(digest)
    stop(due).unlink()
    due.now += timedelta(hours=1)
    due.export(without=[5, 6, 7], extra=[hired(1), hired(2)])
    assert due.apply(due.plan().digest).status is Status.APPLIED
    assert not due.has(7)


def test_a_protection_by_hand_takes_a_contact_out_of_an_approved_plan(due):
    digest = due.plan().digest
    ownership.protect_once(due.config, due.world(), Protect.typed(ids=(6,)), why="the boss")
    report = due.apply(digest)
    assert due.has(6)
    assert not due.has(5)
    assert outcomes(report)[6] is Outcome.NOT_ATTEMPTED


def test_what_a_person_wants_waits_and_a_refusal_has_its_code(due):
    with session.opened(due.config, due.world(), "plan") as parts:
        assert hold.wanted(parts) is None
        stop(due).touch()
        assert hold.wanted(parts) == Held(why="the file STOP is there", exit_code=Exit.APPROVAL)
        stop(due).unlink()
        hold.freeze_once(due.config, due.world(), until="2026-12-24T01:00:00+01:00", why="")
        until = "deletes are frozen until 2026-12-24 00:00 UTC by tester"
        assert hold.wanted(parts) == Held(why=until, exit_code=Exit.APPROVAL)
        with pytest.raises(ApprovalRefused) as refused:
            hold.refuse(parts)
        assert refused.value.code == "held"
        frozen = parts.ledger.frozen(now=due.now)
        assert frozen.until == datetime(2026, 12, 24, tzinfo=UTC)
        assert frozen.until.tzinfo is UTC
        lost = replace(parts, locked=lambda: False)
        assert hold.held(lost, run_id=1, read_at=due.now) == Held(
            why="the lock is no longer this run's", exit_code=Exit.LOCKED
        )
