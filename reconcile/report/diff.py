"""What became of the contacts between two runs, from the evidence that both left on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.errors import UsageError
from reconcile.model import Outcome
from reconcile.report import evidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconcile.report.model import ContactPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A contact with another verdict than before."""

    id: int
    name: str
    company: str
    before: str
    """Its verdict then, or its outcome if the run deleted it; "" if it was not there."""
    now: str
    reason: str
    """Of the verdict now; "" if it is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All contacts that changed from one run to another, by Id."""

    before: int
    now: int
    changed: tuple[Changed, ...]
    unchanged: int


def diff(directory: Path, before: int, now: int | None = None) -> Difference:
    """From a run to a later one, or to the latest. Raises UsageError if one left no evidence."""
    later = evidence.latest(directory) if now is None else now
    runs = before, before if later is None else later
    for run in runs:
        if not evidence.has(directory, run):
            raise UsageError(
                f"Run {run} left no evidence in {directory}: it came to no plan, is of an older"
                " version, or was removed.",
                hint="reconcile history",
            )
    then = {part.id: part for part in evidence.read(directory, runs[0])}
    unchanged, changed = 0, []
    for part in evidence.read(directory, runs[1]):
        was = then.pop(part.id, None)
        if was is not None and _state(was) == _state(part):
            unchanged += 1
        else:
            changed.append(_changed(part, _state(was), _state(part), part.reason))
    changed += [_changed(part, _state(part), "", "") for part in then.values()]
    changed.sort(key=lambda c: c.id)
    return Difference(before=runs[0], now=runs[1], changed=tuple(changed), unchanged=unchanged)


def kinds(difference: Difference) -> Iterator[tuple[str, str, list[Changed]]]:
    """The changes by what they are from and to, the most frequent first."""
    found: dict[tuple[str, str], list[Changed]] = {}
    for change in difference.changed:
        found.setdefault((change.before, change.now), []).append(change)
    for (was, became), changes in sorted(found.items(), key=lambda item: -len(item[1])):
        yield was, became, changes


def _changed(shown: ContactPart, before: str, now: str, reason: str) -> Changed:
    return Changed(
        id=shown.id,
        name=shown.name,
        company=shown.company,
        before=before,
        now=now,
        reason=reason,
    )


def _state(part: ContactPart | None) -> str:
    if part is None:
        return ""
    gone = part.outcome in {Outcome.DELETED, Outcome.ALREADY_GONE}
    return str(part.outcome) if gone else part.verdict.value
