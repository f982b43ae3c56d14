"""Jobs in processes of this machine, at most so many at once, each followed to its line.

The process of a job is the very command that a person types for it alone. Whoever runs jobs, here
or on a worker of an engine, does it by this.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from pydantic import ValidationError

from reconcile import slots
from reconcile.errors import UsageError
from reconcile.model import Exit, Status
from reconcile.report import files
from reconcile.report import fleet as combining
from reconcile.report.model import Report
from reconcile.session import PROGRESS_LINES, PROGRESS_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import IO

    from reconcile.fleet.jobs import Job
    from reconcile.model import SlotHad
    from reconcile.report.fleet import JobPart
    from reconcile.session import World

AT_ONCE: Final = 4
LIMIT: Final = timedelta(minutes=120)
PATIENCE: Final = timedelta(seconds=60)
"""For a job that was asked to stop, to finish what it has in hand."""
LOOK: Final = 0.2
"""Seconds between two looks at signals and clocks."""
AGAIN: Final = "Next: the same command with --resume"
_KEPT: Final = 200
"""Lines of what a job says that are kept; an explanation has a few."""
_SIGNALLED: Final[Mapping[int, int]] = {
    -signal.SIGTERM: Exit.TERMINATED,
    -signal.SIGINT: Exit.INTERRUPTED,
}


class Watcher(Protocol):
    """Who is told while the jobs go on; called from several threads."""

    def began(self, job: str) -> None:
        """Its process runs."""

    def moved(self, job: str, what: str, done: int, total: int) -> None:
        """`done` of `total` of `what`."""

    def said(self, job: str, line: str) -> None:
        """A line that it wrote to stderr."""

    def ended(self, part: JobPart) -> None:
        """What became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a fleet."""

    only: tuple[str, ...] = ()
    """Names of jobs; none: all."""
    resume: bool = False
    """Leave out those that have had their slot."""
    dry_run: bool = False
    slot: str = ""
    """To resume: this slot, a moment in UTC; "": the newest."""
    on: str = ""
    """The engine that runs them, such as `dask://scheduler:8786`; "": this machine."""
    at_once: int | None = None
    """At most so many; None: `AT_ONCE` here, and on an engine as many as its workers have threads.
    """
    limit: timedelta = LIMIT
    """Longest time of one job; then it is asked to stop, and killed if it doesn't."""
    report: Path | None = None
    """The folder of the report of all; None: `fleet` among the jobs."""


@dataclass(slots=True)
class _Process:
    """A job under way."""

    started: subprocess.Popen[str]
    since: datetime
    asked: datetime | None = None
    """When it was told to stop, because it took too long."""

    def kill(self) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.started.pid, signal.SIGKILL)


@dataclass(kw_only=True)
class Crew:
    """The jobs under way, at most so many, and those that wait for their turn."""

    world: World
    wish: Wish
    watcher: Watcher
    directory: Path
    variables: frozenset[str]
    """The variables with secrets of all jobs; a job's process gets those that the job names."""
    _under_way: dict[str, _Process] = field(default_factory=dict)
    _stopped: Exit | None = None
    _lock: Lock = field(default_factory=Lock)
    """For the two before: no job begins once the others were told to stop."""

    def run(self, jobs: Sequence[Job]) -> list[JobPart]:
        """Run them to their end, or to the end of what they have in hand once a signal came."""
        with ThreadPoolExecutor(self.wish.at_once or AT_ONCE) as places:
            parts = [places.submit(self._one, job) for job in jobs]
            try:
                while wait(parts, timeout=LOOK).not_done:
                    self._look()
            except BaseException:  # a second signal: they end at once, and then this command
                self._stop(Exit.INTERRUPTED)
                raise
        return [part.result() for part in parts]

    def _look(self) -> None:
        """Pass a signal on, once; and see who takes too long."""
        code = self.world.interrupted()
        if code and not self._stopped:
            self._stop(code)
        now = self.world.clock()
        with self._lock:
            for process in self._under_way.values():
                self._urge(process, now)

    def _stop(self, code: Exit) -> None:
        with self._lock:
            self._stopped = code
            for process in self._under_way.values():
                process.started.terminate()

    def _urge(self, process: _Process, now: datetime) -> None:
        """Whoever takes too long is asked to stop, and then not asked any more."""
        if process.asked is None and now - process.since > self.wish.limit:
            process.asked = now
            process.started.terminate()
        elif process.asked and now - process.asked > PATIENCE:
            process.kill()

    def _one(self, job: Job) -> JobPart:
        """A job from its beginning to its line in the report."""
        with tempfile.TemporaryFile() as out:  # its report, without a name on the disk
            try:
                process = self._begun(job, out)
            except OSError as error:
                part = failed(
                    job.name, [f"Its process can't be started: {error.strerror or error}."]
                )
            else:
                part = self._followed(job, process, out) if process else self._not_begun(job)
        self.watcher.ended(part)
        return part

    def _begun(self, job: Job, out: IO[bytes]) -> _Process | None:
        """Its process; None if a signal came before. Raises OSError."""
        with self._lock:
            if self._stopped or self.world.interrupted():
                return None
            started = subprocess.Popen(
                _command(job, self.wish),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=_environ(job, self.variables, self.world.environ),
                start_new_session=True,  # Ctrl-C stops this command, which then stops the jobs
                encoding="utf-8",
                errors="backslashreplace",
            )
            process = self._under_way[job.name] = _Process(started, self.world.clock())
        return process

    def _followed(self, job: Job, process: _Process, out: IO[bytes]) -> JobPart:
        with process.started:
            self.watcher.began(job.name)
            said = self._listened(job, process)
        code = process.started.returncode
        with self._lock:
            del self._under_way[job.name]
        seconds = (self.world.clock() - process.since).total_seconds()
        out.seek(0)
        text = out.read()
        if self.wish.resume:
            with suppress(ValueError):
                return line_of(job.name, slots.read(text), job.place(self.directory))
        part = self._line(job, code, text, said)
        if process.asked:
            minutes = self.wish.limit.total_seconds() / 60
            late = f"Stopped, as it took more than {minutes:,.0f} minutes. {part.headline}"
            part = part.model_copy(update={"headline": late})
        return part.model_copy(update={"seconds": round(seconds, 3)})

    def _listened(self, job: Job, process: _Process) -> list[str]:
        """Pass on what it says until it says no more; gives the last of it."""
        said: deque[str] = deque(maxlen=_KEPT)
        for line in map(str.rstrip, process.started.stderr or ()):
            if line.startswith(PROGRESS_MARK):
                with suppress(ValueError):  # it may be killed in the middle of a line
                    self.watcher.moved(job.name, *json.loads(line.removeprefix(PROGRESS_MARK)))
                continue
            said.append(line)
            self.watcher.said(job.name, line)
        return list(said)

    def _line(self, job: Job, code: int, out: bytes, said: list[str]) -> JobPart:
        place = job.place(self.directory)
        with suppress(ValidationError):
            report = Report.model_validate_json(out)
            # A signal that met it when all was done and told, on its way out, changes nothing.
            if code == report.exit_code or code in _SIGNALLED:
                return combining.of_report(job.name, report, place, seconds=0)
        following = AGAIN if self.wish.resume else f"Next: reconcile --config {job.path} run"
        return _without_report(job.name, code, said, following)

    def _not_begun(self, job: Job) -> JobPart:
        return not_begun(job.name, self._stopped or self.world.interrupted() or Exit.INTERRUPTED)


