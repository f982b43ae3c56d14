from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from crm.workbooks import Sheet, Xml, archive, dated, error, formula, sheet_xml, workbook
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.crm.columns import is_header
from reconcile.crm.formats import spreadsheet
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm.workbooks import Cell

    from reconcile.crm.formats import Table

HEAD = ("Record ID", "First Name", "Phone Number", "Email")
ADA = ("1", "Ada", "+49 30 123456", "ada@example.com")
BEN = ("2", "Ben", "+49 30 654321", "ben@example.com")


def parse(content: bytes) -> Table:
    assert spreadsheet.recognises(content)
    return spreadsheet.read(content, is_header=is_header)


def sheet(*rows: Sequence[Cell]) -> Table:
    return parse(workbook(rows))


def rows_of(table: Table) -> list[tuple[str, ...]]:
    assert table.problems == ()
    return list(zip(*(column.to_pylist() for column in table.cells), strict=True))


def wrong(table: Table) -> list[tuple[str, int | None, str]]:
    assert table.cells == ()
    return [(p.code, p.row, p.column) for p in table.problems]


def refused(content: bytes) -> tuple[str, str]:
    with pytest.raises(ExportRejected) as caught:
        spreadsheet.read(content, is_header=is_header)
    (problem,) = caught.value.problems
    return problem.code, problem.message


def raw(cells: str, *, after: str = "") -> bytes:
    """A sheet with these rows as XML."""
    xml = sheet_xml(Sheet(after=after)).replace("</sheetData>", f"{cells}</sheetData>")
    return workbook(Sheet(xml=xml))


def below(*cells: Cell) -> list[str]:
    """What a row is read as that stands below a header."""
    width = len(cells)
    table = sheet(["Name", "Phone", *(f"Field {at}" for at in range(width))], ["A", "1", *cells])
    return list(rows_of(table)[0][2:])


# ---------------------------------------------------------------------------- goldens


def test_hubspot() -> None:
    header = ["Record ID", "First Name", "Last Name", "Email", "Phone Number", "Create Date"]
    ada = [
        "51",
        "Ada",
        "Álvarez",
        "ada@example.com",
        "+49 30 123456",
        dated(45363.384722222225, "time"),
    ]
    ben = [52.0, "Ben", None, None, 4915112345678.0, dated(45364, "date")]
    content = workbook(
        Sheet(rows=[header, ada, ben], name="hubspot-crm-exports-all-contacts"),
        shared=[*header, "Ada", "Álvarez", "ada@example.com"],
    )
    table = parse(content)
    assert table.header == tuple(header)
    assert rows_of(table) == [
        ("51", "Ada", "Álvarez", "ada@example.com", "+49 30 123456", "2024-03-12T09:14:00"),
        ("52", "Ben", "", "", "4915112345678", "2024-03-13"),
    ]
    assert table.format == 'xlsx; sheet "hubspot-crm-exports-all-contacts"'
    assert table.lines.tolist() == [2, 3]
    assert (table.header_row, table.encoding, table.ignored) == (1, "utf-8", {})


def test_pipedrive_with_several_numbers_in_a_cell() -> None:
    header = ["Person - ID", "Person - Name", "Person - Phone - Work", "Person - Email - Work"]
    table = sheet(
        header, [7.0, "Ada", "+49 30 1, +49 151 2", "ada@example.com"], [8, "Ben", 30123.0]
    )
    assert rows_of(table) == [
        ("7", "Ada", "+49 30 1, +49 151 2", "ada@example.com"),
        ("8", "Ben", "30123", ""),
    ]


def test_dynamics_with_hidden_columns_a_config_sheet_and_prefixed_xml() -> None:
    header = [
        "(Do Not Modify) Contact",
        "(Do Not Modify) Row Checksum",
        "(Do Not Modify) Modified On",
        " Full Name",
        "Business Phone",
    ]
    guid = "f0a1c0de-0000-4000-8000-000000000001"
    row = [guid, "abc=", dated(45363.5, "time"), " Ada Álvarez", "030 123"]
    hidden = '<x:cols><x:col min="1" max="3" width="0" hidden="1" customWidth="1"/></x:cols>'
    config = Sheet(rows=[["Name", "Phone"], ["x", "y"]], name="hiddenSheet", state="veryHidden")
    table = parse(
        workbook(
            Sheet(rows=[header, row], name="My Contacts - Active", before=hidden),
            config,
            prefix="x",
        )
    )
    assert table.header == tuple(header)
    assert rows_of(table) == [(guid, "abc=", "2024-03-12T12:00:00", " Ada Álvarez", "030 123")]
    assert table.ignored == {"row of another sheet": 2}


