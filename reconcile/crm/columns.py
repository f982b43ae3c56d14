"""A header row → canonical columns: by the configuration first, then by the table of synonyms.

Nothing is guessed: a header is read as what the table or the configuration says, or ignored with
the reason; if that leaves no name, or neither number nor address, the export is refused with the
lines to write into the configuration.

The configuration's `crm.columns` is canonical name → header. A header that is named there is read
as it says there, whatever the table says. Of a single column (`id`, `company`, …) it takes the
table's place; where a person may have several (`phone`, `shared_phone`, `email`, `fax`) it is added
to what the table finds, and may name several headers separated by `|`. `ignore` takes headers out.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, Literal

from reconcile.crm.synonyms import MULTIPLE, NOT_READ, PHONEBOOK, PHONEBOOK_MARKS, SINGLE
from reconcile.errors import Problem
from reconcile.model import ExportColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

IGNORE: Final = "ignore"
CANONICAL: Final = (*SINGLE, *MULTIPLE, IGNORE)
Inactive = Literal["keep", "gone"]
"""The configuration's `crm.inactive`: whether inactive and archived records count as gone."""
_NAMES: Final = frozenset({"first_name", "last_name", "full_name"})
_KEYS: Final = frozenset({"phone", "email"})
_STATES: Final = frozenset({"active", "inactive", "status"})
_KEPT: Final = 'inactive and archived records are kept: `crm.inactive = "keep"`'
_NEARLY: Final = 0.5
"""How alike two headers must be for one to be offered in place of the other, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How the columns of an export are read; `columns` has one entry per header, in its order."""

    columns: tuple[ExportColumn, ...] = ()
    problems: tuple[Problem, ...] = ()
    toml: str = ""
    """What to write under `[crm]` of the configuration to mend the problems; "" without any."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one header could be read as; of a single column the lowest rank is read."""

    name: str
    why: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Something that a line in the configuration settles."""

    message: str
    name: str = ""
    """The canonical column that it is about; "" if there is no such column."""
    like: tuple[str, ...] = ()
    """Keys that the right header might look like."""


# ---------------------------------------------------------------------------- comparing headers


def clean(header: str) -> str:
    """A header without what exports put around it: blanks, a colon, quotes."""
    text = " ".join(unicodedata.normalize("NFC", header).split())
    return text.rstrip(": ").strip("\"' ")


def normal(header: str) -> str:
    """Two headers with the same normal form are one header."""
    return clean(header).casefold()


def _key(header: str) -> str:
    """What the table is looked up by: letters, digits and dots, without accents."""
    letters = unicodedata.normalize("NFKD", normal(header))
    return "".join(c for c in letters if c.isalnum() or c == ".")


def _keys(synonyms: str) -> list[str]:
    return [_key(synonym) for synonym in synonyms.split("|")]


def _without_digits(key: str) -> str:
    return re.sub(r"\d", "", key)


_SINGLE: Final = {
    key: _Reading(name, "synonym", rank)
    for name, groups in SINGLE.items()
    for rank, group in enumerate(groups.split(">"))
    for key in _keys(group)
}
_SEVERAL: Final = [(s, _Reading(name, "synonym")) for name, s in MULTIPLE.items()]
_IGNORED: Final = [(s, _Reading("", why)) for why, s in NOT_READ.items()]
_MULTIPLE: Final = {
    _without_digits(key): reading
    for synonyms, reading in (*_SEVERAL, *_IGNORED)
    for key in _keys(synonyms)
}
_PHONEBOOK: Final = frozenset(_keys(PHONEBOOK))
_PHONEBOOK_MARKS: Final = frozenset(_keys(PHONEBOOK_MARKS))


# ---------------------------------------------------------------------------- reading a header


def assign(
    header: Sequence[str],
    mapping: Mapping[str, str],
    *,
    row: int = 1,
    inactive: Inactive = "keep",
) -> Columns:
    """How these headers are read. Never raises: what is wrong stands in `problems`."""
    headers = [clean(h) for h in header]
    wanted, doubts = _configured(headers, mapping)
    found = zip(headers, _table_readings(headers), strict=True)
    readings = [_under(inactive, wanted.get(normal(h)) or reading) for h, reading in found]
    columns = tuple(_settle(headers, readings))
    doubts += [*_two_ids(headers, readings), *_lacking(columns)]
    unknown = [Problem(code="header_unknown", message=d.message, row=row) for d in doubts]
    toml = _mend(columns, mapping, doubts) if doubts else ""
    if unknown:
        remedy = f"{unknown[-1].message}. Write in [crm] of the configuration: {toml}"
        unknown[-1] = replace(unknown[-1], message=remedy)
    problems = (*_duplicates(headers, readings, row=row), *unknown)
    return Columns(columns=columns, problems=problems, toml=toml)


def is_header(cells: Sequence[str]) -> bool:
    """Whether these cells are a header by the table alone: a name, and a number or an address.

    The headers that only the configuration knows are found in an export's first line.
    """
    names = {reading.name for reading in _table_readings([clean(cell) for cell in cells])}
    return not (names.isdisjoint(_NAMES) or names.isdisjoint(_KEYS))


def is_name(header: str) -> bool:
    """Whether a column of this header holds names, by the table alone."""
    return _by_table(clean(header), phonebook=False).name in _NAMES


def _configured(
    headers: Sequence[str], mapping: Mapping[str, str]
) -> tuple[dict[str, _Reading], list[_Doubt]]:
    """Normal form of a header → what the configuration says of it, and what it says wrongly."""
    known = {normal(h) for h in headers if h}
    wanted: dict[str, _Reading] = {}
    doubts = []
    for name, value in mapping.items():
        if name not in CANONICAL:
            listed = ", ".join(CANONICAL)
            doubts.append(_Doubt(f"`crm.columns.{name}`: no such column; there are {listed}"))
            continue
        for header in _named(name, value, known):
            what = f'`crm.columns.{name}` names "{header}", which'
            if header not in known:
                doubts.append(_Doubt(f"{what} the export does not have", name, (_key(header),)))
            elif header in wanted:
                doubts.append(_Doubt(f"{what} is named twice"))
            wanted[header] = _Reading("" if name == IGNORE else name, "config", -1)
    return wanted, doubts


def _named(name: str, value: str, known: set[str]) -> list[str]:
    """The headers that a value names: itself, or for a multiple column the parts between `|`."""
    if name in SINGLE or normal(value) in known:
        return [normal(value)]
    return [normal(part) for part in value.split("|")]


def _table_readings(headers: Sequence[str]) -> list[_Reading]:
    phonebook = not _PHONEBOOK_MARKS.isdisjoint(map(_key, headers))
    return [_by_table(header, phonebook=phonebook) for header in headers]


def _under(inactive: Inactive, reading: _Reading) -> _Reading:
    """Columns that only say who is inactive are not even read where the inactive are kept.

    So the policy shows in the columns, and a change of it is a change of how the export is read.
    """
    if inactive == "keep" and reading.name in _STATES:
        return _Reading("", _KEPT)
    return reading


def _by_table(header: str, *, phonebook: bool) -> _Reading:
    key = _key(header)
    if not key:
        return _Reading("", "it has no header")
    bare = _without_digits(key)
    if bare in _PHONEBOOK:
        why = "synonym" if phonebook else "a number only in a phonebook of 3CX"
        return _Reading("phone" if phonebook else "", why)
    return _SINGLE.get(key) or _MULTIPLE.get(bare) or _Reading("", "its header is not known")


def _settle(headers: Sequence[str], readings: Sequence[_Reading]) -> Iterable[ExportColumn]:
    """Of several headers for a single column the one of the lowest rank, then the leftmost."""
    chosen = {
        name: min((r.rank, at) for at, r in enumerate(readings) if r.name == name)[1]
        for name in {r.name for r in readings} & set(SINGLE)
    }
    for at, (header, reading) in enumerate(zip(headers, readings, strict=True)):
        winner = chosen.get(reading.name, at)
        if winner == at:
            yield ExportColumn(header=header, reads_as=reading.name, why=reading.why)
        else:
            why = f"`{headers[winner]}` is read as {reading.name}"
            yield ExportColumn(header=header, reads_as="", why=why)


# ---------------------------------------------------------------------------- what is wrong


def _duplicates(headers: Sequence[str], readings: Sequence[_Reading], *, row: int) -> list[Problem]:
    """Headers that stand there twice: the second would be read for the first, or be lost.

    Of columns that are ignored anyway there may be many; monday has any number of `Status`.
    """
    read = zip(reversed(headers), reversed(readings), strict=True)
    shown = {normal(header): header for header, reading in read if reading.name}
    counts = Counter(map(normal, headers))
    message = "{} columns have this header; rename one in the CRM, or leave it out of the export"
    return [
        Problem(code="header_duplicate", message=message.format(counts[h]), row=row, column=column)
        for h, column in shown.items()
        if counts[h] > 1
    ]


def _two_ids(headers: Sequence[str], readings: Sequence[_Reading]) -> list[_Doubt]:
    """Another table's id joins the wrong people, so which one it is isn't settled by order."""
    ids = [(reading.rank, at) for at, reading in enumerate(readings) if reading.name == "id"]
    best = [headers[at] for rank, at in ids if rank == min(ids)[0]]
    if len(best) <= 1:
        return []
    named = " and ".join(f"`{header}`" for header in best)
    return [_Doubt(f"{named} may each be the record's id", "id", (_key(best[0]),))]


def _lacking(columns: Sequence[ExportColumn]) -> list[_Doubt]:
    """What an export must have and this one has not."""
    has = {c.reads_as for c in columns}
    doubts = []
    if has.isdisjoint(_NAMES):
        keys = tuple(key for key, reading in _SINGLE.items() if reading.name in _NAMES)
        doubts.append(_Doubt("no column holds a name", "full_name", keys))
    if has.isdisjoint(_KEYS):
        what = "no column holds a person's phone number or e-mail address"
        doubts.append(_Doubt(what, "phone", tuple(_keys(MULTIPLE["phone"]))))
    return doubts


# ---------------------------------------------------------------------------- the way out


def _mend(
    columns: Sequence[ExportColumn], mapping: Mapping[str, str], doubts: Sequence[_Doubt]
) -> str:
    """The configuration's `columns`, every doubtful entry with the header most like the right one.

    What the configuration says rightly stays; `HEADER` stands where nothing is alike.
    """
    doubtful = {doubt.name for doubt in doubts}
    entries = {n: h for n, h in mapping.items() if n in CANONICAL and n not in doubtful}
    free = [c.header for c in columns if c.header and c.reads_as in ("", *doubtful)]
    entries |= {doubt.name: _nearest(doubt.like, free) for doubt in doubts if doubt.name}
    pairs = (f"{name} = {json.dumps(h, ensure_ascii=False)}" for name, h in entries.items())
    return f"columns = {{ {', '.join(pairs)} }}" if entries else "columns = {}"


def _nearest(keys: Iterable[str], headers: Sequence[str]) -> str:
    """The header most like one of the keys; `HEADER`, to be filled in, if none is."""
    alike = ((SequenceMatcher(None, key, _key(h)).ratio(), h) for key in keys for h in headers)
    ratio, header = max(alike, default=(0.0, ""))
    return header if ratio >= _NEARLY else "HEADER"
