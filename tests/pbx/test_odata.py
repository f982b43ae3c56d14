"""The wire format: what is asked, what is read, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.errors import PbxUntrusted
from reconcile.model import Contact, ServerEtag
from reconcile.pbx import odata
from reconcile.pbx.odata import BodyKind, Explanation, Page

NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def readable(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def page_of(*ids: int, **columns: list[str]) -> Page:
    return Page(ids=ids, etags=[f'"{n}"' for n in ids], columns=columns)


# ---------------------------------------------------------------------------- asking


def test_a_query_keeps_the_dollar_and_sends_spaces_as_percent_20() -> None:
    assert odata.query(top=100, filter="Id gt 5", orderby="Id") == (
        "$top=100&$filter=Id%20gt%205&$orderby=Id"
    )


@given(texts)
def test_any_text_survives_the_query_string_without_plus_ampersand_or_hash(text: str) -> None:
    sent = odata.query(filter=odata.equals("Tag", text))
    assert not set(sent) & set("+ #'\"<>\\")
    assert sent.count("&") == 0
    literal = text.replace("'", "''")
    assert parse_qs(urlsplit(f"?{sent}").query)["$filter"] == [f"Tag eq '{literal}'"]


@given(texts)
def test_a_string_literal_can_be_read_back_and_never_ends_early(text: str) -> None:
    literal = odata.string_literal(text)
    assert literal[0] == literal[-1] == "'"
    assert literal[1:-1].replace("''", "") == text.replace("'", "")
    assert literal[1:-1].replace("''", "'") == text


@pytest.mark.parametrize("name", ["", "Tag eq 'x' or Tag", "1Tag", "Tag/Name", "Täg"])
def test_only_a_property_can_be_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match="is no property"):
        odata.equals(name, "x")


def test_a_contact_has_its_id_as_key() -> None:
    assert odata.contact_path(17) == "/xapi/v1/Contacts(17)"


@pytest.mark.parametrize("contact_id", [0, -1, True, 2**31, 1.0, "1", None])
def test_no_key_is_made_of_what_is_no_id(contact_id: Any) -> None:
    with pytest.raises(ValueError, match="Id of a contact"):
        odata.contact_path(contact_id)


def test_only_what_can_be_set_is_sent_to_create_a_contact() -> None:
    entity = {
        "@odata.etag": "x",
        "Id": 3,
        "FirstName": "Jo",
        "Home": "",
        "Pager": None,
        "Tag@odata.type": "#String",
        "odata.id": "x",
        "Count": 0,
    }
    assert odata.creatable(entity) == {"FirstName": "Jo", "Count": 0}


# ---------------------------------------------------------------------------- reading


def test_a_page_has_ids_etags_columns_count_and_link() -> None:
    page = odata.parse_page(
        body(
            {
                "@odata.context": "x",
                "@odata.count": 7,
                "@odata.nextLink": "Contacts?$skip=2",
                "value": [
                    {"Id": 2, "@odata.etag": 'W/"2"', "FirstName": "Jo", "Tag": None},
                    {"Id": 1, "FirstName": "", "Home": "0301", "Home@odata.type": "#String"},
                ],
            }
        )
    )
    assert (page.ids, page.etags, page.count) == ([2, 1], ['W/"2"', ""], 7)
    assert page.columns == {"FirstName": ["Jo", ""], "Tag": ["", ""], "Home": ["", "0301"]}
    assert page.has_more


def test_null_empty_and_absent_make_the_same_contact() -> None:
    variants = [{"Id": 1, "Home": None}, {"Id": 1, "Home": ""}, {"Id": 1}]
    seen = {odata.parse_contact(body(entity))[0].fingerprint for entity in variants}
    assert len(seen) == 1


def test_a_page_and_a_single_contact_read_the_same_content() -> None:
    entity = {"Id": 4, "Tag": 5, "Flag": True, "More": {"b": [1, "ü"], "a": None}, "Home": " x "}
    (listed,) = odata.parse_page(body({"value": [entity]})).contacts()
    single, kept = odata.parse_contact(body(entity))
    assert listed == single == odata.as_contact(entity)
    assert kept == entity
    assert single.fields == {
        "Tag": "5",
        "Flag": "true",
        "More": '{"a":null,"b":[1,"ü"]}',
        "Home": " x ",
    }


@given(st.dictionaries(st.text(min_size=1), json_values))
def test_whatever_properties_a_contact_has_they_are_text_and_no_annotations(
    fields: dict[str, Any],
) -> None:
    contact, entity = odata.parse_contact(body({**fields, "Id": 1}))
    assert all(isinstance(text, str) and text for text in contact.fields.values())
    assert not [name for name in (*contact.fields, *entity) if "@" in name]
    assert "Id" not in contact.fields
    (listed,) = odata.parse_page(body({"value": [{**fields, "Id": 1}]})).contacts()
    assert listed.fields == contact.fields


@pytest.mark.parametrize("count", [None, "7", -1, 7.0, True, [7]])
def test_what_is_no_count_counts_as_not_counted(count: object) -> None:
    assert odata.parse_page(body({"value": [], "@odata.count": count})).count is None


@pytest.mark.parametrize("bad", [None, 0, -1, "1", 1.0, True, 2**31, [1]])
def test_a_contact_without_a_proper_id_spoils_the_page(bad: object) -> None:
    with pytest.raises(PbxUntrusted, match="without a proper Id"):
        odata.parse_page(body({"value": [{"Id": 1}, {"Id": bad}]}))
    with pytest.raises(PbxUntrusted, match="without a proper Id"):
        odata.parse_contact(body({"Id": bad, "FirstName": "Jo"}))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"<html><title>3CX &amp; more</title><body>Log in</body>", 'titled "3CX & more"'),
        (b"", "3CX answered with nothing where JSON belongs."),
        (b'{"value":[{"Id":1}', "broken JSON"),
        (b"[1]", "3CX answered with JSON that is no object."),
        (b'{"value":{}}', "with a listing without a list of contacts in `value`."),
        (b'{"value":[1]}', "without a list"),
        (b"{}", "without a list"),
        (b'{"error":{"message":"database down"}}', "database down"),
        (b'{"value":[{"Id":1,"X":NaN}]}', "JSON"),
        (b'{"value":' + b"[" * 100_000, "broken JSON"),
        (b"\xff\xfe\x00", "nothing where JSON belongs"),
        (b"Service is starting", "Service is starting"),
    ],
)
def test_a_page_that_is_none_is_not_believed(answer: bytes, words: str) -> None:
    with pytest.raises(PbxUntrusted) as caught:
        odata.parse_page(answer)
    assert words in caught.value.message
    assert "<" not in caught.value.message
    assert caught.value.code == "pbx_untrusted"
    assert caught.value.hint == (
        "Check pbx.url and what stands between here and the PBX, then: reconcile doctor"
    )


def test_a_property_that_is_called_error_spoils_nothing() -> None:
    assert odata.parse_page(body({"value": [], "error": None})).ids == []
    contact, _ = odata.parse_contact(body({"Id": 1, "error": "none"}))
    assert contact.fields == {"error": "none"}


@pytest.mark.parametrize(("count", "read"), [(0, 0), (1, 1), (-1, None)])
def test_a_count_is_nothing_below_zero(count: int, read: int | None) -> None:
    assert odata.parse_page(body({"value": [], "@odata.count": count})).count == read


def test_ids_go_up_to_what_3cx_can_hold() -> None:
    assert odata.parse_page(body({"value": [{"Id": odata.MAX_ID}]})).ids == [odata.MAX_ID]


def test_a_text_or_a_contact_may_be_so_large_and_no_larger() -> None:
    long, many = odata.MAX_TEXT, odata.MAX_PROPERTIES
    entity = {"Id": 1, "Note": "x" * long}
    assert odata.parse_page(body({"value": [entity]})).columns["Note"] == ["x" * long]
    with pytest.raises(PbxUntrusted, match=f"a contact with a text of {long + 1:,} characters"):
        odata.parse_page(body({"value": [{**entity, "Note": "x" * (long + 1)}]}))
    names = {"Id": 1} | {f"P{n}": "x" for n in range(many - 1)}
    assert len(odata.parse_page(body({"value": [names]})).columns) == many - 1
    with pytest.raises(PbxUntrusted, match=f"contacts of {many + 1:,} properties"):
        odata.parse_page(body({"value": [{**names, "More": ""}]}))


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([None, None], ["", ""]),
        (["a", "b"], ["a", "b"]),
        (["a", None], ["a", ""]),
        (["a", 5], ["a", "5"]),
        ([None, ["a"]], ["", '["a"]']),
        (["ä", {"b": "ä", "a": 1}], ["ä", '{"a":1,"b":"ä"}']),
    ],
)
def test_a_column_is_text_whatever_its_values_are(values: list[Any], column: list[str]) -> None:
    entities = [{"Id": at, "P": value} for at, value in enumerate(values, start=1)]
    assert odata.parse_page(body({"value": entities})).columns["P"] == column


def test_json_with_a_byte_order_mark_is_read() -> None:
    assert odata.parse_page(b'\xef\xbb\xbf{"value":[{"Id":1}]}').ids == [1]


@given(st.lists(st.lists(st.integers(1, 10_000), max_size=5), max_size=5))
def test_merging_sorts_all_pages_by_id_and_keeps_rows_together(groups: list[list[int]]) -> None:
    pages = [
        page_of(
            *ids, **({"Name": [f"n{i}" for i in ids]} if number % 2 else {"Tag": [""] * len(ids)})
        )
        for number, ids in enumerate(groups)
    ]
    merged = odata.merge(pages)
    assert list(merged.ids) == sorted(i for ids in groups for i in ids)
    assert "Tag" not in merged.columns
    for contact in merged.contacts():
        assert contact.etag == f'"{contact.id}"'
        assert contact.field("Name") in (f"n{contact.id}", "")


def test_a_section_cuts_every_column() -> None:
    page = page_of(1, 2, 3, Name=["a", "b", "c"])
    cut = odata.section(page, 1, 2)
    assert (cut.ids[0], cut.etags[0], cut.columns["Name"][0], len(cut)) == (2, '"2"', "b", 1)
    assert odata.section(page, 0, 3) is page
    assert odata.section(page, 0) is page


@given(st.lists(st.integers(1, 99), unique=True, max_size=9), st.integers(0, 9), st.integers(0, 9))
def test_sections_joined_again_are_the_whole(ids: list[int], first: int, second: int) -> None:
    low, high = sorted((first, second))
    page = page_of(*ids, Name=[f"n{i}" for i in ids])
    parts = [odata.section(page, 0, low), odata.section(page, low, high), odata.section(page, high)]
    assert odata.concat(parts).contacts() == page.contacts()


# ---------------------------------------------------------------------------- etags


@pytest.mark.parametrize("tag", ['"a"', 'W/"a"', '""', "bare", "W/bare", "\"it's 5 o'clock\""])
def test_an_etag_is_kept_byte_for_byte(tag: str) -> None:
    assert odata.usable_etag(tag) == tag


@pytest.mark.parametrize(
    "tag", [None, 5, "", "*", " *", '"a" ', '"a","b"', "a,b", '"a\n"', '"ä"', "a b", '"a', '"a"b"']
)
def test_what_is_not_one_single_etag_is_none(tag: object) -> None:
    assert odata.usable_etag(tag) == ""


@given(st.text())
def test_a_usable_etag_can_be_sent_and_never_means_any(tag: str) -> None:
    usable = odata.usable_etag(tag)
    assert usable in (tag, "")
    if usable:
        assert ServerEtag(tag=usable).tag == tag
        assert usable.encode("ascii").strip() == usable.encode("ascii")


def test_the_etag_in_the_body_goes_before_the_header() -> None:
    entity = {"Id": 1, "@odata.etag": '"strong"'}
    assert odata.parse_contact(body(entity), etag_header='W/"strong"')[0].etag == '"strong"'
    assert odata.parse_contact(body({"Id": 1}), etag_header='W/"x"')[0].etag == 'W/"x"'
    assert odata.parse_contact(body({"Id": 1, "@odata.etag": None}))[0] == Contact(id=1, fields={})


@pytest.mark.parametrize("version", ["20.0.9.995", "18.0", "20-rc1"])
def test_a_version_is_taken_from_its_header(version: str) -> None:
    assert odata.version_of(version) == version


@pytest.mark.parametrize("header", [None, "", "<b>", "20 0", "x" * 41])
def test_what_is_no_version_is_none(header: str | None) -> None:
    assert odata.version_of(header) == ""


# ---------------------------------------------------------------------------- links and limits


@given(st.text(min_size=1) | json_values)
def test_of_a_next_link_only_its_presence_is_known(link: object) -> None:
    """It is never followed, so nothing in it can lead anywhere."""
    page = odata.parse_page(body({"value": [{"Id": 1}], "@odata.nextLink": link}))
    assert page.has_more is bool(link)
    assert page.contacts() == (Contact(id=1, fields={}),)


@given(st.integers(0, 999_999), st.integers(0, 10**9))
def test_the_limit_of_a_page_is_read_from_the_refusal(limit: int, asked: int) -> None:
    message = (
        f"The query specified in the URI is not valid. The limit of '{limit}' for Top query has "
        f"been exceeded. The value from the incoming request is '{asked}'."
    )
    assert odata.top_limit(body({"error": {"code": "", "message": message}})) == limit
    assert odata.top_limit(message.encode()) == limit


@given(st.binary())
def test_a_refusal_that_names_no_limit_has_none(answer: bytes) -> None:
    assert odata.top_limit(answer) == 0


# ---------------------------------------------------------------------------- error bodies


def said(document: object) -> Explanation:
    return odata.explain(body(document))


def test_the_limit_of_a_query_is_said_once() -> None:
    limit = "The limit of '100' for Top query has been exceeded."
    long = f"The query specified in the URI is not valid. {limit}"
    for inner in ("innererror", "innerError"):
        document = {
            "error": {"code": "", "message": long, "details": [], inner: {"message": limit}}
        }
        assert said(document) == Explanation(
            kind=BodyKind.ODATA, text=long[:-1], codes=said(document).codes
        )


def test_an_inner_error_that_tells_more_is_added() -> None:
    document = {"error": {"message": "An error occurred.", "innererror": {"message": "No table"}}}
    assert said(document).text == "An error occurred; No table"


def test_validation_details_name_the_field_and_what_the_code_means() -> None:
    code = "WARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER"
    detail = {"message": code, "target": "PhoneNumber"}
    for document in (
        {"error": {"message": f"PhoneNumber:\n{code}", "details": [detail]}},
        {"error": {"code": "", "message": f"PhoneNumber:\n{code}"}},
    ):
        assert said(document).text == (
            "a contact needs a number in PhoneNumber "
            "(PhoneNumber: WARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER)"
        )
        assert said(document).has("CONTACTS_SPECIFY_PHONE_NUMBER")


def test_a_flood_of_details_is_cut_short() -> None:
    details = [{"message": f"number {n}"} for n in range(10_000)]
    text = said({"error": {"message": "M", "details": details}}).text
    assert text.startswith("number 0; number 1; ")
    assert "number 10" not in text


def test_several_details_are_all_said() -> None:
    details = [{"message": "A", "target": "X"}, {"message": "B"}, "odd", {"message": 5}]
    assert said({"error": {"message": "M", "details": details}}).text == "X: A; B"


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ("WARNINGS.XAPI.NOT_FOUND", "XAPI.NOT_FOUND", True),
        ("XAPI.NOT_FOUND", "XAPI.NOT_FOUND", True),
        ("Id:\nWARNINGS.XAPI.NOT_FOUND", "XAPI.NOT_FOUND", True),
        ("WARNINGS.XAPI.FILE_NOT_FOUND", "XAPI.NOT_FOUND", False),
        ("WARNINGS.CONVERTER_LIMIT_REACHED", "LIMIT_REACHED", False),
        ("WARNINGS.LIMIT_REACHED", "LIMIT_REACHED", True),
        ("LIMIT_REACHED", "LIMIT_REACHED", True),
        ("fooXAPI.NOT_FOUND", "XAPI.NOT_FOUND", False),
    ],
)
def test_codes_match_by_a_suffix_that_begins_after_a_dot(text: str, code: str, found: bool) -> None:  # noqa: FBT001 - a table's column
    assert said({"error": {"message": text}}).has(code) is found
    assert said({"error": {"message": "x", "innererror": {"message": text}}}).has(code) is found
    assert said({"error": {"code": text}}).has(code) is found


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (b"", BodyKind.EMPTY, ""),
        (b"  \r\n", BodyKind.EMPTY, ""),
        (
            b'{"error":"unauthorized","error_description":"No."}',
            BodyKind.OAUTH,
            "unauthorized: No.",
        ),
        (b'{"error":"invalid_client"}', BodyKind.OAUTH, "invalid_client"),
        (b'{"error":{"code":"500"}}', BodyKind.ODATA, "500"),
        (b'{"error":{}}', BodyKind.ODATA, ""),
        (b'{"error":{"details":5,"innererror":"x"}}', BodyKind.ODATA, ""),
        (b'{"title":"Not Found"}', BodyKind.OTHER_JSON, "JSON that explains nothing"),
        (b"[]", BodyKind.OTHER_JSON, "JSON that explains nothing"),
        (b'{"error":5}', BodyKind.OTHER_JSON, "JSON that explains nothing"),
        (b'{"error"', BodyKind.TEXT, "broken JSON"),
        (b"[" * 100_000, BodyKind.TEXT, "broken JSON"),
        (b"Bad Gateway", BodyKind.TEXT, '"Bad Gateway"'),
        (b"\x1b[31m\x00", BodyKind.TEXT, '"[31m"'),
        (b"\x00", BodyKind.TEXT, ""),
        (
            b"<html><head><title>502 Bad\n Gateway</title>",
            BodyKind.HTML,
            'an HTML page titled "502 Bad Gateway"',
        ),
        (b"<!DOCTYPE html><p>x", BodyKind.HTML, "an HTML page"),
        (b"<title> </title>", BodyKind.HTML, "an HTML page"),
        (b"Sorry <b>no</b>", BodyKind.HTML, "an HTML page"),
        (b"<title>&lt;script&gt;</title>", BodyKind.HTML, 'an HTML page titled "markup"'),
        (b'{"error":{"message":"<script>x</script>"}}', BodyKind.ODATA, "markup"),
    ],
)
def test_every_kind_of_body_becomes_a_few_words(answer: bytes, kind: BodyKind, text: str) -> None:
    explained = odata.explain(answer)
    assert (explained.kind, explained.text) == (kind, text)


@given(st.binary() | json_values.map(body) | json_values.map(lambda v: body({"error": v})))
def test_whatever_a_body_holds_its_words_are_short_printable_and_no_markup(answer: bytes) -> None:
    text = odata.explain(answer).text
    assert text.isprintable()
    assert len(text) < 400
    assert not any(f"<{c}" in text for c in "abcxyzABCXYZ!/?")


# ---------------------------------------------------------------------------- waiting


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Tue, 24 Nov 2026 02:31:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 02:31:00 -0000", 60.0),
        ("Tue, 24 Nov 2026 02:29:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, None),
        ("soon", None),
        ("", None),
        ("Tue, 99 Nov 2026 02:31:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str, seconds: float | None) -> None:
    assert odata.retry_after(value, now=NOW) == seconds


def test_a_date_says_nothing_without_a_clock() -> None:
    assert odata.retry_after("Tue, 24 Nov 2026 02:31:00 GMT", now=None) is None


@given(st.integers(0, 10**6))
def test_a_date_means_the_seconds_until_then(seconds: int) -> None:
    moment = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert odata.retry_after(moment, now=NOW) == seconds


@given(st.text())
def test_no_retry_after_is_negative_or_breaks_anything(value: str) -> None:
    seconds = odata.retry_after(value, now=NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("outer", [0, 1])
def test_a_value_may_have_sixteen_levels_and_no_more(outer: int) -> None:
    def nested(levels: int) -> bytes:
        value: Any = 0
        for level in range(levels):
            value = [0, value] if level % 2 == outer else {"a": 0, "b": value}
        return body({"value": [{"Id": 1, "Tags": value}]})

    assert odata.parse_page(nested(16)).contacts()[0].fields["Tags"]
    with pytest.raises(PbxUntrusted, match="a value of more than 16 levels"):
        odata.parse_page(nested(17))


@given(json_values.map(body) | json_values.map(readable) | st.binary(max_size=40))
@example(b"[NaN, -Infinity]")
@example(b"[1e400, 123456789012345678901234567890, -0, 1.10, 5e-324]")
@example(b"\xef\xbb\xbf[1]")
@example('["utf-16"]'.encode("utf-16"))
@example(rb'["\ud800", "\ud83d\ude00"]')
@example(b'["\xed\xa0\x80"]')
@example(b'{"a": 1, "a": [2]} ')
@example(b"[" + b"1" * 5000 + b"]")
def test_the_quick_reader_of_json_reads_nothing_that_pythons_own_reads_otherwise(
    text: bytes,
) -> None:
    try:
        quickly = msgspec.json.decode(text)
    except ValueError:
        return
    assert repr(quickly) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        b'\xef\xbb\xbf{"value": [{"Id": 1, "Home": 1e400}]}',
        '{"value": [{"Id": 1, "Home": 1e400}]}'.encode("utf-16"),
    ],
)
def test_what_the_quick_reader_refuses_is_read_as_ever(text: bytes) -> None:
    assert odata.parse_page(text).contacts()[0].fields == {"Home": "Infinity"}


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Home", "Tag", "Email", "Other"]), json_values, max_size=4)
    )
)
def test_a_page_is_the_same_whether_or_not_its_contacts_have_the_same_properties(
    entities: list[dict[str, Any]],
) -> None:
    numbered = [{"Id": at, **entity} for at, entity in enumerate(entities, 1)]
    page = odata.parse_page(body({"value": numbered}))
    assert page.contacts() == tuple(map(odata.as_contact, numbered))


def test_half_a_surrogate_pair_is_no_text_and_stops_nobody() -> None:
    body = rb'{"value": [{"Id": 1, "FirstName": "A\ud800", "LastName": "\ud83d\ude00"}]}'
    (contact,) = odata.parse_page(body).contacts()
    assert contact.fields == {"FirstName": "A\ufffd", "LastName": "\U0001f600"}
