"""Receivers of messages that are real servers, and a company whose nights they are told of."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from aiosmtpd.smtp import SMTP
from company import Company

from reconcile.sandbox import Book
from reconcile.schedule import Nights
from reconcile.slots import trigger_of


@dataclass
class Firm(Company):
    """A company whose nights are those of `reconcile schedule`."""

    def night(self):
        trigger = trigger_of(self.config)
        return Nights(config=self.config, world=self.world(), trigger=trigger).night(self.now)

    def tell(self, *urls, **notify):
        self.settings["notify.urls"] = list(urls)
        self.settings |= {f"notify.{key}": value for key, value in notify.items()}


@pytest.fixture
def company(tmp_path, shelf):
    with shelf.server(Book.seeded(100, seed=3)) as server:
        made = Firm(server=server, folder=tmp_path, shelf=shelf)
        made.create_state()
        yield made


# ---------------------------------------------------------------------------- HTTP


@dataclass
class Hook:
    """A webhook; `status` is its answer, and while it `hangs` it gives none."""

    port: int
    got: list = field(default_factory=list)
    status: int = 200
    hangs: bool = False
    freed: Event = field(default_factory=Event)

    @property
    def url(self):
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def titles(self):
        """What each message is about, without the host of the PBX."""
        return [message["title"].rpartition(": ")[2] for message in self.got]

    @property
    def last(self):
        return self.got[-1]


@pytest.fixture
def hook():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.hangs:
                found.freed.wait(60)
                return
            found.got.append(json.loads(body))
            self.send_response(found.status)
            if found.status in {301, 302, 307, 308}:
                self.send_header("Location", found.url.replace("json", "http", 1) + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Hook(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.freed.set()
        server.shutdown()
        thread.join()


# ---------------------------------------------------------------------------- SMTP


@dataclass
class Mailbox:
    """A mail server that keeps what it was given; who signs in needs no right password."""

    port: int = 0
    got: list = field(default_factory=list)

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - its name for it
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    @property
    def url(self):
        return f"mailto://127.0.0.1:{self.port}?from=pbx@example.com&to=it@example.com"

    def text(self, kind="plain"):
        return self.got[-1].get_body((kind,)).get_content()


@pytest.fixture
def mailbox():
    found, loop = Mailbox(), asyncio.new_event_loop()
    making = loop.create_server(
        lambda: SMTP(found, hostname="mail.example.com", loop=loop), "127.0.0.1", 0
    )
    server = loop.run_until_complete(making)
    found.port = server.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()
