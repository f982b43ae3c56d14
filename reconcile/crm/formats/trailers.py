"""The last line of a delimited text, if it says how many records stand above it.

Only forms that can't be a record count: a line that is narrower or wider than the header, or one
whose first cell is marked as a trailer, with the number and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TAIL: Final = 8192
"""Bytes at the end in which a trailer is looked for."""
_NUMBER: Final = r"(?P<number>\d{1,3}(?:[.,' ]\d{3}){1,3}|\d{1,12})"
_NOUN: Final = r"(?:rows?|records?|contacts?|datens(?:ä|ae)tze?)"
_FORMS: Final = (
    re.compile(
        r"#?\s*(?:trailer|trl|eof|end of file|footer|count"
        rf"|(?:total |number of |anzahl(?: der)? )?{_NOUN}|{_NOUN}[ _]?count)"
        rf"[\s:;,|=]+{_NUMBER}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"#?\s*\(?{_NUMBER} {_NOUN}(?: (?:affected|selected|exported))?\)?\.?", re.IGNORECASE
    ),
)
_MARKED: Final = re.compile(r"#|TRAILER\b|TRL\b|EOF\b")
"""How a trailer begins that is padded to the width of a record."""


class Found(NamedTuple):
    """What a trailer says, and where."""

    start: int
    """Of its line, in bytes."""
    row: int
    records: int


def find(
    content: bytes, *, after: int, width: int, split: Callable[[str], Sequence[str]]
) -> Found | None:
    """The trailer of a text whose header ends at `after`; blank lines below it don't matter."""
    tail = content[max(after, len(content) - _TAIL) :].rstrip(b" ,;\t\n")
    begin, last = tail.rpartition(b"\n")[::2]
    start = max(after, len(content) - _TAIL) + len(begin) + 1
    line = content[start : content.find(b"\n", start)].decode(errors="replace")
    stated = None if last.count(b'"') % 2 else _stated(line.replace('"', "").strip(" ,;\t"))
    if stated is None or (len(split(line)) == width and not _MARKED.match(line.lstrip('" '))):
        return None
    return Found(start=start, row=content.count(b"\n", 0, start) + 1, records=stated)


def _stated(line: str) -> int | None:
    found = next((match for form in _FORMS if (match := form.fullmatch(line))), None)
    return int(re.sub(r"\D", "", found["number"])) if found else None
