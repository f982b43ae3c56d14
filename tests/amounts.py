"""How much of a proof is run: a part of it in `make check`, all of it in `make prove`."""

from __future__ import annotations

import os
from typing import Final

PROVE: Final = bool(os.environ.get("PROVE"))
_FIGURES: Final[list[str]] = []


def amount(*, check: int, prove: int) -> int:
    """So many in this run."""
    return prove if PROVE else check


def note(what: str, figures: str) -> None:
    """Say at the end of the suite what was tried."""
    _FIGURES.append(f"{what}: {figures}")


def figures() -> list[str]:
    """What was noted so far, and forget it."""
    said = list(_FIGURES)
    _FIGURES.clear()
    return said