def test_odoo_grouped_list() -> None:
    rows = [
        ["Name", "Phone", "Email"],
        ["Azure (2)", "", ""],
        ["    Berlin (1)", "", "12.5"],
        ["Ada", "+49 30 1", "ada@example.com"],
        ["    Bonn (1)"],
        ["Ben"],
        ["Undefined (1)"],
        ["Cy", "+49 30 3", ""],
    ]
    table = sheet(*rows)
    assert [row[0] for row in rows_of(table)] == ["Ada", "Ben", "Cy"]
    assert table.lines.tolist() == [4, 6, 8]
    assert table.ignored == {"row of a group": 4}


def test_a_sheet_of_one_column_has_no_subitems() -> None:
    assert rows_of(sheet(["Name"], ["Subitems"], ["Ada"])) == [("Subitems",), ("Ada",)]


def test_a_group_that_lost_a_record_is_refused() -> None:
    rows = [
        ["Name", "Phone"],
        ["Azure (3)"],
        ["Ada", "1"],
        ["Ben", "2"],
        ["Other (1)"],
        ["Cy", "3"],
    ]
    assert wrong(sheet(*rows)) == [("export_malformed", 2, "")]


def test_a_record_that_looks_like_a_group_but_has_an_address_is_a_record() -> None:
    table = sheet(
        ["Name", "Email"], ["Azure (1)", "azure@example.com"], ["Ben (1)"], ["Cy", "c@x.y"]
    )
    assert len(rows_of(table)) == 3


def test_a_record_with_only_its_first_cell_is_a_record() -> None:
    table = sheet(HEAD, ADA, ["17"], ["18 (2)"], BEN)
    assert [row[0] for row in rows_of(table)] == ["1", "17", "18 (2)", "2"]


# ---------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("007", "007"),
        ("NA", "NA"),
        (49151234567.0, "49151234567"),
        (-3.0, "-3"),
        (Xml("", "<v>4.9151234567E10</v>"), "49151234567"),
        (9007199254740991.0, "9007199254740991"),
        (1.5, "1.5"),
        (0.1 + 0.2, "0.3"),
        (0.0000001, "0.0000001"),
        (True, "true"),
        (False, "false"),
        (dated(5551234567, "phone"), "5551234567"),
        (dated(4915112345678, "date"), "4915112345678"),
        (dated(0.5, "time"), "12:00:00"),
        (Xml('t="d"', "<v>2024-03-12T09:14:00</v>"), "2024-03-12T09:14:00"),
        (formula("A1+B1", "<v>12</v>"), "12"),
        (Xml('t="str"', "<f>A1</f><v>a &amp; b</v>"), "a & b"),
        (Xml('t="str"', "<f>A1</f><v></v>"), ""),
        ("two\nlines\r\nthree", "two\nlines\r\nthree"),
        (Xml('t="str"', "<v>one_x000D_\ntwo</v>"), "one\r\ntwo"),
        (
            Xml('t="inlineStr"', "<is><r><t>bo</t></r><r><rPr><b/></rPr><t>ld</t></r></is>"),
            "bold",
        ),
        (Xml('t="inlineStr"', '<is><t>a</t><rPh sb="0" eb="1"><t>b</t></rPh></is>'), "a"),
        (Xml('t="inlineStr"', "<is><t><![CDATA[a<b]]></t></is>"), "a<b"),
    ],
)
def test_a_cell_is_what_a_person_would_type(cell: Cell, text: str) -> None:
    assert below(cell, "end") == [text, "end"]


