"""How a reader says what is wrong with an export: one problem per place, and never a cell's value.

Readers leave `Problem.file` empty; who knows the file's name fills it in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconcile.errors import ExportRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 10
"""Problems of one kind that are listed; the rest is counted."""


def rejected(code: str, message: str, *, row: int | None = None, hint: str = "") -> ExportRejected:
    """The error for the one thing that keeps the rest of the export from being looked at."""
    problem = Problem(code=code, message=message, row=row)
    return ExportRejected(message, problems=(problem,), hint=hint)


def capped(first: Iterable[Problem], *, total: int) -> tuple[Problem, ...]:
    """The first problems of a kind (at most `MOST` are given), and one that counts the others."""
    listed = tuple(first)
    if total <= len(listed):
        return listed
    more = Problem(code=listed[0].code, message=f"and {total - len(listed):,} more rows like these")
    return (*listed, more)
