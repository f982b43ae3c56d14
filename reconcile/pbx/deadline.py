"""A whole answer within its time: every wait on a connection ends at the request's deadline.

httpx bounds each wait for the next bytes, and a server that sends one byte per wait, of its
headers too, is never late by that. So the deadline is kept where the waiting is done.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from httpcore import SOCKET_OPTION, NetworkStream

_DEADLINE: Final[ContextVar[float]] = ContextVar("deadline")
"""Of the request in hand, by `time.monotonic`; each lane is a thread with its own."""


def begin(patience: float) -> None:
    """The request that this thread sends now must be answered whole in so many seconds."""
    _DEADLINE.set(time.monotonic() + patience)


def _wait(timeout: float | None) -> float | None:
    """How long the next wait may take. Raises httpcore.ReadTimeout when there is no time left."""
    deadline = _DEADLINE.get(None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the answer as a whole took too long")
    return left if timeout is None else min(timeout, left)


class PatientBackend(httpcore.SyncBackend):
    """Opens connections that look at the deadline before each wait."""

    def connect_tcp(  # noqa: PLR0917 - as httpcore calls it
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """As httpcore does."""
        return _Stream(
            super().connect_tcp(host, port, _wait(timeout), local_address, socket_options)
        )


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _wait(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _wait(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _wait(timeout)))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore
        return self._stream.get_extra_info(info)