def test_error_cells_are_empty_and_counted() -> None:
    table = sheet(HEAD, ["1", "Ada", error("#N/A"), error("#REF!")], BEN)
    assert rows_of(table)[0] == ("1", "Ada", "", "")
    assert table.format.endswith('"Contacts"; 2 error cells (#N/A and the like) read as empty')


def test_an_error_that_is_not_known_is_refused() -> None:
    assert refused(workbook([HEAD, ["1", error("#WHO?")]]))[0] == "export_malformed"


def test_numbers_that_lost_digits_are_refused_with_their_place() -> None:
    table = sheet(HEAD, ADA, [12345678901234567890.0, "Ben", 9007199254740992.0, float("nan")])
    assert wrong(table) == [("export_malformed", 3, name) for name in HEAD if name != "First Name"]
    assert "9007" not in "".join(map(str, table.problems))


def test_numbers_that_lost_digits_above_the_header_do_no_harm() -> None:
    assert rows_of(sheet([1e300], HEAD, ADA)) == [ADA]


@pytest.mark.parametrize("result", ["", "<v/>", "<v></v>"])
def test_a_formula_without_its_result_is_refused(result: str) -> None:
    table = sheet(HEAD, ["1", "Ada", formula("B2", result), "x"])
    assert wrong(table) == [("export_malformed", 2, "Phone Number")]


def test_a_formula_without_its_result_at_the_end_is_refused() -> None:
    table = sheet(["Name", "Phone"], ["Ada", "1"], [formula("B2", ""), formula("B2", "")])
    assert [row for _, row, _ in wrong(table)] == [3, 3]


def test_formulas_in_excels_additions_are_no_cells() -> None:
    after = '<extLst><ext uri="x"><f>A1</f></ext></extLst>'
    styled = Xml('s="1"', "")
    assert rows_of(parse(workbook(Sheet(rows=[HEAD, [*ADA, styled]], after=after)))) == [ADA]


def test_cells_without_their_place_follow_each_other() -> None:
    text = '<c t="inlineStr"><is><t>{}</t></is></c>'
    rows = [("Name", "Phone"), ("Ada", "1")]
    xml = "".join(f"<row>{''.join(map(text.format, row))}</row>" for row in rows)
    assert rows_of(parse(raw(xml))) == [("Ada", "1")]


def test_the_whole_text_is_there_for_the_veto() -> None:
    notes = Sheet(rows=[["call 030 999"]], name="Notes")
    config = Sheet(rows=[["030 888"]], name="Config", state="veryHidden")
    rows = [["Report 030 777"], HEAD, ADA, [], [*BEN, "030 666"]]
    table = parse(workbook(Sheet(rows=rows), notes, config))
    for part in (*ADA, *BEN, "030 999", "030 888", "030 777", "030 666"):
        assert part in table.text
    assert table.text.endswith("\n")


# ---------------------------------------------------------------------------- the header


def test_titles_above_the_header_and_rows_without_content_are_counted() -> None:
    table = sheet(["Contacts"], [], ["made on", "Monday"], HEAD, ADA, [], [None, " "], BEN)
    assert rows_of(table) == [ADA, BEN]
    assert table.header_row == 4
    assert table.lines.tolist() == [5, 8]
    assert table.ignored == {"row without content": 3, "title above the header": 2}


def test_a_header_below_the_first_rows_is_not_looked_for() -> None:
    titles = [[str(at), "x"] for at in range(spreadsheet.HEADER_ROWS - 1)]
    assert sheet(*titles, HEAD, ADA).header == HEAD
    assert sheet(*titles, ["x"], HEAD, ADA).header[:2] == ("0", "x")


def test_headers_that_are_not_known_are_shown_without_the_titles_above() -> None:
    table = sheet(["Report"], ["Wer", "Womit"], ["Ada", "030"])
    assert (table.header, table.header_row) == (("Wer", "Womit"), 2)
    assert rows_of(table) == [("Ada", "030")]
    assert table.ignored == {"title above the header": 1}


def test_a_column_without_header_is_kept_if_it_has_content() -> None:
    table = sheet([*HEAD, None, None], [*ADA, None, "x"])
    assert table.header == (*HEAD, "", "")
    assert rows_of(table) == [(*ADA, "", "x")]


