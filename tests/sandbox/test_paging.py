"""How a PBX may cut, sort, count and link its pages."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from reconcile.sandbox import Book, Switches

CONTACTS = "/xapi/v1/Contacts"
LINK = "@odata.nextLink"


@pytest.fixture
def book():
    """More than two pages; the last names stand in another order than the Ids."""
    return Book.seeded(130)


@pytest.fixture
def page(pbx):
    """The document that a query answers."""

    def asked(**query):
        answer = pbx.get(CONTACTS, params={f"${n}": v for n, v in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked


@pytest.fixture
def ids(page):
    def asked(**query):
        return _ids(page(**query))

    return asked


def _ids(document):
    return [row["Id"] for row in document["value"]]


def _options(link):
    return dict(parse_qsl(urlsplit(link).query))


# ---------------------------------------------------------------------------- size


@pytest.mark.parametrize(("limit", "allowed"), [("100", 100), ("50", 50), ("none", 10**6)])
def test_top_has_a_limit_and_the_refusal_names_it(*, pbx, turn, ids, limit, allowed):
    turn(top_limit=limit)
    assert len(ids(top=allowed)) == min(allowed, 130)
    refused = pbx.get(CONTACTS, params={"$top": str(allowed + 1)})
    if limit == "none":
        assert refused.status_code == 200
        return
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        f"The query specified in the URI is not valid. The limit of '{limit}' for Top query has "
        f"been exceeded. The value from the incoming request is '{allowed + 1}'."
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, range(1, 41)),
        ({"top": 100}, range(1, 41)),
        ({"top": 40}, range(1, 41)),
        ({"top": 39}, range(1, 40)),
        ({"top": 100, "skip": 120}, range(121, 131)),
        ({"top": 100, "filter": "Id gt 60"}, range(61, 101)),
        ({"top": 100, "orderby": "Id desc"}, range(130, 90, -1)),
    ],
    ids=repr,
)
def test_a_page_may_be_shorter_than_asked_for(turn, ids, query, expected):
    turn(page_cap="40")
    assert ids(**query) == list(expected)


@pytest.mark.parametrize(("default", "sent"), [("all", 130), ("50", 50), ("100", 100)])
def test_without_top_so_many_come(turn, ids, default, sent):
    turn(default_page=default)
    assert ids() == list(range(1, sent + 1))
    assert len(ids(filter="Id gt 0")) == sent
    assert ids(top=60) == list(range(1, 61))
    assert ids(skip=125) == list(range(126, 131))


def test_the_smaller_of_cap_and_default_page_counts(turn, ids):
    turn(default_page="50", page_cap="40")
    assert len(ids()) == 40


@pytest.mark.parametrize("query", ["$skip=0", "$orderby=Id", "$top=1&$skip=1&$orderby=LastName"])
def test_skip_and_orderby_may_be_refused_in_the_form_of_odata(pbx, turn, query):
    assert pbx.get(f"{CONTACTS}?{query}").status_code == 200
    turn(skip_orderby="refused")
    answer = pbx.get(f"{CONTACTS}?{query}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    name = "Orderby" if query == "$orderby=Id" else "Skip"
    assert error["innererror"]["message"].startswith(f"Query option '{name}' is not allowed.")
    assert pbx.get(f"{CONTACTS}?$top=1&$filter=Id gt 1&$count=true&$select=Id").status_code == 200


# ---------------------------------------------------------------------------- next link


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("absolute", "{url}/xapi/v1/Contacts?"),
        ("relative", "Contacts?"),
        ("http", "http://localhost:5000/xapi/v1/Contacts?"),
        ("other_host", "https://pbx.evil.test/xapi/v1/Contacts?"),
        ("cycle", "{url}/xapi/v1/Contacts?"),
    ],
)
def test_a_next_link_leads_to_where_the_switch_says(*, turn, page, server, kind, begins):
    turn(next_link=kind, page_cap="40")
    link = page(top=100, skip=10, filter="Id gt 5")[LINK]
    assert link.startswith(begins.format(url=server.url))
    expected = {"$filter": "Id gt 5", "$top": "60", "$skip": "50"}
    if kind == "cycle":
        expected |= {"$top": "100", "$skip": "10"}
    assert _options(link) == expected
    assert list(page(top=100, skip=10, filter="Id gt 5", count="true")) == [
        "@odata.context",
        "@odata.count",
        LINK,
        "value",
    ]


def test_a_pbx_may_never_say_that_more_follow(turn, page):
    turn(page_cap="40", default_page="50")
    assert LINK not in page()
    assert LINK not in page(top=100, skip=10, filter="Id gt 5")


@pytest.mark.parametrize(
    "query",
    [
        {"top": 100, "skip": 30},
        {"skip": 100},
        {"top": 30, "filter": "Id gt 100"},
        {"filter": "Id gt 129", "count": "true"},
        {"top": 100, "skip": 30, "orderby": "LastName"},
        {"skip": 500},
        {"top": 0},
        {},
    ],
    ids=repr,
)
def test_after_the_last_page_there_is_no_link(turn, page, query):
    turn(next_link="absolute")
    assert LINK not in page(**query)


@pytest.mark.parametrize(
    "query",
    [
        {"top": 100, "skip": 29},
        {"top": 29, "filter": "Id gt 100"},
        {"top": 29, "filter": "Id gt 100", "count": "true"},
        {"top": 100, "orderby": "LastName"},
        {"top": 1},
    ],
    ids=repr,
)
def test_every_page_after_which_more_follow_has_one_also_a_full_one(turn, page, query):
    turn(next_link="relative")
    document = page(**query)
    options = _options(document[LINK])
    assert int(options["$skip"]) == query.get("skip", 0) + len(document["value"])
    assert options["$top"] == str(query["top"])  # it was used up: the size of a page, as Graph's is


@pytest.mark.parametrize("kind", ["absolute", "relative"])
@pytest.mark.parametrize("skip_orderby", ["accepted", "refused"])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"top": 100},
        {"filter": "Id gt 20", "top": 50, "select": "Id,Tag"},
        {"filter": "contains(tolower(FirstName),'a') or Tag eq 'x y&z'", "count": "true"},
        {"search": "müller"},
    ],
    ids=repr,
)
def test_who_follows_the_links_gets_everything_once(*, pbx, turn, page, kind, skip_orderby, query):
    everything = _ids(page(**{n: v for n, v in query.items() if n != "top"}))
    turn(next_link=kind, page_cap="40", skip_orderby=skip_orderby)
    document = page(**query)
    seen = _ids(document)
    while LINK in document:
        document = pbx.get(pbx.base_url.join("/xapi/v1/").join(document[LINK])).json()
        seen += _ids(document)
    assert seen == everything


def test_a_link_keeps_the_place_that_skip_and_filter_had(pbx, turn, page):
    turn(next_link="absolute", page_cap="40")
    first = page(top=70, skip=10, filter="Id gt 5")
    second = pbx.get(first[LINK]).json()
    assert _ids(first) == list(range(16, 56))
    assert _ids(second) == list(range(56, 86))  # 70 were asked for, 40 had come


def test_a_link_that_goes_in_a_circle_answers_the_same_page_for_ever(pbx, turn, page):
    turn(next_link="cycle", default_page="50")
    first = page()
    again = pbx.get(first[LINK]).json()
    assert _ids(again) == _ids(first)
    assert again[LINK] == first[LINK]


# ---------------------------------------------------------------------------- order


def test_without_orderby_contacts_may_come_by_last_name(turn, page, book):
    turn(order="last_name")
    listed = page()["value"]
    by_name = sorted(book.all(), key=lambda row: (row["LastName"], row["Id"]))
    assert [row["Id"] for row in listed] == [row["Id"] for row in by_name]
    assert [row["Id"] for row in listed] != sorted(row["Id"] for row in listed)


def test_contacts_without_a_last_name_come_first(pbx, turn, book):
    book.add({"FirstName": "Z", "PhoneNumber": "1"})
    turn(order="last_name")
    assert pbx.get(CONTACTS).json()["value"][0]["Id"] == 131


def test_the_order_may_be_arbitrary_and_the_same_each_time(turn, ids):
    turn(order="arbitrary")
    everything = ids()
    assert everything != sorted(everything)
    assert sorted(everything) == list(range(1, 131))
    assert ids() == everything
    assert ids(top=100) + ids(top=100, skip=100) == everything


def test_an_arbitrary_order_outlives_a_change_and_a_restart(*, turn, ids, book, start, connect):
    turn(order="arbitrary")
    before = ids()
    book.remove(7)
    assert ids() == [each for each in before if each != 7]
    other = connect(start(Book.seeded(130), switches=Switches(order="arbitrary")))
    assert _ids(other.get(CONTACTS).json()) == before


def test_the_order_may_be_another_one_for_every_request(turn, ids):
    turn(order="unstable")
    seen = [ids() for _ in range(3)]
    assert [sorted(each) for each in seen] == [list(range(1, 131))] * 3
    assert len({tuple(each) for each in seen}) == 3
    assert sorted(ids(top=100) + ids(top=100, skip=100)) != list(range(1, 131))


@pytest.mark.parametrize("order", ["last_name", "arbitrary", "unstable"])
def test_the_order_also_holds_within_a_filter_so_paging_by_key_loses_contacts(turn, ids, order):
    turn(order=order)
    first = ids(top=100, filter="Id gt 20")
    assert first != sorted(first)
    assert min(first) > 20
    assert set(first) != set(range(21, 121))
    assert sorted(ids(filter="Id gt 20")) == list(range(21, 131))


@pytest.mark.parametrize("order", ["last_name", "arbitrary", "unstable"])
def test_orderby_goes_before_the_pbx_s_own_order(turn, ids, order):
    turn(order=order)
    assert ids(top=100, orderby="Id") == list(range(1, 101))
    assert ids(filter="Id gt 120", orderby="Id") == list(range(121, 131))
    assert ids(top=2, orderby="Id desc") == [130, 129]


# ---------------------------------------------------------------------------- count


@pytest.mark.parametrize(
    ("kind", "counted", "sent"),
    [("right", 110, 30), ("absent", None, 30), ("page_size", 30, 30), ("empty_value", 110, 0)],
)
def test_a_count_is_what_the_switch_makes_of_it(*, turn, page, kind, counted, sent):
    turn(count=kind)
    document = page(top=30, filter="Id gt 20", count="true")
    assert (document.get("@odata.count"), len(document["value"])) == (counted, sent)
    unasked = page(top=30, filter="Id gt 20")
    assert "@odata.count" not in unasked
    assert len(unasked["value"]) == 30


def test_who_asks_for_one_contact_and_the_count_may_get_the_count_alone(turn, page):
    turn(count="empty_value")
    document = page(top=1, count="true")
    assert (document["@odata.count"], document["value"]) == (130, [])
    assert len(page(top=1, count="false")["value"]) == 1


def test_the_size_of_a_capped_page_may_be_called_the_count(turn, page):
    turn(count="page_size", page_cap="40")
    assert page(top=100, count="true")["@odata.count"] == 40
    assert page(skip=120, count="true")["@odata.count"] == 10


def test_a_page_without_contacts_has_no_link_though_its_count_speaks_of_more(turn, page):
    turn(count="empty_value", next_link="absolute")
    assert LINK not in page(top=1, count="true")


# ---------------------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    ("style", "written"),
    [
        ("stored", {"FirstName": None, "Tag": ""}),
        ("null", {"FirstName": None, "Tag": None}),
        ("omitted", {}),
        ("empty", {"FirstName": "", "Tag": ""}),
    ],
)
def test_what_has_no_value_is_written_in_one_of_four_ways(*, pbx, turn, page, book, style, written):
    turn(null_style=style)
    contact_id = book.add({"FirstName": None, "LastName": "L", "Tag": "", "PhoneNumber": "1"})
    expected = {"Id": contact_id, "LastName": "L", **written}
    names = ("Id", "FirstName", "LastName", "Tag")
    listed = page(filter=f"Id eq {contact_id}")["value"][0]
    single = pbx.get(f"{CONTACTS}({contact_id})").json()
    chosen = page(filter=f"Id eq {contact_id}", select=",".join(names))["value"][0]
    for row in (listed, single, chosen):
        assert {name: row[name] for name in names if name in row} == expected
    assert len(listed) == (5 if style == "omitted" else 18)
    assert book.get(contact_id)["Tag"] == ""


@pytest.mark.parametrize("etags", ["weak", "none"])
def test_a_contact_of_which_nothing_is_left_to_write_is_still_json(pbx, turn, book, etags):
    turn(null_style="omitted", etags=etags)
    contact_id = book.add({"LastName": "L"})
    where = {"$filter": f"Id eq {contact_id}", "$select": "Tag"}
    listed = pbx.get(CONTACTS, params=where).json()["value"]
    single = pbx.get(f"{CONTACTS}({contact_id})", params={"$select": "Tag"}).json()
    tag = ["@odata.etag"] if etags == "weak" else []
    assert [list(row) for row in listed] == [tag]
    assert list(single) == ["@odata.context", *tag]


def test_every_style_writes_the_same_text_for_what_has_a_value(pbx, turn, book):
    contact_id = book.add({"LastName": 'Ðặng "\\ \u2028', "PhoneNumber": "1"})
    for style in ("stored", "null", "omitted", "empty"):
        turn(null_style=style)
        body = pbx.get(f"{CONTACTS}({contact_id})").content.decode("utf-8")
        assert json.loads(body)["LastName"] == 'Ðặng "\\ \u2028'
        assert "Ðặng" in body
