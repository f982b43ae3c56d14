"""XLSX: one sheet of a workbook, its header among the first rows.

A workbook is a ZIP archive of XML parts. calamine reads the cells, but forgives what must not be
forgiven: a part that is damaged behind the last cell, an error cell, a formula without its result,
a cell that stands twice, and an area that fills the memory. So every part is first unpacked, with
its checksum, and its XML followed to the end (`_Package`); only then is it read.

Nothing below the header is skipped but by a rule of `_sort_out`, and what is skipped is counted.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from reconcile.crm.formats import footers, groups
from reconcile.crm.formats.cells import EXACT, is_filled, joined, lost_digits, number
from reconcile.crm.formats.damaged import UNPACKABLE
from reconcile.crm.formats.limits import CELLS_LIMIT, COLUMNS_LIMIT, UNPACKED_LIMIT, check_limit
from reconcile.crm.formats.table import Table
from reconcile.crm.problems import MOST, capped, rejected
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconcile.crm.formats.table import Flags, IsHeader, Offsets

HEADER_ROWS: Final = 25
"""Rows among which the header is looked for; reports put up to a dozen lines above it."""
PARTS_LIMIT: Final = 10_000
"""Parts of a workbook; one of contacts has a dozen, one with pictures a part for each."""
ROWS_LIMIT: Final = 2**20
"""The height of a sheet, by the rules of the format."""
TEXT_LIMIT: Final = 512 * 1024**2
"""Bytes of a sheet's shared texts, each as often as it is used: a few bytes can name a long one."""
_CHUNK: Final = 256 * 1024
_BLOCK: Final = 64 * 1024
"""Bytes of a part, and cells of a sheet, that are looked at together."""

_OLE: Final = b"\xd0\xcf\x11\xe0"
_ZIP: Final = b"PK\x03\x04"
_NAME: Final = slice(30, 130)
"""Where a ZIP archive has the name of its first member, and the beginning of what is in it."""
_FIRST: Final = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/", b"customXml/")
_OPEN_DOCUMENT: Final = b"mimetypeapplication/vnd.oasis.opendocument"
_WORKBOOK: Final = "xl/workbook.xml"
_BINARY_WORKBOOK: Final = "xl/workbook.bin"
_SAVE_AS: Final = "save it as XLSX, or let the CRM export CSV"


def recognises(content: bytes) -> bool:
    """Whether it is a spreadsheet of any kind, those included that `read` refuses by their name.

    A workbook that was cut off is still recognised, by the name of its first part.
    """
    if content.startswith(_OLE):
        return True
    first = content[_NAME]
    if not content.startswith(_ZIP):
        return False
    return first.startswith((*_FIRST, _OPEN_DOCUMENT)) or _has_workbook(content)


def _has_workbook(content: bytes) -> bool:
    """Whether a ZIP archive whose first member says nothing is a workbook all the same."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {name.lower() for name in archive.namelist()}
    except UNPACKABLE:
        return False
    return not names.isdisjoint((_WORKBOOK, _BINARY_WORKBOOK))


def read(content: bytes, *, is_header: IsHeader) -> Table:
    """The table on the one sheet that has a header. Raises ExportRejected if there is none."""
    _refuse_others(content)
    grids = _grids(content, _checked(content))
    text = "".join(joined(grid.rows()) for grid in grids)
    grid, at = _with_header(grids, is_header)
    others = sum(int(other.filled.any(axis=1).sum()) for other in grids if other is not grid)
    return _table(grid, at, is_header=is_header, text=text, others=others)


# ---------------------------------------------------------------------------- what is no XLSX


def _refuse_others(content: bytes) -> None:
    """Other kinds of spreadsheet, by their names."""
    if content.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise _locked()
        raise _other("an old Excel workbook (XLS)")
    if content[_NAME].startswith(_OPEN_DOCUMENT):
        raise _other("an OpenDocument file (ODS)")


def _other(what: str) -> Exception:
    message = f"it is {what}, where a workbook in XLSX is expected"
    return rejected("export_wrong_format", message, hint=_SAVE_AS)


def _locked() -> Exception:
    message = "the workbook is protected by a password, so it can't be read"
    return rejected("export_wrong_format", message, hint="save it without a password")


def _damaged(what: str) -> Exception:
    return rejected("export_malformed", f"{what}: the workbook is damaged or cut off")


# ---------------------------------------------------------------------------- the package


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """A ZIP archive of XML parts, all of them whole."""

    looks: Mapping[str, _Look]
    """Name of a part with a sheet, in lower case → what was seen in it."""
    sheets: tuple[_Sheet, ...]
    """In the order of the workbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """A sheet as the workbook lists it."""

    name: str
    part: str
    config: bool
    """Whether it can't be shown at all (`veryHidden`): a program's own notes, such as Dynamics'."""


