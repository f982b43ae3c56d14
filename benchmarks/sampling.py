"""Where a run spends its time, without making it slower: a look at the stack every few ms.

Python's own profilers see every call, and so slow down what calls much. A look is taken when the
processor has worked for so long, in the main thread. It comes late where one call of a library
works on a whole column, so each look counts for the time since the one before.
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERVAL = 0.005
"""Seconds of processor time between two looks."""


class Samples:
    """What stood on the stack at each look, and for how many seconds of the processor."""

    def __init__(self) -> None:
        self._before = time.process_time()
        self._seconds = 0.0
        self._below: defaultdict[str, float] = defaultdict(float)
        """Function of ours → in which it, or what it called, was at work."""
        self._within: defaultdict[str, float] = defaultdict(float)
        """Function of ours → in which it was the innermost of ours."""

    def look(self, _signal: int, frame: FrameType | None) -> None:
        """Note the stack, from the innermost frame on."""
        now = time.process_time()
        passed, self._before = now - self._before, now
        self._seconds += passed
        found: list[str] = []
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith("reconcile"):
                found.append(f"{module}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        for name in found[:1]:
            self._within[name] += passed
        for name in set(found):
            self._below[name] += passed

    def below(self, *functions: str) -> float:
        """Seconds in one of these, which don't call each other, or in what they call."""
        return sum(self._below[name] for name in functions)

    def top(self, count: int) -> list[tuple[str, float]]:
        """The innermost functions of ours with their share of all."""
        most = sorted(self._within.items(), key=itemgetter(1), reverse=True)
        return [(name, seconds / self._seconds) for name, seconds in most[:count]]


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
