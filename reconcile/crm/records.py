"""A table whose columns have a meaning → records: one row of text per person, by column.

Blanks around a value are dropped; nothing else is changed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.crm.problems import MOST, capped
from reconcile.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.crm.formats import Table
    from reconcile.model import ExportColumn

_SINGLE: Final = (
    "id",
    "first_name",
    "last_name",
    "full_name",
    "company",
    "country",
    "merged_into",
)
_MULTIPLE: Final = ("phone", "shared_phone", "email")
_DELETED: Final = ("true", "1", "yes")
_NO_ID: Final = r"^0+(AAA)?$"
"""What Salesforce writes for "no id"."""


def build(table: Table, columns: Sequence[ExportColumn]) -> pd.DataFrame:
    """The records of a table without problems, as `CrmSnapshot.records` documents them."""
    cells = {c.reads_as: at for at, c in enumerate(columns) if c.reads_as}
    singles = {name: _text(table, cells.get(name)) for name in _SINGLE}
    multiples = {
        f"{c.reads_as}:{c.header}": _text(table, at)
        for at, c in enumerate(columns)
        if c.reads_as in _MULTIPLE
    }
    singles["merged_into"] = singles["merged_into"].str.replace(_NO_ID, "", regex=True)
    deleted = _text(table, cells.get("deleted_flag")).str.lower().isin(_DELETED)
    gone = deleted | (singles["merged_into"] != "")
    rows = {"row": table.lines.astype(np.int64)}
    return pd.DataFrame({**rows, **singles, "gone": gone.astype("bool"), **multiples})


def _text(table: Table, at: int | None) -> pd.Series[str]:
    """One column without the blanks around its values; all "" if the export has no such column."""
    if at is None:
        return pd.Series(pd.array(pa.repeat("", len(table.lines)), dtype="str"))
    return pd.Series(pd.array(pc.utf8_trim_whitespace(table.cells[at]), dtype="str"))


def id_problems(records: pd.DataFrame, columns: Sequence[ExportColumn]) -> tuple[Problem, ...]:
    """Every record needs an id of its own, if the export has ids at all."""
    header = next((c.header for c in columns if c.reads_as == "id"), "")
    if not header:
        return ()
    ids, rows = records["id"], records["row"]
    missing, again = ids == "", ids.duplicated() & (ids != "")
    first = (
        Problem(code="id_missing", message="the record has no id", row=int(row), column=header)
        for row in rows[missing].head(MOST)
    )
    repeated = (
        Problem(
            code="id_not_unique",
            message=f"the same id stands in row {rows[ids == ids[at]].iloc[0]}",
            row=int(rows[at]),
            column=header,
        )
        for at in ids.index[again][:MOST]
    )
    return (
        *capped(first, total=int(missing.sum())),
        *capped(repeated, total=int(again.sum())),
    )
