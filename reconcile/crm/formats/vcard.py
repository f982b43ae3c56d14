"""vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350): any number of cards, in any mixture of these.

Read here and not by a library. vobject 0.9.9 (Apache-2.0, December 2024), the one in wide use, is
made for 3.0: it fails on the card of an agent, reads quoted-printable only behind a switch, and
keeps `TYPE="work,fax"` and `tel:` of 4.0 as they are (its issue 29 is open). Its fork vobjectx
0.6.1 (August 2026) does the same and adds an empty card at the end. Others are
for one version, or only write.

A card is one record: `UID`, `FN`, `First Name` and `Last Name` (of N), `ORG`, `TEL 1` to `n`,
`FAX 1` to `n`, `EMAIL 1` to `n`, `Country` (of the preferred ADR that has one) and `REV`. A column
is there if a card has such a value. A row is the line of the card's BEGIN.

Cards of companies, groups and places without the name of a person are no records; nor are cards of
agents, which stand inside the card of somebody else.

All that is in a card has to be understood: a line that is no property, a text in an unknown
encoding, a card without its END refuse the export.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import numpy as np

from reconcile.crm.formats.cells import check_records, columns_of, searchable
from reconcile.crm.formats.decoding import beginning, decode
from reconcile.crm.formats.limits import CELL_LIMIT
from reconcile.crm.formats.table import Table
from reconcile.crm.problems import MOST, capped, rejected
from reconcile.errors import ExportRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconcile.crm.formats.table import IsHeader

PROPERTY_LIMIT: Final = 4 * 1024 * 1024
"""Characters of a property that is not read: a photo, a key, a note."""
_BEGIN: Final = "begin:vcard"
_END: Final = "end:vcard"
_SHORT: Final = 256
"""Characters; a line that begins or ends a card has fewer."""
_VERSIONS: Final = ("2.1", "3.0", "4.0")
_QUOTED: Final = "quoted-printable"
_PLAIN: Final = frozenset(("", "7bit", "8bit"))
_BARE: Final = dict.fromkeys((_QUOTED, "base64", "7bit", "8bit"), "encoding")
"""What 2.1 writes without the name of its parameter; all else is a type."""
_ORDER: Final = "UID,FN,First Name,Last Name,ORG,TEL,FAX,EMAIL,Country,REV".split(",")
_READ: Final = frozenset(("UID", "FN", "REV", "N", "ORG", "TEL", "EMAIL", "ADR"))
_COMPOUND: Final = frozenset(("N", "ORG", "ADR"))
"""Properties whose parts stand between semicolons."""
_LISTED: Final = frozenset(("N", "ADR"))
"""Properties whose parts are lists with commas."""
_COUNTRY: Final = 6
"""The country's place among the parts of ADR."""
_AGENT: Final = re.compile(r"(?:[\w-]+\.)?agent[^:]*:\s*(begin:vcard)?\s*", re.IGNORECASE)
_VERSION: Final = re.compile(r"\s*version[^:]{0,99}:\s*(\S{0,99})\s*", re.IGNORECASE)
_PROPERTY: Final = re.compile(
    r"(?:(?P<group>[\w-]++)\.)?(?P<name>[\w/-]++)"
    r'(?P<parameters>(?:;(?:[^":;]|"[^"]*+")*+)*+):(?P<value>.*+)',
    re.ASCII | re.DOTALL,
)
_PARAMETER: Final = re.compile(r';((?:[^":;]|"[^"]*+")*+)')
_SWALLOWED: Final = re.compile(
    r"\s*(?:[\w-]+\.)?(?:UID|FN|REV|N|ORG|TEL|EMAIL|ADR|VERSION)[;:]", re.IGNORECASE
)
_PART: Final = {
    mark: re.compile(rf"((?:[^\\{mark}]|\\.|\\\Z)*+)(?:{mark}|\Z)", re.DOTALL) for mark in ";,"
}
_NO_OCTET: Final = re.compile("=(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_CHARSET: Final = re.compile(
    r"ascii|utf-8|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+"
)
"""Encodings of text; Python knows others, which are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    """The lines of one card with their rows, without its BEGIN and END."""

    row: int
    lines: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Property:
    """One property of a card."""

    row: int
    group: str
    name: str
    parameters: tuple[tuple[str, str], ...]
    parts: tuple[str, ...]
    """Its text; of N, ORG and ADR what stands between the semicolons."""
    changed: bool
    """Whether the file has it in another form than as this text."""

    @property
    def text(self) -> str:
        """All of it."""
        return ";".join(self.parts)

    def types(self) -> tuple[str, ...]:
        """The values of TYPE, however they are written."""
        return tuple(kind for name, kind in self.parameters if name == "type")

    def preference(self) -> int:
        """1 is preferred most, as in 4.0; 101 is not preferred."""
        if not self.parameters:
            return 101
        wanted = dict(self.parameters).get("pref", "")
        if re.fullmatch("[0-9]{1,3}", wanted):
            return int(wanted)
        return 1 if any("pref" in kind for kind in self.types()) else 101


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What one card says."""

    row: int
    version: str
    record: dict[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    """Its properties that the file has in another form, for the veto."""
    ignored: str = ""
    """Why it is no record."""
    problems: tuple[Problem, ...] = ()


class _Wrong(Exception):
    """What keeps one line from being understood."""

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


def recognises(content: bytes) -> bool:
    """Whether it begins with a card."""
    return beginning(content)[: len(_BEGIN)].casefold() == _BEGIN


def read(content: bytes, *, is_header: IsHeader) -> Table:
    """The table of the cards; its own problems stand in it."""
    del is_header  # the properties say what they are
    text, encoding = decode(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text or text.isspace():
        raise rejected("export_empty", "it is empty (0 rows)")
    cards, agents, problems = _cards(text)
    contents = [_content(card, encoding) for card in cards]
    problems += chain.from_iterable(content.problems for content in contents)
    ignored = Counter({"card of an agent inside another card": agents})
    ignored.update(content.ignored for content in contents)
    kept = [content for content in contents if not content.ignored]
    records = [content.record for content in kept]
    header = _header(records)
    cells = columns_of(records, header)
    cut = [problem for problem in problems if problem.code == "export_truncated"]
    malformed = sorted((p for p in problems if p not in cut), key=lambda p: p.row or 0)
    listed = (*cut, *capped(malformed[:MOST], total=len(malformed)))
    check_records(header, listed)
    versions = sorted({content.version for content in contents})
    others = "".join(f"{value}\n" for content in contents for value in content.texts)
    return Table(
        format=f"vcard; version {', '.join(versions)}",
        encoding=encoding,
        header=header,
        header_row=1,
        text=searchable(text + others, records, header),
        cells=() if listed else cells,
        lines=np.array([content.row for content in kept], dtype=np.int64),
        ignored={why: count for why, count in ignored.items() if why and count},
        problems=listed,
    )


def _header(records: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """The columns in which a record has a value, those of one kind side by side."""
    used = {name for record in records for name in record}
    return tuple(sorted(used, key=_place))


def _place(column: str) -> tuple[int, int]:
    name, _, number = column.rpartition(" ")
    return (_ORDER.index(name), int(number)) if number.isdecimal() else (_ORDER.index(column), 0)


# ---------------------------------------------------------------------------- cards


def _cards(text: str) -> tuple[list[_Card], int, list[Problem]]:
    """The cards, how many stand inside others, and lines that are in none."""
    cards: list[_Card] = []
    problems: list[Problem] = []
    open_cards: list[_Card] = []  # an agent's card stands in the one before it
    agents = 0
    for row, line in enumerate(text.split("\n"), 1):
        word = line.strip().casefold() if len(line) < _SHORT else ""
        agent = _AGENT.fullmatch(line) if open_cards and "agent" in word else None
        if word == _BEGIN and open_cards and not _awaits_agent(open_cards[-1]):
            problems.append(_problem("the card has no END", open_cards[0].row))
            open_cards = [_Card(row=row)]
        elif word == _BEGIN or (agent and agent[1]):
            agents += bool(open_cards)
            open_cards.append(_Card(row=row))
        elif word == _END and open_cards:
            card = open_cards.pop()
            cards += [] if open_cards else [card]
        elif open_cards:
            open_cards[-1].lines.append((row, line))
        elif word or line.strip():
            problems.append(_problem("the line stands in no card", row))
    if open_cards:
        problems.insert(0, _cut_off("in the middle of a card", open_cards[0].row))
    elif not text.endswith("\n"):
        problems.insert(0, _cut_off("without the line end behind a card", text.count("\n") + 1))
    return cards, agents, problems


def _awaits_agent(card: _Card) -> bool:
    """Whether the last line says that an agent's card follows."""
    before = next((line for _, line in reversed(card.lines) if line.strip()), "")
    return bool(_AGENT.fullmatch(before[:_SHORT]))


def _cut_off(where: str, row: int) -> Problem:
    message = (
        f"the file ends {where}: it is cut off, or the program that writes it leaves out the end"
    )
    return Problem(code="export_truncated", message=message, row=row)


def _problem(message: str, row: int, column: str = "") -> Problem:
    return Problem(code="export_malformed", message=message, row=row, column=column)


# ---------------------------------------------------------------------------- one card


def _content(card: _Card, encoding: str) -> _Content:
    """What one card says, or what is wrong with it."""
    version = next((m[1] for _, line in card.lines if (m := _VERSION.fullmatch(line))), "")
    if version not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        wrong = _problem(f"the card's version is none of {known}", card.row)
        return _Content(row=card.row, version=version[:8], problems=(wrong,))
    properties: list[_Property] = []
    problems: list[Problem] = []
    for row, lines in _unfolded(card, version):
        try:
            properties.append(_property(row, lines, version, encoding))
        except _Wrong as error:
            problems.append(_problem(str(error), row, error.column))
    again = [p for p in properties if p.name == "UID"][1:]
    problems += [_problem("the card has a second UID", p.row, "UID") for p in again]
    record = _record(properties)
    return _Content(
        row=card.row,
        version=version,
        record=record,
        texts=tuple(p.text for p in properties if p.changed),
        ignored=_no_person(properties, record),
        problems=tuple(problems),
    )


def _unfolded(card: _Card, version: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of each property, and the row of the first.

    A blank at the beginning of a line continues the one before it; 2.1 keeps that blank as part of
    the text. A quoted-printable text continues behind a `=` at the end.
    """
    begin, lines, quoted = 0, list[str](), False
    for row, line in card.lines:
        soft = quoted and lines[-1].endswith("=")
        if soft or (lines and line.startswith((" ", "\t"))):
            lines.append(line if version == "2.1" or not line.startswith((" ", "\t")) else line[1:])
            continue
        if lines:
            yield begin, lines
        begin, lines = row, [line] if line.strip() else []
        quoted = _QUOTED in line.partition(":")[0].casefold()
    if lines:
        yield begin, lines


def _property(row: int, lines: Sequence[str], version: str, encoding: str) -> _Property:
    """One property, its text decoded. Raises _Wrong."""
    match = _PROPERTY.fullmatch(lines[0] if len(lines) == 1 else _in_one(lines))
    if match is None:
        message = "the line is no property: damaged, or written over several lines without blanks"
        raise _Wrong(message)
    name, value = match["name"].upper(), match["value"]
    parameters = tuple(map(_parameter, _PARAMETER.findall(match["parameters"])))
    limit = CELL_LIMIT if name in _READ else PROPERTY_LIMIT
    if len(value) > limit:
        raise _Wrong(f"it has {len(value):,} characters; the limit is {limit:,}", name)
    given = dict(parameters)
    parts = _split(value, ";") if name in _COMPOUND else [value]
    try:
        texts = [_decoded(part, name, given, encoding) for part in parts]
    except _Wrong as error:
        raise _Wrong(str(error), name) from None
    return _Property(
        row=row,
        group=(match["group"] or "").casefold(),
        name=name,
        parameters=parameters,
        parts=tuple(_unescaped(text, version, listed=name in _LISTED) for text in texts),
        changed=len(lines) > 1 or texts != parts or "\\" in value,
    )


def _in_one(lines: Sequence[str]) -> str:
    """The lines of a property without its soft line breaks."""
    head = lines[0].partition(":")[0].casefold()
    if _QUOTED not in head:
        return "".join(lines)
    *broken, last = lines
    if any(map(_SWALLOWED.match, lines[1:])):
        message = "a property follows on the `=` at the end of a line: a line is lost"
        raise _Wrong(message)
    return "".join(line.removesuffix("=") for line in broken) + last


def _parameter(text: str) -> tuple[str, str]:
    """Name and value in small letters; 2.1 leaves the name out."""
    name, found, value = text.strip().casefold().partition("=")
    if not found:
        return _BARE.get(name, "type"), name
    return name.strip(), value.strip().replace('"', "")


# ---------------------------------------------------------------------------- text


def _decoded(raw: str, name: str, parameters: Mapping[str, str], encoding: str) -> str:
    """A value as text. Raises _Wrong if nothing says how it is to be read."""
    how, charset = parameters.get("encoding", ""), parameters.get("charset", "")
    if not how and not charset:
        return raw
    codec = _codec(charset) if charset else ""
    if how == _QUOTED:
        text = _characters(_octets(raw), codec)
    elif name in _READ and how not in _PLAIN:
        message = "its ENCODING is not known"
        raise _Wrong(message)
    elif codec in ("", "utf-8") and encoding.startswith("utf"):
        text = raw
    elif codec and not raw.isascii():
        if encoding.startswith("utf"):
            message = f"its CHARSET is {charset}, and the file is {encoding}"
            raise _Wrong(message)
        text = _characters(raw.encode(encoding), codec)
    else:
        text = raw
    if "\0" in text:
        message = "it holds a NUL character"
        raise _Wrong(message)
    return text


def _codec(charset: str) -> str:
    try:
        codec = codecs.lookup(charset).name
    except (LookupError, ValueError):
        codec = ""
    if not _CHARSET.fullmatch(codec):
        message = "its CHARSET is not known"
        raise _Wrong(message)
    return codec


def _octets(raw: str) -> bytes:
    if not raw.isascii() or _NO_OCTET.search(raw):
        message = "it is no quoted-printable text: damaged, or cut off"
        raise _Wrong(message)
    return binascii.a2b_qp(raw.encode("ascii"))


def _characters(octets: bytes, codec: str) -> str:
    """By its CHARSET; without one by the rule for whole files."""
    try:
        return octets.decode(codec) if codec else decode(octets)[0]
    except (UnicodeDecodeError, ExportRejected):
        message = f"its bytes are not {codec or 'UTF-8 or Windows-1252'}"
        raise _Wrong(message) from None


def _unescaped(text: str, version: str, *, listed: bool) -> str:
    """Without backslashes; the parts of a list of names joined by blanks. 2.1 has no lists."""
    if "\\" not in text and not (listed and "," in text):
        return text.strip() if listed else text
    if version == "2.1":
        return re.sub(r"\\([;,:\\])", r"\1", text)
    if not listed:
        return _ESCAPE.sub(_escaped, text)
    names = (_ESCAPE.sub(_escaped, part).strip() for part in _split(text, ","))
    return " ".join(filter(None, names))


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that have no backslash before them."""
    return _PART[mark].findall(text)


def _escaped(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


# ---------------------------------------------------------------------------- the record


def _record(properties: Sequence[_Property]) -> dict[str, str]:
    """Column → text of one card, without empty values."""
    wanted = sorted(properties, key=_Property.preference)
    first = {p.name: p for p in reversed(wanted)}
    values: dict[str, str] = {
        name: first[name].text for name in ("UID", "FN", "REV") if name in first
    }
    name = (*first["N"].parts, "", "") if "N" in first else ("", "")
    organisation = first["ORG"].parts if "ORG" in first else ()
    countries = (p.parts[_COUNTRY] for p in wanted if p.name == "ADR" and len(p.parts) > _COUNTRY)
    values |= {
        "First Name": name[1],
        "Last Name": name[0],
        "ORG": next(filter(str.strip, organisation), ""),
        "Country": next(filter(str.strip, countries), ""),
    }
    for column, texts in _numbered(properties).items():
        values |= {f"{column} {number}": text for number, text in enumerate(texts, 1)}
    return {column: text for column, text in values.items() if text.strip()}


def _numbered(properties: Sequence[_Property]) -> dict[str, list[str]]:
    """Numbers, faxes and addresses in their order."""
    labels = {p.group: p.text.casefold() for p in properties if p.name == "X-ABLABEL" and p.group}
    found: dict[str, list[str]] = {"TEL": [], "FAX": [], "EMAIL": []}
    for p in properties:
        if p.name == "EMAIL":
            found["EMAIL"].append(re.sub("^mailto:", "", p.text, flags=re.IGNORECASE))
        elif p.name == "TEL":
            kinds = (*p.types(), labels.get(p.group, ""))
            found["FAX" if any("fax" in kind for kind in kinds) else "TEL"].append(_number(p.text))
    return {column: [text for text in texts if text.strip()] for column, texts in found.items()}


def _number(text: str) -> str:
    """A `tel:` of 4.0 (RFC 3966) as a person would type it."""
    scheme, found, rest = text.partition(":")
    if not found or scheme.strip().casefold() != "tel":
        return text
    number, *parameters = unquote(rest).split(";")
    extensions = (p[4:] for p in parameters if p.casefold().startswith("ext="))
    return " ext. ".join((number, *extensions))


def _no_person(properties: Iterable[_Property], record: Mapping[str, str]) -> str:
    """Why a card is no record; "" if it is one."""
    said = {p.name: p.text.strip().casefold() for p in properties}
    kind = said.get("KIND") or said.get("X-ADDRESSBOOKSERVER-KIND") or "individual"
    name, company = record.get("FN", "").casefold(), record.get("ORG", "").casefold()
    if kind not in ("individual", "org"):
        return "card of a group or place"
    if not record.keys() - {"UID", "REV"}:
        return "card without content"
    if "First Name" in record or "Last Name" in record:
        return ""
    is_company = kind == "org" or said.get("X-ABSHOWAS") == "company"
    return "card of a company" if is_company or (company and name in ("", company)) else ""
