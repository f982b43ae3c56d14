"""The report for a ticket: Markdown as GitHub, GitLab, Jira and most chats read it.

What comes from the CRM or from 3CX stands in code spans: there nothing is markup, no name is a
mention of somebody, and no address becomes a link (CommonMark, section 6.1).
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Final

from reconcile.model import Level
from reconcile.report import told
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.report.model import ContactPart, FindingPart, GuardPart, Report

_LEVELS: Final = {Level.BLOCK: "Stops it", Level.APPROVE: "Asks a person", Level.INFO: "To know"}
_LISTED: Final = 50
"""A ticket takes some 65,000 characters; all rows stand in the other forms of the report."""


def render(report: Report, file: IO[str], *, full: bool = False) -> None:
    """Write the report; with `full`, every guard and every row of every list."""
    for line in _lines(report, None if full else _LISTED):
        file.write(f"{line}\n")


def _lines(report: Report, limit: int | None) -> Iterator[str]:
    yield f"## {_plain(report.headline)}"
    yield ""
    run = f"{told.which_run(report)}, {report.run.command}, mode {report.run.mode}"
    yield f"{run}, {told.moment(report.run.started_at)}. {_plain(told.next_step(report))}"
    yield ""
    yield from _inputs(report)
    yield from map(_finding, report.findings)
    if limit is None and report.guards:
        yield from ("", "| Guard | Seen | Limit | Says |", "|---|---|---|---|")
        yield from map(_guard, report.guards)
    for found in told.lists(report):
        if found.rows:
            yield from ("", f"### {found.title} ({len(found.rows):,})", "", found.lead, "")
            yield from ("| Id | Contact | Numbers | Why |", "|---:|---|---|---|")
            yield from map(_row, found.rows[:limit])
            if limit is not None and len(found.rows) > limit:
                yield from ("", f"… and {len(found.rows) - limit:,} more.")


def _inputs(report: Report) -> Iterator[str]:
    if s := report.source:
        yield f"- export {code(s.name)}: {s.records:,} records, made {told.moment(s.generated_at)}"
    if p := report.pbx:
        yield f"- 3CX {code(p.url)}: {p.contacts:,} contacts, delete guard {p.delete_guard}"
    for side, counts in (("3CX", report.counts.pbx), ("CRM", report.counts.crm)):
        yield f"- {side}: {told.sum_of(counts)}"


def _finding(finding: FindingPart) -> str:
    limit = f" (limit {code(finding.limit)})" if finding.limit else ""
    seen = f"{code(finding.observed)}{limit}. " if finding.observed else ""
    return f"- **{_LEVELS[finding.level]}: {finding.code}**: {seen}{_plain(finding.message)}"


def _guard(part: GuardPart) -> str:
    seen, limit = code(part.observed), code(part.limit)
    return f"| {_plain(told.guard(part.code))} | {seen} | {limit} | {told.says(part.level)} |"


def _row(part: ContactPart) -> str:
    who = ", ".join(map(code, filter(None, (part.name, part.company))))
    numbers = ", ".join(map(code, part.numbers))
    return f"| {part.id} | {who} | {numbers} | {code(told.why(part))} |"


def code(text: str) -> str:
    """A text as a code span, also inside a table (GFM, section 4.10: its bars are escaped)."""
    text = printable(text).replace("|", "\\|")
    runs = re.findall("`+", text)
    fence = "`" * next(n for n in range(1, len(runs) + 2) if "`" * n not in runs)
    blank = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{blank}{text}{blank}{fence}" if text.strip() else ""


def _plain(text: str) -> str:
    """One of our own sentences, in which a name may stand."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~@&-])", r"\\\1", printable(text))
