"""What is shown of jobs while they go on: lines, and on a terminal a bar for each under way."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from reconcile.model import Exit
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.report.fleet import JobPart

_ORDINARY = {Exit.CONVERGED, Exit.WAITING}


class Lines:
    """A line on stderr when a job begins and ends, and for all that it says.

    Quiet: not for what is as on every night.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._lock = Lock()

    def began(self, job: str) -> None:
        """Its process runs."""
        if not self._quiet:
            self.said(job, "begun")

    def moved(self, job: str, what: str, done: int, total: int) -> None:
        """A log needs no progress."""

    def said(self, job: str, line: str) -> None:
        """A whole line at a time, though several jobs write."""
        with self._lock, suppress(OSError):  # that nobody reads it stops no night
            self._write(printable(f"{job}: {line}"))

    def ended(self, part: JobPart) -> None:
        """What became of it."""
        if self._quiet and part.exit_code in _ORDINARY:
            return
        took = "" if part.seconds is None else f" after {part.seconds:,.0f} s"
        self.said(part.name, f"exit {int(part.exit_code)}{took}: {part.headline}")
        if part.status == "refused":
            for line in (*part.said, part.next):
                self.said(part.name, f"  {line}")

    def _write(self, line: str) -> None:
        click.echo(line, err=True)


class Bars(Lines):
    """The same on a terminal, with what each job under way is doing below."""

    def __init__(self, progress: Progress, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def moved(self, job: str, what: str, done: int, total: int) -> None:
        """Its bar."""
        if job not in self._tasks:
            self._tasks[job] = self._progress.add_task("")
        said = printable(f"{job}: {what}")
        self._progress.update(self._tasks[job], description=said, completed=done, total=total)

    def ended(self, part: JobPart) -> None:
        """No bar any more."""
        if part.name in self._tasks:
            self._progress.remove_task(self._tasks.pop(part.name))
        super().ended(part)

    def _write(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Lines]:
    """Whoever shows it, for as long as the jobs go on."""
    if not sys.stderr.isatty():
        yield Lines(quiet=quiet)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bars(progress, quiet=quiet)
