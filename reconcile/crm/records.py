"""A table whose columns have a meaning → records: one row of text per person, by column.

Blanks around a value are dropped, a list in JSON becomes its values, and a reference loses the name
of its module; nothing else is changed here.

A record is gone if the export says so in words that are known. Whatever is not understood keeps the
person, and stands in the notes:

| column         | who is gone                                                        |
|----------------|--------------------------------------------------------------------|
| `deleted_flag` | true, 1, yes                                                       |
| `merged_into`  | the id of another record of the export, if it has no deleted flags |
| `active`       | no, inactive                                                       |
| `inactive`     | yes, inactive, archived                                            |
| `status`       | inactive, archived                                                 |

The last three are only there under `crm.inactive = "gone"`. Salesforce sets the deleted flag of a
merged record, too, so where there are flags they decide: an account's id that is taken for the
master's takes nobody away.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.crm import faxes
from reconcile.crm.problems import MOST, capped
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconcile.crm.formats import Table
    from reconcile.model import ExportColumn


_SINGLE: Final = (
    "id",
    "first_name",
    "last_name",
    "full_name",
    "company",
    "country",
    "company_country",
    "merged_into",
)
_MULTIPLE: Final = ("phone", "shared_phone", "email")
_YES: Final = frozenset("true 1 1.0 yes y t wahr ja vrai oui sí si verdadero".split())
_NO: Final = frozenset("false 0 0.0 no n f falsch nein faux non falso".split())
_LIVE: Final = frozenset("active aktiv actif activo".split())
_PAST: Final = frozenset(
    "inactive inaktiv inactif inactivo archived archiviert archivé archivado deactivated"
    " deaktiviert deleted gelöscht".split()
)
_FLAGS: Final = {
    "deleted_flag": (_YES, _NO),
    "active": (_NO | _PAST, _YES | _LIVE),
    "inactive": (_YES | _PAST, _NO | _LIVE),
    "status": (_PAST, _LIVE),
}
"""Column → the words of somebody who is gone, and of somebody who is not."""
_NO_ID: Final = r"^0+(AAA)?$"
"""What Salesforce writes for "no id"."""
_MODULE: Final = r"^Accounts::::"
"""What vtiger writes before the name of a company."""
_SCIENTIFIC: Final = re.compile(
    r"(?<![\d.,])\d(?:[.,](?P<fraction>\d+))?E\+(?P<power>\d{1,2})(?!\d)", re.IGNORECASE
)
"""A number as spreadsheets show a long one, in English and German: `4.91512E+11`."""
_LOST_ID: Final = (
    "the id is in scientific notation (1.23E+17), its last digits are lost: a spreadsheet program"
    " saved this file"
)
_LIST: Final = "["
"""How a list of EspoCRM begins: `phoneNumberData`, `emailAddressData`."""
_NAMES: Final = ("first_name", "last_name", "full_name")
_UNLIKE: Final = {
    "id": (r"[\s@]", True, "are no ids"),
    **dict.fromkeys(_NAMES, (r"@|(?:[0-9][^0-9]*){6}|^\P{L}+$", True, "are no names")),
    "phone": (r"@|^[^0-9]*$", True, "hold no number"),
    "email": ("@", False, "are no e-mail addresses"),
}
"""Column → a pattern, whether a value that has it is out of place, and what such values are."""


def build(table: Table, columns: Sequence[ExportColumn]) -> pd.DataFrame:
    """The records of a table without problems, as `CrmSnapshot.records` documents them."""
    cells = {c.reads_as: at for at, c in enumerate(columns) if c.reads_as}
    singles = {name: _text(table, cells.get(name)) for name in _SINGLE}
    multiples = {
        f"{c.reads_as}:{c.header}": _series(_listed(faxes.without(table, at, _cells(table, at))))
        for at, c in enumerate(columns)
        if c.reads_as in _MULTIPLE
    }
    singles["merged_into"] = singles["merged_into"].str.replace(_NO_ID, "", regex=True)
    singles["company"] = singles["company"].str.replace(_MODULE, "", regex=True)
    gone = _gone(singles, {name: _text(table, cells[name]) for name in _FLAGS if name in cells})
    places = {"row": table.lines.astype(np.int64), "part": _part(table)}
    return pd.DataFrame({**places, **singles, "gone": gone, **multiples})


def _part(table: Table) -> pd.Series[str]:
    """The file of each record; "" if there is one only."""
    if not table.part.size:
        return _series(pa.repeat("", len(table.lines)))
    return _series(pc.take(pa.array(table.parts, type=pa.string()), pa.array(table.part)))


def _gone(
    singles: Mapping[str, pd.Series[str]], flags: Mapping[str, pd.Series[str]]
) -> pd.Series[bool]:
    """Which records count as gone; the rule stands at the top of this module."""
    ids, into = singles["id"], singles["merged_into"]
    gone = (into != "") & (into != ids) & ("deleted_flag" not in flags)
    if gone.any():  # a look at every id takes seconds for a million of them
        gone &= into.isin(ids)
    for name, values in flags.items():
        gone = gone | values.str.lower().isin(_FLAGS[name][0])
    return gone.astype("bool")


def _listed(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists in JSON as their values, one behind the other; other cells as they are."""
    if not pc.any(pc.starts_with(cells, _LIST)).as_py():
        return cells
    texts = [_values(cell) if cell.startswith(_LIST) else cell for cell in cells.to_pylist()]
    return pa.chunked_array([pa.array(texts, type=pa.string())])


