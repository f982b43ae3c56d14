from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.crm.columns import assign, is_header
from reconcile.crm.formats import vcard
from reconcile.crm.formats.limits import CELL_LIMIT
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.crm.formats import Table


def parse(content: str | bytes) -> Table:
    encoded = content if isinstance(content, bytes) else content.encode()
    return vcard.read(encoded, is_header=is_header)


def records_of(table: Table) -> list[dict[str, str]]:
    """Column → text of each record, without empty values."""
    assert table.problems == ()
    rows = zip(*(column.to_pylist() for column in table.cells), strict=True)
    named = [zip(table.header, row, strict=True) for row in rows]
    return [{name: text for name, text in row if text} for row in named]


def card(*lines: str, version: str = "3.0", end: str = "\r\n") -> str:
    return end.join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def record(*lines: str, version: str = "3.0") -> dict[str, str]:
    (only,) = records_of(parse(card(*lines, version=version)))
    return only


def wrong(content: str | bytes) -> list[tuple[str, int | None, str]]:
    """Code, row and column of each problem."""
    try:
        table = parse(content)
    except ExportRejected as error:
        return [(p.code, p.row, p.column) for p in error.problems]
    assert table.problems
    assert table.cells == ()
    return [(p.code, p.row, p.column) for p in table.problems]


# ---------------------------------------------------------------------------- recognised


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("start", ["BEGIN:VCARD\r\n", "\n begin:vCard", "BEGIN:VCARD"])
def test_it_is_known_by_its_begin(start: str, encoding: str) -> None:
    assert vcard.recognises(start.encode(encoding))


@pytest.mark.parametrize("content", [b"", b"BEGIN:VCALENDAR\n", b"id,BEGIN:VCARD\n", b"[{"])
def test_nothing_else_is_recognised(content: bytes) -> None:
    assert not vcard.recognises(content)


# ---------------------------------------------------------------------------- three versions

JO = {
    "FN": "Dr. Jürgen Doe",
    "First Name": "Jürgen",
    "Last Name": "Doe",
    "ORG": "Doe, Roe & Co; KG",
    "TEL 1": "+49 151 2345678",
    "TEL 2": "+49 30 1234567",
    "FAX 1": "+49 30 1234568",
    "EMAIL 1": "jo@example.com",
    "Country": "Germany",
}
OLD = (
    "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Doe;J=C3=\r\n=BCrgen;;Dr.",
    "FN;ENCODING=QUOTED-PRINTABLE;CHARSET=iso-8859-1:Dr. J=FCrgen=20Doe",
    "ORG:Doe, Roe & Co\\; KG;Sales",
    "TEL;CELL:+49 151 2345678",
    "TEL;WORK;VOICE;PREF:+49 30 1234567",
    "TEL;WORK;FAX:+49 30 1234568",
    "EMAIL;INTERNET:jo@example.com",
    "ADR;WORK:;;Street 1;Town;;10115;Germany",
    "PHOTO;JPEG;ENCODING=BASE64:\r\n /9j/4AAQ\r\n SkZJRg==\r\n",
    "X-NOKIA-STUFF:1",
)
NEW = (
    "N:Doe;Jürgen;;Dr.;",
    "FN:Dr. Jür\r\n gen Doe",
    "ORG:Doe\\, Roe & Co\\; KG;Sales",
    "TEL;TYPE=CELL,VOICE:+49 151 2345678",
    "item1.TEL;type=pref:+49 30 1234567",
    "item1.X-ABLabel:Central",
    "item2.TEL:+49 30 1234568",
    "item2.X-ABLabel:_$!<WorkFAX>!$_",
    "EMAIL;TYPE=INTERNET:jo@example.com",
    "ADR;TYPE=HOME:;;Street 2;Town;;;Austria",
    "ADR;TYPE=WORK,PREF:;;Street 1\\nBack;Town;;10115;Germany",
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\r\n SkZJRg==",
    "NOTE:a\\nb",
)
LAST = (
    'N;SORT-AS="Doe,Jürgen":Doe;Jürgen;;Dr.;',
    "FN;PREF=2:Jo",
    "FN;PREF=1:Dr. Jürgen Doe",
    "ORG:Doe\\, Roe & Co\\; KG;Sales",
    'TEL;VALUE=uri;TYPE="voice,cell":tel:+49%20151%202345678',
    'work.TEL;TYPE="work:x;y":+49 30 1234567',
    'TEL;VALUE=uri;TYPE="work,fax":TEL:+49 30 1234568',
    "EMAIL:mailto:jo@example.com",
    'ADR;PREF=1;LABEL="Street 1\\nTown":;;Street 1;Town;;10115;',
    "ADR;PREF=2:;;Street 1;Town;;10115;Germany",
    "ADR:;;;;;;Austria",
    "KIND:individual",
)


