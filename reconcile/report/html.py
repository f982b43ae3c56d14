"""The report as one page: no network, no other file, nothing in it that could act.

Whatever comes from the CRM or from 3CX is made printable (`report.inert`) and escaped by the
template; a Content-Security-Policy (W3C, CSP 3) allows this page's own style and script by their
hash and nothing else. The script only searches, sorts and filters: without it, all is there.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import IO, TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reconcile.model import Level, Status
from reconcile.report import told
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconcile.report.model import Report, TrendPart

LEVELS: Final = {
    Level.BLOCK: "\u2716 Nothing gets past this",
    Level.APPROVE: "\u26a0 A person must approve",
    Level.INFO: "\u2139 To know",
}
_HEADS: Final = ("Id", "Name", "Company", "Numbers", "E-mail", "Outcome", "Why", "Absent since")
_BAR: Final = 16
"""Width of a run in the picture of the last runs, in its own units; the height of a full bar is
`_HEIGHT`."""
_HEIGHT: Final = 80
_SHOWN: Final = 1000
"""So many rows of a list are shown at once on a screen; all are there."""
MOST: Final = 20_000
"""So many rows are in the page of a list that nobody signs: a page of a million opens nowhere."""


@dataclass(frozen=True, slots=True)
class Table:
    """A list of anything but contacts."""

    name: str
    title: str
    lead: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    count: int
    """All of them, also those that are left out."""


@dataclass(frozen=True, slots=True)
class Side:
    """The counts of one side, which add up to what was read."""

    title: str
    read: int
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the picture of the last runs: where it stands, and how high."""

    run: int
    x: int
    planned: float
    deleted: float
    stopped: bool


def render(report: Report, file: IO[str]) -> None:
    """Write the page, a list at a time, as one may have 20,000 rows."""
    file.writelines(environment().get_template("report.html").generate(_said(report)))


@cache
def environment() -> Environment:
    """What all pages are made with: values are escaped and made inert; our own style and script."""
    environment = Environment(
        loader=PackageLoader("reconcile.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
    )
    for name, file in (("style", "report.css"), ("script", "report.js"), ("early", "early.js")):
        text = files("reconcile.report").joinpath("templates", file).read_text(encoding="utf-8")
        own = Markup(text)  # noqa: S704 - a file of ours, nothing of it is from anybody else
        environment.globals |= {name: own, f"{name}_hash": _hash(text)}
    return environment


def _shown(value: object) -> object:
    """What the template prints: text that could act is made printable, before it is escaped."""
    return value if not isinstance(value, str) or value.isprintable() else _inert(value)


def _inert(text: str) -> str:
    return text if isinstance(text, Markup) else printable(text)


def _hash(text: str) -> str:
    """By which the policy knows a style or a script (CSP 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _said(report: Report) -> dict[str, object]:
    """All that the template needs, ready to be printed."""
    pbx = report.pbx
    return {
        "report": report,
        "title": f"{told.which_run(report)}: {report.headline}",
        "run": told.which_run(report),
        "next": told.next_step(report),
        "levels": LEVELS,
        "guards": [
            (told.guard(g.code), g.observed, g.limit, told.says(g.level), g.level or "fine")
            for g in report.guards
        ],
        "age": _age(report),
        "probed": told.probed(pbx) if pbx else "",
        "compare": told.narrows(pbx) if pbx else "",
        "sides": [
            _side(name, counts)
            for name, counts in (("3CX", report.counts.pbx), ("CRM", report.counts.crm))
            if any(counts.values())
        ],
        "lists": told.lists(report),
        "heads": _HEADS,
        "shown": _SHOWN,
        "tables": list(_tables(report)),
        "bars": _bars(report.trend),
        "height": _HEIGHT,
        "undo": told.undo(report),
    }


def _age(report: Report) -> str:
    """How old the export was when it was read, in hours and minutes."""
    if report.source is None:
        return ""
    minutes = (report.run.started_at - report.source.generated_at).total_seconds() // 60
    return f"{minutes // 60:,.0f} h {minutes % 60:.0f} min"


def _side(title: str, counts: dict[str, int]) -> Side:
    shown = tuple((name, count) for name, count in counts.items() if name != "read")
    return Side(title, counts.get("read", 0), shown)


def _tables(report: Report) -> Iterator[Table]:
    previous = report.previous
    yield Table(
        "missing",
        "In the CRM, and not in 3CX",
        "They have a number, and nobody rings with their name.",
        ("CRM id", "Row", "Name", "Company"),
        [(m.crm_id, m.row, m.name, m.company) for m in report.missing[:MOST]],
        len(report.missing),
    )
    yield Table(
        "drift",
        "Different on both sides",
        "The same person, with another value in 3CX than in the CRM. Nothing is changed.",
        ("Id", "CRM id", "Field", "In 3CX", "In the CRM"),
        [(d.id, d.crm_id, d.field, d.pbx, d.crm) for d in report.drift[:MOST]],
        len(report.drift),
    )
    yield Table(
        "duplicates",
        "One person, several contacts",
        "Each of them is kept.",
        ("CRM id", "Name", "Ids"),
        [(d.crm_id, d.name, ", ".join(map(str, d.ids))) for d in report.duplicates[:MOST]],
        len(report.duplicates),
    )
    changes = previous.changes if previous else ()
    yield Table(
        "changes",
        "What changed since the last report",
        f"Against run {previous.run} of {told.moment(previous.finished_at)}." if previous else "",
        ("Id", "Was", "Is"),
        [(c.id, _verdict(c.before), _verdict(c.now)) for c in changes[:MOST]],
        len(changes),
    )


def _verdict(name: str) -> str:
    return name.replace("_", " ") or "matched, or not there"


def _bars(trend: tuple[TrendPart, ...]) -> tuple[Bar, ...]:
    """The picture of the last runs; the highest bar is as high as the picture."""
    most = max((max(part.delete, part.deleted) for part in trend), default=0) or 1
    return tuple(
        Bar(
            run=part.run,
            x=at * _BAR,
            planned=round(part.delete / most * _HEIGHT, 1),
            deleted=round(part.deleted / most * _HEIGHT, 1),
            stopped=part.status in {Status.BLOCKED, Status.NEEDS_APPROVAL, Status.PARTIAL},
        )
        for at, part in enumerate(trend)
    )
