"""One report of all jobs of a folder: a line for each, the worst first, with a link to its own.

Like the report of a run it is one frozen model (`reconcile-fleet/1`) and its renderers. What is
personal stays in the reports of the jobs; here are names of jobs, sentences and counts.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from rich import box
from rich.table import Table
from rich.text import Text

from reconcile import __version__
from reconcile.model import Exit, Outcome, Status
from reconcile.report import files, told
from reconcile.report.forms import utf8
from reconcile.report.inert import json_text, printable
from reconcile.report.text import console_on, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reconcile.model import RunRecord
    from reconcile.report.model import Report

WORST: Final = (
    *(Exit.BUG, Exit.STATE, Exit.PBX, Exit.EXPORT, Exit.USAGE, Exit.LOCKED),
    *(Exit.TERMINATED, Exit.INTERRUPTED, Exit.PARTIAL, Exit.APPROVAL, Exit.WAITING),
    Exit.CONVERGED,
)
"""Exit codes, the worst first. What nobody can explain; what is remembered is in doubt; a night
that could not be made, by what was to be read first and by what was to be written next; a night
that another run or a signal took; a night that needs a person; an ordinary night."""

Ended = Literal["refused", "failed", "killed", "lost", "not_begun"]
"""How a job ended that left no report: its configuration is wrong, it said why, it could not say
anything, the engine that ran it was lost, or something came before its turn."""


class JobPart(BaseModel):
    """One job: what became of it, and where its own report is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    status: Status | Ended
    exit_code: Exit
    headline: str
    said: tuple[str, ...] = ()
    """What it explained instead of a report, a sentence each."""
    next: str = ""
    run: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    """The verdicts; they add up to `read`."""
    deletes: int = 0
    """What was planned to be deleted."""
    deleted: int = 0
    seconds: float | None = None
    """How long it took; None: it was not started now."""
    page: str = ""
    """The address of its own page, seen from the folder of this report."""
    where: str = ""
    """On an engine, the machine that had it, and its folder there."""

    @property
    def took(self) -> str:
        """Its seconds; of one that was not started now, which run stands here, if any."""
        if self.seconds is not None:
            return f"{self.seconds:,.0f}"
        return "" if self.run is None else f"run {self.run}, before"


class FleetReport(BaseModel):
    """What became of all jobs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["reconcile-fleet/1"] = Field(default="reconcile-fleet/1", alias="schema")
    version: str
    folder: str
    started_at: datetime
    finished_at: datetime
    exit_code: Exit
    headline: str
    jobs: tuple[JobPart, ...]

    @property
    def is_uneventful(self) -> bool:
        """Every job had an ordinary night in which nobody was due or deleted."""
        return all(job.status == Status.CLEAN and not job.deleted for job in self.jobs)

    def to_json(self) -> str:
        """The content of report.json."""
        return json_text(self.model_dump_json(indent=2, by_alias=True) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a job's reports are, and where the report of all will be."""

    reports: Path
    combined: Path

    def page(self, run_id: int | None) -> str:
        """The relative address of a run's page; "" if there is none."""
        found = files.page(self.reports, run_id or 0)
        return quote(os.path.relpath(found, self.combined)) if found.is_file() else ""


# ---------------------------------------------------------------------------- a job


def of_report(name: str, report: Report, place: Place, *, seconds: float | None) -> JobPart:
    """A job that left a report."""
    return JobPart(
        name=name,
        status=report.status,
        exit_code=report.exit_code,
        headline=report.headline,
        next=told.next_step(report),
        run=report.run.id,
        counts=report.counts.pbx,
        deletes=report.counts.pbx.get("delete", 0),
        deleted=sum(contact.outcome is Outcome.DELETED for contact in report.contacts),
        seconds=seconds,
        page=place.page(report.run.id),
    )


def of_record(name: str, record: RunRecord, place: Place) -> JobPart:
    """A job that was run before and whose report is gone: what the state knows."""
    return JobPart(
        name=name,
        status=record.status or "failed",
        exit_code=Exit.BUG if record.exit_code is None else Exit(record.exit_code),
        headline=record.headline,
        run=record.id,
        page=place.page(record.id),
    )


def of_words(
    name: str, lines: Sequence[str], *, status: Status | Ended, exit_code: Exit
) -> JobPart:
    """A job without a report: what it said, the next command last."""
    said = [line.strip().removeprefix("- ") for line in lines]
    following = [line for line in said[1:] if line.startswith("Next: ")]
    return JobPart(
        name=name,
        status=status,
        exit_code=exit_code,
        headline=said[0],
        said=tuple(line for line in said[1:] if line not in following),
        next=following[-1] if following else "",
    )


# ---------------------------------------------------------------------------- all jobs


def combined(
    jobs: Iterable[JobPart], *, folder: Path, started_at: datetime, finished_at: datetime
) -> FleetReport:
    """The report of all; its exit code is that of the worst."""
    ordered = sorted(jobs, key=lambda job: (WORST.index(job.exit_code), job.name))
    counted = Counter(_plain(job.status) for job in ordered)
    many = f"{len(ordered):,} job{'' if len(ordered) == 1 else 's'}"
    return FleetReport(
        version=__version__,
        folder=str(folder),
        started_at=started_at,
        finished_at=finished_at,
        exit_code=ordered[0].exit_code,
        headline=f"{many}: {', '.join(f'{n:,} {status}' for status, n in counted.items())}.",
        jobs=tuple(ordered),
    )


def write(report: FleetReport, directory: Path) -> None:
    """Write report.json and report.html, each whole or not at all. Raises StateError."""
    try:
        with files.whole(directory / files.NAME) as file:
            file.write(report.to_json().encode())
        with files.whole(directory / files.PAGE) as file, utf8(file) as text:
            render_page(report, text)
    except OSError as error:
        done = "What the jobs did stands in their own reports; only the one of all is missing."
        raise files.unwritable(directory, error, consequence=done) from error


def render_page(report: FleetReport, file: IO[str]) -> None:
    """Write the page of all jobs."""
    from reconcile.report import html  # jinja2, which printing needs not

    page = html.environment().get_template("fleet.html")
    file.writelines(page.generate(report=report, plain=_plain, summed=told.sum_of))


def render(report: FleetReport, file: IO[str], *, page: str) -> None:
    """Write the report for a terminal or a log."""
    console = console_on(file)
    console.print(Text(printable(report.headline), style="bold"))
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("Job", "Exit", "Status", "What", "Due", "Deleted", "Seconds"):
        right = head in {"Exit", "Due", "Deleted", "Seconds"}
        table.add_column(head, overflow="fold", justify="right" if right else "left")
    for job in report.jobs:
        table.add_row(*(Text(_cut(cell)) for cell in _cells(job)))
    console.print(table)
    console.print(Text(f"To read, with links to each: {printable(page)}"), soft_wrap=True)
    one = f"reconcile --config {report.folder}/{report.jobs[0].name}.toml report"
    console.print(Text(printable(f"One job alone, such as the first: {one}")), soft_wrap=True)


def _cells(job: JobPart) -> tuple[str, ...]:
    where = f"On {job.where}." if job.where else ""
    what = "\n".join(filter(None, (job.headline, *job.said, where, job.next)))
    return (
        job.name,
        str(int(job.exit_code)),
        _plain(job.status),
        what,
        f"{job.deletes:,}",
        f"{job.deleted:,}",
        job.took,
    )


def _cut(text: str) -> str:
    """A cell of a table, its own lines kept."""
    return "\n".join(map(cut, text.split("\n")))


def _plain(status: str) -> str:
    return str(status).replace("_", " ")
