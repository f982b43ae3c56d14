"""What came with an export and says what it is: its SHA-256, and how many records it has.

A manifest is a file beside the export (`sources.beside` says which), a trailer its last line. Both
are promises of whoever wrote the export, so what they say must hold of the bytes that were read:

    {"rows": 1234, "sha256": "…"}           an object of JSON; its keys stand in `_KEYS`
    9f86d0…  contacts.csv                   as sha256sum writes it, or the digest alone
    SHA256 (contacts.csv) = 9f86d0…         as BSD and openssl write it
    1234                                    records; lines, if the manifest is called `.lines`
    1235 contacts.csv                       lines, as `wc -l` writes it
    rows = 1234                             each of the keys on a line of its own

A number without a line end behind it may be half a number, and half a manifest is none. Nothing
that a manifest names is ever opened.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from unicodedata import normalize

from reconcile.crm import formats
from reconcile.crm.formats.decoding import decode
from reconcile.crm.sources import age_problems
from reconcile.crm.sources.beside import LINES, MARKERS, kind
from reconcile.crm.sources.nights import NIGHT
from reconcile.errors import ExportRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconcile.crm.formats import Table, Tally
    from reconcile.crm.sources import Original

Asked = Literal["auto", "required", "ignore"]
"""What `crm.manifest` may say: check what is there, refuse what has none, or look at none."""

_What = Literal["sha256", "rows", "lines", "made"]

_KEYS: Final[Mapping[str, _What]] = {
    "sha256": "sha256",
    "sha256sum": "sha256",
    "rows": "rows",
    "rowcount": "rows",
    "records": "rows",
    "recordcount": "rows",
    "count": "rows",
    "lines": "lines",
    "linecount": "lines",
    "generatedat": "made",
}
"""A key without case and marks → what its value is."""
_NAMING: Final = frozenset(("file", "filename", "name"))
_DIGEST: Final = "[0-9a-fA-F]{64}"
_SUM: Final = re.compile(rf"\\?(?P<sha256>{_DIGEST})(?:[ \t]+\*?(?P<name>\S.*))?")
_BSD: Final = re.compile(rf"SHA(?:2-)?256 ?\((?P<name>.+)\) ?= ?(?P<sha256>{_DIGEST})")
_COUNT: Final = re.compile(r"(?P<rows>\d{1,12})(?:[ \t]+(?:row|record|contact)s?)?")
_WC: Final = re.compile(r"(?P<lines>\d{1,12})[ \t]+(?P<name>\S.*)")
_PAIR: Final = re.compile(r"(?P<key>[A-Za-z][\w -]*)[:=](?P<value>.*)")
_NO_COUNT: Final = re.compile(r"0+|\d{8,}")
"""A number that a job writes when it is done: its exit code, a date, seconds since 1970."""
_STDIN: Final = "-"
_SHOWN: Final = 12
"""Digits of a digest that tell two apart for a person."""


class _Unreadable(Exception):
    """Why what a manifest says can't be made out."""


class _Entry(NamedTuple):
    what: _What
    value: str
    name: str = ""
    """The file that it is about, if that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one manifest says of one file of the export."""

    given: int
    """The place of the file among those of the export."""
    manifest: Original
    sha256: str = ""
    rows: int | None = None
    lines: int | None = None
    made: datetime | None = None
    """When the CRM made the export."""
    notes: tuple[str, ...] = ()

    @property
    def proves(self) -> frozenset[str]:
        """What it is a proof of, if it agrees; in the words of `ExportSource.manifest`."""
        counts = self.rows is not None or self.lines is not None
        return frozenset((*(["rows"] if counts else []), *(["sha256"] if self.sha256 else [])))


