"""A folder of jobs, one per customer: each run in a process of its own, and one report of all.

The process of a job is the very command that a person types for it alone, `reconcile --config JOB
run`: its verdicts are those of running it alone, and a crash, a kill or a memory that was too small
is one line of the report. Nothing is shared but the machine, the program and `defaults.toml`. Holds
no state of its own: what ran and when is in the states of the jobs.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from pydantic import ValidationError

from reconcile import config as configuration
from reconcile import slots
from reconcile.errors import ConfigError, Problem, UsageError
from reconcile.model import Exit, Status
from reconcile.pbx.connection import origin
from reconcile.report import files
from reconcile.report import fleet as combining
from reconcile.report.model import Report
from reconcile.session import PROGRESS_LINES, PROGRESS_MARK
from reconcile.store.engine import located

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import IO

    from reconcile.config import Config
    from reconcile.model import SlotHad
    from reconcile.report.fleet import FleetReport, JobPart
    from reconcile.session import World

REPORTS: Final = "fleet"
"""The folder of the report of all, among the jobs; so no job can be called that."""
LIMIT: Final = timedelta(minutes=120)
PATIENCE: Final = timedelta(seconds=60)
"""For a job that was asked to stop, to finish what it has in hand."""
_LOOK: Final = 0.2
"""Seconds between two looks at signals and clocks."""
_USER: Final = re.compile(r"://[^@/]*@")
"""As whom a server is asked makes no other state of it."""
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
    at_once: int = 4
    limit: timedelta = LIMIT
    """Longest time of one job; then it is asked to stop, and killed if it doesn't."""
    report: Path | None = None
    """The folder of the report of all; None: `fleet` among the jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file of the folder that can be run."""

    name: str
    path: Path
    config: Config
    own: tuple[tuple[str, str], ...]
    """What no other job may have alike: (key, its one spelling)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file of the folder that can't be run, and why, a sentence each."""

    name: str
    why: tuple[str, ...]


def run_all(folder: Path, world: World, wish: Wish, watcher: Watcher) -> tuple[FleetReport, Path]:
    """Run the jobs of a folder; gives the report of all, which is written, and its page.

    Raises ConfigError for what is no folder of jobs, UsageError for a job that isn't there, and
    StateError if the report can't be written. What is wrong with one job is told in its line.
    """
    began, every = world.clock(), found(folder)
    chosen = _chosen(every, wish.only)
    directory = (wish.report or folder / REPORTS).absolute()
    files.check_writable(directory)
    settled, due = _sorted_out(chosen, directory, began, resume=wish.resume)
    for part in settled:
        watcher.ended(part)
    able = tuple(job for job in every if isinstance(job, Job))
    crew = _Crew(world=world, wish=wish, watcher=watcher, directory=directory, every=able)
    report = combining.combined(
        [*settled, *crew.run(due)],
        folder=folder,
        started_at=began,
        finished_at=world.clock(),
    )
    if code := world.interrupted():
        report = report.model_copy(update={"exit_code": code})
    combining.write(report, directory)
    return report, directory / files.PAGE


# ---------------------------------------------------------------------------- which


def found(folder: Path) -> tuple[Job | Refused, ...]:
    """All jobs of a folder by name; those that share what they may not are refused, too.

    Raises ConfigError if there are none.
    """
    if not (folder / configuration.DEFAULTS).is_file():
        raise ConfigError(
            f"{folder} is no folder of jobs: there is no {configuration.DEFAULTS} in it.",
            hint=f"put what all jobs have in common there, or nothing: touch"
            f" {folder / configuration.DEFAULTS}",
        )
    paths = (p for p in sorted(folder.glob("*.toml")) if not p.name.startswith("."))
    jobs = tuple(_job(path) for path in paths if path.name != configuration.DEFAULTS)
    if not jobs:
        raise ConfigError(f"There is no job in {folder}.", hint=f"write {folder / 'NAME.toml'}")
    shared = _shared([job for job in jobs if isinstance(job, Job)])
    return tuple(shared.get(job.name, job) for job in jobs)


