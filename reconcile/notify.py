"""Who is told: the health check that notices when nights stop happening.

A failing notification never changes a run: it costs a line on stderr.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile.model import Status
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.report.model import Report

_TIMEOUT: Final = 10.0
_FINE: Final = frozenset({Status.CLEAN, Status.WAITING, Status.APPLIED})


@dataclass(slots=True)
class Watch:
    """Pings a health-check URL: `/start`, then the plain URL or `/fail`.

    The form of healthchecks.io, which its self-hosted and rival services understand too.
    """

    url: str

    def ping(self, suffix: str, body: str = "") -> None:
        """One POST; whatever goes wrong is a line on stderr."""
        if not self.url:
            return
        import httpx

        try:
            target = f"{self.url.rstrip('/')}{suffix}"
            httpx.post(target, content=body, timeout=_TIMEOUT).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            sys.stderr.write(f"reconcile: no health-check ping: {type(error).__name__}\n")

    def ended(self, report: Report) -> None:
        """Success, or failure, with the exit code and the headline."""
        suffix = "" if report.status in _FINE else "/fail"
        self.ping(suffix, f"exit {int(report.exit_code)}: {printable(report.headline)}")


@contextmanager
def watched(url: str) -> Iterator[Watch]:
    """Ping the start, and the failure of a command that raises."""
    watch = Watch(url)
    watch.ping("/start")
    try:
        yield watch
    except BaseException as error:
        watch.ping("/fail", f"stopped by {type(error).__name__}")
        raise
