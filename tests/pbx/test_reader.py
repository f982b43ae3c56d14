"""One contact, a search, and the version: believed only as far as they are proved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.pbx.client import Connection, PbxReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pbx.conftest import FakePbx

NOT_FOUND = '{"error":{"code":"","message":"WARNINGS.XAPI.NOT_FOUND"}}'
ONE = r"Contacts\(1\)"


def test_a_contact_comes_with_its_entity_and_its_etag(pbx: FakePbx, reader: PbxReader) -> None:
    pbx.add(FirstName="Jo", PhoneNumber="0301", Home="", Pager=None, **{"Tag@odata.type": "#x"})
    found = reader.contact(1)
    assert found is not None
    contact, entity = found
    assert (contact.id, contact.etag) == (1, '"v1"')
    assert contact.fields == {"FirstName": "Jo", "PhoneNumber": "0301"}
    assert entity == {
        "Id": 1, "FirstName": "Jo", "PhoneNumber": "0301", "Home": "", "Pager": None,
    }  # fmt: skip


def test_an_etag_only_in_the_header_is_kept(pbx: FakePbx, reader: PbxReader) -> None:
    pbx.add(PhoneNumber="1")
    pbx.etags, pbx.etag_in = "weak", {"header"}
    found = reader.contact(1)
    assert found is not None
    assert found[0].etag == 'W/"v1"'


def test_the_snapshot_and_the_re_read_have_the_same_fingerprint(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.add(FirstName="Jö", PhoneNumber="+49 30 1", Tag=None, Other=" a ")
    found = reader.contact(1)
    assert found is not None
    listed = reader.snapshot(now=now).contact(0)
    assert found[0] == listed
    assert reader.as_contact(found[1]).fingerprint == listed.fingerprint


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, ""),
        (404, NOT_FOUND),
        (404, "<html>Not Found</html>"),
        (404, "Not Found"),
        (404, '{"title":"Not Found","status":404}'),
        (410, ""),
        (410, NOT_FOUND),
        (400, NOT_FOUND),
        (400, ""),
    ],
)
def test_a_contact_is_missing_if_it_has_no_address_and_is_not_listed(
    *, pbx: FakePbx, reader: PbxReader, status: int, body: str
) -> None:
    pbx.last_id = 1
    pbx.add(PhoneNumber="somebody else")
    pbx.answers("GET", ONE, status=status, body=body)
    assert reader.contact(1) is None
    assert [str(seen) for seen in pbx.sent("GET")][1:] == [
        "GET /xapi/v1/Contacts?$top=1&$filter=Id eq 1",
        "GET /xapi/v1/Contacts?$top=1",
    ]


def test_nobody_is_missing_from_a_phonebook_that_lists_nobody_any_more(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    """So it looks to a client whose role or department was taken away."""
    pbx.fill(3)
    reader.snapshot(now=now)
    pbx.contacts.clear()
    with pytest.raises(PbxUntrusted, match="lists no contacts at all any more"):
        reader.contact(2)


def test_the_last_contact_of_a_phonebook_can_be_missing(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(1)
    reader.snapshot(now=now)
    pbx.contacts.clear()
    assert reader.contact(1) is None


@pytest.mark.parametrize("there", [True, False])
def test_where_contacts_can_not_be_filtered_the_whole_listing_is_asked(
    pbx: FakePbx,
    reader: PbxReader,
    there: bool,  # noqa: FBT001 - a case
) -> None:
    pbx.fill(3)
    pbx.refuses = {"$filter"}
    pbx.answers("GET", ONE, status=404)
    if there:
        with pytest.raises(PbxUntrusted, match="lists contact 1"):
            reader.contact(1)
    else:
        del pbx.contacts[1]
        assert reader.contact(1) is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, NOT_FOUND, PbxRefused),
        (500, NOT_FOUND, PbxUnreachable),
        (204, "", PbxUntrusted),
        (200, "", PbxUntrusted),
        (200, "<html>", PbxUntrusted),
        (200, '{"error":{"message":"WARNINGS.XAPI.NOT_FOUND"}}', PbxUntrusted),
        (200, '{"Id":2}', PbxUntrusted),
    ],
)
def test_no_other_answer_means_that_a_contact_is_missing(
    *, pbx: FakePbx, reader: PbxReader, status: int, body: str, kind: type[PbxError]
) -> None:
    pbx.answers("GET", ONE, status=status, body=body, times=9)
    with pytest.raises(kind):
        reader.contact(1)


@pytest.mark.parametrize("status", [404, 403, 302, 500])
def test_a_contact_is_not_missing_if_the_listing_does_not_answer(
    pbx: FakePbx, reader: PbxReader, status: int
) -> None:
    pbx.answers("GET", ONE, status=404)
    pbx.answers("GET", r"Contacts\?", status=status, times=9)
    with pytest.raises(PbxError):
        reader.contact(1)


def test_a_listing_that_does_not_look_at_the_filter_proves_nothing(
    pbx: FakePbx, reader: PbxReader
) -> None:
    pbx.answers("GET", ONE, status=404)
    pbx.answers("GET", r"Contacts\?", body='{"value":[{"Id":7}]}')
    with pytest.raises(PbxUntrusted, match="other contacts than the one with Id 1"):
        reader.contact(1)


def test_a_contact_that_is_listed_is_not_missing(pbx: FakePbx, reader: PbxReader) -> None:
    pbx.add(PhoneNumber="1")
    pbx.answers("GET", ONE, status=404)
    with pytest.raises(PbxUntrusted, match="lists contact 1 and answered 404 for it"):
        reader.contact(1)


def test_a_re_read_is_patient(pbx: FakePbx, reader: PbxReader, slept: list[float]) -> None:
    pbx.add(PhoneNumber="1")
    pbx.answers("GET", ONE, status=503)
    pbx.answers("GET", ONE, drop=True)
    assert reader.contact(1) is not None
    assert slept == [0.5, 1.0]


# ---------------------------------------------------------------------------- find


def test_a_search_quotes_what_it_looks_for(pbx: FakePbx, reader: PbxReader) -> None:
    name = "O'Neil & Sons + 50% #1?"
    pbx.add(CompanyName=name, PhoneNumber="1")
    pbx.add(CompanyName="other", PhoneNumber="2")
    assert [contact.id for contact in reader.find("CompanyName", name)] == [1]
    for seen in pbx.sent("GET"):
        assert "+" not in seen.target
        assert "%20eq%20" in seen.target


def test_a_search_does_not_believe_a_server_that_ignores_the_filter(
    pbx: FakePbx, reader: PbxReader
) -> None:
    body = '{"value":[{"Id":1,"Tag":"other"},{"Id":2,"Tag":"x"},{"Id":3}]}'
    pbx.answers("GET", "Contacts", body=body)
    assert [contact.id for contact in reader.find("Tag", "x")] == [2]


@pytest.mark.parametrize("cap", [100, 40])
@pytest.mark.parametrize("descending", [False, True])
def test_a_search_finds_all_however_the_server_cuts_and_sorts(
    *, pbx: FakePbx, reader: PbxReader, cap: int, descending: bool
) -> None:
    for _ in range(130):
        pbx.add(PhoneNumber="1")
    pbx.add(PhoneNumber="2")
    pbx.page_cap = cap
    pbx.sorted_by = lambda entity: -entity["Id"] if descending else entity["Id"]
    assert [c.id for c in reader.find("PhoneNumber", "1")] == list(range(1, 131))


def test_a_search_that_brings_others_each_time_is_refused_in_words(
    pbx: FakePbx, reader: PbxReader
) -> None:
    """A server that doesn't look at the filter at all is its fault, and no bug of ours."""
    page = ",".join(f'{{"Id":{n},"Tag":"x"}}' for n in range(1, 101))
    pbx.answers("GET", "Tag eq", body=f'{{"value":[{page}]}}', times=999)
    with pytest.raises(PbxUntrusted, match="can't be searched: it sent contacts that the filter"):
        reader.find("Tag", "x")
    assert len(pbx.sent("GET")) < 99


