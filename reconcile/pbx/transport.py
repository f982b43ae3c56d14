"""The gate through which every byte to the PBX leaves.

Owns what may be sent (method and path, to the configured origin only), TLS, and the bounds of an
answer. Must never let out a bulk action, follow a redirect, or switch the verification off.
"""

from __future__ import annotations

import logging
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx

from reconcile import __version__
from reconcile.errors import ConfigError, PbxUntrusted
from reconcile.pbx import deadline, odata
from reconcile.pbx.connection import Connection, origin_of
from reconcile.pbx.failures import is_redirect, redirected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

MAX_BODY: Final = 16 * 1024 * 1024
"""Bytes of one answer. A page of 100 contacts has some 50,000; with all texts as long as 3CX takes
them, and escaped, it has 5 million."""
_PATIENCE: Final = 10
"""An answer may take this many timeouts as a whole, however steadily it drips."""

_IDLE: Final = 5.0
"""Seconds that a connection is kept without a request."""

TOKEN_PATH: Final = "/connect/token"  # noqa: S105 - a path, not a secret
DEFS_TARGET: Final = f"{odata.BASE}/Defs?{odata.query(select='Id')}"
_CONTACTS: Final = re.escape(odata.CONTACTS)
CONTACT_PATTERN: Final = rf"{_CONTACTS}\([1-9][0-9]{{0,9}}\)"

Rules = frozenset[tuple[str, str]]
"""(method, pattern of path and query)"""

READING: Final[Rules] = frozenset(
    {
        ("GET", rf"{_CONTACTS}(\?.*)?"),
        ("GET", CONTACT_PATTERN),
        ("GET", re.escape(DEFS_TARGET)),
        ("POST", re.escape(TOKEN_PATH)),
    }
)
WRITING: Final[Rules] = frozenset({("DELETE", CONTACT_PATTERN), ("POST", _CONTACTS)})


