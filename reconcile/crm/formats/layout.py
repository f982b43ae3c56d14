"""Is a delimited text whole? Where its cells and rows end, and what breaks the rules.

The rules are those of RFC 4180, section 2, without the leniency that most parsers add: a quote
opens a cell at its beginning and nowhere else, what follows the closing quote is a delimiter or a
line end, and every row is as wide as the header. A row is never mended.

All of it is arithmetic on the offsets of three bytes, so a million rows cost no Python loop. The
byte before which an odd number of quotes stands is inside a quoted cell; this holds up to the first
misplaced quote, which is why only the first is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reconcile.crm.formats.limits import CELL_LIMIT, MARKS_LIMIT, check_limit
from reconcile.crm.problems import MOST, capped
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reconcile.crm.formats.table import Flags, Offsets

_LF, _QUOTE, _BLANK = b'\n" '
_PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the records of a body are, or what is wrong with it."""

    lines: Offsets
    """The line of the file where each row starts that is not an empty line."""
    blank: Flags
    """Which of these rows have nothing but delimiters."""
    blanks: int
    """Rows without any content, empty lines included."""
    longest: int
    """Bytes of the longest row."""
    multiline: bool
    """Whether a quoted cell holds a line end."""
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """Offsets of the bytes that give a body its shape."""

    octets: NDArray[np.uint8]
    delimiter: int
    header: tuple[str, ...]
    line: int
    """The line on which the body begins."""
    quotes: Offsets
    breaks: Offsets
    """All line ends, quoted ones included."""
    cuts: Offsets
    """Delimiters and line ends outside quotes: where cells end."""
    ends: Offsets
    """Positions in `cuts` of the line ends: where rows end."""

    def lines(self, offsets: Offsets) -> Offsets:
        """The lines of the file on which these bytes stand."""
        found: Offsets = self.line + np.searchsorted(self.breaks, offsets)
        return found

    def problem(self, offset: int, message: str) -> Problem:
        """A problem at one byte, with its line and the header of its column."""
        cut = int(np.searchsorted(self.cuts, offset)) - 1
        row = int(np.searchsorted(self.ends, cut, side="right")) - 1
        column = cut - int(self.ends[row])
        named = self.header[column] if column < len(self.header) else ""
        line = int(self.lines(np.array([offset]))[0])
        return Problem(code="export_malformed", message=message, row=line, column=named)

    def problems(self, offsets: Offsets, message: Callable[[int], str]) -> tuple[Problem, ...]:
        """One problem for each of these bytes; `message` gets the position in `offsets`."""
        some = enumerate(offsets[:MOST].tolist())
        return capped((self.problem(o, message(i)) for i, o in some), total=len(offsets))


def inspect(body: memoryview, *, delimiter: str, header: tuple[str, ...], line: int) -> Layout:
    """Look at the rows below a header. `body` begins with the header's line end and ends with one.

    `line` is the line of the file that the header ends on.
    """
    marks = _mark(body, delimiter=ord(delimiter), header=header, line=line)
    starts, stops = marks.cuts[marks.ends[:-1]] + 1, marks.cuts[marks.ends[1:]]
    cells, lengths, width = np.diff(marks.ends), stops - starts, len(header)
    # Nothing but delimiters, or nothing at all: spreadsheets leave such rows at the end.
    blank = (lengths == cells - 1) & ((cells == 1) | (cells == width))
    problems = _misplaced_quote(marks)
    if not problems:
        ragged = (cells != width) & ~blank
        problems = (
            *_ragged(marks, starts[ragged], cells[ragged]),
            *_oversized(marks),
            *_swallowed(marks),
        )
    shown = lengths > 0
    return Layout(
        lines=marks.lines(starts[shown]),
        blank=blank[shown],
        blanks=int(blank.sum()),
        longest=int(lengths.max(initial=0)),
        multiline=len(marks.breaks) != len(marks.ends),
        problems=problems,
    )


def _mark(body: memoryview, *, delimiter: int, header: tuple[str, ...], line: int) -> _Marks:
    octets = np.frombuffer(body, dtype=np.uint8)
    offsets = _offsets(octets, delimiter)
    found = octets[offsets]
    is_quote = found == _QUOTE
    # The sum wraps at 256, which leaves its parity alone.
    outside = (np.cumsum(is_quote, dtype=np.uint8) & 1) == 0
    cuts = offsets[outside & ~is_quote]
    return _Marks(
        octets=octets,
        delimiter=delimiter,
        header=header,
        line=line,
        quotes=offsets[is_quote],
        breaks=offsets[found == _LF],
        cuts=cuts,
        ends=np.flatnonzero(octets[cuts] == _LF),
    )


