"""Parquet: columns of typed values, with their names and number of rows at the end of the file.

A file without its end has no columns at all, so nothing of it can be read in part. Values are
written as a person would type them; what has no such form (lists, maps) is written as JSON.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconcile.crm.formats.cells import EXACT, is_filled, joined, lost_digits, number
from reconcile.crm.formats.limits import (
    CELLS_LIMIT,
    COLUMNS_LIMIT,
    UNPACKED_LIMIT,
    check_limit,
)
from reconcile.crm.formats.table import Table
from reconcile.crm.problems import rejected
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconcile.crm.formats.table import IsHeader

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_HEADER_ROW: Final = 1
"""The names of the columns count as row 1, as they would in the same table as CSV."""


def recognises(content: bytes) -> bool:
    """Whether it begins as a Parquet file does, with or without its end."""
    return content.startswith((_MAGIC, _ENCRYPTED))


def read(content: bytes, *, is_header: IsHeader) -> Table:
    """The table of a Parquet file. Raises ExportRejected if it is cut off, damaged or too large."""
    del is_header  # the file itself says what its columns are called
    table = _table(content)
    header = tuple(table.column_names)
    problems = _inexact(table)
    columns = tuple(_texts(column) for column in table.columns)
    filled = np.zeros(table.num_rows, dtype=np.bool_)
    for column in columns:
        filled |= is_filled(column)
    if not filled.any():
        message = "it has columns and no records (0 rows)"
        problems = (Problem(code="export_empty", message=message, row=_HEADER_ROW),)
    blank = int((~filled).sum())
    return Table(
        format="parquet",
        encoding="utf-8",
        header=header,
        header_row=_HEADER_ROW,
        text=joined([header, *zip(*(column.to_pylist() for column in columns), strict=True)]),
        cells=() if problems else tuple(column.filter(pa.array(filled)) for column in columns),
        lines=np.flatnonzero(filled) + _HEADER_ROW + 1,
        ignored={"row without content": blank} if blank else {},
        problems=problems,
    )


# ---------------------------------------------------------------------------- the file


def _table(content: bytes) -> pa.Table:
    """All columns as they are stored, none of them read in part."""
    if _ENCRYPTED in (content[:4], content[-4:]):
        raise rejected("export_wrong_format", "it is an encrypted Parquet file")
    if content[-4:] != _MAGIC or len(content) < 3 * len(_MAGIC):
        message = "it has no end, where a Parquet file has its columns: it is cut off"
        raise rejected("export_truncated", message)
    try:
        file = pq.ParquetFile(
            pa.BufferReader(content),
            page_checksum_verification=True,
            read_dictionary=_plain(content),
        )
        _check_size(file.metadata)
        table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged() from error
    if table.num_rows != file.metadata.num_rows:
        raise _damaged()
    return table


def _plain(content: bytes) -> list[str]:
    """Columns of text, which are read as their distinct values first.

    A few bytes can say that one long value stands in a million rows.
    """
    schema = pq.read_schema(pa.BufferReader(content))
    return [
        f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]


def _damaged() -> Exception:
    return rejected("export_malformed", "it can't be read as Parquet: it is damaged")


def _check_size(metadata: pq.FileMetaData) -> None:
    """Before a value is read: what the file says of itself."""
    columns, rows = metadata.num_columns, metadata.num_rows
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    check_limit(columns, COLUMNS_LIMIT, "columns")
    check_limit(columns * rows, CELLS_LIMIT, "cells")
    check_limit(size, UNPACKED_LIMIT, "bytes when it is unpacked")


# ---------------------------------------------------------------------------- the values


def _inexact(table: pa.Table) -> tuple[Problem, ...]:
    """Floats that lost digits."""
    return lost_digits(
        [
            (row + _HEADER_ROW + 1, name)
            for name, column in zip(table.column_names, table.columns, strict=True)
            if pa.types.is_floating(column.type)
            for row in np.flatnonzero(np.abs(column.to_numpy()) >= EXACT).tolist()
        ]
    )


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text; a missing value is no text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        _check_used(column)
        return _texts(column.cast(kind.value_type))
    if pa.types.is_floating(kind):
        return _each(column, lambda value: "" if math.isnan(value) else number(value))
    if pa.types.is_nested(kind):
        return _each(column, lambda value: json.dumps(value, ensure_ascii=False, default=str))
    try:
        texts = pc.fill_null(pc.cast(column, pa.string()), "")
    except (pa.ArrowException, OSError):
        message = "a column holds bytes that are no text; leave it out of the export"
        raise rejected("export_malformed", message) from None
    return _as_iso(texts) if pa.types.is_timestamp(kind) else texts


def _check_used(column: pa.ChunkedArray) -> None:
    """The size of values that stand in several rows each, before they are repeated."""
    used = sum(
        pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
        for chunk in column.chunks
    )
    check_limit(used, UNPACKED_LIMIT, "bytes of text in a column")


def _as_iso(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times with a T, and without the fractions of a second that are zero."""
    return pc.replace_substring_regex(
        pc.replace_substring(texts, " ", "T"), r"\.0+(Z|[+-]\d+|)$", r"\1"
    )


def _each(column: pa.ChunkedArray, write: Callable[[Any], str]) -> pa.ChunkedArray:
    texts = ["" if value is None else write(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, type=pa.string())])
