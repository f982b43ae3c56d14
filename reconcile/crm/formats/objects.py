"""JSON: a list of objects, such a list in an envelope, or one object on each line (NDJSON).

Numbers are the digits that stand in the file, never floats. What is nested is flattened: `{"a":
{"b": 1}}` is the column `a.b`. Headers are those paths without the containers that CRMs put around
a contact's own properties (`properties.email` of HubSpot is `email`); any other container stays in
the header, as `owner.email` and `company.name` are not the contact's. Of two paths with one short
name the one less nested keeps it, the others keep their whole path. Where name and number stand in
the record itself, a `contact` inside of it is another one and keeps its path. Where they stand in
it, what stands beside it is not the contact's (`outer.deleted`); with an id of its own that is a
list of other things, such as tickets, and refused.

A list of texts is one cell, joined by `; `. So is a list like `[{"value": …, "label": "work"}]`:
its values, those labelled as fax in a column of their own.

A row is the line that an object begins on; where two objects begin on one line, the number of the
object in the list (the first is 1).

An answer of an API is only believed if it is the whole: with an error in it, or with a sign of
further pages, it is refused. So is what RFC 8259 leaves open: keys that stand twice in one object.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from reconcile.crm.formats.cells import EXACT, check_records, columns_of, searchable
from reconcile.crm.formats.decoding import beginning, decode
from reconcile.crm.formats.limits import CELL_LIMIT
from reconcile.crm.formats.table import Table
from reconcile.crm.problems import MOST, capped, rejected
from reconcile.errors import ExportRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconcile.crm.formats.table import IsHeader

ENVELOPES: Final = ("value", "data", "results", "records", "items", "contacts", "list")
DEPTH_LIMIT: Final = 16
"""Containers around a value; HubSpot and Dynamics need five."""
NUMBER_LIMIT: Final = 64
"""Characters of a number, and of what it is written out to."""
_WRAPPERS: Final = frozenset(
    "properties fields attributes values columns record contact person data node item".split()
)
"""Containers of a contact's own properties."""
_ENTITIES: Final = frozenset("record contact person data node item".split())
"""Of these, what is a whole contact: what stands beside it is another thing's, such as a deal's."""
_VALUES: Final = (
    "value number phonenumber emailaddress email phone address name displayname".split()
)
"""What the value of a list's entry is called; the first that an entry has."""
_LABELS: Final = frozenset("label type types kind".split())
_MORE: Final = frozenset(
    "next nextlink odatanextlink nextcursor nextpage nextpagetoken nextpageurl nexturl"
    " nextrecordsurl nextstart nextoffset hasmore hasnext hasnextpage morerecords"
    " moreitemsincollection".split()
)
_EARLIER: Final = frozenset("previous prev previouspage prevpage previouslink prevlink".split())
_TOTALS: Final = frozenset("total totalsize totalcount totalrecords odatacount count".split())
_PAGES: Final = frozenset("pages totalpages pagecount lastpage numpages numberofpages".split())
_PLACES: Final = frozenset("page currentpage pagenumber startindex".split())
_SKIPPED: Final = frozenset("offset skip start".split())
_HALF: Final = frozenset("truncated incomplete partial".split())
_ERRORS: Final = frozenset("error errors errorcode".split())
_ERROR_WORDS: Final = _ERRORS | frozenset(
    "message status statuscode code detail details title type category correlationid fields"
    " timestamp path success errordescription requestid".split()
)
"""All that an error consists of; a contact has other keys."""
_NOTHING: Final = frozenset(("", "0", "false", "null", "none"))
_BEGIN: Final = re.compile(r'\{\s*(["}]|\Z)|\[\s*([\[{"\]0-9-]|\Z)')
_SPACE: Final = re.compile(r"[ \t\n]*")
_REAL: Final = re.compile(r"(-?[0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_OUTER: Final = "outer"
"""Goes before the headers of what is not the contact's."""
_CLOSING: Final = {"[": "]", "{": "}"}


class _Number(str):
    """A number, as its digits stand in the file."""

    __slots__ = ()


class _Doubled(dict[str, Any]):
    """An object in which a key stands twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(found)


def _constant(name: str) -> Any:  # noqa: ANN401 - what the decoder's hook is declared as
    message = f"{name} is no value of JSON"
    raise ValueError(message)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_constant
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The objects of a file and the line that each begins on."""

    format: str
    lines: list[int]
    objects: list[Any]
    blanks: int = 0
    problems: tuple[Problem, ...] = ()


class _Cell(NamedTuple):
    """The text at one path of an object, or what is wrong there."""

    path: str
    text: str = ""
    wrong: str = ""


def recognises(content: bytes) -> bool:
    """Whether it begins with an object or a list; a CSV may begin with `[Name]`."""
    return bool(_BEGIN.match(beginning(content)))


def read(content: bytes, *, is_header: IsHeader) -> Table:
    """The table of the objects. Raises ExportRejected if it is no list of objects, or a part.

    `is_header` tells a file of one line that is a record from one that is an answer.
    """
    text, encoding = decode(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text or text.isspace():
        raise rejected("export_empty", "it is empty (0 rows)")
    if text.lstrip(" \t\n")[:1] not in _CLOSING:
        raise rejected("export_wrong_format", "it begins with no bracket, so it is no JSON", row=1)
    found = _lines(text) if _is_lines(text) else _document(text, is_header)
    return _table(found, text=text, encoding=encoding, is_header=is_header)


# ---------------------------------------------------------------------------- the grammar


class _Scanner:
    """Goes through the outer list or object of a text, and knows where each item begins."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at

    def peek(self) -> str:
        """The next character that is no blank; "" at the end."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """The value that begins here."""
        self.peek()
        try:
            found, self.at = _DECODER.raw_decode(self.text, self.at)
        except RecursionError:
            raise self.broken(f"it is nested deeper than {DEPTH_LIMIT} levels") from None
        except json.JSONDecodeError as error:
            self.at = error.pos
            raise self.broken(error.msg.rstrip(": ")) from None
        except ValueError as error:
            raise self.broken(str(error)) from None
        return found

    def items(self) -> Iterator[int]:
        """Where each item of the list or object begins; who takes it has to go behind it."""
        closing = _CLOSING[self.peek()]
        self.at += 1
        more = self.peek() != closing
        self.at += not more
        while more:
            self.peek()
            yield self.at
            if (mark := self.peek()) not in (",", closing):
                raise self.broken("a comma or a closing bracket is missing")
            self.at += 1
            more = mark == ","

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek():
            raise self.broken("something follows behind its end")

    def broken(self, why: str) -> ExportRejected:
        """The error for what stands here; the file is cut off if its last bracket is missing."""
        text = self.text.strip()
        open_at_end = not self.text[self.at :].strip() or why.startswith("Unterminated")
        cut = open_at_end or not text.endswith(_CLOSING.get(text[0], "]"))
        code = "export_truncated" if cut else "export_malformed"
        begin = self.text.rfind("\n", 0, self.at) + 1
        what = "it ends in the middle" if cut else "it is no JSON"
        message = f"{what} (character {self.at - begin + 1}: {why})"
        return rejected(code, message, row=self.text.count("\n", 0, self.at) + 1)


# ---------------------------------------------------------------------------- NDJSON


def _is_lines(text: str) -> bool:
    """Whether the first line is a whole object, and not the only line."""
    first, _, rest = text.lstrip(" \t\n").partition("\n")
    if not first.startswith("{") or not rest or rest.isspace():
        return False
    scanner = _Scanner(first)
    try:
        scanner.value()
        scanner.end()
    except ExportRejected:
        return False
    return True


def _lines(text: str) -> _Found:
    """An object on each line; the last line has its end, as nothing else shows that it is whole."""
    *whole, rest = text.split("\n")
    lines: list[int] = []
    objects: list[Any] = []
    problems: list[Problem] = []
    written = [(row, line) for row, line in enumerate(whole, 1) if line.strip()]
    for row, line in written:
        scanner = _Scanner(line)
        try:
            value = scanner.value()
            scanner.end()
        except ExportRejected as error:
            problems.append(_problem(f"the line is no object: {error.message}", row))
        else:
            objects.append(value)
            lines.append(row)
    listed = capped(problems[:MOST], total=len(problems))
    return _Found(
        format="ndjson",
        lines=lines,
        objects=objects,
        blanks=len(whole) - len(written),
        problems=(*_cut_off(rest, len(whole) + 1), *listed),
    )


def _cut_off(rest: str, row: int) -> tuple[Problem, ...]:
    if not rest.strip():
        return ()
    message = (
        "the file ends in the middle of a line: it is cut off, or the program that writes it"
        " leaves out the last line end"
    )
    return (Problem(code="export_truncated", message=message, row=row),)


# ---------------------------------------------------------------------------- one document


def _document(text: str, is_header: IsHeader) -> _Found:
    """The list that the text is, or the only list of objects in the object that it is."""
    scanner = _Scanner(text)
    if scanner.peek() == "[":
        offsets, objects = _elements(scanner)
        scanner.end()
        return _Found(format="json", lines=_line_numbers(text, offsets), objects=objects)
    members: dict[str, Any] = {}
    offsets_of: dict[str, list[int]] = {}
    for _ in scanner.items():
        key = _key(scanner)
        if key in members:
            raise scanner.broken("a key stands twice in the outer object")
        if scanner.peek() == "[":
            offsets_of[key], members[key] = _elements(scanner)
        else:
            members[key] = scanner.value()
    scanner.end()
    return _from_members(text, members, offsets_of, is_header)


def _key(scanner: _Scanner) -> str:
    if scanner.peek() != '"':
        raise scanner.broken("a key is missing")
    key = str(scanner.value())
    if scanner.peek() != ":":
        raise scanner.broken("a colon is missing")
    scanner.at += 1
    return key


def _elements(scanner: _Scanner) -> tuple[list[int], list[Any]]:
    """Where each value of a list begins, and the values."""
    offsets, values = [], []
    for at in scanner.items():
        offsets.append(at)
        values.append(scanner.value())
    return offsets, values


def _line_numbers(text: str, offsets: Iterable[int]) -> list[int]:
    lines, line, before = [], 1, 0
    for at in offsets:
        line += text.count("\n", before, at)
        before = at
        lines.append(line)
    return lines


def _from_members(
    text: str,
    members: dict[str, Any],
    offsets: Mapping[str, list[int]],
    is_header: IsHeader,
) -> _Found:
    _refuse_error(members)
    lists = [
        key
        for key in offsets
        if any(isinstance(value, dict) for value in members[key])
        or (key.casefold() in ENVELOPES and not members[key])
    ]
    if len(lists) == 1 and lists[0].casefold() in ENVELOPES:
        (name,) = lists
        _refuse_part({k: v for k, v in members.items() if k != name}, len(members[name]))
        lines = _line_numbers(text, offsets[name])
        return _Found(format=f"json; list in `{name}`", lines=lines, objects=members[name])
    if is_header(tuple(_headers((c.path for c in _flat(members, "", 0)), is_header).values())):
        return _alone(text, members)
    raise _no_list(members, lists)


def _alone(text: str, record: dict[str, Any]) -> _Found:
    """One record that is a file of one line."""
    row = _line_numbers(text, [len(text) - len(text.lstrip())])[0]
    if "\n" in text.strip():
        message = "it is one object over several lines, where a list of objects is expected"
        raise rejected("export_wrong_format", message, row=row)
    problems = () if text.rstrip(" \t").endswith("\n") else _cut_off(text, row)
    blanks = text.count("\n") - 1 + len(problems)
    return _Found(format="ndjson", lines=[row], objects=[record], blanks=blanks, problems=problems)


def _no_list(members: Mapping[str, Any], lists: Sequence[str]) -> ExportRejected:
    known = ", ".join(ENVELOPES)
    if not lists and _said(members, {"message"}):
        return rejected("export_wrong_format", "it is a message of an API, and no export", row=1)
    there = ", ".join(f"`{name[:40]}`" for name in lists[:MOST])
    has = f"these lists of objects: {there}" if lists else "no list of objects"
    message = f"at its top it has {has}; it needs exactly one, called one of: {known}"
    return rejected("export_wrong_format", message, row=1)


# ---------------------------------------------------------------------------- answers of an API


def _plain(key: str) -> str:
    return "".join(c for c in key.casefold() if c.isalnum())


def _said(members: Mapping[str, Any], keys: Iterable[str]) -> bool:
    """Whether one of the keys is there and not empty, zero, false or null."""
    return any(_plain(key) in keys and _is_something(value) for key, value in members.items())


def _is_something(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() not in _NOTHING
    return bool(value)


def _refuse_error(members: Mapping[str, Any]) -> None:
    failed = any(_plain(k) == "success" and v is False for k, v in members.items())
    if failed or _said(members, _ERRORS):
        raise rejected("export_wrong_format", "it says that an error happened", row=1)


def _refuse_part(members: Mapping[str, Any], count: int) -> None:
    """What stands beside the list may say that it is one page of several."""
    for path, value in _leaves(members, ""):
        if _says_more(_plain(path.rpartition(">")[2]), value, count):
            where = path.replace(">", ".")
            message = f"it is one page of several: `{where}` says that there are more records"
            hint = "let the job that fetches it follow the pages, and write all of them to one list"
            raise rejected("export_truncated", message, row=1, hint=hint)


def _says_more(name: str, value: object, count: int) -> bool:
    """Whether something beside a list of `count` records says that they are not all."""
    if name in _MORE or name in _EARLIER or name in _HALF:
        return _is_something(value)
    if name == "done":
        return value is False
    most = {_TOTALS: count, _PAGES: 1, _PLACES: 1, _SKIPPED: 0}
    limit = next((limit for names, limit in most.items() if name in names), None)
    number = str(value) if isinstance(value, str) else ""
    is_number = number.isdecimal() and len(number) <= NUMBER_LIMIT
    return limit is not None and is_number and int(number) > limit


def _leaves(members: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Everything beside the list with its path, containers that are not empty included."""
    for key, value in members.items():
        here = f"{path}>{key}" if path else key
        yield here, value
        if here.count(">") > DEPTH_LIMIT:
            message = f"beside its list it is nested deeper than {DEPTH_LIMIT} levels"
            raise rejected("export_malformed", message, row=1)
        if isinstance(value, dict):
            yield from _leaves(value, here)


def _is_error(found: Mapping[str, Any]) -> bool:
    """Whether an object is an error that stands in place of a record: the export broke there."""
    keys = set(map(_plain, found))
    return keys <= _ERROR_WORDS and _said(found, _ERRORS | {"message"})


# ---------------------------------------------------------------------------- objects → cells


def _flat(found: Mapping[str, Any], path: str, depth: int) -> Iterator[_Cell]:
    """The cells of an object, everything inside it included."""
    if isinstance(found, _Doubled):
        yield _Cell(path, wrong="a key stands twice in one object")
    if depth > DEPTH_LIMIT:
        yield _Cell(path, wrong=f"it is nested deeper than {DEPTH_LIMIT} levels")
        return
    for key, value in found.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _flat(value, where, depth + 1)
        elif isinstance(value, list):
            yield from _listed(value, where, depth + 1)
        else:
            yield _written(value, where)


def _listed(values: Sequence[Any], path: str, depth: int) -> Iterator[_Cell]:
    """A list as one cell; entries that are labelled as fax in another."""
    cells = [(_is_fax(value), _entry(value, path, depth)) for value in values]
    for fax, name in ((False, path), (True, f"{path} fax")):
        mine = [cell for is_fax, cell in cells if is_fax == fax]
        yield from (cell for cell in mine if cell.wrong)
        if mine or not fax:
            yield _checked(name, "; ".join(cell.text for cell in mine if cell.text.strip()))


def _is_fax(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    return any(_plain(k) in _LABELS and "fax" in str(v).casefold() for k, v in entry.items())


def _entry(value: Any, path: str, depth: int) -> _Cell:  # noqa: ANN401 - any JSON
    """One value of a list: a text, what an object calls its value, or else its JSON."""
    if not isinstance(value, dict | list):
        return _written(value, path)
    inside = value if isinstance(value, dict) else dict(zip(map(str, range(len(value))), value))  # noqa: B905 - the range is as long as the list
    wrong = next((cell for cell in _flat(inside, path, depth) if cell.wrong), None)
    if wrong:
        return wrong
    names = {_plain(k): v for k, v in inside.items() if not isinstance(v, dict | list)}
    named = next((names[name] for name in _VALUES if name in names), None)
    if named is not None:
        return _written(named, path)
    return _checked(path, json.dumps(value, ensure_ascii=False))


def _written(value: Any, path: str) -> _Cell:  # noqa: ANN401 - null, true, false, number or text
    if value is None:
        return _Cell(path)
    if isinstance(value, _Number):
        return _number(value, path)
    return _checked(path, value if isinstance(value, str) else str(value).lower())


def _checked(path: str, text: str) -> _Cell:
    if len(text) > CELL_LIMIT:
        wrong = f"the value has {len(text):,} characters; the limit is {CELL_LIMIT:,}"
        return _Cell(path, wrong=wrong)
    return _Cell(path, "" if (wrong := _no_text(text)) else text, wrong)


def _no_text(text: str) -> str:
    """What JSON can write as an escape and no text can hold."""
    if "\0" in text:
        return "it holds a NUL character"
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        return "it holds one half of a character"
    return ""


def _number(text: str, path: str) -> _Cell:
    """Whole numbers without `.0` and powers of ten, as a person would type them."""
    match = _REAL.fullmatch(text)
    if len(text) > NUMBER_LIMIT or match is None or len(match[3] or "") > len("+99"):
        return _Cell(path, wrong="the number is too long to be one")
    _, fraction, exponent = match.groups()
    if not fraction and not exponent:
        return _Cell(path, str(text))
    exact = Decimal(text)
    if exact != exact.to_integral_value():
        return _Cell(path, format(exact, "f") if exponent else str(text))
    if abs(exact) >= EXACT:
        return _Cell(path, wrong="the number has lost digits: it was stored as a fraction")
    return _Cell(path, format(exact.to_integral_value(), "f").partition(".")[0])


# ---------------------------------------------------------------------------- headers


def _headers(paths: Iterable[str], is_header: IsHeader) -> dict[str, str]:
    """Path → header, in the order of the paths; the rule stands at the top of this module."""
    every = list(dict.fromkeys(paths))
    whole = _whole_contact(every, is_header)
    short = {path: _short(path, whole) for path in every}
    sharing: dict[str, list[str]] = {}
    for path, name in short.items():
        sharing.setdefault(name.casefold(), []).append(path)
    for several in sharing.values():
        least = min(path.count(".") for path in several)
        keeping = [path for path in several if path.count(".") == least]
        short |= {path: path for path in several if [path] != keeping}
    return short


def _whole_contact(paths: Sequence[str], is_header: IsHeader) -> str | None:
    """Where name and number stand together: the container, "" for the top; None if nowhere.

    Raises ExportRejected if it is a container, and the top has an id of its own.
    """
    top = [path for path in paths if "." not in path]
    if is_header(top):
        return ""
    inside: dict[str, list[str]] = {}
    for path in paths:
        container, _, rest = path.partition(".")
        if rest and container.casefold() in _ENTITIES:
            inside.setdefault(container, []).append(_unwrapped(rest))
    for container, names in inside.items():
        if is_header(names):
            _refuse_others(container, names, top)
            return container
    return None


def _refuse_others(container: str, names: Iterable[str], top: Iterable[str]) -> None:
    """A list of tickets or deals has the contact inside, and an id of its own."""
    if all("id" in map(str.casefold, some) for some in (names, top)):
        message = f"its records have an id, and so has `{container}` in them: it lists other things"
        message += " than contacts"
        hint = "let the job that fetches it ask for the contacts themselves"
        raise rejected("header_unknown", message, row=1, hint=hint)


def _short(path: str, whole: str | None) -> str:
    """A path without the containers around it; what is not the whole contact's keeps them all."""
    container, _, inside = path.partition(".")
    if whole and not inside:
        return f"{_OUTER}.{path}"
    is_entity = bool(inside) and container.casefold() in _ENTITIES
    return path if is_entity and whole not in (None, container) else _unwrapped(path)


def _unwrapped(path: str) -> str:
    parts = path.split(".")
    while len(parts) > 1 and parts[0].casefold() in _WRAPPERS and parts[1]:
        parts = parts[1:]
    return ".".join(parts)


# ---------------------------------------------------------------------------- the table


def _table(found: _Found, *, text: str, encoding: str, is_header: IsHeader) -> Table:
    rows = found.lines
    if len(set(rows)) < len(rows):
        rows = list(range(1, len(rows) + 1))
    records, kept = [], []
    wrong: list[Problem] = []
    for row, value in zip(rows, found.objects, strict=True):
        record, broken = _record(value, row)
        wrong += broken
        if any(map(str.strip, record.values())):
            records.append(record)
            kept.append(row)
    headers = _headers((path for record in records for path in record), is_header)
    wrong += [_problem(why, None, path) for path in headers if (why := _no_text(path))]
    listed = capped(wrong[:MOST], total=len(wrong))
    header = tuple(headers.values())
    cells = columns_of(records, tuple(headers))
    problems = (*found.problems, *listed)
    check_records(header, problems)
    return Table(
        format=found.format,
        encoding=encoding,
        header=header,
        header_row=1,
        text=searchable(text, records, header),
        cells=() if problems else cells,
        lines=np.array(kept, dtype=np.int64),
        ignored=_ignored(found, len(kept)),
        problems=problems,
    )


def _record(value: object, row: int) -> tuple[dict[str, str], list[Problem]]:
    """Path → text of one object, and what is wrong with it."""
    if not isinstance(value, dict):
        return {}, [_problem("it is no object, where a record is expected", row)]
    if _is_error(value):
        message = "an error stands in place of a record: the export broke off there"
        return {}, [_problem(message, row, code="export_wrong_format")]
    cells = list(_flat(value, "", 0))
    problems = [_problem(cell.wrong, row, cell.path) for cell in cells if cell.wrong]
    if not problems:
        counts = Counter(cell.path for cell in cells)
        message = "its path stands twice in one object"
        problems = [_problem(message, row, path) for path, n in counts.items() if n > 1]
    return {cell.path: cell.text for cell in cells if cell.path or not cell.wrong}, problems


def _problem(
    message: str, row: int | None, column: str = "", *, code: str = "export_malformed"
) -> Problem:
    shown = column.encode("ascii", "backslashreplace").decode() if _no_text(column) else column
    return Problem(code=code, message=message, row=row, column=shown[:100])


def _ignored(found: _Found, records: int) -> dict[str, int]:
    counts = {
        "line without content": found.blanks,
        "object without content": len(found.objects) - records,
    }
    return {why: count for why, count in counts.items() if count}
