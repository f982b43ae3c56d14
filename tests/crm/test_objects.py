from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.crm.columns import assign, is_header
from reconcile.crm.formats import objects
from reconcile.crm.formats.limits import CELL_LIMIT
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from reconcile.crm.formats import Table

JO = '{"id": 1, "name": "Jo", "phone": "+49"}'


def parse(content: str | bytes) -> Table:
    encoded = content if isinstance(content, bytes) else content.encode()
    return objects.read(encoded, is_header=is_header)


def records_of(table: Table) -> list[dict[str, str]]:
    assert table.problems == ()
    rows = zip(*(column.to_pylist() for column in table.cells), strict=True)
    return [dict(zip(table.header, row, strict=True)) for row in rows]


def record(text: str) -> dict[str, str]:
    """The only record of a list with this object and another of its own."""
    return records_of(parse(f"[{text}]"))[0]


def wrong(content: str | bytes) -> list[tuple[str, int | None, str]]:
    """Code, row and column of each problem."""
    try:
        table = parse(content)
    except ExportRejected as error:
        return [(p.code, p.row, p.column) for p in error.problems]
    assert table.problems
    assert table.cells == ()
    return [(p.code, p.row, p.column) for p in table.problems]


def message(content: str) -> str:
    with pytest.raises(ExportRejected) as caught:
        parse(content)
    return caught.value.message


# ---------------------------------------------------------------------------- recognised


@pytest.mark.parametrize("text", ["[]", ' \r\n\t{"a": 1}', "[{"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_is_known_by_its_first_bracket(text: str, encoding: str) -> None:
    assert objects.recognises(text.encode(encoding))


@pytest.mark.parametrize("content", [b"", b"id,name\n", b'"[a]",b\n', b"PK\x03\x04", b"BEGIN:"])
def test_nothing_else_is_recognised(content: bytes) -> None:
    assert not objects.recognises(content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_encoding_is_read(encoding: str) -> None:
    table = parse('[{"name": "Jürgen", "phone": 1}]'.encode(encoding))
    assert records_of(table) == [{"name": "Jürgen", "phone": "1"}]
    assert table.encoding == encoding
    assert table.format == "json"


# ---------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"NA"', "NA"),
        ("null", ""),
        ("true", "true"),
        ("false", "false"),
        ("-0", "-0"),
        ("49151234567", "49151234567"),
        ("123456789012345678901", "123456789012345678901"),
        ("49151234567.0", "49151234567"),
        ("4.9151234567E10", "49151234567"),
        ("1.5e-3", "0.0015"),
        ("1.50", "1.50"),
        ('"\\u00fc\\n\\/"', "ü\n/"),
        ('"\\ud83d\\ude00"', "😀"),
        ("[]", ""),
        ('["a", null, 7, "", "b"]', "a; 7; b"),
        ('[{"value": "a", "label": "work"}, {"value": "b"}, {"value": ""}]', "a; b"),
        ('[{"emailAddress": "a@b", "primary": true}]', "a@b"),
        ('[{"name": "Jo", "address": "a@b"}]', "a@b"),
        ('[{"since": "ü"}, [1]]', '{"since": "ü"}; ["1"]'),
    ],
)
def test_a_value_is_the_text_that_a_person_would_type(written: str, text: str) -> None:
    assert record(f'{{"id": 1, "x": {written}}}')["x"] == text


@pytest.mark.parametrize("label", ['"label": "fax"', '"type": "Work Fax"', '"types": ["FAX"]'])
def test_a_fax_in_a_list_of_numbers_is_a_column_of_its_own(label: str) -> None:
    found = record(f'{{"name": "Jo", "phone": [{{"value": "1"}}, {{"value": "2", {label}}}]}}')
    assert found == {"name": "Jo", "phone": "1", "phone fax": "2"}
    assert [c.reads_as for c in assign(list(found), {}).columns] == ["full_name", "phone", "fax"]


def test_columns_are_those_of_all_objects_in_the_order_of_the_file() -> None:
    table = parse('[{"b": 1, "a": 2}, {"c": 3, "a": 4}]')
    assert table.header == ("b", "a", "c")
    assert records_of(table)[1] == {"b": "", "a": "4", "c": "3"}


# ---------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("written", "headers"),
    [
        ('{"id": 1, "properties": {"email": 2, "hs_object_id": 3}}', "id email hs_object_id"),
        ('{"email": 1, "properties": {"Email": 2}}', "email properties.Email"),
        ('{"contact": {"id": 1}, "person": {"id": 2}}', "contact.id person.id"),
        ('{"data": {"attributes": {"name": 1}}}', "name"),
        (
            '{"deleted": true, "contact": {"id": 1, "name": 2, "phone": 3}}',
            "outer.deleted id name phone",
        ),
        ('{"cursor": "x", "node": {"name": 1, "email": 2}}', "outer.cursor name email"),
        ('{"id": 1, "contact": {"name": 2, "phone": 3}}', "outer.id name phone"),
        ('{"id": 1, "name": 2, "data": {"phone": 3}}', "id name phone"),
        (
            '{"id": 1, "name": 2, "phone": 3, "contact": {"name": 4, "email": 5}}',
            "id name phone contact.name contact.email",
        ),
        (
            '{"id": 1, "name": 2, "phone": 3, "data": {"id": 4, "source": 5}}',
            "id name phone data.id data.source",
        ),
        ('{"properties.email": 1, "Tel.": 2, "data.": 3, "": 4}', "email Tel. data. "),
        ('{"name": 1, "owner": {"email": 2}}', "name owner.email"),
        ('{"Account": {"Name": 1}}', "Account.Name"),
    ],
)
def test_a_header_is_the_path_without_the_containers_around_a_contact(
    written: str, headers: str
) -> None:
    assert parse(f"[{written}]").header == tuple(headers.split(" "))