def test_columns_that_nothing_stands_in_are_left_out() -> None:
    assert sheet(["a", "b", "c", "d", "e", "title"], HEAD, ADA).header == HEAD


def test_a_sheet_that_begins_further_in_keeps_its_rows() -> None:
    table = sheet([], [], [None, *HEAD], [None, *ADA])
    assert table.header == ("", *HEAD)
    assert (table.header_row, table.lines.tolist()) == (3, [4])


def test_the_one_sheet_with_a_header_is_read() -> None:
    notes = Sheet(rows=[["Notes"], ["about the export"]], name="Read me")
    chart = Sheet(name="Nothing")
    table = parse(workbook(notes, chart, Sheet(rows=[HEAD, ADA], name="People")))
    assert rows_of(table) == [ADA]
    assert table.format == 'xlsx; sheet "People"'
    assert table.ignored == {"row of another sheet": 2}


def test_several_sheets_with_a_header_are_refused_with_their_names() -> None:
    sheets = [Sheet(rows=[HEAD, ADA], name=name) for name in ("New", "Old & gone")]
    code, message = refused(workbook(*sheets))
    assert (code, message) == (
        "header_unknown",
        'the sheets "New" and "Old & gone" each have a header, and only one can be read',
    )


def test_several_sheets_without_a_header_are_refused_with_their_names() -> None:
    code, message = refused(workbook(*(Sheet(rows=[["x"]], name=name) for name in "AB")))
    assert code == "header_unknown"
    assert 'the sheets "A" and "B" have no header' in message


def test_a_hidden_sheet_is_read_like_others() -> None:
    hidden = Sheet(rows=[HEAD, ADA], state="hidden")
    assert rows_of(parse(workbook(hidden))) == [ADA]


@pytest.mark.parametrize("rows", [[], [["", " "]]])
def test_a_workbook_without_content_is_empty(rows: list[list[str]]) -> None:
    assert refused(workbook(rows, Sheet(rows=[HEAD, ADA], state="veryHidden")))[0] == "export_empty"


def test_a_header_without_records_is_empty() -> None:
    assert wrong(sheet(["Contacts"], HEAD, [], HEAD)) == [("export_empty", 2, "")]


# ---------------------------------------------------------------------------- no records


def test_a_repeated_header_is_no_record() -> None:
    table = sheet(HEAD, ADA, [f" {text}" for text in HEAD], BEN)
    assert rows_of(table) == [ADA, BEN]
    assert table.ignored == {"header repeated": 1}


def test_titles_of_repeated_headers_are_no_records() -> None:
    table = sheet(["Board"], ["Group A"], HEAD, ADA, [], ["Group B"], HEAD, BEN)
    assert rows_of(table) == [ADA, BEN]
    assert table.ignored == {
        "row without content": 1,
        "title above the header": 2,
        "title of a group": 1,
        "header repeated": 1,
    }


def test_a_record_above_a_repeated_header_stays() -> None:
    table = sheet(HEAD, ADA, ["17"], HEAD, BEN)
    assert [row[0] for row in rows_of(table)] == ["1", "17", "2"]


@pytest.mark.parametrize(
    "other",
    [
        ("Subitems", "First Name", "Email"),
        ("First Name", "Email", "Mobile", "Fax", "Notes"),
        ("Wer", "Name", "Telefon"),
        ("Full Name", "Handy"),
    ],
)
def test_another_header_in_the_same_sheet_is_refused(other: tuple[str, ...]) -> None:
    assert wrong(sheet(HEAD, ADA, other, ["x", "Cy"], BEN)) == [("export_malformed", 3, "")]


def test_a_person_without_any_digit_is_a_record() -> None:
    table = sheet(HEAD, ADA, ("x", "Cy", "Doe", "Example"), BEN)
    assert [row[0] for row in rows_of(table)] == ["1", "x", "2"]


def test_a_person_who_is_called_like_headers_is_a_record() -> None:
    person = ("3", "Email", "+49 30 5", "Phone Number")
    assert rows_of(sheet(HEAD, ADA, person)) == [ADA, person]


