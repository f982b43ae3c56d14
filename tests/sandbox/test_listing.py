from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from reconcile.sandbox import Book
from reconcile.sandbox.book import TEXTS

CONTACTS = "/xapi/v1/Contacts"


@pytest.fixture
def ids(pbx):
    """The Ids that a query answers."""

    def asked(**query):
        options = {f"${name}": value for name, value in query.items()}
        answer = pbx.get(CONTACTS, params=options)
        assert answer.status_code == 200, answer.text
        return [row["Id"] for row in answer.json()["value"]]

    return asked


def test_without_options_every_contact_comes_with_every_property(pbx, server, book):
    answer = pbx.get(CONTACTS)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-3cx-version"] == "20.0.9.995"
    body = answer.json()
    assert list(body) == ["@odata.context", "value"]
    assert body["@odata.context"] == f"{server.url}/xapi/v1/$metadata#Contacts"
    assert [list(row) for row in body["value"]] == [["@odata.etag", "Id", *TEXTS]] * 5
    for row in body["value"]:
        del row["@odata.etag"]
    assert body["value"] == book.all()


def test_an_empty_book_is_an_empty_list(start, connect):
    body = connect(start()).get(CONTACTS, params={"$count": "true"}).json()
    assert (body["@odata.count"], body["value"]) == (0, [])


def test_without_top_there_is_no_limit(start, connect):
    assert len(connect(start(Book.seeded(321))).get(CONTACTS).json()["value"]) == 321


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"top": "2"}, [1, 2]),
        ({"top": "0"}, []),
        ({"top": "100"}, [1, 2, 3, 4, 5]),
        ({"skip": "3"}, [4, 5]),
        ({"skip": "99"}, []),
        ({"top": "2", "skip": "1"}, [2, 3]),
        ({"orderby": "Id"}, [1, 2, 3, 4, 5]),
        ({"orderby": "Id desc"}, [5, 4, 3, 2, 1]),
        ({"orderby": "FirstName,Id desc"}, [4, 5, 1, 3, 2]),
        ({"orderby": "FirstName desc, LastName asc"}, [2, 3, 5, 1, 4]),
        ({"orderby": "LastName"}, [2, 3, 5, 1, 4]),
        ({"orderby": "LastName", "top": "2", "skip": "2"}, [5, 1]),
        ({"filter": "Id gt 2"}, [3, 4, 5]),
        ({"filter": "Id gt 2", "top": "2"}, [3, 4]),
        ({"filter": "Id gt 2", "top": "2", "skip": "1"}, [4, 5]),
        ({"filter": "Tag eq 'O''Hara'"}, [3]),
        ({"filter": "FirstName eq 'Ada'", "orderby": "LastName"}, [5, 1]),
        ({"filter": "LastName eq 'Đặng'"}, [4]),
        ({"search": "ADA"}, [1, 5]),
        ({"search": '"vormittag"'}, [5]),
        ({"search": "ada", "filter": "Id gt 1"}, [5]),
    ],
    ids=repr,
)
def test_options_choose_order_and_cut(ids, query, expected):
    assert ids(**query) == expected


def test_the_count_comes_only_when_asked_for_and_ignores_top_and_skip(pbx):
    def count(**query):
        body = pbx.get(CONTACTS, params={f"${n}": v for n, v in query.items()}).json()
        return body.get("@odata.count"), len(body["value"])

    assert count(top="2") == (None, 2)
    assert count(top="2", count="false") == (None, 2)
    assert count(top="2", count="true") == (5, 2)
    assert count(top="0", count="true") == (5, 0)
    assert count(top="1", skip="1", count="true", filter="Id gt 2") == (3, 1)
    assert count(filter="Id gt 2", count="false") == (None, 3)
    assert count(orderby="LastName") == (None, 5)


def test_select_answers_those_properties_and_says_so(pbx, server):
    body = pbx.get(CONTACTS, params={"$select": "Id, Tag,Id", "$top": "1"}).json()
    assert body["@odata.context"] == f"{server.url}/xapi/v1/$metadata#Contacts(Id,Tag)"
    assert [list(row) for row in body["value"]] == [["@odata.etag", "Id", "Tag"]]
    assert len(pbx.get(CONTACTS, params={"$select": "*"}).json()["value"][0]) == 18


