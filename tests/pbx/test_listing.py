"""The listing is complete, or it is refused."""

from __future__ import annotations

import json
import threading
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.model import EtagKind
from reconcile.pbx.listing import Volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pbx.conftest import FakePbx, Seen

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


def test_windows_share_a_contact_and_none_asks_for_more_than_100(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(230)
    reader.snapshot(now=now)
    asked = [str(seen).partition("?")[2] for seen in pbx.sent("GET", "Contacts")]
    assert asked[0] == asked[-1] == "$top=1&$count=true"
    assert sorted(asked[1:-1]) == [
        "$top=100&$skip=0&$orderby=Id",
        "$top=100&$skip=198&$orderby=Id",
        "$top=100&$skip=99&$orderby=Id",
        "$top=69&$skip=229&$orderby=Id",
    ]


@pytest.mark.parametrize(
    ("windows", "times"),
    [(r"\$skip=[1-9]", 6), pytest.param(r"\$skip=", 3, id="the first, too: the count has more")],
)
def test_pages_are_read_as_many_at_a_time_as_there_are_lanes(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime, *, windows: str, times: int
) -> None:
    pbx.fill(650)
    together = threading.Barrier(3)
    pbx.hooks("GET", windows, lambda _seen: together.wait(5) and None, times=times)
    assert len(connect(pbx, concurrency=3).snapshot(now=now)) == 650
    assert pbx.most_in_flight == 3


@pytest.mark.parametrize("contacts", [0, 1, 98])
def test_a_small_pbx_is_asked_for_one_window_only(
    pbx: FakePbx, reader: PbxReader, now: datetime, contacts: int
) -> None:
    pbx.fill(contacts)
    assert len(reader.snapshot(now=now)) == contacts
    rest = bool(contacts)  # of a page that is not full
    assert len(pbx.sent("GET", r"\$skip=")) == 1 + rest
    assert pbx.most_in_flight == 1


def test_no_window_is_asked_ahead_where_nothing_is_counted(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime
) -> None:
    pbx.fill(650)
    pbx.answers("GET", r"\$count", body='{"value":[]}', times=9)
    asked: list[int] = []
    pbx.hooks("GET", r"\$skip=0&", lambda _seen: asked.append(len(pbx.sent("GET", r"\$skip="))))
    assert len(connect(pbx, concurrency=3).snapshot(now=now)) == 650
    assert asked == [1]


def test_windows_asked_ahead_are_given_up_where_pages_turn_out_smaller(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(650)
    pbx.top_limit = pbx.page_cap = 50
    assert list(reader.snapshot(now=now).ids) == list(range(1, 651))
    assert len(pbx.sent("GET", r"top=100&")) <= 4
    assert len(pbx.sent("GET", r"\$skip=49&")) == 1


def test_a_pbx_that_refused_skip_is_not_asked_ahead_again(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(650)
    pbx.refuses = {"$skip"}
    for _ in range(2):
        assert list(reader.snapshot(now=now).ids) == list(range(1, 651))
    assert reader.paging == "key"
    assert 0 < len(pbx.sent("GET", r"\$skip=[1-9]")) <= 3


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
        ("strong", {"entity"}, EtagKind.STRONG),
        ("weak", {"header"}, EtagKind.WEAK),
    ],
)
def test_etags_are_seen_in_the_listing_or_else_on_one_contact(
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


@pytest.mark.parametrize("size", [30, 100])
@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/xapi/v1/Contacts?$skip=30",
        "https://pbx.example.com.evil.test/xapi/v1/Contacts",
        "//evil.test/xapi/v1/Contacts",
        "file:///etc/passwd",
        "?$skip=60",
        "Contacts?$top=100&$skip=0&$orderby=Id",
    ],
)
def test_no_next_link_is_ever_followed(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, link: str, size: int
) -> None:
    """Short page or full, to this PBX or another, to the same page again: `$skip` goes on."""
    pbx.fill(150)
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, size + 1))
    body = f'{{"@odata.nextLink":"{link}","value":[{page}]}}'
    pbx.answers("GET", r"\$skip=0&", body=body)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 151))
    asked = [seen.query.get("$skip") for seen in pbx.sent("GET", "orderby")]
    short = [str(size - 1)] if size < 100 else []
    assert sorted(asked, key=int) == sorted(["0", "99", "149", *short], key=int)


