"""Where a run spends its time, without making it slower: a look at the stack every few ms.

Python's own profilers see every call, and so slow down what calls much. A look is taken when the
processor has worked for so long, in the main thread.
"""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERVAL = 0.005
"""Seconds of processor time between two looks."""


class Samples:
    """What stood on the stack at each look."""

    def __init__(self) -> None:
        self.looks = 0
        self.below: Counter[str] = Counter()
        """Function of ours → looks in which it, or what it called, was at work."""
        self.within: Counter[str] = Counter()
        """Function of ours → looks in which it was the innermost of ours."""

    def look(self, _signal: int, frame: FrameType | None) -> None:
        """Note the stack, from the innermost frame on."""
        self.looks += 1
        found: list[str] = []
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith("reconcile"):
                found.append(f"{module}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        self.within.update(found[:1])
        self.below.update(set(found))

    def share(self, *functions: str) -> float:
        """How much of all looks was below one of these, which don't call each other."""
        return sum(self.below[name] for name in functions) / self.looks if self.looks else 0.0

    def top(self, count: int) -> list[tuple[str, float]]:
        """The innermost functions of ours with their share of all looks."""
        return [(name, looks / self.looks) for name, looks in self.within.most_common(count)]


@contextmanager
def sampled() -> Iterator[Samples]:
    """Look at what the block does."""
    samples = Samples()
    before = signal.signal(signal.SIGPROF, samples.look)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
