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

from reconcile.model import Level, Verdict
from reconcile.report import told
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.report.model import ContactPart, FindingPart, Report

_MARKS: Final = {Level.BLOCK: "BLOCK", Level.APPROVE: "APPROVE", Level.INFO: "info"}
_STYLES: Final = {Level.BLOCK: "bold red", Level.APPROVE: "bold yellow", Level.INFO: "dim"}
_LISTED: Final = 8
"""So many contacts of the list that matters most, with all else on one screen."""
_FIRST: Final = {told.APPLIED, Verdict.DELETE.value}
"""Lists that are shown without being asked for; of the others the counts tell."""
_LONGEST: Final = 400
"""Characters of a cell; 3CX takes 255 for a field. report.json has all of them."""
_WIDTH: Final = 100
"""Columns where the output is no terminal, so that a log reads the same everywhere."""


def render(report: Report, file: IO[str], *, full: bool = False, page: str = "") -> None:
    """Write the report; with `full`, every guard and every row of every list."""
    console = console_on(file)
    console.print(Text(printable(report.headline), style="bold"))
    _inputs(console, report)
    _counts(console, report)
    _findings(console, report)
    if full:
        _guards(console, report)
    for found in told.lists(report):
        if full or found.name in _FIRST:
            _contacts(console, found.title, found.rows, None if full else _LISTED)
    _rest(console, report, full=full)
    if page:
        console.print(Text(f"To read, print and sign: {printable(page)}"), soft_wrap=True)
    console.print(Text(printable(told.next_step(report))), soft_wrap=True)


def console_on(file: IO[str]) -> Console:
    """Where text goes that is shown as it is: nothing of it is markup."""
    return Console(
        file=file,
        width=None if file.isatty() else _WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _inputs(console: Console, report: Report) -> None:
    when = told.moment(report.run.started_at)
    lines = [f"{told.which_run(report)}, {report.run.command}, mode {report.run.mode}, {when}"]
    if s := report.source:
        lines.append(
            f"export {s.name}: {s.records:,} records, {s.format}, {s.encoding},"
            f" made {told.moment(s.generated_at)}, sha256 {s.sha256[:12]}"
        )
    if p := report.pbx:
        lines.append(
            f"3CX {p.url}, version {p.version or 'unknown'}: {p.contacts:,} contacts;"
            f" delete guard {p.delete_guard}, ETags {p.etags}, If-Match {p.if_match}"
        )
        lines += filter(None, (told.probed(p), told.narrows(p)))
    for line in lines:
        console.print(Text(printable(line), style="dim"))


def _counts(console: Console, report: Report) -> None:
    for side, counts in (("3CX", report.counts.pbx), ("CRM", report.counts.crm)):
        console.print(Text(f"{side}: {told.sum_of(counts)}"))


def _findings(console: Console, report: Report) -> None:
    for finding in report.findings:
        console.print(_finding(finding))


def _finding(finding: FindingPart) -> Text:
    text = Text(f"{_MARKS[finding.level]} {finding.code}", style=_STYLES[finding.level])
    text.append(printable(f": {told.seen(finding)}{finding.message}"), style="default")
    return text


def _guards(console: Console, report: Report) -> None:
    if not report.guards:
        return
    table = Table(title="Every guard", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("Guard", "Seen", "Limit", "Says"):
        table.add_column(column, overflow="fold")
    for part in report.guards:
        cells = (told.guard(part.code), part.observed, part.limit, told.says(part.level))
        table.add_row(*(Text(cut(cell)) for cell in cells))
    console.print(table)


def _contacts(console: Console, title: str, rows: Sequence[ContactPart], limit: int | None) -> None:
    if not rows:
        return
    table = Table(title=f"{title} ({len(rows):,})", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("Id", "Contact", "Numbers", "Why"):
        table.add_column(column, overflow="fold", justify="right" if column == "Id" else "left")
    for part in rows[:limit]:
        table.add_row(
            Text(str(part.id)),
            Text(cut(", ".join(filter(None, (part.name, part.company))))),
            Text("\n".join(map(cut, part.numbers))),
            Text(cut(told.why(part))),
        )
    console.print(table)
    if limit is not None and len(rows) > limit:
        console.print(Text(f"… and {len(rows) - limit:,} more"))


def cut(text: str) -> str:
    """A cell of a table: one contact must not fill the screen."""
    return printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _rest(console: Console, report: Report, *, full: bool) -> None:
    parts = [
        (len(report.missing), "CRM records with a number that 3CX lacks"),
        (len(report.drift), "fields that differ between a contact and its CRM record"),
        (len(report.duplicates), "people with several contacts"),
        (len(report.previous.changes) if report.previous else 0, "verdicts that changed"),
    ]
    counted = [f"{what}: {count:,}" for count, what in parts if count]
    if counted:
        console.print(Text(f"Also: {'; '.join(counted)}.", style="dim"))
    if report.contacts and not full:
        number = "" if report.run.id is None else f" {report.run.id}"
        again = f"reconcile report{number} --full" if number else "the same command with --full"
        console.print(Text(f"Every guard and every list: {again}", style="dim"))
