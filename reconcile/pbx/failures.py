"""Every way a request can fail, in words for an administrator.

Owns the translation of httpx exceptions and HTTP statuses into PbxError; must never repeat a
secret, a token or a page of HTML, and never decides whether something is tried again.
"""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpx

from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.pbx.odata import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.pbx.connection import Connection
    from reconcile.pbx.transport import Reply

HTTPX_ERRORS: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
)
"""The roots of everything that httpx raises."""

_DOCTOR: Final = "When it answers again: reconcile doctor"
_BUSY: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
        HTTPStatus.REQUEST_TIMEOUT,
    }
)
"""It has too much to do, or became slow."""
_REDIRECTS: Final = range(300, 400)


class Transient(PbxUnreachable):
    """A failure that may be over in a moment: the only kind for which a GET is sent again."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = _DOCTOR,
        retry_after: float | None = None,
        busy: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds that the server asks for, if it asks."""
        self.busy = busy
        """There are too many requests for this server: it says so, or became slow."""


class Redirected(PbxUntrusted):
    """The PBX points elsewhere; the credentials never follow."""

    status = 0


def redirected(status: int, location: str) -> Redirected:
    """The failure for an answer that points elsewhere; names the host only."""
    failure = Redirected(
        f"3CX answered {status} and points to {_host(location)}. It was not followed.",
        hint="Put the address that the 3CX console really has into pbx.url.",
        code="pbx_untrusted",
    )
    failure.status = status
    return failure


def is_redirect(status: int) -> bool:
    """Whether an answer sends the client elsewhere."""
    return status in _REDIRECTS


def from_exception(error: Exception, connection: Connection) -> PbxError:
    """What an exception of httpx means, for this connection."""
    if isinstance(error, httpx.ConnectError):
        return _not_connected(error, connection)
    if isinstance(error, httpx.TimeoutException):
        slow = f"{connection.url} did not answer within {connection.timeout:g} s."
        return Transient(slow, busy=True)
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        return Transient(f"{connection.url} broke the connection off before its answer was whole.")
    return PbxUntrusted(
        f"The answer of {connection.url} can't be used ({type(error).__name__}).",
        hint="Check pbx.url and what stands between here and the PBX, then: reconcile doctor",
        code="pbx_untrusted",
    )


def from_reply(reply: Reply, connection: Connection) -> PbxError:
    """What an answer means that nobody asked for."""
    status = reply.status
    if status == HTTPStatus.UNAUTHORIZED:
        return _unauthorized(connection)
    if status == HTTPStatus.FORBIDDEN:
        return _forbidden(reply, connection)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return _nowhere(reply, connection)
    if status in _BUSY or is_server_error(status):
        return Transient(
            f"{connection.url} {said(reply)}.",
            retry_after=reply.retry_after,
            busy=status in _BUSY,
        )
    if status >= HTTPStatus.BAD_REQUEST:
        return PbxRefused(f"{connection.url} {said(reply)}.", hint="reconcile doctor")
    return PbxUntrusted(
        f"{connection.url} {said(reply)}, which is no answer to this request.",
        hint="reconcile doctor",
        code="pbx_untrusted",
    )


def is_server_error(status: int) -> bool:
    """Whether the server says that the fault is its own."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR


def said(reply: Reply) -> str:
    """`answered 404: …`: the status, and the body in words."""
    words = explain(reply.body).text.rstrip(".")
    return f"answered {reply.status}: {words}" if words else f"answered {reply.status}"


def _not_connected(error: Exception, connection: Connection) -> PbxError:
    url = connection.url
    cause = next((e for e in _causes(error) if isinstance(e, OSError)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return PbxUnreachable(
            f"The TLS certificate of {url} can't be verified: {cause.verify_message}.",
            hint="For a private or self-signed certificate, name the PEM file of the authority "
            "that issued it in pbx.ca_file; for a wrong name, use the name on the certificate.",
        )
    if isinstance(cause, ssl.SSLError):
        return PbxUnreachable(
            f"{url} does not speak TLS ({cause.reason or 'handshake failed'}).",
            hint="Check the port in pbx.url: 443 for hosted systems, typically 5001 otherwise.",
        )
    if isinstance(cause, socket.gaierror):
        return Transient(
            f"The name in {url} is unknown here: {cause.strerror}.",
            hint="Check the spelling of pbx.url and this machine's DNS, then: reconcile doctor",
        )
    reason = cause.strerror if cause and cause.strerror else "no connection"
    return Transient(
        f"{url} can't be reached: {reason}.",
        hint="Check host and port in pbx.url, and that the PBX runs, then: reconcile doctor",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _unauthorized(connection: Connection) -> PbxRefused:
    return PbxRefused(
        f"{connection.url} rejected the token.",
        hint="Run it again; if it happens again: reconcile doctor",
    )


def _forbidden(reply: Reply, connection: Connection) -> PbxRefused:
    return PbxRefused(
        f"{connection.url} {said(reply)}: this API client may not do that, or not from here.",
        hint="In the 3CX console, Integrations > API: give the client the role System "
        "Administrator and a department other than System Wide (that one forces the role User). "
        "If the role is right, allow this machine's address under Console Restrictions.",
    )


def _nowhere(reply: Reply, connection: Connection) -> PbxRefused:
    return PbxRefused(
        f"{connection.url} {said(reply)}: it has no 3CX Configuration API at /xapi/v1.",
        hint="Put the address and port of the 3CX console into pbx.url, and check that it is "
        "version 20 with a licence that has the Configuration API.",
    )


def _host(location: str) -> str:
    try:
        return httpx.URL(location).host or "another path"
    except httpx.InvalidURL:
        return "no address"
