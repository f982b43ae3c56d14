"""Every failure becomes words that an administrator understands."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import canaries
import httpx
import pytest

from reconcile.errors import ConfigError, PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.pbx.client import Connection
from reconcile.pbx.failures import HTTPX_ERRORS, Transient, from_exception

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.conftest import FakePbx

    from reconcile.pbx.client import PbxReader

CONNECTION = Connection(
    url="https://pbx.example.com", client_id="me", client_secret="canary-secret-5f1d"
)


def every_httpx_exception() -> list[type[Exception]]:
    named = (getattr(httpx, name) for name in httpx.__all__)
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, Exception)]


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "https://x")
        return kind("odd", request=request, response=httpx.Response(500))
    try:
        return kind("odd")
    except TypeError:
        return kind()


@pytest.mark.parametrize("kind", every_httpx_exception())
def test_every_exception_of_httpx_is_caught_and_explained(kind: type[Exception]) -> None:
    assert issubclass(kind, HTTPX_ERRORS)
    explained = from_exception(made(kind), CONNECTION)
    assert isinstance(explained, PbxError)
    assert "pbx.example.com" in explained.message
    assert explained.hint
    assert "canary" not in explained.message


@pytest.mark.parametrize(
    "kind",
    [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ReadError, httpx.WriteError,
     httpx.PoolTimeout, httpx.RemoteProtocolError],
)  # fmt: skip
def test_only_what_may_be_over_in_a_moment_is_transient(kind: type[Exception]) -> None:
    assert isinstance(from_exception(made(kind), CONNECTION), Transient)


@pytest.mark.parametrize("kind", [httpx.InvalidURL, httpx.DecodingError, httpx.UnsupportedProtocol])
def test_what_makes_no_sense_is_not_trusted(kind: type[Exception]) -> None:
    assert isinstance(from_exception(made(kind), CONNECTION), PbxUntrusted)


def test_a_refused_connection_is_tried_three_times_and_named(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader], slept: list[float]
) -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    closed.close()
    with pytest.raises(PbxUnreachable, match="Connection refused") as caught:
        connect(serve(), url=url).version()
    assert slept == [0.5, 1.0]
    assert "host and port" in caught.value.hint


def test_an_unknown_name_is_named() -> None:
    error = httpx.ConnectError("no")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    explained = from_exception(error, CONNECTION)
    assert isinstance(explained, Transient)
    assert explained.message == (
        "The name in https://pbx.example.com is unknown here: Name or service not known."
    )
    assert "DNS" in explained.hint


def test_a_silent_pbx_times_out(
    pbx: FakePbx, connect: Callable[..., PbxReader], slept: list[float]
) -> None:
    done = threading.Event()
    pbx.hooks("GET", "Defs", lambda _seen: done.wait(5) and None, times=3)
    with pytest.raises(PbxUnreachable, match=r"did not answer within 0\.1 s"):
        connect(pbx, timeout=0.1).version()
    done.set()
    assert len(slept) == 2


def test_half_an_answer_is_no_answer(pbx: FakePbx, reader: PbxReader, slept: list[float]) -> None:
    pbx.answers("GET", r"Contacts\?", body=b'{"value":[', short=True, times=3)
    with pytest.raises(PbxUnreachable, match="before its answer was whole"):
        reader.find("Tag", "x")
    assert len(slept) == 2


def test_an_unknown_certificate_is_refused_at_once_with_the_way_out(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader], slept: list[float]
) -> None:
    pbx = serve(tls=True)
    with pytest.raises(PbxUnreachable, match=r"certificate of .* can't be verified") as caught:
        connect(pbx).version()
    assert "ca_file" in caught.value.hint
    assert slept == []
    assert pbx.requests == []


def test_a_private_certificate_is_trusted_by_name(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader], certificate: Path
) -> None:
    reader = connect(serve(tls=True), ca_file=str(certificate))
    assert reader.version() == "20.0.9.995"


def test_an_authority_that_this_machine_trusts_is_trusted(
    *,
    serve: Callable[..., FakePbx],
    connect: Callable[..., PbxReader],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert connect(serve(tls=True)).version() == "20.0.9.995"


def test_a_trusted_certificate_with_another_name_is_refused(
    serve: Callable[..., FakePbx], connect: Callable[..., PbxReader], certificate: Path
) -> None:
    pbx = serve(tls=True)
    url = pbx.url.replace("localhost", "127.0.0.1")
    with pytest.raises(PbxUnreachable, match=r"can't be verified: .*127"):
        connect(pbx, url=url, ca_file=str(certificate)).version()


def test_plain_http_on_a_tls_port_is_named(
    pbx: FakePbx, connect: Callable[..., PbxReader], slept: list[float]
) -> None:
    with pytest.raises(PbxUnreachable, match="does not speak TLS") as caught:
        connect(pbx, url=pbx.url.replace("http:", "https:")).version()
    assert "5001" in caught.value.hint
    assert slept == []


def test_a_ca_file_that_is_missing_or_none_is_a_config_error(
    tmp_path: Path, pbx: FakePbx, connect: Callable[..., PbxReader]
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for ca_file in (tmp_path / "missing.pem", empty, tmp_path):
        with pytest.raises(ConfigError, match=ca_file.name) as caught:
            connect(pbx, url="https://pbx.example.com", ca_file=str(ca_file))
        assert "PEM" in caught.value.hint


def test_verification_has_no_switch() -> None:
    from reconcile.pbx.transport import Wire

    with Wire(CONNECTION) as wire:
        context = wire._lend()._pool._ssl_context  # noqa: SLF001 - what the sockets will use
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("status", "kind", "words", "hint"),
    [
        (403, PbxRefused, "may not do that", "System Administrator"),
        (403, PbxRefused, "or not from here", "Console Restrictions"),
        (404, PbxRefused, "no 3CX Configuration API", "pbx.url"),
        (410, PbxRefused, "no 3CX Configuration API", "pbx.url"),
        (405, PbxRefused, "answered 405", "doctor"),
        (418, PbxRefused, "answered 418", "doctor"),
        (202, PbxUntrusted, "answered 202", "doctor"),
        (204, PbxUntrusted, "answered 204", "doctor"),
        (500, PbxUnreachable, "answered 500", "doctor"),
        (504, PbxUnreachable, "answered 504", "doctor"),
    ],
)
def test_a_status_of_the_listing_is_explained(
    *, pbx: FakePbx, reader: PbxReader, status: int, kind: type[PbxError], words: str, hint: str
) -> None:
    pbx.answers("GET", r"Contacts\?", status=status, times=9)
    with pytest.raises(kind, match=words) as caught:
        reader.find("Tag", "x")
    assert hint in caught.value.hint
    assert caught.value.exit_code == 6


def test_the_reason_in_the_body_is_repeated_in_words(pbx: FakePbx, reader: PbxReader) -> None:
    pbx.answers("GET", r"Contacts\?", status=403, body='{"error":{"message":"No right"}}')
    with pytest.raises(PbxRefused, match="answered 403: No right: this API client"):
        reader.find("Tag", "x")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://evil.test/login?x=canary", "evil.test"),
        ("/login", "another path"),
        ("https://evil.test:port/", "no address"),
        ("", "another path"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
def test_a_redirect_is_not_followed_and_its_host_is_named(
    *, pbx: FakePbx, reader: PbxReader, location: str, host: str, status: int
) -> None:
    pbx.answers("GET", r"Contacts\?", status=status, headers={"Location": location})
    with pytest.raises(PbxUntrusted, match=f"answered {status} and points to {host}") as caught:
        reader.find("Tag", "x")
    assert "canary" not in caught.value.message
    assert len(pbx.sent("GET")) == 1


def test_a_login_page_is_no_listing(pbx: FakePbx, reader: PbxReader) -> None:
    page = "<!doctype html><title>3CX Log in</title>"
    pbx.answers("GET", r"Contacts\?", body=page, headers={"Content-Type": "text/html"})
    with pytest.raises(PbxUntrusted, match='an HTML page titled "3CX Log in"'):
        reader.find("Tag", "x")


@pytest.mark.parametrize("echo", ["{}", '{{"error":{{"message":"{}"}}}}'])
def test_the_secret_and_the_token_are_in_no_traceback_even_if_the_server_echoes_them(
    pbx: FakePbx, tmp_path: Path, echo: str
) -> None:
    echo = echo.format("canary-secret-5f1d and canary-token-1 were not good enough")
    pbx.answers("GET", r"Contacts\?", status=400, body=echo, times=9)
    script = canaries.exempt(tmp_path / "script.py")
    script.write_text(
        "import logging; logging.basicConfig(level=logging.INFO)\n"
        "from reconcile.pbx.client import Connection, PbxReader\n"
        f"c = Connection(url={pbx.url!r}, client_id='me', client_secret='canary-secret-5f1d')\n"
        "PbxReader(c).find('Tag', 'Jo Private')\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "(hidden) and (hidden) were not good enough" in done.stderr
    assert "PbxRefused" in done.stderr
    assert "canary" not in done.stderr.replace("client_secret='canary-secret-5f1d'", "")
    assert "HTTP Request" not in done.stderr
    assert "Private" not in done.stderr.replace("find('Tag', 'Jo Private')", "")
