"""The listing is complete, or it is refused."""

from __future__ import annotations

import threading
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.model import EtagKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pbx.conftest import FakePbx

    from reconcile.pbx.client import PbxReader

PAGES = r"\$orderby=Id"


def names(count: int) -> list[str]:
    return [f"First{number}" for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 250, 950])
def test_every_contact_is_listed_once_in_order_of_id(
    pbx: FakePbx, reader: PbxReader, now: datetime, count: int
) -> None:
    pbx.fill(count)
    snapshot = reader.snapshot(now=now)
    assert list(snapshot.ids) == list(range(1, count + 1))
    assert list(snapshot.column("FirstName")) == names(count)
    assert (snapshot.url, snapshot.version, snapshot.read_at) == (pbx.url, "20.0.9.995", now)
    assert "Tag" not in snapshot.columns


def test_a_dry_reading_sends_gets_and_the_token_request_only(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(350)
    reader.snapshot(now=now)
    reader.contact(1)
    reader.contact(999)
    reader.find("Tag", "x")
    assert pbx.methods == {"GET", "POST /connect/token"}


def test_the_first_page_counts_and_no_page_asks_for_more_than_100(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(230)
    reader.snapshot(now=now)
    asked = [str(seen).partition("?")[2] for seen in pbx.sent("GET", "Contacts")]
    assert asked[0] == "$top=100&$skip=0&$count=true&$orderby=Id"
    assert sorted(asked[1:3]) == [
        "$top=100&$skip=100&$orderby=Id",
        "$top=100&$skip=200&$orderby=Id",
    ]
    assert asked[3:] == ["$top=1&$count=true"]


def test_pages_are_read_as_many_at_a_time_as_there_are_lanes(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime
) -> None:
    pbx.fill(650)
    together = threading.Barrier(3)
    pbx.hooks("GET", r"\$skip=[1-9]", lambda _seen: together.wait(5) and None, times=6)
    assert len(connect(pbx, concurrency=3).snapshot(now=now)) == 650
    assert pbx.most_in_flight == 3


def test_progress_goes_up_to_all(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(250)
    told: list[tuple[int, int]] = []
    reader.snapshot(now=now, progress=lambda read, count: told.append((read, count)))
    assert told[-1] == (250, 250)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("etags", "where", "kind"),
    [
        ("none", {"list"}, EtagKind.NONE),
        ("weak", {"list"}, EtagKind.WEAK),
        ("strong", {"list"}, EtagKind.STRONG),
        ("strong", {"entity"}, EtagKind.NONE),
    ],
)
def test_the_etags_of_the_listing_are_kept(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, etags: str, where: set[str], kind: EtagKind
) -> None:
    pbx.fill(3)
    pbx.etags, pbx.etag_in = etags, where
    assert reader.snapshot(now=now).etag_kind is kind


def test_another_order_of_the_server_changes_nothing(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(350)
    pbx.sorted_by = lambda entity: (entity["Id"] * 7919) % 1009
    snapshot = reader.snapshot(now=now)
    assert list(snapshot.ids) == list(range(1, 351))
    assert list(snapshot.column("FirstName")) == names(350)


# ---------------------------------------------------------------------------- short pages


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("count", [40, 50, 99, 100, 230])
def test_a_server_that_caps_pages_shorter_is_still_read_completely(
    *,
    pbx: FakePbx,
    reader: PbxReader,
    now: datetime,
    links: bool,
    count: int,
) -> None:
    pbx.fill(count)
    pbx.page_cap, pbx.links = 30, links
    assert list(reader.snapshot(now=now).ids) == list(range(1, count + 1))


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/xapi/v1/Contacts?$skip=30",
        "https://pbx.example.com.evil.test/xapi/v1/Contacts",
        "//evil.test/xapi/v1/Contacts",
        "file:///etc/passwd",
    ],
)
def test_a_next_link_to_another_place_is_not_followed(
    pbx: FakePbx, reader: PbxReader, now: datetime, link: str
) -> None:
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 31))
    body = f'{{"@odata.count":60,"@odata.nextLink":"{link}","value":[{page}]}}'
    pbx.answers("GET", PAGES, body=body)
    with pytest.raises(PbxUntrusted, match="leads to"):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET")) == 1


def test_a_foreign_link_on_a_full_page_is_not_needed_and_not_followed(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(200)
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 101))
    body = f'{{"@odata.count":200,"@odata.nextLink":"https://evil.test/","value":[{page}]}}'
    pbx.answers("GET", PAGES, body=body)
    assert len(reader.snapshot(now=now)) == 200


def test_next_links_in_a_circle_are_refused(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    body = '{"@odata.count":60,"@odata.nextLink":"?$skiptoken=again","value":[{"Id":%d}]}'
    pbx.answers("GET", PAGES, body=body % 1)
    pbx.answers("GET", "skiptoken", body=body % 2)
    with pytest.raises(PbxUntrusted, match="read already"):
        reader.snapshot(now=now)


def test_a_link_that_leads_past_the_window_adds_nothing_twice(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 61))
    body = f'{{"@odata.count":150,"@odata.nextLink":"?$top=100&$skip=60","value":[{page}]}}'
    pbx.answers("GET", PAGES, body=body)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 151))
    assert len(pbx.sent("GET", r"\$skip=0")) == 1


