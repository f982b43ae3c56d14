"""Which tests a changed line must be noticed by, when mutmut tries it: those of its own module.

A whole run notices most of them, too, but by luck and slowly; what a module promises, its own tests
hold. Only benchmarks/prove_mutants.py sets the name of a mutant.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN: Final = {
    "reconcile.apply": (
        "apply/test_outcomes",
        "apply/test_lanes",
        "runs/test_corners",
        "runs/test_holding",
    ),
    "reconcile.approval": ("test_approval", "runs/test_approving", "runs/test_corners"),
    "reconcile.hold": ("runs/test_holding",),
    "reconcile.core.countries": ("core/test_countries",),
    "reconcile.core.differences": ("core/test_differences", "core/test_match"),
    "reconcile.core.evidence": ("core/test_evidence", "core/test_match"),
    "reconcile.core.guards": ("core/test_guards", "core/test_finding_words"),
    "reconcile.core.locations": ("test_config_sources",),
    "reconcile.core.match": ("core/test_match", "core/test_namesakes", "core/test_differences"),
    "reconcile.core.namesakes": ("core/test_namesakes", "core/test_match"),
    "reconcile.core.phone_columns": ("core/test_phone_columns", "core/test_phones"),
    "reconcile.core.phones": ("core/test_phones", "core/test_typed_numbers"),
    "reconcile.core.plan": ("core/test_plan", "core/test_invariants"),
    "reconcile.core.policy": ("core/test_policy", "core/test_guards"),
    "reconcile.core.sides": ("core/test_sides", "core/test_match", "core/test_namesakes"),
    "reconcile.core.statements": ("test_config_sources",),
    "reconcile.core.text": ("core/test_text", "core/test_match"),
    "reconcile.core.text_columns": ("core/test_text_columns", "core/test_text"),
    "reconcile.core.veto": ("core/test_veto",),
    "reconcile.core.word_columns": ("core/test_word_columns", "core/test_words"),
    "reconcile.core.words": ("core/test_words", "core/test_finding_words"),
    "reconcile.lanes": ("apply/test_lanes",),
    "reconcile.pbx.odata": ("pbx/test_odata", "pbx/test_trace"),
    "reconcile.store.ledger": ("store/test_ledger", "store/test_purge", "store/test_journal"),
}
"""Module → files below tests/."""
_ENDLESS: Final = 60
"""Seconds of a processor after which a change is taken for a loop without end."""


def prepare() -> None:
    """Before the tests of a changed line: forget what was remembered of the line as it was."""
    if not os.environ.get("MUTANT_UNDER_TEST", "").startswith("reconcile."):
        return
    _forget()
    limit = int(time.process_time()) + _ENDLESS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))


def own(module: str, tests: Iterable[str]) -> list[str]:
    """Of the tests that go through a function those of its own module."""
    files = tuple(f"tests/{name}.py::" for name in OWN[module])
    return [test for test in tests if test.startswith(files)]


def _forget() -> None:
    """What was remembered in the process that this one was forked from, before the change."""
    for name in [name for name in sys.modules if name.startswith("reconcile.")]:
        for value in vars(sys.modules[name]).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
            elif isinstance(value, dict) and hasattr(value, "__missing__"):
                value.clear()
