"""Waiting for another thread, without sleeping for a fixed time."""

from __future__ import annotations

import threading

import pytest


def until(condition):
    """Wait until it is so, at most ten seconds."""
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    pytest.fail("it never happened")
