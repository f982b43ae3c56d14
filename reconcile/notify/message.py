"""What people are told: from a Report, or from an error, to a title and a text.

A message goes to mail programs and chats, each with a markup of its own. So a text from the CRM or
from 3CX is made inert for all of them at once: what could be markup, a mention of somebody or a
link is shown by a character that looks like it and means nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from reconcile import secrecy
from reconcile.errors import ReconcileError
from reconcile.model import Level, Status, Verdict
from reconcile.report import told
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconcile.report.model import ContactPart, FindingPart, Report

Kind = Literal["info", "success", "warning", "failure"]

LONGEST: Final = 1800
"""Characters of a text: the strictest of the common chats takes 2,000 (Discord), title included."""
_ROOM_FOR_CONTACTS: Final = 1000
_SENTENCE: Final = 300
_NAME: Final = 60
_FINDINGS: Final = 3
_LEVELS: Final = {Level.BLOCK: "Stops it", Level.APPROVE: "Asks a person"}
_HOW: Final[dict[Status, tuple[str, Kind]]] = {
    Status.CLEAN: ("nothing to do", "info"),
    Status.WAITING: ("deletes wait for a person", "info"),
    Status.NEEDS_APPROVAL: ("a plan asks for approval", "warning"),
    Status.BLOCKED: ("a run was stopped", "failure"),
    Status.APPLIED: ("contacts were deleted", "success"),
    Status.PARTIAL: ("a plan was only partly applied", "warning"),
    Status.INTERRUPTED: ("a run was interrupted", "warning"),
}
_UNDERSCORES: Final = re.compile("_+")
_LOOKALIKES: Final = str.maketrans(
    {
        "@": "\uff20",
        "#": "\uff03",
        "<": "\u2039",
        ">": "\u203a",
        "[": "\uff3b",
        "]": "\uff3d",
        "\\": "\uff3c",
        "`": "\u02cb",
        "*": "\u2217",
        "|": "\u00a6",
        "~": "\u223c",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A title, a plain text of several lines, and how urgent it is."""

    title: str
    body: str
    kind: Kind

    @classmethod
    def of(cls, pbx_url: str, what: str, lines: Sequence[str], kind: Kind) -> Message:
        """About one PBX; longer texts are cut."""
        text = secrecy.without("\n".join(lines).strip())
        host = urlsplit(pbx_url).hostname or "3CX"
        return cls(title=f"reconcile, {host}: {what}", body=_cut(text, LONGEST), kind=kind)


def of_report(report: Report, pbx_url: str) -> Message:
    """The headline, what stands against the plan, whom it is about, and the next command."""
    what, kind = _HOW[report.status]
    lines = [
        _cut(theirs(report.headline), _SENTENCE),
        *_findings(report.findings),
        *contacts(report),
        "",
        _cut(ours(told.next_step(report)), _SENTENCE),
        _which(report),
    ]
    return Message.of(pbx_url, what, lines, kind)


def _which(report: Report) -> str:
    run = report.run
    return (
        f"{told.which_run(report)}, {run.command}, mode {run.mode}, {told.moment(run.started_at)}"
    )


def of_error(error: Exception, pbx_url: str) -> Message:
    """A run that could not be made: why, what was not done, and the next command."""
    what = "a run could not be made"
    if not isinstance(error, ReconcileError):
        lines = [f"A bug stopped it ({type(error).__name__}). Nothing more was deleted."]
        lines += ["", "Next: reconcile history, then reconcile plan"]
        return Message.of(pbx_url, what, lines, "failure")
    lines = [theirs(error.message), *(f"- {theirs(str(p))}" for p in error.problems[:_FINDINGS])]
    lines = [_cut(line, _SENTENCE) for line in (*lines, error.consequence)]
    lines += ["", _cut(f"Next: {ours(error.hint)}", _SENTENCE)] if error.hint else []
    return Message.of(pbx_url, what, lines, "failure")


def trial(pbx_url: str) -> Message:
    """What `reconcile doctor --notify` sends."""
    lines = ["This is a test: messages of reconcile arrive here.", "", "Next: reconcile plan"]
    return Message.of(pbx_url, "a test", lines, "info")


def contacts(report: Report) -> Iterator[str]:
    """Whom the run deleted, tried to delete, or would delete; and how many more."""
    for found in told.lists(report):
        if found.rows and found.name in {told.APPLIED, Verdict.DELETE}:
            yield from ("", f"{found.title} ({len(found.rows):,}):")
            yield from _that_fit(found.rows)


def _that_fit(rows: Sequence[ContactPart]) -> Iterator[str]:
    room = _ROOM_FOR_CONTACTS
    for at, part in enumerate(rows):
        line = f"- {_who(part)}: {_cut(theirs(told.why(part)), _SENTENCE)}"
        room -= len(line)
        if room < 0 and at:
            yield f"… and {len(rows) - at:,} more"
            return
        yield line


def _who(part: ContactPart) -> str:
    said = [theirs(text) for text in (part.name, part.company, *part.numbers[:2]) if text]
    return ", ".join(_cut(text, _NAME) for text in said) or f"contact {part.id}"


def _findings(findings: Sequence[FindingPart]) -> Iterator[str]:
    grave = [f for f in findings if f.level in _LEVELS]
    for finding in grave[:_FINDINGS]:
        said = theirs(f"{told.seen(finding)}{finding.message}")
        yield _cut(f"- {_LEVELS[finding.level]}: {finding.code}: {said}", _SENTENCE)
    if len(grave) > _FINDINGS:
        yield f"… and {len(grave) - _FINDINGS} more findings"


def theirs(text: str) -> str:
    """A text in which a name may stand: nothing in it acts in a terminal, a mail or a chat."""
    inert = printable(text).translate(_LOOKALIKES).replace("://", "\uff1a//")
    return _UNDERSCORES.sub(_underscores, inert)


def _underscores(found: re.Match[str]) -> str:
    """Inside a word they emphasise nothing (CommonMark, section 6.2), and paths can be copied."""
    around = found.string[found.start() - 1 : found.start()], found.string[found.end() :][:1]
    return found[0] if all(map(str.isalnum, around)) else "\uff3f" * len(found[0])


def ours(text: str) -> str:
    """A sentence of ours with a command, which can still be copied, and mentions nobody."""
    return printable(text).translate({ord(c): _LOOKALIKES[ord(c)] for c in "@<>"})


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