def _checked(content: bytes) -> _Package:
    """Unpack every part once. Raises ExportRejected if one is damaged, missing or too large."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except UNPACKABLE as error:
        message = (
            "the workbook has no end, where a ZIP archive has its list of parts: it is cut off"
        )
        raise rejected("export_truncated", message) from error
    with archive:
        names = _names(archive)
        sheets = tuple(_listed(archive, names))
        return _Package(sheets=sheets, looks=_looks(archive, names, sheets))


def _names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Name of a part in lower case → its name. Sizes are looked at before anything is unpacked."""
    members = archive.infolist()
    check_limit(len(members), PARTS_LIMIT, "parts")
    check_limit(sum(m.file_size for m in members), UNPACKED_LIMIT, "bytes when it is unpacked")
    names = {member.filename.lower(): member.filename for member in members}
    if any(member.flag_bits & 1 for member in members):
        raise _locked()
    if _BINARY_WORKBOOK in names:
        raise _other("a binary Excel workbook (XLSB)")
    if _WORKBOOK not in names:
        raise _other("a ZIP archive without a workbook, such as a text document")
    if len(names) != len(members):
        raise _damaged("two parts have the same name")
    return names


def _looks(
    archive: zipfile.ZipFile, names: Mapping[str, str], sheets: Sequence[_Sheet]
) -> dict[str, _Look]:
    """Follow every part to its end; what was seen in the sheets."""
    sizes: Offsets = np.zeros(0, dtype=np.int64)
    looks = {sheet.part: _Look() for sheet in sheets}
    for part, name in names.items():
        if part in looks:
            _follow(archive, name, looks[part].start)
            looks[part].finish()
        elif part.endswith("sharedstrings.xml"):
            sizes = _text_sizes(archive, name)
        elif part.endswith((".xml", ".rels")):
            _follow(archive, name)
        else:
            _unpack(archive, name, lambda _: None)
    check_limit(sum(look.cells for look in looks.values()), CELLS_LIMIT, "cells")
    for part, look in looks.items():
        if part in names and look.shared * int(sizes.max(initial=0)) > TEXT_LIMIT:
            used = _text_used(archive, names[part], sizes)
            check_limit(used, TEXT_LIMIT, "bytes of text")
    return looks


def _listed(archive: zipfile.ZipFile, names: Mapping[str, str]) -> Iterator[_Sheet]:
    """The sheets of the workbook with the parts that hold them."""
    found: list[tuple[str, dict[str, str]]] = []
    for name in (names[_WORKBOOK], names.get("xl/_rels/workbook.xml.rels", "")):
        if not name:
            raise _damaged("a part is missing")
        _follow(archive, name, lambda tag, attributes: found.append((_local(tag), attributes)))
    targets = {a.get("Id", ""): a.get("Target", "") for tag, a in found if tag == "Relationship"}
    for attributes in (a for tag, a in found if tag == "sheet"):
        key = next((value for name, value in attributes.items() if _local(name) == "id"), "")
        part = posixpath.normpath(posixpath.join("/xl", targets.get(key, ""))).lstrip("/").lower()
        if part not in names:
            raise _damaged("a sheet is missing")
        state = attributes.get("state")
        yield _Sheet(name=attributes.get("name", ""), part=part, config=state == "veryHidden")


