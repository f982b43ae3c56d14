"""An export from a web server: a real one, that answers as each test wants."""

from __future__ import annotations

import base64
import gzip
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from reconcile import crm
from reconcile.crm.sources import Place, fetch
from reconcile.crm.sources.original import SIZE_LIMIT
from reconcile.errors import ConfigError, ExportRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

CSV = b"id,name,phone\n1,Jo Doe,+49301234567\n"
CANARY = "canary-s3cret-9XZ"


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = CSV
    length: int | None = -1
    """The Content-Length sent; None: none, -1: the true one."""
    stall: float = 0
    drip: float = 0
    """Seconds between the bytes of the body."""


@dataclass
class Web:
    """A server and what it was asked; it gives its answers in order, the last one for ever."""

    url: str
    answers: list[Answer]
    asked: list[Any] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def place(self, path: str = "/export.csv", **more: Any) -> Place:
        return Place(source=self.url + path, timeout=5, sleep=self.slept.append, **more)


def handler_of(web: Callable[[], Web], done: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = web()
            found.asked.append((self.path, self.headers))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            done.wait(answer.stall)
            self.send_response(answer.status)
            if answer.length is not None:
                length = len(answer.body) if answer.length < 0 else answer.length
                self.send_header("Content-Length", str(length))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            pieces = [bytes([b]) for b in answer.body] if answer.drip else [answer.body]
            for piece in pieces:
                done.wait(answer.drip)
                self.wfile.write(piece)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Quiet."""

    return Handler


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """A client that leaves is what some tests are about."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Web]]:
    running, done = [], threading.Event()

    def start(*answers: Answer, tls: ssl.SSLContext | None = None) -> Web:
        server = Quiet(("127.0.0.1", 0), handler_of(lambda: web, done))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        scheme = "https" if tls else "http"
        port = server.server_address[1]
        web = Web(f"{scheme}://localhost:{port}", list(answers) or [Answer()])
        return web

    yield start
    done.set()
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(web: Web, now: datetime, **more: Any) -> ExportRejected:
    with pytest.raises(ExportRejected) as caught:
        fetch(web.place(**more), now=now)
    error = caught.value
    assert CANARY not in f"{error}{error.problems}{error.hint}"
    assert error.hint
    return error


def code(error: ExportRejected) -> str:
    return error.problems[0].code


def test_the_body_is_the_export_and_the_time_is_the_servers(serve: Any, now: datetime) -> None:
    web = serve(Answer(headers={"Last-Modified": "Tue, 03 Nov 2026 01:00:00 GMT"}))
    (original,) = fetch(web.place("/a/people%20all.csv?view=7"), now=now)
    assert (original.name, original.content) == ("people all.csv", CSV)
    assert original.origin == f"{web.url}/a/people%20all.csv"
    assert f"{original.modified_at:%H:%M}" == "01:00"
    assert web.asked[0][0] == "/a/people%20all.csv?view=7"
    assert web.asked[0][1]["Authorization"] is None


@pytest.mark.parametrize("header", ["", "yesterday", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_without_a_time_it_is_of_now(serve: Any, now: datetime, header: str) -> None:
    web = serve(Answer(headers={"Last-Modified": header}))
    assert fetch(web.place(), now=now)[0].modified_at == now


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="contacts-1.csv"', "contacts-1.csv"),
        ("attachment; filename=people.xlsx", "people.xlsx"),
        ("attachment; filename*=UTF-8''K%C3%B6nig.csv", "König.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\temp\\\\c.csv"', "c.csv"),
        ("attachment", "export.csv"),
        ('attachment; filename=".."', "export.csv"),
        (f'attachment; filename="{"x" * 500}"', "x" * 120),
    ],
)
def test_the_name_is_the_servers_without_any_folder(
    serve: Any, now: datetime, disposition: str, name: str
) -> None:
    web = serve(Answer(headers={"Content-Disposition": disposition}))
    assert fetch(web.place(), now=now)[0].name == name


def test_a_bearer_token_is_sent_and_never_shown(serve: Any, now: datetime) -> None:
    web = serve(Answer(status=401))
    error = refused(web, now, auth="bearer", secret=CANARY)
    assert web.asked[0][1]["Authorization"] == f"Bearer {CANARY}"
    assert code(error) == "export_unreachable"
    assert "answered 401" in error.message
    assert "crm.auth" in error.hint
    assert len(web.asked) == 1
    assert CANARY not in repr(web.place(secret=CANARY))


def test_basic_is_user_and_secret(serve: Any, now: datetime) -> None:
    web = serve()
    fetch(web.place(auth="basic", user="jo", secret="päss"), now=now)
    sent = web.asked[0][1]["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "jo:päss"


def test_a_secret_that_no_header_may_hold_is_not_sent_nor_shown(serve: Any, now: datetime) -> None:
    web = serve()
    error = refused(web, now, auth="bearer", secret=f"{CANARY}\nX-Other: 1")
    assert "no header may hold" in error.message
    assert web.asked == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "a signed address has not expired"),
        (404, "check crm.source"),
        (410, "the job that writes the export"),
        (204, "ask the people"),
        (206, "ask the people"),
        (304, "points to another path"),
        (418, "ask the people"),
    ],
)
def test_any_other_answer_is_refused_at_once(
    serve: Any, now: datetime, status: int, words: str
) -> None:
    web = serve(Answer(status=status, body=b"", length=None if status in {204, 304} else -1))
    error = refused(web, now)
    assert code(error) == "export_unreachable"
    assert f"answered {status}" in error.message
    assert words in f"{error.message} {error.hint}"
    assert len(web.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_three_times(serve: Any, now: datetime, status: int) -> None:
    web = serve(Answer(status=status), Answer(status=status), Answer())
    assert fetch(web.place(), now=now)[0].content == CSV
    assert web.slept == [1, 5]
    again = serve(Answer(status=status))
    assert f"answered {status}" in refused(again, now).message
    assert len(again.asked) == 3


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (f"https://login.example.com/?next={CANARY}", "login.example.com"),
        (f"/login?token={CANARY}", "another path"),
    ],
)
def test_a_redirect_is_not_followed_and_names_the_host_only(
    serve: Any, now: datetime, location: str, host: str
) -> None:
    web = serve(Answer(status=302, headers={"Location": location}))
    error = refused(web, now, auth="bearer", secret=CANARY)
    assert f"points to {host}; not followed" in error.message
    assert len(web.asked) == 1


