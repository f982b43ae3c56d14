"""The token of a 3CX service principal (OAuth client credentials), as an httpx.Auth.

Owns the one live token: fetched once, shared by all lanes under a lock. 3CX keeps one token per
client id, so a new one kills the last. Must never try rejected credentials a second time (a PBX
may blacklist the address), and never show or send the secret or the token anywhere else.
"""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import httpx

from reconcile import secrecy
from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.pbx.connection import Connection, origin_of
from reconcile.pbx.failures import Transient, from_reply, said

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from reconcile.pbx.transport import Reply

_EARLY: Final = 0.8
"""A token is renewed after this share of its life."""
_MIN_LIFE: Final = 30.0
"""Seconds. Up to 20.0.8 `expires_in` counts minutes: 60 read as seconds is wasteful, never wrong,
as long as there is no token request per call."""
_ENDLESS: Final = 1e9
"""Seconds that no token lives."""
_MAX_REJECTIONS: Final = 3
"""Tokens rejected before their time, in the life of one session."""
_MAX_FAILURES: Final = 3
"""Token requests in a row that ended without a verdict on the credentials. A PBX that answers 500
to wrong ones must not be asked by every lane and every command's next step."""
_VALUE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class TokenAuth(httpx.Auth):
    """Signs requests to the configured origin; raises PbxError if there is no token to be had.

    A GET that is answered with 401 is sent once more, with a new token. What changes something is
    not: its 401 is handed back, the token is forgotten, and the next request fetches a new one.
    """

    def __init__(
        self,
        connection: Connection,
        post: Callable[[Mapping[str, str]], Reply],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._post = post
        self._monotonic = monotonic
        self._lock = Lock()
        self._token: _Token | None = None
        self._rejections = 0
        self._failures = 0
        self._refusal: PbxError | None = None

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign and send; after the first 401 sign anew and send again, if it is a GET."""
        token = self._valid()
        response = yield self._signed(request, token)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return
        response.read()  # gives its connection back, before the token request wants one
        self._forget(token)
        if request.method != "GET":
            return
        token = self._valid()
        response = yield self._signed(request, token)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise self._taken_over()

    def _signed(self, request: httpx.Request, token: _Token) -> httpx.Request:
        if origin_of(request.url) != self._connection.url:
            raise PbxUntrusted("The token is for the PBX in pbx.url only.", code="pbx_untrusted")
        request.headers["Authorization"] = f"Bearer {token.value}"
        return request

    def _valid(self) -> _Token:
        """The live token, which one lane fetches while the others wait for it."""
        with self._lock:
            if self._refusal is not None:
                raise _again(self._refusal)
            if self._token is None or self._monotonic() >= self._token.renew_at:
                self._token = self._fetch()
            return self._token

    def _forget(self, token: _Token) -> None:
        """Drop a rejected token, unless another lane has already renewed it."""
        with self._lock:
            if self._token is not token:
                return
            self._token = None
            self._rejections += 1
            if self._rejections > _MAX_REJECTIONS:
                raise self._taken_over()

    def _taken_over(self) -> PbxRefused:
        return PbxRefused(
            f"{self._connection.url} rejected a token that it had just issued. Another program "
            f'probably uses the client id "{self._connection.client_id}" too: 3CX keeps one live '
            "token per client id.",
            hint="Make an API client in the 3CX console that only reconcile uses.",
        )

    def _fetch(self) -> _Token:
        try:
            token = self._parsed(self._post(self._form()))
        except PbxError as error:
            self._failures += 1
            if not isinstance(error, Transient) or self._failures >= _MAX_FAILURES:
                self._refusal = error
            raise
        self._failures = 0
        return token

    def _form(self) -> dict[str, str]:
        return {
            "client_id": self._connection.client_id,
            "client_secret": self._connection.client_secret,
            "grant_type": "client_credentials",
        }

    def _parsed(self, reply: Reply) -> _Token:
        if reply.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
            raise self._rejected(reply)
        if reply.status != HTTPStatus.OK:
            raise from_reply(reply, self._connection)
        document = _document(reply.body)
        value = document.get("access_token")
        kind = document.get("token_type") or "Bearer"
        if not _is_token(value) or str(kind).lower() != "bearer":
            raise PbxUntrusted(
                f"{self._connection.url} did not answer the token request with a bearer token.",
                hint="Put the address and port of the 3CX console into pbx.url.",
                code="pbx_untrusted",
            )
        secrecy.keep(value)
        life = max(_EARLY * _seconds(document.get("expires_in")), _MIN_LIFE)
        return _Token(value=value, renew_at=self._monotonic() + life)

    def _rejected(self, reply: Reply) -> PbxRefused:
        return PbxRefused(
            f'{self._connection.url} rejected the client id "{self._connection.client_id}" or its '
            f"secret: it {said(reply)}. They were tried once and are not tried again.",
            hint="Compare both with Integrations > API in the 3CX console, where 3CX Configuration "
            "API Access must be ticked, then: reconcile doctor",
        )


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None


def _seconds(value: object) -> float:
    """`expires_in` as RFC 6749 means it; without one only a 401 renews the token."""
    return float(value) if isinstance(value, (int, float)) and value < _ENDLESS else math.inf


def _again(refusal: PbxError) -> PbxError:
    """The same refusal, and nothing that anybody waits for and tries again."""
    kind = PbxUnreachable if isinstance(refusal, Transient) else type(refusal)
    return kind(refusal.message, hint=refusal.hint, code=refusal.code)
