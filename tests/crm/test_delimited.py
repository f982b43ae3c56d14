from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.crm.columns import is_header
from reconcile.crm.formats import delimited, read
from reconcile.crm.formats.limits import CELL_LIMIT
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from reconcile.crm.formats import Table


def rows_of(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(column.to_pylist() for column in table.cells), strict=True))


def parse(text: str) -> Table:
    return delimited.read(text.encode(), is_header=is_header)


def wrong(text: str) -> list[tuple[str, int | None, str]]:
    """Code, row and column of each problem with a text that has at least a header."""
    table = parse(text)
    assert table.cells == ()
    return [(p.code, p.row, p.column) for p in table.problems]


# ---------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_cell_stays_the_text_that_it_is(delimiter: str, end: str) -> None:
    cells = ["id", "name", "phone", "007", "NA", "+49 30 123", "1.50", "null", "true"]
    lines = [delimiter.join(cells[at : at + 3]) for at in (0, 3, 6)]
    table = parse(end.join([*lines, ""]))
    assert table.header == ("id", "name", "phone")
    assert rows_of(table) == [("007", "NA", "+49 30 123"), ("1.50", "null", "true")]
    assert table.lines.tolist() == [2, 3]
    assert table.delimiter == delimiter


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends() -> None:
    table = parse('id,note\n1,"a, ""b""\r\nc"\n2,""\n3,"x"\n')
    assert rows_of(table) == [("1", 'a, "b"\nc'), ("2", ""), ("3", "x")]
    assert table.lines.tolist() == [2, 4, 5]


def test_mixed_line_ends_are_fine() -> None:
    assert rows_of(parse("a,b\r1,2\r\n3,4\n")) == [("1", "2"), ("3", "4")]


def test_lines_without_content_are_counted_and_no_records() -> None:
    table = parse("a,b\n\n1,2\n,\n\n3,4\n\n\n")
    assert rows_of(table) == [("1", "2"), ("3", "4")]
    assert table.lines.tolist() == [3, 6]
    assert table.ignored == {"line without content": 5}


def test_a_blank_before_a_header_is_no_part_of_it_but_one_before_a_cell_is() -> None:
    table = parse('"First Name", "Last Name", "Phone"\n"Jo"," Doe",1\n')
    assert table.header == ("First Name", "Last Name", "Phone")
    assert rows_of(table) == [("Jo", " Doe", "1")]


def test_a_header_may_hold_a_line_end_and_rows_are_still_counted_right() -> None:
    table = parse('"Phone\n(office)",b\n1,2\n')
    assert table.header == ("Phone\n(office)", "b")
    assert table.lines.tolist() == [3]


@pytest.mark.parametrize("cell", ['="0301234567"', '="+49 30, 1234567"', '=""'])
def test_a_number_that_is_written_for_excel_is_one_cell(cell: str) -> None:
    table = parse(f"a,b,c\n{cell},1,{cell}\n2,{cell},3\n4,5,6\n")
    assert rows_of(table) == [(cell, "1", cell), ("2", cell, "3"), ("4", "5", "6")]
    assert cell in table.text
    doubled = cell.replace('"', '""')
    assert rows_of(parse(f'a,b\n"{doubled}",1\n')) == [(cell, "1")]


def test_delimiters_inside_quoted_headers_do_not_count() -> None:
    assert parse('"a, b, c";d\n1;2\n').header == ("a, b, c", "d")


def test_prose_with_commas_and_line_ends_is_no_swallowed_row() -> None:
    table = parse('id,name,note\n1,Jo,"Call, then write,\nmaybe, or not."\n')
    assert len(rows_of(table)) == 1


def test_a_row_longer_than_a_block_of_the_parser_is_read_whole() -> None:
    width = 80
    header = ",".join(f"c{i}" for i in range(width))
    row = ",".join(["x" * CELL_LIMIT] * width)
    table = parse(f"{header}\n{row}\n")
    assert [len(cell) for cell in rows_of(table)[0]] == [CELL_LIMIT] * width