def test_a_signed_address_is_asked_for_and_never_shown(serve: Any, now: datetime) -> None:
    web = serve(Answer(), Answer(status=403))
    path = f"/c.csv?X-Amz-Signature={CANARY}"
    (original,) = fetch(web.place(path), now=now)
    assert original.origin == f"{web.url}/c.csv"
    with pytest.raises(ExportRejected) as caught:
        fetch(web.place(path), now=now)
    assert CANARY not in f"{caught.value}{caught.value.problems}{web.place(path)!r}"
    assert [asked[0] for asked in web.asked] == [path, path]


def test_a_login_page_is_no_export(serve: Any, now: datetime) -> None:
    web = serve(Answer(body=b"<!DOCTYPE html><html><form>Login</form></html>"))
    with pytest.raises(ExportRejected) as caught:
        crm.read(web.place(), mapping={}, now=now, max_age_hours=26)
    assert code(caught.value) == "export_wrong_format"
    assert str(caught.value.problems[0]).startswith("export.csv, row 1: it is an HTML page")
    assert f"look at what {web.url}/export.csv answers" in caught.value.hint


def test_an_old_file_on_a_server_is_stale(serve: Any, now: datetime) -> None:
    web = serve(Answer(headers={"Last-Modified": "Sun, 01 Nov 2026 01:00:00 GMT"}))
    with pytest.raises(ExportRejected) as caught:
        crm.read(web.place(), mapping={}, now=now, max_age_hours=26)
    assert code(caught.value) == "export_stale"
    assert web.url in caught.value.hint


def test_an_answer_that_is_cut_off_is_tried_again_and_refused(serve: Any, now: datetime) -> None:
    web = serve(Answer(length=len(CSV) + 1))
    error = refused(web, now)
    assert "broke the answer off" in error.message
    assert len(web.asked) == 3


def test_an_answer_whose_end_cannot_be_told_is_refused(serve: Any, now: datetime) -> None:
    web = serve(Answer(length=None))
    assert code(refused(web, now)) == "export_truncated"


def test_chunks_are_whole_when_they_end(serve: Any, now: datetime) -> None:
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(CSV), CSV)
    chunked = {"Transfer-Encoding": "chunked"}
    web = serve(Answer(length=None, headers=chunked, body=whole))
    assert fetch(web.place(), now=now)[0].content == CSV
    cut = serve(Answer(length=None, headers=chunked, body=whole[:-5]))
    assert "broke the answer off" in refused(cut, now).message


