"""The one live token of the one client, as the vendor documents it.

"Only one access token can be active at a time": a new token invalidates the one before. A token
lives 60 minutes, whatever unit `expires_in` is told in.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME: Final = 3600.0
"""Seconds."""


class Tokens:
    """Issues and checks bearer tokens; `clock` tells seconds from any fixed start."""

    def __init__(self, *, client_id: str, client_secret: str, clock: Callable[[], float]) -> None:
        self._client = f"{client_id}\0{client_secret}".encode()
        self._clock = clock
        self._live: tuple[str, float] | None = None

    def issue(self, *, client_id: str, client_secret: str) -> str | None:
        """A new token, which ends the one before; None (and nothing ends) if the client is wrong.

        The refusal says nothing about which of the two was wrong.
        """
        given = f"{client_id}\0{client_secret}".encode()
        if not hmac.compare_digest(given, self._client):
            return None
        token = secrets.token_urlsafe(48)
        self._live = (token, self._clock() + LIFETIME)
        return token

    def accepts(self, authorization: str) -> bool:
        """Whether a header Authorization carries the live token."""
        live = self._live
        scheme, _, token = authorization.partition(" ")
        if live is None or scheme.lower() != "bearer" or self._clock() >= live[1]:
            return False
        return hmac.compare_digest(token.strip().encode(), live[0].encode())

    def expire(self) -> None:
        """End the live token, as its age or another program with the same client id does."""
        self._live = None
