"""The request log: every request that left, and nothing that must not be written down."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.errors import PbxError, UsageError
from reconcile.model import ServerEtag
from reconcile.pbx import odata
from reconcile.pbx.client import Connection, PbxReader, PbxWriter
from reconcile.pbx.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pbx.conftest import FakePbx

SECRET = "canary-secret-5f1d"
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


@pytest.fixture
def trace(path: Path) -> Iterator[Trace]:
    trace = Trace(path, clock=lambda: NOW)
    yield trace
    trace.close()


@pytest.fixture
def reader(pbx: FakePbx, trace: Trace) -> Iterator[PbxReader]:
    connection = Connection(
        url=pbx.url, client_id="reconcile", client_secret=SECRET, timeout=0.5, concurrency=2
    )
    with PbxReader(connection, sleep=lambda _seconds: None, trace=trace) as reader:
        yield reader


@pytest.fixture
def lines(path: Path) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_request_is_a_line_with_what_was_asked_and_answered(
    pbx: FakePbx, reader: PbxReader, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    pbx.fill(130)
    reader.snapshot(now=NOW)
    etag = pbx._etag(5, "entity")  # noqa: SLF001 - the fake's own tag
    PbxWriter(reader).delete(5, ServerEtag(tag=etag))
    seen = lines()
    assert [line["method"] for line in seen][:2] == ["POST", "GET"]
    assert seen[0]["path"] == "/connect/token"
    assert len(seen) == len(pbx.requests)
    assert {line["path"] for line in seen} == {odata.without_texts(s.target) for s in pbx.requests}
    last = seen[-1]
    assert (last["method"], last["path"], last["if_match"], last["status"]) == (
        "DELETE",
        "/xapi/v1/Contacts(5)",
        etag,
        204,
    )
    assert {line["if_match"] for line in seen[:-1]} == {None}
    assert {line["at"] for line in seen} == {"2026-11-24T02:30:00.000+00:00"}
    assert all(line["seconds"] >= 0 and line["error"] == "" for line in seen)
    assert max(line["bytes"] for line in seen) > 5000
    assert list(seen[0]) == [
        "at",
        "method",
        "path",
        "if_match",
        "status",
        "seconds",
        "bytes",
        "error",
    ]


def test_a_renewed_token_and_each_try_have_their_own_lines(
    pbx: FakePbx, reader: PbxReader, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    reader.find("Tag", "x")
    pbx.answers("GET", "Contacts", status=401)
    pbx.answers("GET", "Contacts", status=503)
    reader.find("Tag", "x")
    shown = [(line["method"], line["status"]) for line in lines()]
    again = [("POST", 200), ("GET", 200)]
    assert shown == [*again, ("GET", 401), ("POST", 200), ("GET", 503), ("GET", 200)]


@pytest.mark.parametrize(
    ("how", "status", "error"),
    [
        ({"drop": True}, None, "RemoteProtocolError"),
        ({"status": 302, "headers": {"Location": "https://evil.test/"}}, 302, ""),
        ({"body": '{"value":[]}', "short": True}, 200, "RemoteProtocolError"),
    ],
)
def test_what_failed_is_written_down_too(
    *,
    pbx: FakePbx,
    reader: PbxReader,
    lines: Callable[[], list[dict[str, Any]]],
    how: dict[str, Any],
    status: int | None,
    error: str,
) -> None:
    pbx.answers("GET", "Contacts", times=9, **how)
    with pytest.raises(PbxError):
        reader.find("Tag", "x")
    assert {(line["status"], line["error"]) for line in lines()[1:]} == {(status, error)}


def test_no_secret_token_name_or_number_is_in_it(
    pbx: FakePbx, reader: PbxReader, path: Path
) -> None:
    contact_id = pbx.add(FirstName="Zoë O'Hara", PhoneNumber="+49301234567", Tag="t")
    reader.snapshot(now=NOW)
    assert reader.find("FirstName", "Zoë O'Hara")
    reader.find("PhoneNumber", "+49301234567")
    reader.contact(contact_id)
    PbxWriter(reader).create({"FirstName": "Ann", "PhoneNumber": "+49307654321"})
    text = path.read_text("utf-8")
    for hidden in (SECRET, pbx.token, "Hara", "Zo", "4930", "Ann", "client_secret"):
        assert hidden not in text
    assert "$filter=FirstName eq '…'" in text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_of_a_filter_is_left_in_a_path(text: str) -> None:
    target = f"/xapi/v1/Contacts?{odata.query(top=5, filter=odata.equals('Tag', text))}"
    assert odata.without_texts(target) == "/xapi/v1/Contacts?$top=5&$filter=Tag eq '…'"


def test_it_is_for_this_user_only_and_goes_on_where_it_was(path: Path) -> None:
    for number in (1, 2):
        trace = Trace(path, clock=lambda: NOW)
        trace.note(at=number)
        trace.close()
        path.chmod(0o644 if number == 1 else 0o600)
    assert path.read_text() == '{"at": 1}\n{"at": 2}\n'
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_is_no_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "config.toml").write_text('mode = "review"\n')
    (tmp_path / "one").touch()
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing/log", ".", "config.toml", "two"):
        with pytest.raises(UsageError, match=r"request log .* can't be written") as caught:
            Trace(tmp_path / name, clock=lambda: NOW)
        assert "--trace FILE" in caught.value.hint
    assert target.read_text() == ""
    assert (tmp_path / "config.toml").read_text() == 'mode = "review"\n'
    with pytest.raises(UsageError, match="is not a file"):
        Trace(tmp_path / "/dev/null", clock=lambda: NOW)


def test_a_line_that_was_cut_off_is_counted_and_the_next_begins_anew(path: Path) -> None:
    trace = Trace(path, clock=lambda: NOW)
    kept, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (14, kept[1]))
    try:
        trace.note(at=1)
        trace.note(at=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, handler)
    trace.note(at=3)
    trace.close()
    assert path.read_text() == '{"at": 1}\n{"at\n{"at": 3}\n'
    assert (trace.lost, trace.reason) == (1, "only a part of a line was written")


def test_an_interrupted_request_is_written_down(
    pbx: FakePbx, reader: PbxReader, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """A second Ctrl-C ends the process at once; what it had sent may have been done."""
    contact_id = pbx.add(PhoneNumber="1")
    reader.contact(contact_id)

    def interrupt(_seen: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.2)

    pbx.hooks("DELETE", "", interrupt)
    # A shell starts what it puts in the background with Ctrl-C ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            PbxWriter(reader).delete(contact_id, ServerEtag(tag='"v1"'))
    finally:
        signal.signal(signal.SIGINT, handler)
    last = lines()[-1]
    assert (last["method"], last["status"], last["error"]) == ("DELETE", None, "KeyboardInterrupt")


def test_a_full_disk_changes_nothing_but_is_remembered(
    pbx: FakePbx, reader: PbxReader, trace: Trace
) -> None:
    reader.version()
    kept, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (trace.path.stat().st_size, kept[1]))
    try:
        pbx.fill(3)
        assert len(reader.snapshot(now=NOW)) == 3
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, handler)
    assert trace.lost == len(pbx.requests) - 2
    assert trace.reason == "File too large"