@pytest.mark.parametrize(("lines", "version"), [(OLD, "2.1"), (NEW, "3.0"), (LAST, "4.0")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_person_is_read_the_same_from_each_version(
    lines: Sequence[str], version: str, encoding: str
) -> None:
    table = parse(card(*lines, version=version).encode(encoding))
    assert records_of(table) == [JO]
    assert (table.format, table.encoding) == (f"vcard; version {version}", encoding)


def test_versions_may_be_mixed_and_a_row_is_the_line_of_begin() -> None:
    text = "\n" + card(*OLD, version="2.1") + "\r\n" + card(*LAST, version="4.0", end="\n")
    table = parse(text)
    assert records_of(table) == [JO, JO]
    assert table.lines.tolist() == [2, 20]
    assert table.format == "vcard; version 2.1, 4.0"
    assert table.ignored == {}


def test_every_column_is_known_to_the_table_of_synonyms() -> None:
    table = parse(card("UID:7", "REV:2026", *NEW))
    assigned = assign(table.header, {})
    assert assigned.problems == ()
    assert {c.header: c.reads_as for c in assigned.columns} == {
        "UID": "id",
        "FN": "full_name",
        "First Name": "first_name",
        "Last Name": "last_name",
        "ORG": "company",
        "TEL 1": "phone",
        "TEL 2": "phone",
        "FAX 1": "fax",
        "EMAIL 1": "email",
        "Country": "country",
        "REV": "modified",
    }


def test_there_are_as_many_columns_as_the_fullest_card_needs() -> None:
    numbers = [f"TEL:{i}" for i in range(11)]
    table = parse(
        card("FN:Jo", *numbers) + card("FN:Mo", "TEL:7", "TEL: ", "EMAIL:m@x", "EMAIL:n@x")
    )
    columns = [f"TEL {i}" for i in range(1, 12)]
    assert table.header == ("FN", *columns, "EMAIL 1", "EMAIL 2")
    assert records_of(table)[1] == {"FN": "Mo", "TEL 1": "7", "EMAIL 1": "m@x", "EMAIL 2": "n@x"}


# ---------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("tel:+49-30-1234567;ext=5", "+49-30-1234567 ext. 5"),
        ("tel:7042;phone-context=example.com", "7042"),
        ("+49 30 1\\, 2", "+49 30 1, 2"),
        ("sip:jo@example.com", "sip:jo@example.com"),
    ],
)
def test_a_number_is_what_a_person_would_type(number: str, text: str) -> None:
    table = parse(card("FN:Jo", f"TEL;VALUE=uri:{number}", version="4.0"))
    assert records_of(table) == [{"FN": "Jo", "TEL 1": text}]
    assert text in table.text


@pytest.mark.parametrize(
    "line",
    ["TEL;FAX:1", "TEL;TYPE=work,fax:1", 'TEL;TYPE="work,fax":1', "TEL;type=FAX;type=pref:1"],
)
def test_a_fax_is_never_a_phone(line: str) -> None:
    assert record("FN:Jo", line) == {"FN": "Jo", "FAX 1": "1"}


def test_a_label_is_that_of_its_group_only() -> None:
    found = record("FN:Jo", "a.TEL:1", "b.TEL:2", "TEL:3", "B.X-ABLabel:Fax", "X-ABLabel:Fax")
    assert found == {"FN": "Jo", "TEL 1": "1", "TEL 2": "3", "FAX 1": "2"}


@pytest.mark.parametrize(
    ("lines", "version", "name"),
    [
        (["N:Doe\\; x;Jo\\,", "FN:a\\nb\\\\c"], "3.0", ("Doe; x", "Jo,", "a\nb\\c")),
        (["N:Doe,Roe;Ann,Lou;;;", "FN:x"], "3.0", ("Doe Roe", "Ann Lou", "x")),
        (["N:Doe, Jr.;Ann", "FN:a\\nb\\;c"], "2.1", ("Doe, Jr.", "Ann", "a\\nb;c")),
        (["N;ENCODING=QUOTED-PRINTABLE:D=3Boe;A=3D", "FN:x"], "2.1", ("D;oe", "A=", "x")),
        (["N:Doe;Jo", "FN:a\r\n b"], "2.1", ("Doe", "Jo", "a b")),
        (["N:Doe;Jo", "FN:a\r\n\tb\\"], "3.0", ("Doe", "Jo", "ab\\")),
    ],
)
def test_names_are_read_by_the_rules_of_their_version(
    lines: list[str], version: str, name: tuple[str, str, str]
) -> None:
    found = record(*lines, version=version)
    assert (found["Last Name"], found["First Name"], found["FN"]) == name


