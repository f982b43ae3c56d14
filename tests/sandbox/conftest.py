"""A running sandbox with a handful of contacts, and clients that speak to it over real HTTP."""

from __future__ import annotations

import ssl
from contextlib import ExitStack

import httpx
import pytest

from reconcile.sandbox import Book, SandboxServer, Switches
from reconcile.sandbox.server import CLIENT_ID, CLIENT_SECRET

PEOPLE = (
    {"FirstName": "Ada", "LastName": "Byron", "PhoneNumber": "+49 30 1", "CompanyName": "Engine"},
    {"FirstName": "bob", "LastName": None, "PhoneNumber": "2", "Email": "bob@x.example"},
    {"FirstName": "Cem", "LastName": "", "PhoneNumber": "3", "Tag": "O'Hara"},
    {"FirstName": None, "LastName": "Đặng", "PhoneNumber": "4", "ContactType": "CRM"},
    {"FirstName": "Ada", "LastName": "Aalto", "PhoneNumber": "5", "Other": "nur vormittags"},
)


@pytest.fixture
def start():
    """Start a sandbox; every one ends with the test."""
    with ExitStack() as stack:

        def started(book=None, **options):
            return stack.enter_context(SandboxServer(Book() if book is None else book, **options))

        yield started


@pytest.fixture
def book():
    """Five contacts, with the Ids 1 to 5."""
    book = Book()
    for person in PEOPLE:
        book.add(person)
    return book


@pytest.fixture
def server(start, book):
    return start(book)


@pytest.fixture
def connect():
    """A client, with the live token unless asked for a stranger; every one closes with the test."""
    with ExitStack() as stack:

        def connected(server, *, stranger=False):
            client = stack.enter_context(httpx.Client(base_url=server.url, verify=_TRUST))
            if not stranger:
                login(client)
            return client

        yield connected


@pytest.fixture
def pbx(server, connect):
    """A client of `server` with a token; the log of requests is empty."""
    client = connect(server)
    server.clear_requests()
    return client


@pytest.fixture
def turn(server):
    """Set switches of `server`."""

    def turned(**switches):
        server.switches = Switches(**switches)

    return turned


@pytest.fixture
def grant():
    """The form of a token request that is right."""
    return dict(FORM)


# Made once: loading the certificates takes longer than most of these tests.
_TRUST = ssl.create_default_context()

FORM = {
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "grant_type": "client_credentials",
}


def login(client):
    answer = client.post("/connect/token", data=FORM)
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
