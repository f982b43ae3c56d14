"""The independent second opinion: what the export's own text still holds is not deleted.

Shares no code with the readers, the phone parser or the matcher, so that no mistake of theirs
(a column read as a fax, a lost delimiter, a wrong region) is repeated here. It knows digits and
addresses only, and can do one thing: keep a contact.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_DIGITS = "0123456789"
_SHORTEST = 6
"""Shorter numbers are extensions and would be found everywhere."""
_SUFFIX = 8
"""Digits compared, from the end: what country and trunk prefixes leave alone in most plans."""
_COUNTRY = re.compile("[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}")
"""A country code (ITU-T E.164), which others leave out."""
_PREFIX = 9
"""Digits of `00`, a country code and an area code, which a short number may do without."""
_GLUE = " .-/()+'[]?\u00a0\u00ad\u202f\u2007\u2009\u2060\u2212\ufeff"
_GLUE += "".join(map(chr, [*range(0x200A, 0x2016), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
"""What people and programs put between the digits of one number, what nobody sees, and the question
marks that an export's code page makes of it."""
_CUTS = re.compile(r"[^0-9+().\- \u00a0]+")
"""What may stand between two numbers, or between a number and its extension."""
_ADDRESS = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]+(?:\.[\w-]+)+")
PIECE = 1 << 22
"""Characters looked at in one go: memory stays the same, whatever the export's size."""
_OVERLAP = 1 << 9
"""Of it looked at twice, so that nothing is cut in two."""
_SIEVE = 1 << 20
_IS_GLUE = 10
_IS_OTHER = 11


def find(text: str, wanted: Mapping[int, tuple[str, ...]]) -> dict[int, str]:
    """Contact id → the first of its numbers or addresses that stands somewhere in `text`.

    `wanted` maps a contact id to the values that the reader did not find. Without any text there
    is no second opinion, and every contact is kept.
    """
    if not text:
        return dict.fromkeys(wanted, "the export's text is not available")
    needles = _needles(wanted)
    numbers = {n for n in needles if "@" not in n}
    mails = needles.keys() - numbers
    present: set[str] = set()
    for piece in _pieces(text):
        if mails and "@" in piece:
            present |= mails & set(_ADDRESS.findall(_folded(piece)))
        present |= _numbers_in(piece, numbers)
    found: dict[int, str] = {}
    for needle in sorted(present):
        for contact_id, value in needles[needle]:
            found.setdefault(contact_id, value)
    return found


def _pieces(text: str) -> Iterator[str]:
    """The text in overlapping pieces, with full-width and foreign digits and signs made plain."""
    for start in range(0, len(text), PIECE):
        piece = text[max(0, start - _OVERLAP) : start + PIECE]
        yield piece if piece.isascii() else unicodedata.normalize("NFKC", piece)


def _folded(piece: str) -> str:
    return piece.lower() if piece.isascii() else piece.casefold()  # the same, ten times as fast


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

    A cell may hold several numbers, or one with an extension: every way to cut it is looked for;
    and of a number with a country code so is what is left without one of any length.
    """
    plain = unicodedata.normalize("NFKC", value)
    yield from _ADDRESS.findall(plain.casefold())
    for part in (plain, *_CUTS.split(plain)):
        digits = "".join(str(unicodedata.decimal(c)) for c in part if c.isdecimal())
        own = digits.lstrip("0")  # which others may write or leave out
        if len(digits) >= _SHORTEST:
            abroad = part.lstrip(" (").startswith(("+", "00"))
            national = _COUNTRY.sub("", own, count=1) if abroad else own
            left = {n[-_SUFFIX:] for n in (own, national) if len(n) >= _SHORTEST}
            yield from left or {digits[-_SUFFIX:]}


def _numbers_in(text: str, needles: set[str]) -> set[str]:
    """The needles that occur in any run of digits, whatever stands around or inside the run.

    Short ones would occur everywhere by chance: they are numbers only where a run or the next
    number's zero ends them, and no more than a prefix or a zero goes before.
    """
    if not needles:
        return set()
    digit, run = _digits_and_runs(text)
    found: set[str] = set()
    for length in {len(needle) for needle in needles}:
        sought = np.array([int(n) for n in needles if len(n) == length], dtype="int32")
        last = len(digit) - length + 1
        value = np.zeros(max(0, last), dtype="int32")  # of the `length` digits from each one on
        for at in range(length):
            value = value * np.int32(10) + digit[at : at + len(value)]
        sieve = np.zeros(_SIEVE, dtype="bool")  # most windows are no needle's: these go at once
        sieve[sought % _SIEVE] = True
        some = np.flatnonzero(sieve[value & (_SIEVE - 1)])
        some = some[run[some] == run[some + length - 1]]
        if length < _SUFFIX:
            some = some[_are_whole(digit, run, some, length)]
        hits = np.intersect1d(value[some], sought)
        found.update(str(hit).zfill(length) for hit in hits.tolist())
    return found


def _are_whole(
    digit: NDArray[np.int32], run: NDArray[np.int32], begin: NDArray[np.intp], length: int
) -> NDArray[np.bool_]:
    """Whether what begins there, so many digits long, can be a whole number of its run."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(run)) + 1))
    before = begin - starts[np.searchsorted(starts, begin, side="right") - 1]
    after = (begin + length).clip(max=len(digit) - 1)
    over = (begin + length >= len(digit)) | (run[after] != run[begin]) | (digit[after] == 0)
    whole: NDArray[np.bool_] = over & ((before <= _PREFIX) | (digit[begin - 1] == 0))
    return whole


def _digits_and_runs(text: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The digits of a text, and for each the run it belongs to: only glue stands within one."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kind = _kinds().take(codes, mode="clip")
    is_digit = kind < _IS_GLUE
    run = np.cumsum(kind == _IS_OTHER, dtype="int32")
    return kind[is_digit].astype("int32"), run[is_digit]


@cache
def _kinds() -> NDArray[np.uint8]:
    """Character → the value of a digit, of whatever script; or what else it is."""
    kinds = np.full(0x20000, _IS_OTHER, dtype="uint8")
    kinds[[ord(character) for character in _GLUE]] = _IS_GLUE
    every = np.arange(len(kinds) - 1, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    for digit in re.findall(r"\d", every):
        kinds[ord(digit)] = unicodedata.decimal(digit)
    return kinds
