"""What is unknown about a real 3CX, as switches; each is looked at in one place of the sandbox.

A switch belongs here only if the public material leaves the behaviour open and a client must live
with every value. What is certain is built in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, get_args, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The behaviour of one simulated PBX. Raises ValueError for a value that is none of these."""

    etags: Literal["weak", "strong", "none"] = "weak"
    """Whether `@odata.etag` and the header ETag are sent, and of which kind (`answers.etag`)."""
    if_match: Literal["enforced", "ignored"] = "enforced"
    """Whether a stale If-Match is refused with 412 (`contacts.Contacts`); absent is allowed."""
    expires_in: Literal["seconds", "minutes"] = "seconds"
    """The unit of the token's lifetime: 3600 since 20.0.9, 60 before (`login.Login`)."""
    latency: float = 0.0
    """Seconds that every request waits before it is handled (`app.Sandbox`)."""

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            allowed = get_args(kind)
            if allowed and getattr(self, name) not in allowed:
                choice = ", ".join(allowed)
                raise ValueError(f"{name} is one of {choice}; not {getattr(self, name)!r}")
        if not (math.isfinite(self.latency) and self.latency >= 0):
            raise ValueError(f"latency is in seconds, 0 or more; not {self.latency!r}")

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Switches:
        """Read switches from JSON or a command line. Raises ValueError; unknown names too."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(
                f"there is no switch {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        texts = {name: str(value) for name, value in values.items()}
        if "latency" in texts:
            return cls(**{**texts, "latency": float(texts["latency"])})  # type: ignore[arg-type] # __post_init__ checks every value
        return cls(**texts)  # type: ignore[arg-type] # as above
