"""The contacts of a report as a table for spreadsheet programs (RFC 4180, UTF-8 with a mark).

A spreadsheet program calculates a cell that begins like a formula, and makes a number of one that
looks like one: `+49 30 1234567` is an error, `0301234567` loses its zero, `00123` is 123. Such
cells begin with a figure space here (U+2007). It shows as nothing and keeps them text; a program
that strips blanks has the value as it was. (LibreOffice takes the no-break space for none.)
"""

from __future__ import annotations

import csv
import re
from typing import IO, TYPE_CHECKING, Final

from reconcile.report import told
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from reconcile.report.model import ContactPart, Report

HEADS: Final = (
    *("id", "verdict", "outcome", "name", "company", "numbers", "email", "crm_id", "reason"),
    *("evidence", "first_absent", "absent_exports", "due", "outcome_detail", "guard"),
)
GUARD: Final = "\u2007"
"""Before what a spreadsheet program must not take for anything but text."""
_BETWEEN: Final = "; "
_ACTING: Final = re.compile(
    r"[=+\-@]|[\d.,:/ %\-]*\d[\d.,:/e+ %\-]*$|(?:true|false)$", re.IGNORECASE
)
"""A formula; or a number, a date, a time, a share or a truth, and nothing else."""


def render(report: Report, file: IO[str]) -> None:
    """Write a row for each contact, in the order of the report's lists."""
    file.write("\ufeff")
    rows = csv.writer(file)
    rows.writerow(HEADS)
    for found in told.lists(report):
        rows.writerows(map(_row, found.rows))


def _row(part: ContactPart) -> list[str | int]:
    return [
        part.id,
        part.verdict.value,
        part.outcome.value if part.outcome else "",
        text(part.name),
        text(part.company),
        text(_BETWEEN.join(part.numbers)),
        text(part.email),
        text(part.crm_id),
        text(part.reason),
        text(_BETWEEN.join(part.evidence)),
        part.first_absent.isoformat() if part.first_absent else "",
        part.absent_exports,
        part.due.isoformat() if part.due else "",
        text(part.outcome_detail),
        part.guard.value if part.guard else "",
    ]


def text(value: str) -> str:
    """A cell that stays text in whatever opens it."""
    value = printable(value)
    return GUARD + value if _ACTING.match(value) else value