def statements(
    originals: Sequence[Original],
) -> tuple[tuple[Statement, ...], tuple[Problem, ...]]:
    """What all manifests say, and those that can't be read or speak of another file."""
    said: list[Statement] = []
    problems: list[Problem] = []
    for given, original in enumerate(originals):
        problems += original.unread
        for manifest in original.manifests:
            try:
                said.append(_statement(manifest, original.name, given))
            except _Unreadable as error:
                problems.append(_mismatch(manifest.name, str(error)))
    return tuple(said), tuple(problems)


def _mismatch(file: str, message: str, *, row: int | None = None) -> Problem:
    return Problem(code="manifest_mismatch", message=message, file=file, row=row)


# ---------------------------------------------------------------------------- reading one


def _statement(manifest: Original, name: str, given: int) -> Statement:
    """What a manifest says of the file of this name. Raises _Unreadable."""
    marker = manifest.name.casefold().endswith(MARKERS)
    text = _text(manifest.content)
    if not text.strip() and not marker:
        raise _Unreadable("it is empty: it is half written, or the job that writes it failed")
    entries = _of_json(text) if text.lstrip().startswith("{") else _of_lines(text, marker=marker)
    if not marker and all(entry.what == "made" for entry in entries):
        raise _Unreadable("it states neither a number of records nor a sha256")
    if manifest.name.casefold().endswith(LINES):
        entries = [e._replace(what="lines") if e.what == "rows" else e for e in entries]
    ours = _about(name, entries, manifest.name, marker=marker)
    said = _only(ours, "made")
    made = _time(said)
    unused = f"{manifest.name}: its generated_at is no ISO time with a zone, and not used"
    return Statement(
        given=given,
        manifest=manifest,
        sha256=_only(ours, "sha256"),
        rows=_number(_only(ours, "rows")),
        lines=_number(_only(ours, "lines")),
        made=made,
        notes=(unused,) if said and made is None else (),
    )


def _text(content: bytes) -> str:
    try:
        return decode(content)[0]
    except ExportRejected as error:
        raise _Unreadable("it is no text") from error


def _of_json(text: str) -> list[_Entry]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("it is no whole JSON: it is half written or damaged") from error
    keyed = [(_key(key), value) for key, value in document.items()]
    pairs = [(_KEYS[key], value) for key, value in keyed if key in _KEYS]
    names = [str(value) for key, value in keyed if key in _NAMING]
    return [_entry(what, value, name=names[0] if names else "") for what, value in pairs]


def _key(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).casefold()


def _entry(what: _What, value: object, *, name: str = "") -> _Entry:
    """One pair, whose value is what its key promises. Raises _Unreadable."""
    said = "" if isinstance(value, bool) else str(value)
    if not re.fullmatch({"sha256": _DIGEST, "made": r"(?s).*"}.get(what, r"\d{1,12}"), said):
        expected = "no sha256 (64 hexadecimal digits)" if what == "sha256" else "no whole number"
        raise _Unreadable(f"its `{what}` is {expected}")
    return _Entry(what, said.lower() if what == "sha256" else said, name)


def _of_lines(text: str, *, marker: bool) -> list[_Entry]:
    """What the lines say. A marker may say other things as well. Raises _Unreadable."""
    entries: list[_Entry] = []
    names: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if marker and _NO_COUNT.fullmatch(line):
            continue
        if (found := _of_line(line)) is not None:
            entries.append(found)
        elif pair := _PAIR.fullmatch(line):
            names += [pair["value"].strip()] if _key(pair["key"]) in _NAMING else []
        elif not marker:
            raise _Unreadable("what it says is no manifest: half written, or in another form")
    if not text.endswith(("\n", "\r")) and any(e.what in {"rows", "lines"} for e in entries):
        raise _Unreadable("its number has no line end behind it, so it may be half a number")
    return [e._replace(name=e.name or names[0]) for e in entries] if names else entries


