"""The week, told once: decided from the state's own runs and a given time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from company import hired

from reconcile.model import Exit
from reconcile.notify import digest


@pytest.fixture
def monday(company):
    """Of 2026-11-23, 02:30 UTC: the first night, with nobody to tell it to yet."""
    company.settings |= {"policy.grace_exports": 1, "policy.grace_hours": 0}
    company.export()
    assert company.night() is Exit.CONVERGED
    return company


def nights(company, count, **options):
    for _ in range(count):
        company.tomorrow()
        company.export(extra=[hired(company.now.day)], **options)
        company.night()


def due(company):
    """What would be told of the last run."""
    report = company.run()
    with company.ledger() as ledger:
        return digest.due(company.config, report, ledger)


def test_the_first_night_of_a_week_sums_up_the_week_before(monday, hook):
    monday.settings["mode"] = "auto"
    monday.tell(hook.url)
    nights(monday, 2, without=[5])
    monday.tomorrow()
    monday.export(raw=b"")
    monday.night()
    assert "the week" not in hook.titles
    hook.got.clear()
    nights(monday, 3)  # Friday, Saturday, Sunday
    assert hook.got == []
    nights(monday, 1, without=[6])
    assert hook.titles == ["contacts were deleted", "the week"]
    lines = hook.last["message"].splitlines()
    assert lines[0] == "2026-11-23 to 2026-11-29: 7 runs on 7 days, 1 deleted."
    assert lines[1] == "They ended: 5 clean, 1 applied, 1 blocked."
    assert lines[2].startswith("- run 4, 2026-11-26, blocked: Nothing was deleted. ")
    assert "Now, in run 8: 1 to delete, 0 absent and waiting out the grace" in "\n".join(lines)
    assert lines[-1] == "Next: reconcile history"
    assert hook.last["type"] == "info"
    nights(monday, 1)
    assert hook.titles.count("the week") == 1


def test_a_quiet_week_is_told_too_and_only_by_its_first_night(monday):
    monday.now = datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
    monday.export(extra=[hired(1)])
    (told,) = due(monday)
    assert told.body.startswith("2026-11-23 to 2026-11-29: 1 run on 1 day, 0 deleted.")
    assert due(monday) == []


def test_the_week_begins_on_the_weekday_of_the_configuration(monday):
    monday.settings["notify.digest"] = "thursday"
    for day, expected in ((25, 0), (26, 1), (27, 0)):
        monday.now = datetime(2026, 11, day, 2, 30, tzinfo=UTC)
        monday.export(extra=[hired(day)])
        assert len(due(monday)) == expected


def test_the_day_begins_by_the_clocks_of_the_schedule(monday):
    monday.settings["schedule.timezone"] = "Europe/Berlin"
    monday.now = datetime(2026, 11, 29, 22, 59, tzinfo=UTC)
    monday.export(extra=[hired(1)])
    assert due(monday) == []
    monday.now = datetime(2026, 11, 29, 23, 1, tzinfo=UTC)  # 00:01 on Monday
    monday.export(extra=[hired(2)])
    assert len(due(monday)) == 1


def test_a_week_without_nights_is_not_told_but_the_last_that_had_some(monday):
    monday.now = datetime(2026, 12, 16, 2, 30, tzinfo=UTC)
    monday.export(extra=[hired(1)])
    (told,) = due(monday)
    assert told.body.startswith("2026-11-23 to 2026-11-29: 1 run")


def test_a_night_that_died_is_none(monday):
    monday.now = datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
    with monday.ledger() as ledger:
        ledger.begin_run(command="run", mode="review", now=monday.now)
    monday.export(extra=[hired(1)])
    assert len(due(monday)) == 1


def test_neither_a_plan_by_hand_nor_an_apply_tells_the_week(monday):
    monday.now = datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
    monday.export(extra=[hired(1)])
    report = monday.plan()
    with monday.ledger() as ledger:
        assert digest.due(monday.config, report, ledger) == []
    assert len(due(monday)) == 1  # and a plan by hand doesn't use it up


def test_dry_runs_each_night_have_their_week(monday):
    """Who only looks, as an audit, is told too."""
    with monday.ledger() as ledger:
        monday.now = datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
        monday.export(extra=[hired(1)])
        (told,) = digest.due(monday.config, monday.run(dry_run=True), ledger)
        assert told.body.startswith("2026-11-23 to 2026-11-29: 1 run on 1 day")
        monday.now = datetime(2026, 12, 7, 2, 30, tzinfo=UTC)
        monday.export(extra=[hired(2)])
        (told,) = digest.due(monday.config, monday.run(dry_run=True), ledger)
        assert told.body.startswith("2026-11-30 to 2026-12-06: 1 run on 1 day")


def test_many_bad_nights_are_counted_and_no_digest_is_wanted(monday):
    for hour in range(9):
        monday.now = datetime(2026, 11, 24, hour, 30, tzinfo=UTC)
        monday.export(raw=b"")
        monday.run()
    monday.now = datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
    monday.export(extra=[hired(1)])
    report = monday.run()
    with monday.ledger() as ledger:
        (told,) = digest.due(monday.config, report, ledger)
        monday.settings["notify.digest"] = ""
        assert digest.due(monday.config, report, ledger) == []
    assert told.body.count("\n- run ") == 7
    assert "\n… and 2 more\n" in told.body