def test_the_footer_of_a_salesforce_report_is_no_record() -> None:
    footer = [
        ["All contacts"],
        ["Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."],
        ["Confidential Information - Do Not Distribute"],
    ]
    table = sheet(HEAD, ADA, ["17"], [], *footer)
    assert [row[0] for row in rows_of(table)] == ["1", "17"]
    assert table.ignored == {"row without content": 1, "row of the report's footer": 3}


def test_single_cells_at_the_end_without_the_mark_are_records() -> None:
    table = sheet(HEAD, ADA, [], ["All contacts"], ["Bye"])
    assert len(rows_of(table)) == 3


@pytest.mark.parametrize(
    "row",
    [
        ["Total"],
        ["Summe"],
        [None, "Total:", 2.0],
        ["Total (2 records)"],
        ["Total", None, "2"],
        ["Gesamt: 2"],
    ],
)
def test_a_row_of_totals_is_no_record(row: list[Cell]) -> None:
    table = sheet(HEAD, ADA, BEN, row)
    assert rows_of(table) == [ADA, BEN]
    assert table.ignored == {"row of totals": 1}


@pytest.mark.parametrize(
    "row",
    [["Total", None, "030 123456"], ["Total", 3.0], ["Total Energies"], ["Total (3 records)"]],
)
def test_somebody_called_total_is_a_record(row: list[Cell]) -> None:
    assert len(rows_of(sheet(HEAD, ADA, BEN, row))) == 3


def test_a_total_that_is_not_the_last_row_is_a_record() -> None:
    assert len(rows_of(sheet(HEAD, ["Total"], ADA))) == 2
    assert len(rows_of(sheet(HEAD, ["Total"]))) == 1


# ---------------------------------------------------------------------------- merged cells


def merged(rows: Sequence[Sequence[Cell]], area: str) -> Table:
    cells = f'<mergeCells count="1"><mergeCell ref="{area}"/></mergeCells>'
    return parse(workbook(Sheet(rows=rows, after=cells)))


@pytest.mark.parametrize(("area", "row"), [("A3:A4", 3), ("B2:C2", 2), ("A2:A3", 2)])
def test_cells_merged_over_headers_or_records_are_refused(area: str, row: int) -> None:
    found = merged([["Contacts"], HEAD, ADA, BEN], area)
    expected = [] if area == "A2:A3" else [("export_malformed", row, "")]
    assert [(p.code, p.row, p.column) for p in found.problems] == expected


@pytest.mark.parametrize("area", ["A1:D1", "A3:B3"])
def test_cells_merged_in_a_title_or_within_a_record_do_no_harm(area: str) -> None:
    assert len(rows_of(merged([["Contacts"], HEAD, ADA, BEN], area))) == 2


# ---------------------------------------------------------------------------- other files


