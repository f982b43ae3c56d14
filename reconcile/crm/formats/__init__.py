"""The files of one export → one table of text.

Each file is unpacked if it is packed, the contacts are chosen among what comes out, each is read by
the format that its content is, and their tables are joined:

    gzip, ZIP            packed       a workbook is a ZIP, too, and is read as one
    contacts, accounts   choice       by their names; parts must be complete
    CSV, XLSX, JSON, …   plain        each a module that fits `table.Format`
    several parts        joining      the same columns by name
    Salesforce           accounts     the company's name stands in another file
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.crm.columns import normal
from reconcile.crm.formats import accounts, joining, plain
from reconcile.crm.formats.choice import check_parts, choose
from reconcile.crm.formats.packed import is_packed, listed, unpack
from reconcile.crm.formats.plain import FORMATS, described
from reconcile.crm.formats.table import Table, Tally
from reconcile.crm.problems import rejected
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.crm.formats.packed import File
    from reconcile.errors import Problem

__all__ = [
    "FORMATS",
    "Table",
    "Tally",
    "check_parts",
    "described",
    "is_packed",
    "read",
    "read_files",
]


def read(content: bytes, *, format: str = "auto") -> Table:  # noqa: A002 - the word of the config
    """The table of an export that is one file. Raises ExportRejected as `read_files` does."""
    return read_files([("", content)], format=format)


def read_files(
    files: Sequence[tuple[str, bytes]],
    *,
    format: str = "auto",  # noqa: A002 - the word of the config
) -> Table:
    """The table that the files, name and content, hold together; its problems stand in it.

    Raises ExportRejected, with the problems of all files, if there is nothing to show: a file is
    empty, something else, cut off, or parts are missing.
    """
    found, ways = _unpacked(files)
    chosen = choose(found)
    named = len(chosen.contacts) > 1 or chosen.contacts[0].packed
    table = _read(chosen.contacts, format, named=named)
    _refuse_twins(table, chosen.doubtful, format)
    left = chosen.left_out
    if chosen.accounts and accounts.are_needed(table):
        theirs = _read(chosen.accounts, format, named=True)
        tallies = [replace(tally, accounts=True) for tally in theirs.tallies]
        table = replace(accounts.add(table, theirs), tallies=(*table.tallies, *tallies))
    else:
        left = (*left, *(file.name for file in chosen.accounts))
    told = [*ways, f"{len(chosen.contacts)} parts"] if len(chosen.contacts) > 1 else ways
    told += [f"{len(left)} files left out"] if left else []
    notes = (f"files that are left out: {listed(left)}",) if left else ()
    return replace(table, format="; ".join([table.format, *told]), notes=(*notes, *table.notes))


def _refuse_twins(table: Table, doubtful: Sequence[File], format: str) -> None:  # noqa: A002 - as above
    """Refuse an archive in which a file with the very columns of the contacts is left out."""
    for file in doubtful:
        try:
            _, other = plain.read(file.load(), format=format)
        except ExportRejected:
            continue
        if sorted(map(normal, other.header)) == sorted(map(normal, table.header)):
            message = (
                f"{listed([file.name])} has the columns of the contacts, and is none by its name"
            )
            hint = "call parts contacts_1, contacts_2; move what is no part out of the archive"
            raise rejected("export_incomplete", message, hint=hint)


def _unpacked(files: Sequence[tuple[str, bytes]]) -> tuple[list[File], list[str]]:
    """All files that come out, and in what they were packed."""
    found: list[File] = []
    ways: list[str] = []
    for given, (name, content) in enumerate(files):
        way, members = unpack(name, content)
        found += [replace(member, given=given) for member in members]
        ways += [way] if way and way not in ways else []
    return found, ways


def _read(files: Sequence[File], format: str, *, named: bool) -> Table:  # noqa: A002 - as above
    """The table of some files. Raises ExportRejected if one has nothing to show."""
    kinds, tables = list[str](), list[Table]()
    problems: list[Problem] = []
    hint = ""
    for file in files:
        name = file.name if named else ""
        try:
            kind, table = plain.read(file.load(), format=format)
        except ExportRejected as error:
            problems += _in_file(error.problems, name)
            hint = hint or error.hint
        else:
            kinds.append(kind)
            tables.append(_counted(table, file, name))
    if problems:
        problems += (problem for table in tables for problem in table.problems)
        raise ExportRejected(problems[0].message, problems=tuple(problems), hint=hint)
    return tables[0] if len(tables) == 1 else joining.join(kinds, tables)


def _counted(table: Table, file: File, name: str) -> Table:
    """The table of one file, with its name wherever a person could ask for it."""
    tally = Tally(given=file.given, file=name, records=len(table.lines), trailer=table.trailer)
    parts = (name,) if name else ()
    problems = _in_file(table.problems, name)
    return replace(table, problems=problems, parts=parts, tallies=(tally,))


def _in_file(problems: Sequence[Problem], name: str) -> tuple[Problem, ...]:
    return tuple(replace(p, file=p.file or name) for p in problems)