def _of_line(line: str) -> _Entry | None:
    if found := _SUM.fullmatch(line) or _BSD.fullmatch(line):
        name = found["name"] or ""
        if line.startswith("\\"):
            name = name.replace("\\\\", "\\")
        return _entry("sha256", found["sha256"], name="" if name == _STDIN else name)
    if found := _COUNT.fullmatch(line):
        return _entry("rows", found["rows"])
    if found := _WC.fullmatch(line):
        return _entry("lines", found["lines"], name=found["name"])
    if (found := _PAIR.fullmatch(line)) and (what := _KEYS.get(_key(found["key"]))):
        return _entry(what, found["value"].strip())
    return None


def _about(name: str, entries: Sequence[_Entry], manifest: str, *, marker: bool) -> list[_Entry]:
    """Those that are about the file of this name. Raises _Unreadable if all name others.

    The list of a folder, a manifest that is called as several exports could be, and a marker need
    not name it.
    """
    how = kind(manifest, name)
    if how == "folder" and any(not entry.name for entry in entries):
        raise _Unreadable("a line of it names no file: it is half written, or in another form")
    for same in (_is_name, _ends_in_name):
        if ours := [e for e in entries if not e.name or same(e.name, name)]:
            return ours
    if entries and how == "own" and not marker:
        raise _Unreadable(f"it is of another file, {entries[0].name[:80]!r}")
    return []


def _is_name(named: str, name: str) -> bool:
    return normalize("NFC", named.removeprefix("./")) == normalize("NFC", name)


def _ends_in_name(named: str, name: str) -> bool:
    # This takes / and \ for the end of a folder's name.
    return _is_name(PureWindowsPath(named).name, name)


def _only(entries: Iterable[_Entry], what: _What) -> str:
    """The one value of this kind, or "". Raises _Unreadable if there are several."""
    values = {entry.value for entry in entries if entry.what == what}
    if len(values) > 1:
        raise _Unreadable(f"it states {len(values)} different values of `{what}`")
    return next(iter(values), "")


def _number(value: str) -> int | None:
    return int(value) if value else None


def _time(value: str) -> datetime | None:
    """A time with its zone; anything else is evidence of nothing."""
    try:
        made = datetime.fromisoformat(value)
        return made.astimezone(UTC) if made.tzinfo else None
    except (ValueError, OverflowError):  # the last hours of year 9999, in a zone behind UTC
        return None


# ---------------------------------------------------------------------------- comparing


def differences(
    said: Iterable[Statement],
    originals: Sequence[Original],
    *,
    now: datetime | None,
    max_age_hours: float | None,
) -> Iterator[Problem]:
    """Where what is said is not true of the bytes, however they are read."""
    for statement in said:
        original, file = originals[statement.given], statement.manifest.name
        if statement.sha256 and statement.sha256 != original.sha256:
            yield _mismatch(file, _other_bytes(statement, original))
        if statement.lines is not None and (words := _other_lines(statement, original)):
            yield _mismatch(file, words)
        if statement.proves == {"rows"} and (words := _of_another_night(statement, original)):
            yield _mismatch(file, words)
        if statement.made is not None:
            dated = replace(statement.manifest, modified_at=statement.made)
            for problem in age_problems(dated, now=now, max_age_hours=max_age_hours):
                words = f"by its generated_at, {problem.message}"
                yield replace(problem, file=file, message=words)


def _other_bytes(statement: Statement, original: Original) -> str:
    return (
        f"it says sha256 {statement.sha256[:_SHOWN]}…, and {original.name} has"
        f" {original.sha256[:_SHOWN]}… ({len(original.content):,} bytes): one of them is of another"
        " export, or not whole"
    )


def _other_lines(statement: Statement, original: Original) -> str:
    """What the number of lines has against it; "" if it is right."""
    if formats.is_packed(original.content):
        return f"it counts lines, and {original.name} has none: let it count records"
    lines = original.content.count(b"\n")
    if lines == statement.lines:
        return ""
    return f"it says {statement.lines:,} lines, and {original.name} has {lines:,}"


