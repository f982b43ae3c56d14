"""CSV: title lines if any, one header line, then rows; comma, semicolon or tab.

Every cell stays the text that it is: `007`, `NA` and `+49 …` are values. `layout` judges whether
the text is whole; only then does Arrow cut it into columns, as Arrow itself forgives lost quotes.

What is no record is named here, dropped by rule, and counted: titles above the header, Salesforce's
footer, a trailer that says how many records there are, and what monday puts between its groups.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from reconcile.crm.formats import footers, groups, trailers
from reconcile.crm.formats.decoding import decode
from reconcile.crm.formats.layout import Layout, inspect
from reconcile.crm.formats.limits import CELL_LIMIT
from reconcile.crm.formats.table import Table, Trailer
from reconcile.crm.problems import rejected
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconcile.crm.formats.table import Flags, IsHeader

DELIMITERS: Final = ",;\t"
_FOOTER_SIZE: Final = 8192
_FOOTER_MARK: Final = re.compile(b'"?' + footers.MARK.encode(), re.IGNORECASE)
_FOOTER_START: Final = re.compile(rb'[\s,;]*$|"?(grand )?totals?\b', re.IGNORECASE)
_FORMULA: Final = re.compile(rb'="(?<=[\n,;\t]=")([^"\n]*)"(?=[\n,;\t])')
"""A number as some programs write it for Excel, `="0301234567"`, without the quotes around that.
It begins with characters and looks behind them: `re` finds those forty times as fast."""
_TITLE_LINES: Final = 16
"""Lines in which a header is looked for."""
_BLOCK: Final = 4 * 1024 * 1024
"""Bytes that Arrow parses at a time; a row must fit in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """Where the header is, and what it says."""

    end: int
    """Of its line, in bytes."""
    delimiter: str
    cells: tuple[str, ...]
    row: int = 1
    titles: tuple[str, ...] = ()
    """The lines above it."""

    @property
    def titled(self) -> bool:
        """Whether a title stands above it, and not only what Excel is told of the delimiter."""
        return any(t.strip() and not t.lower().startswith("sep=") for t in self.titles)


def recognises(_: bytes) -> bool:
    """Whatever no other format recognises may be a table of delimited text."""
    return True


def read(content: bytes, *, is_header: IsHeader) -> Table:
    """The table of a CSV text. Raises ExportRejected if not even the header can be read."""
    text, encoding = decode(content)
    if not text or text.isspace():
        raise rejected("export_empty", "it is empty (0 rows)")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    content = _FORMULA.sub(rb'"=""\1"""', text.encode())
    header = _below_titles(content, is_header) or _first_line(content)
    whole = content.rfind(b"\n") + 1
    trailer = _trailer(content[:whole], header)
    above = trailer.start if trailer else whole
    footer = _footer_start(content[:above], after=header.end, delimiter=header.delimiter)
    body = memoryview(content)[header.end : footer]
    line = content.count(b"\n", 0, header.end) + 1
    layout = inspect(body, delimiter=header.delimiter, header=header.cells, line=line)
    lines = layout.lines[~layout.blank]
    problems = (*_cut_off(content), *layout.problems) or _without_rows(header, len(lines))
    cells = () if problems else _cells(body[1:], layout, header)
    dropped = groups.furniture(header.cells, cells, titled=header.titled) if cells else {}
    kept = ~reduce(np.logical_or, dropped.values(), np.zeros(len(lines), dtype=np.bool_))
    problems = problems or _without_rows(header, int(kept.sum()))
    return Table(
        format=f"csv; delimiter {json.dumps(header.delimiter)}",
        encoding=encoding,
        delimiter=header.delimiter,
        header=header.cells,
        header_row=header.row,
        text=text,
        cells=() if problems else _only(cells, kept),
        lines=lines[kept],
        ignored=_ignored(
            layout, header.titles, (content[footer:above], content[above:whole]), dropped
        ),
        problems=problems,
        trailer=Trailer(trailer.row, trailer.records) if trailer else None,
    )


# ---------------------------------------------------------------------------- the header


def _below_titles(content: bytes, is_header: IsHeader) -> _Header | None:
    """The header in or below the first lines, if it is one by the table of synonyms.

    Above it are only lines with a single cell, such as a title or `sep=;`, or with none.
    """
    start, above = 0, list[str]()
    while len(above) < _TITLE_LINES and (end := _line_end(content, start)) >= 0:
        line = content[start:end].decode()
        delimiter = _delimiter(line)
        cells = _cells_of(line, delimiter)
        if is_header(cells):
            row, titles = content.count(b"\n", 0, start) + 1, tuple(above)
            ok = all(_is_title(title, delimiter) for title in titles)
            found = _Header(end=end, delimiter=delimiter, cells=cells, row=row, titles=titles)
            return found if ok else None
        above.append(line)
        start = end + 1
    return None


def _cells_of(line: str, delimiter: str) -> tuple[str, ...]:
    """The cells of what may be a header; none if it has no delimiter, or a quote astray."""
    try:
        return _split(line, delimiter) if delimiter else ()
    except csv.Error:
        return ()


def _is_title(line: str, delimiter: str) -> bool:
    return sum(1 for cell in _split(line, delimiter, strict=False) if cell.strip()) <= 1


def _first_line(content: bytes) -> _Header:
    """The header where one is expected; raises ExportRejected if it is none by its form."""
    end = _header_end(content)
    line = content[:end].decode()
    delimiter = _delimiter(line)
    if not delimiter:
        raise _unclear(line)
    try:
        cells = _split(line, delimiter)
    except csv.Error as error:
        message = f"its header is no CSV: {error}"
        raise rejected("export_malformed", message, row=1) from None
    return _Header(end=end, delimiter=delimiter, cells=cells)


