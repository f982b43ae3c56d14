"""On a worker of an engine: the crew of one that runs a job which was sent.

Holds no secret: the job's process finds those that the job names in the environment of this worker
or in its files. A lock that another process still has, such as that of a worker that died, is
waited for; the job's process then decides, under the lock, whether the slot is still to be had.
"""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from distributed import get_worker
from distributed.core import Status as Standing

from reconcile import __version__
from reconcile import config as configuration
from reconcile.errors import ReconcileError, StateError, UsageError
from reconcile.fleet.crew import LOOK, Crew, Wish, failed, not_begun
from reconcile.fleet.jobs import Job, Refused, because, job_of
from reconcile.fleet.sent import Answer, marks, take_marks
from reconcile.model import Exit
from reconcile.report import files
from reconcile.session import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from distributed import Worker

    from reconcile.fleet.sent import Order
    from reconcile.report.fleet import JobPart

FOLDER: Final = "RECONCILE_JOBS"
"""The variable that names the folder of a worker's jobs."""
TOPIC: Final = "reconcile"
"""Under which the engine passes on what jobs say."""
_FIRST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(seconds=60)
"""The first wait for a lock, and the longest; each is twice the one before."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_AT_WORK: Final = {Standing.running, Standing.paused}
_asked: Final[dict[str, Exit]] = {}
"""Orders that are to end, and by which code: it must be known to those that begin later, too."""


def ask(tokens: Iterable[str], code: int) -> None:
    """Have these orders end when what they have in hand is finished; called on every worker."""
    _asked.update(dict.fromkeys(tokens, Exit(code)))


def run_job(order: Order) -> Answer:
    """Run a job, once for its slot, to its line in the report."""
    if order["version"] != __version__:
        why = f"The worker has reconcile {__version__}, and who sent the job {order['version']}."
        return _answer(Refused(name=order["name"], why=(why, "Nothing was done.")).line())
    worker = get_worker()
    telling = _Telling(worker, order)
    telling.tell("taken")
    world = _world(worker, order)
    try:
        job = _received(order, jobs_folder(world.environ))
    except ReconcileError as error:
        job = because(order["name"], error)
    if isinstance(job, Refused):
        return _answer(job.line())
    return _answer(_Turn(job=job, order=order, world=world, telling=telling).part(), job)


def _answer(part: JobPart, job: Job | None = None) -> Answer:
    """The line, told where it was run, and the report that it speaks of."""
    where = platform.node() if job is None else f"{platform.node()}, in {job.config.base}"
    if part.run is not None and part.seconds is None:  # its slot was had, wherever that was
        where = ""
    part = part.model_copy(update={"where": where, "page": ""})
    report = files.carried(job.reports, part.run) if job and part.run is not None else {}
    noted = []
    with suppress(StateError):  # the job itself has said so
        noted = marks(job) if job else []
    return Answer(line=part.model_dump_json(), marks=noted, run=part.run, report=report)


def _world(worker: Worker, order: Order) -> World:
    def interrupted() -> Exit | None:
        ending = None if worker.status in _AT_WORK else Exit.TERMINATED
        return _asked.get(order["token"], ending)

    return World(
        environ=os.environ,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        user=f"uid {os.getuid()}",
        interrupted=interrupted,
    )


# ---------------------------------------------------------------------------- the folder


def jobs_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the jobs of this worker, made for its owner only. Raises StateError."""
    of_user = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(environ.get(FOLDER) or Path(of_user, "reconcile", "jobs")).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise StateError(
            f"The folder {folder} of this worker's jobs can't be made: {error.strerror or error}.",
            hint=f"set {FOLDER} on the worker to a folder of its own, and start it again",
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StateError(
            f"The folder {folder} of this worker's jobs is open to others.",
            hint=f"let it belong to the worker's user, and: chmod 700 {folder}",
        )
    return folder


def _received(order: Order, folder: Path) -> Job | Refused:
    """The job, in files of this machine. Raises StateError or UsageError."""
    _put(folder / configuration.DEFAULTS, "# What was sent is whole: nothing stands here.\n", "")
    path = folder / f"{order['name']}.toml"
    _put(path, f"# The job of {order['pbx']}, as it was sent to this worker.\n", order["job"])
    job = job_of(path)
    if isinstance(job, Refused):
        return job
    take_marks(job, order["marks"])
    if order["last_run"] is not None:
        files.take_in(order["last_report"], job.reports, order["last_run"])
    return job


def _put(path: Path, head: str, text: str) -> None:
    """Write a file of ours.

    Raises UsageError if there is one that is not, or is another job's, and StateError.
    """
    try:
        if path.exists() and not path.read_bytes().startswith(head.encode()):
            raise UsageError(
                f"{path} on this worker is not the file that this job had there.",
                hint=f"give one of two jobs another name, or the worker another {FOLDER}; if the"
                f" file is of no use any more: rm {path}",
            )
        with files.whole(path) as file:
            file.write(f"{head}{text}".encode())
    except OSError as error:
        raise StateError(
            f"{path} on this worker can't be written: {error.strerror or error}.",
            hint="make room or mend the folder's rights there",
        ) from error


# ---------------------------------------------------------------------------- running


@dataclass(slots=True)
class _Telling:
    """A watcher whose words the engine passes on to whoever sent the order."""

    worker: Worker
    order: Order
    moved_at: datetime = _LONG_AGO

    def began(self, job: str) -> None:
        """Its process runs."""
        del job
        self.tell("began")

    def moved(self, job: str, what: str, done: int, total: int) -> None:
        """Once a second, and at the end of it."""
        del job
        now = datetime.now(UTC)
        if done >= total or now - self.moved_at > _SECOND:
            self.moved_at = now
            self.tell("moved", what, done, total)

    def said(self, job: str, line: str) -> None:
        """A line that it wrote to stderr."""
        del job
        self.tell("said", line)

    def ended(self, part: JobPart) -> None:
        """The answer tells it."""

    def tell(self, *words: str | int) -> None:
        """Begin with what it is."""
        self.worker.log_event(TOPIC, [self.order["token"], *words])


@dataclass(kw_only=True, slots=True)
class _Turn:
    """One job, until its lock was free."""

    job: Job
    order: Order
    world: World
    telling: _Telling

    def part(self) -> JobPart:
        """Its line: again and again for as long as another process holds its lock."""
        over = self.world.clock() + timedelta(seconds=self.order["limit"])
        pause = _FIRST
        while True:
            if code := self.world.interrupted():
                return not_begun(self.job.name, code)
            part = self._tried(over - self.world.clock())
            until = self.world.clock() + pause
            if part.exit_code is not Exit.LOCKED or until >= over:
                return part
            self._wait(until)
            pause = min(2 * pause, _LONGEST)

    def _tried(self, limit: timedelta) -> JobPart:
        dry_run, slot = self.order["dry_run"], self.order["slot"]
        crew = Crew(
            world=self.world,
            wish=Wish(dry_run=dry_run, resume=not dry_run, slot=slot, at_once=1, limit=limit),
            watcher=self.telling,
            directory=self.job.reports,
            variables=frozenset(self.order["foreign"]),
        )
        try:
            (part,) = crew.run([self.job])
        except OSError as error:  # no thread, no temporary file
            return failed(self.job.name, [f"It can't be run: {error.strerror or error}."])
        return part

    def _wait(self, until: datetime) -> None:
        while self.world.clock() < until and not self.world.interrupted():
            self.world.sleep(LOOK)
