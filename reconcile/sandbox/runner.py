"""uvicorn, made to start and stop quickly and to lend out a connection to be dropped."""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconcile.sandbox.app import Sandbox


class Joining:
    """A transport that can send several pieces as one, which wakes the client up once.

    uvicorn writes the head and the body of an answer one after the other.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, or hold for what follows."""
        if self._held is None:
            self._transport.write(data)
        else:
            self._held.append(data)

    def close(self) -> None:
        """Send what is held, and close the connection."""
        self._flush()
        self._transport.close()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """What the block writes goes out at its end."""
        self._held = []
        try:
            yield
        finally:
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, None
        if held:
            self._transport.write(b"".join(held))


class Connection(HttpToolsProtocol):
    """A connection whose requests carry its transport in their state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Lend the transport to the requests of this connection."""
        joining = cast("asyncio.Transport", Joining(transport))
        super().connection_made(joining)
        self.app_state = {**self.app_state, "transport": joining}

    def on_message_begin(self) -> None:
        """Note when a request arrives: its latency begins then."""
        self.app_state["arrived"] = self.loop.time()
        super().on_message_begin()


class PunctualSelector(selectors.DefaultSelector):
    """Wakes up on time; Linux's epoll alone waits in whole milliseconds, and so half of one longer.

    A latency of 20 ms would be one of 20.5.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready, after at most so many seconds."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


class Runner(uvicorn.Server):
    """Serves one sandbox until `stop` is called from any thread."""

    def __init__(self, sandbox: Sandbox, *, chain_file: Path | None) -> None:
        super().__init__(
            uvicorn.Config(
                sandbox,
                http=Connection,
                ws="none",
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                log_config=None,
                log_level="error",
                access_log=False,
                timeout_keep_alive=75,  # nginx's, which stands before a 3CX
                ssl_certfile=chain_file,
            )
        )
        self.ready = threading.Event()
        self._sandbox = sandbox
        self._sandbox.restart = self.restart
        self._ended = asyncio.Event()
        self._outage: tuple[asyncio.Task[None], socket.socket] | None = None
        self._loop: asyncio.AbstractEventLoop

    def work(self, listener: socket.socket) -> None:
        """Serve on this socket; the body of the server's thread."""
        try:
            with asyncio.Runner(loop_factory=_loop) as loop:
                loop.run(self.serve(sockets=[listener]))
        finally:
            self.ready.set()

    def stop(self) -> None:
        """Ask a server that is ready to end; returns at once."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def main_loop(self) -> None:
        """Wait to be stopped; once a second uvicorn renews the header Date."""
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self.ready.set()
        while not self._ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 1)
            await self.on_tick(0)

    async def restart(self, seconds: float, last: asyncio.Transport) -> None:
        """Go down at once, and come back at the same address after so long.

        The connection of the `last` request stays for its answer.
        """
        address = self.servers[0].sockets[0].getsockname()
        await self._go_down(but=last)
        # Held without listening: connections are refused. Without SO_REUSEADDR, which Linux looks
        # at on both sides, nobody else can take the port.
        held = _bind(*address)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        back = asyncio.create_task(self._come_back(held, seconds))
        self._outage = (back, held)
        if not seconds:
            await back

    async def _come_back(self, held: socket.socket, seconds: float) -> None:
        await asyncio.sleep(seconds)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sandbox.stopping = asyncio.Event()
        await self.startup(sockets=[held])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything at once: a client of a sandbox expects no farewell."""
        await self._go_down()
        await asyncio.gather(*self.server_state.tasks)
        if self._outage is not None:  # perhaps one that a request began meanwhile
            back, held = self._outage
            back.cancel()
            await self._go_down()
            held.close()
        for listener in sockets or []:
            listener.close()

    async def _go_down(self, *, but: asyncio.Transport | None = None) -> None:
        """Listen no more, and return when all connections but one have ended."""
        self._sandbox.stopping.set()
        await self._accept_no_more()
        for server in self.servers:
            server.close()
        while ending := [c for c in self.server_state.connections if c.transport is not but]:
            for connection in ending:
                connection.transport.abort()
            await asyncio.sleep(0)

    async def _accept_no_more(self) -> None:
        for server in self.servers:
            for listener in server.sockets:
                self._loop.remove_reader(listener.fileno())
        # Whom asyncio has just taken in it must make a connection, three steps later: the socket
        # leaks if its server is closed in between.
        for _ in range(3):
            await asyncio.sleep(0)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(PunctualSelector())


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises OSError: the port is taken."""
    listener = _bind(host, port)
    listener.listen(128)
    return listener


def _bind(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only for sockets that name their protocol, which
    # socket.create_server leaves out: 40 ms for every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
