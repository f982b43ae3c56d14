"""The files of one export → one table: the same columns by name, the records of each below.

A CRM that splits an export writes the same header into every part, perhaps in another order. JSON
and vCards have no header: a column is there if a record has it, so one that a part lacks is empty.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from reconcile.crm.columns import normal
from reconcile.crm.formats.table import Table
from reconcile.crm.problems import MOST
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_WITHOUT_HEADER: Final = frozenset(("json", "vcard"))

_Key = tuple[str, int]
"""A header's normal form, and how often it stood there before."""


def join(kinds: Sequence[str], tables: Sequence[Table]) -> Table:
    """One table of several, each with the name of its file in `parts`.

    What doesn't fit together is a problem of the table, as is every problem of a part.
    """
    loose = set(kinds) <= _WITHOUT_HEADER
    keyed = [
        dict(zip(_keys(table.header), range(len(table.header)), strict=True)) for table in tables
    ]
    header: dict[_Key, str] = {}
    for keys, table in zip(keyed, tables, strict=True):
        for key, at in keys.items():
            header.setdefault(key, table.header[at])
    problems = [problem for table in tables for problem in table.problems]
    problems += _other_kinds(kinds, tables)
    problems += [] if loose else _lacking(header, keyed, tables)
    return Table(
        format=" and ".join(dict.fromkeys(table.format for table in tables)),
        encoding=" and ".join(dict.fromkeys(table.encoding for table in tables)),
        delimiter="".join(dict.fromkeys(table.delimiter for table in tables)),
        header=tuple(header.values()),
        header_row=tables[0].header_row,
        text="".join(_ended(table.text) for table in tables),
        cells=() if problems else tuple(_column(key, keyed, tables) for key in header),
        lines=np.concatenate([table.lines for table in tables]),
        ignored=_sum(table.ignored for table in tables),
        problems=tuple(problems),
        parts=tuple(part for table in tables for part in table.parts),
        part=np.repeat(np.arange(len(tables)), [len(table.lines) for table in tables]),
        notes=tuple(note for table in tables for note in table.notes),
        tallies=tuple(tally for table in tables for tally in table.tallies),
    )


def _keys(header: Iterable[str]) -> list[_Key]:
    counts: Counter[str] = Counter()
    keys = []
    for name in map(normal, header):
        keys.append((name, counts[name]))
        counts[name] += 1
    return keys


def _column(
    key: _Key, keyed: Sequence[dict[_Key, int]], tables: Sequence[Table]
) -> pa.ChunkedArray:
    chunks = [
        chunk
        for keys, table in zip(keyed, tables, strict=True)
        for chunk in _chunks(table, keys.get(key))
    ]
    return pa.chunked_array(chunks, type=pa.string())


def _chunks(table: Table, at: int | None) -> list[pa.Array]:
    if at is None:
        return [pa.repeat("", len(table.lines))]
    chunks: list[pa.Array] = table.cells[at].chunks
    return chunks


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)


def _other_kinds(kinds: Sequence[str], tables: Sequence[Table]) -> Iterator[Problem]:
    for kind, table in zip(kinds, tables, strict=True):
        if kind != kinds[0]:
            message = (
                f"it is {kind}, and {tables[0].parts[0]} is {kinds[0]}: they are no one export"
            )
            yield Problem(code="export_wrong_format", message=message, file=table.parts[0])


def _lacking(
    header: dict[_Key, str], keyed: Sequence[dict[_Key, int]], tables: Sequence[Table]
) -> Iterator[Problem]:
    """Headers that one part has and another has not."""
    for keys, table in zip(keyed, tables, strict=True):
        lacks = [name for key, name in header.items() if key not in keys]
        if lacks:
            named = ", ".join(f"`{name[:40]}`" for name in lacks[:MOST])
            more = f" and {len(lacks) - MOST} more" if len(lacks) > MOST else ""
            message = f"it has no {named}{more}, as the other parts have"
            yield Problem(
                code="header_unknown", message=message, file=table.parts[0], row=table.header_row
            )
