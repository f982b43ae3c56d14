"""What boards put between their records: repeated headers, group titles, subitems.

monday writes a table for each group of a board, one below the other, and the subitems of an item,
which have another header, in between. Read as rows they would be people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.crm.columns import is_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.crm.formats.table import Flags

_SUBITEMS: Final = ("subitems", "name")
"""How the header of subitems begins."""


def furniture(
    header: Sequence[str], cells: Sequence[pa.ChunkedArray], *, titled: bool
) -> dict[str, Flags]:
    """Why rows are no records → which. `cells` are the columns below the header, one for each.

    `titled`: a title stands above the header. Only then a row with a name and nothing else is the
    title of a group; it is no contact that could be matched by anything, either.
    """
    repeated = _having(cells, [name.strip() for name in header])
    below = subitems(cells)
    groups = np.zeros(len(repeated), dtype=np.bool_)
    if titled and is_name(header[0]):
        groups = _having(cells[1:], [""] * (len(cells) - 1)) & ~_equal(cells[0], "") & ~below
    return {"header repeated": repeated, "title of a group": groups, "subitem": below}


def subitems(cells: Sequence[pa.ChunkedArray]) -> Flags:
    """Headers of subitems, and the rows without a first cell that follow them."""
    if len(cells) < len(_SUBITEMS):
        return np.zeros(len(cells[0]), dtype=np.bool_)
    begins = _having([pc.utf8_lower(column) for column in cells[: len(_SUBITEMS)]], _SUBITEMS)
    if not begins.any():
        return begins
    named = ~_equal(cells[0], "")
    above = np.maximum.accumulate(np.where(named, np.arange(len(named)), -1))
    found: Flags = begins[above] & (above >= 0)
    return found


def _having(cells: Sequence[pa.ChunkedArray], values: Sequence[str]) -> Flags:
    """Rows that have these values; the further columns are looked at only if there may be one."""
    found = np.ones(len(cells[0]), dtype=np.bool_)
    for column, value in zip(cells, values, strict=True):
        if not found.any():
            break
        found &= _equal(column, value)
    return found


def _equal(column: pa.ChunkedArray, value: str) -> Flags:
    flags: Flags = pc.equal(pc.utf8_trim_whitespace(column), value).to_numpy()
    return flags
