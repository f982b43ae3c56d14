"""Numbers that another column of the same record calls a fax; a fax is no match key.

Google writes what a number is for into `Phone 1 - Label`, Keap into `Phone 1 Type`. EspoCRM repeats
one of a record's numbers as `phoneNumber`, and says what it is only in the list `phoneNumberData`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.crm.columns import normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconcile.crm.formats import Table

_LABELS: Final = (" - value", (" - label", " - type")), ("", (" type", " label"))
"""How a column of numbers ends, and how the one with its labels does instead."""
_FAX: Final = "fax"


def without(table: Table, at: int, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells of the column `at`, with "" for those that are faxes."""
    places = {normal(header): place for place, header in enumerate(table.header)}
    name = normal(table.header[at])
    for end, others in _LABELS:
        for label in (name.removesuffix(end) + other for other in others):
            if name.endswith(end) and label in places:
                cells = _unlabelled(cells, table.cells[places[label]])
    for listed, faxes_of in ((f"{name}data", _typed), (f"{name}data {_FAX}", _all)):
        if listed in places:
            cells = _unlisted(cells, table.cells[places[listed]], faxes_of)
    return cells


def _unlabelled(cells: pa.ChunkedArray, labels: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without those labelled as a fax and nothing else: Tel./Fax is a phone, too."""
    is_fax = pc.match_substring_regex(labels, r"(?i)^[^/&]*fax[^/&]*$")
    return pc.if_else(is_fax, "", cells) if pc.any(is_fax).as_py() else cells


def _unlisted(
    cells: pa.ChunkedArray, lists: pa.ChunkedArray, faxes_of: Callable[[str], set[str]]
) -> pa.ChunkedArray:
    """Without those that their record's list has as a fax."""
    texts = [
        "" if listed and _digits(cell) in faxes_of(listed) else cell
        for cell, listed in zip(cells.to_pylist(), lists.to_pylist(), strict=True)
    ]
    return pa.chunked_array([pa.array(texts, type=pa.string())])


def _typed(listed: str) -> set[str]:
    """The digits of the faxes in a list of EspoCRM's, as its CSV has it; none in any other text."""
    if not listed.startswith("[") or _FAX not in listed.casefold():
        return set()
    try:
        entries: Any = json.loads(listed)
        return {_digits(e["phoneNumber"]) for e in entries if _FAX in str(e["type"]).casefold()}
    except (ValueError, KeyError, TypeError):
        return set()


def _all(listed: str) -> set[str]:
    """The digits of all numbers of a list that the reader of JSON has made of faxes alone."""
    return set(map(_digits, listed.split(";"))) - {""}


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isdecimal())