def test_other_kinds_of_spreadsheet_are_refused_by_name() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    mimetype = "application/vnd.oasis.opendocument.spreadsheet"
    plain = workbook([HEAD, ADA])
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as file:
        file.writestr("mimetype", mimetype)
    with zipfile.ZipFile(io.BytesIO(plain)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    locked = ole + "EncryptedPackage".encode("utf-16-le") + bytes(64)
    for content, what in (
        (ole, "an old Excel workbook (XLS)"),
        (locked, "protected by a password"),
        (stored.getvalue(), "an OpenDocument file (ODS)"),
        (archive({**parts, "xl/workbook.bin": b"x"}), "a binary Excel workbook (XLSB)"),
        (archive({"_rels/.rels": "<a/>", "word/document.xml": "<a/>"}), "without a workbook"),
    ):
        assert spreadsheet.recognises(content)
        code, message = refused(content)
        assert code == "export_wrong_format"
        assert what in message


def test_only_spreadsheets_are_recognised() -> None:
    odd_order = archive({"readme.txt": b"x", "xl/workbook.xml": "<a/>"})
    assert spreadsheet.recognises(odd_order)
    zipped = archive({"Contacts_001.csv": b"a,b\n"})
    for content in (b"", b"a,b\n", zipped, zipped[:20], zipped[:-5], b"PK\x03\x04"):
        assert not spreadsheet.recognises(content)


def test_a_part_that_is_encrypted_is_named_as_such() -> None:
    content = bytearray(workbook([HEAD, ADA]))
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    assert "protected by a password" in refused(bytes(content))[1]


# ---------------------------------------------------------------------------- cut and damaged


def test_a_workbook_cut_at_any_place_is_refused() -> None:
    whole = workbook([HEAD, ADA, BEN], shared=HEAD)
    for end in range(4, len(whole), 7):
        assert refused(whole[:end])[0] == "export_truncated"


def test_a_workbook_with_any_byte_changed_is_refused_or_read_the_same() -> None:
    whole = workbook([HEAD, ADA, BEN], shared=HEAD)
    expected = rows_of(parse(whole))
    for at in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x20
        try:
            table = spreadsheet.read(bytes(damaged), is_header=is_header)
        except ExportRejected:
            continue
        assert rows_of(table) == expected


@pytest.mark.parametrize("name", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_part_cut_at_any_place_is_refused(name: str) -> None:
    whole = workbook([HEAD, ADA], shared=HEAD)
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        parts = {part: file.read(part) for part in file.namelist()}
    for end in range(0, len(parts[name]), 7):
        content = archive({**parts, name: parts[name][:end]})
        assert refused(content)[0] == "export_malformed"


@pytest.mark.parametrize(
    "name",
    ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/_rels/workbook.xml.rels"],
)
def test_a_workbook_without_one_of_its_parts_is_refused(name: str) -> None:
    assert refused(workbook([HEAD, ADA], shared=HEAD, parts={name: None}))[0] == "export_malformed"


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        '<row r="1"><c r="1A"><v>1</v></c></row>',
        '<row r="1"><c r="A"><v>1</v></c></row>',
        '<row r="1"><c r="7"><v>1</v></c></row>',
        '<row r="1"><c r="A1A"><v>1</v></c></row>',
        '<row r="1"><c r="A-1"><v>1</v></c></row>',
        '<row r="1"><c r="Ä1"><v>1</v></c></row>',
        '<row r="A"><c><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>99</v></c></row>',
        '<row r="1"><c r="A1" t="odd"><v>1</v></c></row>',
        '<row r="1"><v>1</v></row>',
        '<row r="1"></row><v>1</v>',
    ],
)
def test_cells_that_break_the_rules_are_refused(cells: str) -> None:
    assert refused(raw(cells))[0] == "export_malformed"


def test_two_parts_of_one_name_are_refused() -> None:
    parts = {"xl/Worksheets/SHEET1.xml": sheet_xml(Sheet(rows=[HEAD, BEN]))}
    assert "same name" in refused(workbook([HEAD, ADA], parts=parts))[1]


def test_every_part_is_followed_to_its_end() -> None:
    twice = workbook([HEAD, ADA], parts={"docProps/app.xml": "<a><b></a>"})
    assert "docProps/app.xml" in refused(twice)[1]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_parts_in_other_encodings_are_refused(encoding: str) -> None:
    xml = sheet_xml(Sheet(rows=[HEAD, ADA]))
    declared = f'<?xml version="1.0" encoding="{encoding}"?>{xml}'.encode(encoding)
    assert refused(workbook(Sheet(xml=declared)))[0] == "export_wrong_format"


def test_a_sheet_whose_name_is_read_in_two_ways_is_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(workbook([HEAD, ADA]))) as file:
        book = file.read("xl/workbook.xml").replace(b'"Contacts"', b'"Con\ntacts"')
    code, message = refused(workbook([HEAD, ADA], parts={"xl/workbook.xml": book}))
    assert (code, "not those of its list" in message) == ("export_malformed", True)


def test_utf_16_without_declaration_is_refused() -> None:
    xml = sheet_xml(Sheet(rows=[HEAD, ADA])).encode("utf-16")
    assert refused(workbook(Sheet(xml=xml)))[0] == "export_wrong_format"


# ---------------------------------------------------------------------------- bombs


def test_entities_are_refused_before_they_grow() -> None:
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]>' + sheet_xml(Sheet(rows=[HEAD]))
    assert "document type" in refused(workbook(Sheet(xml=xml)))[1]