@pytest.mark.parametrize(("limit", "count"), [(50, 0), (50, 50), (50, 130), (2, 9)])
@pytest.mark.parametrize("refused", [set(), {"$skip", "$orderby"}])
def test_a_pbx_that_allows_smaller_pages_only_is_asked_for_those(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, limit: int, count: int, refused: set[str]
) -> None:
    pbx.fill(count)
    pbx.top_limit, pbx.refuses = limit, refused
    assert list(reader.snapshot(now=now).ids) == list(range(1, count + 1))
    assert reader.page_cap() == limit
    asked = [int(seen.query["$top"]) for seen in pbx.sent("GET", r"\$top=[0-9]{2}")]
    assert asked.count(100) <= 2


@pytest.mark.parametrize("refused", [set(), {"$skip", "$orderby"}])
def test_a_limit_that_is_not_named_is_met_by_small_pages(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, refused: set[str]
) -> None:
    """As with a proxy that replaces the bodies of errors."""
    pbx.fill(70)
    pbx.refuses = refused
    pbx.answers("GET", r"\$top=100", status=400, body="<html>400</html>", times=99)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 71))
    assert reader.find("FirstName", "First5")[0].id == 6


@pytest.mark.parametrize("limit", [0, 1, 100, 500])
def test_a_limit_that_makes_no_sense_ends_the_reading(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, limit: int
) -> None:
    message = f"The limit of '{limit}' for Top query has been exceeded."
    body = f'{{"error":{{"code":"","message":"{message}"}}}}'
    pbx.answers("GET", r"\$top=[^1]|\$top=100", status=400, body=body, times=9)
    with pytest.raises(PbxRefused, match=message):
        reader.snapshot(now=now)


def test_a_server_that_sends_more_than_was_asked_for_is_cut_to_it(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.ignores_top = True
    assert list(reader.snapshot(now=now).ids) == list(range(1, 151))


# ---------------------------------------------------------------------------- what doesn't add up


def test_a_contact_added_during_the_listing_makes_it_start_once_more(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.hooks("GET", r"\$skip=99&", lambda _seen: pbx.fill(1))
    assert len(reader.snapshot(now=now)) == 151
    assert len(pbx.sent("GET", r"\$skip=0")) == 2


def test_a_contact_removed_after_the_first_page_is_noticed(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.hooks("GET", r"\$skip=99&", lambda _seen: pbx.contacts.pop(1) and None)
    assert list(reader.snapshot(now=now).ids) == list(range(2, 151))


@pytest.mark.parametrize(("moves", "first"), [("99", "0"), ("0", "99")])
def test_one_removed_while_another_is_added_shows_at_the_seam(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, moves: str, first: str
) -> None:
    """The count is the same before and after, and a contact would be missing or there twice."""
    pbx.fill(150)

    def move(_seen: Seen) -> None:
        pbx.wait_until_alone(after=rf"\$skip={first}&")
        pbx.add(FirstName="New")
        pbx.contacts.pop(5)

    pbx.hooks("GET", rf"\$skip={moves}&", move)
    ids = list(reader.snapshot(now=now).ids)
    assert ids == [n for n in range(1, 152) if n != 5]
    assert len(pbx.sent("GET", r"\$skip=0&")) == 2


def test_one_moved_out_within_a_short_page_shows_at_its_seam(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(60)
    pbx.page_cap = 40
    pbx.hooks("GET", r"\$skip=39&", lambda _seen: (pbx.add(FirstName="New"), pbx.contacts.pop(5)))
    assert list(reader.snapshot(now=now).ids) == [n for n in range(1, 62) if n != 5]


def test_a_server_that_does_not_look_at_skip_is_read_by_ranges(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 101))
    pbx.answers("GET", r"\$skip=", body=f'{{"value":[{page}]}}', times=99)
    pbx.answers("GET", r"\$count", body='{"value":[]}', times=9)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 951))
    assert len(pbx.sent("GET", r"\$skip=")) < 30


def test_contacts_one_at_a_time_are_read_by_ranges(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    """Windows could not share a contact; nothing would show a shift."""
    pbx.fill(3)
    pbx.page_cap = 1
    assert list(reader.snapshot(now=now).ids) == [1, 2, 3]


def test_a_next_link_after_the_last_page_is_no_end(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    """As of a server that stops sending at some number; the ranges show the rest."""
    pbx.fill(300)
    pbx.answers("GET", r"\$count", body='{"value":[]}', times=9)

    for skip, ids in ((99, range(100, 151)), (149, [150])):
        page = ",".join(f'{{"Id":{n}}}' for n in ids)
        body = f'{{"@odata.nextLink":"?$skip=300","value":[{page}]}}'
        pbx.answers("GET", rf"\$skip={skip}&", body=body, times=9)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 301))


def test_a_next_link_on_a_range_that_is_not_full_is_no_end(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(3)
    pbx.refuses = {"$skip"}
    pbx.sorted_by = lambda entity: -entity["Id"]
    body = '{"@odata.nextLink":"?$skip=2","value":[]}'
    pbx.answers("GET", "Id gt 1073741823 and", body=body, times=9)
    with pytest.raises(PbxUntrusted, match="names a next page after its last one"):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET")) < 250


def test_a_pbx_that_refuses_a_great_skip_only_is_read_by_ranges(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(450)
    pbx.answers("GET", r"\$skip=[2-9]\d\d&", status=400, body="deep", times=99)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 451))


def test_a_row_that_an_edit_moved_is_found_by_the_other_way(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    """PostgreSQL without an order sends edited rows last: the pages rise, and one is missing."""
    pbx.fill(300)
    pbx.refuses = {"$skip"}
    pbx.sorted_by = lambda entity: 1000 if entity["Id"] == 5 else entity["Id"]
    pbx.answers("GET", r"\$count", body='{"value":[]}', times=9)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 301))


