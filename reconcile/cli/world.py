"""The machine that a command runs on: clock, signals, progress."""

from __future__ import annotations

import getpass
import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reconcile.model import Exit
from reconcile.session import World

if TYPE_CHECKING:
    from types import FrameType

_CODES = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


def real_world() -> World:
    """The real clock, this process's signals, and a progress line if somebody is watching."""
    stop = _Stop()
    for number in _CODES:
        signal.signal(number, stop)
    return World(
        environ=os.environ,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        user=_user(),
        interrupted=stop.code,
        progress=_progress if sys.stderr.isatty() else _quiet,
    )


class _Stop:
    """Remembers the first signal; a second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self._code: Exit | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self._code is not None:
            raise KeyboardInterrupt
        self._code = _CODES[signal.Signals(number)]
        click.echo("Stopping after the contact in hand …", err=True)

    def code(self) -> Exit | None:
        """The exit code of the signal that came, or None."""
        return self._code


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _progress(what: str, done: int, total: int) -> None:
    click.echo(f"\r\x1b[K{what} {done:,} of {total:,}", err=True, nl=done >= total)


def _quiet(_what: str, _done: int, _total: int) -> None:
    """In cron nobody watches."""