def _offsets(octets: NDArray[np.uint8], delimiter: int) -> Offsets:
    """Where delimiters, line ends and quotes are; looked for in pieces that fit into the cache.

    Raises ExportRejected if they are too many.
    """
    found, count = [], 0
    for start in range(0, len(octets), _PIECE):
        piece = octets[start : start + _PIECE]
        is_mark = (piece == delimiter) | (piece == _LF) | (piece == _QUOTE)
        found.append((np.flatnonzero(is_mark) + start).astype(np.int32))
        count += len(found[-1])
        check_limit(count, MARKS_LIMIT, "delimiters, quotes and line ends")
    return np.concatenate(found)


def _misplaced_quote(marks: _Marks) -> tuple[Problem, ...]:
    """The first quote that stands where none may, or the one that is never closed."""
    may_adjoin = np.zeros(256, dtype=np.bool_)
    may_adjoin[[marks.delimiter, _LF, _QUOTE]] = True  # two quotes in a row are one of the text
    opening, closing = marks.quotes[0::2], marks.quotes[1::2]
    opening_wrong = opening[~may_adjoin[marks.octets[opening - 1]]]
    closing_wrong = closing[~may_adjoin[marks.octets[closing + 1]]]
    wrong = np.sort(np.concatenate([opening_wrong[:1], closing_wrong[:1]]))
    if wrong.size:
        message = "a quote is lost or not doubled: one stands in the middle of the cell"
        return (marks.problem(int(wrong[0]), message),)
    if len(marks.quotes) % 2:
        message = "its opening quote is never closed: a quote is lost, or the file is cut off"
        return (marks.problem(int(marks.cuts[-1]) + 1, message),)
    return ()


def _ragged(marks: _Marks, starts: Offsets, cells: Offsets) -> tuple[Problem, ...]:
    """Rows that are not as wide as the header."""
    width, counts = len(marks.header), cells[:MOST].tolist()
    rows = marks.lines(starts[:MOST]).tolist()
    first = (
        Problem(
            code="export_malformed",
            message=f"the row has {count} cells and the header has {width}",
            row=row,
        )
        for row, count in zip(rows, counts, strict=True)
    )
    return capped(first, total=len(starts))


def _oversized(marks: _Marks) -> tuple[Problem, ...]:
    sizes = np.diff(marks.cuts) - 1
    large = np.flatnonzero(sizes > CELL_LIMIT)
    return marks.problems(
        marks.cuts[large] + 1,
        lambda i: f"the cell has {sizes[large[i]]:,} bytes; the limit is {CELL_LIMIT:,}",
    )


def _swallowed(marks: _Marks) -> tuple[Problem, ...]:
    """Quoted cells that hold whole rows: two quotes are lost, and the rows between have vanished.

    If n rows vanish into a cell, it holds n line ends and exactly n times a row's delimiters. Prose
    may hold as many by chance, but puts a blank after a comma.
    """
    quoted = np.setdiff1d(marks.breaks, marks.cuts[marks.ends], assume_unique=True)
    if not quoted.size:
        return ()
    cell, lines = np.unique(np.searchsorted(marks.cuts, quoted), return_counts=True)
    starts, stops = marks.cuts[cell - 1], marks.cuts[cell]
    delimiters = np.flatnonzero(marks.octets == marks.delimiter)
    tight = delimiters[marks.octets[delimiters + 1] != _BLANK]
    count, tight_count = _between(delimiters, starts, stops), _between(tight, starts, stops)
    rows = (count == lines * (len(marks.header) - 1)) & (2 * tight_count > count)
    return marks.problems(
        starts[rows] + 1,
        lambda _: "the quoted cell holds what looks like whole rows: a quote is lost",
    )


def _between(offsets: Offsets, starts: Offsets, stops: Offsets) -> Offsets:
    """How many of the offsets lie inside each of the cells."""
    found: Offsets = np.searchsorted(offsets, stops) - np.searchsorted(offsets, starts, "right")
    return found
