"""What a test prepares for requests to come: faults that strike them, hooks that run before them.

Both match on the method and on how the decoded path with its query starts, and both know nothing of
HTTP beyond that.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import UnionType


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. Raises ValueError for values that make no sense."""

    method: str = ""
    """"" is any."""
    path_prefix: str = ""
    """How the decoded path with its query starts: `/xapi/v1/Contacts(5)`; "" is any."""
    times: int = 1
    """How many matching requests it strikes."""
    skip: int = 0
    """How many matching requests pass unharmed before."""
    status: int = 500
    body: str | Mapping[str, Any] = ""
    """Text as it is, or what is sent as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    effect: Literal["before", "after"] = "before"
    """It strikes `before` the request takes effect (so it never does), or `after` it took it."""
    drop: bool = False
    """Close the connection instead of answering; `status`, `body` and `headers` don't matter."""
    stall: float = 0.0
    """Seconds without a word, then the connection is closed as by `drop`; 0 is no stall."""
    cut: int | None = None
    """Bytes of the body that are sent, of the full Content-Length, before the connection is closed.

    What is cut is `body` with `status`; without a body the ordinary answer, for which the request
    takes effect, whatever `effect` says. An answer that has no body (204) is whole all the same.
    """

    def __post_init__(self) -> None:
        _check_kinds(self, str, "method", "path_prefix")
        _check_kinds(self, int, "times", "skip", "status")
        _check_kinds(self, Mapping, "headers")
        if self.effect not in {"before", "after"}:
            raise ValueError(f"effect is before or after, not {self.effect!r}")
        if not isinstance(self.body, str | Mapping):
            raise ValueError("body is text or a JSON object")  # noqa: TRY004 - as in _check_kinds
        if not all(isinstance(word, str) for pair in self.headers.items() for word in pair):
            raise ValueError("headers are text")
        if self.times < 1 or self.skip < 0:
            raise ValueError("times is at least 1, skip at least 0")
        if not 200 <= self.status <= 599:  # noqa: PLR2004 - the final statuses of HTTP
            raise ValueError(f"status is 200 to 599, not {self.status!r}")
        if self.status in {204, 304} and self.body:
            raise ValueError(f"HTTP has no body with {self.status}")
        self._check_endings()

    def _check_endings(self) -> None:
        _check_kinds(self, int | float, "stall")
        _check_kinds(self, int | None, "cut")
        if not (math.isfinite(self.stall) and self.stall >= 0):
            raise ValueError(f"stall is in seconds, 0 or more; not {self.stall!r}")
        if self.cut is not None and self.cut < 0:
            raise ValueError("cut is at least 0")
        if sum((self.drop, self.stall > 0, self.cut is not None)) > 1:
            raise ValueError("of drop, stall and cut there is one at most")

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is one that this fault counts."""
        return self.method in {"", method} and path.startswith(self.path_prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Something that somebody else does just before the nth matching request is handled."""

    act: Callable[[], object]
    method: str = ""
    path_prefix: str = ""
    nth: int = 1

    def __post_init__(self) -> None:
        _check_kinds(self, str, "method", "path_prefix")
        _check_kinds(self, int, "nth")
        if self.nth < 1:
            raise ValueError("nth counts from 1")

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is one that this hook counts."""
        return self.method in {"", method} and path.startswith(self.path_prefix)


class Script:
    """The faults and hooks that wait, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._hooks: list[Hook] = []

    def add(self, item: Fault | Hook) -> None:
        """Queue a fault or a hook."""
        with self._lock:
            if isinstance(item, Fault):
                self._faults.append(item)
            else:
                self._hooks.append(item)

    def clear(self) -> None:
        """Forget everything that still waits."""
        with self._lock:
            self._faults.clear()
            self._hooks.clear()

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request; the first that is due takes it alone."""
        with self._lock:
            for at, fault in enumerate(self._faults):
                if not fault.matches(method, path):
                    continue
                if fault.skip:
                    self._faults[at] = replace(fault, skip=fault.skip - 1)
                    continue
                self._faults[at : at + 1] = _left(fault)
                return fault
            return None

    def acts(self, method: str, path: str) -> list[Callable[[], object]]:
        """What is to be done before this request; each hook acts once."""
        due: list[Callable[[], object]] = []
        with self._lock:
            waiting: list[Hook] = []
            for hook in self._hooks:
                counts = hook.matches(method, path)
                if counts and hook.nth == 1:
                    due.append(hook.act)
                else:
                    waiting.append(replace(hook, nth=hook.nth - 1) if counts else hook)
            self._hooks = waiting
        return due


def _check_kinds(item: Fault | Hook, kind: type | UnionType, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(item, name), kind):
            said = getattr(kind, "__name__", kind)
            raise ValueError(f"{name} is {said}, not {getattr(item, name)!r}")  # noqa: TRY004 - one kind of refusal for whatever JSON says


def _left(fault: Fault) -> list[Fault]:
    return [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