def _job(path: Path) -> Job | Refused:
    if path.stem == REPORTS:
        why = f"No job can be called {REPORTS}: the report of all is there."
        return Refused(name=path.stem, why=(why, "Nothing was done.", "Next: give it another name"))
    try:
        config = configuration.load(path)
        return Job(name=path.stem, path=path, config=config, own=tuple(_own(config)))
    except UsageError as error:  # a missing extra, too
        return _because(path.stem, error)


def _because(name: str, error: UsageError) -> Refused:
    following = f"Next: {error.hint}" if error.hint else ""
    why = (error.message, *map(str, error.problems), error.consequence, following)
    return Refused(name=name, why=tuple(filter(None, why)))


def _shared(jobs: Sequence[Job]) -> dict[str, Refused]:
    """By name, those that share with another what each must have of its own."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job in jobs:
        for what in job.own:
            owners[what].append(job.name)
    said: dict[str, list[str]] = defaultdict(list)
    for (key, _), names in owners.items():
        for name in names if len(names) > 1 else ():
            others = ", ".join(other for other in names if other != name)
            said[name].append(
                str(Problem(code="config", column=key, message=f"is that of {others}, too"))
            )
    head, last = "It shares with another job what each must have of its own.", "Nothing was done."
    return {name: Refused(name=name, why=(head, *why, last)) for name, why in said.items()}


def _own(config: Config) -> Iterator[tuple[str, str]]:
    """What belongs to one job alone; raises UsageError for what can't be spelt."""
    state_of = str(located(config.state.url, base=config.base))
    yield "state.url", _USER.sub("://", state_of)
    yield "pbx.url", origin(config.pbx.url)
    yield "report.directory", str(config.path(config.report.directory).resolve())
    if config.notify.metrics_file:
        yield "notify.metrics_file", str(config.path(config.notify.metrics_file).resolve())


def _chosen(every: tuple[Job | Refused, ...], only: tuple[str, ...]) -> tuple[Job | Refused, ...]:
    names = {job.name for job in every}
    if unknown := sorted(set(only) - names):
        raise UsageError(
            f"There is no job {', '.join(unknown)}.",
            hint=f"there are {', '.join(sorted(names))}",
        )
    return tuple(job for job in every if job.name in only) if only else every


def _sorted_out(
    chosen: Iterable[Job | Refused], directory: Path, now: datetime, *, resume: bool
) -> tuple[list[JobPart], list[Job]]:
    """Those whose line is known already, and those to run."""
    settled: list[JobPart] = []
    due: list[Job] = []
    for job in chosen:
        if isinstance(job, Refused):
            settled.append(_refusal(job))
        elif resume and (part := _before(job, directory, now)):
            settled.append(part)
        else:
            due.append(job)
    return settled, due


def _refusal(job: Refused) -> JobPart:
    return combining.of_words(job.name, job.why, status="refused", exit_code=Exit.USAGE)


def _before(job: Job, directory: Path, now: datetime) -> JobPart | None:
    """What became of the run that has had the job's newest slot; None if none has.

    So jobs that have had it cost no process. Those that have not decide it anew, under their lock.
    """
    try:
        had = slots.looked_up(job.config, now)
    except ConfigError as error:  # schedule.cron
        return _refusal(_because(job.name, error))
    return _had(job.name, had, _place(job, directory)) if had else None


def _had(name: str, had: SlotHad, place: combining.Place) -> JobPart:
    """A job whose slot was had: its line stands as that run ended."""
    with suppress(UsageError):
        report = files.read(place.reports, had.run.id)
        return combining.of_report(name, report, place, seconds=None)
    return combining.of_record(name, had.run, place)


def _place(job: Job, directory: Path) -> combining.Place:
    reports = job.config.path(job.config.report.directory)
    return combining.Place(reports=reports, combined=directory)