def test_what_unpacks_to_gigabytes_is_refused_by_its_list_of_parts() -> None:
    content = bytearray(workbook([HEAD, ADA]))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    code, message = refused(bytes(content))
    assert code == "export_too_large"
    assert "bytes when it is unpacked; the limit is 1,073,741,824" in message


def test_a_part_larger_than_the_list_says_is_refused() -> None:
    content = bytearray(workbook([HEAD, ADA]))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refused(bytes(content))[0] == "export_malformed"


def test_too_many_parts_are_refused() -> None:
    parts = {f"xl/media/{at}.png": b"" for at in range(spreadsheet.PARTS_LIMIT)}
    assert "parts" in refused(workbook([HEAD, ADA], parts=parts))[1]


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ('<row r="1"><c r="BDWGO1"><v>1</v></c></row>', "1,000,001 columns"),
        ('<row r="1"><c r="A9999999"><v>1</v></c></row>', "9,999,999 rows"),
        ('<row r="9999999"><c><v>1</v></c></row>', "9,999,999 rows"),
        (
            '<row r="1"><c r="A1"><v>1</v></c></row><row r="9"><c r="XFD99999"><v>1</v></c></row>',
            "1,638,383,616 cells",
        ),
    ],
)
def test_a_sheet_of_impossible_size_is_refused(cells: str, what: str) -> None:
    code, message = refused(raw(cells))
    assert code == "export_too_large"
    assert what in message


def test_a_far_cell_without_content_does_no_harm() -> None:
    far = '<row r="9999"><c r="XFD9999" s="1"/></row>'
    xml = sheet_xml(Sheet(rows=[HEAD, ADA])).replace("</sheetData>", f"{far}</sheetData>")
    assert rows_of(parse(workbook(Sheet(xml=xml)))) == [ADA]


def long_texts(times: int) -> bytes:
    """A sheet that names one long text so many times."""
    text = "x" * (1024**2)
    rows = [["Name", "Phone"], *([text, "1"] for _ in range(times))]
    return workbook(Sheet(rows=rows), shared=[text])


def test_a_long_text_that_is_named_too_often_is_refused() -> None:
    code, message = refused(long_texts(spreadsheet.TEXT_LIMIT // 1024**2 + 1))
    assert code == "export_too_large"
    assert "bytes of text" in message


def test_one_long_text_among_many_short_ones_is_read() -> None:
    text, times = "x" * 1024**2, spreadsheet.TEXT_LIMIT // 1024**2 + 1
    rows = [["Name", "Phone"], [text, "1"], *(["Ada", "1"] for _ in range(times))]
    assert len(rows_of(parse(workbook(Sheet(rows=rows), shared=[text, "Ada"])))) == times + 1


def test_a_text_that_is_not_there_is_refused_before_texts_are_counted() -> None:
    far = Xml('t="s"', "<v>7</v>")
    text, times = "x" * 1024**2, spreadsheet.TEXT_LIMIT // 1024**2 + 1
    rows = [["Name", "Phone"], *([far, "1"] for _ in range(times))]
    assert refused(workbook(Sheet(rows=rows), shared=[text]))[0] == "export_malformed"


# ---------------------------------------------------------------------------- any table

TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t").filter(
        lambda c: c not in "\ufffe\uffff"
    ),
    max_size=12,
).filter(lambda text: "_x" not in text)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6).filter(
        lambda rows: all(any(text.strip() for text in row) for row in rows)
    ),
    st.booleans(),
)
def test_any_table_of_texts_is_read_back(rows: list[tuple[str, ...]], shared: bool) -> None:  # noqa: FBT001 - drawn
    header = ("Full Name", "Mobile Phone", "Notes")
    texts = sorted({text for row in rows for text in row}) if shared else None
    end = ("the end", "030 1", "x")
    table = parse(workbook([header, *rows, end], shared=texts))
    assert rows_of(table) == [*rows, end]
    assert all(text in table.text for row in rows for text in row)


def test_a_large_sheet_keeps_every_row() -> None:
    rows = [[str(at), "Ada", f"030 {at}", ""] for at in range(17_000)]
    table = sheet(HEAD, *rows)
    assert rows_of(table) == [tuple(row) for row in rows]
    assert np.array_equal(table.lines, np.arange(2, 17_002))