@pytest.mark.parametrize("inside", ["contact", "Person", "record"])
def test_a_list_of_other_things_with_a_contact_inside_is_refused(inside: str) -> None:
    ticket = {"id": 900, "subject": "x", inside: {"id": 5, "name": "Jo Doe", "phone": "1"}}
    text = json.dumps([{"id": 899, "subject": "y"}, ticket])
    assert wrong(text) == [("header_unknown", 1, "")]
    assert f"so has `{inside}` in them" in message(text)


def test_a_hubspot_page_is_read_by_the_table_of_synonyms() -> None:
    page = {"results": [{"id": "5", "properties": {"firstname": "Jo", "email": "a@b"}}]}
    header = parse(json.dumps(page)).header
    names = {c.header: c.reads_as for c in assign(header, {}).columns}
    assert names == {"id": "id", "firstname": "first_name", "email": "email"}


# ---------------------------------------------------------------------------- rows and counts


def test_a_row_is_the_line_that_the_object_begins_on() -> None:
    table = parse(f"[\n\n {JO},\n\n{{\n}},\r\n{JO}\n]\n\n")
    assert table.lines.tolist() == [3, 7]
    assert table.ignored == {"object without content": 1}


def test_objects_on_one_line_are_numbered() -> None:
    assert parse(f'{{"data": [{JO}, {JO},\n{JO}]}}').lines.tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", objects.ENVELOPES)
def test_an_envelope_is_opened(name: str) -> None:
    text = (
        f'{{"@odata.context": "x", "tags": ["a"], "{name}": [\n{JO}\n], "next": null, "total": 1}}'
    )
    table = parse(text)
    assert table.format == f"json; list in `{name}`"
    assert table.lines.tolist() == [2]
    assert records_of(table)[0]["phone"] == "+49"


def test_ndjson_has_a_record_on_each_line() -> None:
    table = parse(f'\n{JO}\r\n \n{{"name": "Mo"}}\n\n')
    assert table.format == "ndjson"
    assert table.lines.tolist() == [2, 4]
    assert table.ignored == {"line without content": 3}
    assert [r["name"] for r in records_of(table)] == ["Jo", "Mo"]


def test_one_line_that_is_a_record_is_ndjson() -> None:
    table = parse(f"\n{JO}\n\n")
    assert (table.format, table.lines.tolist()) == ("ndjson", [2])
    assert table.ignored == {"line without content": 2}


def test_the_veto_finds_what_escapes_hide_and_what_is_read_by_nobody() -> None:
    table = parse('[{"name": "\\u00fc", "phone": ["1", "2"], "note": "x \\u0040 y"}]')
    assert all(text in table.text for text in ("ü", "1; 2", "x @ y", "\\u0040"))
    assert table.text.endswith("\n")


