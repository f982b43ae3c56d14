"""A bar for long work, on a terminal; in cron nobody watches, and nothing is drawn.

A bar is drawn by click when something moves, without a thread: whatever ends a command leaves the
terminal as it was.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from reconcile.session import PROGRESS_LINES, PROGRESS_MARK

if TYPE_CHECKING:
    from collections.abc import Callable

_BARS = "reconcile.bars"


def of_terminal() -> Callable[[str, int, int], None]:
    """What draws progress on stderr, if that is a terminal, until the command ends."""
    if os.environ.get(PROGRESS_LINES):
        return _line
    if not sys.stderr.isatty():
        return _quiet
    context = click.get_current_context()
    bars = context.meta[_BARS] = Bars()
    context.call_on_close(bars.end)
    return bars


def end() -> None:
    """Leave the line of an unfinished bar, before anything else is printed."""
    if bars := click.get_current_context().meta.get(_BARS):
        bars.end()


class Bars:
    """One bar at a time, for as long as the same thing moves on."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` of `what`; the last one ends the bar."""
        if what != self._what:
            self.end()
            self._what = what
            self._bar = click.progressbar(
                length=total, label=f"{what:<18}", show_pos=True, file=sys.stderr
            )
            self._bar.render_progress()
        if self._bar is not None:
            self._bar.length = total
            self._bar.update(done - self._bar.pos)
            if done >= total:
                self._finish()

    def end(self) -> None:
        """No more of what moves now."""
        self._what = ""
        self._finish()

    def _finish(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None


def _line(what: str, done: int, total: int) -> None:
    """For the process that started this one."""
    click.echo(f"{PROGRESS_MARK}{json.dumps([what, done, total])}", err=True)


def _quiet(_what: str, _done: int, _total: int) -> None:
    """In cron nobody watches."""