# ---------------------------------------------------------------------------- running


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
class _Crew:
    """The jobs under way, at most so many, and those that wait for their turn."""

    world: World
    wish: Wish
    watcher: Watcher
    directory: Path
    every: tuple[Job, ...]
    """All jobs of the folder, whether or not they are to be run."""
    _under_way: dict[str, _Process] = field(default_factory=dict)
    _stopped: Exit | None = None
    _lock: Lock = field(default_factory=Lock)
    """For the two before: no job begins once the others were told to stop."""

    def run(self, jobs: Sequence[Job]) -> list[JobPart]:
        """Run them to their end, or to the end of what they have in hand once a signal came."""
        with ThreadPoolExecutor(self.wish.at_once) as places:
            parts = [places.submit(self._one, job) for job in jobs]
            try:
                while wait(parts, timeout=_LOOK).not_done:
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
                part = _failed(job, [f"Its process can't be started: {error.strerror or error}."])
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
                env=_environ(job, self.every, self.world.environ),
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
        with suppress(ValueError):
            return _had(job.name, slots.read(text), _place(job, self.directory))
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
        place = _place(job, self.directory)
        with suppress(ValidationError):
            report = Report.model_validate_json(out)
            # A signal that met it when all was done and told, on its way out, changes nothing.
            if code == report.exit_code or code in _SIGNALLED:
                return combining.of_report(job.name, report, place, seconds=0)
        return _without_report(job, code, said)

    def _not_begun(self, job: Job) -> JobPart:
        why = ["A signal came before its turn.", "Next: the same command with --resume"]
        code = self._stopped or self.world.interrupted() or Exit.INTERRUPTED
        return combining.of_words(job.name, why, status="not_begun", exit_code=code)


def _command(job: Job, wish: Wish) -> list[str]:
    """What a person types for this job alone; -P: a file of the folder we are in is no module."""
    mine = ("--config", str(job.path.absolute()), "run", "--json")
    asked = {"--dry-run": wish.dry_run, "--resume": wish.resume}
    options = (option for option, given in asked.items() if given)
    return [sys.executable, "-P", "-m", "reconcile", *mine, *options]


def _environ(job: Job, every: Iterable[Job], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the secrets of the other jobs, and with the wish for progress."""
    foreign = {v for other in every for v in other.config.variables()} - job.config.variables()
    kept = {name: value for name, value in environ.items() if name not in foreign}
    return {**kept, PROGRESS_LINES: "1"}


def _without_report(job: Job, code: int, said: list[str]) -> JobPart:
    """A job that ended without a report: what it explained, or what is known of its end."""
    explained = _last_explanation(said)
    code = _SIGNALLED.get(code, code)
    if code in _SIGNALLED.values():
        why = explained or ["Stopped before it did anything.", "Next: the same command again"]
        return combining.of_words(job.name, why, status=Status.INTERRUPTED, exit_code=Exit(code))
    if code < 0:
        name = signal.Signals(-code).name
        why = [
            f"Its process was killed by {name}: a person did it, or the memory was too small.",
            "The next run looks first at what this one left unfinished.",
            f"Next: reconcile --config {job.path} run",
        ]
        return combining.of_words(job.name, why, status="killed", exit_code=Exit.BUG)
    known = Exit(code) if code in set(Exit) and code else Exit.BUG
    return _failed(job, explained or [f"It ended with {code}, without a report."], known)


def _failed(job: Job, why: list[str], code: Exit = Exit.BUG) -> JobPart:
    return combining.of_words(job.name, why, status="failed", exit_code=code)


def _last_explanation(said: list[str]) -> list[str]:
    """The last sentence of ours, with the indented lines that belong to it; [] if there is none."""
    starts = [at for at, line in enumerate(said) if line.startswith("reconcile: ")]
    if not starts:
        return []
    first, *rest = said[starts[-1] :]
    own = [line for line in rest if line.startswith("  ")]
    return [first.removeprefix("reconcile: "), *own]
