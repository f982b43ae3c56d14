"""Slots: when the schedule says that a job is due, and which run has it.

A slot is a moment, in UTC, at which `schedule.cron` says so on the clocks of `schedule.timezone`. A
job runs once for each, however many schedulers, machines or people ask: the state has a row for a
slot, and whoever holds the run lock decides. It is had when a run has come to its end for it or
since; it is taken over from a run that was interrupted or killed. A run that nobody asked to look
(`reconcile run` without `--resume`) is never refused.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from pydantic import TypeAdapter

from reconcile.errors import ConfigError, ReconcileError, UsageError
from reconcile.model import Slot, SlotHad
from reconcile.session import state
from reconcile.store.rows import AHEAD

if TYPE_CHECKING:
    from reconcile.config import Config

_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As cron counts them: from Sunday, which is 0 and 7. APScheduler counts from Monday."""
_TICK: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""APScheduler knows no years before."""
_HAD: Final = TypeAdapter(SlotHad)


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

    def last(self, now: datetime) -> datetime:
        """The newest moment that is not after `now`, in UTC; the epoch if there was none since."""
        span, found = timedelta(minutes=1), None
        while found is None or found > now:
            if now - span < _EPOCH:
                return _EPOCH
            found = self.get_next_fire_time(now - span, now)
            span *= 2
        return self._newest(found, now)

    def _newest(self, found: datetime, until: datetime) -> datetime:
        """The same from one of the moments on, by halves: there may be one each minute."""
        now = until
        while (later := self.get_next_fire_time(found, now)) is not None and later <= now:
            middle = later + (until - later) / 2
            beyond = self.get_next_fire_time(middle, now)
            if beyond is None or beyond > now:
                found, until = later, middle
            else:
                found = beyond
        return found

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


# ---------------------------------------------------------------------------- who


def asked(config: Config, now: datetime, named: str | None = None) -> datetime:
    """The slot that a run is asked for: the newest there is, or one that somebody names.

    Raises ConfigError for what is no cron expression, UsageError for a moment that is none, is
    before 1970, or is further ahead than another machine's clock can be.
    """
    if named is None:
        return trigger_of(config).last(now)
    try:
        moment = datetime.fromisoformat(named)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not _EPOCH <= moment <= now + AHEAD:
        raise UsageError(
            f"{named!r} is no slot: it must be a moment with its time zone, since 1970 and not in"
            " the future.",
            hint="reconcile run --resume --slot 2026-11-24T02:30Z",
        )
    return moment.astimezone(UTC)


def looked_up(config: Config, now: datetime) -> SlotHad | None:
    """The run that has had the newest slot, for whoever asks without the run lock.

    None, too, if the state can't be asked: a run says what is wrong with it. Raises ConfigError.
    """
    moment = asked(config, now)
    try:
        with state(config) as ledger:
            return ledger.slot_had(moment, now=now)
    except ReconcileError:
        return None


def taken(moment: datetime) -> Slot:
    """A slot as this process takes it."""
    return Slot(moment=moment, run_id=0, pid=os.getpid(), host=socket.gethostname())


def said(moment: datetime) -> str:
    """A slot as people read it."""
    return f"slot {moment:%Y-%m-%d %H:%M} UTC"


def of_holder(slot: Slot | SlotHad) -> str:
    """The process that took a slot; "" of a run that was none for it."""
    return f" of process {slot.pid} on {slot.host}" if slot.pid else ""


def taken_over(moment: datetime, died: Slot) -> str:
    """That a slot goes on from a run that died over it, in a sentence."""
    who = f"run {died.run_id}{of_holder(died)}"
    return f"{said(moment)} is taken over from {who}, which came to no end"


def told(had: SlotHad) -> str:
    """Which run has had a slot, when, and how it ended, in a sentence."""
    run = had.run
    return (
        f"{said(had.moment)} was run by run {run.id}{of_holder(had)}, begun"
        f" {run.started_at:%Y-%m-%d %H:%M} UTC, exit {run.exit_code}: {run.headline}"
    )


def read(text: bytes) -> SlotHad:
    """What `reconcile run --resume --json` printed of a slot that was had. Raises ValueError."""
    return _HAD.validate_json(text)
