"""How large an export may be, whatever its format: more is refused before it fills the memory."""

from __future__ import annotations

from typing import Final

from reconcile.crm.problems import rejected

CELL_LIMIT: Final = 64 * 1024
"""Bytes. A longer cell is a swallowed file, not a contact's property."""
CELLS_LIMIT: Final = 2**24
"""Rows by columns: a million contacts with sixteen properties, in some gigabytes of memory."""
MARKS_LIMIT: Final = 2**26
"""Delimiters, line ends and quotes of a text, which cost some twenty bytes of memory each: twenty
million cells in quotes, or three times as many without."""
COLUMNS_LIMIT: Final = 16_384
"""The width of a spreadsheet; no CRM has as many properties."""
UNPACKED_LIMIT: Final = 1024**3
"""Bytes of the values, unpacked: five times the largest export that is accepted as text."""


def check_limit(count: int, limit: int, what: str) -> None:
    """Refuse a file with too many of something. Raises ExportRejected (`export_too_large`)."""
    if count > limit:
        message = f"it has {count:,} {what}; the limit is {limit:,}"
        raise rejected("export_too_large", message, hint="export contacts only, without notes")
