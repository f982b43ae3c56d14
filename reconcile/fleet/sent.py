"""What goes to a worker and what comes back: plain values, and no secret among them.

A job is sent as what its file and the defaults say together, written anew: a comment in them stays
where it is, and a worker may serve fleets with other defaults. Secrets are named there, never held.
The last report goes along, and the one of the run comes back, so that it stands in the job's folder
as if it had been run here, whichever worker had it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from reconcile import __version__, slots
from reconcile.pbx.connection import origin
from reconcile.report import files
from reconcile.store import lineage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from reconcile.fleet.crew import Wish
    from reconcile.fleet.jobs import Job


class Order(TypedDict):
    """A job to be run once for its slot."""

    version: str
    """Of this program; a worker that has another one does nothing."""
    token: str
    """By which this order is told from all others."""
    name: str
    pbx: str
    """The address of its phone system, which no other job has."""
    job: str
    """The job's file: TOML."""
    foreign: list[str]
    """Names of the variables in which the secrets of other jobs are."""
    dry_run: bool
    slot: str
    """The slot that it is for, a moment in UTC; "" of a dry run, which has none."""
    limit: float
    """Seconds, the waiting for a lock among them."""
    marks: list[str]
    """What this machine has noted of states of the job, by which one that was put back is known."""
    last_run: int | None
    last_report: dict[str, bytes]
    """By their names, the files of that run's report; {} if there is none."""


class Answer(TypedDict):
    """What became of it."""

    line: str
    """A `JobPart`, as JSON."""
    marks: list[str]
    """What the worker has noted."""
    run: int | None
    report: dict[str, bytes]
    """By their names, the files of the run's report."""


def order(job: Job, wish: Wish, *, token: str, variables: frozenset[str], now: datetime) -> Order:
    """What a worker needs to run the job; `variables` are those with secrets of all jobs.

    Raises ConfigError for what is no cron expression, and StateError for a mark that can't be read.
    """
    last = files.latest_run(job.reports)
    return Order(
        version=__version__,
        token=token,
        name=job.name,
        pbx=origin(job.config.pbx.url),
        job=toml(job.config.said()),
        foreign=sorted(variables - job.config.variables()),
        dry_run=wish.dry_run,
        slot="" if wish.dry_run else slots.asked(job.config, now).isoformat(),
        limit=wish.limit.total_seconds(),
        marks=marks(job),
        last_run=last,
        last_report={} if last is None else files.carried(job.reports, last, (files.NAME,)),
    )


def marks(job: Job) -> list[str]:
    """What is noted here of states of the job. Raises StateError."""
    config = job.config
    found = lineage.known(config.state.url, base=config.base, folder=job.reports)
    return [str(mark) for mark in found]


def take_marks(job: Job, texts: Iterable[str]) -> None:
    """Note here what another machine has noted. Raises StateError."""
    lineage.carry([lineage.Mark.of(text) for text in texts], folder=job.reports)


# ---------------------------------------------------------------------------- TOML


def toml(document: Mapping[str, object]) -> str:
    """A document that was read from TOML, in one way of writing it; a line for each key."""
    plain = {key: value for key, value in document.items() if not isinstance(value, Mapping)}
    lines = [f"{_quoted(key)} = {_written(value)}" for key, value in plain.items()]
    for name, table in document.items():
        if isinstance(table, Mapping) and table:
            lines += ["", f"[{_quoted(name)}]"]
            lines += [f"{_quoted(key)} = {_written(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _quoted(value)
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case Mapping():
            pairs = (f"{_quoted(key)} = {_written(item)}" for key, item in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case _:  # a number: Python writes them as TOML does
            return repr(value)


def _quoted(text: str) -> str:
    """A JSON string is one of TOML, but for the one control character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