def _local(name: str) -> str:
    """A name without its prefix: some writers put `x:` before every element."""
    return name.rpartition(":")[2]


def _follow(
    archive: zipfile.ZipFile,
    name: str,
    start: Callable[[str, dict[str, str]], object] | None = None,
    *,
    parser: expat.XMLParserType | None = None,
) -> None:
    """Parse a part to its end. Raises ExportRejected if it is not whole, or not plain XML."""
    parser = parser or expat.ParserCreate()
    parser.XmlDeclHandler = _check_encoding
    parser.StartDoctypeDeclHandler = _refuse_doctype
    if start is not None:
        parser.StartElementHandler = start
    try:
        _unpack(archive, name, lambda chunk: parser.Parse(chunk, False))  # noqa: FBT003 - expat's
        parser.Parse(b"", True)  # noqa: FBT003 - as above
    except expat.ExpatError as error:
        raise _damaged(f"its part {name} ends too early or is no XML") from error


def _unpack(archive: zipfile.ZipFile, name: str, use: Callable[[bytes], object]) -> None:
    """Hand out a part piece by piece; at its end the archive has compared its checksum."""
    try:
        with archive.open(name) as stream:
            first = chunk = stream.read(_CHUNK)
            if first.startswith((b"\xff\xfe", b"\xfe\xff")):
                _check_encoding("1.0", "UTF-16", -1)
            while chunk:
                use(chunk)
                chunk = stream.read(_CHUNK)
    except UNPACKABLE as error:
        raise _damaged(f"its part {name} can't be unpacked") from error


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    """Calamine takes every part for UTF-8, and finds no cells in UTF-16."""
    if (encoding or "utf-8").lower() not in ("utf-8", "us-ascii", "ascii"):
        raise rejected("export_wrong_format", "the workbook is not in UTF-8", hint=_SAVE_AS)


def _refuse_doctype(*_: object) -> None:
    """No workbook has one, and with one a few bytes can mean a gigabyte (billion laughs)."""
    raise _damaged("a part has a document type")


def _text_sizes(archive: zipfile.ZipFile, name: str) -> Offsets:
    """Bytes of each shared text, its formatting included."""
    parser = expat.ParserCreate()
    starts: list[int] = []
    names = _LocalNames()

    def start(tag: str, _: dict[str, str]) -> None:
        if names[tag] == "si":
            starts.append(parser.CurrentByteIndex)

    _follow(archive, name, start, parser=parser)
    ends = np.array([*starts[1:], parser.CurrentByteIndex], dtype=np.int64)
    sizes: Offsets = ends[: len(starts)] - np.array(starts, dtype=np.int64)
    return sizes


