"""The parts of one command, opened in the order in which they may fail, and closed again.

Owns the lock, the ledger and the reader while a command runs. Constructs no `PbxWriter`: that is
for those who have something approved to do.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile.pbx.client import Connection, PbxReader
from reconcile.pbx.connection import origin
from reconcile.report import files
from reconcile.store.ledger import Ledger
from reconcile.store.lock import PbxLock, RunLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from reconcile.config import Config
    from reconcile.crm.sources.place import Place
    from reconcile.model import Exit
    from reconcile.pbx.trace import Trace


PROGRESS_LINES: Final = "RECONCILE_PROGRESS_LINES"
"""A variable by which the process that starts this one asks for its progress: a line on stderr for
each step, marked by `PROGRESS_MARK`, with a JSON list of what, done, and of how much."""
PROGRESS_MARK: Final = "\x1e"


def _quiet(_what: str, _done: int, _all: int) -> None:
    """Progress that nobody looks at."""


def _never() -> None:
    """No signal has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a command needs of the machine that it runs on; time comes from here and only here."""

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    user: str
    """Who runs the command; recorded with approvals and adoptions."""
    interrupted: Callable[[], Exit | None] = _never
    """The exit code of the signal that asked to stop, or None."""
    progress: Callable[[str, int, int], None] = _quiet
    """Called with what is being done, how much is done, and of how much."""
    trace: Trace | None = None
    """The request log, if one was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The open parts."""

    config: Config
    world: World
    ledger: Ledger
    reader: PbxReader
    connection: Connection
    reports: Path
    locked: Callable[[], bool]
    """Whether the locks are still this command's."""

    def now(self) -> datetime:
        """The world's time."""
        return self.world.clock()


def connection_of(config: Config, world: World) -> Connection:
    """How to reach the PBX; raises ConfigError without a secret."""
    return Connection(
        url=config.pbx.url,
        client_id=config.pbx.client_id,
        client_secret=config.client_secret(world.environ),
        ca_file=str(config.path(config.pbx.ca_file)) if config.pbx.ca_file else "",
        concurrency=config.pbx.concurrency,
        timeout=config.pbx.timeout_seconds,
    )


def place_of(config: Config, world: World, *, export: str | None = None) -> Place:
    """Where the export is: the file named by hand, or what the configuration says.

    Raises ConfigError if a secret or an address that the configuration names isn't there.
    """
    from reconcile.crm.sources.place import Place

    if export is not None:
        return Place(source=export, base=config.base)
    crm = config.crm
    return Place(
        source=config.source_location(world.environ),
        base=config.base,
        url=crm.url,
        sql=crm.sql,
        auth=crm.auth,
        user=crm.user,
        secret=config.source_secret(world.environ),
        options=crm.options,
        ca_file=str(config.path(crm.ca_file)) if crm.ca_file else "",
        timeout=crm.timeout_seconds,
        sleep=world.sleep,
    )


def reader_of(connection: Connection, world: World) -> PbxReader:
    """A reader that waits and leaves its traces in this world."""
    return PbxReader(connection, sleep=world.sleep, trace=world.trace)


def state(config: Config) -> Ledger:
    """The state, for looking, or for a word that must not wait for a run to end.

    Raises StateError.
    """
    address, marks = origin(config.pbx.url), config.path(config.report.directory)
    return Ledger.open(config.state.url, base=config.base, pbx_url=address, marks=marks)


@contextmanager
def local(config: Config, world: World, command: str) -> Iterator[Ledger]:
    """The state alone, under its lock: for what needs no PBX.

    Raises StateError or LockBusy.
    """
    url, base = config.state.url, config.base
    with (
        RunLock(url, base=base, command=command, now=world.clock()),
        state(config) as ledger,
    ):
        yield ledger


@contextmanager
def opened(config: Config, world: World, command: str) -> Iterator[Session]:
    """Secret, report folder, locks, state, connection: whatever is missing stops it before work.

    Raises ConfigError, StateError or LockBusy. No request is sent yet.
    """
    connection = connection_of(config, world)
    reports = config.path(config.report.directory)
    files.check_writable(reports)
    url, base = config.state.url, config.base
    with (
        RunLock(url, base=base, command=command, now=world.clock()) as lock,
        PbxLock(connection.url) as pbx_lock,
        Ledger.open(url, base=base, pbx_url=connection.url, marks=reports) as ledger,
        reader_of(connection, world) as reader,
    ):
        yield Session(
            config=config,
            world=world,
            ledger=ledger,
            reader=reader,
            connection=connection,
            reports=reports,
            locked=lambda: lock.still_held() and pbx_lock.still_held(),
        )
