"""A last line that says how many records stand above it: compared, and never read as one."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from crm.golden import NOW, described, values
from crm.golden import place as written

from reconcile import crm
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from pathlib import Path

    from reconcile.model import CrmSnapshot

HEADER = "id,name,phone,email\n"
ROWS = "".join(f"{i},Jo Doe,+4930123456{i},jo{i}@example.com\n" for i in range(3))
TWO = "name,phone\nJo Doe,+49301234567\nMo Roe,+49301234568\n"


def read(text: str | bytes, folder: Path, **options: Any) -> CrmSnapshot:
    files = {"contacts.csv": text if isinstance(text, bytes) else text.encode()}
    options = {"base": folder, "mapping": {}, "now": NOW, "max_age_hours": 26, **options}
    return crm.read(written(files, folder), **options)


def refused(text: str, folder: Path, **options: Any) -> list[tuple[str, int | None, str]]:
    with pytest.raises(ExportRejected) as caught:
        read(text, folder, **options)
    return [(p.code, p.row, p.message) for p in caught.value.problems]


@pytest.mark.parametrize(
    "form",
    [
        "#TRAILER,{}",
        "# trailer: {}",
        "TRL,{}",
        "TRL|{}",
        "TRAILER;{}",
        "EOF {}",
        "End of file: {}",
        "Count: {}",
        "# rows: {}",
        "rows={}",
        "Total records: {}",
        '"Total records: {}"',
        '"TRAILER","{}"',
        "Record count,{}",
        "record_count = {}",
        "Number of contacts: 00{}",
        "Anzahl Datensätze: {}",
        "Anzahl der Datensätze;{}",
        "({} rows)",
        "({} rows affected)",
        "{} rows selected.",
        "#TRAILER,{},,",
        "TRL,{},,",
        "EOF,{},,,,,",
        "Total records: {},,,,",
    ],
)
def test_a_trailer_must_be_true(form: str, tmp_path: Path) -> None:
    trailer = form.format(3)
    found = read(f"{HEADER}{ROWS}{trailer}\n", tmp_path)
    assert found.source.manifest == "rows"
    assert found.source.records == 3
    assert found.source.rejected == 1
    assert [record["row"] for record in values(found)] == [2, 3, 4]
    for wrong in (2, 4, 1234567):
        text = f"{HEADER}{ROWS}{form.format(wrong)}\n"
        assert refused(text, tmp_path) == [
            ("manifest_mismatch", 5, f"the trailer says {wrong:,} records, and 3 stand above it")
        ]
        assert read(text, tmp_path, manifest="ignore").source.manifest == ""
    without = read(f"{HEADER}{ROWS}", tmp_path)
    assert without.source.manifest == ""
    assert without.source.content == found.source.content


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\n\n", "\n,,,\n\n"])
def test_neither_line_ends_nor_blank_lines_below_it_matter(ending: str, tmp_path: Path) -> None:
    text = f"{HEADER}{ROWS}TRL,3\n".replace("\n", ending[:2].strip(",")) + ending
    assert read(text.encode(), tmp_path).source.manifest == "rows"


def test_its_encoding_does_not_matter(tmp_path: Path) -> None:
    text = f"{HEADER}{ROWS}Anzahl Datensätze: 3\n"
    for encoding in ("utf-16", "cp1252", "utf-8-sig"):
        assert read(text.encode(encoding), tmp_path).source.manifest == "rows"


@pytest.mark.parametrize("number", ["1,003", "1.003", "1 003", "1'003", "1003", "0001003"])
def test_large_numbers_may_be_grouped(number: str, tmp_path: Path) -> None:
    rows = "".join(f"{i},Jo Doe,+49301{i:06},\n" for i in range(1003))
    assert read(f"{HEADER}{rows}Total rows: {number}\n", tmp_path).source.manifest == "rows"


@pytest.mark.parametrize(
    "line",
    [
        "#TRAILER",  # no number
        "#TRAILER,3,4",  # two of them
        "#TRAILER,three",
        "T,3",
        "3",
        "Jo,3",
        "Jo Doe: 3",
        "rows: -3",
        "#TRAILER,3,x",
        'Total records: 3"',
    ],
)
def test_what_could_be_half_a_row_is_none(line: str, tmp_path: Path) -> None:
    assert {code for code, _, _ in refused(f"{HEADER}{ROWS}{line}\n", tmp_path)} == {
        "export_malformed"
    }


@pytest.mark.parametrize("line", ["Total records: 3", "#TRAILER,3"])
def test_only_the_last_line_is_one(line: str, tmp_path: Path) -> None:
    text = f"{HEADER}{ROWS}{line}\n3,Al Poe,+493012345679,\n"
    assert refused(text, tmp_path)[0][:2] == ("export_malformed", 5)
    assert refused(f"{HEADER}{ROWS}{line}\n{line}\n", tmp_path)[0][:2] == ("export_malformed", 5)


@pytest.mark.parametrize("name", ["Count", "Contact", "Rows", "Footer", "Trailer", "eof", "Trl"])
def test_a_person_is_never_a_trailer(name: str, tmp_path: Path) -> None:
    """With an extension for a number, in the last row, as wide as the header."""
    found = read(f"{TWO}{name},1234\n", tmp_path)
    assert [record["full_name"] for record in values(found)] == ["Jo Doe", "Mo Roe", name]
    assert found.source.manifest == ""


def test_a_mark_that_no_name_is_may_be_as_wide_as_the_header(tmp_path: Path) -> None:
    for trailer in ("#TRAILER,2", "TRL,2", '"EOF","2"', "TRAILER,2"):
        assert read(f"{TWO}{trailer}\n", tmp_path).source.manifest == "rows"
    assert refused(f"{TWO}TRL,3\n", tmp_path)[0][0] == "manifest_mismatch"


def test_the_end_of_a_note_is_no_trailer(tmp_path: Path) -> None:
    """A cell that goes over several lines ends with its quote."""
    text = 'name,phone,note\nJo Doe,+49301234567,"asked for\nTotal records: 9"\n'
    assert read(text, tmp_path).source.records == 1
    text = 'name,phone,note\nJo Doe,+49301234567,"asked for\nTotal records: 9\n"\n'
    assert read(text, tmp_path).source.records == 1
    text = 'name,phone,note\nJo Doe,+49301234567,"asked for\nTotal records: 1\n'
    assert refused(text, tmp_path)[0][0] == "export_malformed"


def test_it_may_stand_below_a_report_s_footer(tmp_path: Path) -> None:
    footer = '\n"Nightly"\n"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."\n'
    found = described({"contacts.csv": f"{HEADER}{ROWS}{footer}(3 rows)\n\n".encode()}, tmp_path)
    assert not found.problems
    assert found.ignored == {
        "line without content": 2,
        "line of the report's footer": 2,
        "trailer with the number of records": 1,
    }
    assert "the trailer in row 8 agrees: 3 records" in found.notes


def test_blank_rows_are_no_records(tmp_path: Path) -> None:
    assert read(f"{HEADER}\n{ROWS},,,\n(3 rows)\n", tmp_path).source.manifest == "rows"


def test_nobody_and_a_trailer_is_still_an_empty_export(tmp_path: Path) -> None:
    assert [code for code, _, _ in refused(f"{HEADER}#TRAILER,0\n", tmp_path)] == ["export_empty"]


def test_the_number_of_rows_that_can_t_be_read_is_not_known(tmp_path: Path) -> None:
    text = f"{HEADER}{ROWS}4,half\n#TRAILER,4\n"
    assert [code for code, _, _ in refused(text, tmp_path)] == ["export_malformed"]


def test_of_a_split_export_each_part_has_one(tmp_path: Path) -> None:
    one, two = HEADER + ROWS + "(3 rows)\n", HEADER + ROWS.replace("\n", "0\n") + "(3 rows)\n"
    second = two.replace("0,Jo", "5,Jo").replace("1,Jo", "6,Jo").replace("2,Jo", "7,Jo")
    files = {"contacts_1.csv": one.encode(), "contacts_2.csv": second.encode()}
    options: Any = {"base": tmp_path, "mapping": {}, "now": NOW, "max_age_hours": 26}
    assert crm.read(written(files, tmp_path), **options).source.manifest == "rows"
    files["contacts_2.csv"] = second.replace("(3 rows)", "(4 rows)").encode()
    with pytest.raises(ExportRejected) as caught:
        crm.read(written(files, tmp_path), **options)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "contacts_2.csv, row 5: the trailer says 4 records, and 3 stand above it"
    )
    files["contacts_2.csv"] = second.replace("(3 rows)\n", "").encode()
    assert crm.read(written(files, tmp_path), **options).source.manifest == ""


def test_of_the_files_in_an_archive_each_has_one(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("contacts_1.csv", f"{HEADER}{ROWS}(3 rows)\n")
        archive.writestr("contacts_2.csv", f"{HEADER}3,Al Poe,+493012345679,\n")
    options: Any = {"base": tmp_path, "mapping": {}, "now": NOW, "max_age_hours": 26}
    half = written({"contacts.zip": packed.getvalue()}, tmp_path)
    assert crm.read(half, **options).source.manifest == ""
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("contacts_1.csv", f"{HEADER}{ROWS}(3 rows)\n")
        archive.writestr("contacts_2.csv", f"{HEADER}3,Al Poe,+493012345679,\n(1 row)\n")
    written({"contacts.zip": packed.getvalue()}, tmp_path)
    assert crm.read(half, **options).source.manifest == "rows"