# ---------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a,b\n1,2\n3\n", [("export_malformed", 3, "")]),
        ("a,b\n1,2,3\n4,5\n6\n", [("export_malformed", 2, ""), ("export_malformed", 4, "")]),
        ('a,b\n1,"x"y\n', [("export_malformed", 2, "b")]),
        ('a,b\n1,="x"y\n', [("export_malformed", 2, "b")]),
        ('a,b\n1,="x\n', [("export_malformed", 2, "b")]),
        ('a,b\n1,x"y\n2,z"\n', [("export_malformed", 2, "b")]),
        ('a,b\n1,"x\n2,y\n', [("export_malformed", 2, "b")]),
        ('a,b\n1,2\n3, "x"\n', [("export_malformed", 3, "b")]),
        ('a,b\n1,2,"x"y\n', [("export_malformed", 2, "")]),
        ('a,b\n"1\n","x"y\n', [("export_malformed", 3, "b")]),
        ("a,b\n1,2\n3,", [("export_truncated", 3, "")]),
        ('a,b\n1,2\n3,"x"', [("export_truncated", 3, "")]),
        ("a,b\n1\n3,4", [("export_truncated", 3, ""), ("export_malformed", 2, "")]),
        ("a,b\n", [("export_empty", 1, "")]),
        ("a,b\n,\n\n", [("export_empty", 1, "")]),
        (f"a,b\n1,2\n3,{'x' * (CELL_LIMIT + 1)}\n", [("export_malformed", 3, "b")]),
    ],
)
def test_what_breaks_the_rules_is_refused_with_row_and_column(
    text: str, problems: list[tuple[str, int | None, str]]
) -> None:
    assert wrong(text) == problems


@pytest.mark.parametrize("swallowed", [1, 2, 5])
def test_two_lost_quotes_that_swallow_whole_rows_are_refused(swallowed: int) -> None:
    rows = [f"{i},Jo,Doe,{i}" for i in range(swallowed + 1)]
    rows[0], rows[-1] = '0,"Jo,Doe,0', f'{swallowed},Jo",Doe,{swallowed}'
    text = "\n".join(["id,first,last,phone", *rows, "9,Jo,Doe,9", ""])
    assert wrong(text) == [("export_malformed", 2, "first")]


def test_many_problems_of_a_kind_are_listed_up_to_ten_and_counted() -> None:
    problems = parse("a,b\n" + "1\n" * 1234).problems
    assert len(problems) == 11
    assert problems[-1].message == "and 1,224 more rows like these"
    assert problems[-1].row is None


def test_a_cell_is_named_but_never_shown() -> None:
    problems = parse('a,b\n1,"Doe"x\n').problems
    assert "Doe" not in "".join(map(str, problems))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a,b", "export_truncated"),
        ("a;b,c\n1\n", "export_malformed"),
        ("a|b\n1|2\n", "export_malformed"),
        ('"a,b\n1,2\n', "export_malformed"),
        ('"a"b,c\n1,2\n', "export_malformed"),
    ],
)
def test_a_header_that_cant_be_read_refuses_the_file(text: str, code: str) -> None:
    with pytest.raises(ExportRejected) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.row) == (code, 1)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\n <!DOCTYPE html>\n<html>", "an HTML page"),
        (b"\xef\xbb\xbf<HTML><body>Login", "an HTML page"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html>\n<html>', "an HTML page"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "an XML document"),
        (b"<html xmlns:x='urn:schemas-microsoft-com:office:excel'><body>", "call an Excel file"),
        (b"\n<table><tr><td>Name</td>", "call an Excel file"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "Excel 2003"),
        (b'{"error": "expired"}', "it says that an error happened"),
        (b"%PDF-1.7", "a PDF document"),
        (b"{\\rtf1", "a text document"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook (XLS)"),
        (b"Name,Phone".ljust(257) + b"ustar", "a tar archive"),
    ],
)
def test_what_is_no_export_is_called_by_its_name(content: bytes, what: str) -> None:
    with pytest.raises(ExportRejected) as caught:
        read(content)
    (problem,) = caught.value.problems
    assert problem.code == "export_wrong_format"
    assert what in problem.message


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(ExportRejected, match="known: auto, csv, json, vcard, xlsx, parquet"):
        read(b"a,b\n1,2\n", format="excel")


