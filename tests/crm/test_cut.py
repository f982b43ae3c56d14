"""An export of every kind of cell, cut at every byte of it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from reconcile import crm
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


def sample(rows: int) -> str:
    """Everything that may be cut in two: quotes, line ends, umlauts, a footer."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["Contact ID", "First Name", "Last Name", "Phone", "Email", "Note"])
    notes = ["", 'says "hi",\nand leaves', "Größe; 小", "a\n\nb", ","]
    for i in range(rows):
        row = [f"003{i:03}", f"Jörg {i}", "Doe, Dr.", f"+49 30 {i:07}", f"p{i}@example.com"]
        writer.writerow([*row, notes[i % len(notes)]])
    footer = '\r\n"Nightly"\r\n"Copyright (c) 2000-2026 salesforce.com, inc."\r\n"ACME"\r\n'
    return file.getvalue() + footer


@pytest.mark.parametrize(("encoding", "rows"), [("utf-8", 40), ("utf-16", 10)])
def test_cut_at_any_byte_an_export_is_refused_or_loses_whole_rows_only(
    encoding: str, rows: int, export: Any, now: datetime
) -> None:
    def records(part: bytes) -> pd.DataFrame | None:
        path = export(part)
        try:
            found = crm.read(str(path), base=path.parent, mapping={}, now=now, max_age_hours=26)
        except ExportRejected:
            return None
        return found.records

    content = sample(rows).encode(encoding)
    whole = records(content)
    assert whole is not None
    assert len(whole) == rows
    accepted = [r for r in (records(content[:n]) for n in range(len(content))) if r is not None]
    assert all(part.equals(whole.head(len(part))) for part in accepted)
    assert {len(part) for part in accepted} == set(range(1, rows + 1))
