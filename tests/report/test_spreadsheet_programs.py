"""The table in LibreOffice: it opens, and gives back what stands in it."""

from __future__ import annotations

import shutil
import subprocess

from python_calamine import CalamineWorkbook
from reported import result

from reconcile.report import csv
from reconcile.report.build import build

CELLS = (
    *("+49301234567", "0301234567", "00123", "4915123456789", "4.91512E+11", "+49 30 1234567"),
    *("=1+1", "@SUM(A1)", "-1", "1,5", "01.02.2024", "2024-02-01", "12:30", "5 %", "3-4"),
    *("Jo Doe", "5. März", "10 EUR", "true", "3M", "030 1234567; 0151 2345678"),
)
_UTF_8 = "Text - txt - csv (StarCalc):44,34,76,1"


def test_every_cell_comes_back_as_it_was_and_nothing_is_calculated(tmp_path):
    """Of the first contact, once for each cell, as its name, its company, its number and its id."""
    made = build(result(), previous=None, masked=False)
    contacts = tuple(
        made.contacts[0].model_copy(
            update={"id": at, "name": cell, "company": cell, "numbers": (cell,), "crm_id": cell}
        )
        for at, cell in enumerate(CELLS, start=1)
    )
    path = tmp_path / "orphans.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.render(made.model_copy(update={"contacts": contacts}), file)
    program = shutil.which("soffice")
    assert program, "LibreOffice is needed: make system"
    subprocess.run(
        [
            *(program, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile"),
            *(f"--infilter={_UTF_8}", "--convert-to", "xlsx", "--outdir", tmp_path, path),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    sheet = CalamineWorkbook.from_path(tmp_path / "orphans.xlsx").get_sheet_by_index(0)
    heads, *rows = sheet.to_python()
    assert tuple(heads) == csv.HEADS
    for name in ("name", "company", "numbers", "crm_id"):
        found = [row[heads.index(name)] for row in rows]
        assert found == [csv.text(cell) for cell in CELLS]
        assert [cell.strip() for cell in found] == list(CELLS)
    assert [row[heads.index("id")] for row in rows] == list(range(1, len(CELLS) + 1))
