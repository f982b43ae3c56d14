"""A folder of jobs, one per customer: each run in a process of its own, and one report of all.

The process of a job is the very command that a person types for it alone, `reconcile --config JOB
run`: its verdicts are those of running it alone, and a crash, a kill or a memory that was too small
is one line of the report. Nothing is shared but the machine, the program and `defaults.toml`. Holds
no state of its own: what ran and when is in the states of the jobs.

Which jobs there are stands in `jobs`; the processes of one machine are a `crew`'s; `engine` has the
crews of other machines run them, each by its `worker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile import slots
from reconcile.errors import ConfigError, MissingExtra
from reconcile.fleet.crew import LIMIT, Crew, Watcher, Wish, line_of
from reconcile.fleet.jobs import REPORTS, Job, Refused, because, chosen, found
from reconcile.report import files
from reconcile.report import fleet as combining

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from reconcile.report.fleet import FleetReport, JobPart
    from reconcile.session import World

__all__ = ["LIMIT", "Watcher", "Wish", "run_all"]


def run_all(folder: Path, world: World, wish: Wish, watcher: Watcher) -> tuple[FleetReport, Path]:
    """Run the jobs of a folder; gives the report of all, which is written, and its page.

    Raises ConfigError for what is no folder of jobs, UsageError for a job that isn't there or an
    engine that can't be used, and StateError if the report can't be written. What is wrong with one
    job is told in its line.
    """
    began, every = world.clock(), found(folder)
    picked = chosen(every, wish.only)
    directory = (wish.report or folder / REPORTS).absolute()
    files.check_writable(directory)
    settled, due = _sorted_out(picked, directory, began, wish)
    for part in settled:
        watcher.ended(part)
    able = [job for job in every if isinstance(job, Job)]
    crew = Crew(
        world=world,
        wish=wish,
        watcher=watcher,
        directory=directory,
        variables=frozenset().union(*(job.config.variables() for job in able)),
    )
    report = combining.combined(
        [*settled, *_run(crew, due)],
        folder=folder,
        started_at=began,
        finished_at=world.clock(),
    )
    if code := world.interrupted():
        report = report.model_copy(update={"exit_code": code})
    combining.write(report, directory)
    return report, directory / files.PAGE


def _run(crew: Crew, due: Sequence[Job]) -> list[JobPart]:
    """By the crew itself, or by those of an engine for it. Raises UsageError."""
    if not crew.wish.on:
        return crew.run(due)
    try:
        from reconcile.fleet import engine
    except ImportError as error:
        raise MissingExtra("A fleet on an engine", "fleet") from error
    return engine.run(crew, due)


def _sorted_out(
    picked: Iterable[Job | Refused], directory: Path, now: datetime, wish: Wish
) -> tuple[list[JobPart], list[Job]]:
    """Those whose line is known already, and those to run."""
    settled: list[JobPart] = []
    due: list[Job] = []
    for job in picked:
        if isinstance(job, Refused):
            settled.append(job.line())
        elif wish.resume and (part := _before(job, directory, now)):
            settled.append(part)
        else:
            due.append(job)
    return settled, due


def _before(job: Job, directory: Path, now: datetime) -> JobPart | None:
    """What became of the run that has had the job's newest slot; None if none has.

    So jobs that have had it cost no process. Those that have not decide it anew, under their lock.
    """
    try:
        had = slots.looked_up(job.config, now)
    except ConfigError as error:  # schedule.cron
        return because(job.name, error).line()
    return line_of(job.name, had, job.place(directory)) if had else None
