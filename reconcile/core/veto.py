"""The independent second opinion: what the export's own text still holds is not deleted.

Shares no code with the readers, the phone parser or the matcher, so that no mistake of theirs
(a column read as a fax, a lost delimiter, a wrong region) is repeated here. It knows digits and
addresses only, and can do one thing: keep a contact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIGITS = "0123456789"
_SHORTEST = 6
"""Shorter numbers are extensions and would be found everywhere."""
_SUFFIX = 8
"""Digits compared, from the end: what country and trunk prefixes leave alone in most plans."""
_GLUE = dict.fromkeys(map(ord, " \t.-/()+'\u00a0\u202f\u2007\u2010\u2011\u2012\u2013\u200e\u200f"))
"""What people and programs put between the digits of one number."""
_CUTS = re.compile(r"[^0-9+().\- \u00a0]+")
"""What may stand between two numbers, or between a number and its extension."""
_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")


def find(text: str, wanted: Mapping[int, tuple[str, ...]]) -> dict[int, str]:
    """Contact id → the first of its numbers or addresses that stands somewhere in `text`.

    `wanted` maps a contact id to the values that the reader did not find. Without any text there
    is no second opinion, and every contact is kept.
    """
    if not text:
        return dict.fromkeys(wanted, "the export's text is not available")
    needles = _needles(wanted)
    present = needles.keys() & set(_ADDRESS.findall(text.casefold()))
    present |= _numbers_in(text, {n for n in needles if "@" not in n})
    found: dict[int, str] = {}
    for needle in sorted(present):
        for contact_id, value in needles[needle]:
            found.setdefault(contact_id, value)
    return found


def _needles(wanted: Mapping[int, tuple[str, ...]]) -> dict[str, list[tuple[int, str]]]:
    """What to look for → whose it is and how it was written."""
    needles: dict[str, list[tuple[int, str]]] = {}
    for contact_id, values in wanted.items():
        for value in values:
            for needle in _needle(value):
                needles.setdefault(needle, []).append((contact_id, value))
    return needles


def _needle(value: str) -> Iterator[str]:
    """Its addresses; and of each number in it the last eight digits, or all of a shorter one.

    A cell may hold several numbers, or one with an extension: every way to cut it is looked for.
    """
    yield from _ADDRESS.findall(value.casefold())
    for part in (value, *_CUTS.split(value)):
        digits = "".join(c for c in part if c in _DIGITS)
        if len(digits) >= _SHORTEST:
            yield digits[-_SUFFIX:]


def _numbers_in(text: str, needles: set[str]) -> set[str]:
    """The needles that occur in any run of digits, whatever stands around or inside the run."""
    if not needles:
        return set()
    lengths = sorted({len(needle) for needle in needles})
    found: set[str] = set()
    for run in _runs(text):
        for length in lengths:
            for start in range(len(run) - length + 1):
                if (window := run[start : start + length]) in needles:
                    found.add(window)
    return found


def _runs(text: str) -> Iterator[str]:
    """The runs of digits of a text, with the glue between them taken out."""
    glued = text.translate(_GLUE)
    only = "".join(c if c in _DIGITS else " " for c in glued)
    return iter(only.split())