# ---------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("", [("export_empty", None, "")]),
        (" \n", [("export_empty", None, "")]),
        ("\nid,name\n", [("export_wrong_format", 1, "")]),
        ("[]", [("export_empty", 1, "")]),
        ('{"data": []}', [("export_empty", 1, "")]),
        ('[{}, {"a": " "}]', [("export_empty", 1, "")]),
        ('{"error": "expired"}', [("export_wrong_format", 1, "")]),
        (f'{{"errors": [{{"message": "x"}}], "data": [{JO}]}}', [("export_wrong_format", 1, "")]),
        (f'{{"success": false, "data": [{JO}]}}', [("export_wrong_format", 1, "")]),
        ('{"message": "Not found"}\n', [("export_wrong_format", 1, "")]),
        ('[{"message": "x", "errorCode": "INVALID"}]', [("export_wrong_format", 1, "")]),
        (f'{JO}\n{{"error": "timeout"}}\n', [("export_wrong_format", 2, "")]),
        (f'{{"people": [{JO}]}}', [("export_wrong_format", 1, "")]),
        ('{"data": {"items": [{"a": 1}]}}', [("export_wrong_format", 1, "")]),
        (JO.replace(" ", "\n"), [("export_wrong_format", 1, "")]),
        (f"[{JO},\n7, null]", [("export_malformed", 2, ""), ("export_malformed", 3, "")]),
        (f"[{JO},\n {JO}\n,\n]", [("export_malformed", 4, "")]),
        (f"[{JO}\n{JO}]", [("export_malformed", 2, "")]),
        (f"[{JO}]\n[{JO}]", [("export_malformed", 2, "")]),
        ('{"data" []}', [("export_malformed", 1, "")]),
        ('{"a": 1, 7: 2}', [("export_malformed", 1, "")]),
        ('{"a": 1,\n"a": []}', [("export_malformed", 2, "")]),
        ('[{"a": 1},\n{"a": 1, "a": 2}]', [("export_malformed", 2, "")]),
        ('[{"x": 1, "b": {"c": 1, "c": 2}}]', [("export_malformed", 1, "b")]),
        ('[{"x": 1, "b": [{"c": 1, "c": 2}]}]', [("export_malformed", 1, "b")]),
        ('[{"a.b": 1, "a": {"b": 2}}]', [("export_malformed", 1, "a.b")]),
        ('[{"a": NaN}]', [("export_malformed", 1, "")]),
        ('[{"a": "x\ny"}]', [("export_malformed", 1, "")]),
        ('[{"x": 1, "a": "\\ud83d"}]', [("export_malformed", 1, "a")]),
        ('[{"x": 1, "a": "\\u0000"}]', [("export_malformed", 1, "a")]),
        ('[{"\\ud83d": 1}]', [("export_malformed", None, "\\ud83d")]),
        ('[{"x": 1, "a": 1e20}]', [("export_malformed", 1, "a")]),
        (f'[{{"x": 1, "a": {"9" * 9999}}}]', [("export_malformed", 1, "a")]),
        ('[{"x": 1, "a": 1e999999999}]', [("export_malformed", 1, "a")]),
        (f'[{{"x": 1, "a": "{"x" * (CELL_LIMIT + 1)}"}}]', [("export_malformed", 1, "a")]),
        (JO, [("export_truncated", 1, "")]),
        (f"{JO}\n{JO}", [("export_truncated", 2, "")]),
        (f"{JO}\n{JO} {JO}\n", [("export_malformed", 2, "")]),
        (f"{JO}\n{JO[:-1]}\n{JO}\n", [("export_malformed", 2, "")]),
    ],
)
def test_what_is_no_whole_list_of_contacts_is_refused(
    content: str, problems: list[tuple[str, int | None, str]]
) -> None:
    assert wrong(content) == problems


@pytest.mark.parametrize(
    "sign",
    [
        '"paging": {"next": {"after": "9"}}',
        '"@odata.nextLink": "https://crm.example.com"',
        '"nextLink": "x"',
        '"has_more": true',
        '"next_cursor": "x"',
        '"done": false',
        '"nextRecordsUrl": "/x"',
        '"info": {"more_records": true}',
        '"additional_data": {"pagination": {"more_items_in_collection": true}}',
        '"total": 2',
        '"@odata.count": 7',
        '"count": 700',
        '"page": 1, "pages": 7',
        '"page": 7, "pages": 1',
        '"meta": {"current_page": 2}',
        '"meta": {"last_page": 3}',
        '"totalPages": "7"',
        '"previous": "https://crm.example.com/contacts?page=6"',
        '"offset": 100',
        '"startIndex": 101',
        '"truncated": true',
    ],
)
@pytest.mark.parametrize("order", ["{{{sign}, {data}}}", "{{{data}, {sign}}}"])
def test_one_page_of_several_is_no_export(sign: str, order: str) -> None:
    text = order.format(sign=sign, data=f'"data": [{JO}]')
    assert wrong(text) == [("export_truncated", 1, "")]
    assert "one page of several" in message(text)


@pytest.mark.parametrize(
    "sign",
    [
        '"paging": {}',
        '"has_more": false',
        '"next_cursor": ""',
        '"done": true',
        '"total": "many"',
        '"count": 1, "next": null, "previous": null',
        '"page": 1, "pages": 1, "offset": 0, "truncated": false, "startIndex": 1',
        '"pageInfo": {"hasNextPage": false, "endCursor": "abc"}',
    ],
)
def test_the_last_page_is_an_export(sign: str) -> None:
    assert (
        len(records_of(parse(f'{{{sign}, "success": true, "error": null, "data": [{JO}]}}'))) == 1
    )