@pytest.mark.parametrize("query", ["$top=2&$skip=1", "%24top=2&%24skip=1", "%24top=%32&$skip=1"])
def test_options_may_arrive_percent_encoded(pbx, query):
    answer = pbx.get(f"{CONTACTS}?{query}")
    assert [row["Id"] for row in answer.json()["value"]] == [2, 3]


@pytest.mark.parametrize("blank", ["+", "%20"])
def test_a_blank_may_be_a_plus(pbx, blank):
    answer = pbx.get(f"{CONTACTS}?$filter=Id{blank}gt{blank}4")
    assert [row["Id"] for row in answer.json()["value"]] == [5]


def test_options_without_a_dollar_are_nobody_s(pbx):
    assert len(pbx.get(f"{CONTACTS}?top=1&x=2").json()["value"]) == 5


def test_more_than_a_hundred_is_refused_in_the_known_words(pbx):
    answer = pbx.get(CONTACTS, params={"$top": "500"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == ""
    assert error["details"] == []
    assert error["message"] == (
        "The query specified in the URI is not valid. The limit of '100' for Top query has been "
        "exceeded. The value from the incoming request is '500'."
    )
    assert error["innererror"]["type"] == "Microsoft.OData.ODataException"
    assert error["message"].endswith(error["innererror"]["message"])


@pytest.mark.parametrize(
    "query",
    [
        "$top=-1",
        "$top=ten",
        "$top=1.5",
        "$top=",
        "$top=1&$top=2",
        "$top=101",
        "$skip=-1",
        "$skip=x",
        "$count=yes",
        "$count=",
        "$select=Mobile",
        "$select=Id,",
        "$orderby=Mobile",
        "$orderby=Id downwards",
        "$filter=Id gt",
        "$filter=",
        "$expand=Groups",
        "$apply=aggregate($count)",
    ],
)
def test_a_wrong_option_is_refused_in_the_form_of_odata(pbx, query):
    answer = pbx.get(f"{CONTACTS}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-3cx-version"] == "20.0.9.995"
    message = answer.json()["error"]["message"]
    assert message.startswith("The query specified in the URI is not valid. ")


def test_ten_thousand_contacts_are_read_by_eight_connections_and_each_comes_once(start, connect):
    book = Book.seeded(10_000)
    client = connect(start(book))

    def page(number):
        answer = client.get(
            CONTACTS, params={"$top": "100", "$skip": str(number * 100), "$count": "true"}
        ).json()
        assert answer["@odata.count"] == 10_000
        return [row["Id"] for row in answer["value"]]

    with ThreadPoolExecutor(8) as lanes:
        pages = list(lanes.map(page, range(100)))
    assert [each for page in pages for each in page] == [row["Id"] for row in book.all()]


def test_paging_by_key_reads_everything(start, connect):
    client = connect(start(Book.seeded(450)))
    seen: list[int] = []
    while True:
        last = seen[-1] if seen else 0
        page = client.get(CONTACTS, params={"$top": "100", "$filter": f"Id gt {last}"}).json()
        if not page["value"]:
            break
        seen += [row["Id"] for row in page["value"]]
    assert seen == list(range(1, 451))


def test_a_contact_that_goes_between_two_pages_shifts_the_rest(server, pbx, book):
    server.hook(lambda: book.remove(1), method="GET", path_prefix=f"{CONTACTS}?$top=2&$skip=2")
    first = pbx.get(f"{CONTACTS}?$top=2&$skip=0").json()["value"]
    second = pbx.get(f"{CONTACTS}?$top=2&$skip=2").json()["value"]
    assert [row["Id"] for row in first + second] == [1, 2, 4, 5]


def test_eight_connections_may_list_add_and_delete_at_once(start, connect):
    book = Book.seeded(200)
    server = start(book)
    client = connect(server)

    def lane(number):
        for _ in range(10):
            made = client.post(CONTACTS, json={"FirstName": "N", "PhoneNumber": str(number)})
            assert client.get(CONTACTS, params={"$top": "100"}).status_code == 200
            assert client.delete(f"{CONTACTS}({made.json()['Id']})").status_code == 204
        return number

    with ThreadPoolExecutor(8) as lanes:
        assert len(list(lanes.map(lane, range(8)))) == 8
    assert [row["Id"] for row in book.all()] == list(range(1, 201))
    assert sum(entry.method == "DELETE" for entry in server.requests) == 80
