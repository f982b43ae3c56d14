"""What is told of one command: that it starts, how it ended, and that it could not be.

Nothing here raises what it did not get from the command itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.errors import LockBusy, ReconcileError
from reconcile.model import Exit
from reconcile.notify import ping
from reconcile.notify.complaint import complain, harmless
from reconcile.notify.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconcile.config import Config
    from reconcile.notify.metrics import Ended
    from reconcile.report.model import Report
    from reconcile.session import World


@dataclass(slots=True, kw_only=True)
class Watch:
    """The night that is being watched."""

    config: Config
    world: World
    log: Log
    started: datetime
    begun: bool = False

    def begins(self) -> None:
        """A run begins; what was waited for its slot is no part of it."""
        self.begun, self.started = True, self.world.clock()
        ping.ping(self.config.notify.healthcheck_url, "/start")
        self.log.began()

    def failed(self, error: BaseException) -> None:
        """It left no report."""
        self.log.failed(error)
        url = self.config.notify.healthcheck_url
        ping.ping(url, "/fail", f"stopped by {type(error).__name__}")
        _failed(self.config, self.world, error, self.started)

    def ended(self, report: Report) -> None:
        """It left a report."""
        self.log.ended(report)
        ping.ended(self.config.notify.healthcheck_url, report)
        tell(self.config, self.world, report)


@contextmanager
def watched(config: Config, world: World, *, for_slot: bool = False) -> Iterator[Watch]:
    """Ping the start; and tell of a night that raises, which goes on to whoever called.

    Of a run for a slot nothing is told before it `begins`: not that another has had the slot, and
    not that another is at it now, which `LockBusy` says.
    """
    log = Log(config=config, world=world, command="run")
    watch = Watch(config=config, world=world, log=log, started=world.clock())
    if not for_slot:
        watch.begins()
    try:
        yield watch
    except BaseException as error:
        if watch.begun or not isinstance(error, LockBusy):
            watch.failed(error)
        raise


def tell(config: Config, world: World, report: Report) -> None:
    """Metrics and messages of a command that left a report."""
    from reconcile.notify.metrics import Ended

    with harmless("no metrics"):
        _measure(config, Ended.of(report))
    with harmless("no message"):
        if _wanted(config):
            _send(config, world, report)


def _failed(config: Config, world: World, error: BaseException, started: datetime) -> None:
    """The same for one that left none; whoever pressed Ctrl-C needs no message."""
    from reconcile.notify import delivery, message
    from reconcile.notify.metrics import Ended

    code = error.exit_code if isinstance(error, ReconcileError) else _code(error)
    with harmless("no metrics"):
        _measure(config, Ended(started=started, finished=world.clock(), exit_code=code))
    with harmless("no message"):
        if _wanted(config) and isinstance(error, Exception):
            told = message.of_error(error, config.pbx.url)
            urls, timeout = config.receivers(world.environ), config.notify.timeout_seconds
            delivery.delivered(delivery.send(urls, [told], timeout=timeout))


def _code(error: BaseException) -> int:
    """What this process will end with, by somebody else's exception."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return int(Exit.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Exit.BUG)


def _wanted(config: Config) -> bool:
    return bool(config.notify.urls or config.notify.urls_env or config.notify.urls_file)


def _measure(config: Config, ended: Ended) -> None:
    from reconcile.notify import metrics

    if not config.notify.metrics_file:
        return
    path = config.path(config.notify.metrics_file)
    try:
        metrics.write(path, ended)
    except OSError as error:
        complain(f"no metrics: {path} can't be written: {error.strerror or error}")


def _send(config: Config, world: World, report: Report) -> None:
    """What needs a person, and the week if it is over."""
    from reconcile.notify import delivery, digest, message, news
    from reconcile.session import state

    reports, now = config.path(config.report.directory), world.clock()
    is_news = news.is_news(report, reports, now=now)
    messages = [message.of_report(report, config.pbx.url)] if is_news else []
    with harmless("no weekly digest"), state(config) as ledger:
        messages += digest.due(config, report, ledger)
    if not messages:
        return
    urls, timeout = config.receivers(world.environ), config.notify.timeout_seconds
    if delivery.delivered(delivery.send(urls, messages, timeout=timeout)) and is_news:
        news.remember(report, reports, now=now)
