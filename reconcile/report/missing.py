"""The records that 3CX lacks, as rows of a report: of a million records it may be nearly all.

They stay columns until one is looked at; report.json is written from columns, too. Tests compare
it with what objects give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, overload

import pyarrow as pa

from reconcile.report import json_columns
from reconcile.report.model import LongList, MissingPart, row_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE: Final = 10_000
"""So many rows are made at a time."""


class Missing(LongList):
    """Made of a table with a column of texts or of numbers for each field of `MissingPart`."""

    def __init__(self, records: pa.Table) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> MissingPart: ...
    @overload
    def __getitem__(self, index: slice) -> Missing: ...
    def __getitem__(self, index: int | slice) -> MissingPart | Missing:
        some = range(len(self))[index]
        if isinstance(some, int):
            return next(iter(self[some : some + 1]))
        return Missing(self._records.take(pa.array(some, pa.int64())))

    def __iter__(self) -> Iterator[MissingPart]:
        for batch in self._records.to_batches(_AT_ONCE):
            yield from (MissingPart(**row) for row in batch.to_pylist())

    def pieces(self, margin: str) -> Iterator[str]:
        """What stands between the brackets of report.json, some rows at a time."""
        for start in range(0, len(self), _AT_ONCE):
            made = _in_columns(self._records.slice(start, _AT_ONCE), margin).to_pylist()
            rows = (row or self._by_object(at, margin) for at, row in enumerate(made, start))
            text = "".join(rows)
            yield text if start else text.removeprefix(",")
        if len(self):
            yield f"\n{margin}"

    def _by_object(self, at: int, margin: str) -> str:
        return "," + "".join(row_pieces([self[at]], margin)).removesuffix(f"\n{margin}")


def _in_columns(records: pa.Table, margin: str) -> pa.Array:
    """Each row with a comma before it; null for those that take an object."""
    texts, pieces = [], list[str | pa.Array]()
    for name in MissingPart.model_fields:
        column = records[name].combine_chunks()
        is_text = pa.types.is_large_string(column.type)
        texts += [column] if is_text else []
        value = ['"', column, '"'] if is_text else [column.cast(pa.large_string())]
        pieces += [",", f'\n{margin}    "{name}": ', *value]
    rows = json_columns.joined([f",\n{margin}  {{", *pieces[1:], f"\n{margin}  }}"])
    return json_columns.plain(rows, texts)
