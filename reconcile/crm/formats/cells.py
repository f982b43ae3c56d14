"""Values of any format as cells of text, and columns of them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.crm.formats.limits import CELLS_LIMIT, COLUMNS_LIMIT, check_limit
from reconcile.crm.problems import MOST, capped
from reconcile.errors import ExportRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconcile.crm.formats.table import Flags

EXACT: Final = 2.0**53
"""From here on a float skips whole numbers, so the digits of an id or number are not its own."""


def lost_digits(places: Sequence[tuple[int, str]]) -> tuple[Problem, ...]:
    """What is wrong with numbers from `EXACT` on, by row and column."""
    message = (
        "the number has more digits than a number cell keeps: its last digits are lost;"
        " export the column as text, or leave it out"
    )
    first = (
        Problem(code="export_malformed", message=message, row=row, column=column)
        for row, column in places[:MOST]
    )
    return capped(first, total=len(places))


def number(value: float) -> str:
    """A number as a person types it, with the fifteen digits that spreadsheets show."""
    if value.is_integer():
        return str(int(value))
    return format(Decimal(f"{value:.15g}"), "f")


def columns_of(
    records: Sequence[Mapping[str, str]], header: Sequence[str]
) -> tuple[pa.ChunkedArray, ...]:
    """Records as columns, "" where one has no such value. Raises ExportRejected for too many."""
    check_limit(len(header), COLUMNS_LIMIT, "columns")
    check_limit(len(header) * len(records), CELLS_LIMIT, "cells")
    return tuple(
        pa.chunked_array([pa.array([record.get(name, "") for record in records], pa.string())])
        for name in header
    )


def check_records(header: Sequence[str], problems: Sequence[Problem]) -> None:
    """Refuse what has nothing to show. Raises ExportRejected with all its problems."""
    if not header:
        empty = Problem(code="export_empty", message="it has no records (0 rows)", row=1)
        listed = tuple(problems) or (empty,)
        raise ExportRejected(listed[0].message, problems=listed)


def searchable(text: str, records: Iterable[Mapping[str, str]], header: Sequence[str]) -> str:
    """The file's own text and below it every cell, as the file may have written it with escapes."""
    end = "" if text.endswith("\n") else "\n"
    return text + end + joined([header]) + joined(tuple(record.values()) for record in records)


def is_filled(column: pa.Array | pa.ChunkedArray) -> Flags:
    """Which cells of a column hold more than blanks."""
    found: Flags = pc.not_equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
    return found


def joined(rows: Iterable[Sequence[str]]) -> str:
    """Rows as the text that the veto looks into: every cell stands in it as it is."""
    return "".join("\t".join(row) + "\n" for row in rows)