def test_too_large_by_its_own_word_is_not_read(serve: Any, now: datetime) -> None:
    web = serve(Answer(length=SIZE_LIMIT + 1))
    error = refused(web, now)
    assert code(error) == "export_too_large"
    assert "209,715,201 bytes" in error.message


def test_too_large_after_all_is_refused_too(serve: Any, now: datetime) -> None:
    part = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    endless = part * (SIZE_LIMIT // 0x100000 + 1) + b"0\r\n\r\n"
    web = serve(Answer(length=None, headers={"Transfer-Encoding": "chunked"}, body=endless))
    assert code(refused(web, now)) == "export_too_large"


def test_a_server_that_says_nothing_is_given_up(serve: Any, now: datetime) -> None:
    web = serve(Answer(stall=20))
    place = Place(source=web.url, timeout=0.2, sleep=web.slept.append)
    with pytest.raises(ExportRejected) as caught:
        fetch(place, now=now)
    assert "did not answer within 0.2 s" in caught.value.message
    assert len(web.asked) == 3


def test_a_server_that_drips_is_given_up(serve: Any, now: datetime) -> None:
    web = serve(Answer(drip=0.05))
    place = Place(source=web.url, timeout=0.06, sleep=web.slept.append)
    with pytest.raises(ExportRejected) as caught:
        fetch(place, now=now)
    assert "did not answer within" in caught.value.message


def test_what_is_packed_on_the_way_is_left_to_its_reader(serve: Any, now: datetime) -> None:
    packed = gzip.compress(CSV)
    web = serve(Answer(headers={"Content-Encoding": "gzip"}, body=packed))
    assert fetch(web.place(), now=now)[0].content == packed
    assert web.asked[0][1]["Accept-Encoding"] == "identity"
    cut = serve(Answer(headers={"Content-Encoding": "gzip"}, body=packed[:-9]))
    with pytest.raises(ExportRejected) as caught:
        crm.read(cut.place(), mapping={}, now=now, max_age_hours=26)
    assert code(caught.value) == "export_truncated"


def test_an_address_that_is_none_is_said(now: datetime) -> None:
    with pytest.raises(ExportRejected) as caught:
        fetch(Place(source=f"http://localhost:port/?{CANARY}"), now=now)
    assert caught.value.message == "http://localhost:port/ can't be used (InvalidURL)"


def test_nobody_there_is_said(now: datetime, serve: Any) -> None:
    web = serve()
    place = Place(source="http://localhost:9/x.csv?a=b", sleep=web.slept.append)
    with pytest.raises(ExportRejected) as caught:
        fetch(place, now=now)
    assert "http://localhost:9/x.csv can't be reached: Connection refused" in caught.value.message
    assert web.slept == [1, 5]


# ---------------------------------------------------------------------------- TLS


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    made = trustme.CA()
    path = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    return made, path


def context_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.usefixtures("_no_proxy")
def test_a_private_authority_is_trusted_when_it_is_named(
    serve: Any, now: datetime, authority: tuple[trustme.CA, Path]
) -> None:
    web = serve(tls=context_of(authority[0], "localhost"))
    assert fetch(web.place(ca_file=str(authority[1])), now=now)[0].content == CSV
    error = refused(web, now)
    assert "certificate" in error.message
    assert "crm.ca_file" in error.hint
    assert len(web.asked) == 1


@pytest.mark.usefixtures("_no_proxy")
def test_a_certificate_for_another_name_is_refused(
    serve: Any, now: datetime, authority: tuple[trustme.CA, Path]
) -> None:
    web = serve(tls=context_of(authority[0], "other.example"))
    assert "certificate" in refused(web, now, ca_file=str(authority[1])).message
    assert web.asked == []


@pytest.mark.usefixtures("_no_proxy")
def test_a_server_without_tls_is_said(serve: Any, now: datetime) -> None:
    web = serve()
    web.url = web.url.replace("http:", "https:")
    assert "can't be reached" in refused(web, now).message


@pytest.mark.parametrize("content", ["no certificate", None])
def test_an_authority_that_cannot_be_read_is_a_mistake_of_the_configuration(
    tmp_path: Path, now: datetime, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        fetch(Place(source="https://localhost:9/", ca_file=str(path)), now=now)
    assert caught.value.problems[0].column == "crm.ca_file"
