from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sandbox.patience import until

from reconcile.sandbox.faults import Fault, Hook

CONTACTS = "/xapi/v1/Contacts"


def _statuses(pbx, path, times):
    return [pbx.get(path).status_code for _ in range(times)]


def _what_came(answer):
    """The body of an answer that breaks off."""
    received = b""
    try:
        for part in answer.iter_raw():
            received += part
    except httpx.RemoteProtocolError:
        return received
    pytest.fail("the answer was whole")


def test_the_next_request_fails_once_and_then_never(server, pbx):
    server.fail(status=503, headers={"Retry-After": "2"})
    answer = pbx.get(CONTACTS)
    assert (answer.status_code, answer.content) == (503, b"")
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["x-3cx-version"] == "20.0.9.995"
    assert pbx.get(CONTACTS).status_code == 200
    assert [entry.status for entry in server.requests] == [503, 200]


def test_a_fault_strikes_only_what_it_matches(server, pbx):
    server.fail(method="DELETE", path_prefix=f"{CONTACTS}(2)", status=500)
    assert pbx.get(f"{CONTACTS}(2)").status_code == 200
    assert pbx.delete(f"{CONTACTS}(1)").status_code == 204
    assert pbx.delete(f"{CONTACTS}(2)").status_code == 500


def test_a_fault_may_wait_and_may_strike_often(server, pbx):
    server.fail(path_prefix=f"{CONTACTS}(1)", skip=2, times=2, status=502)
    assert pbx.get(CONTACTS).status_code == 200
    assert _statuses(pbx, f"{CONTACTS}(1)", 5) == [200, 200, 502, 502, 200]


def test_faults_strike_in_the_order_in_which_they_were_prepared(server, pbx):
    server.fail(status=500)
    server.fail(status=502)
    server.fail(status=503, skip=1)
    assert _statuses(pbx, CONTACTS, 5) == [500, 502, 200, 503, 200]


def test_a_fault_may_match_on_the_query(server, pbx):
    server.fail(path_prefix=f"{CONTACTS}?$top=100&$skip=100", status=504)
    assert pbx.get(f"{CONTACTS}?%24top=100&%24skip=0").status_code == 200
    assert pbx.get(f"{CONTACTS}?%24top=100&%24skip=100").status_code == 504


def test_by_default_the_request_never_takes_effect(server, pbx, book):
    server.fail(method="DELETE")
    assert pbx.delete(f"{CONTACTS}(1)").status_code == 500
    assert book.get(1) is not None


def test_a_request_may_take_effect_and_still_be_answered_with_a_fault(server, pbx, book):
    server.fail(method="DELETE", effect="after", status=504)
    assert pbx.delete(f"{CONTACTS}(1)").status_code == 504
    assert book.get(1) is None


@pytest.mark.parametrize("effect", ["before", "after"])
def test_a_connection_may_be_dropped_before_or_after_the_effect(server, pbx, book, effect):
    server.fail(method="DELETE", effect=effect, drop=True)
    with pytest.raises(httpx.TransportError):
        pbx.delete(f"{CONTACTS}(1)")
    assert len(book) == {"before": 5, "after": 4}[effect]
    assert [(entry.method, entry.status) for entry in server.requests] == [("DELETE", None)]
    assert pbx.get(CONTACTS).status_code == 200


@pytest.mark.parametrize("effect", ["before", "after"])
def test_a_request_may_be_left_without_a_word_and_then_dropped(server, pbx, book, effect):
    server.fail(method="DELETE", effect=effect, stall=0.05)
    before = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        pbx.delete(f"{CONTACTS}(1)")
    assert 0.05 <= time.monotonic() - before < 1
    assert len(book) == {"before": 5, "after": 4}[effect]
    assert [(entry.method, entry.status) for entry in server.requests] == [("DELETE", None)]
    assert pbx.get(CONTACTS).status_code == 200


def test_a_stalled_request_ends_with_the_server(server, pbx, capfd):
    server.fail(stall=600)
    with ThreadPoolExecutor(1) as lane:
        waiting = lane.submit(pbx.get, CONTACTS)
        until(lambda: server.requests)
        before = time.monotonic()
        server.stop()
        with pytest.raises(httpx.TransportError):
            waiting.result()
    assert time.monotonic() - before < 1
    assert capfd.readouterr() == ("", "")


def test_a_stalled_request_ends_when_its_client_hangs_up(server, capfd):
    server.fail(stall=600)
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: server.requests)
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1) == b""
    server.stop()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, 1, 60_000])
def test_an_answer_may_break_off_after_so_many_bytes_of_its_body(server, pbx, book, size):
    book.edit(1, {"Other": "x" * 100_000})
    server.fail(cut=size)
    with pbx.stream("GET", CONTACTS) as answer:
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) > 100_000
        received = _what_came(answer)
    assert len(received) == size
    assert pbx.get(CONTACTS).content.startswith(received)
    assert [entry.status for entry in server.requests] == [200, 200]


