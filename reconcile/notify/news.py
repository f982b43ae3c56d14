"""Whether a person needs to hear of a run.

The same people with the same findings every night would teach everybody to look away. So what was
told stands beside the report that it told of (`told.json`), and is told again only when somebody or
something is new, when it was well in between, or when nobody has reacted for three days.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile.errors import UsageError
from reconcile.model import Level, Status, Verdict
from reconcile.report import files, told

if TYPE_CHECKING:
    from pathlib import Path

    from reconcile.report.model import Report

NAME: Final = "told.json"
REMIND: Final = timedelta(days=3)
"""After so long it is told again, though nothing is new."""
_ALWAYS: Final = frozenset({Status.PARTIAL, Status.INTERRUPTED})
_ONCE: Final = frozenset({Status.WAITING, Status.NEEDS_APPROVAL, Status.BLOCKED})
_WELL: Final = frozenset({Status.CLEAN, Status.APPLIED})


class _Told(NamedTuple):
    """The last run that was told of."""

    at: datetime
    report: Report


def is_news(report: Report, directory: Path, *, now: datetime) -> bool:
    """Whether this run must be told: it deleted, or needs a person who wasn't told yet."""
    if told.has_deleted(report) or report.status in _ALWAYS:
        return True
    if report.status not in _ONCE:
        return False
    last = _last(directory)
    if last is None or not timedelta() <= now - last.at < REMIND:
        return True
    return _differs(report, last.report)


def _differs(report: Report, before: Report) -> bool:
    well = any(t.status in _WELL and t.run > (before.run.id or 0) for t in report.trend)
    return well or report.status is not before.status or bool(_asks(report) - _asks(before))


def _asks(report: Report) -> set[str]:
    """Whom it would delete and what stands against it."""
    due = {str(c.id) for c in report.contacts if c.verdict is Verdict.DELETE}
    return due | {f.code for f in report.findings if f.level is not Level.INFO}


def remember(report: Report, directory: Path, *, now: datetime) -> None:
    """Note beside the report that somebody was told of it."""
    folder = files.path(directory, report.run.id or 0).parent
    with files.whole(folder / NAME) as file:
        file.write(json.dumps({"at": now.isoformat()}).encode())


def _last(directory: Path) -> _Told | None:
    """The newest run that was told of; None if it can't be known."""
    for run_id in reversed(files.run_ids(directory)):
        note = files.path(directory, run_id).parent / NAME
        if note.is_file():
            try:
                at = datetime.fromisoformat(json.loads(note.read_bytes())["at"])
                return _Told(at, files.read(directory, run_id)) if at.tzinfo else None
            except (OSError, ValueError, KeyError, TypeError, UsageError):
                return None
    return None
