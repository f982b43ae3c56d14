"""The machine that a command runs on: clock, signals, progress."""

from __future__ import annotations

import getpass
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from reconcile.cli import bars
from reconcile.model import Exit
from reconcile.session import World

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from reconcile.pbx.trace import Trace

_TRACE: Final = "reconcile.trace"
_CODES = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


def real_world() -> World:
    """The real clock, and a bar for long work if somebody is watching; a signal ends it at once.

    For commands that look, or ask a person: there is nothing in hand to finish.
    """
    signal.signal(signal.SIGTERM, _leave)
    return _world(_Stop())


def finishing_world() -> World:
    """The same for commands that change something: they finish what is in hand, and then end."""
    stop = _Stop()
    for number in _CODES:
        signal.signal(number, stop)
    return _world(stop)


def _world(stop: _Stop) -> World:
    return World(
        environ=os.environ,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        user=_user(),
        interrupted=stop.code,
        progress=bars.of_terminal(),
        trace=click.get_current_context().meta.get(_TRACE),
    )


def begin_trace(context: click.Context, path: Path) -> None:
    """Keep a request log until the command ends. Raises UsageError if the file can't be written."""
    from reconcile.pbx.trace import Trace

    trace = context.meta[_TRACE] = Trace(path, clock=lambda: datetime.now(UTC))
    context.call_on_close(lambda: end_trace(trace))


def end_trace(trace: Trace) -> None:
    """An audit must know what its log lacks; what the command did is not changed by it."""
    trace.close()
    if trace.lost:
        click.echo(
            f"reconcile: the request log {trace.path} lacks {trace.lost} requests: {trace.reason}.",
            err=True,
        )


class _Stop:
    """Remembers the first signal; a second one ends the process at once."""

    def __init__(self) -> None:
        self._code: Exit | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self._code is not None:
            raise KeyboardInterrupt
        self._code = _CODES[signal.Signals(number)]
        # Past Python's buffers: the signal may have come in the middle of writing to them.
        with suppress(OSError):
            os.write(2, b"Stopping when what is in hand is finished; once more stops at once.\n")

    def code(self) -> Exit | None:
        """The exit code of the signal that came, or None."""
        return self._code


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that everything that is open is closed."""
    sys.exit(int(Exit.TERMINATED))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