_HEADERS: Final = {
    "Accept": "application/json",
    # A proxy that compresses weakens the ETag; a bomb needs compression.
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "User-Agent": f"reconcile/{__version__}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One whole answer."""

    status: int
    headers: httpx.Headers
    body: bytes = b""

    @property
    def etag(self) -> str:
        """The ETag header as it came; "" without one."""
        return str(self.headers.get("ETag", ""))

    @property
    def date(self) -> datetime | None:
        """When the server answered, by its own clock; None if it didn't say."""
        return odata.http_date(self.headers.get("Date", ""))

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait; a date counts from the answer's own Date."""
        return odata.retry_after(self.headers.get("Retry-After", ""), now=self.date)


class Gate(httpx.BaseTransport):
    """Lets out what the rules name, to the configured origin, and nothing else.

    `wire` is shared by all gates of one session and closed by it.
    """

    def __init__(self, wire: httpx.BaseTransport, connection: Connection, rules: Rules) -> None:
        self._wire = wire
        self._connection = connection
        self._rules = rules

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it and bound its answer. Raises PbxUntrusted before a byte leaves."""
        self._check(request)
        deadline.begin(_PATIENCE * self._connection.timeout)
        response = self._wire.handle_request(request)
        if is_redirect(response.status_code):
            response.close()
            location = response.headers.get("Location", "")
            raise redirected(response.status_code, location)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise _untrusted("compressed an answer that was asked for as it is")
        response.stream = _Bounded(response.stream)
        return response

    def _check(self, request: httpx.Request) -> None:
        target = request.url.raw_path.decode("ascii")
        known = any(
            request.method == method and re.fullmatch(pattern, target)
            for method, pattern in self._rules
        )
        if origin_of(request.url) != self._connection.url or not known:
            path = target.partition("?")[0]
            raise PbxUntrusted(
                f"{request.method} {path} at {request.url.host} is nothing that reconcile sends "
                "here. It was not sent.",
                code="pbx_untrusted",
            )


class _Bounded(httpx.SyncByteStream):
    """A body of at most `MAX_BODY` bytes."""

    def __init__(self, stream: object) -> None:
        self._stream: httpx.SyncByteStream = stream  # type: ignore[assignment]  # a sync response

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > MAX_BODY:
                raise _untrusted(f"sent an answer of more than {MAX_BODY >> 20} MiB")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class Wire(httpx.BaseTransport):
    """Kept-alive connections, of which each request in hand has one to itself.

    Each stands in a pool of its own: httpcore looks at all connections of a pool before and after
    each request, and in 16 lanes that alone takes a quarter of what a request takes of us.
    """

    def __init__(self, connection: Connection) -> None:
        self._tls = _tls(connection)
        self._opened: list[httpx.HTTPTransport] = []
        self._idle: list[httpx.HTTPTransport] = []
        """The last that was used is used first; so there are as many as were ever needed."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx's own transport does."""
        lent = self._lend()
        give_back = partial(self._idle.append, lent)
        try:
            response = lent.handle_request(request)
        except BaseException:
            give_back()
            raise
        response.stream = _Lent(response.stream, give_back)
        return response

    def close(self) -> None:
        """Close every connection."""
        for transport in self._opened:
            transport.close()

    def _lend(self) -> httpx.HTTPTransport:
        try:
            return self._idle.pop()
        except IndexError:
            transport = _one_connection(self._tls)
            self._opened.append(transport)
            return transport


class _Lent(httpx.SyncByteStream):
    """A body after which its connection is free for the next request."""

    def __init__(self, stream: object, give_back: Callable[[], None]) -> None:
        self._stream: httpx.SyncByteStream = stream  # type: ignore[assignment]  # a sync response
        self._given_back = False
        self._give_back = give_back

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        self._stream.close()
        if not self._given_back:
            self._given_back = True
            self._give_back()


def _one_connection(tls: ssl.SSLContext) -> httpx.HTTPTransport:
    transport = httpx.HTTPTransport(verify=tls, trust_env=False)
    # httpx has no parameter for a network backend yet (encode/httpx, pull request 3749).
    transport._pool = httpcore.ConnectionPool(  # noqa: SLF001 - see above
        ssl_context=tls,
        max_connections=1,
        max_keepalive_connections=1,
        keepalive_expiry=_IDLE,
        network_backend=deadline.PatientBackend(),
    )
    return transport


class Client:
    """Builds requests and sends them through a gate of its own.

    httpx's own client would follow redirects and keep cookies, which we don't want, and take a
    quarter of the time of a request for finding out that there is nothing to follow or keep.
    """

    def __init__(self, wire: httpx.BaseTransport, connection: Connection, rules: Rules) -> None:
        _quieten()
        self._gate = Gate(wire, connection, rules)
        self._base = connection.url
        self._headers = httpx.Headers(_HEADERS)
        self._extensions = {"timeout": httpx.Timeout(connection.timeout).as_dict()}

    def build(self, method: str, path: str, **content: Any) -> httpx.Request:  # noqa: ANN401 - as httpx
        """A request to the PBX; `headers`, `json` and `data` are httpx's."""
        headers = self._headers.copy()
        headers.update(content.pop("headers", None))
        return httpx.Request(
            method, self._base + path, headers=headers, extensions=self._extensions, **content
        )

    def send(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        """The answer, read whole, to the last request of the auth's flow.

        Raises what httpx and the gate raise.
        """
        flow = auth.sync_auth_flow(request)
        try:
            response = self._answer(next(flow))
            with suppress(StopIteration):
                while True:
                    response = self._answer(flow.send(response))
        finally:
            flow.close()
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._gate.handle_request(request)
        try:
            response.read()
        finally:
            response.close()
        return response


def exchange(client: Client, request: httpx.Request, *, auth: httpx.Auth, secret: str) -> Reply:
    """Send one request and read the whole answer.

    Raises what httpx and the gate raise. An answer that will be quoted loses the secret and the
    token, should it echo them.
    """
    response = client.send(request, auth)
    body = response.content
    if not response.is_success or not body.lstrip().startswith(b"{"):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for hidden in filter(None, (secret, token)):
            body = body.replace(hidden.encode(), b"(hidden)")
    return Reply(status=response.status_code, headers=response.headers, body=body)


def _quieten() -> None:
    """At INFO httpx logs addresses, and a filter in an address may hold a name or a number."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _tls(connection: Connection) -> ssl.SSLContext:
    """The public authorities, those of this machine, and the one in `ca_file`; always verified."""
    if connection.url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if connection.ca_file:
        _trust(context, connection.ca_file)
    return context


def _trust(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"pbx.ca_file can't be used: {ca_file}: {error.strerror or 'no PEM certificate'}.",
            hint="Name a PEM file (-----BEGIN CERTIFICATE-----) that this user may read.",
        ) from error


def _untrusted(what: str) -> PbxUntrusted:
    return PbxUntrusted(
        f"3CX {what}.",
        hint="Check what stands between here and the PBX, then: reconcile doctor",
        code="pbx_untrusted",
    )
