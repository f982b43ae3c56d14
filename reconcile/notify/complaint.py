"""What is said when somebody could not be told: one line on stderr, and the run stands."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconcile import secrecy
from reconcile.errors import ReconcileError
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


def complain(line: str) -> None:
    """One line on stderr, whatever stands in it, and no secret."""
    sys.stderr.write(f"reconcile: {printable(secrecy.without(line))}\n")
    sys.stderr.flush()


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """Whatever goes wrong inside costs a line; `what` is what wasn't sent or written."""
    try:
        yield
    except ReconcileError as error:
        why = "; ".join(str(problem) for problem in error.problems) or error.message.rstrip(".")
        complain(f"{what}: {why}." + (f" Next: {error.hint}" if error.hint else ""))
    except Exception as error:  # noqa: BLE001 - what was deleted is deleted: telling can't undo it
        # Its own words may hold an address; what kind of error it is may be said.
        complain(f"{what}: {type(error).__name__}")
