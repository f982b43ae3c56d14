"""One token, fetched once, shared by all lanes, and never tried again once rejected."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest

from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.model import ContentMatch
from reconcile.pbx.auth import TokenAuth
from reconcile.pbx.client import Connection, PbxWriter
from reconcile.pbx.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pbx.conftest import FakePbx

    from reconcile.pbx.client import PbxReader

TOKEN = "POST /connect/token"
CONNECTION = Connection(
    url="https://pbx.example.com", client_id="me", client_secret="canary-secret-5f1d"
)


def test_the_token_is_asked_for_as_a_form_and_without_a_bearer(
    pbx: FakePbx, reader: PbxReader
) -> None:
    reader.find("Tag", "x")
    (asked,) = pbx.sent("POST")
    assert parse_qs(asked.body.decode()) == {
        "client_id": ["reconcile"],
        "client_secret": ["canary-secret-5f1d"],
        "grant_type": ["client_credentials"],
    }
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers


def test_one_token_serves_all_lanes(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(950)
    assert len(reader.snapshot(now=now)) == 950
    assert len(pbx.sent(pattern=TOKEN)) == 1


def test_a_token_that_dies_in_the_middle_is_renewed_once_for_all_lanes(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    together = threading.Barrier(4, action=lambda: setattr(pbx, "token", "somebody else's"))

    def wait_for_the_others(_seen: object) -> None:
        together.wait(5)

    pbx.hooks("GET", r"\$skip=[1-9]", wait_for_the_others, times=4)
    assert len(reader.snapshot(now=now)) == 950
    assert len(pbx.sent(pattern=TOKEN)) == 2
    assert len(pbx.sent("GET", r"\$skip=[1-9]\d*&")) == 9 + 1 + 4


def test_a_token_rejected_right_after_its_renewal_stops_and_says_why(
    pbx: FakePbx, reader: PbxReader
) -> None:
    pbx.answers("GET", "Contacts", status=401, times=9)
    with pytest.raises(PbxRefused, match="one live token per client id") as caught:
        reader.find("Tag", "x")
    assert "reconcile" in caught.value.message
    assert "only reconcile uses" in caught.value.hint
    assert len(pbx.sent(pattern=TOKEN)) == 2
    assert len(pbx.sent("GET")) == 2


def test_a_client_id_that_others_keep_using_is_given_up(pbx: FakePbx, reader: PbxReader) -> None:
    def steal(_seen: object) -> None:
        pbx.token = "somebody else's"

    for _ in range(3):
        pbx.hooks("GET", "Contacts", steal)
        reader.find("Tag", "x")
    pbx.hooks("GET", "Contacts", steal)
    with pytest.raises(PbxRefused, match="Another program"):
        reader.find("Tag", "x")
    assert len(pbx.sent(pattern=TOKEN)) == 4


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, '{"error":"invalid_client"}', "answered 400: invalid_client"),
        (401, '{"error":"unauthorized","error_description":"No."}', "401: unauthorized: No"),
        (401, "", "answered 401"),
    ],
)
def test_wrong_credentials_are_tried_exactly_once(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, status: int, body: str, words: str
) -> None:
    pbx.answers("POST", TOKEN, status=status, body=body, times=9)
    calls: list[Callable[[], object]] = [
        lambda: reader.snapshot(now=now),
        lambda: reader.contact(1),
        lambda: reader.find("Tag", "x"),
    ]
    for call in calls:
        with pytest.raises(PbxRefused, match=words) as caught:
            call()
        assert "rejected the client id" in caught.value.message
        assert "3CX console" in caught.value.hint
    answer = PbxWriter(reader).delete(1, ContentMatch(fingerprint="x"))
    assert answer.status == 401
    assert len(pbx.requests) == 1


def test_a_server_without_a_verdict_on_the_credentials_is_asked_three_times_in_all(
    pbx: FakePbx, reader: PbxReader, now: datetime, slept: list[float]
) -> None:
    """Its database may be down, or it answers 500 to wrong ones, and counts them."""
    pbx.answers("POST", TOKEN, status=500, times=99)
    for call in (lambda: reader.snapshot(now=now), lambda: reader.find("Tag", "x")):
        with pytest.raises(PbxUnreachable, match="answered 500"):
            call()
    assert PbxWriter(reader).delete(1, ContentMatch(fingerprint="x")).status is None
    assert len(pbx.requests) == 3
    assert slept == [0.5, 1.0]


def test_a_token_in_between_lets_it_be_asked_again(pbx: FakePbx, reader: PbxReader) -> None:
    for _ in range(2):
        pbx.answers("POST", TOKEN, status=500, times=2)
        reader.find("Tag", "x")
        pbx.token = "somebody else's"
    assert len(pbx.sent(pattern=TOKEN)) == 6


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (403, "", PbxRefused, "not from here"),
        (404, "", PbxRefused, "no 3CX Configuration API"),
        (302, "", PbxUntrusted, "not followed"),
        (200, "<html>", PbxUntrusted, "bearer token"),
        (200, "[]", PbxUntrusted, "bearer token"),
        (200, "[" * 100_000, PbxUntrusted, "bearer token"),
        (200, "{}", PbxUntrusted, "bearer token"),
        (200, '{"access_token":""}', PbxUntrusted, "bearer token"),
        (200, '{"access_token":"a b"}', PbxUntrusted, "bearer token"),
        (200, '{"access_token":"a\\r\\nX: y"}', PbxUntrusted, "bearer token"),
        (200, '{"access_token":5}', PbxUntrusted, "bearer token"),
        (200, '{"access_token":"a","token_type":"mac"}', PbxUntrusted, "bearer token"),
    ],
)
def test_any_other_answer_without_a_token_is_final_too(
    *, pbx: FakePbx, reader: PbxReader, status: int, body: str, kind: type[PbxError], words: str
) -> None:
    pbx.answers("POST", TOKEN, status=status, body=body, times=9)
    for _ in range(2):
        with pytest.raises(kind, match=words):
            reader.find("Tag", "x")
    assert len(pbx.requests) == 1


def test_a_pbx_whose_token_service_is_down_is_asked_again_with_the_get_that_needs_it(
    pbx: FakePbx, reader: PbxReader, slept: list[float]
) -> None:
    pbx.answers("POST", TOKEN, status=500, body="<html><title>500</title>", times=2)
    assert reader.find("Tag", "x") == ()
    assert slept == [0.5, 1.0]


def test_a_token_service_that_stays_down_is_unreachable(pbx: FakePbx, reader: PbxReader) -> None:
    pbx.answers("POST", TOKEN, status=503, times=9)
    with pytest.raises(PbxUnreachable, match="answered 503"):
        reader.find("Tag", "x")
    assert len(pbx.requests) == 3


class Tokens:
    """Hands out numbered tokens, and counts them."""

    def __init__(self, expires_in: object) -> None:
        self.count = 0
        self.expires_in = expires_in
        self.time = 0.0

    def post(self, _form: Mapping[str, str]) -> Reply:
        self.count += 1
        document: dict[str, Any] = {"access_token": f"t{self.count}"}
        if self.expires_in is not None:
            document["expires_in"] = self.expires_in
        body = httpx.Response(200, json=document).content
        return Reply(status=200, headers=httpx.Headers(), body=body)

    def used_at(self, auth: TokenAuth, time: float) -> str:
        self.time = time
        request = httpx.Request("GET", f"{CONNECTION.url}/xapi/v1/Defs")
        return next(auth.sync_auth_flow(request)).headers["Authorization"]


@pytest.mark.parametrize(
    ("expires_in", "still", "renewed"),
    [
        (3600, 2879.0, 2880.0),
        (60, 47.9, 48.0),
        (1, 29.9, 30.0),
        (0, 29.9, 30.0),
        (-5, 29.9, 30.0),
        (True, 29.9, 30.0),
    ],
)
def test_a_token_is_renewed_before_it_expires_but_never_per_call(
    expires_in: object, still: float, renewed: float
) -> None:
    tokens = Tokens(expires_in)
    auth = TokenAuth(CONNECTION, tokens.post, monotonic=lambda: tokens.time)
    assert tokens.used_at(auth, 0.0) == "Bearer t1"
    assert tokens.used_at(auth, still) == "Bearer t1"
    assert tokens.used_at(auth, renewed) == "Bearer t2"


@pytest.mark.parametrize("expires_in", [None, "3600", [], 10**400])
def test_a_token_without_a_usable_life_is_kept_until_it_is_rejected(expires_in: object) -> None:
    tokens = Tokens(expires_in)
    auth = TokenAuth(CONNECTION, tokens.post, monotonic=lambda: tokens.time)
    assert tokens.used_at(auth, 0.0) == tokens.used_at(auth, 1e8) == "Bearer t1"


@pytest.mark.parametrize(
    "url",
    [
        "https://pbx.example.com.evil.test/xapi/v1/Contacts",
        "https://pbx.example.com:5001/xapi/v1/Contacts",
        "http://pbx.example.com/xapi/v1/Contacts",
    ],
)
def test_the_token_is_attached_for_the_configured_origin_only(url: str) -> None:
    auth = TokenAuth(CONNECTION, Tokens(3600).post)
    request = httpx.Request("GET", url)
    with pytest.raises(PbxUntrusted):
        next(auth.sync_auth_flow(request))
    assert "Authorization" not in request.headers


def test_neither_secret_nor_token_is_in_any_repr(pbx: FakePbx, reader: PbxReader) -> None:
    reader.find("Tag", "x")
    auth = reader.session._auth  # noqa: SLF001 - where the token is
    shown = repr(
        [reader, reader.session, auth, vars(auth), vars(reader.session), reader.connection]
    )
    assert pbx.token.startswith("canary-token")
    assert "canary" not in shown