def _header_end(content: bytes) -> int:
    end = _line_end(content, 0)
    if end >= 0:
        return end
    if b"\n" not in content:
        raise rejected("export_truncated", "it ends in the middle of its header", row=1)
    message = "the header does not end: a quote is lost, or this is no CSV file"
    raise rejected("export_malformed", message, row=1)


def _line_end(content: bytes, start: int) -> int:
    """Where the line ends: at the first line end outside quotes; -1 if it does not."""
    head = content[: start + CELL_LIMIT]
    end = head.find(b"\n", start)
    while end >= 0 and head.count(b'"', start, end) % 2:
        end = head.find(b"\n", end + 1)
    return end


def _delimiter(line: str) -> str:
    """The delimiter that the line uses most; "" if it uses none, or two as often."""
    (most, delimiter), (second, _), _ = _uses(line)
    return "" if most == second else delimiter


def _uses(line: str) -> list[tuple[int, str]]:
    outside = re.sub(r'"[^"]*"', "", line)
    return sorted((outside.count(d), d) for d in DELIMITERS)[::-1]


def _unclear(line: str) -> Exception:
    message = (
        "its delimiter is unclear: the header has as many of one as of another"
        if _uses(line)[0][0]
        else "its first line has no comma, semicolon or tab, so it is no CSV header"
    )
    return rejected("export_malformed", message, row=1)


def _split(line: str, delimiter: str, *, strict: bool = True) -> tuple[str, ...]:
    """The cells of a header's line.

    A blank before a header's quote is no part of it: vtiger writes `"First Name", "Last Name"`,
    in the header only.
    """
    lines = io.StringIO(line, newline="")
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict))
    return tuple(rows[0]) if rows else ("",)


# ---------------------------------------------------------------------------- below the records


def _trailer(content: bytes, header: _Header) -> trailers.Found | None:
    return trailers.find(
        content,
        after=header.end,
        width=len(header.cells),
        split=lambda line: _split(line, header.delimiter, strict=False),
    )


def _footer_start(content: bytes, *, after: int, delimiter: str) -> int:
    """Where the footer of a Salesforce report begins; the end of the content if it has none.

    The footer is what stands below the last blank line or `Grand Totals`, if none of its lines can
    be a row and one bears Salesforce's mark.
    """
    tail = content[max(after + 1, len(content) - _FOOTER_SIZE) :]
    lines = tail.split(b"\n")[-footers.ROWS :]
    is_row = [not _is_furniture(line, delimiter.encode()) for line in lines]
    block = lines[len(lines) - [*reversed(is_row), True].index(True) :]
    while block and not _FOOTER_START.match(block[0]):
        block = block[1:]
    if not any(map(_FOOTER_MARK.match, block)):
        return len(content)
    return len(content) - len(b"\n".join(block))


def _is_furniture(line: bytes, delimiter: bytes) -> bool:
    """Whether a line is blank, a single cell, or begins with the mark.

    A program that has saved the report again pads its lines with empty cells.
    """
    cell = rb'("[^"]*"|[^"%b]*)%b*' % (re.escape(delimiter), re.escape(delimiter))
    return bool(re.fullmatch(cell, line) or _FOOTER_MARK.match(line))


# ---------------------------------------------------------------------------- the rows


def _cut_off(content: bytes) -> tuple[Problem, ...]:
    """A last line without its end may be half a line, and nothing in the file can tell."""
    if content.endswith(b"\n"):
        return ()
    message = (
        "the file ends in the middle of a line: it is cut off, or the program that writes it"
        " leaves out the last line end"
    )
    return (Problem(code="export_truncated", message=message, row=content.count(b"\n") + 1),)


def _without_rows(header: _Header, rows: int) -> tuple[Problem, ...]:
    if rows:
        return ()
    message = "it has a header and no records (0 rows)"
    return (Problem(code="export_empty", message=message, row=header.row),)


def _cells(body: memoryview, layout: Layout, header: _Header) -> tuple[pa.ChunkedArray, ...]:
    """The columns of a body that `layout` found whole, blank rows left out."""
    names = [str(i) for i in range(len(header.cells))]
    table = arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(body)),
        read_options=arrow_csv.ReadOptions(
            column_names=names, block_size=max(_BLOCK, 2 * layout.longest)
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=header.delimiter, newlines_in_values=layout.multiline
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    if layout.blank.any():
        table = table.filter(pc.invert(pa.array(layout.blank)))
    return tuple(table.columns)


def _only(cells: tuple[pa.ChunkedArray, ...], kept: Flags) -> tuple[pa.ChunkedArray, ...]:
    if kept.all():
        return cells
    return tuple(column.filter(pa.array(kept)) for column in cells)


def _ignored(
    layout: Layout,
    titles: Sequence[str],
    below: tuple[bytes, bytes],
    dropped: Mapping[str, Flags],
) -> dict[str, int]:
    """Why lines are no records → how many; `below` them are a footer and a trailer."""
    others = (titles, *(text.decode().splitlines() for text in below))
    headings, footer, trailer = (sum(map(_has_content, lines)) for lines in others)
    empty = sum(map(len, others)) - headings - footer - trailer
    counts = {
        "line without content": layout.blanks + empty,
        "title above the header": headings,
        "line of the report's footer": footer,
        "trailer with the number of records": trailer,
        **{why: int(rows.sum()) for why, rows in dropped.items()},
    }
    return {why: count for why, count in counts.items() if count}


def _has_content(line: str) -> bool:
    return bool(line.strip(f" {DELIMITERS}"))
