"""What befalls a request before the PBX looks at it: what stands in front of a 3CX, and its days.

Some switches act on every nth request, or after so many. The counts live here; each starts anew
when one of its switches is set to another value.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.sandbox.switches import Switches

_COUNTED: Final[Mapping[str, tuple[str, ...]]] = {
    "throttle": ("throttle", "throttle_every"),
    "forbidden": ("forbidden", "forbidden_after"),
    "restart": ("restart_after",),
    "rejected": ("blacklist_after",),
}
"""What is counted → the switches that make it start anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """What befalls one request."""

    is_ignored: bool = False
    """Its address is blacklisted: nothing is ever answered."""
    throttle: Literal["never", "429", "429_retry_after", "503", "504", "reset"] = "never"
    """How it is answered instead of being handled."""
    forbidden: Literal["never", "empty", "json"] = "never"
    """The body of the 403 that it is answered with."""
    restarts: bool = False
    """It is the last before the PBX restarts."""


class Weather:
    """The counts of one simulation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def turned(self, before: Switches, after: Switches) -> None:
        """Start the counts anew whose switches have another value now."""
        with self._lock:
            for count, names in _COUNTED.items():
                if any(getattr(before, name) != getattr(after, name) for name in names):
                    del self._counts[count]

    def arrive(self, switches: Switches, *, is_xapi: bool) -> Spell:
        """Count a request to the PBX; what befalls it."""
        with self._lock:
            if 0 < switches.blacklist_after <= self._counts["rejected"]:
                return Spell(is_ignored=True)
            counted = ("throttle", "forbidden", "restart") if is_xapi else ("restart",)
            self._counts.update(counted)
            count = self._counts
            is_throttled = is_xapi and count["throttle"] % switches.throttle_every == 0
            is_forbidden = is_xapi and count["forbidden"] > switches.forbidden_after
            return Spell(
                throttle=switches.throttle if is_throttled else "never",
                forbidden=switches.forbidden if is_forbidden else "never",
                restarts=count["restart"] == switches.restart_after,
            )

    def reject(self) -> None:
        """Count a token request that the PBX has rejected."""
        with self._lock:
            self._counts["rejected"] += 1
