"""APScheduler → run_once: the nights of a machine without cron, such as a container.

Keeps no state of its own: the schedule comes from the configuration, what is remembered is the
ledger's, and overlap is prevented by the run lock as everywhere.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from reconcile import notify, run
from reconcile.errors import ConfigError, ReconcileError
from reconcile.model import Exit

if TYPE_CHECKING:
    from reconcile.config import Config
    from reconcile.session import World

_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LATE: Final = 3600
"""Seconds that a night may start late (a sleeping machine) and still be run, once."""
_LOOK: Final = 0.2
"""Seconds between two looks whether a signal came."""


def run_forever(config: Config, world: World) -> int:
    """Run on the cron expression until a signal comes; gives the signal's exit code."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)}, timezone=ZoneInfo(config.schedule.timezone)
    )
    scheduler.add_job(
        night,
        trigger_of(config),
        args=[config, world],
        max_instances=1,
        coalesce=True,
        misfire_grace_time=_LATE,
    )
    scheduler.start()
    _say(f"next run {scheduler.get_jobs()[0].next_run_time}")
    while (code := world.interrupted()) is None:
        world.sleep(_LOOK)
    scheduler.shutdown(wait=True)
    return int(code)


def trigger_of(config: Config) -> CronTrigger:
    """The trigger of `schedule.cron` in `schedule.timezone`; raises ConfigError if it is none."""
    minute, hour, day, month, weekday = config.schedule.cron.split()
    try:
        return CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_named(weekday),
            timezone=config.schedule.timezone,
        )
    except ValueError as error:
        raise ConfigError(
            f"schedule.cron is no cron expression: {error}.", hint="edit config.toml"
        ) from error


def _named(weekday: str) -> str:
    """Weekdays by name: cron counts from Sunday (0 or 7), APScheduler from Monday (0)."""
    return re.sub(r"(?<![/\d])[0-7](?!\d)", lambda m: _WEEKDAYS[int(m.group()) % 7], weekday)


def night(config: Config, world: World) -> Exit:
    """One run; what goes wrong is said, and the next night comes all the same."""
    try:
        with notify.watched(config.notify.healthcheck_url) as watch:
            report = run.run_once(config, world)
            watch.ended(report)
    except ReconcileError as error:
        _say(f"{error.message} {error.consequence} Next: {error.hint}")
        return Exit(error.exit_code)
    _say(f"run {report.run.id}, exit {int(report.exit_code)}: {report.headline}")
    return report.exit_code


def _say(line: str) -> None:
    sys.stderr.write(f"reconcile: {line}\n")
    sys.stderr.flush()
