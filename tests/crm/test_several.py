"""Exports of several files, from the files to the records; and what spreadsheets do to numbers."""

from __future__ import annotations

import csv
import hashlib
import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from crm.test_packed import zipped
from crm.workbooks import workbook
from hypothesis import given
from hypothesis import strategies as st

from reconcile import crm
from reconcile.crm import formats
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from reconcile.model import CrmSnapshot

ONE = "id,name,phone,email\n1,Jo,+49301,jo@example.com\n2,Al,+49302,\n"
TWO = "email,phone,name,id\n\n,+49303,Mo,3\n"


@pytest.fixture
def parts(export: Any) -> tuple[Path, Path]:
    return export(ONE, name="contacts-1.csv", age_hours=2), export(TWO, name="contacts-2.csv")


def snapshot_of(source: str, base: Path, now: datetime) -> CrmSnapshot:
    return crm.read(source, base=base, mapping={}, now=now, max_age_hours=26)


def refused(base: Path, now: datetime, source: str = "contacts-*.csv") -> ExportRejected:
    with pytest.raises(ExportRejected) as caught:
        snapshot_of(source, base, now)
    return caught.value


@pytest.mark.usefixtures("parts")
def test_every_record_has_its_part_and_its_line(tmp_path: Path, now: datetime) -> None:
    snapshot = snapshot_of("contacts-*.csv", tmp_path, now)
    places = snapshot.records[["id", "part", "row"]].to_numpy().tolist()
    assert places == [
        ["1", "contacts-1.csv", 2],
        ["2", "contacts-1.csv", 3],
        ["3", "contacts-2.csv", 3],
    ]
    assert snapshot.records["phone:phone"].tolist() == ["+49301", "+49302", "+49303"]
    assert snapshot.text == ONE + TWO


@pytest.mark.usefixtures("parts")
def test_the_evidence_covers_all_that_is_parsed(tmp_path: Path, now: datetime) -> None:
    source = snapshot_of("contacts-*.csv", tmp_path, now).source
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in (ONE, TWO)]
    listed = f"contacts-1.csv\0{digests[0]}\ncontacts-2.csv\0{digests[1]}\n"
    assert source.sha256 == hashlib.sha256(listed.encode()).hexdigest()
    assert source.name == "contacts-1.csv and 1 more"
    assert source.format == 'csv; delimiter ","; 2 parts'
    assert source.size == len(ONE) + len(TWO)
    assert (now - source.generated_at).total_seconds() == 2 * 3600
    assert (source.rows, source.records, source.rejected) == (4, 3, 1)


def test_a_single_file_is_no_part(export: Any, tmp_path: Path, now: datetime) -> None:
    export(ONE)
    snapshot = snapshot_of("contacts.csv", tmp_path, now)
    assert snapshot.records["part"].tolist() == ["", ""]
    assert snapshot.source.sha256 == hashlib.sha256(ONE.encode()).hexdigest()


@pytest.mark.usefixtures("parts")
def test_an_id_in_two_parts_is_refused_with_both(
    export: Any, tmp_path: Path, now: datetime
) -> None:
    export(TWO.replace("Mo,3", "Mo,2"), name="contacts-2.csv")
    (problem,) = refused(tmp_path, now).problems
    assert (problem.code, problem.file, problem.row) == ("id_not_unique", "contacts-2.csv", 3)
    assert problem.message == "the same id stands in row 3 of contacts-1.csv"


@pytest.mark.usefixtures("parts")
def test_a_part_that_is_cut_off_refuses_all_and_is_named(
    export: Any, tmp_path: Path, now: datetime
) -> None:
    export(TWO[:-1], name="contacts-2.csv")
    error = refused(tmp_path, now)
    assert [(p.code, p.file) for p in error.problems] == [("export_truncated", "contacts-2.csv")]


def test_a_problem_in_an_archive_names_the_file_in_it(
    export: Any, tmp_path: Path, now: datetime
) -> None:
    export(zipped({"out/contacts.csv": b"id,name,phone\n1,Jo,1\n1,Al,2\n"}), name="x.zip")
    (problem,) = refused(tmp_path, now, "x.zip").problems
    assert (problem.code, problem.file) == ("id_not_unique", "out/contacts.csv")


def test_files_a_glob_and_a_folder_are_described_as_one_export(
    parts: Sequence[Path], tmp_path: Path
) -> None:
    for source in (parts, str(tmp_path / "contacts-*.csv"), tmp_path):
        shown = crm.describe(source, mapping={})
        assert shown.problems == ()
        assert (shown.records, shown.parts) == (3, ("contacts-1.csv", "contacts-2.csv"))


def test_files_that_are_named_must_be_all_parts(parts: Sequence[Path], export: Any) -> None:
    third = export(ONE, name="contacts-4.csv")
    shown = crm.describe([*parts, third], mapping={})
    assert [p.code for p in shown.problems] == ["export_incomplete"]
    assert "part 3 is missing" in shown.problems[0].message