@pytest.mark.parametrize(
    ("page", "counts", "words"),
    [
        ('[{"Id":1},{"Id":1}]', "2", "sent 2 contacts, 1 of them repeated"),
        ('[{"Id":1}]', "5", "counted 5/5 contacts before/after and sent 1"),
        ('[{"Id":1}]', "99000000", "counted 99000000/99000000 contacts before/after and sent 1"),
    ],
)
def test_a_listing_that_never_adds_up_is_refused_after_the_second_time(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, page: str, counts: str, words: str
) -> None:
    pbx.answers("GET", r"\$count", body=f'{{"@odata.count":{counts},"value":[]}}', times=9)
    size = page.count("Id")
    pbx.answers("GET", r"\$skip=0", body=f'{{"value":{page}}}', times=9)
    rest = page[page.rindex("{") :] if size > 1 else "]"
    pbx.answers("GET", r"\$skip=1&", body=f'{{"value":[{rest}}}', times=9)
    with pytest.raises(PbxUntrusted, match=f"{words}; read once more, .*{words}") as caught:
        reader.snapshot(now=now)
    assert caught.value.code == "pbx_incomplete"
    assert len(pbx.sent("GET", r"\$skip=0")) == 2
    assert "reconcile doctor" in caught.value.hint


@pytest.mark.parametrize("count", [None, 0, 1, 149, "150"])
def test_a_count_that_is_missing_or_too_small_is_not_needed_if_two_readings_agree(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, count: object
) -> None:
    """Some builds leave it out, some count the page: two readings to the end prove as much."""
    pbx.fill(150)
    body = json.dumps({"value": []} if count is None else {"@odata.count": count, "value": []})
    pbx.answers("GET", r"\$count", body=body, times=9)
    assert len(reader.snapshot(now=now)) == 150
    assert len(pbx.sent("GET", r"\$skip=0")) == 1
    assert pbx.sent("GET", "Id gt 0 and Id le 2147483647")


@pytest.mark.parametrize("refused", [set(), {"$skip"}])
def test_without_a_count_two_readings_that_differ_are_refused(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, refused: set[str]
) -> None:
    pbx.fill(150)
    pbx.refuses = refused
    pbx.answers("GET", r"\$count", body='{"value":[]}', times=9)
    pbx.hooks("GET", r"\$skip=0|Id gt 0", lambda _seen: pbx.fill(1), times=9999)
    with pytest.raises(PbxUntrusted, match="counted none/none contacts before/after and sent "):
        reader.snapshot(now=now)


