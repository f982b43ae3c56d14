"""The report for a terminal or a log: a summary that fits a screen, then the lists.

Text from the CRM and from 3CX is printed as data: control characters are shown, never sent, and
nothing in it is read as markup.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconcile.model import Level, Outcome, Status, Verdict
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from datetime import datetime

    from reconcile.report.model import ContactPart, FindingPart, PbxPart, Report

_MARKS: Final = {Level.BLOCK: "BLOCK", Level.APPROVE: "APPROVE", Level.INFO: "info"}
_STYLES: Final = {Level.BLOCK: "bold red", Level.APPROVE: "bold yellow", Level.INFO: "dim"}
_LISTED: Final = 20
_LONGEST: Final = 400
"""Characters of a cell; 3CX takes 255 for a field. report.json has all of them."""
_WIDTH: Final = 100
"""Columns where the output is no terminal, so that a log reads the same everywhere."""


def render(report: Report, file: IO[str], *, full: bool = False) -> None:
    """Write the report; with `full`, every row of every list."""
    console = Console(
        file=file,
        width=None if file.isatty() else _WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )
    limit = None if full else _LISTED
    console.print(Text(printable(report.headline), style="bold"))
    _inputs(console, report)
    _counts(console, report)
    _findings(console, report)
    for title, rows in _sections(report):
        _contacts(console, title, rows, limit)
    _rest(console, report)
    console.print(Text(printable(next_step(report))))


def next_step(report: Report) -> str:
    """What to do now, as one sentence with the command."""
    digest = report.digest[:12]
    match report.status:
        case Status.BLOCKED:
            hints = [f.hint for f in report.findings if f.level is Level.BLOCK and f.hint]
            return f"Next: {hints[0]}" if hints else "Next: reconcile doctor"
        case Status.WAITING | Status.NEEDS_APPROVAL if report.approve_until is None:
            return "This plan was not recorded, so it can't be applied. Next: reconcile plan"
        case Status.WAITING | Status.NEEDS_APPROVAL:
            until = f"until {_time(report.approve_until)}"
            return f"Next: if this is right, reconcile apply {digest} ({until})"
        case Status.APPLIED | Status.PARTIAL if _deleted(report):
            return f"To undo: reconcile restore --run {report.run.id}"
        case Status.PARTIAL | Status.INTERRUPTED:
            return "Next: reconcile plan"
        case _:
            return "Nothing to do."


def _deleted(report: Report) -> bool:
    return any(c.outcome is Outcome.DELETED for c in report.contacts)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M UTC}" if moment else ""


def _inputs(console: Console, report: Report) -> None:
    run = f"run {report.run.id}" if report.run.id is not None else "unrecorded run"
    lines = [f"{run}, {report.run.command}, mode {report.run.mode}, {_time(report.run.started_at)}"]
    if s := report.source:
        lines.append(
            f"export {s.name}: {s.records:,} records, {s.format}, {s.encoding},"
            f" made {_time(s.generated_at)}, sha256 {s.sha256[:12]}"
        )
    if p := report.pbx:
        lines.append(
            f"3CX {p.url}, version {p.version or 'unknown'}: {p.contacts:,} contacts;"
            f" delete guard {p.delete_guard}, ETags {p.etags}, If-Match {p.if_match}"
        )
        lines.append(_probed(p))
        if p.delete_guard.value == "compare":
            lines.append(
                "The guard `compare` re-reads each contact right before its delete: that narrows"
                " the window for an edit in between, and can't close it."
            )
    for line in lines:
        console.print(Text(printable(line), style="dim"))


def _probed(p: PbxPart) -> str:
    """What the delete guard rests on."""
    if p.probe is None:
        return "Nothing is proved yet about the ETags of this version of 3CX."
    return f"probed {_time(p.probe.probed_at)}: {p.probe.detail}"


def _counts(console: Console, report: Report) -> None:
    for side, counts in (("3CX", report.counts.pbx), ("CRM", report.counts.crm)):
        shown = [(name, n) for name, n in counts.items() if n and name != "read"]
        parts = [f"{n:,} {name.replace('_', ' ')}" for name, n in shown]
        console.print(Text(f"{side}: {counts.get('read', 0):,} read = {' + '.join(parts) or 0}"))


def _findings(console: Console, report: Report) -> None:
    for finding in report.findings:
        console.print(_finding(finding))


def _finding(finding: FindingPart) -> Text:
    limit = f" (limit {finding.limit})" if finding.limit else ""
    text = Text(f"{_MARKS[finding.level]} {finding.code}", style=_STYLES[finding.level])
    text.append(printable(f": {finding.observed}{limit}. {finding.message}"), style="default")
    return text


def _sections(report: Report) -> list[tuple[str, list[ContactPart]]]:
    """The lists in the order in which they matter; a contact stands in one of them."""
    tried = [c for c in report.contacts if c.outcome is not None]
    rest = [c for c in report.contacts if c.outcome is None]
    titles = {
        Verdict.DELETE: "To delete",
        Verdict.WAITING: "Absent, waiting out the grace",
        Verdict.REVIEW: "For a person to look at",
        Verdict.PROTECTED: "Protected",
        Verdict.MATCHED: "Matched",
    }
    lists = [(title, [c for c in rest if c.verdict is v]) for v, title in titles.items()]
    return [("Applied", tried), *lists]


def _contacts(console: Console, title: str, rows: list[ContactPart], limit: int | None) -> None:
    if not rows:
        return
    table = Table(title=f"{title} ({len(rows):,})", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("Id", "Contact", "Numbers", "Why"):
        table.add_column(column, overflow="fold", justify="right" if column == "Id" else "left")
    for part in rows[:limit]:
        table.add_row(
            Text(str(part.id)),
            Text(_cut(", ".join(filter(None, (part.name, part.company))))),
            Text("\n".join(map(_cut, part.numbers))),
            Text(_cut(_why(part))),
        )
    console.print(table)
    if limit is not None and len(rows) > limit:
        console.print(Text(f"… and {len(rows) - limit:,} more; all of them: --full"))


def _cut(text: str) -> str:
    """A cell of a table: one contact must not fill the screen."""
    return printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _why(part: ContactPart) -> str:
    due = f"; due from {_time(part.due)}" if part.due else ""
    if part.outcome is None:
        return part.reason + due
    detail = part.outcome_detail.rstrip(".")
    return f"{part.outcome.value} ({detail}; guard {part.guard}); {part.reason}"


def _rest(console: Console, report: Report) -> None:
    parts = [
        (len(report.missing), "CRM records with a number that 3CX lacks"),
        (len(report.drift), "fields that differ between a contact and its CRM record"),
        (len(report.duplicates), "people with several contacts"),
        (len(report.previous.changes) if report.previous else 0, "verdicts that changed"),
    ]
    for count, what in parts:
        if count:
            console.print(Text(f"{what}: {count:,} (in report.json)", style="dim"))
