"""A PBX that means harm, or whatever answers in its place: bounded, refused, and told nothing."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from amounts import note
from hostile.measured import MIB, snapshot
from hostile.pbx_servers import TOKEN, Asked, hostile, page, trap, window

from reconcile.errors import PbxError, PbxUnreachable, PbxUntrusted
from reconcile.pbx.client import Connection, PbxReader

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
JO = {"Id": 1, "FirstName": "Jo", "PhoneNumber": "030 1234567"}


PEOPLE = [{**JO, "Id": number, "@odata.etag": '"1"'} for number in range(1, 151)]


def innocent(asked: Asked) -> None:
    asked.say({"@odata.count": len(PEOPLE), "value": window(PEOPLE, asked)})


def one(**fields: object) -> Callable[[Asked], None]:
    """One contact with these properties, too."""
    body = json.dumps(page([{**JO, **fields}])).encode()
    return lambda asked: asked.say(body)


def as_it_is(body: bytes) -> Callable[[Asked], None]:
    return lambda asked: asked.say(body)


def without_end(asked: Asked) -> None:
    """A body in chunks, for ever."""
    asked.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    while True:
        asked.raw(chunk)


def pages_without_end(asked: Asked) -> None:
    """As many full pages as anybody asks for, 4 MB each; they join, and they are counted."""
    start = int(asked.query.get("$skip", 0))
    text = "x" * 2000
    some = [{"Id": start + n + 1, **{f"P{p}": text for p in range(20)}} for n in range(100)]
    asked.say({"@odata.count": 10_000_000, "value": some})


def headers_without_end(asked: Asked) -> None:
    asked.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        asked.raw(b"X-More: " + b"x" * 1000 + b"\r\n")


def one_header_of_20_mb(asked: Asked) -> None:
    asked.say(b"{}", **{"X-Large": "x" * 20 * MIB})


DEEP = b"[" * 100_000 + b"]" * 100_000
MANY = {f"P{n}": "" for n in range(200_000)}
ATTACKS: dict[str, tuple[Callable[[Asked], None], int]] = {
    "a text of 50 MB": (one(LastName="x" * 50 * MIB), 60),
    "a text of a megabyte": (one(LastName="x" * MIB), 60),
    "a text of NULs": (one(LastName="\0" * MIB), 60),
    "a body without end": (without_end, 60),
    "pages without end": (pages_without_end, 900),
    "headers without end": (headers_without_end, 30),
    "a header of 20 MB": (one_header_of_20_mb, 30),
    "brackets without end": (as_it_is(b"[" * 15 * MIB), 150),
    "deep JSON": (as_it_is(b'{"value":[{"Id":1,"X":' + DEEP + b"}]}"), 60),
    "a deep value": (one(X=json.loads("[" * 200 + "]" * 200)), 60),
    "a deep value with half a character": (
        one(X=json.loads("[" * 400 + '"\\ud800"' + "]" * 400)),
        60,
    ),
    "five million lists": (
        as_it_is(b'{"value":[{"Id":1,"X":[' + b"[]," * 5_000_000 + b"0]}]}"),
        700,
    ),
    "200,000 properties": (one(**MANY), 200),
    "other properties in each contact": (
        as_it_is(
            json.dumps(
                page([{"Id": n + 1, **{f"P{n}_{p}": 1 for p in range(9000)}} for n in range(100)])
            ).encode()
        ),
        400,
    ),
    "a number of five million digits": (
        as_it_is(b'{"value":[{"Id":' + b"1" * 5 * MIB + b"}]}"),
        60,
    ),
    "half a title again and again": (as_it_is(b"<title" * 2 * MIB), 100),
    "a login page of 15 MB": (as_it_is(b"<html><title>Log in</title>" + b"<p>" * 5 * MIB), 100),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict:
    """How each attack ended."""
    with ExitStack() as stack:
        good = stack.enter_context(hostile(innocent)).url
        urls = [stack.enter_context(hostile(act)).url for act, _ in ATTACKS.values()]
        results = snapshot(good, urls, cwd=tmp_path_factory.mktemp("pbx"))
    found = dict(zip(ATTACKS, results, strict=True))
    worst = max(found, key=lambda what: found[what].peak)
    note("hostile PBXs", f"{len(ATTACKS)} refused, at most {found[worst].peak} MiB for {worst}")
    return found


@pytest.mark.parametrize("what", ATTACKS)
def test_49_what_is_made_to_fill_the_memory_is_refused_before_it_does(ended, what):
    assert ended[what].code == 6, ended[what].said
    assert ended[what].peak <= ATTACKS[what][1]
    assert ended[what].said.isprintable()
    assert len(ended[what].said) < 1000


@pytest.fixture
def read():
    """Reads the listing of the PBX at an address, without patience."""

    def reading(url: str, *, timeout: float = 5.0):
        connection = Connection(
            url=url, client_id="me", client_secret="canary-secret-7Q", timeout=timeout
        )
        with PbxReader(connection, sleep=lambda _: None) as reader:
            return reader.snapshot(now=NOW)

    return reading


def test_49_the_innocent_one_is_read(read):
    with hostile(innocent) as pbx:
        assert len(read(pbx.url)) == len(PEOPLE)


# ---------------------------------------------------------------------------- drips


def drip(asked: Asked, before: bytes, drop: bytes) -> None:
    """One piece after the other, each long before anybody waits too long for it."""
    asked.raw(before)
    while True:
        asked.raw(drop)
        time.sleep(0.02)


DRIPS = {
    "the status line": lambda asked: drip(asked, b"HTTP/1.1 200 ", b"O"),
    "a header": lambda asked: drip(asked, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "headers": lambda asked: drip(asked, b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
    "answers before the answer": lambda asked: drip(asked, b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    "a body": lambda asked: drip(asked, b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b" "),
    "chunks": lambda asked: drip(
        asked, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"
    ),
}


@pytest.mark.parametrize("what", DRIPS)
def test_49_an_answer_that_drips_for_ever_is_given_up_as_a_whole(read, what):
    with hostile(DRIPS[what]) as pbx, pytest.raises(PbxUnreachable, match="did not answer within"):
        read(pbx.url, timeout=0.1)
    gets = [seen for seen in pbx.seen if seen[0] == "GET"]
    assert len(gets) == 3  # as for every silence: tried again, and then no more


# ---------------------------------------------------------------------------- elsewhere


LINKS = [
    "http://{evil}/xapi/v1/Contacts?$skip=100",
    "https://{evil}/xapi/v1/Contacts?$skip=100",
    "//{evil}/xapi/v1/Contacts",
    "http://127.0.0.1.evil.test/xapi/v1/Contacts",
    "http://127.0.0.1@{evil}/xapi/v1/Contacts",
    "http://{evil}#@127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "gopher://{evil}/1",
    "\\\\{evil}\\share",
    "{own}/xapi/v1/Contacts?$skip=0",
    "{own}/xapi/v1/../../connect/token",
    "\x00",
    {"a": "link"},
    ["http://{evil}/"],
]


def _filled(link: object, **hosts: str) -> object:
    return link.format(**hosts) if isinstance(link, str) else link


@pytest.mark.parametrize("link", LINKS)
def test_37_no_next_link_is_followed_wherever_it_points(read, link):
    """Not one byte leaves for another address, and the token does not either."""
    with trap() as (port, arrived):

        def lured(asked: Asked) -> None:
            where = _filled(link, evil=f"127.0.0.1:{port}", own=asked.url)
            shown = window(PEOPLE, asked)
            links = {"@odata.nextLink": where} if shown and shown[-1] != PEOPLE[-1] else {}
            whole = {"@odata.count": len(PEOPLE), "@odata.context": where, "value": shown}
            asked.say({**whole, **links})

        with hostile(lured) as pbx:
            assert len(read(pbx.url)) == len(PEOPLE)
        assert arrived == []
        assert len(pbx.seen) < 50
    assert {seen[2] for seen in pbx.seen} == {None, f"Bearer {TOKEN}"}
    assert all(
        t.startswith(("/xapi/v1/Contacts?", "/xapi/v1/Defs?", "/connect/token"))
        for _, t, _ in pbx.seen
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://{evil}/", "//{evil}/x", "https://{evil}/", "/login", "{own}/login", ""]
)
def test_38_no_redirect_is_followed(read, status, location):
    with trap() as (port, arrived):

        def sent_on(asked: Asked) -> None:
            where = location.format(evil=f"127.0.0.1:{port}", own=asked.url)
            asked.say(b"", status=status, Location=where)

        with hostile(sent_on) as pbx, pytest.raises(PbxError) as caught:
            read(pbx.url)
        assert arrived == []
    assert len(pbx.seen) == 2  # the token, and one GET
    assert "It was not followed." in caught.value.message


LOGIN = "<!doctype html><html><head><title>3CX \x1b[2JLog in</title></head></html>"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (LOGIN, "text/html"),
        (LOGIN, "application/json"),
        ("", "application/json"),
        ("null", "application/json"),
        ("[]", "application/json"),
        ('{"value":{}}', "application/json"),
        ('{"error":{"code":"","message":"\\u001b[2JLog in"}}', "application/json"),
    ],
)
def test_38_a_login_page_or_an_error_answered_with_200_is_no_listing(read, body, kind):
    with (
        hostile(lambda asked: asked.say(body, **{"Content-Type": kind})) as pbx,
        pytest.raises(PbxUntrusted) as caught,
    ):
        read(pbx.url)
    assert caught.value.message.isprintable()
