"""The same export packed or saved anew is no new evidence: its content has one digest."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from crm.workbooks import Sheet, workbook

from reconcile.crm import formats

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = [["id", "name", "phone"], ["1", "Jo Doe", "030 1234567"], ["2", "Ann Lee", ""]]


def csv(rows: Sequence[Sequence[str]] = ROWS, *, delimiter: str = ",") -> bytes:
    return "".join(delimiter.join(row) + "\n" for row in rows).encode()


def zipped(content: bytes, *, day: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("contacts.csv", (2026, 11, day, 1, 0, 0)), content)
    return file.getvalue()


def digest(content: bytes) -> str:
    return formats.read(content).digest()


@pytest.mark.parametrize(
    "content",
    [
        csv(delimiter=";"),
        csv().replace(b"\n", b"\r\n"),
        gzip.compress(csv(), mtime=1),
        gzip.compress(csv(), mtime=2),
        zipped(csv(), day=1),
        zipped(csv(), day=2),
        workbook(Sheet(rows=ROWS)),
        workbook(Sheet(rows=ROWS, name="Again")),
    ],
)
def test_however_it_is_packed_its_digest_is_that_of_its_cells(content: bytes) -> None:
    assert digest(content) == digest(csv())


@pytest.mark.parametrize(
    "rows",
    [
        [*ROWS, ["3", "Mo Roe", ""]],
        [ROWS[0], ROWS[2], ROWS[1]],
        [ROWS[0], ["1", "Jo Doe0", "30 1234567"], ROWS[2]],
        [ROWS[0], ["1", "Jo Doe", "030 1234568"], ROWS[2]],
        [["id", "name", "Mobile"], *ROWS[1:]],
    ],
)
def test_another_row_cell_or_header_is_another_content(rows: Sequence[Sequence[str]]) -> None:
    assert digest(csv(rows)) != digest(csv())


def test_the_digest_does_not_depend_on_how_the_reader_cuts_its_columns() -> None:
    many = [ROWS[0], *([str(i), f"Jo Doe {i}", "030 1234567 " * 20] for i in range(30_000))]
    parts = [
        formats.read_files([("c-1.csv", csv(many[:9])), ("c-2.csv", csv([ROWS[0], *many[9:]]))])
    ]
    assert max(len(column.chunks) for column in parts[0].cells) > 1
    assert parts[0].digest() == digest(csv(many))