def _values(cell: str) -> str:
    """The numbers and addresses of a list of EspoCRM, faxes left out; the cell, if it is none."""
    try:
        entries: list[dict[str, Any]] = json.loads(cell)
        used = [e for e in entries if "fax" not in str(e.get("type")).lower()]
        return "; ".join(str(e.get("phoneNumber") or e.get("emailAddress") or "") for e in used)
    except (ValueError, AttributeError):
        return cell


def _text(table: Table, at: int | None) -> pd.Series[str]:
    """One column without the blanks around its values; all "" if the export has no such column."""
    return _series(pa.repeat("", len(table.lines)) if at is None else _cells(table, at))


def _cells(table: Table, at: int) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(table.cells[at])


def _series(cells: pa.ChunkedArray) -> pd.Series[str]:
    return pd.Series(pd.array(cells, dtype="str"))


def notes(table: Table, columns: Sequence[ExportColumn], records: pd.DataFrame) -> Iterator[str]:
    """What looks odd and keeps nobody from being read: a person should look at it."""
    yield from table.notes
    if lossy := numbers(records)[1]:
        yield (
            f"{lossy} numbers lost their last digits (4.91512E+11): a spreadsheet program saved"
            " this file; they match nobody"
        )
    if all(column.reads_as != "id" for column in columns):
        yield "no column holds the record's id: people are told apart by their keys only"
    empty = []
    for at, column in enumerate(columns):
        if column.reads_as in (*_SINGLE, *_MULTIPLE, *_FLAGS):
            cells = _listed(_cells(table, at))
            values = cells.filter(pc.not_equal(cells, ""))
            if not len(values):
                empty.append(f"`{column.header}`")
            yield from _out_of_place(column, values)
    if empty:
        yield f"no record has a value in {', '.join(empty)}"
    merged = records["merged_into"] != ""
    if stray := int((merged & ~records["gone"]).sum()):
        yield f"{stray} records name a record that they were merged into, and nothing proves it"


def _out_of_place(column: ExportColumn, values: pa.ChunkedArray) -> Iterator[str]:
    """How many values of a column are not what its header promises."""
    name, header = column.reads_as, column.header
    if name in _FLAGS:
        known = frozenset().union(*_FLAGS[name])
        if unknown := sum(value.lower() not in known for value in values.to_pylist()):
            yield f"{unknown} values in `{header}` are not understood; these records are kept"
    elif name in _UNLIKE:
        pattern, odd, what = _UNLIKE[name]
        found = pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0
        if count := found if odd else len(values) - found:
            yield f"{count} of {len(values)} values in `{header}` {what}"


def numbers(records: pd.DataFrame) -> tuple[int, int]:
    """How many cells hold a number, and how many of these lost digits in scientific notation."""
    held = lost = 0
    for name in records.columns:
        if str(name).startswith(("phone:", "shared_phone:")):
            cells = records[name]
            held += int((cells != "").sum())
            if (odd := cells[cells.str.contains("E+", case=False, regex=False)]).size:
                lost += sum(map(_is_lossy, odd))
    return held, lost


def _is_lossy(cell: str) -> bool:
    """Whether its digits end before its number does: `4.915E+11` has four of twelve."""
    found = _SCIENTIFIC.search(cell)
    return found is not None and len(found["fraction"] or "") != int(found["power"])


def gone_problems(records: pd.DataFrame, columns: Sequence[ExportColumn]) -> tuple[Problem, ...]:
    """An export in which nobody is alive: it lists others, or another column is read as flags."""
    if not records["gone"].all():
        return ()
    header = next((c.header for c in columns if c.reads_as in _FLAGS), "")
    message = f"all {len(records):,} records are flagged as deleted, merged or inactive"
    return (Problem(code="export_empty", message=message, column=header),)


def id_problems(records: pd.DataFrame, columns: Sequence[ExportColumn]) -> tuple[Problem, ...]:
    """Every record needs an id of its own, if the export has ids at all."""
    header = next((c.header for c in columns if c.reads_as == "id"), "")
    if not header:
        return ()
    ids = records["id"]
    lossy = ids.str.contains("E+", regex=False) | ids.str.contains("e+", regex=False)
    lossy = lossy & ids.str.fullmatch(_SCIENTIFIC) if lossy.any() else lossy
    again = ids.duplicated() & (ids != "") & ~lossy
    kinds = (
        ("id_missing", ids == "", lambda _: "the record has no id"),
        ("id_malformed", lossy, lambda _: _LOST_ID),
        ("id_not_unique", again, lambda at: f"the same id stands in {_first(records, at)}"),
    )
    return tuple(chain.from_iterable(_bad_ids(records, header, kind) for kind in kinds))


def _bad_ids(
    records: pd.DataFrame, header: str, kind: tuple[str, pd.Series[bool], Callable[[int], str]]
) -> tuple[Problem, ...]:
    """A problem for each of the first records of a kind, and one that counts the others."""
    code, found, message = kind
    some = (
        Problem(
            code=code,
            message=message(at),
            file=records["part"][at],
            row=int(records["row"][at]),
            column=header,
        )
        for at in records.index[found][:MOST]
    )
    return capped(some, total=int(found.sum()))


def _first(records: pd.DataFrame, at: int) -> str:
    """Where the id of a record stands for the first time."""
    first = records[records["id"] == records["id"][at]].iloc[0]
    return f"row {first['row']} of {first['part']}" if first["part"] else f"row {first['row']}"
