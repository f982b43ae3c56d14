"""An export that was cut off: refused, or fewer records, and nobody is deleted for it.

Formats with an end of their own (JSON, XLSX, Parquet, ZIP, gzip) are never read in part. Delimited
text, NDJSON and vCards could as well have ended at any line or card; there the last records are
lost, and nothing in the file can tell. Grace can: who is absent for the first time waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from amounts import amount
from crm.golden import GOLDENS, NAMES, ONE_OF_EACH, Golden, read, values
from crm.nightly import LEAVER, RULES, last_night

from reconcile.crm import formats
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconcile.model import CrmSnapshot

WITHOUT_END = (".csv", ".tsv", ".ndjson", ".vcf", "-split")
DEFAULT = replace(RULES, grace_exports=2, grace_hours=20)
STRIDE = amount(check=13, prove=1)
"""Of all cuts each thirteenth is tried in a check, and those behind a line, and near the end."""
NEAR = 100
"""Bytes; there a format with an end of its own has what it ends with."""
UNASKED = 2
"""So many deletes nobody is asked about, however small the company."""


def cuts(content: bytes) -> Iterator[int]:
    """Sizes to which a file is cut, its own included."""
    for size in range(len(content)):
        # In UTF-16 a line ends with two bytes.
        line = not {*content[max(size - 2, 0) : size]}.isdisjoint(b"\r\n")
        if line or size % STRIDE == 0 or size >= len(content) - NEAR:
            yield size
    yield len(content)


def readable(golden: Golden, folder: Path) -> Iterator[CrmSnapshot]:
    """What is read of every cut of the last file that is not refused.

    Most are refused before a column has a meaning, so that is tried first.
    """
    name, content = list(golden.files.items())[-1]
    for files in ({**golden.files, name: content[:size]} for size in cuts(content)):
        try:
            if not formats.read_files(list(files.items())).problems:
                yield read(files, folder)
        except ExportRejected:
            continue


def counts(golden: Golden) -> set[int]:
    """How many records may be left of a golden: of a format with an end, all or none."""
    whole = len(golden.records)
    if not golden.name.endswith(WITHOUT_END):
        return {whole}
    last = list(golden.files)[-1]
    of_last = sum(record.get("part", last) == last for record in golden.records)
    return set(range(whole - of_last + 1, whole + 1))


@pytest.mark.parametrize("name", NAMES)
def test_cut_at_any_byte_it_is_refused_or_loses_whole_records(name: str, tmp_path: Path) -> None:
    golden, seen = GOLDENS[name], set()
    for snapshot in readable(golden, tmp_path):
        records = values(snapshot)
        assert records == golden.records[: len(records)]
        seen.add(len(records))
    assert seen == counts(golden)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_nobody_is_deleted_whom_the_whole_file_keeps(name: str, tmp_path: Path) -> None:
    """With the grace that is configured, nobody; without it, no more than nobody is asked about.

    Whose absence began with an earlier export is due all the same, which shows that the plan of a
    cut file is not empty anyway.
    """
    golden = GOLDENS[name]
    night = last_night(read(golden.files, tmp_path))
    assert night.then(night.whole).deletes == {LEAVER}
    left = {len(snapshot.records): snapshot for snapshot in readable(golden, tmp_path)}
    for snapshot in left.values():
        tonight, patient = night.outcomes(snapshot, RULES, DEFAULT)
        assert patient.deletes == {LEAVER}
        assert len(tonight.unasked) <= UNASKED
    assert set(left) == counts(golden)
