"""What is secret in this process, so that a text that may repeat it can be written without it.

Nothing of ours puts a secret into a message; what libraries put into theirs is not ours to say.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, quote_plus

_KNOWN: Final[set[str]] = set()


def keep(secret: str) -> None:
    """From now on `without` leaves this out, however it is written in a text."""
    if secret:
        python = (repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1])
        _KNOWN.update((secret, *python, quote(secret, safe=""), quote_plus(secret)))


def without(text: str) -> str:
    """The text with … for each secret."""
    longest_first = sorted(_KNOWN.copy(), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), "…", text) if longest_first else text