def test_the_fault_s_own_answer_may_break_off_and_its_request_takes_no_effect(server, pbx, book):
    server.fail(method="DELETE", status=502, body="<html>", cut=2)
    with pbx.stream("DELETE", f"{CONTACTS}(1)") as answer:
        assert (answer.status_code, answer.headers["content-length"]) == (502, "6")
        assert _what_came(answer) == b"<h"
    assert book.get(1) is not None


def test_an_ordinary_answer_that_breaks_off_belongs_to_a_request_that_took_effect(
    server, pbx, book
):
    server.fail(cut=1)
    with pytest.raises(httpx.RemoteProtocolError):
        pbx.post(CONTACTS, json={"FirstName": "Eve", "PhoneNumber": "6"})
    assert book.get(6)["FirstName"] == "Eve"


@pytest.mark.parametrize("fault", [{"cut": 0}, {"cut": 5, "status": 502, "body": "short"}])
def test_an_answer_that_is_no_longer_than_its_cut_is_whole(server, pbx, fault):
    server.fail(**fault)
    assert pbx.delete(f"{CONTACTS}(1)").status_code == fault.get("status", 204)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>502 Bad Gateway</html>", "text/html; charset=utf-8"),
        ("database down", "text/plain; charset=utf-8"),
        ({"error": {"code": "", "message": "x"}}, "application/json; charset=utf-8"),
        ("", None),
    ],
)
def test_a_fault_has_the_body_it_was_given(server, pbx, body, kind):
    server.fail(body=body)
    answer = pbx.get(CONTACTS)
    assert answer.headers.get("content-type") == kind
    assert (answer.text if isinstance(body, str) else answer.json()) == body


def test_a_header_may_be_replaced(server, pbx):
    server.fail(body="x", headers={"Content-Type": "application/json"})
    assert pbx.get(CONTACTS).headers["content-type"] == "application/json"


def test_the_token_request_can_fail_too_and_has_no_version_header(server, pbx, grant):
    server.fail(path_prefix="/connect/token")
    answer = pbx.post("/connect/token", data=grant)
    assert answer.status_code == 500
    assert "x-3cx-version" not in answer.headers


def test_a_fault_strikes_before_the_token_is_looked_at(server, pbx):
    server.fail(status=502)
    assert pbx.get(CONTACTS, headers={"Authorization": ""}).status_code == 502


def test_a_hook_acts_once_before_the_nth_matching_request(server, pbx, book):
    server.hook(lambda: book.edit(1, {"Tag": "hooked"}), method="GET", path_prefix=CONTACTS, nth=2)
    pbx.delete(f"{CONTACTS}(5)")
    seen = []
    for _ in range(3):
        seen.append(pbx.get(f"{CONTACTS}(1)").json()["Tag"])
        book.edit(1, {"Tag": None})
    assert seen == [None, "hooked", None]


def test_an_edit_between_the_read_and_the_delete_makes_the_tag_stale(server, pbx, book):
    server.hook(
        lambda: book.edit(1, {"Title": "meanwhile"}),
        method="DELETE",
        path_prefix=f"{CONTACTS}(1)",
    )
    tag = pbx.get(f"{CONTACTS}(1)").headers["etag"]
    answer = pbx.delete(f"{CONTACTS}(1)", headers={"If-Match": tag})
    assert answer.status_code == 412
    assert book.get(1)["Title"] == "meanwhile"


def test_several_hooks_on_one_request_all_act(server, pbx, book):
    for tag in ("first", "second"):
        server.hook(lambda tag=tag: book.add({"Tag": tag}))
    assert [row["Tag"] for row in pbx.get(CONTACTS).json()["value"]][-2:] == ["first", "second"]


def test_what_still_waits_can_be_forgotten(server, pbx, book):
    server.fail()
    server.hook(lambda: book.remove(1))
    server.clear_script()
    assert pbx.get(CONTACTS).status_code == 200
    assert len(book) == 5


@pytest.mark.parametrize(
    "wish",
    [
        {"effect": "during"},
        {"times": 0},
        {"skip": -1},
        {"status": 99},
        {"status": 600},
        {"status": "500"},
        {"status": 204, "body": "x"},
        {"method": None},
        {"path_prefix": 5},
        {"body": 5},
        {"headers": {"X": 5}},
        {"headers": "X"},
        {"stall": "1"},
        {"stall": -1},
        {"stall": float("inf")},
        {"cut": -1},
        {"cut": 0.5},
        {"cut": 0, "drop": True},
        {"stall": 1, "drop": True},
        {"stall": 1, "cut": 1},
    ],
    ids=repr,
)
def test_a_fault_that_makes_no_sense_is_refused(wish):
    with pytest.raises(ValueError, match=next(iter(wish)) + "|no body"):
        Fault(**wish)


@pytest.mark.parametrize("wish", [{"nth": 0}, {"nth": "1"}, {"method": 1}], ids=repr)
def test_a_hook_that_makes_no_sense_is_refused(wish):
    with pytest.raises(ValueError, match=next(iter(wish))):
        Hook(act=lambda: None, **wish)
