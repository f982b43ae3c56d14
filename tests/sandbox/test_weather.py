"""What befalls requests before the PBX looks at them, and the days on which it isn't there."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sandbox.patience import until

from reconcile.sandbox import Book, Switches

CONTACTS = "/xapi/v1/Contacts"


def _statuses(pbx, times, path=CONTACTS):
    return [pbx.get(path).status_code for _ in range(times)]


# ---------------------------------------------------------------------------- throttle


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("429", (429, None, None)),
        ("429_retry_after", (429, "1", None)),
        ("503", (503, "1", "503 Service Unavailable")),
        ("504", (504, None, "504 Gateway Timeout")),
    ],
)
def test_every_nth_request_is_throttled_and_not_executed(pbx, turn, kind, expected):
    turn(throttle=kind, throttle_every=3)
    assert _statuses(pbx, 2) == [200, 200]
    answer = pbx.delete(f"{CONTACTS}(1)")
    titles = re.findall("<title>(.*)</title>", answer.text) or [answer.text or None]
    assert (answer.status_code, answer.headers.get("retry-after"), titles[0]) == expected
    assert _statuses(pbx, 4, f"{CONTACTS}(1)") == [200, 200, expected[0], 200]


def test_a_throttled_connection_may_be_reset(pbx, turn, book, server):
    turn(throttle="reset", throttle_every=2)
    assert pbx.get(CONTACTS).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        pbx.delete(f"{CONTACTS}(1)")
    assert book.get(1) is not None
    assert [entry.status for entry in server.requests] == [200, None]
    assert pbx.get(CONTACTS).status_code == 200


def test_token_requests_are_neither_throttled_nor_counted(pbx, turn, grant):
    turn(throttle="429", throttle_every=2)
    assert pbx.get(CONTACTS).status_code == 200
    assert pbx.post("/connect/token", data=grant).status_code == 200
    assert pbx.get(CONTACTS).status_code == 429


def test_the_count_starts_anew_when_its_switch_changes_and_only_then(server, pbx):
    server.switches = Switches(throttle="429", throttle_every=3)
    assert _statuses(pbx, 2) == [200, 200]
    server.switches = Switches(throttle="429", throttle_every=3, etags="none")
    assert _statuses(pbx, 3) == [429, 200, 200]
    server.switches = Switches(throttle="429", throttle_every=4)
    assert _statuses(pbx, 3) == [200, 200, 200]
    server.switches = Switches(throttle="never", throttle_every=4)
    server.switches = Switches(throttle="429", throttle_every=4)
    assert _statuses(pbx, 4) == [200, 200, 200, 429]


def test_a_prepared_fault_strikes_instead(server, pbx, turn):
    turn(throttle="429", throttle_every=2)
    server.fail(status=502, times=2)
    assert _statuses(pbx, 4) == [502, 502, 200, 429]


# ---------------------------------------------------------------------------- forbidden


def test_after_so_many_requests_everything_is_forbidden(pbx, turn, grant):
    turn(forbidden="empty", forbidden_after=2)
    assert _statuses(pbx, 4) == [200, 200, 403, 403]
    assert pbx.get(f"{CONTACTS}(1)").content == b""
    assert pbx.post("/connect/token", data=grant).status_code == 200


@pytest.mark.parametrize("form", ["odata", "html"])
def test_a_403_may_say_why_in_json_whatever_other_errors_look_like(pbx, turn, form):
    turn(forbidden="json", error_body=form)
    answer = pbx.get(CONTACTS)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "Access to this resource is forbidden."


def test_the_whitelist_is_looked_at_before_the_token(pbx, turn):
    turn(forbidden="empty")
    assert pbx.get(CONTACTS, headers={"Authorization": ""}).status_code == 403


# ---------------------------------------------------------------------------- lost_response


def test_the_answer_to_a_delete_may_always_be_lost(server, pbx, turn, book):
    turn(lost_response="delete")
    for contact_id in (1, 2):
        with pytest.raises(httpx.RemoteProtocolError):
            pbx.delete(f"{CONTACTS}({contact_id})")
        assert book.get(contact_id) is None
    assert pbx.get(CONTACTS).status_code == 200
    assert [entry.status for entry in server.requests] == [None, None, 200]


# ---------------------------------------------------------------------------- restart_after


def test_after_so_many_requests_the_pbx_restarts_and_its_token_is_gone(server, pbx, turn, grant):
    turn(restart_after=2, restart_seconds=0.1)
    assert _statuses(pbx, 2) == [200, 200]
    began = time.monotonic()
    with pytest.raises(httpx.ConnectError):
        pbx.get(CONTACTS)
    until(lambda: _answers(server))
    assert 0.05 < time.monotonic() - began < 5
    assert pbx.get(CONTACTS).status_code == 401
    token = pbx.post("/connect/token", data=grant).json()["access_token"]
    pbx.headers["Authorization"] = f"Bearer {token}"
    assert _statuses(pbx, 5) == [200] * 5


def _answers(server):
    try:
        return httpx.get(f"{server.url}/sandbox/switches")
    except httpx.TransportError:
        return None


def test_a_restart_in_no_time_refuses_nobody(pbx, turn, grant):
    turn(restart_after=2, restart_seconds=0)
    assert pbx.post("/connect/token", data=grant).status_code == 200
    assert _statuses(pbx, 3) == [401, 401, 401]


def test_a_restart_aborts_who_waits_and_what_waits_never_happens(server, connect, book):
    idle, waiting, last = (connect(server, stranger=True) for _ in range(3))
    token = connect(server).headers["Authorization"]
    for client in (idle, waiting, last):
        client.headers["Authorization"] = token
        assert client.get(CONTACTS).status_code == 200
    server.clear_requests()
    with ThreadPoolExecutor(1) as lane:
        server.switches = Switches(latency=600)
        lost = lane.submit(waiting.delete, f"{CONTACTS}(1)")
        until(lambda: server.requests)
        server.switches = Switches(restart_after=1, restart_seconds=600)
        assert last.get(CONTACTS).status_code == 200
        with pytest.raises(httpx.TransportError):
            lost.result()
    for client in (idle, last):
        with pytest.raises(httpx.ConnectError):
            client.get(CONTACTS)
    assert book.get(1) is not None
    assert [entry.method for entry in server.requests] == ["DELETE", "GET"]


def test_a_server_that_is_away_can_be_stopped_and_started_again(server, pbx, turn, capfd):
    url = server.url
    turn(restart_after=1, restart_seconds=600)
    pbx.get(CONTACTS)
    server.stop()
    server.start()
    assert server.url == url
    assert pbx.get(CONTACTS).status_code == 401
    assert capfd.readouterr() == ("", "")


def test_while_it_is_away_nobody_else_can_take_the_port(server, pbx, turn, start):
    turn(restart_after=1, restart_seconds=600)
    pbx.get(CONTACTS)
    with pytest.raises(OSError, match="in use"):
        start(Book(), port=int(server.url.rpartition(":")[2]))


def test_a_last_answer_that_is_lost_is_lost(server, pbx, turn):
    turn(restart_after=1, restart_seconds=600)
    server.fail(drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        pbx.get(CONTACTS)
    with pytest.raises(httpx.ConnectError):
        pbx.get(CONTACTS)


# ---------------------------------------------------------------------------- blacklist_after


def test_after_so_many_wrong_clients_nothing_is_answered_any_more(server, pbx, turn, grant):
    turn(blacklist_after=2)
    for form in ({**grant, "client_secret": "wrong"}, {}):
        assert pbx.get(CONTACTS).status_code == 200
        assert pbx.post("/connect/token", data=form).status_code in {400, 401}
    for path in (CONTACTS, "/connect/token"):
        with pytest.raises(httpx.ReadTimeout):
            pbx.post(path, data=grant, timeout=0.05)
    assert [entry.status for entry in server.requests[-2:]] == [None, None]
    assert httpx.get(f"{server.url}/sandbox/requests").status_code == 200
    turn(blacklist_after=3)
    assert pbx.get(CONTACTS).status_code == 200


def test_a_database_that_is_down_rejects_nobody(pbx, turn, grant):
    turn(blacklist_after=1, token_error="500")
    assert pbx.post("/connect/token", data=grant).status_code == 500
    assert pbx.get(CONTACTS).status_code == 200


def test_who_is_blacklisted_waits_until_the_server_ends(server, pbx, turn, capfd):
    turn(blacklist_after=1)
    pbx.post("/connect/token", data={})
    server.clear_requests()
    with ThreadPoolExecutor(1) as lane:
        waiting = lane.submit(pbx.get, CONTACTS)
        until(lambda: server.requests)
        server.stop()
        with pytest.raises(httpx.TransportError):
            waiting.result()
    assert capfd.readouterr() == ("", "")