@pytest.mark.parametrize(
    ("line", "file", "name"),
    [
        ("FN;CHARSET=windows-1251:Жд", "cp1251", "Жд"),
        ("FN;CHARSET=UTF-8:Jü", "utf-8", "Jü"),
        ("FN;CHARSET=US-ASCII:Jo", "utf-8", "Jo"),
        ("FN;CHARSET=Shift_JIS;ENCODING=QUOTED-PRINTABLE:=8F=AC=97=D1", "utf-8", "小林"),
        ("FN;QUOTED-PRINTABLE:J=C3=BC", "utf-8", "Jü"),
        ("FN;QUOTED-PRINTABLE:J=FC", "utf-8", "Jü"),
        ("FN;ENCODING=8BIT:Jü", "cp1252", "Jü"),
    ],
)
def test_a_text_is_read_in_its_charset(line: str, file: str, name: str) -> None:
    (found,) = records_of(parse(card(line, version="2.1").encode(file)))
    assert found == {"FN": name}


def test_a_soft_line_break_before_an_empty_line_ends_the_text() -> None:
    lines = ["FN;ENCODING=QUOTED-PRINTABLE:J=\n=6F=\n", "TEL;CELL:+49", ""]
    assert record(*lines, version="2.1") == {"FN": "Jo", "TEL 1": "+49"}


def test_the_veto_finds_what_is_folded_encoded_and_read_by_nobody() -> None:
    text = card(
        "FN:Jo", "X-OTHER;ENCODING=QUOTED-PRINTABLE:=34=39=31=\r\n=35=31", "NOTE:03\r\n 0 1"
    )
    found = parse(text).text
    assert "49151\n" in found
    assert "030 1\n" in found
    assert text.replace("\r\n", "\n") in found


# ---------------------------------------------------------------------------- no persons


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["FN:Example", "KIND:org", "TEL:1"], "card of a company"),
        (["FN:Ex", "ORG:Example", "N:;;;;", "X-ABShowAs:COMPANY"], "card of a company"),
        (["FN:EXAMPLE", "ORG:Example;", "TEL:1"], "card of a company"),
        (["ORG:Example", "TEL:1"], "card of a company"),
        (["FN:All", "KIND:group", "MEMBER:x"], "card of a group or place"),
        (["N:All;;;;", "X-ADDRESSBOOKSERVER-KIND:group"], "card of a group or place"),
        (["FN: ", "N:;;;;", "UID:7", "NOTE:x"], "card without content"),
    ],
)
def test_a_card_of_no_person_is_counted(lines: list[str], why: str) -> None:
    table = parse(card("FN:Jo", "TEL:7") + card(*lines))
    assert [r["FN"] for r in records_of(table)] == ["Jo"]
    assert table.ignored == {why: 1}


@pytest.mark.parametrize(
    "lines",
    [
        ["N:Doe;Jo", "ORG:Example", "X-ABShowAs:COMPANY"],
        ["N:;Jo", "FN:Example", "ORG:Example", "KIND:org"],
        ["FN:Jo Doe", "ORG:Example"],
        ["FN:Jo Doe"],
        ["TEL:1"],
        ["EMAIL:a@b", "N:"],
    ],
)
def test_a_card_that_may_be_a_persons_is_a_record(lines: list[str]) -> None:
    assert record(*lines)


@pytest.mark.parametrize("begin", ["AGENT:\n\nBEGIN:VCARD", "AGENT;X=1: BEGIN:VCARD"])
def test_an_agents_card_is_counted_and_not_mixed_with_the_one_around_it(begin: str) -> None:
    agent = f"{begin}\nVERSION:2.1\nN:Roe;Mo\nTEL:2\nAGENT:\n{card('N:X', end=chr(10))}END:VCARD"
    table = parse(card("N:Doe;Jo", agent, "TEL:1", version="2.1"))
    assert records_of(table) == [{"First Name": "Jo", "Last Name": "Doe", "TEL 1": "1"}]
    assert table.ignored == {"card of an agent inside another card": 2}
    assert "Roe" in table.text