# ---------------------------------------------------------------------------- what doesn't add up


def test_a_contact_added_during_the_listing_makes_it_start_once_more(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.hooks("GET", r"\$skip=100", lambda _seen: pbx.fill(1))
    assert len(reader.snapshot(now=now)) == 151
    assert len(pbx.sent("GET", r"\$skip=0")) == 2


def test_a_contact_removed_after_the_first_page_is_noticed(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.hooks("GET", r"\$skip=100", lambda _seen: pbx.contacts.pop(1) and None)
    assert list(reader.snapshot(now=now).ids) == list(range(2, 151))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"value":[{"Id":1}]}', "did not count"),
        ('{"@odata.count":2,"value":[{"Id":1},{"Id":1}]}', "sent 2, 1 of them repeated"),
        ('{"@odata.count":5,"value":[{"Id":1}]}', "counted 5 contacts before"),
        ('{"@odata.count":0,"value":[{"Id":1}]}', "counted 0 contacts before"),
        ('{"@odata.count":99000000,"value":[{"Id":1}]}', "which no PBX has"),
    ],
)
def test_a_listing_that_never_adds_up_is_refused_after_the_second_time(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, body: str, words: str
) -> None:
    pbx.fill(3)
    pbx.answers("GET", r"\$skip=0.*\$count", body=body, times=9)
    pbx.answers("GET", r"\$skip=", body='{"value":[]}', times=9)
    with pytest.raises(PbxUntrusted, match=words) as caught:
        reader.snapshot(now=now)
    assert caught.value.code == "pbx_incomplete"
    assert len(pbx.sent("GET", r"\$skip=0.*\$count")) == 2
    assert "reconcile doctor" in caught.value.hint


def test_the_numbers_of_both_readings_are_said(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.answers("GET", r"\$top=1&", body='{"@odata.count":149,"value":[]}')
    pbx.answers("GET", r"\$top=1&", body='{"@odata.count":151,"value":[]}')
    with pytest.raises(
        PbxUntrusted,
        match="counted 150 contacts before and 149 after, and sent 150; read once more, it counted "
        "150 contacts before and 151 after",
    ):
        reader.snapshot(now=now)


def test_overlapping_pages_are_noticed(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(150)
    page = ",".join(f'{{"Id":{n}}}' for n in range(51, 101))
    pbx.answers("GET", r"\$skip=100", body=f'{{"value":[{page}]}}', times=2)
    with pytest.raises(PbxUntrusted, match="sent 150, 50 of them repeated"):
        reader.snapshot(now=now)


def test_a_count_that_echoes_the_page_size_does_not_cut_the_listing_short(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(250)
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 101))
    pbx.answers("GET", r"\$skip=0", body=f'{{"@odata.count":100,"value":[{page}]}}', times=2)
    pbx.answers("GET", r"\$top=1&", body='{"@odata.count":100,"value":[]}', times=2)
    with pytest.raises(PbxUntrusted, match=r"counted 100 contacts .* and sent 200"):
        reader.snapshot(now=now)


def test_a_count_that_is_too_low_does_not_keep_a_link_from_being_followed(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(90)
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 61))
    body = f'{{"@odata.count":60,"@odata.nextLink":"?$skip=60&$top=40","value":[{page}]}}'
    pbx.answers("GET", r"\$skip=0", body=body, times=2)
    pbx.answers("GET", r"\$top=1&", body='{"@odata.count":60,"value":[]}', times=2)
    with pytest.raises(PbxUntrusted, match=r"counted 60 contacts .* and sent 90"):
        reader.snapshot(now=now)


