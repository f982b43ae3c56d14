"""An export from a web server: one GET over verified TLS, bounded in size and in time.

Must never follow a redirect, show a query string or a secret, or take an answer whose end can't be
told from a lost connection.
"""

from __future__ import annotations

import logging
import ssl
import time
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import httpx

from reconcile import __version__
from reconcile.core import locations
from reconcile.crm.problems import rejected
from reconcile.crm.sources.original import SIZE_LIMIT, Original, too_large, unreachable
from reconcile.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.crm.sources.place import Place
    from reconcile.errors import ExportRejected

_PAUSES: Final = (1.0, 5.0)
"""Seconds before the second and the third try."""
_PATIENCE: Final = 10
"""The answer may take this many timeouts as a whole, however steadily it drips."""
_LONGEST_NAME: Final = 120
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be others in a moment."""
_DOCTOR: Final = "then: reconcile doctor"


class _Transient(Exception):
    """A refusal that may be over in a moment."""

    def __init__(self, refusal: ExportRejected) -> None:
        super().__init__()
        self.refusal = refusal


def fetch(place: Place, *, now: datetime) -> tuple[Original, ...]:
    """The file that the address gives out; `now` is its time if the server doesn't say.

    Raises ExportRejected (`export_unreachable`, `export_too_large`, `export_truncated`), and
    ConfigError if crm.ca_file can't be used.
    """
    _quieten()
    tls = locations.scheme(place.source) == "https"
    with httpx.Client(
        # For the proxy of this network; a certificate is verified through it all the same.
        trust_env=tls,
        verify=_tls(place.ca_file) if tls else True,
        timeout=place.timeout,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"User-Agent": f"reconcile/{__version__}", "Accept-Encoding": "identity"},
    ) as client:
        return (_tried(client, place, now=now),)


def _tried(client: httpx.Client, place: Place, *, now: datetime) -> Original:
    for pause in _PAUSES:
        try:
            return _asked(client, place, now=now)
        except _Transient:
            place.sleep(pause)
    try:
        return _asked(client, place, now=now)
    except _Transient as last:
        raise last.refusal from None


def _asked(client: httpx.Client, place: Place, *, now: datetime) -> Original:
    try:
        with client.stream("GET", place.source, auth=_auth(place)) as response:
            _check_status(response, place)
            content = b"".join(_bounded(response, place))
    except httpx.TransportError as error:
        raise _failure(error, place) from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        message = f"{place.origin} can't be used ({type(error).__name__})"
        raise unreachable(message, hint=f"check crm.source, {_DOCTOR}") from None
    return Original(
        name=_name(response.headers.get("Content-Disposition", "")) or place.name,
        origin=place.origin,
        content=content,
        modified_at=_time(response.headers.get("Last-Modified", "")) or now,
    )


def _auth(place: Place) -> httpx.Auth | None:
    if place.auth == "basic":
        return httpx.BasicAuth(place.user, place.secret)
    return _Bearer(place.secret) if place.auth == "bearer" else None


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # nothing is sent into it
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _bounded(response: httpx.Response, place: Place) -> Iterator[bytes]:
    """The body, as long as it is of a possible size and comes in a bearable time."""
    declared = response.headers.get("Content-Length", "")
    if declared.isdigit() and int(declared) > SIZE_LIMIT:
        raise too_large(int(declared))
    if not declared and response.headers.get("Transfer-Encoding", "").lower() != "chunked":
        message = f"{place.origin} doesn't say how long its answer is: it could be cut off"
        raise rejected(
            "export_truncated", message, hint="let the server send Content-Length or chunks"
        )
    size, deadline = 0, time.monotonic() + _PATIENCE * place.timeout
    # As it is sent: what is packed all the same is unpacked, and proved to be whole, by its reader.
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > SIZE_LIMIT:
            raise too_large()
        if time.monotonic() > deadline:
            raise _Transient(_slow(place))
        yield chunk


# ---------------------------------------------------------------------------- refusals


def _check_status(response: httpx.Response, place: Place) -> None:
    status = response.status_code
    if status == HTTPStatus.OK:
        return
    if 300 <= status < 400:  # noqa: PLR2004 - the redirects
        raise _redirected(response, place)
    # The standard's words, not the server's, which may repeat what it was asked with.
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    said = f"{place.origin} answered {status} {phrase}".rstrip()
    if status in _BUSY:
        raise _Transient(unreachable(said, hint=f"when it answers again: {_DOCTOR[6:]}"))
    raise unreachable(said, hint=_mend(status))


def _mend(status: int) -> str:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return (
            "check crm.auth, crm.user and the secret, that this login may read the export, and"
            f" that a signed address has not expired, {_DOCTOR}"
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return f"check crm.source, and the job that writes the export, {_DOCTOR}"
    return f"ask the people who run that server, {_DOCTOR}"


def _redirected(response: httpx.Response, place: Place) -> ExportRejected:
    # httpx has read the address already, and gave up on one that is none.
    host = httpx.URL(response.headers.get("Location", "")).host or "another path"
    return unreachable(
        f"{place.origin} answered {response.status_code} and points to {host}; not followed",
        hint=f"if that is a login page, check crm.auth and the secret; otherwise put the address"
        f" that has the export itself into crm.source, {_DOCTOR}",
    )


def _failure(error: httpx.TransportError, place: Place) -> Exception:
    """What a failed connection means; transient unless trying again is no use."""
    if isinstance(error, httpx.TimeoutException):
        return _Transient(_slow(place))
    cause = next((e for e in _causes(error) if isinstance(e, OSError)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return unreachable(
            f"the TLS certificate of {place.origin} can't be verified: {cause.verify_message}",
            hint="name the PEM file of a private certificate authority in crm.ca_file; for a wrong"
            " name, use the name on the certificate",
        )
    if isinstance(error, httpx.LocalProtocolError):
        message = "the secret holds what no header may hold, such as a line break"
        return unreachable(message, hint=f"put the secret alone where it is read from, {_DOCTOR}")
    what = "can't be reached" if isinstance(error, httpx.ConnectError) else "broke the answer off"
    why = f": {cause.strerror}" if cause and cause.strerror else ""
    hint = f"check crm.source, and that the server runs, {_DOCTOR}"
    return _Transient(unreachable(f"{place.origin} {what}{why}", hint=hint))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _slow(place: Place) -> ExportRejected:
    message = f"{place.origin} did not answer within {place.timeout:g} s"
    hint = f"if it is slow but well, raise crm.timeout_seconds, {_DOCTOR}"
    return unreachable(message, hint=hint)


# ---------------------------------------------------------------------------- what came


def _name(disposition: str) -> str:
    """The file name of a Content-Disposition, without any folder; "" if there is none."""
    message = Message()
    message["Content-Disposition"] = disposition
    name = PurePosixPath((message.get_filename() or "").replace("\\", "/")).name
    return name[:_LONGEST_NAME] if name.isprintable() and name != ".." else ""


def _time(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except (ValueError, OverflowError):  # the last hours of year 9999, in a zone behind UTC
        return None


def _quieten() -> None:
    """At INFO httpx logs addresses, and a signed one is a secret."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _tls(ca_file: str) -> ssl.SSLContext:
    """The public authorities, those of this machine, and the one in `ca_file`; always verified."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    try:
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        what = f"{ca_file}: {error.strerror or 'no PEM certificate'}"
        raise ConfigError(
            "The certificate authority of the CRM export can't be used.",
            problems=[Problem(code="config", column="crm.ca_file", message=what)],
            hint="name a PEM file (-----BEGIN CERTIFICATE-----) that this user may read",
        ) from error
    return context
