"""APScheduler → run_once: the nights of a machine without cron, such as a container.

Keeps no state of its own: the schedule comes from the configuration, what is remembered is the
ledger's, and overlap is prevented by the run lock as everywhere. A night that goes wrong is said
and the next one comes; a bug of ours ends the process.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from reconcile import notify, run
from reconcile.errors import ConfigError, ReconcileError
from reconcile.model import Exit
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from reconcile.config import Config
    from reconcile.session import World

_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As cron counts them: from Sunday, which is 0 and 7. APScheduler counts from Monday."""
_LATE: Final = 3600
"""Seconds that a night may start late (a sleeping machine) and still be run, once."""
_LOOK: Final = 0.2
"""Seconds between two looks whether a signal came."""
_TICK: Final = timedelta(microseconds=1)


# ---------------------------------------------------------------------------- when


@dataclass(slots=True)
class Nights(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The moments at which a wall clock shows what the cron expression says, each once.

    APScheduler would leave a night out when the clock is put forward over it, and run it twice when
    the clock is put back; this does as cron does. `wall` are triggers in the wall clock's time.
    """

    zone: ZoneInfo
    wall: tuple[CronTrigger, ...]

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The first moment after `previous`, or not before `now` if there was none, in UTC."""
        after = (previous or now - _TICK).astimezone(UTC)
        shown = after.astimezone(self.zone).replace(tzinfo=UTC, fold=0)
        while (later := self._shown(shown + _TICK)) is not None:
            moment = later.replace(tzinfo=self.zone).astimezone(UTC)
            if moment > after:
                return moment
            shown = later
        return None

    def _shown(self, since: datetime) -> datetime | None:
        """What the wall clock shows at the next night; None if there never is one."""
        found = (trigger.get_next_fire_time(None, since) for trigger in self.wall)
        return min(filter(None, found), default=None)


def trigger_of(config: Config) -> Nights:
    """The trigger of `schedule.cron` in `schedule.timezone`; raises ConfigError if it is none."""
    minute, hour, day, month, weekday = config.schedule.cron.split()
    # Where both are restricted, cron takes either (crontab(5)); APScheduler would take both.
    either = day[0] != "*" and weekday[0] != "*"
    days = [(day, "*"), ("*", weekday)] if either else [(day, weekday)]
    try:
        wall = tuple(
            CronTrigger(
                minute=minute,
                hour=hour,
                day=on_day,
                month=month,
                day_of_week=_named(on_weekday),
                timezone=UTC,
            )
            for on_day, on_weekday in days
        )
    except ValueError as error:
        raise _no_cron(f"{error}") from error
    nights = Nights(ZoneInfo(config.schedule.timezone), wall)
    if nights.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise _no_cron("there is no such day")
    return nights


def _no_cron(why: str) -> ConfigError:
    return ConfigError(
        f"schedule.cron is no cron expression: {why}.",
        hint='write it as five fields, such as "30 2 * * *", then: reconcile schedule',
    )


def _named(weekdays: str) -> str:
    """A weekday field of cron as APScheduler's list of names; raises ValueError."""
    if weekdays == "*":
        return weekdays
    return ",".join(name for part in weekdays.split(",") for name in _names(part))


def _names(part: str) -> list[str]:
    """`*/2`, `1-5`, `mon-fri`, `0` → the names; the first day up to the last, by the step."""
    days, _, step = part.partition("/")
    first, _, last = ("0-6" if days == "*" else days).partition("-")
    begin, end = _number(first), _number(last or ("6" if step else first))
    if end < begin and end == 0:  # fri-sun: Sunday ends a week as well as it begins one
        end = 7
    every = int(step or 1)
    if end < begin or every < 1:
        raise ValueError(f"{part!r} is no range of weekdays")
    return list(dict.fromkeys(_WEEKDAYS[begin : end + 1 : every]))


def _number(weekday: str) -> int:
    if weekday.lower() in _WEEKDAYS:
        return _WEEKDAYS.index(weekday.lower())
    if weekday not in set("01234567"):
        raise ValueError(f"{weekday!r} is no weekday")
    return int(weekday)


# ---------------------------------------------------------------------------- what


@dataclass(slots=True)
class _Bugs:
    """Hears from APScheduler what became of a night, and keeps an exception that is our fault."""

    found: list[Exception] = field(default_factory=list)

    def __call__(self, event: Any) -> None:  # noqa: ANN401 - APScheduler has no types
        """One event of a job."""
        if event.code == EVENT_JOB_ERROR:
            self.found.append(event.exception)
        else:
            _say("a run was left out: the last one had not ended, or this machine was asleep")


def run_forever(config: Config, world: World) -> int:
    """Run on the cron expression until a signal comes; gives the signal's exit code.

    Raises ConfigError for what is no cron expression, and whatever a bug raised in a night.
    """
    nights, bugs = trigger_of(config), _Bugs()
    logging.getLogger("apscheduler").addHandler(logging.NullHandler())  # the bug is told by us
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    scheduler.add_listener(bugs, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    scheduler.add_job(
        night,
        nights,
        args=[config, world],
        max_instances=1,
        coalesce=True,
        misfire_grace_time=_LATE,
    )
    scheduler.start()
    _announce(config, nights, world)
    while (code := world.interrupted()) is None and not bugs.found:
        world.sleep(_LOOK)
        scheduler.wakeup()  # its own wait stands still while a machine sleeps, and is too long then
    scheduler.shutdown(wait=True)
    if bugs.found:
        raise bugs.found[0]
    return int(code or Exit.CONVERGED)


def _announce(config: Config, nights: Nights, world: World) -> None:
    moment = nights.get_next_fire_time(None, world.clock())
    if moment is not None:
        shown = moment.astimezone(nights.zone)
        _say(f"mode {config.mode}, next run {shown:%Y-%m-%d %H:%M %Z}; Ctrl-C ends it")


def night(config: Config, world: World) -> Exit:
    """One run; what goes wrong is said, and the next night comes all the same."""
    try:
        with notify.watched(config, world) as watch:
            report = run.run_once(config, world)
            watch.ended(report)
    except ReconcileError as error:
        where = (f" {problem}." for problem in error.problems)
        hint = f" Next: {error.hint}" if error.hint else ""
        _say(f"{error.message}{''.join(where)} {error.consequence}{hint}")
        return Exit(error.exit_code)
    _say(f"run {report.run.id}, exit {int(report.exit_code)}: {report.headline}")
    return report.exit_code


def _say(line: str) -> None:
    sys.stderr.write(f"reconcile: {printable(line)}\n")
    sys.stderr.flush()
