"""Part numbers in the names of files that are one export together.

A part number is one to three digits at the end of a name: `contacts_001`, `contacts-2`,
`contacts (1)`, `contacts.part2`, `contacts 1of3`. The digits of a date, of a time behind a date, of
a long id or of a hash are none. Where a name may be read in two ways it is a part: a part that is
missed is half an export, and one too many is a question.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENDINGS: Final = re.compile(
    r"(?:\.(?:csv|tsv|tab|txt|xlsx|xlsm|xls|ods|json|jsonl|ndjson|vcf|vcard|parquet"
    r"|zip|gz|gzip|7z|rar|tar|tgz|bz2|xz))+$",
    re.IGNORECASE,
)
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12][0-9]|3[01])"
_SIXTY: Final = r"[0-5][0-9]"
_TIME: Final = (
    rf"[T _-]+[0-2][0-9](?:{_SIXTY}(?:{_SIXTY})?|h{_SIXTY}"
    rf"|-{_SIXTY}(?:-{_SIXTY})?|_{_SIXTY}(?:_{_SIXTY})?|[.:]{_SIXTY}(?:[.:]{_SIXTY})?)Z?"
)
"""0230, 023015, 02-30-15; what follows on 0230 behind a mark is no second, but a part."""
_DATES: Final = re.compile(
    rf"(?<!\d)(?:19|20)\d\d(?P<mark>[-_.]?){_MONTH}(?:(?P=mark){_DAY}(?:{_TIME})?)?(?!\d)"
    rf"|(?<!\d)(?:{_DAY}|[1-9])(?P<dot>[-_.])(?:{_MONTH}|[1-9])(?P=dot)(?:20)?\d\d(?:{_TIME})?(?!\d)",
    re.IGNORECASE,
)
"""2026-11-24, 20261124, 2026-11, 24.11.26, and each with a time behind it."""
_PART: Final = re.compile(
    r"(?P<base>.*?)(?P<mark>[ _.-]*\(?(?:(?<![^\W_])(?:part|teil|page|seite)[ _.-]?)?)"
    r"(?<!\d)(?P<part>[0-9]{1,3})(?:[ _-]?(?:of|von)[ _-]?(?P<of>[0-9]{1,3}))?\)?",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"(?:^|[\W_])[^\W\d_]+$")


def stem(name: str) -> str:
    """A file's name without the endings that say its format."""
    return _ENDINGS.sub("", name)


def split(name: str) -> tuple[str, int | None, int | None]:
    """The name without its part number, the number, and of how many if the name says so."""
    whole = stem(name)
    masked = _DATES.sub(lambda date: "#" * len(date[0]), whole)
    found = _PART.fullmatch(masked)
    # A number without a mark before it stands behind a word; a hash is letters mixed with digits.
    if found is None or not (found["mark"] or not found["base"] or _WORD.search(found["base"])):
        return whole, None, None
    return whole[: found.end("base")], int(found["part"]), int(found["of"]) if found["of"] else None


def missing(numbers: Iterable[int], *, of: int | None = None) -> list[int]:
    """The parts that are lacking: from 1 (or 0, if there is one) to the last, or to `of`."""
    there = set(numbers)
    last = max((*there, of or 0))
    return [number for number in range(min((1, *there)), last + 1) if number not in there]
