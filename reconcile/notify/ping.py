"""Pings of a health-check service, which notices when nights stop happening.

The form of healthchecks.io, which its self-hosted and rival services understand too: `/start`,
then the plain URL or `/fail`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconcile.model import Status
from reconcile.notify.complaint import complain
from reconcile.report.inert import printable

if TYPE_CHECKING:
    from reconcile.report.model import Report

FINE: Final = frozenset({Status.CLEAN, Status.WAITING, Status.APPLIED})
"""How a night ends that went well: waiting for a person is what mode `review` is for."""
_TIMEOUT: Final = 10.0


def ping(url: str, suffix: str, body: str = "") -> None:
    """One POST, if there is a URL; whatever goes wrong is a line on stderr."""
    if not url:
        return
    import httpx

    try:
        target = f"{url.rstrip('/')}{suffix}"
        httpx.post(target, content=body, timeout=_TIMEOUT).raise_for_status()
    except Exception as error:  # noqa: BLE001 - a proxy, a certificate, a name: no night depends on it
        complain(f"no health-check ping: {type(error).__name__}")


def ended(url: str, report: Report) -> None:
    """Success, or failure, with the exit code and the headline."""
    ping(url, "" if report.status in FINE else "/fail", summary(report))


def summary(report: Report) -> str:
    """What is said of a run in one line."""
    return f"exit {int(report.exit_code)}: {printable(report.headline)}"
