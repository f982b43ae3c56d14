"""`reconcile schedule`: when a night comes, what it does, and how it ends."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from company import SECRET, Company

from reconcile.errors import ConfigError
from reconcile.model import Exit
from reconcile.sandbox import Book, SandboxServer
from reconcile.schedule import Nights
from reconcile.slots import trigger_of

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 6, 1, 0, 0, tzinfo=BERLIN)


@pytest.fixture
def company(tmp_path):
    with SandboxServer(Book.seeded(30, seed=3), client_secret=SECRET) as server:
        made = Company(server=server, folder=tmp_path)
        made.create_state()
        yield made


def night(company):
    """The night of this moment."""
    trigger = trigger_of(company.config)
    nights = Nights(config=company.config, world=company.world(), trigger=trigger)
    return nights.night(company.now)


@pytest.fixture
def times(company):
    """The next moments of a cron expression on Berlin's clocks."""

    def of(cron, since, count):
        company.settings["schedule.cron"] = cron
        trigger, found = trigger_of(company.config), []
        for _ in range(count):
            found.append(trigger.get_next_fire_time(found[-1] if found else None, since))
        return [moment.astimezone(BERLIN) for moment in found]

    return of


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("*", "Mon Tue Wed Thu Fri Sat Sun"),
        ("0", "Sun"),
        ("7", "Sun"),
        ("1", "Mon"),
        ("1-5", "Mon Tue Wed Thu Fri"),
        ("0-3", "Mon Tue Wed Sun"),
        ("5-7", "Fri Sat Sun"),
        ("fri-sun", "Fri Sat Sun"),
        ("0,3", "Wed Sun"),
        ("MON,thu", "Mon Thu"),
        ("*/2", "Tue Thu Sat Sun"),
        ("1-5/2", "Mon Wed Fri"),
        ("4/2", "Thu Sat"),
    ],
)
def test_weekdays_are_counted_as_cron_counts_them(times, field, days):
    expected = days.split()
    found = times(f"30 2 * * {field}", MONDAY, len(expected))
    assert [f"{moment:%a}" for moment in found] == expected
    assert {(m.hour, m.minute) for m in found} == {(2, 30)}
    assert (found[-1] - MONDAY).days < 7


def test_day_of_month_and_weekday_are_either_as_in_crontab(times):
    found = times("0 3 10 * 1", MONDAY, 4)
    assert [m.day for m in found] == [1, 8, 10, 15]


def test_the_night_that_the_clock_is_put_forward_over_comes_once(times):
    found = times("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=BERLIN), 2)
    assert [m.isoformat() for m in found] == [
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_the_night_that_the_clock_shows_twice_comes_once(times):
    found = times("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=BERLIN), 2)
    assert [m.isoformat() for m in found] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_a_scheduler_that_starts_between_the_two_waits_for_the_next_night(times):
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    (found,) = times("30 2 * * *", second, 1)
    assert found.isoformat() == "2026-10-26T02:30:00+01:00"


def test_a_moment_that_is_now_is_not_too_late(times):
    now = datetime(2026, 6, 1, 2, 30, tzinfo=BERLIN)
    assert times("30 2 * * *", now, 1) == [now]


@pytest.mark.parametrize(
    "cron",
    [
        "61 2 * * *",
        "30 25 * * *",
        "30 2 * * 8",
        "30 2 * * 5-2",
        "30 2 * * mon/0",
        "30 2 * * someday",
        "30 2 31 2 *",
        "a b c d e",
    ],
)
def test_what_is_no_cron_expression_is_refused(company, cron):
    company.settings["schedule.cron"] = cron
    with pytest.raises(ConfigError, match=r"schedule\.cron"):
        trigger_of(company.config)


def test_a_night_is_a_run_and_is_told_in_one_line(company, capsys, receiver):
    company.settings["notify.healthcheck_url"] = receiver.url
    company.export()
    assert night(company) is Exit.CONVERGED
    assert capsys.readouterr().err == (
        "reconcile: run 1, exit 0: Nothing to delete among 30 phone-system contacts.\n"
    )
    assert receiver.paths == ["/ping/abc/start", "/ping/abc"]


def test_a_night_that_cannot_be_is_told_and_the_next_one_comes(company, capsys, receiver):
    company.settings["notify.healthcheck_url"] = receiver.url
    company.export()
    (company.folder / "state" / "reconcile.db").unlink()
    assert night(company) is Exit.STATE
    err = capsys.readouterr().err
    assert "there is no state yet" in err
    assert "Nothing is deleted while that is so. Next: reconcile db upgrade" in err
    assert receiver.paths == ["/ping/abc/fail"]
    company.create_state()
    assert night(company) is Exit.CONVERGED


def test_the_process_says_when_it_runs_and_ends_by_a_signal(office, end):
    assert office.init().code == 0
    with office.start("schedule") as process:
        first = process.stderr.readline()
        assert first.startswith("reconcile: mode review, next run ")
        assert "02:30 CE" in first
        said = end(process)
    assert said.code == 143


def test_a_process_with_an_impossible_cron_expression_ends_at_once(office):
    assert office.init().code == 0
    office.config.write_text(office.config.read_text() + '\n[schedule]\ncron = "0 25 * * *"\n')
    said = office("schedule")
    assert said.code == 2
    assert "schedule.cron is no cron expression" in said.err


def test_a_bug_in_a_night_ends_the_process(office):
    """With a stub in the place of a library that only a night needs, and a night each second."""
    assert office.init().code == 0
    office.export()
    broken = office.folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import datetime, apscheduler.triggers.cron as cron\n"
        "soon = datetime.timedelta(milliseconds=50)\n"
        "cron.CronTrigger.get_next_fire_time = lambda self, previous, now: now + soon\n"
        "import phonenumbers\n"
        "phonenumbers.parse = None\n"
    )
    root = str(Path(__file__).parent.parent.parent)
    path = os.pathsep.join([str(broken), root])
    said = office("schedule", PYTHONPATH=path, TMPDIR=str(broken))
    assert said.code == 1
    assert "a bug stopped this command (TypeError)" in said.err
    assert len(list(broken.glob("reconcile-crash-*.txt"))) == 1


def every_moment(trigger, since, until):
    """All slots from one moment to another, one after the other."""
    found = [trigger.get_next_fire_time(None, since)]
    while found[-1] <= until:
        found.append(trigger.get_next_fire_time(found[-1], until))
    return found[:-1]


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/7 1-3 * * *", "15 2 1 * mon", "0 0 29 2 *"])
@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]
)
def test_the_newest_slot_is_the_last_one_that_came_on_days_when_clocks_are_set_too(
    company, cron, day
):
    company.settings |= {"schedule.cron": cron, "schedule.timezone": "Europe/Berlin"}
    trigger = trigger_of(company.config)
    span = 9 * 366 if cron.endswith("29 2 *") else 40
    every = every_moment(trigger, day - timedelta(days=span), day + timedelta(days=2))
    for minutes in range(-60, 24 * 60, 13):
        now = day + timedelta(minutes=minutes)
        assert trigger.last(now) == max(moment for moment in every if moment <= now)
    assert trigger.last(every[-1]) == every[-1]


def test_a_machine_whose_clock_was_never_set_has_a_slot_too(company):
    begins = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert trigger_of(company.config).last(begins) == datetime(1970, 1, 1, tzinfo=UTC)
