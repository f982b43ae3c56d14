"""Which of several files are the contacts, by their names.

If some are called contacts (or people, Kontakte, …; a date or a part number may follow), these are
the export, and what else lies in the archive is left out. Otherwise every table in it is. Files
that are no member of an archive were named one by one, and none of them is left out, but for the
accounts of a CRM that keeps the company's name in another table (see `accounts`).

The parts of one file must be complete: a gap is half an export.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from reconcile.crm import parts
from reconcile.crm.formats.packed import listed
from reconcile.crm.problems import rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconcile.crm.formats.packed import File

_CONTACTS: Final = frozenset(
    "contact contacts allcontacts contactrespartner respartner people persons person"
    " kontakt kontakte personen contactos contacto personas contatti contatos".split()
)
_BEGINNINGS: Final = ("contact", "kontakt", "people", "person")
_ACCOUNTS: Final = frozenset("account accounts".split())
_TABLES: Final = frozenset(
    ".csv .tsv .tab .xlsx .xlsm .xls .ods .json .jsonl .ndjson .vcf .vcard .parquet".split()
)
_ARCHIVES: Final = frozenset(".zip .gz .gzip .7z .rar .tar .tgz .bz2 .xz".split())
_SERIAL: Final = 20
"""From here on a number that stands alone counts exports, and not the parts of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The files of an export by what they are for."""

    contacts: tuple[File, ...]
    accounts: tuple[File, ...] = ()
    left_out: tuple[str, ...] = ()
    doubtful: tuple[File, ...] = ()
    """Of those that are left out, the tables that are nearly called contacts: `contacts copy`."""


def choose(files: Sequence[File]) -> Choice:
    """Raises ExportRejected if there are no contacts, or parts of them are missing."""
    seen = [file for file in files if not (file.packed and _is_noise(file.name))]
    named = any(_is_contacts(file.name) for file in seen)
    roles: dict[str, list[File]] = {"contacts": [], "accounts": [], "archive": [], "": []}
    for file in seen:
        roles[_role(file, named=named)].append(file)
    if nested := roles["archive"]:
        message = f"the archive has archives in it, which are not opened: {_names(nested)}"
        raise rejected("export_wrong_format", message, hint="unpack it, and name the files inside")
    contacts = roles["contacts"]
    if not contacts:
        message = f"no file in the archive is a table; it has {_names(files)}"
        raise rejected("export_wrong_format", message if files else "the archive is empty")
    check_parts([file.name for file in contacts if file.packed])
    return Choice(
        contacts=tuple(sorted(contacts, key=_order)),
        accounts=tuple(sorted(roles["accounts"], key=_order)),
        left_out=tuple(file.name for file in roles[""]),
        doubtful=tuple(file for file in roles[""] if _is_nearly_contacts(file.name)),
    )


def _role(file: File, *, named: bool) -> str:
    """What a file is for; `named` if there are files that are called contacts."""
    is_archive = file.packed and _ending(file.name) in _ARCHIVES
    if _is_contacts(file.name):
        return "archive" if is_archive else "contacts"
    if named:
        is_account = _word(file.name) in _ACCOUNTS and not is_archive
        return "accounts" if is_account else "" if file.packed else "contacts"
    if is_archive:
        return "archive"
    return "contacts" if not file.packed or _ending(file.name) in _TABLES else ""


def _names(files: Iterable[File]) -> str:
    return listed(file.name for file in files)


def _is_contacts(name: str) -> bool:
    """Whether it is called contacts; `contacts_2` with any ending may be a part of them."""
    begin = PurePosixPath(name).name.partition(".")[0]
    base, number, _ = parts.split(begin)
    return _word(name) in _CONTACTS or (number is not None and _word(base) in _CONTACTS)


def _is_nearly_contacts(name: str) -> bool:
    return _ending(name) in _TABLES and _word(name).startswith(_BEGINNINGS)


def _is_noise(name: str) -> bool:
    """What archivers add: resource forks, thumbnails."""
    folders = PurePosixPath(name).parts
    return "__MACOSX" in folders or folders[-1].startswith(".") or folders[-1] == "Thumbs.db"


def _word(name: str) -> str:
    """The letters of a name without its ending, date and part number."""
    base, _, _ = parts.split(PurePosixPath(name).name)
    return re.sub(r"[\W\d_]+", "", base).casefold()


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.casefold()


def _order(file: File) -> tuple[str, int]:
    """Members by their parts; files that were named one by one as they were named."""
    base, number, _ = parts.split(PurePosixPath(file.name).name)
    return (base.casefold(), number or 0) if file.packed else ("", 0)


def check_parts(names: Sequence[str]) -> None:
    """Refuse a gap in the numbers of files that differ by them only.

    Raises ExportRejected (`export_incomplete`).
    """
    groups: dict[str, list[tuple[int | None, int | None, str]]] = {}
    for name in names:
        base, number, of = parts.split(PurePosixPath(name).name)
        groups.setdefault(base.casefold(), []).append((number, of, name))
    for group in groups.values():
        numbers = [number for number, _, _ in group if number is not None]
        if numbers and not (len(group) == 1 and numbers[0] >= _SERIAL and group[0][1] is None):
            _check_group(group)


def _check_group(group: Sequence[tuple[int | None, int | None, str]]) -> None:
    numbered = [number for number, _, _ in group if number is not None]
    bare = 0 if 1 in numbered else 1  # a name without a number stands before the first with one
    numbers = [bare if number is None else number for number, _, _ in group]
    totals = {of for _, of, _ in group if of is not None}
    if len(set(numbers)) < len(numbers) or len(totals) > 1:
        what = "two of them have the same number, or name different totals"
    elif lacking := parts.missing(numbers, of=max(totals, default=None)):
        what = f"part {', '.join(map(str, lacking[:10]))} is missing"
    else:
        return
    message = f"{what}; there is {listed(name for _, _, name in group)}"
    hint = "let the CRM export again, all parts of it"
    raise rejected("export_incomplete", message, hint=hint)