def test_the_numbers_of_both_readings_are_said(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    for count in (150, 149, 150, 151, 151, 152):
        pbx.answers("GET", r"\$top=1&", body=f'{{"@odata.count":{count},"value":[]}}')
    with pytest.raises(
        PbxUntrusted,
        match="counted 150/149 contacts before/after and sent 150; read once more, it counted "
        "150/151 contacts before/after and sent 150; read once more, it counted 151/152",
    ):
        reader.snapshot(now=now)


def test_overlapping_pages_are_noticed(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(150)
    page = ",".join(f'{{"Id":{n}}}' for n in (100, *range(51, 100)))
    pbx.answers("GET", r"\$skip=99&", body=f'{{"value":[{page}]}}', times=2)
    pbx.answers("GET", r"\$skip=148&", body='{"value":[{"Id":99}]}', times=2)
    assert list(reader.snapshot(now=now).ids) == list(range(1, 151))
    assert len(pbx.sent("GET", r"\$skip=0&")) == 2


def test_an_answer_that_counts_and_brings_no_contacts_is_enough(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(150)
    pbx.answers("GET", r"\$count", body='{"@odata.count":150,"value":[]}', times=2)
    assert len(reader.snapshot(now=now)) == 150
    assert len(pbx.sent("GET", r"\$skip=0")) == 1


def test_one_bad_contact_spoils_the_listing_at_once(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=495", body='{"value":[{"Id":"five"}]}')
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


@pytest.mark.parametrize("count", [2, 80, 230])
@pytest.mark.parametrize("cap", [100, 40])
def test_without_order_of_ids_they_are_read_by_ranges(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, count: int, cap: int
) -> None:
    """What comes after the greatest Id of a page is then not what is left."""
    pbx.fill(count)
    pbx.refuses, pbx.page_cap = {"$skip"}, cap
    pbx.sorted_by = lambda entity: (entity["Id"] * 7919) % 1009
    assert list(reader.snapshot(now=now).ids) == list(range(1, count + 1))


def test_a_filter_that_is_not_honoured_is_noticed(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(230)
    pbx.refuses = {"$skip"}
    page = ",".join(f'{{"Id":{n}}}' for n in range(1, 101))
    pbx.answers("GET", "Id gt", body=f'{{"value":[{page}]}}', times=999)
    with pytest.raises(PbxUntrusted, match="sent contacts that the filter leaves out"):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET")) < 200


def test_a_pbx_that_refuses_both_ways_says_why(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.refuses = {"$skip", "$filter"}
    with pytest.raises(PbxRefused, match="answered 400: The query option"):
        reader.snapshot(now=now)


@pytest.mark.parametrize("refused", [{"$count"}, {"$count", "$skip"}])
def test_a_pbx_that_refuses_to_count_is_read_twice(
    pbx: FakePbx, reader: PbxReader, now: datetime, refused: set[str]
) -> None:
    pbx.fill(130)
    pbx.refuses = refused
    assert len(reader.snapshot(now=now)) == 130


# ---------------------------------------------------------------------------- patience


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_a_page_is_asked_for_three_times(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, slept: list[float], status: int
) -> None:
    pbx.fill(250)
    pbx.answers("GET", r"\$skip=99&", status=status, times=2)
    assert len(reader.snapshot(now=now)) == 250
    assert slept == [0.5, 1.0]


def test_after_the_third_time_the_reading_ends_with_the_reason(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=99&", status=502, body="<title>502 Bad Gateway</title>", times=9)
    with pytest.raises(PbxUnreachable, match='502: an HTML page titled "502 Bad Gateway"'):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET", r"\$skip=99&")) == 3


def test_a_dropped_connection_is_made_again(
    pbx: FakePbx, reader: PbxReader, now: datetime, slept: list[float]
) -> None:
    pbx.fill(250)
    pbx.answers("GET", r"\$skip=198", drop=True)
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


@pytest.mark.parametrize(("status", "lanes"), [(429, 2), (503, 2), (504, 2), (408, 2), (500, 4)])
def test_a_busy_pbx_gets_half_as_many_requests_at_a_time(
    *, pbx: FakePbx, reader: PbxReader, now: datetime, status: int, lanes: int
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=0", status=status)
    assert len(reader.snapshot(now=now)) == 950
    assert reader.session.lanes.limit == lanes
    assert pbx.most_in_flight <= lanes


def test_a_pbx_that_became_slow_gets_half_as_many_requests_at_a_time(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime
) -> None:
    pbx.fill(250)
    late = threading.Event()
    pbx.hooks("GET", r"\$skip=0", lambda _seen: late.wait(5) and None)
    reader = connect(pbx, timeout=0.2)
    assert len(reader.snapshot(now=now)) == 250
    late.set()
    assert reader.session.lanes.limit == 2


def test_one_lane_is_always_left(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime
) -> None:
    pbx.fill(250)
    pbx.answers("GET", r"\$skip=99&", status=429, times=2)
    reader = connect(pbx, concurrency=1)
    assert len(reader.snapshot(now=now)) == 250
    assert reader.session.lanes.limit == 1


def test_a_refusal_in_the_middle_ends_the_reading_without_a_second_one(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.fill(950)
    pbx.answers("GET", r"\$skip=297", status=403)
    with pytest.raises(PbxError, match="not from here"):
        reader.snapshot(now=now)
    assert len(pbx.sent("GET", r"\$skip=0")) == 1


def test_a_great_phonebook_may_be_large_and_a_small_one_may_not() -> None:
    """A million contacts are more than 256 MiB, in ten thousand pages."""
    volume = Volume()
    for _ in range(10_000):
        volume.add(80 * 1024)
    volume.begin()
    volume.add(256 << 20)
    with pytest.raises(PbxUntrusted, match="more than 256 MiB of contacts"):
        volume.add(1)