def _text_used(archive: zipfile.ZipFile, name: str, sizes: Offsets) -> int:
    """Bytes of all shared texts that a sheet names. Only looked at if they could be too many."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    pieces: list[str] = []
    found: list[int] = []
    is_shared = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal is_shared
        if _local(tag) == "c":
            is_shared = attributes.get("t") == "s"
        pieces.clear()

    def end(tag: str) -> None:
        if is_shared and _local(tag) == "v":
            place = "".join(pieces).strip()
            found.append(int(place) if place.isdecimal() else -1)

    parser.CharacterDataHandler = pieces.append
    parser.EndElementHandler = end
    _follow(archive, name, start, parser=parser)
    places = np.array(found, dtype=np.int64)
    if not ((places >= 0) & (places < len(sizes))).all():
        raise _damaged("a cell names a text that is not there")
    return int(sizes[places].sum())


# ---------------------------------------------------------------------------- a sheet's XML


class _Look:
    """What the XML of a sheet says that calamine does not: how large it is, and what is amiss.

    `start` is called for every element, a few million times, so it only takes notes.
    """

    def __init__(self) -> None:
        self.errors = 0
        """Cells with #N/A, #REF! and the like."""
        self.shared = 0
        """Cells that name a shared text."""
        self.formulas: list[str] = []
        """Cells with a formula whose result is a number, and may be missing."""
        self._names = _LocalNames()
        self._cell: dict[str, str] | None = None
        self._filled: list[dict[str, str]] = []
        """The attributes of the last cells with a value."""
        self._last = -1
        self._height = self._width = 0
        """Of the cells that say where they are; the others follow the one before."""
        self._rows = self._run = self._unnamed = 0

    @property
    def cells(self) -> int:
        """Cells of the area from A1 to the last row and column with a value, or more."""
        height = max(self._height, self._rows if self._unnamed else 0)
        return height * (self._width + self._unnamed)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Note an element."""
        name = self._names[tag]
        if name == "c":
            self._cell = attributes
            if "r" not in attributes:
                self._run += 1
                self._unnamed = max(self._unnamed, self._run)
        elif name in ("v", "is"):
            if self._cell is None:
                raise _damaged("a value stands outside of a cell")
            self._filled.append(self._cell)
            if len(self._filled) >= _BLOCK:
                self.finish()
        elif name == "row":
            self._row(attributes)
        elif self._cell is not None:
            self._inside(name, self._cell)

    def _row(self, attributes: dict[str, str]) -> None:
        self._cell = None
        self._run = 0
        self._rows = max(self._rows + 1, _whole(attributes.get("r", "0")))

    def _inside(self, name: str, cell: dict[str, str]) -> None:
        """Note what else stands in a cell, or in what follows the last cell of a sheet."""
        if name == "f" and "r" in cell and cell.get("t", "n") in ("n", "b"):
            self.formulas.append(cell["r"])
        elif name == "extLst":  # Excel's additions below the cells have formulas of their own
            self._cell = None

    def finish(self) -> None:
        """Take in the cells noted so far. Raises ExportRejected if one is wrong or there twice."""
        kinds = [cell.get("t") for cell in self._filled]
        self.shared += kinds.count("s")
        self.errors += kinds.count("e")
        refs = [cell["r"] for cell in self._filled if "r" in cell]
        self._filled.clear()
        if refs:
            self._take_in(*_places(refs))

    def _take_in(self, rows: Offsets, columns: Offsets) -> None:
        check_limit(int(columns.max()), COLUMNS_LIMIT, "columns")
        check_limit(int(rows.max()), ROWS_LIMIT, "rows")
        order = np.concatenate(([self._last], rows * COLUMNS_LIMIT + columns))
        if (np.diff(order) <= 0).any():
            raise _damaged("a cell stands twice, or cells are not in order")
        self._last = int(order[-1])
        self._height = max(self._height, int(rows.max()))
        self._width = max(self._width, int(columns.max()))


class _LocalNames(dict[str, str]):
    """Name of an element → the name without its prefix, cut off once for each."""

    def __missing__(self, tag: str) -> str:
        name = self[tag] = _local(tag)
        return name


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise _damaged("a row has no number")
    number_of_row = int(text[:12])
    check_limit(number_of_row, ROWS_LIMIT, "rows")
    return number_of_row


_REF_LENGTH: Final = 12
"""More than `XFD1048576` needs."""


def _places(refs: Sequence[str]) -> tuple[Offsets, Offsets]:
    """Rows and columns, counted from 1, of cells such as `AB12`."""
    try:
        octets = np.array(refs, dtype=f"S{_REF_LENGTH}").view(np.uint8).reshape(len(refs), -1)
    except UnicodeEncodeError:
        raise _damaged("a cell has no place") from None
    letters, digits = octets | 0x20, octets - ord("0")
    is_letter, is_digit = (letters >= ord("a")) & (letters <= ord("z")), digits <= 9  # noqa: PLR2004 - digits
    rows, columns = np.zeros((2, len(refs)), dtype=np.int64)
    for at in range(_REF_LENGTH):
        columns = np.where(is_letter[:, at], columns * 26 + letters[:, at] - ord("a") + 1, columns)
        rows = np.where(is_digit[:, at], rows * 10 + digits[:, at], rows)
    letters_end, length = is_letter.sum(axis=1), (octets != 0).sum(axis=1)
    leading = (np.cumprod(is_letter, axis=1)).sum(axis=1)
    wrong = (leading != letters_end) | (letters_end + is_digit.sum(axis=1) != length)
    if (wrong | (rows == 0) | (columns == 0) | (length == _REF_LENGTH)).any():
        raise _damaged("a cell has no place")
    return rows, columns


# ---------------------------------------------------------------------------- the cells


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """The cells of one sheet as text, from A1 on."""

    sheet: _Sheet
    look: _Look
    columns: tuple[pa.Array, ...]
    filled: Flags
    """Row by row, which cells hold more than blanks."""
    inexact: tuple[tuple[int, int], ...]
    """Rows and columns of numbers that lost digits."""
    merged: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    """Top left and bottom right of the areas that are shown as one cell."""

    def row(self, at: int) -> tuple[str, ...]:
        """The texts of a row."""
        return tuple(column[at].as_py() for column in self.columns)

    def rows(self) -> Iterable[tuple[str, ...]]:
        """The texts of all rows."""
        return zip(*(column.to_pylist() for column in self.columns), strict=True)


def _grids(content: bytes, package: _Package) -> list[_Grid]:
    """The cells of every sheet that has any."""
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            if [sheet.name for sheet in package.sheets] != book.sheet_names:
                raise _damaged("its sheets are not those of its list")
            return [
                grid
                for at, (sheet, metadata) in enumerate(
                    zip(package.sheets, book.sheets_metadata, strict=True)
                )
                if metadata.typ == SheetTypeEnum.WorkSheet
                and (grid := _grid(book, at, sheet, package.looks[sheet.part])) is not None
            ]
    except CalamineError as error:
        raise _damaged("its cells can't be read") from error


def _grid(book: CalamineWorkbook, at: int, sheet: _Sheet, look: _Look) -> _Grid | None:
    source = book.get_sheet_by_index(at)
    values = list(zip(*source.to_python(skip_empty_area=False), strict=True))
    if not values:
        return None
    columns = tuple(map(_texts, values))
    return _Grid(
        sheet=sheet,
        look=look,
        columns=columns,
        filled=np.column_stack([is_filled(column) for column in columns]),
        inexact=tuple(
            (row, column)
            for column, cells in enumerate(values)
            if float in set(map(type, cells))
            for row, value in enumerate(cells)
            if type(value) is float and not abs(value) < EXACT
        ),
        merged=tuple(source.merged_cell_ranges or ()),
    )


_WRITTEN: Final[Mapping[type, Callable[[Any], str]]] = {
    str: str,
    float: number,
    int: str,
    bool: lambda value: "true" if value else "false",
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
}
"""How a person would type a value; dates and times as ISO 8601."""


def _texts(cells: Sequence[object]) -> pa.Array:
    """A column as text. Most hold nothing else, and then no cell is touched."""
    if set(map(type, cells)) != {str}:
        cells = [_WRITTEN[type(value)](value) for value in cells]
    return pa.array(cells, type=pa.string())


# ---------------------------------------------------------------------------- the header


def _with_header(grids: Sequence[_Grid], is_header: IsHeader) -> tuple[_Grid, int]:
    """The one sheet with a header, and its row counted from 0.

    If there is none but a single sheet, its first row with several cells may hold headers that
    only the configuration knows; who gives the columns their meaning judges that.
    """
    shown = [grid for grid in grids if not grid.sheet.config and grid.filled.any()]
    if not shown:
        raise rejected("export_empty", "no sheet of the workbook has a cell with content (0 rows)")
    found = [(grid, at) for grid in shown if (at := _header_row(grid, is_header)) >= 0]
    if len(found) > 1:
        raise _several([grid for grid, _ in found], "each have a header, and only one can be read")
    if not found and len(shown) > 1:
        what = f"have no header among their first {HEADER_ROWS} rows that is known"
        raise _several(shown, what)
    return found[0] if found else (shown[0], int(shown[0].filled.sum(axis=1).clip(0, 2).argmax()))


def _several(grids: Sequence[_Grid], what: str) -> Exception:
    names = " and ".join(f'"{grid.sheet.name}"' for grid in grids)
    hint = "leave only the sheet with the contacts in the workbook"
    return rejected("header_unknown", f"the sheets {names} {what}", hint=hint)


def _header_row(grid: _Grid, is_header: IsHeader) -> int:
    """The first row that is a header, counted from 0; -1 if none of the first rows is."""
    rows = range(min(HEADER_ROWS, len(grid.filled)))
    return next((at for at in rows if is_header(grid.row(at))), -1)


def _header(grid: _Grid, at: int) -> tuple[str, ...]:
    """The header as wide as what stands in it or below it."""
    used = np.flatnonzero(grid.filled[at:].any(axis=0))
    return grid.row(at)[: int(used[-1]) + 1]


def _format(grid: _Grid) -> str:
    errors = grid.look.errors
    noted = f"; {errors:,} error cells (#N/A and the like) read as empty" if errors else ""
    return f'xlsx; sheet "{grid.sheet.name}"{noted}'


# ---------------------------------------------------------------------------- the rows


def _table(grid: _Grid, at: int, *, is_header: IsHeader, text: str, others: int) -> Table:
    header = _header(grid, at)
    rows = _Rows(grid=grid, at=at, header=header)
    rows.count("row of another sheet", others)
    _sort_out(rows, is_header)
    problems = (*rows.problems, *_lost(grid, rows, header)) or _without_records(rows)
    kept = pa.array(rows.left)
    return Table(
        format=_format(grid),
        encoding="utf-8",
        header=header,
        header_row=at + 1,
        text=text,
        cells=()
        if problems
        else tuple(pa.chunked_array([c.filter(kept)]) for c in grid.columns[: len(header)]),
        lines=np.flatnonzero(rows.left) + 1,
        ignored=rows.ignored,
        problems=problems,
    )


@dataclass(slots=True, kw_only=True)
class _Rows:
    """Which rows are still records while the rules go over them, and why the others are none."""

    grid: _Grid
    at: int
    header: tuple[str, ...]
    left: Flags = field(init=False)
    ignored: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = np.arange(len(self.grid.filled)) != self.at

    def drop(self, rows: Flags, why: str) -> None:
        """Take out those of the rows that are still there."""
        gone = rows & self.left
        self.left = self.left & ~gone
        self.count(why, int(gone.sum()))

    def count(self, why: str, many: int) -> None:
        """Note why so many rows are no records."""
        if many:
            self.ignored[why] = self.ignored.get(why, 0) + many

    def at_rows(self, places: Iterable[int]) -> Flags:
        """Flags for these rows."""
        flags = np.zeros(len(self.left), dtype=np.bool_)
        flags[list(places)] = True
        return flags

    @property
    def alone(self) -> Flags:
        """Rows with content in their first cell only."""
        filled = self.grid.filled
        alone: Flags = filled[:, 0] & (filled.sum(axis=1) == 1)
        return alone

    def first(self, at: int) -> str:
        """The first text of a row, without the blanks around it."""
        row = self.grid.row(at)
        return next((text.strip() for text in row if text.strip()), "")

    def refuse(self, places: Sequence[int], message: str) -> None:
        """A problem for each of these rows."""
        some = (
            Problem(code="export_malformed", message=message, row=at + 1) for at in places[:MOST]
        )
        self.problems += capped(some, total=len(places))


def _sort_out(rows: _Rows, is_header: IsHeader) -> None:
    """Take out what is no record, one rule after the other."""
    rows.drop(rows.grid.filled.sum(axis=1) == 0, "row without content")
    rows.drop(np.arange(len(rows.left)) < rows.at, "title above the header")
    _subitems(rows)
    _repeated_headers(rows, is_header)
    _footer(rows)
    _total(rows)
    _groups(rows)


def _subitems(rows: _Rows) -> None:
    """What monday.com writes below an item, under a header of its own."""
    below = [pa.chunked_array([column.slice(rows.at + 1)]) for column in rows.grid.columns]
    flags = np.zeros(len(rows.left), dtype=np.bool_)
    flags[rows.at + 1 :] = groups.subitems(below)
    rows.drop(flags, "subitem")


def _repeated_headers(rows: _Rows, is_header: IsHeader) -> None:
    """The header again, with its title if it has one; another header is another table.

    monday.com repeats title and header for each group.
    """
    words = pa.array({text.strip() for text in rows.header if text.strip()}, type=pa.string())
    columns = [pc.utf8_trim_whitespace(column) for column in rows.grid.columns]
    hits = np.sum(
        [pc.is_in(column, value_set=words).to_numpy(zero_copy_only=False) for column in columns],
        axis=0,
    )
    own = tuple(text.strip() for text in rows.grid.row(rows.at))
    again, foreign = [], []
    for at in np.flatnonzero(rows.left & ((hits > 1) | _wordy(rows))).tolist():
        texts = tuple(text.strip() for text in rows.grid.row(at))
        if texts == own:
            again.append(at)
        elif 2 * hits[at] > sum(map(bool, texts)) or is_header(texts):
            foreign.append(at)
    _titles(rows, again)
    rows.drop(rows.at_rows(again), "header repeated")
    rows.refuse(foreign, "another header stands here: a second table in the same sheet")


def _wordy(rows: _Rows) -> Flags:
    """Rows of several cells and no digit, as a header of other names is."""
    texts = np.zeros(len(rows.left), dtype=np.bool_)
    for column in rows.grid.columns:
        texts |= _matches(column, r"[0-9@]")
    wordy: Flags = ~texts & (rows.grid.filled.sum(axis=1) > 1)
    return wordy


def _titles(rows: _Rows, headers: Sequence[int]) -> None:
    """Titles above repeated headers: single cells, if the first header has such a title too."""
    written = np.flatnonzero(rows.grid.filled.any(axis=1))
    alone = rows.alone
    above = {
        at: int(written[place - 1])
        for at in (rows.at, *headers)
        if (place := int(np.searchsorted(written, at)))
    }
    if alone[above.get(rows.at, rows.at)]:
        titles = [above[at] for at in headers if alone[above[at]]]
        rows.drop(rows.at_rows(titles), "title of a group")


_FOOTER_MARK: Final = re.compile(footers.MARK, re.IGNORECASE)
_TOTAL: Final = re.compile(
    r"((grand )?totals?|(gesamt)?summe|gesamt|insgesamt|total général|total general)\b"
    r"[\s:]*(\(?(?P<count>\d+)( \w+)?\)?)?",
    re.IGNORECASE,
)


def _footer(rows: _Rows) -> None:
    """The footer of a Salesforce report: single cells below an empty row, one with its mark."""
    places = np.flatnonzero(rows.left)[-footers.ROWS :][::-1].tolist()
    block = []
    for at in places:
        if rows.grid.filled[at].sum() > 1 and not _FOOTER_MARK.match(rows.first(at)):
            break
        block.append(at)
    while (
        block and rows.grid.filled[block[-1] - 1].any() and not _TOTAL.match(rows.first(block[-1]))
    ):
        block.pop()
    if any(_FOOTER_MARK.match(rows.first(at)) for at in block):
        rows.drop(rows.at_rows(block), "row of the report's footer")


def _total(rows: _Rows) -> None:
    """A last row that says no more than `Total`, or how many records there are above.

    A company may be called Total: with any other cell, such as a number to call, it is a record.
    """
    places = np.flatnonzero(rows.left)
    if places.size < 2:  # noqa: PLR2004 - a total of nothing is none
        return
    at = int(places[-1])
    word, *rest = (text.strip() for text in rows.grid.row(at) if text.strip())
    found = _TOTAL.fullmatch(word)
    counts = [*rest, *([found["count"]] if found and found["count"] else [])]
    if found and set(counts) <= {str(places.size - 1)}:
        rows.drop(rows.at_rows([at]), "row of totals")


_GROUP: Final = r"^((?:    )*)\S.* \((\d+)\)$"
_NUMBER: Final = r"^-?\d*[.,]?\d*$"


def _groups(rows: _Rows) -> None:
    """The rows that Odoo puts above each group of records: `    Name (3)`, and sums beside it.

    A sheet is grouped if the first row below its header is such a row. Then every group must have
    as many records as it says, which also proves that none is lost.
    """
    places = np.flatnonzero(rows.left)
    is_group = rows.left & _matches(rows.grid.columns[0], _GROUP)
    if not places.size or not is_group[places[0]]:
        return
    for column in rows.grid.columns[1:]:
        is_group &= _matches(column, _NUMBER)
    if is_group[places[0]]:
        groups = np.flatnonzero(is_group).tolist()
        rows.drop(is_group, "row of a group")
        wrong = [at for at, said, has in _members(rows, groups) if said != has]
        rows.refuse(wrong, "the group does not have as many records as it says")


def _members(rows: _Rows, groups: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Of each group its row, the records that it says to have, and those that it has.

    A group ends where the next one begins that is no part of it, so the ends are found backwards.
    """
    records = np.concatenate(([0], np.cumsum(rows.left)))
    later = [(-1, len(rows.left))]
    for at in reversed(groups):
        label = rows.grid.row(at)[0]
        depth = len(label) - len(label.lstrip(" "))
        while later[-1][0] > depth:
            later.pop()
        said = int(label.rpartition("(")[2][:-1])
        yield at, said, int(records[later[-1][1]] - records[at])
        later.append((depth, at))


