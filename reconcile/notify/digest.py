"""One quiet message a week: what the nights came to.

Decided from the state's own record of runs and nothing else: it is sent with the first night of a
new week. A week in which no night happened is told by nobody: that is what the health check is for.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from reconcile.model import Outcome, Status, Verdict
from reconcile.notify.message import Message, theirs
from reconcile.store.rows import DRY_NIGHT, NIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from reconcile.config import Config
    from reconcile.model import RunRecord
    from reconcile.report.model import Report
    from reconcile.store.ledger import Ledger

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NIGHTS: Final = frozenset({NIGHT, DRY_NIGHT})
_COUNTED: Final = _NIGHTS | {"apply"}
_WELL: Final = frozenset({Status.CLEAN, Status.WAITING, Status.APPLIED})
_SHOWN: Final = 7


class Week(NamedTuple):
    """The days from the weekday of `notify.digest` to the day before it."""

    first: date

    @classmethod
    def of(cls, moment: datetime, config: Config) -> Week:
        """The week of a moment, on the clocks of `schedule.timezone`."""
        day = moment.astimezone(ZoneInfo(config.schedule.timezone)).date()
        begins = WEEKDAYS.index(config.notify.digest)
        return cls(day - timedelta(days=(day.weekday() - begins) % len(WEEKDAYS)))

    def __str__(self) -> str:
        return f"{self.first} to {self.first + timedelta(days=len(WEEKDAYS) - 1)}"


def due(config: Config, report: Report, ledger: Ledger) -> list[Message]:
    """The digest, if this is the first night of a week and there was one before."""
    if not config.notify.digest or report.run.command not in _NIGHTS:
        return []
    earlier = [r for r in ledger.runs() if r.id < (report.run.id or 0) and r.status is not None]
    night = next((r for r in earlier if r.command in _NIGHTS), None)
    if night is None:
        return []
    week = Week.of(night.started_at, config)
    if week >= Week.of(report.run.started_at, config):
        return []
    runs = [r for r in earlier if Week.of(r.started_at, config) == week and r.command in _COUNTED]
    lines = [*_nights(config, week, runs, _deleted(ledger, runs)), "", *_tonight(report)]
    lines.append("Next: reconcile history")
    return [Message.of(config.pbx.url, "the week", lines, "info")]


def _deleted(ledger: Ledger, runs: Sequence[RunRecord]) -> int:
    journals = (ledger.actions(run_id=run.id) for run in runs)
    return sum(entry.outcome is Outcome.DELETED for journal in journals for entry in journal)


def _nights(config: Config, week: Week, runs: Sequence[RunRecord], deleted: int) -> Iterator[str]:
    zone = ZoneInfo(config.schedule.timezone)
    days = len({run.started_at.astimezone(zone).date() for run in runs})
    yield f"{week}: {_many(len(runs), 'run')} on {_many(days, 'day')}, {deleted:,} deleted."
    ended = Counter(str(run.status).replace("_", " ") for run in runs)
    most_first = sorted(ended.items(), key=lambda pair: (-pair[1], pair[0]))
    yield f"They ended: {', '.join(f'{count} {status}' for status, count in most_first)}."
    yield from _troubles(runs)


def _troubles(runs: Sequence[RunRecord]) -> Iterator[str]:
    """The nights that a person was needed for, the newest first."""
    found = [r for r in runs if r.status not in _WELL]
    for run in found[:_SHOWN]:
        yield f"- run {run.id}, {run.started_at:%Y-%m-%d}, {run.status}: {theirs(run.headline)}"[
            :200
        ]
    if len(found) > _SHOWN:
        yield f"… and {len(found) - _SHOWN} more"


def _tonight(report: Report) -> Iterator[str]:
    """How it stands now."""
    counts = report.counts.pbx
    shown = ", ".join(
        f"{counts.get(verdict, 0):,} {word}"
        for verdict, word in (
            (Verdict.DELETE, "to delete"),
            (Verdict.WAITING, "absent and waiting out the grace"),
            (Verdict.REVIEW, "for a person to look at"),
        )
    )
    yield f"Now, in run {report.run.id}: {shown}."
    if codes := list(dict.fromkeys(f.code for f in report.findings)):
        yield f"Findings: {', '.join(codes)}."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