def test_an_empty_page_where_the_count_was_asked_for_is_asked_for_again(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.answers("GET", r"\$skip=0&\$count", body='{"@odata.count":150,"value":[]}')
    assert len(reader.snapshot(now=now)) == 150


def test_one_bad_contact_spoils_the_listing_at_once(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=500", body='{"value":[{"Id":"five"}]}')
    with pytest.raises(PbxUntrusted, match="without a proper Id"):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET", r"\$skip=0")) == 1


# ---------------------------------------------------------------------------- by key


@pytest.mark.parametrize("refused", [{"$skip"}, {"$orderby"}, {"$skip", "$orderby"}])
@pytest.mark.parametrize("count", [0, 1, 100, 230])
def test_a_pbx_that_refuses_skip_or_orderby_is_read_by_key(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, refused: set[str], count: int
) -> None:
    pbx.fill(count)
    pbx.refuses = refused
    assert list(reader.snapshot(now=now).column("FirstName")) == names(count)
    if count == 230:
        asked = [seen.target.partition("?")[2] for seen in pbx.sent("GET", "filter")]
        assert asked[1] == "$top=100&$filter=Id%20gt%20100"


def test_reading_by_key_tells_its_progress(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(230)
    pbx.refuses = {"$skip"}
    told: list[tuple[int, int]] = []
    reader.snapshot(now=now, progress=lambda read, count: told.append((read, count)))
    assert told == [(100, 230), (200, 230), (230, 230)]


def test_a_short_page_is_not_the_end_when_reading_by_key(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(130)
    pbx.refuses, pbx.page_cap = {"$skip"}, 50
    assert len(reader.snapshot(now=now)) == 130


def test_without_order_of_ids_reading_by_key_is_refused(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(230)
    pbx.refuses = {"$skip"}
    pbx.sorted_by = lambda entity: -entity["Id"]
    with pytest.raises(PbxUntrusted, match="in no order of their Ids"):
        reader.snapshot(now=now)


def test_all_in_one_page_needs_no_order(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(80)
    pbx.refuses = {"$skip"}
    pbx.sorted_by = lambda entity: -entity["Id"]
    assert list(reader.snapshot(now=now).ids) == list(range(1, 81))


def test_a_filter_that_is_not_honoured_is_noticed(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(230)
    pbx.refuses = {"$skip"}
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 101))
    pbx.answers("GET", "Id gt 100", body=f'{{"value":[{page}]}}')
    with pytest.raises(PbxUntrusted, match="no order"):
        reader.snapshot(now=now)


def test_more_by_key_than_were_counted_is_refused(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(230)
    pbx.refuses = {"$skip"}
    pbx.answers("GET", r"\$top=1&", body='{"@odata.count":90,"value":[]}', times=2)
    with pytest.raises(PbxUntrusted, match="counted 90 contacts and sent more"):
        reader.snapshot(now=now)


def test_a_pbx_that_refuses_both_ways_says_why(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.refuses = {"$skip", "$count"}
    with pytest.raises(PbxRefused, match="answered 400: The query option"):
        reader.snapshot(now=now)


# ---------------------------------------------------------------------------- patience


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_a_page_is_asked_for_three_times(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, slept: list[float], status: int
) -> None:
    pbx.fill(250)
    pbx.answers("GET", r"\$skip=100", status=status, times=2)
    assert len(reader.snapshot(now=now)) == 250
    assert slept == [0.5, 1.0]


def test_after_the_third_time_the_reading_ends_with_the_reason(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=100", status=502, body="<title>502 Bad Gateway</title>", times=9)
    with pytest.raises(PbxUnreachable, match='502: an HTML page titled "502 Bad Gateway"'):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET", r"\$skip=100")) == 3


def test_a_dropped_connection_is_made_again(
    pbx: FakePbx, reader: PbxReader, now: datetime, slept: list[float]
) -> None:
    pbx.fill(250)
    pbx.answers("GET", r"\$skip=200", drop=True)
    assert len(reader.snapshot(now=now)) == 250
    assert slept == [0.5]


@pytest.mark.parametrize(("value", "waits"), [("7", [7.0]), ("garbage", [0.5]), ("-3", [0.5])])
def test_retry_after_is_honoured(
    *, pbx: FakePbx, reader: PbxReader, slept: list[float], value: str, waits: list[float]
) -> None:
    pbx.answers("GET", "Contacts", status=429, headers={"Retry-After": value})
    reader.find("Tag", "x")
    assert slept == waits


def test_a_date_in_retry_after_counts_from_the_servers_own_clock(
    pbx: FakePbx, reader: PbxReader, slept: list[float], now: datetime
) -> None:
    later = now.replace(second=30)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(later, usegmt=True),
    }
    pbx.answers("GET", "Contacts", status=503, headers=headers)
    reader.find("Tag", "x")
    assert slept == [30.0]


@pytest.mark.parametrize(("waits", "slept_for"), [(["86400"], []), (["40", "30"], [40.0])])
def test_waiting_has_an_end(
    *, pbx: FakePbx, reader: PbxReader, slept: list[float], waits: list[str], slept_for: list[float]
) -> None:
    for wait in waits:
        pbx.answers("GET", "Contacts", status=503, headers={"Retry-After": wait})
    with pytest.raises(PbxUnreachable, match=f"asks to wait {waits[-1]} s"):
        reader.find("Tag", "x")
    assert slept == slept_for


@pytest.mark.parametrize(("status", "lanes"), [(429, 2), (503, 2), (500, 4)])
def test_a_busy_pbx_gets_half_as_many_requests_at_a_time(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, status: int, lanes: int
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=0", status=status)
    assert len(reader.snapshot(now=now)) == 950
    assert reader.session.lanes.limit == lanes
    assert pbx.most_in_flight <= lanes


def test_one_lane_is_always_left(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime
) -> None:
    pbx.fill(250)
    pbx.answers("GET", r"\$skip=\d00", status=429, times=2)
    reader = connect(pbx, concurrency=1)
    assert len(reader.snapshot(now=now)) == 250
    assert reader.session.lanes.limit == 1


def test_a_refusal_in_the_middle_ends_the_reading_without_a_second_one(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=300", status=403)
    with pytest.raises(PbxError, match="not from here"):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET", r"\$skip=0")) == 1
