"""What reached the server, in the server's own words, so that a test need not believe the client.

It never holds a token, a secret or a body.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request to the simulated PBX; those to /sandbox/ are not logged."""

    method: str
    path: str
    """Path and query, percent-decoded: `/xapi/v1/Contacts?$top=100&$skip=0`."""
    target: str
    """Path and query as they stood on the wire."""
    if_match: str | None
    """The header If-Match as sent; None if it was not sent."""
    status: int | None = None
    """What was answered; None while it is handled, and if the connection was closed instead."""


class RequestLog:
    """The requests in the order of their arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, LoggedRequest] = {}
        self._arrived = 0

    def arrive(self, request: LoggedRequest) -> int:
        """Note a request before anything is done about it; returns its ticket."""
        with self._lock:
            self._arrived += 1
            self._entries[self._arrived] = request
            return self._arrived

    def answer(self, ticket: int, status: int) -> None:
        """Note the answer, before it is sent; nothing if the log was cleared meanwhile."""
        with self._lock:
            if ticket in self._entries:
                self._entries[ticket] = replace(self._entries[ticket], status=status)

    def snapshot(self) -> tuple[LoggedRequest, ...]:
        """All entries as of now."""
        with self._lock:
            return tuple(self._entries.values())

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
