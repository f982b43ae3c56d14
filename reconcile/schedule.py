"""APScheduler → run_slot: the nights of a machine without cron, such as a container.

Keeps no state of its own: the schedule comes from the configuration, what is remembered is the
ledger's, and overlap is prevented by the run lock as everywhere. Several machines may do so for one
state: each slot is run once, by the first that gets the lock, and by another if that one dies. A
night that goes wrong is said and the next one comes; a bug of ours ends the process.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from reconcile import notify, run, slots
from reconcile.errors import LockBusy, ReconcileError
from reconcile.model import Exit, SlotHad
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.config import Config
    from reconcile.model import Slot
    from reconcile.notify import Watch
    from reconcile.report.model import Report
    from reconcile.session import World

_LATE: Final = timedelta(hours=1)
"""So late may a night start (a sleeping machine, a lock that is busy) and still be run, once."""
_LOOK: Final = 0.2
"""Seconds between two looks whether a signal came."""
_LOOKS: Final = 10
"""After so many of them one sees whether a busy lock is free."""


# ---------------------------------------------------------------------------- one night


@dataclass(slots=True, kw_only=True)
class Nights:
    """The nights of one job, one after the other; each is for the slot that the schedule names."""

    config: Config
    world: World
    trigger: slots.Nights
    waits: bool = False
    """Whether the lock is busy. A slot that comes meanwhile is not left out: it is the one that is
    waited for then."""

    def night(self, slot: datetime) -> Exit:
        """One slot; what goes wrong is said, and the next night comes all the same."""
        try:
            with notify.watched(self.config, self.world, for_slot=True) as watch:
                found = self._found(watch, slot)
                if not isinstance(found, SlotHad):
                    watch.ended(found)
        except ReconcileError as error:
            where = (f" {problem}." for problem in error.problems)
            hint = f" Next: {error.hint}" if error.hint else ""
            _say(f"{error.message}{''.join(where)} {error.consequence}{hint}")
            return Exit(error.exit_code)
        finally:
            self.waits = False
        if isinstance(found, SlotHad):
            _say(f"{slots.told(found)} Nothing was done here.")
            return Exit.CONVERGED
        _say(f"run {found.run.id}, exit {int(found.exit_code)}: {found.headline}")
        return found.exit_code

    def _found(self, watch: Watch, slot: datetime) -> Report | SlotHad:
        """Run it, once the lock is free; it may have had its run then. Raises LockBusy.

        A lock that stays busy is told once an hour, also while slots come more often than that.
        """

        def begins(died: Slot | None) -> None:
            self.waits = False
            watch.begins()
            if died:
                _say(slots.taken_over(slot, died))

        said, told = None, slot
        while True:
            try:
                return run.run_slot(self.config, self.world, slot, begins=begins)
            except LockBusy as busy:
                if watch.begun:
                    raise
                self.waits = True
                if said != slot:
                    _say(f"{slots.said(slot)} waits. {busy.message}")
                said = slot
                self._pause(busy)
                slot = max(slot, self.trigger.last(self.world.clock()))
                now = self.world.clock()
                if now - told > _LATE:
                    watch.failed(busy)
                    told = now
                if now - slot > _LATE:
                    raise

    def _pause(self, busy: LockBusy) -> None:
        """Before one looks again: the holder may end, or die. Raises LockBusy if a signal came."""
        for _ in range(_LOOKS):
            if self.world.interrupted():
                raise busy
            self.world.sleep(_LOOK)


# ---------------------------------------------------------------------------- all nights


class _Hand(ThreadPoolExecutor):  # type: ignore[misc] # APScheduler has no types
    """Runs one night after the other, and knows for which moment."""

    _slot: datetime

    def __init__(self, nights: Nights) -> None:
        super().__init__(1)
        self._nights = nights

    def night(self) -> None:
        """The night that is due."""
        self._nights.night(self._slot)

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:  # noqa: ANN401 - APScheduler has no types
        """Called by APScheduler, with a moment, while no night is under way."""
        self._slot = run_times[-1]
        super()._do_submit_job(job, run_times)


@dataclass(slots=True)
class _Bugs:
    """Hears from APScheduler what became of a night, and keeps an exception that is our fault."""

    nights: Nights
    found: list[Exception] = field(default_factory=list)

    def __call__(self, event: Any) -> None:  # noqa: ANN401 - APScheduler has no types
        """One event of a job."""
        if event.code == EVENT_JOB_ERROR:
            self.found.append(event.exception)
        elif event.code == EVENT_JOB_MISSED or not self.nights.waits:
            _say("a run was left out: the last one had not ended, or this machine was asleep")


def run_forever(config: Config, world: World) -> int:
    """Run on the cron expression until a signal comes; gives the signal's exit code.

    Raises ConfigError for what is no cron expression, and whatever a bug raised in a night.
    """
    nights = Nights(config=config, world=world, trigger=slots.trigger_of(config))
    hand, bugs = _Hand(nights), _Bugs(nights)
    logging.getLogger("apscheduler").addHandler(logging.NullHandler())  # the bug is told by us
    scheduler = BackgroundScheduler(executors={"default": hand}, timezone=UTC)
    scheduler.add_listener(bugs, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    scheduler.add_job(
        hand.night,
        nights.trigger,
        max_instances=1,
        coalesce=True,
        misfire_grace_time=int(_LATE.total_seconds()),
    )
    scheduler.start()
    _announce(nights)
    while (code := world.interrupted()) is None and not bugs.found:
        world.sleep(_LOOK)
        scheduler.wakeup()  # its own wait stands still while a machine sleeps, and is too long then
    scheduler.shutdown(wait=True)
    if bugs.found:
        raise bugs.found[0]
    return int(code or Exit.CONVERGED)


def _announce(nights: Nights) -> None:
    moment = nights.trigger.get_next_fire_time(None, nights.world.clock())
    if moment is not None:
        shown = moment.astimezone(nights.trigger.zone)
        _say(f"mode {nights.config.mode}, next run {shown:%Y-%m-%d %H:%M %Z}; Ctrl-C ends it")


def _say(line: str) -> None:
    sys.stderr.write(f"reconcile: {printable(line)}\n")
    sys.stderr.flush()
