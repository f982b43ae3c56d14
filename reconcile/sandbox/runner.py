"""uvicorn, made to start and stop quickly and to lend out a connection to be dropped."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from reconcile.sandbox.app import Sandbox


class Connection(H11Protocol):
    """A connection whose requests carry its transport in their state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Lend the transport to the requests of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Runner(uvicorn.Server):
    """Serves one sandbox until `stop` is called from any thread."""

    def __init__(self, sandbox: Sandbox, *, certificate: Path | None) -> None:
        super().__init__(
            uvicorn.Config(
                sandbox,
                http=Connection,
                loop="asyncio",
                ws="none",
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                log_config=None,
                log_level="error",
                access_log=False,
                timeout_keep_alive=75,  # nginx's, which stands before a 3CX
                ssl_certfile=certificate,
            )
        )
        self.ready = threading.Event()
        self._sandbox = sandbox
        self._loop: asyncio.AbstractEventLoop
        self.config.load()  # a certificate that can't be read is the caller's error, not a thread's

    def work(self, listener: socket.socket) -> None:
        """Serve on this socket; the body of the server's thread."""
        try:
            self.run(sockets=[listener])
        finally:
            self.ready.set()

    def stop(self) -> None:
        """Ask a server that is ready to end; returns at once."""
        self._loop.call_soon_threadsafe(self._sandbox.stopping.set)

    async def main_loop(self) -> None:
        """Wait to be stopped; once a second uvicorn renews the header Date."""
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self.ready.set()
        while not self._sandbox.stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sandbox.stopping.wait(), 1)
            await self.on_tick(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything at once: a client of a sandbox expects no farewell."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*self.server_state.tasks)
        await asyncio.sleep(0)  # lets the connections notice their end
