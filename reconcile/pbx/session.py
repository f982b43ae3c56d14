"""One session with one PBX: its connections, its token, its lanes, and the patient GET.

Owns what is tried again and how long that may take. Must never send a second time what changes
something.
"""

from __future__ import annotations

from threading import Condition
from typing import TYPE_CHECKING, Final

import httpx

from reconcile.errors import PbxUnreachable
from reconcile.pbx import odata
from reconcile.pbx.auth import TokenAuth
from reconcile.pbx.failures import HTTPX_ERRORS, Transient, from_exception, from_reply
from reconcile.pbx.trace import TracedTransport
from reconcile.pbx.transport import (
    READING,
    TOKEN_PATH,
    Client,
    Reply,
    Rules,
    Wire,
    exchange,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from reconcile.pbx.connection import Connection
    from reconcile.pbx.trace import Trace

_TRIES: Final = 3
_FIRST_WAIT: Final = 0.5
"""Seconds before the second try; doubled before the third."""
_MAX_WAIT: Final = 60.0
"""Seconds that one request may spend waiting between its tries."""
_UNSIGNED: Final = httpx.Auth()
"""Sends a request as it is."""


class Lanes:
    """At most so many requests in flight; fewer, for the rest, once the PBX complains."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._busy = 0
        self._freed = Condition()

    def __enter__(self) -> None:
        with self._freed:
            self._freed.wait_for(lambda: self._busy < self.limit)
            self._busy += 1

    def __exit__(self, *_: object) -> None:
        with self._freed:
            self._busy -= 1
            self._freed.notify_all()

    def halve(self) -> None:
        """Use half as many from now on, and at least one."""
        with self._freed:
            self.limit = max(1, self.limit // 2)


class Session:
    """What readers and writers share. Raises ConfigError for a `ca_file` that can't be used."""

    def __init__(
        self,
        connection: Connection,
        *,
        sleep: Callable[[float], None],
        trace: Trace | None = None,
    ) -> None:
        self.connection = connection
        self.lanes = Lanes(connection.concurrency)
        self.version = ""
        """As the last answer that named one had it."""
        self._last: Reply | None = None
        self._sleep = sleep
        self._wire: httpx.BaseTransport = Wire(connection)
        if trace is not None:
            self._wire = TracedTransport(self._wire, trace)
        self._auth = TokenAuth(connection, self._post_token)
        self._reading = self.client(READING)

    @property
    def server_time(self) -> datetime | None:
        """The Date of the last answer, in UTC; None without one."""
        return self._last.date if self._last else None

    def close(self) -> None:
        """Close the connections, those of writers too."""
        self._wire.close()

    def client(self, rules: Rules) -> Client:
        """A client for these methods and paths, on this session's connections and token."""
        return Client(self._wire, self.connection, rules)

    def get(self, target: str, *, expected: Collection[int] = (200,)) -> Reply:
        """GET a path; tried again, within bounds, for what may be over in a moment.

        Raises PbxError for every answer whose status is not among the expected ones.
        """
        left = _MAX_WAIT
        for attempt in range(_TRIES - 1):
            try:
                return self._get_once(target, expected)
            except Transient as failure:
                if failure.busy:
                    self.lanes.halve()
                wait = _FIRST_WAIT * 2**attempt
                wait = wait if failure.retry_after is None else failure.retry_after
                if wait > left:
                    raise _too_long(failure, wait) from failure
                left -= wait
                self._sleep(wait)
        return self._get_once(target, expected)

    def once(self, client: Client, request: httpx.Request, *, signed: bool = True) -> Reply:
        """Send a request once and give its answer, whatever the status; else raise PbxError."""
        auth = self._auth if signed else _UNSIGNED
        try:
            reply = exchange(client, request, auth=auth, secret=self.connection.client_secret)
        except HTTPX_ERRORS as error:
            raise from_exception(error, self.connection) from error
        self.version = odata.version_of(reply.headers.get(odata.VERSION_HEADER)) or self.version
        self._last = reply
        return reply

    def _get_once(self, target: str, expected: Collection[int]) -> Reply:
        request = self._reading.build("GET", target)
        with self.lanes:
            reply = self.once(self._reading, request)
        if reply.status not in expected:
            raise from_reply(reply, self.connection)
        return reply

    def _post_token(self, form: Mapping[str, str]) -> Reply:
        request = self._reading.build("POST", TOKEN_PATH, data=dict(form))
        return self.once(self._reading, request, signed=False)


def _too_long(failure: Transient, wait: float) -> PbxUnreachable:
    return PbxUnreachable(
        f"{failure.message} It asks to wait {wait:.0f} s, which is too long for one request.",
        hint="Let the PBX recover, then run it again.",
    )
