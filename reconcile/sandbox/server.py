"""Running a simulated PBX: in a thread beside a test, or in the foreground for a person.

Importing this needs neither starlette nor uvicorn; starting a server does.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from reconcile.errors import MissingExtra
from reconcile.sandbox import certificates
from reconcile.sandbox.faults import Fault, Hook
from reconcile.sandbox.simulation import Simulation
from reconcile.sandbox.switches import Switches
from reconcile.sandbox.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Literal

    from reconcile.sandbox.book import Book
    from reconcile.sandbox.requestlog import LoggedRequest

CLIENT_ID = "reconcile"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - it guards synthetic people


class SandboxServer:
    """A simulated PBX on this machine, for as long as the `with` block lasts.

    `port=0` takes a free one. Entered again after its end, it comes up at the same address with the
    same book and the same live token. `clock` tells seconds, for the age of tokens. Raises
    MissingExtra.
    """

    def __init__(
        self,
        book: Book,
        *,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        switches: Switches | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _require_extra()
        tokens = Tokens(client_id=client_id, client_secret=client_secret, clock=clock)
        self._simulation = Simulation(book=book, tokens=tokens, switches=switches or Switches())
        self._host = host
        self._port = port
        self._ca_file: Path | None = None
        self._running: ExitStack | None = None
        """What is to be undone at the end."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and return when the first request can come. Raises OSError: the port is taken."""
        from reconcile.sandbox.app import Sandbox
        from reconcile.sandbox.runner import Runner, listen

        with ExitStack() as ends:
            certificate = ends.enter_context(certificates.made(self.switches.tls))
            runner = Runner(Sandbox(self._simulation), chain_file=certificate.chain_file)
            listener = listen(self._host, self._port)
            self._port = listener.getsockname()[1]
            self._ca_file = certificate.ca_file
            self._simulation.is_running = True
            ends.callback(self._ended)
            thread = threading.Thread(
                target=runner.work, args=(listener,), name="sandbox", daemon=True
            )
            thread.start()
            ends.callback(thread.join)
            runner.ready.wait()
            ends.callback(runner.stop)
            self._running = ends.pop_all()

    def stop(self) -> None:
        """Close every connection and end; nothing if it doesn't run."""
        if self._running is not None:
            self._running.close()

    def _ended(self) -> None:
        self._running = self._ca_file = None
        self._simulation.is_running = False

    @property
    def url(self) -> str:
        """The base URL as it belongs into a configuration, without a slash at its end."""
        scheme = "http" if self.switches.tls == "none" else "https"
        return f"{scheme}://{self._host}:{self._port}"

    @property
    def ca_file(self) -> Path | None:
        """What a client has to trust, in PEM, while it runs; None if there is nothing to trust."""
        return self._ca_file

    @property
    def book(self) -> Book:
        """The contacts; a test may change them at any moment."""
        return self._simulation.book

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """What has arrived so far, in order; the control API's requests are not among them."""
        return self._simulation.log.snapshot()

    def clear_requests(self) -> None:
        """Begin the log anew."""
        self._simulation.log.clear()

    @property
    def switches(self) -> Switches:
        """How this PBX behaves; set a new value to change it from the next request on.

        Raises ValueError if `tls` changes while it runs.
        """
        return self._simulation.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self._simulation.turn(switches)

    def fail(  # noqa: PLR0913 - the fields of a fault, all named
        self,
        *,
        method: str = "",
        path_prefix: str = "",
        times: int = 1,
        skip: int = 0,
        status: int = 500,
        body: str | Mapping[str, Any] = "",
        headers: Mapping[str, str] | None = None,
        effect: Literal["before", "after"] = "before",
        drop: bool = False,
        stall: float = 0.0,
        cut: int | None = None,
    ) -> None:
        """Let the next matching requests fail; see `faults.Fault`. Raises ValueError."""
        self._simulation.script.add(
            Fault(
                method=method,
                path_prefix=path_prefix,
                times=times,
                skip=skip,
                status=status,
                body=body,
                headers=headers or {},
                effect=effect,
                drop=drop,
                stall=stall,
                cut=cut,
            )
        )

    def hook(
        self, act: Callable[[], object], *, method: str = "", path_prefix: str = "", nth: int = 1
    ) -> None:
        """Do something, in the server's thread, just before the nth matching request is handled.

        `hook(lambda: book.edit(7, {…}), method="DELETE", path_prefix="/xapi/v1/Contacts(7)")` is
        the colleague who edits between our re-read and our DELETE. It acts once.
        """
        self._simulation.script.add(Hook(act=act, method=method, path_prefix=path_prefix, nth=nth))

    def clear_script(self) -> None:
        """Forget the faults and hooks that still wait."""
        self._simulation.script.clear()

    def expire_tokens(self) -> None:
        """End the live token, as its age or another program with our client id does."""
        self._simulation.tokens.expire()


def serve(server: SandboxServer, *, announce: Callable[[str], object]) -> None:
    """Run in the foreground until SIGINT or SIGTERM, then end cleanly and return.

    `announce` is called with the URL once requests can come. Only for the main thread. Raises
    OSError if the port is taken.
    """
    stops = {signal.SIGINT, signal.SIGTERM}
    # Blocked and awaited instead of handled: no handler can run in the middle of anything.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        with server:
            announce(server.url)
            signal.sigwait(stops)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _require_extra() -> None:
    for name in ("httptools", "python_multipart", "starlette", "trustme", "uvicorn"):
        if find_spec(name) is None:
            raise MissingExtra("the sandbox", "sandbox")