def _matches(column: pa.Array, pattern: str) -> Flags:
    found: Flags = pc.match_substring_regex(column, pattern).to_numpy(zero_copy_only=False)
    return found


# ---------------------------------------------------------------------------- what is wrong


def _lost(grid: _Grid, rows: _Rows, header: Sequence[str]) -> Iterator[Problem]:
    """Values that are not what a person sees in their cell."""
    below = [(row, column) for row, column in grid.inexact if rows.left[row]]
    yield from lost_digits([(row + 1, header[column]) for row, column in below])
    yield from _uncalculated(grid, rows, header)
    yield from _merged(grid, rows)


def _uncalculated(grid: _Grid, rows: _Rows, header: Sequence[str]) -> Iterator[Problem]:
    """Formulas that nobody has calculated: programs write them, and only Excel works them out."""
    if not grid.look.formulas:
        return
    found_rows, found_columns = _places(grid.look.formulas)
    places = [
        (row, column)
        for row, column in zip((found_rows - 1).tolist(), (found_columns - 1).tolist(), strict=True)
        if row >= len(rows.left) or column >= len(header) or not grid.filled[row, column]
    ]
    message = "the cell has a formula without its result; open the file in Excel and save it"
    some = (
        Problem(
            code="export_malformed",
            message=message,
            row=row + 1,
            column=header[column] if column < len(header) else "",
        )
        for row, column in places[:MOST]
    )
    yield from capped(some, total=len(places))


def _merged(grid: _Grid, rows: _Rows) -> Iterator[Problem]:
    """Merged cells that give several headers or records one value, which only the first has."""
    wrong = [
        top
        for (top, left), (bottom, right) in sorted(grid.merged)
        if (top <= rows.at <= bottom and right > left) or rows.left[top : bottom + 1].sum() > 1
    ]
    message = "cells are merged here: their one value would be read for the first of them only"
    some = (Problem(code="export_malformed", message=message, row=top + 1) for top in wrong[:MOST])
    yield from capped(some, total=len(wrong))


def _without_records(rows: _Rows) -> tuple[Problem, ...]:
    if rows.left.any():
        return ()
    message = "it has a header and no records (0 rows)"
    return (Problem(code="export_empty", message=message, row=rows.at + 1),)
