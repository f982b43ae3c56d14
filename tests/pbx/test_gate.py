"""Only the listed methods and paths leave, for the configured origin; answers are bounded."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

import reconcile
from reconcile.errors import PbxUntrusted
from reconcile.pbx import transport
from reconcile.pbx.client import PbxWriter
from reconcile.pbx.transport import READING, WRITING, Rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pbx.conftest import FakePbx

    from reconcile.pbx.client import PbxReader

UNSIGNED = httpx.Auth()
BULK = [
    "Pbx.DeleteContactsById",
    "Pbx.DeleteContactsByType",
    "Pbx.DeleteDepartmentContactsByType",
    "Pbx.DeletePersonalContactsByType",
    "Pbx.BatchContactsDelete",
    "Pbx.AllContactsBulkDelete",
    "Pbx.CRMContactsBulkDelete",
    "Pbx.Office365ContactsBulkDelete",
    "Pbx.CreateContactByNumber",
]
FORBIDDEN = [
    *(("POST", f"/xapi/v1/Contacts/{action}") for action in BULK),
    ("POST", "/xapi/v1/CrmIntegration/Pbx.DeleteCrmContacts"),
    ("DELETE", "/xapi/v1/Contacts"),
    ("DELETE", "/xapi/v1/Contacts(0)"),
    ("DELETE", "/xapi/v1/Contacts(-1)"),
    ("DELETE", "/xapi/v1/Contacts(1)?x"),
    ("DELETE", "/xapi/v1/Contacts(1)/"),
    ("DELETE", "/xapi/v1/Contacts(1%29%2FPbx.All"),
    ("DELETE", "/xapi/v1/Users(1)"),
    ("PATCH", "/xapi/v1/Contacts(1)"),
    ("PUT", "/xapi/v1/Contacts(1)"),
    ("MERGE", "/xapi/v1/Contacts(1)"),
    ("POST", "/xapi/v1/$batch"),
    ("POST", "/xapi/v1/Contacts(1)"),
    ("GET", "/xapi/v1/Users"),
    ("GET", "/xapi/v1/Contacts/Pbx.ExportContacts()"),
    ("GET", "/connect/token"),
    ("GET", "/"),
]


@pytest.mark.parametrize("rules", [READING, WRITING])
@pytest.mark.parametrize(("method", "path"), FORBIDDEN)
def test_nothing_else_leaves_this_machine(
    *, pbx: FakePbx, reader: PbxReader, method: str, path: str, rules: Rules
) -> None:
    client = reader.session.client(rules)
    with pytest.raises(PbxUntrusted, match="It was not sent"):
        client.send(client.build(method, path), UNSIGNED)
    assert pbx.requests == []


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_a_reader_can_change_nothing(pbx: FakePbx, reader: PbxReader, method: str) -> None:
    path = "/xapi/v1/Contacts(1)" if method == "DELETE" else "/xapi/v1/Contacts"
    client = reader.session.client(READING)
    with pytest.raises(PbxUntrusted):
        client.send(client.build(method, path), UNSIGNED)
    assert pbx.requests == []


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:1", "https://127.0.0.1", "http://localhost", "http://127.0.0.1.evil.test"],
)
def test_not_even_an_allowed_path_leaves_for_another_origin(reader: PbxReader, origin: str) -> None:
    request = httpx.Request("GET", f"{origin}/xapi/v1/Contacts")
    with pytest.raises(PbxUntrusted, match="It was not sent"):
        reader.session.client(READING).send(request, UNSIGNED)


def test_no_rule_lets_a_bulk_action_through() -> None:
    names = [name for name in vars(transport) if name.isupper()]
    assert not [name for name in names if "Pbx." in str(getattr(transport, name))]


def test_an_answer_that_never_ends_is_cut_off(
    pbx: FakePbx, reader: PbxReader, slept: list[float]
) -> None:
    huge = b'{"value":[' + b" " * transport.MAX_BODY
    pbx.answers("GET", r"Contacts\?", body=huge)
    with pytest.raises(PbxUntrusted, match="more than 16 MiB"):
        reader.find("Tag", "x")
    assert slept == []


def test_a_compressed_answer_that_nobody_asked_for_is_not_unpacked(
    pbx: FakePbx, reader: PbxReader
) -> None:
    bomb = gzip.compress(b" " * 10**7)
    pbx.answers("GET", r"Contacts\?", body=bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(PbxUntrusted, match="compressed"):
        reader.find("Tag", "x")


def test_every_request_says_who_asks_and_wants_it_uncompressed(
    pbx: FakePbx, reader: PbxReader
) -> None:
    reader.version()
    for seen in pbx.requests:
        assert seen.headers["user-agent"] == f"reconcile/{reconcile.__version__}"
        assert seen.headers["accept-encoding"] == "identity"
        assert seen.headers["accept"] == "application/json"


def test_no_cookie_comes_back(pbx: FakePbx, reader: PbxReader) -> None:
    pbx.extra_headers["Set-Cookie"] = "RefreshTokenCookie=canary-token-9; Path=/"
    reader.find("Tag", "x")
    reader.find("Tag", "x")
    assert not [seen for seen in pbx.requests if "cookie" in seen.headers]


def test_connections_are_kept_alive(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader]
) -> None:
    pbx = serve()
    reader = connect(pbx)
    for _ in range(5):
        reader.find("Tag", "x")
    PbxWriter(reader).create({"FirstName": "Jo", "PhoneNumber": "1"})
    assert pbx.connections == 1


def test_lanes_have_a_connection_each_which_the_next_listing_uses(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader], now: datetime
) -> None:
    pbx = serve()
    pbx.fill(1500)
    reader = connect(pbx, concurrency=3)
    for _ in range(3):
        assert len(reader.snapshot(now=now)) == 1500
    assert 1 < pbx.connections <= 3


def test_a_connection_that_broke_is_replaced(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader]
) -> None:
    pbx = serve()
    reader = connect(pbx)
    reader.find("Tag", "x")
    pbx.answers("GET", "Contacts", drop=True)
    reader.find("Tag", "x")
    reader.find("Tag", "x")
    assert pbx.connections == 2