def test_several_lists_are_named() -> None:
    said = message(f'{{"contacts": [{JO}], "companies": [{JO}]}}')
    assert "`contacts`, `companies`" in said
    assert "message of an API" in message('{"message": "Not found"}')
    assert "no list of objects" in message('{"people": 7}')


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_deep_nesting_is_refused_in_words(opening: str) -> None:
    assert "nested deeper than 16" in message(opening * 100_000)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b":', "}")])
def test_nesting_that_python_bears_is_refused_too(opening: str, closing: str) -> None:
    table = parse(f'[{{"x": 1, "a": {opening * 100}1{closing * 100}}}]')
    assert [p.code for p in table.problems] == ["export_malformed"]
    assert "nested deeper" in table.problems[0].message


def test_an_answer_nested_deeply_beside_the_list_is_refused_in_words() -> None:
    deep = '{"a":' * 100 + "1" + "}" * 100
    assert "beside its list" in message(f'{{"meta": {deep}, "data": [{JO}]}}')


def test_of_many_problems_ten_are_listed_and_no_value_is_shown() -> None:
    table = parse("[" + JO + ',{"name": "Doe", "name": "Roe"}' * 30 + "]")
    assert len(table.problems) == 11
    assert "oe" not in "".join(map(str, table.problems))
    lines = parse(f"{JO}\n" + '{"name": "Doe"\n' * 30)
    assert len(lines.problems) == 11
    assert "Doe" not in "".join(map(str, lines.problems))


def test_too_many_columns_are_refused() -> None:
    names = ", ".join(f'"{i}": 1' for i in range(20_000))
    assert wrong(f"[{{{names}}}]") == [("export_too_large", None, "")]


# ---------------------------------------------------------------------------- cut off

PEOPLE = [
    {"id": 1, "name": 'Jü "x"', "phone": [{"value": "+49"}], "more": {"a": None, "b": [True]}},
    {"id": 2, "name": "{Mo]", "phone": "1.5"},
]
ESCAPED = json.dumps(PEOPLE)


@pytest.mark.parametrize(
    "content",
    [
        ESCAPED.encode(),
        json.dumps(PEOPLE, indent=1, ensure_ascii=False).encode(),
        json.dumps({"meta": {"a": 1}, "data": PEOPLE, "next": None}).encode(),
        json.dumps({"data": PEOPLE}, indent=2).encode(),
        ESCAPED.encode("utf-16"),
    ],
)
def test_a_list_cut_off_anywhere_is_refused(content: bytes) -> None:
    assert len(records_of(parse(content))) == 2
    for size in range(len(content)):
        assert wrong(content[:size])


@pytest.mark.parametrize("content", [ESCAPED, json.dumps({"data": PEOPLE}, indent=2)])
def test_a_cut_is_called_a_cut(content: str) -> None:
    codes = {code for size in range(1, len(content)) for code, _, _ in wrong(content[:size])}
    assert codes == {"export_truncated"}


def test_ndjson_cut_off_inside_a_line_is_refused() -> None:
    lines = [json.dumps(person) + "\n" for person in PEOPLE]
    content = "".join(lines).encode()
    whole = {len(lines[0]): 1, len(content): 2}
    for size in range(len(content) + 1):
        if size in whole:
            assert len(records_of(parse(content[:size]))) == whole[size]
        else:
            assert wrong(content[:size])


# ---------------------------------------------------------------------------- properties

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
PERSON = st.fixed_dictionaries(
    {"id": st.integers().map(str), "name": TEXT, "phone": TEXT, "email": TEXT}
)


@given(
    people=st.lists(PERSON, min_size=1, max_size=5),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    envelope=st.sampled_from(["", *objects.ENVELOPES]),
)
def test_contacts_written_as_json_are_read_back_the_same(
    people: list[dict[str, str]], indent: int | None, envelope: str, *, ascii_only: bool
) -> None:
    written: Any = {envelope: people} if envelope else people
    table = parse(json.dumps(written, indent=indent, ensure_ascii=ascii_only))
    assert records_of(table) == people
    assert all(value in table.text for person in people for value in person.values())


@given(people=st.lists(PERSON, min_size=1, max_size=5), ascii_only=st.booleans())
def test_contacts_written_on_lines_are_read_back_the_same(
    people: list[dict[str, str]], *, ascii_only: bool
) -> None:
    text = "".join(json.dumps(person, ensure_ascii=ascii_only) + "\n" for person in people)
    assert records_of(parse(text)) == people


@given(content=st.text(st.sampled_from('[]{}:,"a1\n \\ntruefals'), max_size=40) | st.binary())
def test_whatever_it_is_it_is_read_or_refused(content: str | bytes) -> None:
    try:
        table = parse(content)
    except ExportRejected:
        return
    assert bool(table.cells) != bool(table.problems)