def _of_another_night(statement: Statement, original: Original) -> str:
    """What its time has against a number alone, which may be right by chance; "" if nothing."""
    if original.modified_at - statement.manifest.modified_at <= timedelta(seconds=NIGHT):
        return ""
    written = f"{statement.manifest.modified_at:%Y-%m-%d %H:%M} UTC"
    return f"it was written at {written}, long before {original.name}: it is an earlier export's"


def miscounts(
    said: Iterable[Statement], originals: Sequence[Original], table: Table
) -> Iterator[Problem]:
    """Where a table without problems has other numbers of records than is said."""
    for statement in said:
        records = _records(table, statement.given)
        if statement.rows is not None and records not in {None, statement.rows}:
            original = originals[statement.given]
            words = f"it says {statement.rows:,} records, and {original.name} has {records:,}"
            if original.content.count(b"\n") == statement.rows:
                words += f"; it has so many lines: let {original.name}{LINES} say them"
            yield _mismatch(statement.manifest.name, words)
    for tally in table.tallies:
        if tally.trailer and tally.trailer.records != tally.records:
            words = (
                f"the trailer says {tally.trailer.records:,} records, and {tally.records:,} stand"
                " above it"
            )
            yield _mismatch(tally.file, words, row=tally.trailer.row)


def missing(
    said: Sequence[Statement], originals: Sequence[Original], table: Table
) -> Iterator[Problem]:
    """Files of the export that nothing speaks for, a problem each.

    A manifest that can't be read is a problem already.
    """
    understood = [statement.manifest for statement in said]
    for given in _read(table):
        original = originals[given]
        unclear = original.unread or [m for m in original.manifests if m not in understood]
        if not (unclear or _proved(said, table, given)):
            words = "it has no manifest: nothing says its number of records or its sha256"
            yield Problem(code="manifest_missing", message=words, file=original.name)


def proved(said: Sequence[Statement], table: Table) -> str:
    """What is said of every file that was read, as in `ExportSource.manifest`."""
    every = [_proved(said, table, given) for given in _read(table)]
    return " ".join(sorted(frozenset.intersection(*every)))


def notes(said: Iterable[Statement], table: Table, problems: Iterable[Problem]) -> Iterator[str]:
    """What agreed, for a person to read; what did not is among the problems."""
    wrong = {problem.file for problem in problems}
    for statement in said:
        yield from statement.notes
        if statement.manifest.name not in wrong:
            yield _agreed(statement)
    for tally in table.tallies:
        if tally.trailer and tally.trailer.records == tally.records:
            where = f"{tally.file}, row" if tally.file else "row"
            yield f"the trailer in {where} {tally.trailer.row:,} agrees: {tally.records:,} records"


def _agreed(statement: Statement) -> str:
    counts = (("records", statement.rows), ("lines", statement.lines))
    facts = [f"{count:,} {what}" for what, count in counts if count is not None]
    facts += [f"sha256 {statement.sha256[:_SHOWN]}…"] if statement.sha256 else []
    name = statement.manifest.name
    return f"{name} agrees: {', '.join(facts)}" if facts else f"{name} says nothing of this export"


def _read(table: Table) -> list[int]:
    """The places of the files that records came out of."""
    return sorted({tally.given for tally in table.tallies})


def _tallies(table: Table, given: int) -> list[Tally]:
    """Those of one file; of an archive with accounts, those of the contacts."""
    tallies = [tally for tally in table.tallies if tally.given == given]
    return [tally for tally in tallies if not tally.accounts] or tallies


def _records(table: Table, given: int) -> int | None:
    """How many came out of one file; None if it was left out."""
    tallies = _tallies(table, given)
    return sum(tally.records for tally in tallies) if tallies else None


def _proved(said: Iterable[Statement], table: Table, given: int) -> frozenset[str]:
    kinds = [statement.proves for statement in said if statement.given == given]
    trailers = all(tally.trailer for tally in _tallies(table, given))
    return frozenset().union(*kinds, {"rows"} if trailers else ())
