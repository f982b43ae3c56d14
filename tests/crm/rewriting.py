"""Goldens written again: longer, or with something done to a column."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from crm.workbooks import archive, workbook

from reconcile.crm import formats
from reconcile.crm.columns import assign, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crm.golden import Golden

Row = tuple[str, ...]
SUFFIXES = ("", "ba", "do", "fi", "gu", "ka")
"""What tells the copies of a person apart."""
_FAMILIES = {
    r"23125": lambda copy: str(23125 + 1000 * copy),
    r"392000": lambda copy: f"39{2 + copy}000",
    r"392001": lambda copy: f"39{2 + copy}001",
    r"(?<!\d)655|555": lambda copy: str(555 + copy),
    r"99 00 01": lambda copy: f"{99 - copy} 00 01",
}
"""Beginnings of the numbers in the goldens, none of them anybody's, and those of a copy."""


@dataclass(frozen=True)
class Grid:
    """A header and the rows of text below it."""

    header: Row
    rows: tuple[Row, ...]


def grid(golden: Golden) -> Grid:
    """The columns of a golden as they stand in it."""
    table = formats.read_files(list(golden.files.items()))
    cells = [column.to_pylist() for column in table.cells]
    return Grid(table.header, tuple(zip(*cells, strict=True)))


# ---------------------------------------------------------------------------- longer


def enlarged(whole: Grid) -> Grid:
    """Every person several times, each time another one, in the same companies."""
    kinds = [column.reads_as for column in assign(whole.header, {}).columns]
    copies = (
        tuple(_copied(cell, kind, copy) for cell, kind in zip(row, kinds, strict=True))
        for copy in range(len(SUFFIXES))
        for row in whole.rows
    )
    return replace(whole, rows=tuple(copies))


def _copied(cell: str, kind: str, copy: int) -> str:
    if not copy or not cell:
        return cell
    suffix = SUFFIXES[copy]
    if kind in ("id", "merged_into"):
        return cell if cell.startswith("000000") else f"{cell}{copy}"
    if kind in ("first_name", "last_name", "full_name"):
        return re.sub(r"\w\b", rf"\g<0>{suffix}", cell)
    if kind == "email":
        return cell.replace("@", f"{suffix}@")
    if kind in ("phone", "shared_phone", "fax"):
        return _other_number(cell, copy)
    return cell


def _other_number(cell: str, copy: int) -> str:
    changed = cell
    for family, other in _FAMILIES.items():
        changed = re.sub(family, other(copy), changed)
    few = len(re.sub(r"\D", "", cell)) < 6
    assert few or changed != cell or "E+" in cell or "00000" in cell, cell
    return changed


# ---------------------------------------------------------------------------- written


def written(content: Grid, name: str) -> bytes:
    """The grid in the format that the file's name says; what has no columns is none."""
    ending = name.lower().rpartition(".")[2]
    if ending == "xlsx":
        return workbook([content.header, *content.rows])
    if ending == "parquet":
        return _parquet(content)
    if ending in ("json", "ndjson"):
        records = [dict(zip(content.header, row, strict=True)) for row in content.rows]
        lines = "\n".join(json.dumps(record) for record in records) + "\n"
        return lines.encode() if ending == "ndjson" else json.dumps(records).encode()
    text = _delimited(content)
    if ending == "zip":
        return archive({"contacts.csv": text})
    return gzip.compress(text) if ending == "gz" else text


def _parquet(content: Grid) -> bytes:
    names = list(content.header)
    columns = [pa.array(values) for values in zip(*content.rows, strict=True)]
    file = io.BytesIO()
    pq.write_table(pa.table(columns, names=names), file)
    return file.getvalue()


def _delimited(content: Grid) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows([content.header, *content.rows])
    return file.getvalue().encode()


# ---------------------------------------------------------------------------- changed

Change = tuple[tuple[int, ...], "Callable[[Grid], Grid]"]
"""The columns that it concerns, and what it makes of the whole."""


def dropped(at: int) -> Callable[[Grid], Grid]:
    def change(whole: Grid) -> Grid:
        rows = tuple(row[:at] + row[at + 1 :] for row in whole.rows)
        return Grid(whole.header[:at] + whole.header[at + 1 :], rows)

    return change


def blanked(at: int) -> Callable[[Grid], Grid]:
    return lambda whole: replace(
        whole, rows=tuple((*row[:at], "", *row[at + 1 :]) for row in whole.rows)
    )


def renamed(at: int, header: str) -> Callable[[Grid], Grid]:
    return lambda whole: replace(
        whole, header=(*whole.header[:at], header, *whole.header[at + 1 :])
    )


def swapped(at: int) -> Callable[[Grid], Grid]:
    """The header in the place of its neighbour, the values where they were."""

    def change(whole: Grid) -> Grid:
        header = whole.header
        return replace(whole, header=(*header[:at], header[at + 1], header[at], *header[at + 2 :]))

    return change


def changes(whole: Grid, read: set[int]) -> Iterator[Change]:
    """Each column dropped; those `read` also empty, with another header, with their neighbour's."""
    for at in range(len(whole.header)):
        yield (at,), dropped(at)
        if at in read:
            yield (at,), blanked(at)
            yield (at,), renamed(at, ("", "Something else")[at % 2])
        if at + 1 < len(whole.header) and not read.isdisjoint((at, at + 1)):
            yield (at, at + 1), swapped(at)


def headers(whole: Grid, columns: tuple[int, ...]) -> set[str]:
    """The headers of some columns, as the reader shows them."""
    return {clean(whole.header[at]) for at in columns}