# ---------------------------------------------------------------------------- refused

MALFORMED = "export_malformed"


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("", [("export_empty", None, "")]),
        ("\n \n", [("export_empty", None, "")]),
        (card("KIND:group"), [("export_empty", 1, "")]),
        (card("FN:Jo")[:-2], [("export_truncated", 4, "")]),
        ("BEGIN:VCARD\nVERSION:3.0\nFN:Jo\n", [("export_truncated", 1, "")]),
        (card("FN:Jo") + "\nBEGIN:VCARD\n", [("export_truncated", 6, "")]),
        (card("FN:Jo") + "stray\n", [(MALFORMED, 5, "")]),
        (card("FN:Jo") + "x" * 999 + "\n", [(MALFORMED, 5, "")]),
        ("END:VCARD\n" + card("FN:Jo"), [(MALFORMED, 1, "")]),
        (card("FN:Jo", "stray"), [(MALFORMED, 4, "")]),
        (card("FN:Jo", "", " folded"), [(MALFORMED, 5, "")]),
        (card("FN:Jo", 'TEL;TYPE="a:1'), [(MALFORMED, 4, "")]),
        ("BEGIN:VCARD\nVERSION:3.0\nFN:Jo\n" + card("FN:Mo"), [(MALFORMED, 1, "")]),
        ("BEGIN:VCARD\n" + card("FN:Mo"), [(MALFORMED, 1, "")]),
        (card("FN:Jo", version="5.0"), [(MALFORMED, 1, "")]),
        ("BEGIN:VCARD\nFN:Jo\nEND:VCARD\n", [(MALFORMED, 1, "")]),
        (card("FN;CHARSET=klingon:Jo"), [(MALFORMED, 3, "FN")]),
        (card("FN;CHARSET=rot13:Jo"), [(MALFORMED, 3, "FN")]),
        (card("FN;CHARSET=utf-7:Jo"), [(MALFORMED, 3, "FN")]),
        (card("FN;CHARSET=a\0b:Jo"), [(MALFORMED, 3, "")]),
        (card("FN;CHARSET=ISO-8859-1:Jü"), [(MALFORMED, 3, "FN")]),
        (card("FN;CHARSET=UTF-8:Jü").encode("cp1252"), [(MALFORMED, 3, "FN")]),
        (card("FN;CHARSET=UTF-8;QUOTED-PRINTABLE:=FC"), [(MALFORMED, 3, "FN")]),
        (card("FN;QUOTED-PRINTABLE:=81"), [(MALFORMED, 3, "FN")]),
        (card("FN;QUOTED-PRINTABLE:=00"), [(MALFORMED, 3, "FN")]),
        (card("FN;CHARSET=ascii;QUOTED-PRINTABLE:=00"), [(MALFORMED, 3, "FN")]),
        (card("FN;QUOTED-PRINTABLE:J=XX"), [(MALFORMED, 3, "FN")]),
        (card("FN;QUOTED-PRINTABLE:J="), [(MALFORMED, 3, "FN")]),
        (card("FN;QUOTED-PRINTABLE:Jü"), [(MALFORMED, 3, "FN")]),
        (card("FN:Jo", "NOTE;QUOTED-PRINTABLE:J=", "TEL:1"), [(MALFORMED, 4, "")]),
        (card("FN;ENCODING=b:Sm8="), [(MALFORMED, 3, "FN")]),
        (card("UID:1", "UID:2", "FN:Jo"), [(MALFORMED, 4, "UID")]),
        (card("FN:" + "x" * (CELL_LIMIT + 1)), [(MALFORMED, 3, "FN")]),
        (card("PHOTO:" + "x" * (vcard.PROPERTY_LIMIT + 1)), [(MALFORMED, 3, "PHOTO")]),
        (
            "x\n" + card("FN:Jo", "stray") + "BEGIN:VCARD\n",
            [("export_truncated", 7, ""), (MALFORMED, 1, ""), (MALFORMED, 5, "")],
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(
    content: str | bytes, problems: list[tuple[str, int | None, str]]
) -> None:
    assert wrong(content) == problems


def test_a_photo_and_a_note_of_usual_size_are_no_problem() -> None:
    photo = "PHOTO;ENCODING=b:" + "\r\n ".join(["x" * 74] * 5000)
    assert record("FN:Jo", photo, "NOTE:" + "x" * CELL_LIMIT * 2) == {"FN": "Jo"}


def test_of_many_problems_ten_are_listed_and_no_value_is_shown() -> None:
    table = parse(card("FN:Jo", *["Doe"] * 30))
    assert len(table.problems) == 11
    assert "Doe" not in "".join(map(str, table.problems))


def test_too_many_columns_are_refused() -> None:
    assert wrong(card("FN:Jo", *["TEL:1"] * 20_000)) == [("export_too_large", None, "")]


# ---------------------------------------------------------------------------- cut off


@pytest.mark.parametrize(("lines", "version"), [(OLD, "2.1"), (NEW, "3.0"), (LAST, "4.0")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_card_cut_off_anywhere_is_refused(
    lines: Sequence[str], version: str, encoding: str
) -> None:
    content = card(*lines, "AGENT:", card("N:X").strip(), version=version, end="\n").encode(
        encoding
    )
    assert records_of(parse(content)) == [JO]
    assert all(wrong(content[:size]) for size in range(len(content)))


def test_several_cards_cut_off_are_whole_cards_or_refused() -> None:
    cards = [card("N:Doe;Jo", f"TEL:{i}").encode() for i in range(3)]
    content = b"".join(cards)
    # After the CR of the last line end the card is whole: a lone CR ends a line, too.
    whole = {at for i in (1, 2, 3) for at in (i * len(cards[0]) - 1, i * len(cards[0]))}
    for size in range(len(content) + 1):
        if size in whole:
            assert len(records_of(parse(content[:size]))) == -(-size // len(cards[0]))
        else:
            assert wrong(content[:size])


# ---------------------------------------------------------------------------- properties

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\n\\;,:"= '), max_size=30
).map(str.strip)
NUMBER = st.text(st.sampled_from("+0123456789 -/()"), min_size=1, max_size=20).filter(str.strip)
PERSON = st.fixed_dictionaries(
    {"FN": TEXT.filter(bool), "First Name": TEXT, "Last Name": TEXT.filter(bool), "ORG": TEXT},
    optional={"UID": NUMBER, "TEL 1": NUMBER, "FAX 1": NUMBER, "EMAIL 1": TEXT.filter(bool)},
)


def escaped(text: str) -> str:
    return re.sub(r"([\\;,])", r"\\\1", text).replace("\n", "\\n")


def folded(line: str, width: int) -> str:
    return "\r\n ".join(line[at : at + width] for at in range(0, len(line), width))


def lines_of(person: dict[str, str]) -> list[str]:
    values = {name: escaped(text) for name, text in person.items()}
    named = {"TEL;TYPE=CELL": "TEL 1", 'TEL;TYPE="work,fax"': "FAX 1", "EMAIL": "EMAIL 1"}
    named |= {name: name for name in ("UID", "FN", "ORG")}
    name = f"N:{values['Last Name']};{values['First Name']};;;"
    return [name, *(f"{p}:{values[column]}" for p, column in named.items() if column in values)]


@given(
    people=st.lists(PERSON, min_size=1, max_size=4),
    version=st.sampled_from(["3.0", "4.0"]),
    width=st.integers(12, 75),
)
def test_contacts_written_as_cards_are_read_back_the_same(
    people: list[dict[str, str]], version: str, width: int
) -> None:
    cards = (card(*(folded(x, width) for x in lines_of(p)), version=version) for p in people)
    table = parse("".join(cards))
    assert records_of(table) == [{k: v for k, v in p.items() if v} for p in people]
    assert all(text in table.text for person in people for text in person.values())


@given(name=TEXT.filter(bool), charset=st.sampled_from(["UTF-8", "GB18030"]))
def test_names_written_as_quoted_printable_are_read_back_the_same(name: str, charset: str) -> None:
    quoted = binascii.b2a_qp(name.encode(charset), istext=False).decode().replace("\n", "\r\n")
    escaped_name = quoted.replace("\\", "=5C=5C")
    line = f"FN;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:{escaped_name}"
    assert record(line, version="2.1") == {"FN": name}


@given(
    lines=st.lists(
        st.sampled_from(
            [
                "BEGIN:VCARD",
                "END:VCARD",
                "VERSION:3.0",
                "AGENT:",
                "FN:Jo",
                "N:Doe;Jo",
                " x",
                "",
                "=",
            ]
        )
        | st.text(st.sampled_from('TEL;:="\\=4.,x '), max_size=20),
        max_size=12,
    )
)
def test_whatever_it_is_it_is_read_or_refused(lines: list[str]) -> None:
    try:
        table = parse("\n".join(lines))
    except ExportRejected:
        return
    assert bool(table.cells) != bool(table.problems)