@pytest.mark.parametrize("content", [b"", b" \r\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_content_is_empty(content: bytes) -> None:
    with pytest.raises(ExportRejected) as caught:
        read(content)
    assert [p.code for p in caught.value.problems] == ["export_empty"]


# ---------------------------------------------------------------------------- the footer

REPORT = 'Contact ID,Name,Phone\n"003A","Jo","1"\n'
MARK = '"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."\n'


@pytest.mark.parametrize(
    ("footer", "lines", "blank"),
    [
        ('\n\n"Nightly"\n' + MARK + '"Confidential Information - Do Not Distribute"\n', 3, 2),
        ("\n" + MARK.replace("(c)", "©") + '"Generated By:  Jo  1/2/2026"\n"ACME, Inc"\n\n', 3, 2),
        ("Grand Totals (1 records),,\n\n" + MARK.replace('"', ""), 2, 1),
        ('"Grand Totals (1 records)"\n', 1, 0),
        ('\n"Total"\n\n' + MARK, 2, 2),
    ],
)
def test_the_footer_of_a_salesforce_report_is_dropped_and_counted(
    footer: str, lines: int, blank: int
) -> None:
    table = parse(REPORT + footer)
    assert rows_of(table) == [("003A", "Jo", "1")]
    expected = {"line of the report's footer": lines, "line without content": blank}
    assert table.ignored == {why: count for why, count in expected.items() if count}


@pytest.mark.parametrize(
    "footer",
    [
        '\n"Nightly"\n',  # no mark
        MARK,  # no blank line
        "\n" + MARK + "003B,Mo\n",  # what follows could be half a row
        "\n" + MARK + '"\n',
    ],
)
def test_what_may_be_a_damaged_row_is_no_footer(footer: str) -> None:
    assert {code for code, _, _ in wrong(REPORT + footer)} == {"export_malformed"}


def test_a_record_is_never_taken_for_the_footer() -> None:
    text = REPORT + "\n003B,Confidential Information - Do Not Distribute,2\n\n" + MARK
    assert len(rows_of(parse(text))) == 2


def test_a_report_saved_again_has_a_padded_footer() -> None:
    pad = [f"{line},," for line in ("", "Nightly", MARK.strip(), '"ACME"')]
    table = parse(REPORT + "\n".join(pad) + "\n")
    assert rows_of(table) == [("003A", "Jo", "1")]
    assert table.ignored == {"line of the report's footer": 3, "line without content": 1}


# ---------------------------------------------------------------------------- above the header


@pytest.mark.parametrize(
    ("above", "titles", "blank"),
    [
        ("Contacts\n", 1, 0),
        ("sep=,\n", 1, 0),
        ('"Contacts, all"\n\n', 1, 1),
        ("Board,,\n,,\nGroup; all,,\n", 2, 1),
        ("\n" * 15, 0, 15),
    ],
)
def test_lines_with_one_cell_may_stand_above_the_header(
    above: str, titles: int, blank: int
) -> None:
    table = parse(above + "id,name,phone\n1,Jo,2\n")
    assert table.header == ("id", "name", "phone")
    assert rows_of(table) == [("1", "Jo", "2")]
    assert table.header_row == above.count("\n") + 1
    assert table.lines.tolist() == [table.header_row + 1]
    expected = {"title above the header": titles, "line without content": blank}
    assert table.ignored == {why: count for why, count in expected.items() if count}


@pytest.mark.parametrize("above", ["\n" * 16, 'Contacts "all\n', "Contacts\n" * 16])
def test_what_stands_too_high_above_it_or_has_a_quote_astray_refuses_the_file(above: str) -> None:
    with pytest.raises(ExportRejected) as caught:
        parse(above + "id,name,phone\n1,Jo,2\n")
    assert [p.code for p in caught.value.problems] == ["export_malformed"]


@pytest.mark.parametrize("above", ["Contacts,all,of them\n", "7,Mo,8\n"])
def test_what_may_be_a_header_or_a_row_is_not_skipped(above: str) -> None:
    table = parse(above + "id,name,phone\n1,Jo,2\n")
    assert table.header == tuple(above.strip().split(","))
    assert len(rows_of(table)) == 2


def test_a_header_that_only_the_configuration_knows_is_the_first_line() -> None:
    table = parse("nr,wer\n1,Jo\nname,phone\n")
    assert table.header == ("nr", "wer")
    assert rows_of(table) == [("1", "Jo"), ("name", "phone")]


def test_a_header_with_a_quote_astray_is_no_header() -> None:
    with pytest.raises(ExportRejected):
        parse('"name"x,phone\nJo,1\n')


# ---------------------------------------------------------------------------- between the records

BOARD = "Customers,,\nname,phone,id\n"


def test_a_repeated_header_is_dropped_and_a_person_of_that_name_is_not() -> None:
    table = parse("name,phone\nname,1\nname,phone\nJo,2\n name , phone \n")
    assert rows_of(table) == [("name", "1"), ("Jo", "2")]
    assert table.lines.tolist() == [2, 4]
    assert table.ignored == {"header repeated": 2}


def test_below_a_title_a_name_alone_is_the_title_of_a_group() -> None:
    table = parse(BOARD + "Jo,1,2\nFormer,,\nname,phone,id\nMo,,3\n")
    assert rows_of(table) == [("Jo", "1", "2"), ("Mo", "", "3")]
    assert table.ignored["title of a group"] == 1
    assert len(rows_of(parse("name,phone,id\nJo,1,2\nFormer,,\n"))) == 2
    assert len(rows_of(parse("sep=,\nname,phone,id\nJo,1,2\nFormer,,\n"))) == 2
    assert len(rows_of(parse("Customers,,\nid,name,phone\n1,Jo,2\n7,,\n"))) == 2


def test_subitems_are_no_contacts_and_the_next_item_is_one() -> None:
    subitems = "Subitems,Name,Owner\n,Call,Ann\n,Write,Ann\n"
    table = parse("name,phone,id\nJo,1,2\n" + subitems + "Mo,2,3\n,4,5\n")
    assert rows_of(table) == [("Jo", "1", "2"), ("Mo", "2", "3"), ("", "4", "5")]
    assert table.ignored == {"subitem": 3}


def test_a_board_without_items_is_empty() -> None:
    assert wrong(BOARD + "Former,,\nname,phone,id\n") == [("export_empty", 2, "")]


# ---------------------------------------------------------------------------- properties

CELL = st.text(st.sampled_from('aä€😀 "007+-.'), max_size=6) | st.text(
    st.sampled_from('x\n"é'), max_size=6
)
DELIMITED = st.text(st.sampled_from('x,;\t"'), max_size=6)


@given(
    rows=st.lists(
        st.lists(CELL | DELIMITED, min_size=3, max_size=3).filter(any), min_size=1, max_size=8
    ),
    delimiter=st.sampled_from(delimited.DELIMITERS),
    end=st.sampled_from(["\n", "\r\n"]),
    quoted=st.booleans(),
)
def test_a_written_table_is_read_back_as_it_was(
    rows: list[list[str]], delimiter: str, end: str, *, quoted: bool
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=delimiter,
        lineterminator=end,
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
    )
    writer.writerows([["a", "b", "c"], *rows])
    table = parse(file.getvalue())
    assert table.problems == ()
    assert rows_of(table) == [tuple(row) for row in rows]


@given(body=st.text(st.sampled_from('ab,"\n\n,'), max_size=40))
def test_what_is_accepted_is_what_a_strict_parser_reads(body: str) -> None:
    table = parse("a,b,c\n" + body + "\n")
    if table.problems:
        return
    reader = csv.reader(io.StringIO("a,b,c\n" + body + "\n", newline=""), strict=True)
    expected, lines, line = [], [], 1
    for row in reader:
        expected.append(tuple(row))
        lines.append(line)
        line = reader.line_num + 1
    # Rows without content were counted; `"",,` has cells, if empty ones.
    kept = [(at, row) for at, row in zip(lines, expected, strict=True) if row][1:]
    if not table.ignored:
        assert list(zip(table.lines.tolist(), rows_of(table), strict=True)) == kept
    assert [row for row in rows_of(table) if any(row)] == [row for _, row in kept if any(row)]


@given(data=st.data())
def test_one_lost_quote_never_goes_unnoticed(data: st.DataObject) -> None:
    text = 'id,name,note\n1,"Doe, Jo","a\nb"\n2,"Roe, Mo","say ""hi"""\n3,Ann,"c"\n4,Bob,d\n'
    quotes = [at for at, char in enumerate(text) if char == '"']
    at = data.draw(st.sampled_from(quotes))
    assert parse(text).problems == ()
    assert parse(text[:at] + text[at + 1 :]).problems != ()
