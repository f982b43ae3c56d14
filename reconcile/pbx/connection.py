"""Where the PBX is and as whom it is asked.

Owns the one spelling of the PBX's address, which is also the identity of the state that belongs to
it; must never show the client secret.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final

import httpx

from reconcile import secrecy
from reconcile.errors import ConfigError

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*|[0-9a-f:.]*:[0-9a-f:.]*")
_MAX_PORT: Final = 65535
_HINT: Final = (
    "Write it as https://HOST or https://HOST:PORT, without /xapi/v1: hosted systems use 443, "
    "self-hosted ones typically 5001."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One PBX, one client id. Raises ConfigError for what can't be one.

    `url` is kept as `scheme://host[:port]`, lower case, without the scheme's own port.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    ca_file: str = ""
    """A PEM file whose certificates are trusted besides the usual ones."""
    concurrency: int = 4
    """Requests in flight at most."""
    timeout: float = 30.0
    """Seconds for connecting, and for each wait for the next bytes."""

    def __post_init__(self) -> None:
        """Normalise the address and refuse what is empty or out of range."""
        secrecy.keep(self.client_secret)
        object.__setattr__(self, "url", origin(self.url))
        if not self.client_id or not self.client_secret:
            missing = "client secret" if self.client_id else "client id"
            raise ConfigError(
                f"The {missing} for 3CX is empty.",
                hint="Copy it from Integrations > API in the 3CX console, then: reconcile doctor",
            )
        if self.concurrency < 1 or not self.timeout > 0:
            raise ConfigError("pbx.concurrency and pbx.timeout_seconds must be more than 0.")


def origin(url: str) -> str:
    """`scheme://host[:port]` of a PBX's base address. Raises ConfigError, and never echoes it."""
    parsed = _parsed(url)
    if parsed.scheme not in {"https", "http"}:
        raise _bad("must begin with https://")
    if "@" in url:
        raise _bad("must hold no user name or password")
    if any(mark in url for mark in "?#\\"):
        raise _bad("must hold nothing after the host and its port")
    if parsed.path.strip("/"):
        raise _bad(f"must end after the host and its port, without {parsed.path}")
    if not _HOST.fullmatch(parsed.raw_host.decode("ascii")):
        raise _bad("names no host")
    if parsed.port is not None and not 1 <= parsed.port <= _MAX_PORT:
        raise _bad(f"has an impossible port: {parsed.port}")
    if parsed.scheme == "http" and not _is_loopback(parsed.host):
        raise _bad("must begin with https://; plain http is for this machine only")
    return origin_of(parsed)


def origin_of(url: httpx.URL) -> str:
    """`scheme://host[:port]` of a parsed address, for comparing."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _parsed(url: str) -> httpx.URL:
    try:
        # Twice: httpx drops the scheme's own port only of a scheme in lower case.
        parsed = httpx.URL(str(httpx.URL(url.strip())))
        if ":" in parsed.host:
            parsed = parsed.copy_with(host=ipaddress.IPv6Address(parsed.host).compressed)
    except (httpx.InvalidURL, ValueError) as error:
        raise _bad("is no address") from error
    return parsed


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad(what: str) -> ConfigError:
    return ConfigError(f"The address of the PBX (pbx.url) {what}.", hint=_HINT)