@pytest.mark.usefixtures("parts")
def test_the_next_command_for_a_split_export_names_all_of_it(
    export: Any, tmp_path: Path, now: datetime
) -> None:
    export(TWO[:-1], name="contacts-2.csv")
    assert refused(tmp_path, now).hint.endswith(f"reconcile columns '{tmp_path}/contacts-*.csv'")


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5)


@given(data=st.data(), rows=st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=1, max_size=12))
def test_however_an_export_is_split_its_records_are_those_of_the_whole(
    data: st.DataObject, rows: list[tuple[str, str, str]]
) -> None:
    header = ("name", "phone", "note")
    marked = [(f"n{name}", phone, note) for name, phone, note in rows]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows)), max_size=3)) - {len(rows)})
    files = []
    for at, (start, end) in enumerate(pairwise([0, *cuts, len(rows)]), 1):
        order = data.draw(st.permutations(range(3)))
        text = io.StringIO(newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerows([[row[i] for i in order] for row in (header, *marked[start:end])])
        files.append((f"contacts-{at}.csv", text.getvalue().encode()))
    table = formats.read_files(files)
    assert table.problems == ()
    columns = dict(zip(table.header, table.cells, strict=True))
    found = zip(*(columns[name].to_pylist() for name in header), strict=True)
    assert list(found) == marked


def test_one_card_for_each_person_in_an_archive() -> None:
    card = "BEGIN:VCARD\nVERSION:3.0\nFN:{0}\n{1}END:VCARD\n"
    one, two = card.format("Jo", "TEL:+49301\n"), card.format("Mo", "EMAIL:mo@example.com\n")
    table = formats.read(zipped({"Jo.vcf": one.encode(), "Mo.vcf": two.encode()}))
    rows = zip(*(column.to_pylist() for column in table.cells), strict=True)
    assert table.header == ("FN", "TEL 1", "EMAIL 1")
    assert list(rows) == [("Jo", "+49301", ""), ("Mo", "", "mo@example.com")]


def test_a_workbook_in_an_archive_is_read() -> None:
    book = workbook([["Name", "Phone"], ["Jo", "+49301"]])
    assert formats.read(zipped({"contacts.xlsx": book}), format="xlsx").header == ("Name", "Phone")


# ---------------------------------------------------------------------------- lost digits


@pytest.mark.parametrize(
    ("cell", "lossy"),
    [
        ("4.91512E+11", 1),
        ("4,91512e+11", 1),
        ("4E+11", 1),
        ("mobil 4.91512E+11", 1),
        ("4.91512345678E+11", 0),
        ("+49 151 2345678", 0),
        ("EXTENSION E+1", 0),
        ("", 0),
    ],
)
def test_numbers_that_lost_their_digits_are_counted(read: Any, cell: str, lossy: int) -> None:
    source = read(f'id,name,phone,mobile\n1,Jo,"{cell}",1\n').source
    assert (source.numbers, source.lossy) == (1 + bool(cell), lossy)


def test_lost_digits_are_noted(export: Any) -> None:
    notes = crm.describe(export("id,name,phone\n1,Jo,4.91512E+11\n"), mapping={}).notes
    assert notes[0].startswith("1 numbers lost their last digits")


@pytest.mark.parametrize("bad", ["1.23E+17", "1,23e+17", "5E+5"])
def test_an_id_in_scientific_notation_is_refused(refusal: Any, bad: str) -> None:
    problems = refusal(f'id,name,phone\n"{bad}",Jo,1\n7,Mo,2\n"{bad}",Al,3\n').problems
    assert [(p.code, p.row, p.column) for p in problems] == [
        ("id_malformed", 2, "id"),
        ("id_malformed", 4, "id"),
    ]
    assert "spreadsheet program" in problems[0].message


@pytest.mark.parametrize("good", ["0031E5", "1E17", "zcrm_1E+17", "a+E+b", "12E+3"])
def test_an_id_with_an_e_in_it_is_an_id(read: Any, good: str) -> None:
    assert read(f"id,name,phone\n{good},Jo,1\n").records["id"].tolist() == [good]


# ---------------------------------------------------------------------------- country


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Country", "country"),
        ("Mailing Country", "country"),
        ("Billing Address Country", "company_country"),
        ("Account.BillingCountry", "company_country"),
        ("Company Country", "company_country"),
    ],
)
def test_the_countries_of_record_and_company_are_kept_apart(
    read: Any, header: str, column: str
) -> None:
    records = read(f"id,name,phone,{header}\n1,Jo,1,Österreich\n").records
    found = {name: records[name].tolist() for name in ("country", "company_country")}
    assert found == {"country": [""], "company_country": [""]} | {column: ["Österreich"]}