def not_begun(
    name: str, code: Exit, *, why: str = "A signal came before its turn.", following: str = AGAIN
) -> JobPart:
    """The line of a job whose turn did not come."""
    return combining.of_words(name, [why, following], status="not_begun", exit_code=code)


def line_of(name: str, had: SlotHad, place: combining.Place) -> JobPart:
    """A job whose slot was had: its line stands as that run ended."""
    with suppress(UsageError):
        report = files.read(place.reports, had.run.id)
        return combining.of_report(name, report, place, seconds=None)
    return combining.of_record(name, had.run, place)


def _command(job: Job, wish: Wish) -> list[str]:
    """What a person types for this job alone; -P: a file of the folder we are in is no module."""
    mine = ("--config", str(job.path.absolute()), "run", "--json")
    asked = {"--dry-run": wish.dry_run, "--resume": wish.resume, f"--slot={wish.slot}": wish.slot}
    options = (option for option, given in asked.items() if given)
    return [sys.executable, "-P", "-m", "reconcile", *mine, *options]


def _environ(job: Job, secret: frozenset[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the secrets of the other jobs, and with the wish for progress."""
    foreign = secret - job.config.variables()
    kept = {name: value for name, value in environ.items() if name not in foreign}
    return {**kept, PROGRESS_LINES: "1"}


def _without_report(name: str, code: int, said: list[str], following: str) -> JobPart:
    """A job that ended without a report: what it explained, or what is known of its end."""
    explained = _last_explanation(said)
    code = _SIGNALLED.get(code, code)
    if code in _SIGNALLED.values():
        why = explained or ["Stopped before it did anything.", "Next: the same command again"]
        return combining.of_words(name, why, status=Status.INTERRUPTED, exit_code=Exit(code))
    if code < 0:
        sign = signal.Signals(-code).name
        why = [
            f"Its process was killed by {sign}: a person did it, or the memory was too small.",
            "The next run looks first at what this one left unfinished.",
            following,
        ]
        return combining.of_words(name, why, status="killed", exit_code=Exit.BUG)
    known = Exit(code) if code in set(Exit) and code else Exit.BUG
    return failed(name, explained or [f"It ended with {code}, without a report."], known)


def failed(name: str, why: Sequence[str], code: Exit = Exit.BUG) -> JobPart:
    """The line of a job that ended without a report, and why."""
    return combining.of_words(name, why, status="failed", exit_code=code)


def _last_explanation(said: list[str]) -> list[str]:
    """The last sentence of ours, with the indented lines that belong to it; [] if there is none."""
    starts = [at for at, line in enumerate(said) if line.startswith("reconcile: ")]
    if not starts:
        return []
    first, *rest = said[starts[-1] :]
    own = [line for line in rest if line.startswith("  ")]
    return [first.removeprefix("reconcile: "), *own]
