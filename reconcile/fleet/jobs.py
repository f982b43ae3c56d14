"""Which jobs a folder holds, and which of its files can't be run and why."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile import config as configuration
from reconcile.errors import ConfigError, Problem, ReconcileError, UsageError
from reconcile.model import Exit
from reconcile.pbx.connection import origin
from reconcile.report.fleet import JobPart, Place, of_words
from reconcile.store.engine import located

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconcile.config import Config

REPORTS: Final = "fleet"
"""The folder of the report of all, among the jobs; so no job can be called that."""
_USER: Final = re.compile(r"://[^@/]*@")
"""As whom a server is asked makes no other state of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file of the folder that can be run."""

    name: str
    path: Path
    config: Config
    own: tuple[tuple[str, str], ...]
    """What no other job may have alike: (key, its one spelling)."""

    @property
    def reports(self) -> Path:
        """The folder of its own reports."""
        return self.config.path(self.config.report.directory)

    def place(self, directory: Path) -> Place:
        """Where its reports are, and where the report of all will be."""
        return Place(reports=self.reports, combined=directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file of the folder that can't be run, and why, a sentence each."""

    name: str
    why: tuple[str, ...]

    def line(self) -> JobPart:
        """Its line in the report."""
        return of_words(self.name, self.why, status="refused", exit_code=Exit.USAGE)


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
    jobs = tuple(job_of(path) for path in paths if path.name != configuration.DEFAULTS)
    if not jobs:
        raise ConfigError(f"There is no job in {folder}.", hint=f"write {folder / 'NAME.toml'}")
    shared = _shared([job for job in jobs if isinstance(job, Job)])
    return tuple(shared.get(job.name, job) for job in jobs)


def job_of(path: Path) -> Job | Refused:
    """The job of one file, by itself."""
    if path.stem == REPORTS:
        why = f"No job can be called {REPORTS}: the report of all is there."
        return Refused(name=path.stem, why=(why, "Nothing was done.", "Next: give it another name"))
    try:
        config = configuration.load(path)
        return Job(name=path.stem, path=path, config=config, own=tuple(_own(config)))
    except UsageError as error:  # a missing extra, too
        return because(path.stem, error)


def because(name: str, error: ReconcileError) -> Refused:
    """A job that the error is about."""
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


def chosen(every: tuple[Job | Refused, ...], only: tuple[str, ...]) -> tuple[Job | Refused, ...]:
    """Those of these names, or all; raises UsageError for a name that isn't there."""
    names = {job.name for job in every}
    if unknown := sorted(set(only) - names):
        raise UsageError(
            f"There is no job {', '.join(unknown)}.",
            hint=f"there are {', '.join(sorted(names))}",
        )
    return tuple(job for job in every if job.name in only) if only else every
