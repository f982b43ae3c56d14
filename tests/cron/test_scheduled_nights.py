"""`reconcile schedule` through nights that are late, many, long, or cut short.

The scheduler's clock is set by hand: APScheduler reads it from `datetime`, and finds another.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

import apscheduler.executors.base
import apscheduler.schedulers.base
import canaries
import pytest
from company import Company

from reconcile.model import Exit
from reconcile.sandbox import Book, SandboxServer
from reconcile.schedule import run_forever
from reconcile.session import World
from reconcile.slots import trigger_of

NIGHT = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
SOON = timedelta(milliseconds=300)
PATIENCE = 60
"""Seconds until something is surely wrong."""


@pytest.fixture
def company(tmp_path):
    with SandboxServer(Book.seeded(30, seed=3), client_secret=canaries.SECRET) as server:
        made = Company(server=server, folder=tmp_path, now=NIGHT)
        made.settings["schedule.timezone"] = "UTC"
        made.create_state()
        made.export()
        yield made


@pytest.fixture
def clock(monkeypatch):
    """Set APScheduler's clock before the night; after that, the machine sleeps for a while."""

    def wind(asleep, *, before=SOON):
        begun = time.monotonic()

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                passed = timedelta(seconds=time.monotonic() - begun)
                shown = NIGHT - before + passed
                return (shown + asleep if passed >= SOON else shown).astimezone(tz)

        for module in (apscheduler.schedulers.base, apscheduler.executors.base):
            monkeypatch.setattr(module, "datetime", Clock)

    return wind


@pytest.fixture
def nights(company, monkeypatch):
    """Run the scheduler until it has said something; gives (exit code, what it said)."""

    def until(words, *, when="", then=lambda: None):
        said, latest = io.StringIO(), time.monotonic() + PATIENCE

        def interrupted():
            assert time.monotonic() < latest, said.getvalue()
            if when and when in said.getvalue():
                then()
            return Exit.TERMINATED if words in said.getvalue() else None

        monkeypatch.setattr(sys, "stderr", said)
        world = World(
            environ={"SECRET": canaries.SECRET},
            clock=lambda: NIGHT,
            sleep=Event().wait,
            user="tester",
            interrupted=interrupted,
        )
        return run_forever(company.config, world), said.getvalue()

    return until


def runs(company):
    with company.ledger() as ledger:
        return [run.command for run in ledger.runs()]


LEFT_OUT = "a run was left out: the last one had not ended, or this machine was asleep"


def test_a_night_that_is_late_is_run(company, clock, nights):
    clock(timedelta(minutes=59))
    code, said = nights("run 1, exit 0")
    assert (code, LEFT_OUT in said, runs(company)) == (143, False, ["run"])


def test_a_machine_that_slept_over_the_night_runs_it_when_it_wakes(company, clock, nights):
    """Its clock went on, and what waits for a number of seconds did not."""
    clock(timedelta(hours=8, minutes=5), before=timedelta(hours=8))
    code, _ = nights("run 1, exit 0")
    assert (code, runs(company)) == (143, ["run"])


def test_a_night_that_is_more_than_an_hour_late_is_left_out_and_said(company, clock, nights):
    clock(timedelta(minutes=61))
    code, said = nights(LEFT_OUT)
    assert (code, "exit" in said, runs(company)) == (143, False, [])


def test_of_many_nights_that_were_missed_one_is_run(company, clock, nights):
    company.settings["schedule.cron"] = "*/5 * * * *"
    clock(timedelta(minutes=52))
    _, said = nights("run 1, exit 0")
    assert (LEFT_OUT in said, runs(company)) == (False, ["run"])
    assert "run 2," not in said


def test_a_night_that_comes_while_the_last_one_runs_is_left_out_and_said(company, clock, nights):
    """The night at 02:30 begins a moment before 02:31, and 3CX takes its time."""
    company.settings["schedule.cron"] = "30,31 2 * * *"
    clock(timedelta(minutes=1) - SOON)
    go_on = Event()
    company.server.hook(lambda: go_on.wait(PATIENCE), path_prefix="/xapi/v1/Contacts")
    code, said = nights("run 1, exit 0", when=LEFT_OUT, then=go_on.set)
    assert (code, said.count(LEFT_OUT), runs(company)) == (143, 1, ["run"])


ZONES = [
    ("Asia/Kolkata", "2026-06-01T02:30:00+05:30"),
    ("America/New_York", "2026-06-01T02:30:00-04:00"),
    ("Pacific/Auckland", "2026-06-01T02:30:00+12:00"),
    ("Australia/Lord_Howe", "2026-06-01T02:30:00+10:30"),
]


@pytest.mark.parametrize(("zone", "expected"), ZONES)
def test_the_time_is_that_of_the_zone_whatever_the_machine_shows(company, zone, expected):
    company.settings["schedule.timezone"] = zone
    since = datetime(2026, 6, 1, tzinfo=ZoneInfo(zone))
    found = trigger_of(company.config).get_next_fire_time(None, since)
    assert found is not None
    assert found.astimezone(ZoneInfo(zone)).isoformat() == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        # Half an hour is left out: 02:00 → 02:30, and 02:15 is shown by no clock.
        ("2026-10-03T12:00", ["2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"]),
        # Half an hour comes twice: 02:00 → 01:30.
        ("2026-04-04T12:00", ["2026-04-05T02:15:00+10:30", "2026-04-06T02:15:00+10:30"]),
    ],
)
def test_half_an_hour_that_is_left_out_or_comes_twice(company, before, expected):
    company.settings |= {
        "schedule.timezone": "Australia/Lord_Howe",
        "schedule.cron": "15 2 * * *",
    }
    zone, trigger = ZoneInfo("Australia/Lord_Howe"), trigger_of(company.config)
    found = [datetime.fromisoformat(before).replace(tzinfo=zone)]
    for _ in expected:
        found.append(trigger.get_next_fire_time(found[-1], found[-1]))
    assert [m.astimezone(zone).isoformat() for m in found[1:]] == expected


def test_a_signal_while_a_night_deletes_finishes_the_contact_in_hand(installed):
    """The real process, and a night each second: the cron expression's next time is a stub."""
    installed.set('mode = "review"', 'mode = "auto"')
    first, second = installed.due(count=2)
    stub = installed.folder / "stub"
    stub.mkdir()
    (stub / "sitecustomize.py").write_text(
        "import datetime, apscheduler.triggers.cron as cron\n"
        "soon = datetime.timedelta(milliseconds=50)\n"
        "cron.CronTrigger.get_next_fire_time = lambda self, previous, now: now + soon\n"
    )
    started = []
    installed.server.hook(
        lambda: os.kill(started[0].pid, signal.SIGTERM),
        method="DELETE",
        path_prefix=f"/xapi/v1/Contacts({first['Id']})",
    )
    started.append(
        subprocess.Popen(
            [installed.program, "schedule"],
            cwd=installed.folder,
            env={**installed.environ, "PYTHONPATH": str(stub)},
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    with started[0] as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == int(Exit.TERMINATED)
    assert "Traceback" not in err
    assert "Stopping when what is in hand is finished" in err
    assert installed.report["status"] == "interrupted"
    kept = [installed.server.book.get(c["Id"]) is not None for c in (first, second)]
    assert kept == [False, True]
