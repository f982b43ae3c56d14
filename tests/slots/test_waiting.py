"""What a scheduler does when another is at the slot, had it, died over it, or does not end."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest

from reconcile.errors import LockBusy
from reconcile.model import Exit, Slot, SlotHad
from reconcile.run import run_slot
from reconcile.session import opened

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def busy(pair):
    """The first machine has the lock, until it is closed."""
    with ExitStack() as held:
        held.enter_context(opened(pair.first.config, pair.first.world(), "run"))
        yield held


def begins(_died) -> None:
    """Nobody is told."""


def test_a_slot_is_run_by_the_first_and_told_by_the_second(pair, capsys) -> None:
    due = pair.leaves()
    pair.first.server.clear_requests()
    assert pair.first.night() is Exit.CONVERGED
    assert pair.deleted() == [due]
    capsys.readouterr()
    asked = len(pair.first.server.requests)
    pair.second.ahead = -5 * MINUTE
    assert pair.second.night() is Exit.CONVERGED
    said = capsys.readouterr().err
    assert "reconcile: slot 2026-11-23 02:30 UTC was run by run 2 of process " in said
    assert ", begun 2026-11-23 02:30 UTC, exit 0: " in said
    assert said.endswith("Nothing was done here.\n")
    assert len(pair.first.server.requests) == asked
    assert [run.command for run in pair.runs()] == ["plan", "run"]


def test_the_second_waits_while_the_first_is_at_it(pair, busy, capsys, receiver) -> None:
    """And nobody hears of the slot from it: neither a ping, nor a line of the log."""
    pair.leaves()
    for machine in pair.machines:
        machine.settings |= {"notify.healthcheck_url": receiver.url, "log.file": "log"}
    slept = []

    def asleep(seconds) -> None:
        slept.append(seconds)
        if len(slept) == 35:
            busy.close()
            pair.first.night()

    pair.second.asleep = asleep
    assert pair.second.night() is Exit.CONVERGED
    waits, ran, had = capsys.readouterr().err.splitlines()
    assert waits.startswith("reconcile: slot 2026-11-23 02:30 UTC waits. Another run holds ")
    assert "run, process" in waits
    assert ran.startswith("reconcile: run 2, exit 0: ")
    assert "was run by run 2 of process" in had
    assert len(slept) == 40
    assert receiver.paths == ["/ping/abc/start", "/ping/abc"]
    assert not (pair.second.folder / "log").exists()
    assert len(pair.deleted()) == 1


def test_a_slot_whose_run_died_is_taken_over(pair, busy, capsys, receiver) -> None:
    pair.second.settings["notify.healthcheck_url"] = receiver.url
    due, now = pair.leaves(), pair.first.now
    with pair.first.ledger() as ledger:
        slot = Slot(moment=now, run_id=0, pid=99, host="db1")
        died = ledger.begin_run(command="run", mode="auto", now=now, slot=slot)
    pair.second.asleep = lambda _seconds: busy.close()
    assert pair.second.night() is Exit.CONVERGED
    said = capsys.readouterr().err
    who = f"run {died} of process 99 on db1"
    assert f"slot 2026-11-23 02:30 UTC is taken over from {who}, which came to no end" in said
    assert pair.deleted() == [due]
    assert [run.status for run in pair.runs()] == ["clean", None, "applied"]
    assert receiver.paths == ["/ping/abc/start", "/ping/abc"]


def test_after_an_hour_the_slot_is_given_up_and_told(pair, busy, capsys, receiver) -> None:
    pair.second.settings["notify.healthcheck_url"] = receiver.url

    def asleep(seconds) -> None:
        pair.second.ahead += timedelta(seconds=seconds) * 100

    pair.second.asleep = asleep
    assert pair.second.night() is Exit.LOCKED
    assert timedelta(hours=1) < pair.second.ahead < timedelta(hours=1, minutes=4)
    said = capsys.readouterr().err
    assert said.count("waits.") == 1
    assert said.splitlines()[-1].startswith("reconcile: Another run holds ")
    assert "Nothing was done." in said
    assert [path for path, _ in receiver.pings] == ["/ping/abc/fail"]
    assert [run.command for run in pair.runs()] == ["plan"]
    busy.close()


def test_the_next_slot_is_waited_for_when_it_comes(pair, busy, capsys) -> None:
    pair.second.settings["schedule.cron"] = "*/5 2 * * *"
    first = pair.first.now

    def asleep(_seconds) -> None:
        pair.second.ahead += timedelta(seconds=10)
        if pair.second.ahead > 6 * MINUTE:
            busy.close()

    pair.second.asleep = asleep
    nights = pair.second.nights()
    assert nights.night(first) is Exit.CONVERGED
    said = capsys.readouterr().err
    assert "slot 2026-11-23 02:30 UTC waits." in said
    assert "slot 2026-11-23 02:35 UTC waits." in said
    with pair.first.ledger() as ledger:
        assert ledger.slot(first) is None
        assert ledger.slot(first + 5 * MINUTE).run_id == 2
    assert not nights.waits


def test_a_lock_that_stays_busy_is_told_each_hour_however_often_slots_come(
    pair, busy, capsys, receiver
) -> None:
    pair.second.settings |= {
        "schedule.cron": "*/10 * * * *",
        "notify.healthcheck_url": receiver.url,
    }

    def asleep(_seconds) -> None:
        pair.second.ahead += timedelta(seconds=20)
        if pair.second.ahead > timedelta(hours=2, minutes=30):
            busy.close()

    pair.second.asleep = asleep
    assert pair.second.night() is Exit.CONVERGED
    assert [path for path, _ in receiver.pings] == ["/ping/abc/fail"] * 2 + [
        "/ping/abc/start",
        "/ping/abc",
    ]
    assert capsys.readouterr().err.count("waits. Another run holds ") == 16
    with pair.first.ledger() as ledger:
        assert ledger.slot(pair.first.now + 15 * 10 * MINUTE).run_id == 2


def test_a_signal_ends_the_waiting(pair, busy, capsys) -> None:
    def asleep(_seconds) -> None:
        pair.second.stop = Exit.TERMINATED

    pair.second.asleep = asleep
    nights = pair.second.nights()
    assert nights.night(pair.first.now) is Exit.LOCKED
    assert "Another run holds" in capsys.readouterr().err
    assert not nights.waits
    busy.close()


def test_a_run_for_a_slot_does_not_wait_and_a_dry_run_takes_none(pair, busy) -> None:
    first, moment = pair.first, pair.first.now
    due = pair.leaves()
    with pytest.raises(LockBusy):
        run_slot(first.config, first.world(), moment, begins=begins)
    busy.close()
    looked = run_slot(first.config, first.world(), moment, dry_run=True, begins=begins)
    assert (looked.exit_code, looked.run.command) == (Exit.WAITING, "run --dry-run")
    assert first.has(due)
    ran = run_slot(first.config, first.world(), moment, begins=begins)
    assert (ran.exit_code, first.has(due)) == (Exit.CONVERGED, False)
    for dry_run in (True, False):
        had = run_slot(first.config, first.world(), moment, dry_run=dry_run, begins=begins)
        assert isinstance(had, SlotHad)
        assert had.run.id == ran.run.id
    assert [run.command for run in pair.runs()] == ["plan", "run --dry-run", "run"]


def test_a_run_by_hand_counts_for_the_slot_before_it_and_is_never_refused(pair) -> None:
    now = pair.first.now
    pair.at(now + MINUTE)
    for machine in (*pair.machines, pair.first):
        assert machine.run().exit_code == Exit.CONVERGED
    found = run_slot(pair.second.config, pair.second.world(), now, begins=begins)
    assert isinstance(found, SlotHad)
    pair.at(now + DAY)
    pair.export()
    assert not isinstance(
        run_slot(pair.second.config, pair.second.world(), now + DAY, begins=begins), SlotHad
    )
