from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx
import pytest
from sandbox.patience import until

from reconcile.errors import MissingExtra
from reconcile.sandbox import Book, SandboxServer, Switches

CONTACTS = "/xapi/v1/Contacts"


def test_every_server_has_its_own_port_and_says_where_it_is(start):
    book = Book()
    first, second = start(book), start()
    assert first.book is book
    assert first.url != second.url
    assert first.url.startswith("http://127.0.0.1:")
    assert not first.url.endswith("/")


def test_after_the_block_nobody_listens_and_no_thread_is_left():
    with SandboxServer(Book()) as server:
        assert httpx.get(f"{server.url}/").status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/")
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}
    server.stop()


def test_an_answer_carries_the_date_and_no_word_about_the_simulator(server):
    headers = httpx.get(f"{server.url}/xapi/v1/Defs").headers
    assert parsedate_to_datetime(headers["date"]).tzinfo is not None
    assert "server" not in headers


def test_a_restarted_server_is_the_same_at_the_same_address(server, pbx, book):
    url, token = server.url, pbx.headers["Authorization"]
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    server.start()
    assert server.url == url
    answer = httpx.get(f"{url}{CONTACTS}", headers={"Authorization": token})
    assert len(answer.json()["value"]) == len(book)


def test_a_port_that_is_taken_is_an_error_at_once(server):
    taken = int(server.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        SandboxServer(Book(), port=taken).start()


def test_the_end_cuts_off_who_still_waits_and_what_waits_never_happens(start, connect, book):
    server = start(book)
    pbx = connect(server)
    server.switches = Switches(latency=600)
    with ThreadPoolExecutor(1) as lane:
        waiting = lane.submit(pbx.delete, f"{CONTACTS}(1)")
        until(lambda: server.requests[-1].method == "DELETE")
        server.stop()
        with pytest.raises(httpx.TransportError):
            waiting.result()
    assert book.get(1) is not None
    assert server.requests[-1].status is None


def test_the_end_cuts_off_an_answer_on_its_way_and_what_was_handled_is_done(start, connect, book):
    server = start(book)
    pbx = connect(server)
    server.switches = Switches(latency=2)
    with ThreadPoolExecutor(1) as lane:
        waiting = lane.submit(pbx.delete, f"{CONTACTS}(1)")
        until(lambda: book.get(1) is None)
        assert not waiting.done()
        server.stop()
        with pytest.raises(httpx.TransportError):
            waiting.result()
    assert server.requests[-1].status is None


def test_the_end_does_not_wait_for_a_body_that_never_comes(server, capfd):
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as half:
        half.sendall(b"POST /connect/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        until(lambda: server.requests)
        server.stop()
    assert capfd.readouterr() == ("", "")


def test_latency_delays_an_answer_and_the_answer_is_still_right(pbx, turn):
    turn(latency=0.01)
    assert pbx.get(CONTACTS).elapsed.total_seconds() >= 0.01


def test_a_log_cleared_while_a_request_is_handled_stays_clear(server, pbx):
    server.hook(server.clear_requests)
    assert pbx.get(CONTACTS).status_code == 200
    assert server.requests == ()


def test_the_log_is_in_the_order_of_arrival(server, pbx):
    for contact_id in (3, 1, 2):
        pbx.get(f"{CONTACTS}({contact_id})")
    assert [entry.path[-2] for entry in server.requests] == ["3", "1", "2"]


def test_nothing_is_printed(pbx, capfd):
    pbx.get(CONTACTS)
    pbx.get("/nowhere")
    assert capfd.readouterr() == ("", "")


def test_no_secret_stands_in_any_repr(server, pbx):
    token = pbx.headers["Authorization"].removeprefix("Bearer ")
    pbx.get(CONTACTS)
    shown = repr(server) + repr(server.requests) + repr(vars(server))
    assert token not in shown
    assert "sandbox-secret" not in shown


@pytest.mark.parametrize(
    "missing", ["httptools", "python_multipart", "starlette", "trustme", "uvicorn"]
)
def test_a_missing_extra_is_named_with_the_command_that_mends_it(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra) as refused:
        SandboxServer(Book())
    assert "reconcile-3cx[sandbox]" in refused.value.hint


def test_importing_the_sandbox_needs_neither_starlette_nor_uvicorn():
    heavy = "{'starlette', 'trustme', 'uvicorn'}"
    code = f"import sys, reconcile.sandbox; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


FOREGROUND = """
from reconcile.sandbox import Book, SandboxServer, serve
serve(SandboxServer(Book.seeded(3)), announce=lambda url: print(url, flush=True))
print("ended")
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_ends_it_cleanly(stop):
    with subprocess.Popen(
        [sys.executable, "-c", FOREGROUND],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    ) as process:
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url) as client:
            assert len(client.get("/sandbox/contacts").json()["value"]) == 3
            process.send_signal(stop)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "ended\n", "")
