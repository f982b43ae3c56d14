"""PBXs that mean harm: each gives out a token, and then what one function makes of the request."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "canary-token-1"


@dataclass
class Asked:
    """One GET of the listing, and the connection on which it is to be answered."""

    handler: BaseHTTPRequestHandler
    url: str
    """Of this server."""

    @property
    def target(self) -> str:
        return unquote(self.handler.path)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def say(self, body: bytes | str | object, *, status: int = 200, **headers: str) -> None:
        """A whole answer."""
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        sent = {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in sent.items())]
        self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def raw(self, octets: bytes) -> None:
        """Bytes as they are. Raises OSError when the client has gone."""
        self.handler.wfile.write(octets)


@dataclass
class Hostile:
    """A PBX that means harm."""

    url: str
    seen: list = field(default_factory=list)
    """(method, target, Authorization) of all requests."""


@contextmanager
def hostile(act: Callable[[Asked], None]) -> Iterator[Hostile]:
    """Serves on a port of its own until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.seen.append((self.command, self.path, self.headers.get("Authorization")))
            with suppress(OSError):
                act(Asked(self, found.url))

        def do_POST(self) -> None:
            found.seen.append((self.command, self.path, self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            grant = {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN}
            Asked(self, found.url).say(grant)

        do_DELETE = do_PUT = do_PATCH = do_GET  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is what these servers deserve."""

    with Server(("127.0.0.1", 0), Handler) as server:
        found = Hostile(url=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@contextmanager
def trap() -> Iterator[tuple[int, list[bytes]]]:
    """A port at which nobody should ever arrive, and what arrived all the same."""
    arrived: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ended = threading.Event()

    def listen() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(0.2)
                    with suppress(OSError):
                        arrived.append(connection.recv(65_536))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield listener.getsockname()[1], arrived
    ended.set()
    thread.join()
    listener.close()


def page(contacts: list[Any], **more: Any) -> dict[str, Any]:
    """A page of a listing that counts."""
    return {"@odata.count": len(contacts), "value": contacts, **more}


def window(contacts: list[Any], asked: Asked) -> list[Any]:
    """What of these is asked for by `$skip` and `$top`."""
    start = int(asked.query.get("$skip", 0))
    return contacts[start : start + int(asked.query.get("$top", 100))]
