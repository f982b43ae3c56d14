"""The live tokens of the one client.

The vendor documents that "only one access token can be active at a time": a new token invalidates
the one before. Some say that theirs live side by side. A token lives 60 minutes, whatever unit
`expires_in` is told in.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIFETIME: Final = 3600.0
"""Seconds."""
MARK: Final = "sandbox-token-"
"""What every token begins with, so that one is recognised wherever it should not be."""


class Tokens:
    """Issues and checks bearer tokens; `clock` tells seconds from any fixed start."""

    def __init__(self, *, client_id: str, client_secret: str, clock: Callable[[], float]) -> None:
        self._client = f"{client_id}\0{client_secret}".encode()
        self._clock = clock
        self._lock = threading.Lock()
        self._live: Mapping[str, float] = {}
        """Every live token, and the time of its end."""

    def issue(self, *, client_id: str, client_secret: str, keep: bool = False) -> str | None:
        """A new token, which ends those before unless they are to be kept.

        None, and nothing ends, if the client is wrong; which of the two was wrong is not told.
        """
        given = f"{client_id}\0{client_secret}".encode()
        if not hmac.compare_digest(given, self._client):
            return None
        token, now = f"{MARK}{secrets.token_urlsafe(48)}", self._clock()
        with self._lock:
            kept = {t: end for t, end in self._live.items() if end > now} if keep else {}
            self._live = {**kept, token: now + LIFETIME}
        return token

    def accepts(self, authorization: str) -> bool:
        """Whether a header Authorization carries a live token."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        end = self._live.get(token.strip())
        return end is not None and self._clock() < end

    def expire(self) -> None:
        """End every token, as their age or another program with the same client id does."""
        with self._lock:
            self._live = {}