def test_a_search_that_finds_nothing_and_names_a_next_page_is_refused(
    pbx: FakePbx, reader: PbxReader
) -> None:
    pbx.answers("GET", "Contacts", body='{"value":[],"@odata.nextLink":"?$skip=1"}')
    with pytest.raises(PbxUntrusted, match="names a next page"):
        reader.find("PhoneNumber", "1")


# ---------------------------------------------------------------------------- version and clock


def test_the_version_is_asked_for_once_and_cheaply(pbx: FakePbx, reader: PbxReader) -> None:
    assert [reader.version(), reader.version()] == ["20.0.9.995"] * 2
    assert [str(seen) for seen in pbx.sent("GET")] == ["GET /xapi/v1/Defs?$select=Id"]


def test_any_answer_tells_the_version(pbx: FakePbx, reader: PbxReader) -> None:
    reader.find("Tag", "x")
    assert reader.version() == "20.0.9.995"
    assert not pbx.sent("GET", "Defs")


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_pbx_that_does_not_say_its_version_is_asked_for_its_defs(
    pbx: FakePbx, reader: PbxReader, status: int
) -> None:
    pbx.extra_headers["X-3CX-Version"] = ""
    pbx.answers("GET", "Defs", status=status)
    assert reader.version() == ""
    assert [str(seen) for seen in pbx.sent("GET")] == ["GET /xapi/v1/Defs?$select=Id"]


def test_an_update_in_between_shows(pbx: FakePbx, reader: PbxReader) -> None:
    reader.find("Tag", "x")
    pbx.extra_headers["X-3CX-Version"] = "20.0.10.1"
    reader.find("Tag", "x")
    assert reader.version() == "20.0.10.1"


def test_the_clock_of_the_pbx_is_known_from_its_answers(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    assert reader.server_time is None
    reader.find("Tag", "x")
    assert reader.server_time is None
    pbx.extra_headers["Date"] = "Tue, 24 Nov 2026 02:30:00 GMT"
    reader.find("Tag", "x")
    assert reader.server_time == now


def test_a_reader_sleeps_for_real_by_default_and_closes_itself(pbx: FakePbx) -> None:
    connection = Connection(url=pbx.url, client_id="me", client_secret="canary-secret-5f1d")
    with PbxReader(connection) as reader:
        reader.find("Tag", "x")
        assert reader.session._sleep is time.sleep  # noqa: SLF001 - the default is the point
    pbx.answers("GET", "Contacts")
    assert reader.session._wire._opened  # noqa: SLF001 - what was open
    for each in reader.session._wire._opened:  # noqa: SLF001 - as above
        assert each._pool.connections == []  # noqa: SLF001 - what is still open


def test_many_readers_of_one_pbx_do_not_share_a_token(
    pbx: FakePbx, connect: Callable[..., PbxReader]
) -> None:
    first, second = connect(pbx), connect(pbx)
    first.find("Tag", "x")
    second.find("Tag", "x")
    first.find("Tag", "x")
    assert pbx.tokens == 3
